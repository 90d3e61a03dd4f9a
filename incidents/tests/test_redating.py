"""Changed deadlines touch new cases only, and open ones when somebody asks for it."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import time_machine

from core.models import OutboxMessage, Timer
from core.services.timers import sweep
from incidents.factories import World, actor, deadlines
from incidents.models import Event, Incident, Stage, StageClock
from incidents.queries.redating import cases_left
from incidents.services import handling, redating
from incidents.services.catalogue import Term, set_deadlines

pytestmark = pytest.mark.django_db
START = datetime(2026, 9, 28, 9, 0, tzinfo=ZoneInfo("Asia/Shanghai"))
SHORTER = [Term(Stage.ACCEPT, 2, "calendar_hours")]
LONGER = [Term(Stage.ACCEPT, 20, "calendar_hours")]


@pytest.fixture
def clock():
    with time_machine.travel(START, tick=False) as traveller:
        yield traveller


@pytest.fixture
def world(clock):
    return World()


def accept_clock(incident):
    return StageClock.objects.get(incident=incident, stage=Stage.ACCEPT)


def change(world, terms, category):
    return set_deadlines(category=category, terms=terms, actor=world.command)


def ask(world, terms, category):
    version = change(world, terms, category)
    redating.redate_open_cases(version=version, actor=world.command)
    sweep()
    return version


def test_a_changed_deadline_touches_new_cases_only(world):
    before = world.dispatched()
    change(world, SHORTER, world.rubbish)
    after = world.dispatched()
    assert accept_clock(before).due_at == START + timedelta(hours=8)
    assert accept_clock(after).due_at == START + timedelta(hours=2)


def test_open_cases_get_it_when_asked_counted_from_when_their_clock_started(world, clock):
    incident = world.dispatched()
    clock.shift(timedelta(hours=1))
    ask(world, LONGER, world.rubbish)
    assert accept_clock(incident).due_at == START + timedelta(hours=20)
    assert Incident.objects.get(pk=incident.pk).due_at == START + timedelta(hours=20)
    row = Event.objects.get(incident=incident, action="redate")
    before = datetime.fromisoformat(row.data["clocks_redated"][0]["before"])
    assert before == START + timedelta(hours=8)
    assert OutboxMessage.objects.filter(payload__kind="redated").exists()


def test_the_new_deadline_is_warned_of_and_missed_once(world, clock):
    incident = world.dispatched()
    ask(world, LONGER, world.rubbish)
    for _hour in range(21):
        clock.shift(timedelta(hours=1))
        sweep()
    rows = Event.objects.filter(incident=incident, action__in=["warn", "overdue"])
    assert sorted(rows.values_list("action", flat=True)) == ["overdue", "warn"]


def test_who_would_be_late_by_a_shorter_deadline_is_late_at_once(world, clock):
    incident = world.dispatched()
    clock.shift(timedelta(hours=3))
    assert redating.preview(category=world.rubbish, terms=SHORTER).late_at_once == 1
    ask(world, SHORTER, world.rubbish)
    assert accept_clock(incident).breached_at == START + timedelta(hours=3)


def test_what_was_paused_or_missed_was_decided_for_the_case_and_stays(world, clock):
    paused = world.dispatched()
    handling.suspend(
        incident_id=paused.pk,
        actor=actor(world.command),
        reason="等材料",
        until=START + timedelta(days=10),
    )
    late = world.dispatched()
    clock.shift(timedelta(hours=9))
    sweep()
    found = redating.preview(category=world.rubbish, terms=LONGER)
    assert (found.changed, found.kept) == (0, 2)
    ask(world, LONGER, world.rubbish)
    assert accept_clock(paused).amount == 8
    assert accept_clock(late).amount == 8


def test_other_items_keep_theirs(world):
    other = world.dispatched(category=world.road)
    ask(world, SHORTER, world.rubbish)
    assert accept_clock(other).due_at == START + timedelta(hours=8)


def test_the_countys_own_deadlines_reach_what_an_item_leaves_open(world):
    deadlines(world.road, {Stage.ACCEPT: (30, "calendar_hours")})
    open_stage = world.dispatched()
    own = world.dispatched(category=world.road)
    assert redating.preview(category=None, terms=SHORTER).changed == 1
    ask(world, SHORTER, None)
    assert accept_clock(open_stage).due_at == START + timedelta(hours=2)
    assert accept_clock(own).due_at == START + timedelta(hours=30)


def test_the_preview_says_what_the_sweep_then_does(world, clock):
    for _n in range(3):
        world.dispatched()
    world.accepted()
    terms = [Term(Stage.ACCEPT, 6, "calendar_hours"), Term(Stage.ARRIVE, 9, "calendar_days")]
    found = redating.preview(category=world.rubbish, terms=terms)
    assert (found.earlier, found.later, found.late_at_once) == (3, 1, 0)
    ask(world, terms, world.rubbish)
    for one in found.first:
        assert StageClock.objects.get(pk=one.clock.pk).due_at == one.after


def test_many_cases_are_done_in_batches_and_one_that_is_left_comes_again(world, monkeypatch):
    monkeypatch.setattr(redating, "BATCH", 2)
    cases = [world.dispatched() for _n in range(5)]
    version = change(world, SHORTER, world.rubbish)
    redating.redate_open_cases(version=version, actor=world.command)
    assert cases_left(world.rubbish, version.pk) == 5
    sweep()
    assert {accept_clock(case).amount for case in cases} == {2}
    assert cases_left(world.rubbish, version.pk) is None


def test_a_newer_version_ends_the_round_of_an_older_one(world):
    incident = world.dispatched()
    old = change(world, SHORTER, world.rubbish)
    redating.redate_open_cases(version=old, actor=world.command)
    change(world, LONGER, world.rubbish)
    sweep()
    assert accept_clock(incident).amount == 8
    assert not Timer.objects.filter(kind=redating.KIND, fired_at=None).exists()
