"""A dispute put into words and rows for its page. Reads only."""

from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from core.masking import mask_name, mask_phone, mask_text
from mediation.models import (
    MEDIATING_STATES,
    SETTLED_STATES,
    STEP_STATES,
    Agreement,
    Dispute,
    DisputeState,
    OtherRoad,
    Side,
    StepRecord,
)
from mediation.queries import consent_is_complete, last_session_settled
from mediation.services.deadlines import WARN_BEFORE
from mediation.workflow import Transition, action_label

OPENINGS_SHOWN = 20


def party_lines(dispute: Dispute, *, in_full: bool) -> list[dict[str, Any]]:
    """Return the parties for the page, masked unless ``in_full`` (1 query)."""
    return [
        {
            "party": party,
            "name": party.name if in_full else mask_name(party.name),
            "phone": party.phone if in_full else mask_phone(party.phone),
            "must_agree": party.side != Side.THIRD and not party.agreed_to_mediation_at,
        }
        for party in dispute.parties.all()
    ]


def clock(dispute: Dispute) -> dict[str, Any] | None:
    """Return text, level and due time of the running month, or None when it has stopped."""
    if dispute.state not in MEDIATING_STATES:
        return None
    left = dispute.due_at - timezone.now()
    days = abs(left) // timedelta(days=1)
    if left < timedelta(0):
        text = ngettext("%(n)s day over", "%(n)s days over", days) % {"n": days}
        return {"text": text, "level": "over", "due": dispute.due_at}
    text = ngettext("%(n)s day left", "%(n)s days left", days) % {"n": days}
    level = "warn" if left < WARN_BEFORE else "calm"
    return {"text": text, "level": level, "due": dispute.due_at}


@dataclass
class FilePage:
    """Everything the file shows besides its forms. ``steps``: what the reader may do now."""

    dispute: Dispute
    steps: dict[str, Transition]

    @cached_property
    def clock(self) -> dict[str, Any] | None:
        """The running month."""
        return clock(self.dispute)

    @cached_property
    def facts(self) -> str:
        """The facts, with phone numbers inside masked."""
        return mask_text(self.dispute.facts)

    @cached_property
    def records(self) -> list[StepRecord]:
        """The sessions, oldest first, with phone numbers inside masked."""
        rows = list(self.dispute.step_records.select_related("recorded_by"))
        for row in rows:
            row.record = mask_text(row.record)
        return rows

    @cached_property
    def ladder(self) -> list[dict[str, Any]]:
        """The four steps: ``state`` done, now, next or unused, with their sessions."""
        dispute, rungs = self.dispute, []
        for number, state in enumerate(STEP_STATES, start=1):
            sessions = [row for row in self.records if row.step == number]
            if dispute.state == state:
                look = "now"
            elif number < dispute.step or (number == dispute.step and sessions):
                look = "done"
            elif dispute.state in MEDIATING_STATES:
                look = "next"
            else:
                look = "unused"
            rungs.append(
                {"number": number, "label": state.label, "look": look, "sessions": sessions}
            )
        return rungs

    @cached_property
    def ending(self) -> dict[str, str]:
        """How the ladder ends: ``look`` settled, failed or open, and its words."""
        dispute = self.dispute
        if dispute.state in SETTLED_STATES:
            return {"look": "settled", "label": dispute.get_state_display()}
        if dispute.state in MEDIATING_STATES:
            return {"look": "open", "label": _("Agreement")}
        return {"look": "failed", "label": dispute.get_state_display()}

    @cached_property
    def has_both_sides(self) -> bool:
        """Whether a party A and a party B are known."""
        return {Side.A, Side.B} <= {party.side for party in self.dispute.parties.all()}

    @cached_property
    def next(self) -> str:
        """The one thing to do now, as the name of a step, or ""."""
        state = self.dispute.state
        if state in STEP_STATES:
            if not consent_is_complete(self.dispute):
                return "record_consent"
            return "agree" if last_session_settled(self.dispute) else "record_step"
        if state == DisputeState.REGISTERED:
            return "record_consent"
        return next((name for name in ("close", "follow_up") if name in self.steps), "")

    @cached_property
    def others(self) -> list[Transition]:
        """Every other step the reader may take."""
        return [
            line
            for name, line in self.steps.items()
            if name not in {self.next, "record_consent", "release_mediator"}
            and not (name in {"record_step", "agree"} and self.next == "record_consent")
            and not (name == "ask_court" and not self.court_until)
        ]

    @cached_property
    def agreement(self) -> Agreement | None:
        """The agreement, if there is one."""
        return getattr(self.dispute, "agreement", None)

    @cached_property
    def court_until(self) -> Any:
        """The last day a court can still be asked, or None."""
        row = self.agreement
        if row is None or row.court_confirmation_asked_on or not row.court_until:
            return None
        return row.court_until

    @cached_property
    def roads(self) -> list[str]:
        """The other roads the parties were told of."""
        return [str(OtherRoad(road).label) for road in self.dispute.roads_told]

    @cached_property
    def mediators(self) -> list[Any]:
        """Who is named now."""
        return list(self.dispute.mediators.filter(until=None).select_related("user"))

    @cached_property
    def openings(self) -> list[Any]:
        """The latest openings of this file."""
        return list(self.dispute.openings.select_related("user")[:OPENINGS_SHOWN])

    @cached_property
    def follow_ups(self) -> list[Any]:
        """The visits so far."""
        return list(self.dispute.follow_ups.select_related("recorded_by"))

    @cached_property
    def timeline(self) -> list[dict[str, Any]]:
        """The timeline, newest first, in the shape of parts/timeline.html."""
        rows = self.dispute.events.select_related("actor").order_by("-seq")
        return [
            {
                "at": row.at,
                "what": action_label(row.action),
                "who": _who(row),
                "note": mask_text(row.note),
                "state": row.to_state,
                "label": row.get_to_state_display() if row.to_state != row.from_state else "",
                "level": LEVELS.get(row.action, ""),
                "data": [(_("Person"), row.data["name"])] if "name" in row.data else [],
            }
            for row in rows
        ]


LEVELS = {"overdue": "over", "warn": "warn", "agree": "done", "close": "done"}


def _who(row: Any) -> str:
    if row.actor is None:
        return _("System")
    return f"{row.actor} · {row.actor_place}" if row.actor_place else str(row.actor)
