"""The page of one case: who finds it, what it shows, and steps taken from it."""

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from core.models import AuditEntry, CalendarYear
from core.working_calendar import WorkingCalendar
from grids.factories import person
from grids.models import Role
from incidents.factories import actor, as_, deadlines, draft_photo
from incidents.models import (
    Extension,
    Incident,
    RoutingRule,
    State,
    Suggestion,
    WhistleParty,
)
from incidents.services import dispatching, handling, whistle
from incidents.services.intake import Report, report

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


def url(incident, *parts):
    return "/".join(["", "incidents", incident.tracking_code, *parts, ""])


def fresh(incident):
    return Incident.objects.get(pk=incident.pk)


def do(client, incident, action, data=None, **headers):
    seen = fresh(incident).version
    return client.post(url(incident, "do", action), {"seen": seen} | (data or {}), headers=headers)


def html(response):
    return response.content.decode()


# Who finds it


def test_staff_of_the_place_and_the_owner_find_the_case(world):
    incident = world.dispatched()
    for user in (world.worker, world.office, world.town_admin, world.command, world.city_handler):
        assert as_(user).get(url(incident)).status_code == 200


def test_a_neighbouring_grid_that_was_given_the_case_finds_it(world):
    neighbour = person(Role.GRID_WORKER, world.places.grids[1])
    incident = world.dispatched(to=world.places.grids[1])
    assert as_(neighbour).get(url(incident)).status_code == 200
    assert incident.tracking_code in html(as_(neighbour).get("/worker/"))
    assert do(as_(neighbour), incident, "accept").status_code == 302


def test_outside_the_scope_the_case_does_not_exist(world):
    incident = world.dispatched()
    elsewhere = person(Role.TOWN_ADMIN, world.places.towns[1])
    for user in (elsewhere, world.water_handler):
        client = as_(user)
        assert client.get(url(incident)).status_code == 404
        assert client.post(url(incident, "do", "accept")).status_code == 404
        for part in ("places", "preview", "near", "place.json"):
            there = url(incident, part).rstrip("/") + ("" if part == "place.json" else "/")
            assert client.get(there).status_code == 404


def test_another_code_in_the_address_opens_nothing(world):
    incident = world.dispatched()
    assert as_(world.command).get(url(incident)[:-3] + "ZZ/").status_code == 404
    assert as_(world.command).get(url(incident, "do", "no_such_step")).status_code == 404


def test_keepers_of_the_system_see_no_case_and_strangers_are_asked_to_sign_in(world):
    incident = world.dispatched()
    keeper = person(Role.SYSTEM_ADMIN, world.county)
    assert as_(keeper).get(url(incident)).status_code == 403
    assert Client().get(url(incident)).status_code == 302


# What it costs


@pytest.mark.parametrize("stage", ["reported", "responded", "whistled"])
def test_the_page_asks_the_database_little(world, stage, django_assert_max_num_queries):
    incident = {
        "reported": world.report,
        "responded": world.responded,
        "whistled": world.whistled,
    }[stage]()
    client = as_(world.command)
    client.get(url(incident))
    with django_assert_max_num_queries(14):
        assert client.get(url(incident)).status_code == 200


# What it shows


def test_text_and_notes_are_shown_as_typed_never_as_markup(world):
    evil = "<script>alert(1)</script><img src=x onerror=alert(1)>"
    incident = world.report(text=f"坏了{evil}")
    dispatching.remark(incident_id=incident.pk, actor=actor(world.command), note=evil)
    shown = html(as_(world.command).get(url(incident)))
    assert "<script>alert" not in shown
    assert "<img src=x" not in shown
    assert "&lt;script&gt;alert(1)" in shown


def test_the_likeliest_step_of_each_reader_stands_ready(world):
    def offered(user, incident):
        return re.findall(
            r'<form method="post" action="[^"]+/do/(\w+)/"', html(as_(user).get(url(incident)))
        )

    assert offered(world.command, world.report()) == ["triage"]
    assert offered(world.command, world.pending()) == ["dispatch"]
    assert offered(world.city_handler, world.dispatched()) == ["accept"]
    assert offered(world.city_handler, world.accepted()) == ["arrive"]
    assert offered(world.town_admin, world.responded()) == ["verify_pass"]
    assert offered(world.city_handler, world.responded()) == []
    assert offered(world.command, world.called_back()) == ["record_callback"]
    assert offered(world.water_handler, world.whistled()) == ["party_accept"]


def test_the_suggestion_says_how_sure_it_is_and_why(world):
    incident = world.report()
    Suggestion.objects.create(
        incident=incident, model_version=4, category=world.rubbish, confidence=0.62,
        words=["垃圾", "没人清"], alternatives=[[world.road.code, 0.21]],
        created_at=timezone.now(),
    )  # fmt: skip
    shown = html(as_(world.command).get(url(incident)))
    assert "62%" in shown
    assert "没人清" in shown
    assert f"{world.road.label} 21%" in shown
    assert f'<option value="{world.rubbish.pk}" selected>' in shown


def test_time_left_is_told_in_the_unit_of_the_rule(world):
    deadlines(world.rubbish, {"accept": (4, "working_hours"), "resolve": (3, "working_days")})
    incident = world.dispatched()
    shown = html(as_(world.command).get(url(incident), headers={"Accept-Language": "en"}))
    assert "of 4 working hours" in shown
    assert re.search(r"(2\.\d|3) working days left", shown)


def test_the_map_gets_the_mark_and_the_outline_of_its_grid(world):
    incident = world.report()
    answer = as_(world.command).get(url(incident, "place.json").rstrip("/")).json()
    assert {feature["properties"]["level"] for feature in answer["features"]} == {"village", "grid"}
    assert len(answer["points"]) == 1


# The reporter


def test_the_reporter_is_masked_until_a_reason_is_given_and_the_look_is_on_record(world):
    longitude, latitude = world.places.point_in(world.grid)
    incident, _new = report(
        Report(text="路灯不亮", source="resident", name="钱多多", phone="19900001234",
               latitude=latitude, longitude=longitude)
    )  # fmt: skip
    client = as_(world.command)
    page = html(client.get(url(incident)))
    assert "钱**" in page
    assert "199****1234" in page
    assert "19900001234" not in page
    look = reverse("reveal", args=["incident", incident.tracking_code, "reporter"])
    assert f'hx-post="{look}"' in page
    refused = client.post(look, {"reason": " "}, headers=HTMX)
    assert refused.status_code == 422
    assert "19900001234" not in html(refused)
    shown = client.post(look, {"reason": "核实位置，回电13900000000"}, headers=HTMX)
    assert "19900001234" in html(shown)
    assert 'data-expires="60"' in html(shown)
    entry = AuditEntry.objects.get(action="reveal.reporter")
    assert (entry.actor, entry.subject_id) == (world.command, incident.pk)
    assert entry.data["reason"] == "核实位置，回电139****0000"


def test_without_scripts_the_revealed_page_leaves_by_itself(world):
    longitude, latitude = world.places.point_in(world.grid)
    incident, _new = report(
        Report(text="路灯不亮", source="resident", phone="19900001234",
               latitude=latitude, longitude=longitude)
    )  # fmt: skip
    look = reverse("reveal", args=["incident", incident.tracking_code, "reporter"])
    shown = as_(world.command).post(look, {"reason": "核实", "next": url(incident)})
    assert "19900001234" in html(shown)
    assert shown.headers["Refresh"].startswith("60;url=/incidents/")
    assert "no-store" in shown.headers["Cache-Control"]


def test_whoever_only_looks_on_may_not_see_who_reported(world):
    incident = world.dispatched()
    look = reverse("reveal", args=["incident", incident.tracking_code, "reporter"])
    assert as_(world.leader).post(look, {"reason": "看看"}).status_code == 403


# Steps


def test_one_press_accepts_and_leads_back_to_the_case(world):
    incident = world.dispatched()
    answer = do(as_(world.city_handler), incident, "accept")
    assert (answer.status_code, answer.url) == (302, url(incident))
    assert fresh(incident).state == State.ACCEPTED


def test_with_htmx_the_answer_is_the_piece_with_the_new_state(world):
    incident = world.dispatched()
    answer = do(as_(world.city_handler), incident, "accept", **HTMX)
    assert answer.status_code == 200
    assert "<html" not in html(answer)
    assert "geshi:changed" in answer.headers["HX-Trigger"]


def test_a_step_never_sends_the_person_to_another_site(world):
    incident = world.dispatched()
    answer = do(as_(world.city_handler), incident, "accept", {"next": "//evil.example/"})
    assert answer.url == url(incident)


def test_of_two_people_one_wins_and_the_other_keeps_the_text(world):
    incident = world.accepted()
    client = as_(world.city_handler)
    old = fresh(incident).version
    handling.arrive(incident_id=incident.pk, actor=actor(world.city_handler))
    typed = {"seen": old, "result": "已经清运了三车，现场消杀"}
    late = client.post(url(incident, "do", "respond"), typed)
    assert late.status_code == 409
    assert "已经清运了三车，现场消杀" in html(late)
    assert world.city_handler.display_name in html(late)
    assert fresh(incident).state == State.ARRIVED
    now = fresh(incident).version
    assert f'name="seen" value="{now}"' in html(late)
    again = client.post(url(incident, "do", "respond"), typed | {"seen": now})
    assert again.status_code == 302
    assert fresh(incident).state == State.RESPONDED


def test_a_missing_answer_comes_back_beside_its_field_with_the_rest_kept(world):
    incident = world.accepted()
    photo = draft_photo(world.city_handler)
    answer = do(as_(world.city_handler), incident, "respond", {"result": " ", "photos": [photo.pk]})
    assert answer.status_code == 422
    assert "g-invalid" in html(answer)
    assert str(photo.pk) in html(answer)


def test_a_step_that_is_not_ones_own_is_403(world):
    incident = world.dispatched()
    assert do(as_(world.worker), incident, "accept").status_code == 403
    assert do(as_(world.worker), incident, "respond", {"result": ""}).status_code == 403
    answer = do(as_(world.worker), incident, "accept", **HTMX)
    assert answer.status_code == 403
    assert answer.json()["error"]
    assert fresh(incident).state == State.DISPATCHED


def test_another_persons_draft_photo_cannot_become_evidence(world):
    incident = world.accepted()
    theirs = draft_photo(world.worker)
    answer = do(
        as_(world.city_handler), incident, "respond", {"result": "好了", "photos": [theirs.pk]}
    )
    assert answer.status_code == 422
    assert fresh(incident).state == State.ACCEPTED


def test_a_missing_calendar_names_the_year_and_leads_whoever_may_to_the_import(world):
    deadlines(None, {"accept": (2, "working_days")}, version=2)
    CalendarYear.objects.all().delete()
    WorkingCalendar.forget()
    incident = world.pending()
    answer = do(as_(world.command), incident, "dispatch", {"owner": f"d{world.city.pk}"})
    WorkingCalendar.forget()
    assert answer.status_code == 409
    assert str(timezone.localdate().year) in html(answer)
    assert "calendaryear/add" not in html(answer)
    assert fresh(incident).state == State.PENDING


def test_a_working_day_left_is_never_a_broken_page_when_the_calendar_is_gone(world):
    deadlines(None, {"accept": (2, "working_days")}, version=2)
    incident = world.dispatched()
    CalendarYear.objects.all().delete()
    WorkingCalendar.forget()
    assert as_(world.command).get(url(incident)).status_code == 200
    WorkingCalendar.forget()


def test_the_panel_alone_can_stand_in_another_page(world):
    incident = world.dispatched()
    client = as_(world.city_handler)
    panel = client.get(url(incident) + "?shell=panel", headers=HTMX)
    assert 'name="shell" value="panel"' in html(panel)
    answer = do(client, incident, "accept", {"shell": "panel"}, **HTMX)
    assert 'class="c-panel"' in html(answer)


@pytest.mark.parametrize(
    ("step", "field"), [("blow_whistle", "meet_at"), ("suspend", "until")]
)  # fmt: skip
@pytest.mark.parametrize("moment", ["0001-01-01T00:00", "9999-12-31T23:59"])
def test_a_moment_outside_all_calendars_is_refused(world, step, field, moment):
    incident = world.accepted()
    typed = {
        "ask": "来", "lead": world.city.pk, "parties": [world.water.pk], "reason": "等",
        field: moment,
    }  # fmt: skip
    answer = do(as_(world.command), incident, step, typed)
    assert answer.status_code == 422
    assert as_(world.command).get(url(incident)).status_code == 200


def test_characters_no_database_takes_break_nothing(world):
    incident = world.accepted()
    client = as_(world.command)
    typed = {
        "ask": "来", "lead": world.city.pk, "parties": [world.water.pk],
        f"ask_{world.city.pk}": "修\x00路",
    }  # fmt: skip
    assert do(client, incident, "blow_whistle", typed).status_code == 302
    assert WhistleParty.objects.get(is_lead=True).ask == "修路"
    assert client.get(url(incident, "near"), {"q": "垃\x00圾"}).status_code == 200
    named = world.report(phone="19900001234")
    look = reverse("reveal", args=["incident", named.tracking_code, "reporter"])
    assert client.post(look, {"reason": "核\x00实"}).status_code == 200


# Extensions, whistle, routing preview


def test_more_time_is_asked_for_and_granted_from_the_page(world):
    incident = world.accepted()
    asked = {"amount": 2, "unit": "calendar_days", "reason": "等配件"}
    assert do(as_(world.city_handler), incident, "request_extension", asked).status_code == 302
    page = html(as_(world.town_admin).get(url(incident)))
    assert "/do/approve_extension/" in page
    assert do(as_(world.town_admin), incident, "approve_extension").status_code == 302
    assert Extension.objects.get().decision == Extension.Decision.APPROVED


def test_the_whistle_board_shows_how_far_each_party_has_come(world):
    incident = world.whistled()
    whistle.party_accept(
        incident_id=incident.pk, actor=actor(world.city_handler), department=world.city
    )
    page = html(as_(world.command).get(url(incident)))
    assert "城管局" in page
    assert "水利局" in page
    assert "查管网" in page


def test_the_preview_says_where_the_rules_would_send_it_and_why(world):
    RoutingRule.objects.create(position=1, name="夜间值守", owner_kind="person", weekdays="0")
    RoutingRule.objects.create(position=2, name="交主管部门", owner_kind="category_owner")
    incident = world.report()
    client = as_(world.command)
    shown = html(client.get(url(incident, "preview"), {"category": world.rubbish.pk}))
    assert "城管局" in shown
    assert "夜间值守" in shown
    assert html(client.get(url(incident, "preview"), {"category": "x"})) == ""
    assert fresh(incident).state == State.REPORTED


def test_a_suspended_case_says_until_when(world):
    incident = world.accepted()
    until = timezone.now() + timedelta(days=3)
    handling.suspend(
        incident_id=incident.pk, actor=actor(world.command), until=until, reason="汛期"
    )
    page = html(as_(world.command).get(url(incident)))
    assert f"{timezone.localtime(until):%Y-%m-%d %H:%M}" in page


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
def test_a_dispatcher_narrows_the_catalogue_reads_the_preview_and_triages(world, page_zh):
    RoutingRule.objects.create(position=1, name="交主管部门", owner_kind="category_owner")
    incident = world.report()
    page = page_zh(1440)
    page_zh.sign_in(page, world.command)
    page.goto(url(incident))
    page.locator(".c-filter").first.fill("垃圾")
    page.locator(".c-preview", has_text="城管局").wait_for()
    page.get_by_label("说明").fill("请尽快")
    page.locator(".c-send").click()
    page.locator(".c-head", has_text="待接收").wait_for()
    assert fresh(incident).owner_department_id == world.city.pk


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
def test_words_already_taken_do_not_come_back_into_the_next_form(world, page_zh):
    incident = world.accepted()
    page = page_zh(1440)
    page_zh.sign_in(page, world.command)
    page.goto(url(incident, "do", "remark"))
    page.get_by_label("备注").press_sequentially("已电话联系")
    page.locator(".c-send").click()
    page.locator(".g-timeline", has_text="已电话联系").wait_for()
    page.goto(url(incident, "do", "remark"))
    assert page.get_by_label("备注").input_value() == ""
