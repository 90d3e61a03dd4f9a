"""From a row of a timeline to the systems that are told of it.

What lives here: which events a row means, who may hear of a case, and queueing. A step queues one
message however many listen, and none when nobody does. What must not: sending
(services/hook_sending.py), and keeping webhooks (services/webhooks.py).
"""

import uuid
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from core.kept import remembered
from core.models import OutboxMessage
from incidents.models import (
    ENDED,
    Event,
    HookDelivery,
    HookEvent,
    SentCase,
    State,
    SystemRight,
    Webhook,
)
from incidents.queries.published import find_public, published_items

TOPIC = "webhook"
# Whether anybody listens is asked once in so many seconds by each process: a new webhook hears of
# what happens from then on. Who hears what is read anew for each event.
LISTENERS_KEPT = 5
RATINGS = frozenset({"rate", "record_callback"})


def kinds_of(
    *, action: str, before: str, after: str, data: Mapping[str, Any], own: bool
) -> set[str]:
    """Return the events a timeline row means for a system; ``own``: it sent the case itself.

    Of others' cases nobody hears before the triage, so for them that is the report.

    >>> sorted(kinds_of(action="rate", before="callback", after="closed", data={}, own=True))
    ['case.closed', 'case.rated', 'case.state_changed']
    """
    if action == "report":
        return {HookEvent.REPORTED} if own else set()
    found: set[str] = set()
    if before != after:
        found.add(HookEvent.STATE_CHANGED)
        if before == State.REPORTED and not own:
            found.add(HookEvent.REPORTED)
        if after in ENDED and before not in ENDED:
            found.add(HookEvent.CLOSED)
    if action in RATINGS:
        found.add(HookEvent.RATED)
    if "reopened" in data or (before in ENDED and after not in ENDED):
        found.add(HookEvent.REOPENED)
    return found


def messages(
    *,
    key: str,
    facts: Mapping[str, Any],
    action: str,
    before: str,
    after: str,
    data: Mapping[str, Any],
) -> list[OutboxMessage]:
    """Return the unsaved message of a timeline row, if anybody wants to hear of such rows.

    ``facts`` find the row again: {"incident", "seq"}, or {"report_key"} for a first one.
    """
    wanted = remembered("hooks:wanted", _wanted, LISTENERS_KEPT)
    kinds: set[str] = set()
    for own in (True, False) if wanted else ():
        kinds |= kinds_of(action=action, before=before, after=after, data=data, own=own)
    if not kinds & wanted:
        return []
    return [OutboxMessage(topic=TOPIC, key=f"{key}:hooks", payload=dict(facts))]


def _wanted() -> frozenset[str]:
    listening = Webhook.objects.filter(active=True, system__active=True)
    return frozenset(kind for kinds in listening.values_list("events", flat=True) for kind in kinds)


def fan_out(messages: Iterable[OutboxMessage]) -> None:
    """Queue each row's events for each webhook that may hear of it, once.

    Costs 4 queries for each message, and up to 8 for each webhook that may.
    """
    for message in messages:
        _fan_out(message)


def _fan_out(message: OutboxMessage) -> None:
    event = _row_of(message.payload)
    if event is None or event.incident.parent_id is not None:
        return  # a task of a case is nobody else's business
    incident = event.incident
    sender = SentCase.objects.filter(pk=incident.pk).values_list("system_id", flat=True).first()
    queued = []
    for webhook in _listening():
        own = webhook.system_id == sender
        if webhook.own_only and not own:
            continue
        kinds = kinds_of(
            action=event.action,
            before=event.from_state,
            after=event.to_state,
            data=event.data,
            own=own,
        )
        wanted = [kind for kind in HookEvent.values if kind in kinds & set(webhook.events)]
        if wanted and incident.pk in audible(webhook, [incident.pk]):
            queued += [_delivery(webhook, event, kind) for kind in wanted]
    HookDelivery.objects.bulk_create(queued, ignore_conflicts=True)


def _row_of(payload: Mapping[str, Any]) -> Event | None:
    rows = Event.objects.select_related("incident")
    if "report_key" in payload:
        return rows.filter(incident__report_key=payload["report_key"], seq=1).first()
    return rows.filter(incident=payload["incident"], seq=payload["seq"]).first()


def _listening() -> Collection[Webhook]:
    found = Webhook.objects.filter(active=True, system__active=True).select_related("system")
    return found.defer("address", "secret", "old_secret").order_by("pk")


def _delivery(webhook: Webhook, event: Event, kind: str) -> HookDelivery:
    name = f"{event.incident_id}:{event.seq}:{kind}"
    return HookDelivery(
        webhook=webhook,
        event_id=uuid.uuid5(webhook.system.namespace, name),
        event=kind,
        incident_id=event.incident_id,
        seq=event.seq,
    )


def audible(webhook: Webhook, ids: Collection[int]) -> dict[int, Any]:
    """Return those of the cases the system may hear of now, as everybody or their sender sees them.

    Its own with the right to read those; others that are public, of its items and in its areas,
    with the right to read public ones (≤ 7 queries, however many cases).
    """
    system = webhook.system
    reads_own = SystemRight.READ_OWN in system.scopes
    reads_public = SystemRight.READ in system.scopes and not webhook.own_only
    if not (reads_own or reads_public):
        return {}
    sent = SentCase.objects.filter(pk__in=ids, system=system)
    own = set(sent.values_list("pk", flat=True))
    items = {row.pk: row for row in system.items.all()} or published_items()
    rows = find_public(ids, items=items, system=system)
    areas = set(system.areas.values_list("pk", flat=True)) if reads_public else set()
    return {
        row.id: row
        for row in rows
        if (row.id in own and reads_own)
        or (row.id not in own and reads_public and lies_in_one(row, areas))
    }


def lies_in_one(row: Any, areas: Collection[int]) -> bool:
    """Return whether a case lies in one of the areas; no areas are the whole county."""
    keys = (row.county_id, row.town_id, row.village_id, row.grid_id)
    return not areas or any(pk in areas for pk in keys)
