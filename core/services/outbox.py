"""Posting messages in the transaction they tell about, and delivering them at least once.

What lives here: the queue and the registry of topics. What must not: how a topic is delivered.
"""

import json
import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from logging import getLogger
from typing import Any

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from core import prepared
from core.models import OutboxMessage
from core.services import audit

State = OutboxMessage.State
Deliver = Callable[[list[OutboxMessage]], None]

logger = getLogger(__name__)
_topics: dict[str, Deliver] = {}
MAX_ATTEMPTS = 8
# So that what failed together is not tried together again.
JITTER = 0.2
STUCK_AFTER = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Message:
    """What to send. ``key`` names the fact told, so posting it twice sends it once.

    With a channel it is a letter, which core.services.sending delivers; see OutboxMessage.
    """

    topic: str
    key: str
    payload: Mapping[str, Any] = field(default_factory=dict)
    channel_id: int | None = None
    event: str = ""
    urgent: bool = False
    due_at: datetime | None = None


def register(topic: str, deliver: Deliver) -> None:
    """Say how messages of ``topic`` are delivered. Called from AppConfig.ready.

    ``deliver(messages)`` runs in a transaction of its own, raises to be tried again later, and may
    be called more than once for a message: let the receiver tell them apart by ``message.key``.
    When it raises for several, it is called again for each alone.
    """
    _topics[topic] = deliver


def post(messages: Iterable[Message]) -> None:
    """Queue the messages in the caller's transaction; a key posted before is left alone."""
    rows, now = list(messages), timezone.now()
    if not rows:
        return
    # As one document: in arrays each payload would be quoted once more, a character at a time.
    document = [
        {
            "topic": m.topic,
            "key": m.key,
            "payload": dict(m.payload),
            "channel": m.channel_id,
            "event": m.event,
            "urgent": m.urgent,
            "due": (m.due_at or now).isoformat(),
        }
        for m in rows
    ]
    with prepared.cursor() as cursor:
        cursor.execute(_POST, {"now": now, "rows": json.dumps(document)})


_POST = """
    INSERT INTO core_outboxmessage (topic, key, payload, channel_id, event, urgent,
        next_attempt_at, state, attempts, last_error, created_at)
    SELECT topic, key, payload, channel, event, urgent, due, 'queued', 0, '', %(now)s
      FROM jsonb_to_recordset(%(rows)s::jsonb) AS m (topic text, key text, payload jsonb,
           channel bigint, event text, urgent bool, due timestamptz)
        ON CONFLICT DO NOTHING
"""


def deliver_due(*, now: datetime | None = None, batch: int = 200) -> int:
    """Deliver every message without a channel that is due; return how many were delivered.

    A failed delivery is tried again after 1, 2, 4 … minutes and up to a fifth more; after eight
    the message is dead and waits for a person.
    """
    delivered = 0
    after: OutboxMessage | None = None
    while True:
        claimed = _claim(now=now or timezone.now(), batch=batch, after=after)
        if not claimed and after is None:
            return delivered
        topics: dict[str, list[OutboxMessage]] = defaultdict(list)
        for message in claimed:
            topics[message.topic].append(message)
        delivered += sum(_deliver(topic, group, now=now) for topic, group in topics.items())
        # Start behind those, as a sweep of timers does; then once more from the beginning.
        after = claimed[-1] if claimed else None


def free_stuck(now: datetime) -> int:
    """Give up on deliveries begun over five minutes ago, whose process must have died."""
    stuck = OutboxMessage.objects.filter(state=State.IN_FLIGHT, claimed_at__lt=now - STUCK_AFTER)
    dead = stuck.filter(attempts__gte=MAX_ATTEMPTS).update(
        state=State.DEAD, last_error="process_died:"
    )
    return dead + stuck.update(state=State.AWAITING_RETRY, next_attempt_at=now)


def retry_at(now: datetime, attempts: int) -> datetime:
    """Return when to try again after so many attempts: 1, 2, 4 … minutes and up to a fifth more."""
    # Jitter, no secret.
    return now + timedelta(minutes=2 ** (attempts - 1)) * (1 + random.uniform(0, JITTER))  # noqa: S311


@transaction.atomic
def resend(
    *,
    actor: Any,
    messages: QuerySet[OutboxMessage] | Iterable[int],
    asked: Mapping[str, Any] | None = None,
) -> int:
    """Queue messages (ids, or rows) afresh that are dead or were dropped; return how many were.

    They keep their key, so a receiver that has one already takes it for the same. ``asked`` says
    in the audit trail by what they were chosen.
    """
    if not isinstance(messages, QuerySet):
        messages = OutboxMessage.objects.filter(pk__in=messages)
    count = messages.filter(state__in=[State.DEAD, State.DROPPED]).update(
        state=State.QUEUED, attempts=0, next_attempt_at=timezone.now(), last_error=""
    )
    audit.record(
        actor=actor,
        action="outbox.resend",
        subject_type="outbox",
        data={"count": count, **(asked or {})},
    )
    return count


@transaction.atomic
def _claim(*, now: datetime, batch: int, after: OutboxMessage | None) -> list[OutboxMessage]:
    due = OutboxMessage.objects.filter(
        state__in=[State.QUEUED, State.AWAITING_RETRY],
        channel__isnull=True,
        next_attempt_at__lte=now,
    )
    if after is not None:
        since = after.next_attempt_at
        due = due.filter(
            Q(next_attempt_at__gt=since) | Q(pk__gt=after.pk), next_attempt_at__gte=since
        )
    messages = list(
        due.order_by("next_attempt_at", "pk").select_for_update(skip_locked=True)[:batch]
    )
    # Counted before trying, so a message that kills its process dies too in the end.
    OutboxMessage.objects.filter(pk__any_of=[message.pk for message in messages]).update(
        state=State.IN_FLIGHT, claimed_at=now, attempts=F("attempts") + 1
    )
    for message in messages:
        message.attempts += 1
        message.claimed_at = now
    return messages


def _deliver(topic: str, messages: list[OutboxMessage], *, now: datetime | None) -> int:
    """Deliver messages of a topic that were claimed together; return how many were delivered."""
    claimed = OutboxMessage.objects.filter(
        pk__any_of=[message.pk for message in messages],
        state=State.IN_FLIGHT,
        claimed_at=messages[0].claimed_at,
    )
    try:
        with transaction.atomic():
            ids = set(claimed.order_by("pk").select_for_update().values_list("pk", flat=True))
            deliver = _topics.get(topic)
            if deliver is None:
                raise LookupError(f"nobody delivers messages of topic {topic!r}")
            mine = [message for message in messages if message.pk in ids]
            if mine:
                deliver(mine)
            claimed.update(state=State.DELIVERED, delivered_at=now or timezone.now(), last_error="")
    except Exception as error:
        if len(messages) > 1:
            return sum(_deliver(topic, [message], now=now) for message in messages)
        _fail(messages[0], error, now=now or timezone.now())
        return 0
    return len(ids)


def _fail(message: OutboxMessage, error: Exception, *, now: datetime) -> None:
    logger.error("message %s could not be delivered", message.pk, exc_info=error)
    dead = message.attempts >= MAX_ATTEMPTS
    OutboxMessage.objects.filter(
        pk=message.pk, state=State.IN_FLIGHT, claimed_at=message.claimed_at
    ).update(
        state=State.DEAD if dead else State.AWAITING_RETRY,
        next_attempt_at=retry_at(now, message.attempts),
        last_error=f"{type(error).__name__}: {error}"[:2000],
    )
