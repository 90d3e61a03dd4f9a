"""Reads for the pages about messages: letters, channels, what one chose.

What must not live here: anything that changes a row, and addresses of people.
"""

from collections.abc import Iterable
from typing import Any

from django.db.models import Count, Q, QuerySet

from core.channels import events
from core.kept import remembered
from core.models import Channel, MessageTemplate, OutboxMessage
from grids.models import Subscription, User, shapes_of

State = OutboxMessage.State
# What the page tells apart; the first is what needs somebody.
STATES = (
    State.DEAD,
    State.AWAITING_RETRY,
    State.QUEUED,
    State.IN_FLIGHT,
    State.DELIVERED,
    State.DROPPED,
)
RESENDABLE = frozenset({State.DEAD, State.DROPPED})
COUNTED_TO = 999
SMS_KEPT = 60


def letters(*, state: str, channel_id: int | None = None, event: str = "") -> QuerySet[Any]:
    """Return messages in a state; the dead include those that never leave the house."""
    found = OutboxMessage.objects.filter(state=state)
    if state != State.DEAD:
        found = found.filter(channel__isnull=False)
    if channel_id:
        found = found.filter(channel_id=channel_id)
    if event:
        found = found.filter(event=event)
    return found.select_related("channel")


def counted(found: QuerySet[Any]) -> int:
    """Return how many, COUNTED_TO + 1 for more (1 query)."""
    return found.order_by()[: COUNTED_TO + 1].count()


def names_of_people(messages: Iterable[OutboxMessage]) -> dict[int, str]:
    """Return {user id: name} of those whom letters are for (1 query, none without people)."""
    ids = {message.payload.get("to", {}).get("id") for message in messages} - {None}
    if not ids:
        return {}
    return dict(User.objects.filter(pk__in=ids).values_list("pk", "display_name"))


def channels() -> list[Channel]:
    """Return all channels with ``waiting``, ``dead`` and ``readers`` counted (3 queries)."""
    found = list(Channel.objects.order_by("kind", "name"))
    open_states = [State.QUEUED, State.AWAITING_RETRY, State.DEAD]
    rows = OutboxMessage.objects.filter(state__in=open_states, channel__isnull=False)
    counts = {
        row["channel_id"]: row
        for row in rows.order_by()
        .values("channel_id")
        .annotate(
            dead=Count("pk", filter=Q(state=State.DEAD)),
            waiting=Count("pk", filter=~Q(state=State.DEAD)),
        )
    }
    readers = dict(
        Subscription.objects.filter(user__isnull=False)
        .values_list("channel_id")
        .annotate(n=Count("user", distinct=True))
    )
    for channel in found:
        row = counts.get(channel.pk, {"dead": 0, "waiting": 0})
        channel.dead, channel.waiting = row["dead"], row["waiting"]  # type: ignore[attr-defined]
        channel.readers = readers.get(channel.pk, 0)  # type: ignore[attr-defined]
    return found


def trials(channel: Channel, most: int = 5) -> list[OutboxMessage]:
    """Return the newest trials of a channel (1 query)."""
    rows = OutboxMessage.objects.filter(channel=channel, event=events.TRIAL)
    return list(rows.order_by("-pk")[:most])


def group_lines(channel: Channel) -> QuerySet[Subscription]:
    """Return what a robot tells its group (1 query)."""
    rows = Subscription.objects.filter(channel=channel, user__isnull=True)
    return rows.select_related("area", "department").defer(*shapes_of("area")).order_by("pk")


def personal_channels() -> list[Channel]:
    """Return the channels people may choose (1 query)."""
    return list(
        Channel.objects.filter(active=True, kind__in=Channel.PERSONAL).order_by("kind", "name")
    )


def sms_is_offered() -> bool:
    """Return whether a gateway for SMS is switched on, as of the last minute (1 query)."""
    sms = Channel.objects.filter(active=True, kind=Channel.Kind.SMS)
    return remembered("sms-offered", sms.exists, SMS_KEPT)


def chosen_by(user: User) -> set[tuple[int, str]]:
    """Return (channel id, group) of what a person chose (1 query)."""
    return set(Subscription.objects.filter(user=user).values_list("channel_id", "group"))


def own_templates() -> set[tuple[str, str]]:
    """Return (event, language) of the words that are not the shipped ones (1 query)."""
    return set(MessageTemplate.objects.values_list("kind", "language"))
