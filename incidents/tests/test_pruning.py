"""Timers of cases: they go with the past, and never while a case may still need them."""

from datetime import timedelta

import pytest
from django.utils import timezone

from core.models import OutboxMessage, Timer
from core.services import outbox, pruning, timers
from incidents.models import CallBack, EmergencyCall, Incident, Notice, State
from incidents.services import standing, verification

pytestmark = pytest.mark.django_db

LATER = timezone.now() + timedelta(days=400)


def of_case(incident):
    """Timers of a case and of its clocks."""
    clocks = incident.clocks.values_list("pk", flat=True)
    return Timer.objects.filter(subject_type="clock", subject_id__in=clocks) | Timer.objects.filter(
        subject_type="incident", subject_id=incident.pk
    )


def fire_all(days=60):
    """Let everything of so many days fire, rung by rung."""
    for day in range(days):
        timers.sweep(now=timezone.now() + timedelta(days=day))


def test_a_case_keeps_its_timers_until_it_has_ended(world):
    incident = world.dispatched()
    fire_all()
    kept = of_case(incident).count()
    assert of_case(incident).filter(fired_at__isnull=False).count() > 3
    pruning.prune_timers(now=LATER)
    assert of_case(incident).count() == kept
    Incident.objects.filter(pk=incident.pk).update(state=State.CLOSED, ended_at=timezone.now())
    pruning.prune_timers(now=LATER)
    assert not of_case(incident).filter(fired_at__isnull=False).exists()


def test_a_case_opened_again_after_its_timers_went_is_timed_as_ever(world):
    incident = world.called_back()
    fire_all(days=9)  # nobody answered the call-back
    pruning.prune_timers(now=LATER)
    assert not of_case(incident).exists()
    token = CallBack.objects.get(incident=incident).token
    verification.rate(token=token, score="dissatisfied", solved=False)
    again = Incident.objects.get(pk=incident.pk)
    assert (again.ended_at, again.round) == (None, 2)
    assert of_case(again).filter(kind="clock_due").exists()
    fire_all()
    assert Incident.objects.get(pk=incident.pk).overdue_at is not None


def test_the_calls_of_an_emergency_keep_theirs_until_it_has_ended(world):
    incident = world.report()
    order = {"kind": "other", "position": 1, "role": "worker", "seconds": 60}
    call = EmergencyCall.objects.create(incident=incident, area=world.grid, **order)
    Timer.objects.create(
        subject_type=standing.SUBJECT, subject_id=call.pk, kind="x", due_at=LATER, fired_at=LATER
    )
    Timer.objects.update(created_at=LATER)
    much_later = LATER + timedelta(days=31)
    assert pruning.prune_timers(now=much_later) == 0
    Incident.objects.filter(pk=incident.pk).update(state=State.CLOSED, ended_at=timezone.now())
    assert pruning.prune_timers(now=much_later) == 1


def test_notices_outlive_their_messages_and_are_never_written_twice(world):
    world.dispatched()
    posted = list(OutboxMessage.objects.filter(topic="notice"))
    outbox.deliver_due()
    written = sorted(Notice.objects.values_list("key", flat=True))
    assert pruning.prune_messages(now=LATER) >= len(posted) > 0
    assert not OutboxMessage.objects.filter(topic="notice").exists()
    assert sorted(Notice.objects.values_list("key", flat=True)) == written
    outbox.post(outbox.Message("notice", row.key, row.payload) for row in posted)
    outbox.deliver_due()
    assert sorted(Notice.objects.values_list("key", flat=True)) == written
