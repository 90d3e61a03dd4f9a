"""Delivering notices to desks, and marking them read."""

from django.utils import timezone

from core.models import OutboxMessage
from incidents.models import Notice
from incidents.queries import notices_for
from incidents.services import telling
from incidents.workflow import Actor


def deliver(message: OutboxMessage) -> None:
    """Write the notice of an outbox message, once, and tell it by channels its readers chose."""
    payload = message.payload
    notice, new = Notice.objects.get_or_create(
        key=message.key,
        defaults={
            "incident_id": payload.get("incident"),
            "kind": payload["kind"],
            "role": payload.get("role", ""),
            "area_id": payload.get("area"),
            "department_id": payload.get("department"),
            "user_id": payload.get("user"),
            "data": payload.get("data", {}),
            "created_at": message.created_at,
        },
    )
    if new:
        telling.tell_notice(notice)


def mark_read(*, actor: Actor, up_to: int) -> int:
    """Mark the actor's notices up to an id as read; return how many."""
    assert actor.user is not None
    return (
        notices_for(actor.user, actor.scope)
        .filter(pk__lte=up_to, read_at__isnull=True)
        .update(read_at=timezone.now())
    )
