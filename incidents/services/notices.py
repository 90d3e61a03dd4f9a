"""Delivering notices to desks, and marking them read."""

from django.utils import timezone

from core.family import insert_rows
from core.models import OutboxMessage
from incidents.models import Notice
from incidents.queries import notices_for
from incidents.services import telling
from incidents.workflow import Actor


def deliver(messages: list[OutboxMessage]) -> None:
    """Write the notices of outbox messages, once, and tell them by channels their readers chose."""
    keys = [message.key for message in messages]
    known = set(Notice.objects.filter(key__any_of=keys).values_list("key", flat=True))
    notices = [_notice(message) for message in messages if message.key not in known]
    insert_rows(notices)
    telling.tell_notices(notices)


def _notice(message: OutboxMessage) -> Notice:
    payload = message.payload
    return Notice(
        key=message.key,
        incident_id=payload.get("incident"),
        kind=payload["kind"],
        role=payload.get("role", ""),
        area_id=payload.get("area"),
        department_id=payload.get("department"),
        user_id=payload.get("user"),
        data=payload.get("data", {}),
        created_at=message.created_at,
    )


def mark_read(*, actor: Actor, up_to: int) -> int:
    """Mark the actor's notices up to an id as read; return how many."""
    assert actor.user is not None
    return (
        notices_for(actor.user, actor.scope)
        .filter(pk__lte=up_to, read_at__isnull=True)
        .update(read_at=timezone.now())
    )
