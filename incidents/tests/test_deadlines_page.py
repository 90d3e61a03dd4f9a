"""The page of deadlines and ladders: who changes them, what is refused, what is seen before."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from core.services.timers import sweep
from grids.factories import person
from grids.models import Role
from incidents.factories import World, as_, deadlines
from incidents.models import DeadlineVersion, Ladder, Stage, StageClock
from incidents.queries.deadlines import deadline_rows
from incidents.services.catalogue import Term, load_catalogue, set_deadlines

pytestmark = pytest.mark.django_db


@pytest.fixture
def world():
    return World()


@pytest.fixture
def command(world):
    return as_(world.command)


def of(category):
    return reverse("deadlines_of", args=[category.code if category else "county"])


def typed(response, **changes):
    """Return what the browser would send, with ``changes``."""
    form = response.context["form"]
    data = {field.html_name: field.value() for field in form}
    kept = {name: value for name, value in data.items() if value not in (None, False)}
    return kept | changes


def newest(category):
    return DeadlineVersion.objects.filter(category=category).latest("version")


def test_a_new_version_is_saved_and_the_old_one_stays(world, command):
    deadlines(world.rubbish, {Stage.RESPOND: (3, "working_days")})
    page = command.get(of(world.rubbish))
    answer = command.post(of(world.rubbish), typed(page, respond_amount=7))
    assert answer.status_code == 302
    assert newest(world.rubbish).version == 2
    assert newest(world.rubbish).deadlines.get().amount == 7


def test_parts_of_a_stage_stay_when_something_else_is_changed(world, command):
    parts = [
        Term(Stage.RESOLVE, 4, "working_hours", name="stop"),
        Term("respond", 2, "working_days"),
    ]
    set_deadlines(category=world.rubbish, terms=parts, actor=world.command)
    page = command.get(of(world.rubbish))
    command.post(of(world.rubbish), typed(page, respond_amount=5))
    kept = newest(world.rubbish).deadlines.get(name="stop")
    assert (kept.stage, kept.amount, kept.unit) == (Stage.RESOLVE, 4, "working_hours")


def test_the_countys_own_deadlines_are_changed_the_same_way(world, command):
    page = command.get(of(None))
    command.post(of(None), typed(page, triage_amount=2))
    assert newest(None).deadlines.get(stage=Stage.TRIAGE).amount == 2


@pytest.mark.parametrize(
    "wrong",
    [
        {"respond_amount": "0"},
        {"respond_amount": "soon"},
        {"respond_unit": "fortnights"},
        {"part0_name": "stop"},
        {"valid_from": "2020-01-01"},
    ],
)
def test_what_makes_no_sense_is_refused_and_stays_typed(world, command, wrong):
    data = typed(command.get(of(world.rubbish)), accept_amount=3) | wrong
    answer = command.post(of(world.rubbish), data)
    assert answer.status_code == 422
    assert answer.context["form"]["accept_amount"].value() == "3"
    assert not DeadlineVersion.objects.filter(category=world.rubbish).exists()


def test_a_version_without_any_deadline_is_refused(world, command):
    answer = command.post(of(world.rubbish), typed(command.get(of(world.rubbish))))
    assert answer.status_code == 422


def test_open_cases_are_given_the_version_when_asked(world, command):
    incident = world.dispatched()
    data = typed(command.get(of(world.rubbish)), accept_amount=20, accept_unit="calendar_hours")
    command.post(of(world.rubbish), data | {"open_cases": "on"})
    assert command.get(of(world.rubbish)).context["left"] == 1
    sweep()
    assert StageClock.objects.get(incident=incident, stage=Stage.ACCEPT).amount == 20
    assert command.get(of(world.rubbish)).context["left"] is None


def test_deadlines_of_a_later_day_are_not_given_to_open_cases(world, command):
    later = timezone.localdate() + timedelta(days=3)
    data = typed(command.get(of(world.rubbish)), accept_amount=2, valid_from=str(later))
    answer = command.post(of(world.rubbish), data | {"open_cases": "on"})
    assert answer.status_code == 422
    assert command.post(of(world.rubbish), data).status_code == 302


def test_the_preview_tells_and_writes_nothing(world, command):
    incident = world.dispatched()
    url = reverse("deadlines_preview", args=[world.rubbish.code])
    data = typed(command.get(of(world.rubbish)), accept_amount=2, accept_unit="calendar_hours")
    answer = command.post(url, data)
    assert answer.context["found"].earlier == 1
    assert incident.tracking_code in answer.content.decode()
    assert not DeadlineVersion.objects.filter(category=world.rubbish).exists()


def test_the_preview_of_nonsense_says_what_is_wrong(world, command):
    url = reverse("deadlines_preview", args=[world.rubbish.code])
    data = typed(command.get(of(world.rubbish)), accept_amount="soon")
    assert command.post(url, data).status_code == 422


def rungs(**changes):
    data = {"ladder-tier": ""}
    for name in ("chief", "village", "town", "command", "leader"):
        data |= {f"ladder-{name}": "on", f"ladder-{name}_amount": 1}
        data[f"ladder-{name}_unit"] = "working_days"
    data |= {f"ladder-{name}": value for name, value in changes.items()}
    return {name: value for name, value in data.items() if value is not None}


def test_a_ladder_is_saved_as_a_new_version(world, command):
    url = reverse("ladder_of", args=[world.rubbish.code])
    answer = command.post(url, rungs(chief=None, town_takes_over="on", town_amount=3))
    assert answer.status_code == 302
    ladder = Ladder.objects.get(category=world.rubbish)
    assert list(ladder.rungs.values_list("rung", "amount", "takes_over")) == [
        (2, 1, False), (3, 3, True), (4, 1, False), (5, 1, False),
    ]  # fmt: skip


def test_a_ladder_that_leads_nowhere_is_refused_with_its_reason(world, command):
    url = reverse("ladder_of", args=["county"])
    answer = command.post(url, rungs(command=None, leader=None))
    assert answer.status_code == 422
    assert Ladder.objects.filter(category=None).count() == 1


def test_an_unknown_item_is_not_found(command):
    assert command.get(reverse("deadlines_of", args=["NO-99"])).status_code == 404


@pytest.mark.parametrize("role", [Role.TOWN_ADMIN, Role.COUNTY_LEADER, Role.AUDIT_ADMIN])
def test_others_do_not_change_them(world, role):
    place = world.town if role == Role.TOWN_ADMIN else world.county
    client = as_(person(role, place))
    assert client.post(of(None), {}).status_code == 403


def test_the_list_costs_few_queries_whatever_the_catalogue(world, django_assert_num_queries):
    load_catalogue(county=world.county)
    with django_assert_num_queries(5):
        rows = deadline_rows(today=timezone.localdate())
        for row in rows:
            [list(version.deadlines.all()) for version in [row.version] if version]
            [list(ladder.rungs.all()) for ladder in row.ladders]
    assert len(rows) > 100


def test_the_list_narrows_by_a_word(world, command):
    load_catalogue(county=world.county)
    answer = command.get(reverse("deadlines"), {"q": "HW-0"})
    assert {row.category.code[:4] for row in answer.context["rows"]} == {"HW-0"}
