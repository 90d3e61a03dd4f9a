"""The forms of the steps: only lawful choices, standard texts, and what the services get."""

import pytest
from django.utils import timezone

from incidents.factories import actor, category
from incidents.forms.actions import ACTION_FORMS, LIKELY
from incidents.models import Incident, State
from incidents.workflow import TRANSITIONS, Right

pytestmark = pytest.mark.django_db


def form(name, incident, user, data=None, **more):
    incident = Incident.objects.select_related(
        "category", "town", "village", "grid", "county", "area", "owner_department", "owner_area"
    ).get(pk=incident.pk)
    return ACTION_FORMS[name].form(data, incident=incident, actor=actor(user), **more)


def values(field):
    return [
        str(value)
        for label, inside in field.choices
        for value in ([v for v, _l in inside] if isinstance(inside, list) else [label])
    ]


def test_every_step_a_person_may_take_has_a_form():
    # Those who never see the case page: the reporter and the inspector have pages of their own.
    elsewhere = {Right.SYSTEM, Right.RESIDENT, Right.REPORTER, Right.INSPECTOR}
    wanted = {name for name, line in TRANSITIONS.items() if line.who - elsewhere}
    assert wanted == set(ACTION_FORMS)
    assert {name for names in LIKELY.values() for name in names} <= set(ACTION_FORMS)


def test_the_command_centre_is_offered_departments_and_the_town_is_not(world):
    incident = world.pending()
    assert f"d{world.city.pk}" in values(form("dispatch", incident, world.command)["owner"].field)
    local = values(form("dispatch", incident, world.town_admin)["owner"].field)
    assert not [value for value in local if value.startswith("d")]
    assert f"a{world.town.pk}" in local
    assert f"a{world.grid.pk}" in local


def test_villages_are_offered_only_what_villages_do(world):
    incident = world.pending(category=world.road)
    offered = values(form("dispatch", incident, world.command)["owner"].field)
    assert f"a{world.town.pk}" in offered
    assert f"a{world.village.pk}" not in offered


def test_areas_of_another_town_are_never_offered(world):
    offered = values(form("dispatch", world.pending(), world.command)["owner"].field)
    assert not {f"a{grid.pk}" for grid in world.places.grids[4:]} & set(offered)


def test_the_standard_text_of_the_road_is_there_to_start_from(world):
    petition = category(world.city, road="statutory", road_note="请按信访程序提出。")
    incident = world.pending(category=petition)
    assert form("exit_statutory", incident, world.command)["note"].value() == "请按信访程序提出。"
    assert form("exit_emergency", incident, world.command)["note"].value() is None


def test_triage_corrects_the_place_by_the_deepest_area_chosen(world):
    incident = world.report()
    other = world.places.grids[1]
    data = {
        "category": world.rubbish.pk, "town": world.town.pk, "village": world.village.pk,
        "grid": other.pk, "seen": 1,
    }  # fmt: skip
    bound = form("triage", incident, world.command, data)
    assert bound.is_valid(), bound.errors
    assert bound.arguments()["area"].pk == other.pk
    assert bound.arguments()["send"] is False
    same = form("triage", incident, world.command, data | {"grid": world.grid.pk})
    assert same.is_valid()
    assert same.arguments()["area"] is None


def test_a_town_cannot_move_a_case_to_another_town(world):
    incident = world.report()
    data = {"category": world.rubbish.pk, "town": world.places.towns[1].pk}
    bound = form("triage", incident, world.town_admin, data)
    assert not bound.is_valid()
    assert "town" in bound.errors


def test_the_whistle_takes_a_lead_co_handlers_and_an_ask_for_each(world):
    incident = world.pending(category=world.road)
    data = {
        "ask": "现场会商", "lead": world.city.pk, "parties": [world.water.pk],
        f"ask_{world.water.pk}": "查管网", "meet_place": "村委会",
    }  # fmt: skip
    bound = form("blow_whistle", incident, world.town_admin, data)
    assert bound.is_valid(), bound.errors
    calls = {call.department.pk: (call.ask, call.is_lead) for call in bound.arguments()["calls"]}
    assert calls == {world.city.pk: ("", True), world.water.pk: ("查管网", False)}


def test_merging_needs_an_open_case_inside_the_scope(world):
    incident, twin = world.report(), world.report()
    assert form("merge", incident, world.command).near == [twin]
    good = form("merge", incident, world.command, {"into": twin.tracking_code.lower()})
    assert good.is_valid()
    assert good.arguments()["into"] == twin
    assert not form("merge", incident, world.command, {"into": "NOSUCHCODE23"}).is_valid()


def test_a_called_department_acts_only_for_itself(world):
    incident = world.whistled()
    bound = form("party_accept", incident, world.water_handler, {"department": world.city.pk})
    assert not bound.is_valid()


def test_bad_numbers_and_long_texts_are_refused_with_a_message(world):
    incident = world.accepted()
    data = {"amount": "99999999999999999999", "unit": "years", "reason": "x" * 3000}
    bound = form("request_extension", incident, world.city_handler, data)
    assert not bound.is_valid()
    assert set(bound.errors) == {"amount", "unit", "reason"}
    for bad in ("nonsense", "99999-01-01T00:00"):
        late = form("suspend", incident, world.command, {"until": bad, "reason": "汛期"})
        assert "until" in late.errors


def test_a_moment_is_read_in_local_time(world):
    incident = world.accepted()
    bound = form(
        "suspend", incident, world.command, {"until": "2030-05-01T08:30", "reason": "汛期"}
    )
    assert bound.is_valid()
    until = timezone.localtime(bound.arguments()["until"])
    assert f"{until:%Y-%m-%d %H:%M}" == "2030-05-01 08:30"


def test_settling_on_the_spot_asks_for_a_category_only_where_there_is_none(world):
    assert "category" in form("handle_on_spot", world.report(), world.worker).fields
    assert "category" not in form("handle_on_spot", world.pending(), world.worker).fields
    offered = values(form("handle_on_spot", world.report(), world.worker)["category"].field)
    assert str(world.road.pk) not in offered


def test_a_state_that_waits_for_staff_has_a_likely_step():
    waits_for_nobody = {State.ANSWERED}
    from_table = {s for line in TRANSITIONS.values() for s in line.sources}
    ended = {State.CLOSED, State.EMERGENCY, State.STATUTORY, State.DUPLICATE, State.OUT_OF_REMIT}
    assert set(LIKELY) == from_table - ended - waits_for_nobody
