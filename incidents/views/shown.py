"""One case turned into what its page shows: who, what, why, in the reader's language.

What lives here: words and levels (calm, warn, over, done). What must not: queries; times left
(times.py); lists (rows.py).
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.choices import labels
from core.models import Channel
from core.working_calendar import Unit
from grids.models import Role, User
from grids.queries import Scope
from incidents.models import (
    ActorKind,
    EmergencyCall,
    Event,
    FoundBy,
    Incident,
    Score,
    Source,
    Stage,
    State,
    Tier,
)
from incidents.queries.listing import catalogue_names
from incidents.queries.page import CasePage
from incidents.queries.standing import is_called
from incidents.services.standing import call_label
from incidents.views.times import due
from incidents.workflow import LADDER, action_label

_LEVELS = {
    "overdue": "over",
    "escalate": "over",
    "supervise": "over",
    "verify_fail": "over",
    "party_dissent": "over",
    "exit_emergency": "over",
    "warn": "warn",
    "object": "warn",
    "suspend": "warn",
    "verify_pass": "done",
    "conclude": "done",
    "answer_kept": "done",
}


def opened_again(action: str, after: str) -> bool:
    """Return whether a row is a rating that opened its case again."""
    return action in {"rate", "record_callback"} and after != State.CLOSED


def level(action: str, before: str, after: str) -> str:
    """Return how a row of a timeline looks: "", warn, over or done."""
    if opened_again(action, after):
        return "over"
    closed = after == State.CLOSED and before != after
    return "done" if closed else _LEVELS.get(action, "")


def place(incident: Incident) -> str:
    """Return town, village and grid in one line; the joined areas must be loaded."""
    names = [area.name for area in (incident.town, incident.village, incident.grid) if area]
    return " · ".join(names) or incident.county.name


def photo(photo_id: Any) -> dict[str, str]:
    """Return the address of a photo for parts/photos.html."""
    return {"url": reverse("file", args=[photo_id])}


def reporter(incident: Incident) -> dict[str, Any]:
    """Return where the report came from, and which colleague wrote it."""
    staff = incident.reporter
    return {"source": incident.get_source_display(), "staff": str(staff) if staff else ""}


def timeline(events: Iterable[Event], incident: Incident) -> list[dict[str, Any]]:
    """Return rows for templates/incidents/_timeline.html, newest first."""
    return [_event(event, incident) for event in events][::-1]


def _event(event: Event, incident: Incident) -> dict[str, Any]:
    moved = event.to_state and event.to_state != event.from_state
    return {
        "seq": event.seq,
        "at": event.at,
        "what": action_label(event.action),
        "who": who(event),
        "machine": event.actor_kind in {ActorKind.SYSTEM, ActorKind.AI},
        "state": event.to_state if moved else "",
        "label": labels(State)[event.to_state] if moved else "",
        "level": level(event.action, event.from_state, event.to_state),
        "note": event.note,
        "data": facts(event, incident),
        "decided": _decided(event.data.get("explanation") or []),
        "explanation": [_rule(row) for row in event.data.get("explanation") or []],
        "photos": [photo(pk) for pk in event.photo_ids],
    }


def who(event: Event) -> str:
    """Return who acted and from where they acted."""
    if event.actor_id is None:
        return labels(ActorKind)[event.actor_kind]
    return f"{event.actor} · {event.actor_place}" if event.actor_place else str(event.actor)


def _rule(row: Mapping[str, Any]) -> dict[str, Any]:
    marks = {"matched": ("check", _("matched")), "error": ("alert-triangle", _("error"))}
    icon, label = marks.get(row.get("outcome", ""), ("minus", _("passed over")))
    return {**row, "icon": icon, "label": label}


def _decided(rows: Iterable[Mapping[str, Any]]) -> str:
    """Return in one sentence which rule decided and why, as it was written down then."""
    row = next((row for row in rows if row.get("outcome") == "matched"), None)
    # Rows of before versions and reasons were kept say neither.
    if row is None or "because" not in row:
        return ""
    return _("Rule %(n)s “%(rule)s” (version %(version)s) decided: %(because)s.") % {
        "n": row["position"],
        "rule": row["rule"],
        "version": row["version"],
        "because": row["because"],
    }


def facts(event: Event, incident: Incident) -> list[tuple[str, str]]:
    """Return what a step decided as (name, value) pairs; what nobody needs to read is left out."""
    data = event.data
    return [
        (str(label), text)
        for key, label, show in _FACTS
        if data.get(key) not in (None, "", []) and (text := show(data, incident))
    ]


def _choice(choices: Any, value: str) -> str:
    return labels(choices).get(value, str(value))


def _category(code: str, incident: Incident) -> str:
    category = incident.category
    return category.label if category is not None and category.code == code else str(code)


def _moment(text: str) -> str:
    moment = parse_datetime(str(text))
    return f"{timezone.localtime(moment):%Y-%m-%d %H:%M}" if moment else str(text)


def _deadline(data: Mapping[str, Any], _incident: Incident) -> str:
    stage = data.get("name") or _choice(Stage, data["stage"])
    return f"{stage} · {_moment(data['due_at'])}" if data.get("due_at") else stage


def _rung(rung: Any) -> str:
    if isinstance(rung, int) and 0 <= rung < len(LADDER):
        return str(Role(LADDER[rung]).label)
    return str(rung)


def _target(name: str) -> str:
    return _("Mediation") if name == "mediation" else name


def _assigned(data: Mapping[str, Any], _incident: Incident) -> str:
    """Return who of several was given the case, and why."""
    one = data["assigned"]
    words = one["name"]
    if one["stands_for"]:
        words = _("%(who)s, who stands in for %(absent)s") % {
            "who": words,
            "absent": one["stands_for"],
        }
    load = {"n": one["in_hand"], "late": one["late"], "of": one["of"]}
    why = []
    # Cases given before people checked in for duty do not say it.
    if one.get("on_duty"):
        why.append(_("on duty"))
    if one["of"] > 1:
        why.append(_("has least of %(of)s in hand: %(n)s, %(late)s late") % load)
    if one["away"]:
        why.append(_("on leave: %(names)s") % {"names": "、".join(one["away"])})
    return f"{words}（{'；'.join(why)}）" if why else words


def _more_time(data: Mapping[str, Any], _incident: Incident) -> str:
    return f"{data['amount']} {_choice(Unit, data.get('unit', ''))}"


def _ruling(data: Mapping[str, Any], _incident: Incident) -> str:
    return _("stands") if data["answer_stands"] else _("must be given again")


def _reopened(data: Mapping[str, Any], _incident: Incident) -> str:
    words = {
        "supervised": _("supervised by the county"),
        "county": _("the command centre"),
        "town": _("the town"),
        "village": _("the village"),
        "grid": _("the grid"),
    }
    return words.get(data["reopened"], str(data["reopened"]))


def _state_there(data: Mapping[str, Any], _incident: Incident) -> str:
    return _("closed there") if data["says_closed"] else _("open there")


def _repeat(data: Mapping[str, Any], _incident: Incident) -> str:
    """Name the repeat; of a rating it only says that its reporter gave it."""
    return _("its reporter") if data["twin"] is True else str(data["twin"])


# Key on the row, its label, how to say it; in the order they are shown.
_FACTS: tuple[tuple[str, Any, Any], ...] = (
    ("source", gettext_lazy("Source"), lambda d, i: _choice(Source, d["source"])),
    ("system", gettext_lazy("Sent by"), lambda d, i: str(d["system"])),
    ("says_closed", gettext_lazy("State over there"), _state_there),
    ("title", gettext_lazy("Article"), lambda d, i: str(d["title"])),
    ("found_by", gettext_lazy("Place"), lambda d, i: _choice(FoundBy, d["found_by"])),
    ("emergency", gettext_lazy("Emergency"), lambda d, i: "、".join(map(str, d["emergency"]))),
    ("category", gettext_lazy("Category"), lambda d, i: _category(d["category"], i)),
    ("tier", gettext_lazy("Tier"), lambda d, i: _choice(Tier, d["tier"])),
    ("stage", gettext_lazy("Deadline"), _deadline),
    ("department", gettext_lazy("Department"), lambda d, i: str(d["department"])),
    ("rung", gettext_lazy("Climbed to"), lambda d, i: _rung(d["rung"])),
    ("notice", gettext_lazy("Notice"), lambda d, i: str(d["notice"])),
    (
        "lead",
        gettext_lazy("Lead"),
        lambda d, i: "" if isinstance(d["lead"], bool) else str(d["lead"]),
    ),
    ("parties", gettext_lazy("Co-handlers"), lambda d, i: "、".join(map(str, d["parties"]))),
    ("meet_at", gettext_lazy("Meet at"), lambda d, i: _moment(d["meet_at"])),
    ("meet_place", gettext_lazy("Meeting place"), lambda d, i: str(d["meet_place"])),
    ("to", gettext_lazy("Sent to"), lambda d, i: _target(str(d["to"]))),
    ("assigned", gettext_lazy("Given to"), _assigned),
    ("number", gettext_lazy("Number"), lambda d, i: str(d["number"])),
    ("was", gettext_lazy("Area before"), lambda d, i: str(d["was"])),
    ("now", gettext_lazy("Area now"), lambda d, i: str(d["now"])),
    ("calls", gettext_lazy("Called"), lambda d, i: "、".join(map(str, d["calls"]))),
    (
        "tasks",
        gettext_lazy("Tasks"),
        lambda d, i: "；".join(f"{one['code']} → {one['to']}" for one in d["tasks"]),
    ),
    ("into", gettext_lazy("Merged into"), lambda d, i: str(d["into"])),
    ("from", gettext_lazy("Taken out of"), lambda d, i: str(d["from"])),
    ("twin", gettext_lazy("Repeat"), _repeat),
    ("amount", gettext_lazy("More time"), _more_time),
    ("until", gettext_lazy("Until"), lambda d, i: _moment(d["until"])),
    ("answer_stands", gettext_lazy("The lead's answer"), _ruling),
    ("score", gettext_lazy("Rating"), lambda d, i: _choice(Score, d["score"])),
    (
        "further_score",
        gettext_lazy("One more rating"),
        lambda d, i: _choice(Score, d["further_score"]),
    ),
    ("solved", gettext_lazy("Solved?"), lambda d, i: _("Yes") if d["solved"] else _("No")),
    ("reopened", gettext_lazy("Opened again"), _reopened),
)


def channel_labels(kinds: Iterable[str]) -> list[str]:
    """Return the names of channels a rule prescribes."""
    return [str(labels(Channel.Kind)[kind]) for kind in kinds]


def calls(
    rows: Iterable[EmergencyCall], incident: Incident, user: User, scope: Scope
) -> list[dict[str, Any]]:
    """Return calls by standing order as a list says them.

    ``state`` is "has" (acknowledged), "rings", "silent" (its time is over), "nobody" (vacant),
    "waits" (its turn may come) or "spared" (somebody had it before). ``may``: the reader may say
    "I have it".
    """
    held = list(rows)
    answered = {row.kind for row in held if row.acknowledged_at}
    last = {row.kind: row.pk for row in held if row.called_at}
    commands = scope.holds(Role.COMMAND, [incident.county_id])
    return [
        {
            "pk": row.pk,
            "kind": row.get_kind_display(),
            "position": row.position,
            "label": call_label(row),
            "state": (state := _call_state(row, answered, last)),
            "words": CALL_WORDS[state],
            "at": row.called_at,
            "has_at": row.acknowledged_at,
            "has": str(row.acknowledged_by or ""),
            "seconds": row.seconds,
            "channels": channel_labels(row.channels),
            "may": state in {"rings", "silent"} and (commands or is_called(row, user, scope)),
        }
        for row in held
    ]


CALL_WORDS = {
    "has": gettext_lazy("has it"),
    "rings": gettext_lazy("called, not acknowledged yet"),
    "silent": gettext_lazy("called, not acknowledged"),
    "nobody": gettext_lazy("nobody holds the post"),
    "waits": gettext_lazy("is called next if nobody answers"),
    "spared": gettext_lazy("not needed"),
}


def _call_state(row: EmergencyCall, answered: set[str], last: Mapping[str, int]) -> str:
    if row.acknowledged_at:
        return "has"
    if row.nobody:
        return "nobody"
    if row.called_at is None:
        return "spared" if row.kind in answered else "waits"
    return "rings" if last[row.kind] == row.pk and row.kind not in answered else "silent"


def tasks(page: CasePage, user: User, scope: Scope, now: datetime) -> list[dict[str, Any]]:
    """Return the tasks of a case as rows; ``url`` is "" where the reader may not open one."""
    rows = []
    for task in page.tasks:
        task.parent = page.incident
        clock = due(task, now)
        ended = f"{timezone.localtime(task.ended_at):%m-%d %H:%M}" if task.ended_at else ""
        seen = task.visible_by(user, scope)
        rows.append(
            {
                "text": task.summary,
                "code": task.tracking_code,
                "url": reverse("incident", args=[task.tracking_code]) if seen else "",
                "owner": str(task.owner or "–"),
                "clock": clock,
                "level": "done" if ended else "over" if task.overdue_at else clock.level,
                "ended": ended,
                "dropped": bool(ended) and task.verified_at is None,
                "state": task.state,
                "state_label": labels(State)[task.state],
            }
        )
    return rows


def suggestion(page: CasePage) -> dict[str, Any] | None:
    """Return what the AI thought and why it did, or did not, act; None when it had no say."""
    told = next((e for e in reversed(page.events) if e.action == "suggest"), None)
    row = page.suggestion
    if told is None and row is None:
        return None
    data = told.data if told else {}
    names = catalogue_names()["codes"]
    return {
        "category": row.category.label if row and row.category else "",
        "percent": round(row.confidence * 100) if row and row.confidence else None,
        "asked": round(data["threshold"] * 100) if data.get("threshold") else None,
        "words": row.words if row else [],
        "others": [
            {"name": names.get(code, code), "percent": round(share * 100)}
            for code, share in (row.alternatives if row else [])[:3]
        ],
        "version": row.model_version if row else None,
        "outcome": row.get_outcome_display() if row else "",
        "article": row.article if row else None,
        "fit": round(row.fit * 100) if row and row.fit is not None else None,
        "draft": row.draft if row else "",
        "drafted_by": row.drafted_by if row else "",
        "why": _why(data),
        "twins": data.get("twins") or [],
    }


def exchange(page: CasePage) -> dict[str, Any] | None:
    """Return what was asked, answered and said of the answer, once that was "not solved".

    question, asked_at; answer, answered_at, title, source, published_on, fit (percent or None),
    version of the model or None; words, said_at. No query.
    """
    said = next((e for e in reversed(page.events) if e.action == "not_solved"), None)
    if said is None:
        return None
    told = next(e for e in reversed(page.events) if e.action == "answer" and e.seq < said.seq)
    read = next((e for e in page.events if e.action == "suggest"), None)
    fit = told.data.get("fit")
    return {
        "question": page.incident.text,
        "asked_at": page.incident.reported_at,
        "answer": told.note,
        "answered_at": told.at,
        "by": who(told),
        "title": told.data.get("title", ""),
        "source": told.data.get("source", ""),
        "published_on": told.data.get("published_on", ""),
        "fit": None if fit is None else round(fit * 100),
        "version": read.data.get("model") if read else None,
        "words": said.note,
        "said_at": said.at,
    }


def reading(page: CasePage) -> dict[str, Any] | None:
    """Return what was read in the text besides the matter, ready to be taken; None if nothing.

    places: {name, query}; spot; times: {text, value}; urgent: words; roads: {label, words, step}.
    """
    told = next((e for e in reversed(page.events) if e.action == "suggest"), None)
    read = told.data.get("read") if told else None
    if not read:
        return None
    names = catalogue_names()["codes"]
    return {
        "places": [_named_place(one, page.incident) for one in read.get("places", ())],
        "spot": read.get("spot", ""),
        "times": [_said_time(one) for one in read.get("times", ())],
        "urgent": read.get("urgent", ()),
        "roads": [
            {
                "label": names.get(one["category"], one["category"]),
                "words": one["words"],
                "step": f"exit_{one['road']}",
            }
            for one in read.get("roads", ())
        ],
    }


def _named_place(one: Mapping[str, Any], incident: Incident) -> dict[str, Any]:
    ids = dict(zip(("town", "village", "grid"), one["ids"], strict=False))
    own = (incident.town_id, incident.village_id, incident.grid_id)
    return {
        "name": " · ".join(one["names"]),
        "query": urlencode(ids),
        "is_own": tuple(ids.values()) == own[: len(ids)],
    }


# How exactly a time is meant.
_AS_SAID = {
    "minute": "%Y-%m-%d %H:%M",
    "hour": "%Y-%m-%d %H:%M",
    "part": "%Y-%m-%d",
    "day": "%Y-%m-%d",
    "since": "%Y-%m-%d",
}


def _said_time(one: Mapping[str, Any]) -> dict[str, str]:
    moment = timezone.localtime(parse_datetime(one["at"]))
    when = f"{moment:{_AS_SAID[one['precision']]}}"
    template = _("Since about %(when)s") if one["precision"] == "since" else _("Happened %(when)s")
    text = template % {"when": when}
    return {"text": text, "said": one["words"], "value": f"{text}（{one['words']}）"}


def _why(data: Mapping[str, Any]) -> str:
    """Return in one sentence what the AI did or why it left the case to a person."""
    sentences = {
        "answer": _("A question with an article that fits: answered."),
        "dispatch": _("Sure enough, and the county lets AI dispatch this item: dispatched."),
        "emergency": _("Words of a possible emergency: a person must decide at once."),
        "no_model": _("No trained model is in force."),
        "unknown": _("The item is not in the catalogue any more."),
        "road": _("This item has a road of its own: a person sends it there."),
        "unsure": _("Not sure enough to act alone: only a suggestion."),
        "only_suggests": _("The county lets the AI only suggest here: a person decides."),
        "off": _("The AI is switched off for this item."),
        "not_allowed": _("The county does not let AI dispatch this item: only a suggestion."),
        "no_place": _("The place is not known yet: only a suggestion."),
        "calendar_missing": _(
            "The working calendar of a year is missing, so no deadline can be set."
        ),
        "error": _("The triage stopped with an error; a person must look."),
    }
    return sentences.get(data.get("path", ""), "")


def waiting_for(incident: Incident) -> str:
    """Return in one sentence whose turn it is."""
    owner = incident.owner
    name = getattr(owner, "label", "") or (owner.name if owner else "")
    sentences: dict[str, str] = {
        State.REPORTED: _("Waiting for triage."),
        State.PENDING: _("Waiting to be dispatched."),
        State.DISPATCHED: _("Waiting for %(owner)s to accept."),
        State.OBJECTED: _("Waiting for the command centre to decide on the objection."),
        State.ACCEPTED: _("%(owner)s has accepted and is on the way."),
        State.ARRIVED: _("%(owner)s is handling it."),
        State.WHISTLED: _("Waiting for the called departments."),
        State.RULING: _("Waiting for the command centre to rule."),
        State.RESPONDED: _("Waiting for somebody else to check the result."),
        State.CALLBACK: _("Waiting for the reporter's rating."),
        State.ANSWERED: _("Answered; the reporter may say it is not solved."),
        State.SUSPENDED: _("Suspended until %(until)s."),
        State.SUPERVISED: _("Waiting for the command centre: opened again too often."),
    }
    if incident.owner_area and incident.handler:
        name = f"{name} {incident.handler}"
    until = incident.suspended_until
    return sentences.get(incident.state, "") % {
        "owner": name,
        "until": f"{timezone.localtime(until):%Y-%m-%d %H:%M}" if until else "",
    }
