"""Deadlines outlive the death of workers and the loss of Redis: each fires exactly once."""

from collections import Counter
from datetime import timedelta

import pytest
from django.utils import timezone

from core.models import OutboxMessage, Timer
from core.services import outbox
from incidents.factories import World, actor
from incidents.models import Event, Incident, Notice, StageClock, SupervisionNotice
from incidents.services import dispatching

pytestmark = pytest.mark.stack
CASES = 60


def overdue_cases():
    """Dispatch cases and put their clocks an hour past due."""
    world = World()
    incidents = []
    for _n in range(CASES):
        incident = world.report()
        dispatching.triage(
            incident_id=incident.pk, actor=actor(world.command), category=world.rubbish, send=False
        )
        dispatching.dispatch(
            incident_id=incident.pk, actor=actor(world.command), department=world.city
        )
        incidents.append(incident)
    past = timezone.now() - timedelta(hours=1)
    StageClock.objects.filter(finished_at=None).update(due_at=past)
    Timer.objects.filter(kind__in=["clock_warn", "clock_due"]).update(due_at=past)
    return incidents


def fired():
    return Timer.objects.filter(subject_type="clock", fired_at__isnull=False).count()


def left():
    return Timer.objects.filter(due_at__lte=timezone.now(), fired_at=None).count()


def test_a_killed_worker_and_a_flushed_redis_lose_nothing_and_double_nothing(stack):
    overdue_cases()
    due = left()
    assert due == CASES * 4  # warned and missed, on the accept and on the resolve clock
    stack.start("worker")
    stack.start("beat")
    stack.wait_for(lambda: fired() > 0)
    stack.kill9("worker")
    stack.flush_redis()
    stack.start("worker-2")
    stack.start("worker-3")
    stack.wait_for(lambda: left() == 0)
    # What the dead worker held in its hands is freed after a while; here that while is over.
    later = timezone.now() + outbox.STUCK_AFTER
    outbox.free_stuck(later)
    outbox.deliver_due(now=later)
    stack.wait_for(lambda: not OutboxMessage.objects.exclude(state="delivered").exists())

    rows = Counter(
        Event.objects.filter(action__in=["warn", "overdue", "escalate"]).values_list(
            "incident_id", "action", "data__stage"
        )
    )
    expected = {
        (pk, action, stage): 1
        for pk in Incident.objects.values_list("pk", flat=True)
        for action in ("warn", "overdue", "escalate")
        for stage in ("accept", "resolve")
    }
    assert rows == expected
    assert SupervisionNotice.objects.count() == CASES * 2
    assert Timer.objects.filter(failures__gt=0).count() == 0
    keys = Notice.objects.values_list("key", flat=True)
    assert len(keys) == OutboxMessage.objects.filter(topic="notice").count()


def test_the_state_is_that_of_the_last_event_whatever_was_killed(stack):
    overdue_cases()
    stack.start("worker")
    stack.start("beat")
    stack.wait_for(lambda: fired() > 0)
    stack.kill9("beat")
    stack.kill9("worker")
    for incident in Incident.objects.all():
        events = list(incident.events.order_by("seq"))
        assert [event.seq for event in events] == list(range(1, incident.last_seq + 1))
        assert events[-1].to_state == incident.state
