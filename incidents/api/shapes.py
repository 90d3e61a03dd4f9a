"""What the API says about a case: plain dicts, and the serializers that document them.

The dicts are made by hand, because serializers copied for every answer cost more than reading
the case; a test holds both to the same names. What must not live here: personal data of
reporters, and any read from the database.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.urls import reverse
from django.utils import timezone
from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from core.choices import labels
from incidents.models import NO_DUE, Event, Incident, Source, StageClock, State, Tier
from incidents.queries.listing import Listed
from incidents.workflow import Transition, action_label


# A field named like an attribute of Field is no clash: the serializer's metaclass takes it away.
class IncidentRow(serializers.Serializer):
    """A case as the queue shows it."""

    tracking_code = serializers.CharField()
    summary = serializers.CharField(help_text="The beginning of the text.")
    state = serializers.ChoiceField(choices=State.choices)
    state_label = serializers.CharField()
    urgency = serializers.IntegerField()
    source = serializers.ChoiceField(choices=Source.choices)  # type: ignore[assignment]
    tier = serializers.ChoiceField(choices=Tier.choices, allow_blank=True)
    round = serializers.IntegerField()
    place = serializers.CharField()
    category = serializers.CharField()
    owner = serializers.CharField()
    reported_at = serializers.DateTimeField()
    due_at = serializers.DateTimeField(
        allow_null=True, help_text="The nearest running deadline, or null."
    )
    overdue_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)


@extend_schema_serializer(many=False)
class IncidentPage(serializers.Serializer):
    """A page of the queue, with the cursors of its neighbours."""

    results = IncidentRow(many=True)
    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)


class EventRow(serializers.ModelSerializer):
    """One row of the timeline."""

    label = serializers.CharField(help_text="The step in words.")  # type: ignore[assignment]
    actor = serializers.CharField(help_text="Who took the step, if a person did.")
    photos = serializers.ListField(
        child=serializers.CharField(), help_text="Addresses of the photos."
    )

    class Meta:
        model = Event
        fields = [
            "seq", "at", "action", "label", "actor_kind", "actor", "actor_place", "from_state",
            "to_state", "note", "data", "public", "photos",
        ]  # fmt: skip


class ClockRow(serializers.ModelSerializer):
    """One deadline that runs or is paused."""

    department = serializers.CharField(
        help_text="The called department whose clock it is, if it is a whistle's."
    )

    class Meta:
        model = StageClock
        fields = [
            "stage", "name", "department", "amount", "unit", "started_at", "due_at", "breached_at",
        ]  # fmt: skip


class ActionRow(serializers.Serializer):
    """A step the person may take now."""

    action = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]


class IncidentDetail(IncidentRow):
    """A case with its timeline, clocks and the steps open to whoever asks."""

    version = serializers.IntegerField(help_text="Send it as `seen` with a step.")
    text = serializers.CharField()
    address = serializers.CharField()
    lat = serializers.FloatField(allow_null=True, help_text="Latitude in WGS-84 degrees.")
    lon = serializers.FloatField(allow_null=True, help_text="Longitude in WGS-84 degrees.")
    found_by = serializers.CharField()
    timeline = EventRow(many=True)
    clocks = ClockRow(many=True)
    actions = ActionRow(many=True)


def row(incident: Incident | Listed) -> dict[str, Any]:
    """Return the case as IncidentRow; ``give_names`` must have been called for it."""
    return {
        "tracking_code": incident.tracking_code,
        "summary": incident.head if isinstance(incident, Listed) else incident.summary,
        "state": incident.state,
        "state_label": labels(State)[incident.state],
        "urgency": incident.urgency,
        "source": incident.source,
        "tier": incident.tier,
        "round": incident.round,
        "place": incident.place,
        "category": incident.category_label,
        "owner": incident.owner_label,
        "reported_at": _local(incident.reported_at),
        "due_at": None if incident.due_at == NO_DUE else _local(incident.due_at),
        "overdue_at": _local(incident.overdue_at),
        "ended_at": _local(incident.ended_at),
    }


def detail(
    incident: Incident,
    *,
    events: Sequence[Event],
    clocks: Sequence[StageClock],
    steps: Sequence[Transition],
) -> dict[str, Any]:
    """Return the case as IncidentDetail."""
    location = incident.location
    return {
        **row(incident),
        "version": incident.version,
        "text": incident.text,
        "address": incident.address,
        "lat": location.y if location else None,
        "lon": location.x if location else None,
        "found_by": incident.found_by,
        "timeline": [_event(event) for event in events],
        "clocks": [_clock(clock) for clock in clocks],
        "actions": [{"action": step.action, "label": str(step.label)} for step in steps],
    }


def _event(event: Event) -> dict[str, Any]:
    return {
        "seq": event.seq,
        "at": _local(event.at),
        "action": event.action,
        "label": str(action_label(event.action)),
        "actor_kind": event.actor_kind,
        "actor": str(event.actor or ""),
        "actor_place": event.actor_place,
        "from_state": event.from_state,
        "to_state": event.to_state,
        "note": event.note,
        "data": event.data,
        "public": event.public,
        "photos": [reverse("file", args=[pk]) for pk in event.photo_ids],
    }


def _clock(clock: StageClock) -> dict[str, Any]:
    return {
        "stage": clock.stage,
        "name": clock.name,
        "department": clock.party.department.label if clock.party else "",
        "amount": clock.amount,
        "unit": clock.unit,
        "started_at": _local(clock.started_at),
        "due_at": _local(clock.due_at),
        "breached_at": _local(clock.breached_at),
    }


def _local(moment: datetime | None) -> str | None:
    return None if moment is None else timezone.localtime(moment).isoformat()
