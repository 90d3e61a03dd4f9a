"""Figures: each step counted once, folded once, and the same when counted again."""

import random
from contextlib import suppress
from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from core.errors import GeshiError
from core.models import Timer
from incidents.factories import actor
from incidents.models import Figure, FigureDelta, Incident, StageClock
from incidents.queries import figures as read
from incidents.services import dispatching, handling, lateness, verification
from incidents.services.figures import fold, rebuild
from incidents.workflow import state_allows

pytestmark = pytest.mark.django_db


def today():
    return timezone.localdate()


def counts(world):
    return read.day_figures([world.county], today(), today())


def all_figures():
    return sorted(
        Figure.objects.exclude(n=0).values_list("county", "town", "day", "metric", "n"),
        key=str,
    )


def test_a_reader_sees_the_same_before_and_after_the_fold(world):
    world.called_back()
    before = counts(world), read.state_counts([world.county])
    assert fold() > 0
    assert (counts(world), read.state_counts([world.county])) == before
    assert not FigureDelta.objects.exists()
    world.report()
    assert counts(world)["reported"] == 2


def test_a_fold_takes_no_more_than_its_batch(world):
    world.called_back()
    before, waiting = counts(world), FigureDelta.objects.count()
    assert fold(batch=3) == 3
    assert FigureDelta.objects.count() == waiting - 3
    assert counts(world) == before


def test_cases_are_counted_where_they_stand(world):
    world.report()
    world.dispatched()
    states = read.state_counts([world.town])
    assert (states["reported"], states["dispatched"]) == (1, 1)
    assert sum(states.values()) == 2
    assert sum(read.state_counts([world.places.towns[1]]).values()) == 0


def test_a_case_moved_to_another_town_takes_its_gauge_along(world):
    incident = world.report()
    there = world.places.towns[1]
    dispatching.triage(
        incident_id=incident.pk,
        actor=actor(world.command),
        category=world.rubbish,
        area=world.places.grids[-1],
        send=False,
    )
    assert read.state_counts([there])["pending"] == 1
    assert sum(read.state_counts([world.town]).values()) == 0
    towns = read.by_town([world.county], today(), today())
    assert towns[world.town.pk]["reported"] == 1
    assert "reported" not in towns.get(there.pk, {})


def test_a_series_has_a_number_for_every_day(world):
    world.report()
    first = today() - timedelta(days=2)
    assert read.series(["reported", "closed"], [world.county], first, today()) == {
        "reported": [0, 0, 1],
        "closed": [0, 0, 0],
    }


def test_nothing_is_read_for_a_scope_without_figures(world):
    world.report()
    assert read.day_figures([world.village], today(), today()) == {}
    assert read.open_overdue([world.village]) == 0


def test_reading_takes_one_query(world, django_assert_num_queries):
    areas = [world.county]
    with django_assert_num_queries(1):
        read.day_figures(areas, today(), today())
    with django_assert_num_queries(1):
        read.by_town(areas, today(), today(), metrics=["closed"])


def test_a_suspended_case_is_not_held_against_anybody(world):
    incident = world.accepted()
    now = timezone.now()
    Incident.objects.filter(pk=incident.pk).update(overdue_at=now)
    assert read.open_overdue([world.county]) == 1
    handling.suspend(
        incident_id=incident.pk,
        actor=actor(world.command),
        until=now + timedelta(days=3),
        reason="等天晴",
    )
    assert read.open_overdue([world.county]) == 0


def test_rates_show_no_data_where_nothing_was_due():
    for rate in (
        read.response_rate,
        read.solved_rate,
        read.satisfied_rate,
        read.rework_rate,
        read.reopened_rate,
        read.three_rates_score,
    ):
        assert rate({}) is None
    assert read.on_time_rate({}, 0) is None
    assert read.closure_rate({}, 0) is None


def test_rates_follow_their_formulas():
    counted = {
        "closed": 8,
        "closed:in_time": 6,
        "accept:in_time": 9,
        "accept:late": 1,
        "rated": 10,
        "rated:satisfied": 5,
        "rated:basic": 4,
        "rated:solved": 9,
        "verified": 9,
        "rework": 1,
        "reopened": 1,
    }
    assert read.on_time_rate(counted, 2) == 0.6
    assert read.closure_rate(counted, 2) == 0.8
    assert read.response_rate(counted) == 0.9
    assert read.solved_rate(counted) == 0.9
    assert read.satisfied_rate(counted) == pytest.approx(0.86)
    assert read.three_rates_score(counted) == pytest.approx(0.09 + 0.45 + 0.344)
    assert read.rework_rate(counted) == 0.1
    assert read.reopened_rate(counted) == 0.1


def test_no_answer_is_not_satisfaction(world):
    assert read.satisfied_rate({"unrated": 5}) is None


# The same figures, whichever way they are counted.


def steps_of(world):
    """Steps a walk may take, as (action of the transition table, what to do)."""
    command, handler = actor(world.command), actor(world.city_handler)

    def rate(pk, score, solved):
        token = Incident.objects.get(pk=pk).callbacks.latest("round").token
        verification.rate(token=token, score=score, solved=solved)

    def breach(pk):
        clock = StageClock.objects.filter(
            incident=pk, finished_at=None, due_at__isnull=False, breached_at=None
        ).first()
        if clock:
            due = Timer(subject_id=clock.pk, kind="clock_due", cycle=clock.cycle)
            lateness.on_clock_timers([due], timezone.now())

    def triage(pk, **more):
        dispatching.triage(
            incident_id=pk, actor=command, category=world.rubbish, send=False, **more
        )

    def longer(pk):
        handling.request_extension(
            incident_id=pk, actor=handler, amount=1, unit="calendar_days", reason="缺配件"
        )
        handling.decide_extension(incident_id=pk, actor=command, approve=True)

    def of(service, who, **more):
        return lambda pk: service(incident_id=pk, actor=who, **more)

    leave, supervise = dispatching.leave, verification.supervise
    return [
        ("triage", lambda pk: triage(pk, area=world.places.grids[-1])),
        ("triage", triage),
        ("remark", breach),
        ("dispatch", of(dispatching.dispatch, command, department=world.city)),
        ("exit_statutory", of(leave, command, road="statutory", note="另有途径")),
        ("recall", of(dispatching.recall, command, reason="看错了")),
        ("accept", of(handling.accept, handler)),
        ("respond", of(handling.respond, handler, result="办好了")),
        ("request_extension", longer),
        ("verify_pass", of(verification.verify_pass, command)),
        ("verify_fail", of(verification.verify_fail, command, reason="没清干净")),
        ("rate", lambda pk: rate(pk, "satisfied", True)),
        ("rate", lambda pk: rate(pk, "basic", True)),
        ("rate", lambda pk: rate(pk, "dissatisfied", False)),
        ("supervise", of(supervise, command, text="抓紧办理")),
        ("conclude", of(verification.conclude, command, reason="已说明")),
    ]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_counting_again_from_the_timeline_gives_what_was_folded(world, seed):
    walk = random.Random(seed)
    steps = steps_of(world)
    cases = [world.report().pk for _ in range(4)]
    for number in range(70):
        pk = walk.choice(cases)
        incident = Incident.objects.get(pk=pk)
        take = walk.choice([do for action, do in steps if state_allows(incident, action)])
        # A second extension, a rating given already: refused, and then nothing is counted.
        with suppress(GeshiError), transaction.atomic():
            take(pk)
        if number % 10 == 0:
            fold(batch=15)
    while fold():
        pass
    folded = all_figures()
    assert {"reported", "accept:in_time", "overdue"} <= {row[3] for row in folded}
    rebuild()
    assert all_figures() == folded


def test_counting_again_leaves_nothing_to_fold(world):
    world.called_back()
    rebuild()
    assert not FigureDelta.objects.exists()
    assert counts(world)["verified"] == 1
