"""Following a case: with the whole code only, in plain words, without anybody's name."""

from datetime import date, timedelta

import pytest
from django.utils import timezone

from incidents.factories import actor, as_
from incidents.models import Article, CallBack, Incident, State
from incidents.services import answering, dispatching, handling, twins, verification
from incidents.workflow import AI

pytestmark = pytest.mark.django_db


def page(client, incident):
    return client.get("/track/", {"code": incident.tracking_code}).content.decode()


def answered(world):
    incident = world.report(text="建房子要去哪里审批？")
    article = Article.objects.create(
        code="A1", title="自建房审批", body="向村里提出申请。", source="自然资源局",
        published_on=date(2026, 3, 1),
    )  # fmt: skip
    return answering.answer(incident_id=incident.pk, actor=AI, article=article)


def test_case_space_and_dash_do_not_matter(client, world):
    code = world.report().tracking_code
    typed = f" {code[:4].lower()}－{code[4:8]}-{code[8:]} "
    assert "村口垃圾" in client.get("/track/", {"code": typed}).content.decode()


@pytest.mark.parametrize("code", ["NOSUCHCODE23", "", "%", "' or 1=1 --", "1", "\x00"])
def test_without_the_whole_code_nothing_is_shown(client, world, code):
    incident = world.report()
    answer = client.get("/track/", {"code": code})
    assert answer.status_code in {400, 404}
    assert incident.text not in answer.content.decode()
    assert client.get("/track/", {"code": incident.tracking_code[:11]}).status_code == 404
    assert client.get("/track/", {"code": str(incident.pk)}).status_code == 404


def test_a_look_without_the_body_is_answered_like_the_page(client, world):
    incident = world.report()
    assert client.head("/track/").status_code == 200
    assert client.head("/track/", {"code": incident.tracking_code}).status_code == 200


def test_what_a_robot_writes_to_an_answer_breaks_nothing(client, world):
    incident = answered(world)
    body = {"code": incident.tracking_code, "answer": "not_solved", "note": "没\x00用"}
    assert client.post("/track/", body).status_code == 302
    assert incident.events.get(action="not_solved").note == "没用"


def test_more_time_granted_is_told_with_how_much_and_why(client, world):
    incident = world.accepted()
    handling.request_extension(
        incident_id=incident.pk, actor=actor(world.city_handler), amount=3,
        unit="working_days", reason="等配件到货",
    )  # fmt: skip
    handling.decide_extension(incident_id=incident.pk, actor=actor(world.command), approve=True)
    shown = page(client, incident)
    assert "等配件到货" in shown
    assert "3 工作日" in shown


def test_looking_codes_up_is_limited(client, world, settings):
    settings.RATE_LIMITS = {**settings.RATE_LIMITS, "track": (1, 60)}
    incident = world.report()
    client.get("/track/", {"code": "AAAA"})
    answer = client.get("/track/", {"code": incident.tracking_code})
    assert answer.status_code == 429
    assert incident.text not in answer.content.decode()


def test_the_timeline_names_offices_and_never_people(client, world):
    incident = world.responded(note="内部备注：此人常投诉")
    dispatching.remark(incident_id=incident.pk, actor=actor(world.command), note="内部意见")
    shown = page(client, incident)
    assert "城管局" in shown
    assert "已清运完毕" in shown
    assert "内部" not in shown
    for person in (world.command, world.city_handler):
        assert person.display_name not in shown
        assert person.username not in shown


def test_a_suspended_case_says_until_when_and_why(client, world):
    incident = world.accepted()
    until = timezone.now() + timedelta(days=4)
    handling.suspend(
        incident_id=incident.pk, actor=actor(world.command), reason="连日大雨", until=until
    )
    shown = page(client, incident)
    assert "连日大雨" in shown
    assert f"{timezone.localtime(until):%Y}年" in shown


def test_an_answer_has_its_source_and_closes_when_it_helped(client, world):
    incident = answered(world)
    shown = page(client, incident)
    assert "向村里提出申请" in shown
    assert "自然资源局" in shown
    assert "2026-03-01" in shown
    client.post("/track/", {"code": incident.tracking_code, "answer": "solved"})
    assert Incident.objects.get().state == State.CLOSED


def test_an_answer_that_did_not_help_goes_to_a_person(client, world):
    incident = answered(world)
    body = {"code": incident.tracking_code, "answer": "not_solved"}
    assert client.post("/track/", body).status_code == 302
    assert Incident.objects.get().state == State.REPORTED
    assert client.post("/track/", body).status_code == 409


def test_a_merged_case_shows_the_others_progress_and_nothing_private(client, world):
    main = world.responded()
    twin = world.report(text="这边也有垃圾")
    twins.merge(incident_id=twin.pk, actor=actor(world.command), into=main)
    shown = page(client, twin)
    assert "合并后的办理进度" in shown
    assert "已办理，正在由他人核查结果" in shown
    assert "这边也有垃圾" in shown
    for private in (main.tracking_code, "村口垃圾", "已清运完毕"):
        assert private not in shown


def test_the_rating_is_offered_while_it_is_wanted(client, world):
    incident = world.called_back()
    callback = CallBack.objects.get()
    assert f"/rate/{callback.token}/" in page(client, incident)
    callback.expires_at = timezone.now()
    callback.save()
    assert "/rate/" not in page(client, incident)


def test_who_left_a_phone_says_it_before_the_rating_and_nobody_else_comes_to_it(client, world):
    incident = world.report(phone="19900001234")
    dispatching.triage(
        incident_id=incident.pk, actor=actor(world.command), category=world.rubbish, send=False
    )
    dispatching.dispatch(incident_id=incident.pk, actor=actor(world.command), department=world.city)
    handling.accept(incident_id=incident.pk, actor=actor(world.city_handler))
    handling.respond(incident_id=incident.pk, actor=actor(world.city_handler), result="已清运")
    verification.verify_pass(incident_id=incident.pk, actor=actor(world.command))
    there = f"/rate/{CallBack.objects.get().token}/"
    shown = page(client, incident)
    assert there not in shown
    assert 'name="phone"' in shown
    body = {"code": incident.tracking_code, "phone": "19900009999"}
    wrong = client.post("/track/", body)
    assert (wrong.status_code, there in wrong.content.decode()) == (400, False)
    right = client.post("/track/", body | {"phone": "+86 199-0000-1234"})
    assert right.url == there


def test_colleagues_are_not_led_to_a_residents_rating_by_the_code_on_their_desks(world):
    incident = world.called_back()
    token = CallBack.objects.get().token
    for colleague in (world.command, world.city_handler, world.worker):
        assert token not in page(as_(colleague), incident)


def test_the_right_phone_is_not_found_by_trying(client, world, settings):
    settings.RATE_LIMITS = {**settings.RATE_LIMITS, "rate": (1, 60)}
    incident = world.report(phone="19900001234")
    body = {"code": incident.tracking_code, "phone": "19900009999"}
    client.post("/track/", body)
    assert client.post("/track/", body).status_code == 429
