"""The desks: what stands under which tab, for whom; the worker's phone; notices."""

import re
import uuid
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from core.services import outbox
from grids.desks import desks_for
from grids.factories import DepartmentFactory, UserFactory, person, post
from grids.models import Department, Leave, Role
from grids.queries import Scope
from incidents.factories import actor, as_, draft_photo
from incidents.models import Attachment, Incident, Notice, Source, State
from incidents.queries import notice_branches, unread_count
from incidents.services import dispatching, handling, verification, whistle
from incidents.views.lists import TAB_LABELS

pytestmark = pytest.mark.django_db


def listed(client, path):
    answer = client.get(path)
    assert answer.status_code == 200
    codes = re.findall(r"/incidents/([0-9A-Z]{12})/", answer.content.decode())
    return list(dict.fromkeys(codes))


def codes(*incidents):
    return [incident.tracking_code for incident in incidents]


def make_late(incident, hours=5):
    late = timezone.now() - timedelta(hours=hours)
    Incident.objects.filter(pk=incident.pk).update(due_at=late, overdue_at=late)


# The department


def test_a_department_finds_each_case_under_its_tab(world):
    inbox, handling_now, checking = world.dispatched(), world.accepted(), world.responded()
    whistled, back = world.whistled(), world.responded()
    verification.verify_fail(incident_id=back.pk, actor=actor(world.command), reason="没清完")
    done = world.called_back()
    verification.record_callback(
        incident_id=done.pk, actor=actor(world.command), score="satisfied", solved=True
    )
    client = as_(world.city_handler)
    assert listed(client, "/department/") == codes(inbox)
    assert set(listed(client, "/department/?tab=handling")) == set(codes(handling_now, back))
    assert listed(client, "/department/?tab=whistle") == codes(whistled)
    assert listed(client, "/department/?tab=checking") == codes(checking)
    assert listed(client, "/department/?tab=returned") == codes(back)
    assert listed(client, "/department/?tab=done") == codes(done)


def test_a_called_department_leaves_the_whistle_tab_once_it_has_signed(world):
    incident = world.whistled()
    water, city = actor(world.water_handler), actor(world.city_handler)
    for who, department in ((city, world.city), (water, world.water)):
        step = {"incident_id": incident.pk, "actor": who, "department": department}
        whistle.party_accept(**step)
        whistle.party_arrive(**step)
        whistle.party_answer(**step, opinion="已办")
    client = as_(world.water_handler)
    assert listed(client, "/department/?tab=whistle") == codes(incident)
    whistle.party_sign(incident_id=incident.pk, actor=water, department=world.water)
    assert listed(client, "/department/?tab=whistle") == []


def test_what_is_overdue_stands_first(world):
    first, second = world.dispatched(), world.dispatched()
    make_late(second)
    assert listed(as_(world.city_handler), "/department/") == codes(second, first)


def test_a_case_is_accepted_from_the_list_and_the_list_comes_back(world):
    incident = world.dispatched()
    data = {"seen": incident.version, "next": "/department/?tab=inbox"}
    answer = as_(world.city_handler).post(f"/incidents/{incident.tracking_code}/do/accept/", data)
    assert answer.url == "/department/?tab=inbox"
    assert Incident.objects.get(pk=incident.pk).state == State.ACCEPTED


def test_another_department_sees_nothing_of_it(world):
    world.dispatched()
    assert listed(as_(world.water_handler), "/department/") == []


def test_a_long_list_has_pages_that_cost_the_same(
    world, monkeypatch, django_assert_max_num_queries
):
    monkeypatch.setattr("incidents.queries.desks.PAGE_SIZE", 2)
    cases = [world.dispatched() for _n in range(3)]
    client = as_(world.city_handler)
    first = listed(client, "/department/")
    following = re.search(
        r'rel="next" href="([^"]+)"', client.get("/department/").content.decode()
    )[1].replace("&amp;", "&")
    with django_assert_max_num_queries(10):
        second = listed(client, following)
    assert first + second == codes(*cases)
    assert client.get("/department/?cursor=rubbish").status_code == 400


# Towns, villages, grids


def test_a_town_is_not_offered_to_accept_for_a_department_that_bears_its_number(world):
    number = world.town.pk
    namesake = Department.objects.filter(pk=number).first() or DepartmentFactory(pk=number)
    world.dispatched(namesake)
    page = as_(world.town_admin).get("/town/?tab=open").content.decode()
    assert "/do/accept/" not in page


def test_what_is_ours_is_counted_wherever_it_lies(world):
    incident = world.dispatched(to=world.grid)
    Incident.objects.filter(pk=incident.pk).update(grid=world.places.grids[1])
    client = as_(world.chief)
    assert listed(client, "/grid/?tab=ours") == codes(incident)
    counts = {tab["label"]: tab["count"] for tab in client.get("/grid/").context["tabs_shown"]}
    assert counts[TAB_LABELS["ours"]] == 1


def test_a_town_finds_what_waits_for_it(world):
    pending = world.pending()
    wanted = world.pending(category=world.road, tier="whistle")
    ours = world.dispatched(to=world.town)
    to_verify, callback = world.responded(), world.called_back()
    asked = world.accepted()
    handling.request_extension(
        incident_id=asked.pk, actor=actor(world.city_handler), amount=1, unit="calendar_days",
        reason="等料",
    )  # fmt: skip
    late = world.accepted()
    make_late(late)
    client = as_(world.town_admin)
    assert listed(client, "/town/?tab=to_dispatch") == codes(pending)
    assert listed(client, "/town/?tab=whistle_wanted") == codes(wanted)
    assert listed(client, "/town/?tab=ours") == codes(ours)
    assert listed(client, "/town/?tab=to_verify") == codes(to_verify)
    assert listed(client, "/town/?tab=callback") == codes(callback)
    assert listed(client, "/town/?tab=extensions") == codes(asked)
    assert listed(client, "/town/?tab=overdue") == codes(late)
    assert len(listed(client, "/town/?tab=open")) == 7


def test_a_village_and_a_grid_have_the_same_desk_for_their_own(world):
    village_case = world.dispatched(to=world.village)
    grid_case = world.dispatched(to=world.grid)
    elsewhere = world.dispatched(to=world.places.grids[1])
    assert listed(as_(world.office), "/village/") == codes(village_case)
    assert listed(as_(world.chief), "/grid/") == codes(grid_case)
    assert set(listed(as_(world.chief), "/grid/?tab=open")) == set(
        codes(village_case, grid_case, elsewhere)
    )
    guide = person(Role.GRID_GUIDE, world.village)
    seen = listed(as_(guide), "/grid/?tab=open")
    assert set(seen) == set(codes(village_case, grid_case, elsewhere))


def test_one_town_never_sees_another(world):
    world.pending()
    other = person(Role.TOWN_ADMIN, world.places.towns[1])
    assert listed(as_(other), "/town/?tab=open") == []


@pytest.mark.parametrize(
    ("path", "role"),
    [("/department/", "worker"), ("/town/", "worker"), ("/village/", "town_admin"),
     ("/grid/", "worker"), ("/worker/", "command"), ("/worker/report/", "city_handler")],
)  # fmt: skip
def test_a_desk_is_closed_to_other_roles(world, path, role):
    assert as_(getattr(world, role)).get(path).status_code == 403
    assert Client().get(path).status_code == 302


def test_everybody_lands_at_their_own_desk(world):
    first = {
        "worker": "worker", "chief": "grid", "office": "village", "town_admin": "town",
        "city_handler": "department",
    }  # fmt: skip
    for name, desk in first.items():
        held = actor(getattr(world, name)).scope.roles
        assert desks_for(held)[0].url_name == desk


# The worker's phone


def test_the_phone_shows_overdue_before_the_rest(world):
    calm, late = world.pending(), world.pending()
    make_late(late)
    assert listed(as_(world.worker), "/worker/") == codes(late, calm)


def test_a_unit_head_sees_what_the_unit_itself_has(world):
    head = person(Role.UNIT_HEAD, world.places.unit)
    world.pending()
    assert listed(as_(head), "/worker/") == []


def send(client, data, **headers):
    return client.post("/worker/report/", data, headers={"Accept": "application/json", **headers})


def test_a_report_sent_twice_from_the_phone_is_one_case(world):
    longitude, latitude = world.places.point_in(world.grid)
    photo = draft_photo(world.worker)
    data = {
        "key": str(uuid.uuid4()), "text": "井盖缺失", "lat": latitude, "lon": longitude,
        "photos": [photo.pk],
    }  # fmt: skip
    client = as_(world.worker)
    first, second = send(client, data), send(client, data)
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    incident = Incident.objects.get()
    assert (incident.source, incident.grid_id) == (Source.WORKER, world.grid.pk)
    assert Attachment.objects.get().incident_id == incident.pk


def test_without_a_position_the_report_lies_in_the_workers_grid(world):
    answer = send(as_(world.worker), {"text": "井盖缺失"})
    assert Incident.objects.get(tracking_code=answer.json()["code"]).grid_id == world.grid.pk


def test_a_position_outside_the_county_falls_back_to_the_grid(world):
    answer = send(as_(world.worker), {"text": "井盖缺失", "lat": "39.9", "lon": "116.4"})
    assert Incident.objects.get(tracking_code=answer.json()["code"]).grid_id == world.grid.pk


def test_bad_input_from_the_phone_is_told_and_nothing_is_stored(world):
    client = as_(world.worker)
    answer = send(client, {"text": " ", "lat": "north", "lon": "1"})
    assert answer.status_code == 422
    assert set(answer.json()["errors"]) == {"text", "lat"}
    assert answer.json()["error"]
    page = client.post("/worker/report/", {"text": "", "address": "桥头"})
    assert page.status_code == 422
    assert "桥头" in page.content.decode()
    assert not Incident.objects.exists()


def test_after_sending_the_worker_may_settle_it_on_the_spot(world):
    client = as_(world.worker)
    there = client.post("/worker/report/", {"text": "树枝挡路", "category": world.rubbish.pk}).url
    assert "/do/handle_on_spot/" in client.get(there).content.decode()
    incident = Incident.objects.get()
    data = {"seen": incident.version, "result": "已移开", "photos": [draft_photo(world.worker).pk]}
    client.post(f"/incidents/{incident.tracking_code}/do/handle_on_spot/", data)
    assert Incident.objects.get().state == State.RESPONDED


def test_what_villages_do_not_do_cannot_be_settled_on_the_spot(world):
    client = as_(world.worker)
    there = client.post("/worker/report/", {"text": "路塌了", "category": world.road.pk}).url
    assert "/do/handle_on_spot/" not in client.get(there).content.decode()


def test_own_reports_stay_in_sight(world):
    client = as_(world.worker)
    client.post("/worker/report/", {"text": "井盖缺失"})
    assert listed(client, "/worker/mine/") == codes(Incident.objects.get())


# Notices


def notice(kind, **to):
    return Notice.objects.create(
        key=uuid.uuid4().hex, kind=kind, created_at=timezone.now(), data={}, **to
    )


def test_notices_reach_the_post_and_nobody_else(world):
    incident = world.report()
    notice("dispatched", incident=incident, department=world.city)
    notice("to_verify", incident=incident, role=Role.TOWN_ADMIN, area=world.town)
    assert listed(as_(world.water_handler), "/notices/") == []
    assert listed(as_(world.city_handler), "/notices/") == codes(incident)
    both = world.town_admin
    post(both, Role.DEPARTMENT_HANDLER, world.city)
    page = as_(both).get("/notices/").content.decode()
    assert page.count("g-item-title") == 2


def test_a_worker_s_notices_keep_the_bar_of_pages_and_lead_to_the_password(world):
    page = as_(world.worker).get("/notices/").content.decode()
    assert 'href="/worker/mine/"' in page
    assert 'href="/password/"' in page
    assert 'href="/worker/mine/"' not in as_(world.office).get("/notices/").content.decode()


def test_the_bell_counts_what_is_unread_until_it_is_read(world):
    last = notice("dispatched", incident=world.report(), department=world.city)
    client = as_(world.city_handler)
    assert '<span class="g-dot">1</span>' in client.get("/department/").content.decode()
    client.post("/notices/read/", {"up_to": last.pk})
    assert '<span class="g-dot">' not in client.get("/department/").content.decode()
    client.post("/notices/read/", {"up_to": "x' or 1=1"})


def test_the_bell_is_counted_once_for_pages_opened_one_after_another(
    world, django_assert_num_queries
):
    notice("dispatched", incident=world.report(), department=world.city)
    scope = Scope.for_user(world.city_handler)
    with django_assert_num_queries(1):
        assert {unread_count(world.city_handler, scope) for _page in range(3)} == {1}


def away_today(posting, substitute):
    today = timezone.localdate()
    days = {"valid_from": today, "valid_to": today + timedelta(days=3)}
    cover = post(substitute, posting.role, posting.place, **days)
    Leave.objects.create(
        posting=posting, cover=cover, away_from=today, away_until=today + timedelta(days=3)
    )
    return cover


def test_the_bell_of_somebody_on_leave_rings_for_the_substitute_alone(world):
    away, substitute = world.town_admin, person(Role.VILLAGE_OFFICE, world.village)
    away_today(away.postings.get(), substitute)
    for_the_post = notice("to_verify", role=Role.TOWN_ADMIN, area=world.town)
    by_name = notice("system_update", user=away)
    at_another_post = notice("dispatched", department=world.city)
    post(away, Role.DEPARTMENT_HANDLER, world.city)
    assert shown(away) == {by_name.pk, at_another_post.pk}
    assert unread_count(away, Scope.for_user(away)) == 2
    assert shown(substitute) == {for_the_post.pk}
    as_(away).post("/notices/read/", {"up_to": at_another_post.pk})
    for_the_post.refresh_from_db()
    assert for_the_post.read_at is None


def test_a_post_whose_substitutes_are_all_gone_rings_with_whoever_is_away(world):
    first, second = UserFactory(), UserFactory()
    cover = away_today(world.town_admin.postings.get(), first)
    away_today(cover, second)
    here = notice("to_verify", role=Role.TOWN_ADMIN, area=world.town)
    assert (shown(world.town_admin), shown(first), shown(second)) == (set(), set(), {here.pk})
    type(second).objects.filter(pk=second.pk).update(is_active=False)
    assert shown(world.town_admin) == shown(first) == {here.pk}


def shown(user):
    branches = notice_branches(user, Scope.for_user(user))
    return {row.pk for rows in branches for row in rows}


def test_a_notice_of_an_unknown_kind_is_still_shown(world):
    notice("never_heard_of", department=world.city)
    assert "never_heard_of" in as_(world.city_handler).get("/notices/").content.decode()


def test_dispatching_by_hand_keeps_the_note(world):
    incident = world.pending()
    as_(world.command).post(
        f"/incidents/{incident.tracking_code}/do/dispatch/",
        {"seen": incident.version, "owner": f"d{world.city.pk}", "note": "请当天到场"},
    )
    last = Incident.objects.get(pk=incident.pk).events.order_by("-seq").first()
    assert (last.action, last.note) == ("dispatch", "请当天到场")
    dispatching.remark(incident_id=incident.pk, actor=actor(world.command), note="已电话通知")


def test_other_words_from_the_same_page_of_a_worker_are_another_report(world):
    client, key = as_(world.worker), str(uuid.uuid4())
    for words in ("井盖丢了", "井盖丢了", "路灯也坏了"):
        client.post("/worker/report/", {"key": key, "text": words})
    assert [i.text for i in Incident.objects.order_by("pk")] == ["井盖丢了", "路灯也坏了"]


def test_whoever_reported_is_led_from_the_notice_to_the_rating(world):
    incident = world.called_back()
    Incident.objects.filter(pk=incident.pk).update(reporter=world.worker)
    again = world.responded()
    Incident.objects.filter(pk=again.pk).update(reporter=world.worker)
    verification.verify_pass(incident_id=again.pk, actor=actor(world.command))
    outbox.deliver_due()
    page = as_(world.worker).get("/notices/").content.decode()
    assert f"/rate/{again.callbacks.get().token}/" in page


# What others report, written down at a desk


def write_down(user, **typed):
    return as_(user).post("/desk/report/", typed)


def test_a_call_to_the_hotline_is_written_down_with_the_caller_and_its_place(world):
    answer = write_down(
        world.command, source="hotline", text="路灯坏了好几天", address=f"{world.town.name}大街",
        name="李四", phone="１９９ 0000-1234",
    )  # fmt: skip
    incident = Incident.objects.get()
    assert answer.url == f"/incidents/{incident.tracking_code}/"
    assert (incident.source, incident.town, incident.reporter) == ("hotline", world.town, None)
    assert incident.contact.phone == "19900001234"
    assert incident.events.get().actor == world.command
    assert "19900001234" not in as_(world.command).get(answer.url).content.decode()


def test_a_town_writes_an_inspection_down_in_its_own_place(world):
    write_down(world.town_admin, source="inspection", text="消防通道被占")
    incident = Incident.objects.get()
    assert (incident.source, incident.town) == ("inspection", world.town)
    assert incident.reporter == world.town_admin


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"phone": "12"}, "手机号应为 11 位"),
        ({"source": "resident"}, "来源"),
        ({"photos": [str(uuid.uuid4())]}, "照片已失效"),
    ],
)
def test_bad_input_at_the_desk_comes_back_with_everything_typed(world, wrong, words):
    typed = {"source": "meeting", "text": "路灯坏了好几天", "address": "桥头", "name": "李四"}
    answer = write_down(world.command, **(typed | wrong))
    page = answer.content.decode()
    assert answer.status_code == 422
    for kept in (words, "路灯坏了好几天", "桥头", "李四"):
        assert kept in page
    assert not Incident.objects.exists()


def test_whoever_calls_is_called_back_and_never_the_one_who_wrote_it_down(world):
    write_down(world.command, source="hotline", text="路灯坏了好几天", address=world.town.name)
    incident = Incident.objects.get()
    command, city = actor(world.command), actor(world.city_handler)
    step = {"incident_id": incident.pk}
    dispatching.triage(**step, actor=command, category=world.road, send=False)
    dispatching.dispatch(**step, actor=command, department=world.city)
    handling.accept(**step, actor=city)
    handling.respond(**step, actor=city, result="已修复")
    verification.verify_pass(**step, actor=actor(world.town_admin))
    outbox.deliver_due()
    assert Notice.objects.filter(kind="call_back").exists()
    assert not Notice.objects.filter(kind="rate_please").exists()


def test_only_offices_write_down_what_others_report(world):
    assert as_(world.worker).get("/desk/report/").status_code == 403
    as_(world.worker).post("/worker/report/", {"text": "井盖丢了", "source": "hotline"})
    assert Incident.objects.get().source == Source.WORKER
