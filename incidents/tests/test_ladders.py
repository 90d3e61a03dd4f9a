"""Ladders: who is told after how long, whose ladder counts, and when a case changes hands."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext

from core.errors import Invalid
from core.models import AuditEntry, OutboxMessage
from core.services.timers import sweep
from incidents.factories import World, actor, ladder
from incidents.models import (
    Event,
    Incident,
    Ladder,
    Stage,
    StageClock,
    State,
    SupervisionNotice,
    Tier,
)
from incidents.models.ladder import Rung
from incidents.services import dispatching, handling
from incidents.services.ladders import RungTerm, set_ladder

pytestmark = pytest.mark.django_db
START = datetime(2026, 9, 28, 9, 0, tzinfo=ZoneInfo("Asia/Shanghai"))


@pytest.fixture
def clock():
    with time_machine.travel(START, tick=False) as traveller:
        yield traveller


@pytest.fixture
def world(clock):
    return World()


def at(clock, **later):
    clock.shift(timedelta(**later))
    sweep()


def rungs_told(incident):
    notices = SupervisionNotice.objects.filter(incident=incident, clock__stage=Stage.ACCEPT)
    return list(notices.order_by("id").values_list("rung", flat=True))


def fresh(incident):
    return Incident.objects.get(pk=incident.pk)


def test_the_ladder_of_an_item_counts_before_the_countys_own(world, clock):
    ladder(world.rubbish, chief=None, village=None, town=None, command={"amount": 2})
    incident = world.dispatched(world.grid)
    at(clock, hours=9)
    assert rungs_told(incident) == [Rung.COMMAND]
    at(clock, hours=24)
    assert rungs_told(incident) == [Rung.COMMAND, Rung.LEADER]


def test_the_ladder_of_an_item_counts_before_that_of_a_tier(world, clock):
    ladder(tier=Tier.LOCAL, chief=None, village=None, town=None)
    ladder(world.rubbish, chief=None, village=None)
    incident = world.dispatched(world.grid)
    at(clock, hours=9)
    assert rungs_told(incident) == [Rung.TOWN]


def test_the_ladder_of_another_tier_counts_nothing(world, clock):
    ladder(tier=Tier.WHISTLE, chief=None, village=None, town=None)
    incident = world.dispatched(world.grid)
    at(clock, hours=9)
    assert rungs_told(incident) == [Rung.CHIEF]


def test_cases_late_together_cost_no_more_queries_than_few(world, clock):
    costs = []
    for many in (2, 6):
        cases = [world.dispatched(world.grid) for _n in range(many)]
        clock.shift(timedelta(hours=9))
        with CaptureQueriesContext(connection) as asked:
            sweep()
        costs.append(len(asked))
        assert [rungs_told(incident) for incident in cases] == [[Rung.CHIEF]] * many
    assert costs[0] == costs[1]


def test_each_rung_waits_as_long_as_its_ladder_says(world, clock):
    ladder(
        world.rubbish,
        village={"amount": 2, "unit": "calendar_hours"},
        town={"amount": 5, "unit": "calendar_hours"},
    )
    incident = world.dispatched(world.grid)
    at(clock, hours=8)
    assert rungs_told(incident) == [1]
    at(clock, hours=1, minutes=59)
    assert rungs_told(incident) == [1]
    at(clock, minutes=1)
    assert rungs_told(incident) == [1, 2]
    at(clock, hours=4, minutes=59)
    assert rungs_told(incident) == [1, 2]
    at(clock, minutes=1)
    assert rungs_told(incident) == [1, 2, 3]


def test_a_changed_ladder_is_climbed_by_clocks_started_after_it(world, clock):
    before = world.dispatched(world.grid)
    clock.shift(timedelta(minutes=1))
    set_ladder(
        category=world.rubbish,
        tier="",
        rungs=[RungTerm(Rung.LEADER)],
        actor=world.command,
        valid_from=date(2026, 9, 29),
    )
    clock.shift(timedelta(days=1))
    after = world.dispatched(world.grid)
    at(clock, hours=9)
    assert rungs_told(before)[:1] == [Rung.CHIEF]
    assert rungs_told(after) == [Rung.LEADER]


def test_a_county_without_any_ladder_still_climbs_every_rung(world, clock):
    Ladder.objects.all().delete()
    incident = world.dispatched(world.grid)
    for _day in range(12):
        at(clock, hours=24)
    assert rungs_told(incident) == [1, 2, 3, 4, 5]


def test_the_town_takes_over_what_a_grid_let_lie_and_has_the_whole_time(world, clock):
    ladder(world.rubbish, chief=None, village=None, town={"takes_over": True})
    incident = world.dispatched(world.grid)
    at(clock, hours=9)
    taken = fresh(incident)
    assert (taken.state, taken.owner_area, taken.rung) == (
        State.DISPATCHED,
        world.town,
        Rung.TOWN,
    )
    accept = StageClock.objects.get(incident=incident, stage=Stage.ACCEPT, finished_at=None)
    assert accept.started_at == START + timedelta(hours=9)
    handling.accept(incident_id=incident.pk, actor=actor(world.town_admin))


def test_the_command_centre_takes_a_case_from_a_department_and_dispatches_it_anew(world, clock):
    ladder(world.rubbish, command={"takes_over": True})
    incident = world.accepted()
    at(clock, days=1, hours=1)
    taken = fresh(incident)
    assert (taken.state, taken.owner, taken.rung) == (State.PENDING, None, Rung.COMMAND)
    row = Event.objects.get(incident=incident, action="take_up")
    assert row.public
    told = OutboxMessage.objects.filter(payload__kind__in=["taken_up", "taken_up_here"])
    assert {message.payload["kind"] for message in told} == {"taken_up", "taken_up_here"}
    command = actor(world.command)
    dispatching.dispatch(incident_id=incident.pk, actor=command, department=world.water)


def test_a_case_already_answered_is_not_taken_from_its_owner(world, clock):
    ladder(world.rubbish, command={"takes_over": True})
    incident = world.responded()
    at(clock, days=6)
    assert fresh(incident).state == State.RESPONDED
    assert not Event.objects.filter(incident=incident, action="take_up").exists()


def test_two_deadlines_missed_at_once_take_the_case_up_once(world, clock):
    ladder(world.rubbish, command={"takes_over": True})
    incident = world.accepted()
    at(clock, days=30)
    assert Event.objects.filter(incident=incident, action="take_up").count() == 1


@pytest.mark.parametrize(
    "rungs",
    [
        [],
        [RungTerm(Rung.TOWN)],
        [RungTerm(Rung.COMMAND), RungTerm(Rung.COMMAND)],
        [RungTerm(Rung.COMMAND, amount=0)],
        [RungTerm(Rung.COMMAND, unit="fortnights")],
        [RungTerm(Rung.LEADER, takes_over=True)],
        [RungTerm(0), RungTerm(Rung.LEADER)],
    ],
)
def test_a_ladder_that_leads_nowhere_is_refused(world, rungs):
    with pytest.raises(Invalid):
        set_ladder(category=None, tier="", rungs=rungs, actor=world.command)


def test_a_new_ladder_is_a_new_version_and_on_record(world):
    made = set_ladder(category=None, tier="", rungs=[RungTerm(Rung.COMMAND)], actor=world.command)
    assert made.version == 2
    assert AuditEntry.objects.filter(action="catalogue.ladder", actor=world.command).exists()
