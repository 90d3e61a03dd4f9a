"""The mistakes of a naive design, put into the product's processes by naive_settings only.

A timer is marked fired in one transaction and acted on in the next; what is told of a step is
written after the step; a message is marked sent before it is sent. Nothing breaks while nothing is
killed. The oracle must find all of it: a harness that passes this variant would prove nothing.
"""

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from core.models import Channel, OutboxMessage, Timer
from core.services import outbox, sending, timers

State = OutboxMessage.State
_post = outbox.post


def put_in() -> None:
    """Replace sweep, posting, delivering and claiming letters."""
    timers.sweep = sweep
    outbox.post = post_afterwards
    outbox.deliver_due = deliver_due
    sending._claim = claim


def sweep(
    *, now: datetime | None = None, batch: int = 100, at_most: int | None = None
) -> timers.SweepResult:
    """Mark what is due as fired, then fire it."""
    moment = now or timezone.now()
    due = list(Timer.objects.filter(fired_at=None, due_at__lte=moment).order_by("due_at")[:batch])
    Timer.objects.filter(pk__in=[timer.pk for timer in due]).update(fired_at=moment)
    for timer in due:
        with transaction.atomic():
            timers._handlers[timer.kind]([timer], moment)
    return timers.SweepResult(len(due), 0)


def post_afterwards(messages: Iterable[outbox.Message]) -> None:
    """Write the messages once the step they tell of is committed."""
    waiting = list(messages)
    transaction.on_commit(lambda: _post(waiting))


def deliver_due(*, now: datetime | None = None, batch: int = 100) -> int:
    """Mark messages delivered, then deliver them."""
    due = list(
        OutboxMessage.objects.filter(state=State.QUEUED, channel__isnull=True).order_by("pk")[
            :batch
        ]
    )
    _mark_delivered(due)
    for message in due:
        with transaction.atomic():
            outbox._topics[message.topic]([message])
    return len(due)


def claim(channel: Channel, now: datetime) -> list[OutboxMessage]:
    """Mark letters sent, then let them be sent."""
    due = list(
        OutboxMessage.objects.filter(state=State.QUEUED, channel=channel).order_by("pk")[
            : sending.BATCH
        ]
    )
    _mark_delivered(due)
    return due


def _mark_delivered(messages: list[OutboxMessage]) -> None:
    OutboxMessage.objects.filter(pk__in=[message.pk for message in messages]).update(
        state=State.DELIVERED, delivered_at=timezone.now(), attempts=1
    )
