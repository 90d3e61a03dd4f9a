"""What the system administrator reads about a webhook and what it was sent."""

from collections.abc import Sequence
from typing import Any

from django.db.models import QuerySet

from incidents.models import HookAttempt, HookDelivery, Webhook

State = HookDelivery.State
# In the order of the chips; what is under way counts as waiting.
WAITING = "waiting"
_WAITING_STATES = (State.QUEUED, State.IN_FLIGHT, State.AWAITING_RETRY)
SHOWN = ("", WAITING, State.DELIVERED, State.DEAD, State.DROPPED)


def deliveries(webhook: Webhook, show: str) -> QuerySet[HookDelivery]:
    """Return a webhook's deliveries, all or of one kind of SHOWN, to be paged by -id."""
    rows = HookDelivery.objects.filter(webhook=webhook)
    if show == WAITING:
        return rows.filter(state__in=_WAITING_STATES)
    return rows.filter(state=show) if show else rows


def last_tries(rows: Sequence[HookDelivery]) -> dict[int, HookAttempt]:
    """Return the latest try of each delivery that had one (1 query)."""
    found = HookAttempt.objects.filter(delivery__in=[row.pk for row in rows])
    latest = found.order_by("delivery_id", "-pk").distinct("delivery_id")
    return {row.delivery_id: row for row in latest}


def state_of(webhook: Webhook, now: Any) -> str:
    """Return "off", "stopped", "paused" or "on"."""
    if not webhook.active:
        return "off"
    if webhook.stopped_at:
        return "stopped"
    return "paused" if webhook.paused_until and webhook.paused_until > now else "on"
