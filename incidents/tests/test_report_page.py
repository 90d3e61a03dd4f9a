"""The resident's form: no account, nothing lost, one report however often it is sent."""

import uuid

import pytest

from grids.services.reshaping import merge
from incidents.models import Attachment, FoundBy, Incident, State
from incidents.tests.test_files import picture

pytestmark = pytest.mark.django_db


def send(client, **more):
    return client.post("/report/", {"text": "村口垃圾堆了三天没人清", **more})


def test_a_report_leads_to_its_code_and_to_the_page_that_follows_it(client, world):
    longitude, latitude = world.places.point_in(world.grid)
    answer = send(client, lat=latitude, lon=longitude, phone="１９９ 0000-1234")
    incident = Incident.objects.get()
    assert answer.url == f"/report/done/{incident.tracking_code}/"
    page = client.get(answer.url).content.decode()
    spaced = " ".join(incident.tracking_code[i : i + 4] for i in (0, 4, 8))
    assert spaced in page
    assert f"/track/?code={incident.tracking_code}" in page
    assert "data:image/svg+xml" in page
    assert (incident.grid, incident.contact.phone) == (world.grid, "19900001234")


def test_the_code_is_shown_to_the_sender_alone(client, world):
    done = send(client).url
    assert client.__class__().get(done).url == "/track/"
    assert client.get("/report/done/AAAAAAAAAAAA/").url == "/track/"


def test_pressing_twice_is_one_report_and_new_words_are_another(client, world):
    key = str(uuid.uuid4())
    first, again = send(client, report_key=key), send(client, report_key=key)
    assert first.url == again.url
    other = send(client, report_key=key, text="另外，路灯也坏了")
    assert other.url not in {first.url, ""}
    assert send(client, report_key=key, text="另外，路灯也坏了").url == other.url
    assert Incident.objects.count() == 2


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"text": ""}, "请写明发生了什么问题"),
        ({"phone": "1234"}, "手机号应为 11 位"),
        ({"lat": "33.6"}, "请在地图上重新选择位置"),
        ({"lat": "39.9", "lon": "116.4"}, "不在本县"),
        ({"photos": [str(uuid.uuid4())]}, "照片已失效"),
        ({"photos": ["x"]}, "照片已失效"),
        ({"website": "http://spam"}, "再按一次"),
    ],
)
def test_an_error_is_told_in_chinese_and_nothing_typed_is_lost(client, world, wrong, words):
    photo = client.post("/photos/", {"photo": picture()}).json()["id"]
    body = {"address": "小卖部旁", "name": "李", "photos": [photo], "report_key": str(uuid.uuid4())}
    answer = send(client, **(body | wrong))
    page = answer.content.decode()
    assert (answer.status_code, Incident.objects.count()) == (400, 0)
    assert words in page
    assert "小卖部旁" in page
    assert body["report_key"] in page
    assert ("photos" in wrong) or photo in page


def test_without_scripts_the_files_come_with_the_form_and_stay_after_an_error(client, world):
    page = send(client, text="", photo_files=[picture(), picture()]).content.decode()
    ids = [str(pk) for pk in Attachment.objects.values_list("pk", flat=True)]
    assert len(ids) == 2
    assert all(photo_id in page for photo_id in ids)
    assert send(client, photos=ids, photo_files=[picture()]).status_code == 302
    assert Incident.objects.get().photos.count() == 3


def test_the_sign_of_a_grid_gives_the_place_with_its_name(client, world):
    page = client.get(f"/report/?grid={world.grid.code}").content.decode()
    assert world.grid.name in page
    send(client, grid=world.grid.code)
    incident = Incident.objects.get()
    assert (incident.grid, incident.found_by) == (world.grid, FoundBy.GIVEN)


def test_the_sign_of_a_grid_that_was_merged_leads_to_the_one_that_took_it_in(client, world):
    gone, kept = world.places.grids[:2]
    merge(kept_id=kept.pk, other_ids=[gone.pk], actor=None, seen=None)
    assert kept.name in client.get(f"/report/?grid={gone.code}").content.decode()
    send(client, grid=gone.code)
    assert Incident.objects.get().grid == kept


@pytest.mark.parametrize("code", ["999", "1' or 1=1", "<script>", "٣"])
def test_a_sign_nobody_knows_is_just_the_form_with_a_kind_word(client, world, code):
    page = client.get("/report/", {"grid": code})
    assert page.status_code == 200
    assert "这块牌子上的地点已查不到" in page.content.decode()
    assert "这块牌子" not in client.get("/report/").content.decode()
    assert send(client, grid=code[:17]).status_code == 302


def test_the_maps_own_coordinates_are_turned_into_ours(client, world):
    longitude, latitude = world.places.point_in(world.grid)
    send(client, lat=latitude, lon=longitude, coordinate_system="gcj02")
    assert abs(Incident.objects.get().location.x - longitude) > 0.003


def test_words_of_an_emergency_bring_the_numbers_first(client, world):
    shown = client.get(send(client, text="三楼着火了，有人昏迷").url).content.decode()
    assert 'href="tel:119"' in shown
    assert "这可能是紧急情况" in shown
    assert "这可能是紧急情况" not in client.get(send(client).url).content.decode()


def test_script_in_the_text_stays_text(client, world):
    evil = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"
    send(client, text=evil, address=evil)
    code = Incident.objects.get().tracking_code
    for page in (send(client, text=evil, phone="1"), client.get(f"/track/?code={code}")):
        assert "<script>alert" not in page.content.decode()
        assert "<img src=x" not in page.content.decode()
        assert "unsafe-inline" not in page.headers["Content-Security-Policy"]


def test_fields_of_the_case_itself_cannot_be_posted(client, world):
    send(client, state="closed", source="hotline", reporter=world.command.pk, urgency="2")
    incident = Incident.objects.get()
    assert (incident.state, incident.source, incident.reporter) == (
        State.REPORTED, "resident", None,
    )  # fmt: skip


def test_reports_are_limited_and_the_form_keeps_what_was_typed(client, world, settings):
    settings.RATE_LIMITS = {**settings.RATE_LIMITS, "report": (1, 60)}
    send(client)
    answer = send(client, text="第二件事", address="学校门口")
    assert answer.status_code == 429
    assert "学校门口" in answer.content.decode()
