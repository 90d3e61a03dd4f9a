"""How a case reads for the person who reported it: plain words, drawn steps, offices only.

What lives here: words and shapes for the public pages. What must not: names of staff, and
notes people write for one another.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from core.working_calendar import Unit
from incidents.models import ENDED, ActorKind, Event, Incident, Score, State
from incidents.queries import timeline
from incidents.workflow import action_label

# A whistle's result is the lead's answer; the others' opinions are no public rows.
RESULTS = frozenset({"respond", "handle_on_spot", "fix_on_spot", "party_answer"})
# Rows whose note is written for the reporter.
TOLD = RESULTS | frozenset(
    {
        *("answer", "not_solved", "verify_pass", "conclude"),
        *("exit_emergency", "exit_statutory", "exit_out_of_remit", "hand_over", "suspend"),
        *("recall", "unmerge", "rate", "record_callback"),
    }
)

STEPS = (
    pgettext_lazy("step", "Received"),
    pgettext_lazy("step", "Assigned"),
    pgettext_lazy("step", "Handled"),
    pgettext_lazy("step", "Checked"),
    pgettext_lazy("step", "Rated"),
)
_STEP_OF_STATE = {
    State.REPORTED: 1, State.PENDING: 1, State.OBJECTED: 1, State.SUPERVISED: 1,
    State.DISPATCHED: 2, State.ACCEPTED: 2, State.ARRIVED: 2, State.WHISTLED: 2,
    State.RULING: 2, State.SUSPENDED: 2, State.RESPONDED: 3, State.CALLBACK: 4,
    State.CLOSED: 5,
}  # fmt: skip

_WORDS = {
    State.REPORTED: gettext_lazy("We have it and are finding out who is in charge."),
    State.PENDING: gettext_lazy("It is being assigned to an office."),
    State.OBJECTED: gettext_lazy("It is being settled which office is in charge."),
    State.DISPATCHED: gettext_lazy("Handed to %(owner)s, waiting to be taken up."),
    State.ACCEPTED: gettext_lazy("%(owner)s has taken it up."),
    State.ARRIVED: gettext_lazy("%(owner)s is dealing with it."),
    State.WHISTLED: gettext_lazy("Several offices are dealing with it together."),
    State.RULING: gettext_lazy("Several offices are dealing with it together."),
    State.RESPONDED: gettext_lazy("It was dealt with; somebody else is checking the result."),
    State.CALLBACK: gettext_lazy("Dealt with and checked. Please rate the result."),
    State.ANSWERED: gettext_lazy("There is an answer. Please say whether it helped."),
    State.SUSPENDED: gettext_lazy("Put off until %(until)s."),
    State.SUPERVISED: gettext_lazy("The county itself is looking after it."),
    State.CLOSED: gettext_lazy("Finished."),
    State.EMERGENCY: gettext_lazy("Handed to the emergency services."),
    State.STATUTORY: gettext_lazy("The law gives this matter a road of its own; see below."),
    State.DUPLICATE: gettext_lazy("Somebody reported the same before; both are handled as one."),
    State.OUT_OF_REMIT: gettext_lazy("This is not for the county to settle; see below."),
}


@dataclass(frozen=True)
class Progress:
    """What a public page shows of a case. ``events`` are rows for parts/timeline.html.

    ``steps`` are (label, "done" | "now" | "next"), none for a case that left the road.
    """

    words: str
    steps: list[tuple[Any, str]]
    events: list[dict[str, Any]]
    answer: dict[str, Any] | None
    is_over: bool


def progress(incident: Incident, *, bare: bool = False) -> Progress:
    """Return the case as its reporter reads it (3 queries).

    ``bare`` leaves out notes, photos and facts: what others may see of a case theirs was
    merged into.
    """
    rows = timeline(incident, public=True)
    return Progress(
        words=state_words(incident.state, owner=incident.owner, until=incident.suspended_until),
        steps=_steps(incident),
        events=[_bare(row) if bare else _event(row, incident) for row in rows],
        answer=None if bare else _answer(incident, rows),
        is_over=incident.state in ENDED,
    )


def state_words(state: str, *, owner: Any, until: datetime | None) -> str:
    """Return where a case stands in a plain sentence; ``owner`` is the office that has it."""
    return str(_WORDS[State(state)]) % {
        "owner": owner or _("an office"),
        "until": date_format(timezone.localtime(until), "SHORT_DATE_FORMAT") if until else "",
    }


def _steps(incident: Incident) -> list[tuple[Any, str]]:
    now = _STEP_OF_STATE.get(State(incident.state))
    if now is None:
        return []
    tones = ["done" if n < now else "now" if n == now else "next" for n in range(len(STEPS))]
    return list(zip(STEPS, tones, strict=True))


def _bare(row: Event) -> dict[str, Any]:
    """Return what a stranger may know of a row: what, when, which office."""
    who = _("Reporter") if row.actor_kind == ActorKind.RESIDENT else _who(row)
    level = "done" if row.action in {*RESULTS, "verify_pass"} else ""
    action = "respond" if row.action == "party_answer" else row.action
    return {"at": row.at, "who": who, "what": action_label(action), "level": level}


def _event(row: Event, incident: Incident) -> dict[str, Any]:
    shown_above = row.action == "answer" and incident.state == State.ANSWERED
    return {
        **_bare(row),
        "who": _("Another reporter") if row.data.get("twin") else _who(row),
        "note": row.note if row.action in TOLD and not shown_above else "",
        "data": _facts(row),
        "photos": photo_links(row),
    }


def photo_links(row: Event) -> list[dict[str, str]]:
    """Return the photos of a timeline row for parts/photos.html."""
    return [{"url": reverse("file", args=[pk])} for pk in row.photo_ids]


def _who(row: Event) -> str:
    if row.actor_kind == ActorKind.USER:
        return row.actor_place or _("an office")
    return {
        ActorKind.RESIDENT: _("You"),
        ActorKind.AI: _("Assistant"),
        ActorKind.SYSTEM: _("System"),
    }[ActorKind(row.actor_kind)]


def _facts(row: Event) -> list[tuple[str, Any]]:
    data = row.data
    facts: list[tuple[str, Any]] = []
    if row.action == "dispatch" and data.get("to"):
        facts.append((_("In charge"), data["to"]))
    if row.action == "approve_extension" and data.get("reason"):
        facts.append((_("More time"), f"{data['amount']} {Unit(data['unit']).label}"))
        facts.append((_("Reason"), data["reason"]))
    if row.action == "suspend" and (until := parse_datetime(data.get("until", ""))):
        facts.append((_("Until"), date_format(timezone.localtime(until), "SHORT_DATE_FORMAT")))
    # What another reporter of the same thinks of it is between them and the office.
    if data.get("score") in Score.values and not data.get("twin"):
        facts.append((_("Rating"), Score(data["score"]).label))
    return facts


def _answer(incident: Incident, rows: list[Event]) -> dict[str, Any] | None:
    """Return the newest answer from the knowledge base: text, title, source and date."""
    if incident.state != State.ANSWERED:
        return None
    row = next(row for row in reversed(rows) if row.action == "answer")
    return {"text": row.note, **row.data}
