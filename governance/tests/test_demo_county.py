"""The demo county is told in bulk, but nothing in it breaks a rule of the house."""

from itertools import pairwise

import pytest
from django.core.management import call_command
from django.db import transaction
from django.utils import timezone

from core.errors import Invalid
from core.models import Timer
from governance.demo.build import build
from grids.models import (
    NEVER,
    Area,
    DutyShift,
    Household,
    HouseholdLink,
    Level,
    Posting,
    Reorganisation,
    Role,
    Visit,
)
from grids.services.reorganisation_plan import make_plan
from grids.services.visit_rules import recount
from incidents.models import ENDED, CallBack, Event, Figure, Incident, StageClock, State
from incidents.services import figures
from incidents.workflow import SYSTEM_ROWS, TRANSITIONS

pytestmark = pytest.mark.django_db
SMALL = {
    "towns": 3, "urban_towns": 1, "villages": 20, "rural": 90, "community": 20, "dedicated": 10,
    "unit_grids": 3, "units": 12, "area_km2": 120,
}  # fmt: skip


def silent(_label, _total):
    return lambda _done: None


@pytest.fixture(scope="module")
def county(django_db_setup, django_db_blocker):
    """Build the county once for all tests; what each does to it is taken back."""
    with django_db_blocker.unblock(), transaction.atomic():
        yield build(phase=silent, shape=SMALL, incidents=260)
        transaction.set_rollback(True)


def test_every_case_is_where_its_last_step_left_it_by_steps_the_table_knows(county):
    for incident in Incident.objects.prefetch_related("events"):
        events = sorted(incident.events.all(), key=lambda event: event.seq)
        assert [event.seq for event in events] == list(range(1, incident.last_seq + 1))
        assert [e.at for e in events] == sorted(e.at for e in events)
        assert events[-1].to_state == incident.state
        for before, event in pairwise(events):
            assert event.from_state == before.to_state
            if event.action not in SYSTEM_ROWS:
                assert event.from_state in TRANSITIONS[event.action].sources


def test_one_reorganisation_waits_for_its_day_and_nothing_stands_in_its_way(county):
    act = Reorganisation.objects.get()
    assert (act.state, act.is_due) == ("decided", False)
    assert make_plan(act).problems == []


def test_ended_cases_run_no_clock_and_open_ones_are_timed(county):
    running = StageClock.objects.filter(finished_at=None)
    assert not running.filter(incident__state__in=ENDED).exists()
    timed = set(Timer.objects.filter(subject_type="clock").values_list("subject_id", flat=True))
    due = running.filter(due_at__isnull=False, breached_at=None)
    assert set(due.values_list("pk", flat=True)) <= timed


def test_every_case_under_supervision_has_a_clock(county):
    for case in Incident.objects.filter(state=State.SUPERVISED):
        assert StageClock.objects.filter(incident=case, finished_at=None).exists()


def test_nobody_rates_what_was_not_verified(county):
    for callback in CallBack.objects.exclude(score=""):
        steps = Event.objects.filter(incident=callback.incident, data__round=callback.round)
        assert steps.filter(action="verify_pass").exists()


def test_the_county_shows_its_states(county):
    shown = set(Incident.objects.values_list("state", flat=True))
    assert {State.CLOSED, State.SUSPENDED, State.OBJECTED, State.WHISTLED} <= shown


def test_one_case_is_split_into_tasks_in_every_state_one_looks_at(county):
    whole = Incident.objects.get(task_count__gt=0)
    states = Incident.objects.filter(parent=whole).order_by("pk").values_list("state", flat=True)
    assert list(states) == [State.CLOSED, State.RESPONDED, State.DISPATCHED, State.ACCEPTED]


def test_some_workers_are_on_duty_and_the_one_to_try_it_with_is_not(county):
    on_duty = DutyShift.objects.running(timezone.now())
    workers = Posting.objects.current().filter(role=Role.GRID_WORKER)
    assert 0 < on_duty.count() < workers.count()
    assert not on_duty.filter(user__is_demo=True).exists()


def test_the_figures_are_those_of_a_full_recount(county):
    before = set(Figure.objects.values_list("town", "day", "metric", "n"))
    figures.rebuild()
    assert set(Figure.objects.values_list("town", "day", "metric", "n")) == before


def test_every_grid_has_its_people(county):
    grids = Area.objects.filter(level=Level.GRID)
    for role in ("grid_worker", "grid_chief"):
        held = Posting.objects.filter(role=role).values_list("area_id", flat=True)
        assert set(held) == set(grids.values_list("pk", flat=True))


def test_a_database_in_use_is_left_alone(county):
    with pytest.raises(Invalid):
        build(phase=silent, shape=SMALL, incidents=10)


def test_the_command_refuses_a_database_in_use_in_plain_words(county):
    with pytest.raises(Exception, match="already holds areas"):
        call_command("demo_county")


def test_the_feed_of_the_county_is_in_order_of_time(county):
    told = list(Event.objects.order_by("pk").values_list("at", flat=True))
    assert told == sorted(told)


def test_households_are_due_as_the_rules_say_and_linked_as_they_may_be(county):
    assert Household.objects.count() == 120
    assert not Household.objects.filter(next_due_on=NEVER).exists()
    assert recount(list(Household.objects.values_list("pk", flat=True))) == 0
    assert Visit.objects.filter(met=True).count() > 300
    assert not Visit.objects.filter(at__gt=timezone.now()).exists()
    assert set(HouseholdLink.objects.values_list("slot", flat=True)) <= set(range(1, 9))
