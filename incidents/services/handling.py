"""The owner's work: accept, arrive, respond, on the spot; more time, suspension.

What must not live here: who checks the result (verification.py).
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.utils.translation import gettext as _

from core.errors import Conflict, Invalid, NotAllowed
from core.models import Timer
from core.services.timers import TimerSpec, cancel_timers, set_timers
from core.working_calendar import Unit
from grids.models import Area, Level
from incidents.models import Category, Extension, Incident, Stage, State, Tier
from incidents.queries.case import photo_rule
from incidents.queries.more_time import cap_of
from incidents.services import clocks
from incidents.services.step import Step, person, required, step
from incidents.workflow import SYSTEM, Actor

# An extension asks for at most this much, in each unit.
EXTENSION_LIMIT = {
    Unit.CALENDAR_HOURS: 24 * 30,
    Unit.CALENDAR_DAYS: 30,
    Unit.WORKING_DAYS: 30,
    Unit.WORKING_HOURS: 8 * 30,
}


def accept(*, incident_id: int, actor: Actor, seen: int | None = None) -> Incident:
    """Take the case on; from now on it is the handler's."""
    with step(incident_id=incident_id, action="accept", actor=actor, seen=seen) as case:
        case.incident.handler = person(actor)
        case.incident.accepted_at = case.now
        clocks.finish(case, Stage.ACCEPT)
        clocks.start(case, Stage.ARRIVE, Stage.RESPOND)
    return case.incident


def arrive(*, incident_id: int, actor: Actor, note: str = "", seen: int | None = None) -> Incident:
    """Say that somebody is on site."""
    with step(incident_id=incident_id, action="arrive", actor=actor, seen=seen) as case:
        case.incident.arrived_at = case.now
        case.note = note.strip()
        clocks.finish(case, Stage.ARRIVE)
    return case.incident


def respond(
    *,
    incident_id: int,
    actor: Actor,
    result: str,
    photo_ids: Sequence[UUID] = (),
    seen: int | None = None,
) -> Incident:
    """Report what was done, with evidence; the case goes to be verified by somebody else.

    Raises Invalid without a photo where the item, or a hazard found at an inspection, asks for one.
    """
    with step(incident_id=incident_id, action="respond", actor=actor, seen=seen) as case:
        check_evidence(case.incident, photo_ids)
        case.note = result_text(result)
        case.photo_ids = list(photo_ids)
        case.incident.handler = person(actor)
        to_verification(case)
    return case.incident


def handle_on_spot(
    *,
    incident_id: int,
    actor: Actor,
    result: str,
    category: Category | None = None,
    photo_ids: Sequence[UUID] = (),
    seen: int | None = None,
) -> Incident:
    """Settle an ordinary matter where it is: the worker's grid takes it and responds at once.

    A photo is asked for: nobody else saw it. Refused for what villages do not do.
    """
    with step(incident_id=incident_id, action="handle_on_spot", actor=actor, seen=seen) as case:
        incident = case.incident
        incident.category = incident.category or category
        if incident.category is None:
            raise Invalid(_("Choose a category first."), field="category")
        if not incident.category.village_allowed:
            raise NotAllowed(
                _("“%(category)s” is not on the list of what villages do; please report it.")
                % {"category": incident.category.label}
            )
        if not photo_ids:
            raise Invalid(_("Please add a photo of the result."), field="photos")
        case.note = result_text(result)
        case.photo_ids = list(photo_ids)
        incident.tier = Tier.LOCAL
        incident.deadline_version = clocks.current_version(incident.category, on=case.now)
        incident.owner_department = None
        incident.owner_area = Area.objects.get(pk=incident.grid_id)
        incident.handler = person(actor)
        incident.triaged_at = incident.triaged_at or case.now
        incident.triage_tried_at = incident.triage_tried_at or case.now
        incident.dispatched_at = incident.accepted_at = incident.arrived_at = case.now
        clocks.finish(case, Stage.TRIAGE, Stage.ACCEPT, Stage.ARRIVE)
        to_verification(case)
    return case.incident


def result_text(text: str) -> str:
    """Return what was done, without surrounding space. Raises Invalid when nothing is said."""
    text = text.strip()
    if len(text) < 2:
        raise Invalid(_("Please say what was done."), field="result")
    return text


def check_evidence(incident: Incident, photo_ids: Sequence[UUID]) -> None:
    """Raise Invalid, naming the rule, for an answer without the photo it needs (≤ 1 query)."""
    rule = "" if photo_ids else photo_rule(incident)
    if rule:
        raise Invalid(rule, field="photos")


def to_verification(case: Step) -> None:
    """Put the case where somebody else checks it, and tell those who may."""
    incident = case.incident
    incident.responded_at = case.now
    lapse_requests(case, _("Answered in the meantime."))
    clocks.finish(case, Stage.ACCEPT, Stage.ARRIVE, Stage.RESPOND)
    clocks.start(case, Stage.VERIFY)
    area = incident.owner_area
    if incident.parent_id is not None:
        case.tell_splitter("task_answered")
    elif area is not None and area.level in {Level.GRID, Level.UNIT} and incident.village_id:
        case.tell("to_verify", role="village_office", area_id=incident.village_id)
    elif incident.town_id and not (area and area.level == Level.TOWN):
        case.tell("to_verify", role="town_admin", area_id=incident.town_id)
    else:
        case.tell_command("to_verify")


def lapse_requests(case: Step, note: str) -> None:
    """Refuse a request for more time that was overtaken before anybody decided it."""
    case.incident.extensions.filter(decision=Extension.Decision.PENDING).update(
        decision=Extension.Decision.REFUSED, decided_at=case.now, note=note
    )


def request_extension(
    *,
    incident_id: int,
    actor: Actor,
    amount: int,
    unit: str,
    reason: str,
    seen: int | None = None,
) -> Extension:
    """Ask for more time. One request waits at a time.

    Raises Invalid, naming the rule, for more than all extensions of the case together may add.
    """
    if unit not in Unit.values:
        raise Invalid(_("Choose a unit."), field="unit")
    if not 0 < amount <= EXTENSION_LIMIT[Unit(unit)]:
        raise Invalid(
            _("Ask for between 1 and %(n)s."), field="amount", n=EXTENSION_LIMIT[Unit(unit)]
        )
    with step(incident_id=incident_id, action="request_extension", actor=actor, seen=seen) as case:
        if case.incident.extensions.filter(decision=Extension.Decision.PENDING).exists():
            raise Conflict(_("A request for more time is already waiting for its decision."))
        case.note = required(reason, "reason")
        _check_cap(case, amount, unit)
        case.data = {"amount": amount, "unit": unit}
        case.tell_command("extension_wanted", **case.data)
        return Extension.objects.create(
            incident=case.incident,
            reason=case.note,
            amount=amount,
            unit=unit,
            requested_by=person(actor),
            requested_at=case.now,
        )


def _check_cap(case: Step, amount: int, unit: str) -> None:
    cap = cap_of(case.incident, case.clocks)
    if cap is None or cap.allows(amount, unit):
        return
    raise Invalid(
        _("All extensions together: at most %(cap)s (%(rule)s). Granted so far: %(used)s."),
        field="amount",
        cap=cap.words,
        rule=cap.rule,
        used=cap.used_words or _("none"),
    )


def decide_extension(
    *, incident_id: int, actor: Actor, approve: bool, note: str = "", seen: int | None = None
) -> Incident:
    """Approve or refuse the waiting request. The reporter reads an approval on the timeline."""
    action = "approve_extension" if approve else "refuse_extension"
    with step(incident_id=incident_id, action=action, actor=actor, seen=seen) as case:
        waiting = case.incident.extensions.filter(decision=Extension.Decision.PENDING).first()
        if waiting is None:
            raise Conflict(_("No request for more time is waiting."))
        if waiting.requested_by_id == person(actor).pk:
            raise NotAllowed(_("Somebody else must decide your own request."))
        if approve:
            _check_cap(case, waiting.amount, waiting.unit)
        case.note = note.strip() if approve else required(note, "note")
        case.data = {"amount": waiting.amount, "unit": waiting.unit, "reason": waiting.reason}
        waiting.decision = Extension.Decision.APPROVED if approve else Extension.Decision.REFUSED
        waiting.decided_by, waiting.decided_at, waiting.note = actor.user, case.now, case.note
        waiting.save()
        if approve:
            clocks.extend(case, amount=waiting.amount, unit=waiting.unit)
            case.count("extended")
            case.tell_reporter("extended")
            if case.incident.reporter_id:
                case.tell("extension_told", user_id=case.incident.reporter_id, **case.data)
        case.tell_owner("extension_approved" if approve else "extension_refused")
    return case.incident


def suspend(
    *,
    incident_id: int,
    actor: Actor,
    until: datetime,
    reason: str,
    seen: int | None = None,
) -> Incident:
    """Stop every clock until a moment that must be named; it resumes by itself then."""
    with step(incident_id=incident_id, action="suspend", actor=actor, seen=seen) as case:
        if until <= case.now:
            raise Invalid(_("Choose a moment in the future."), field="until")
        case.note = required(reason, "reason")
        incident = case.incident
        incident.suspended_from = case.from_state
        incident.suspended_until = until
        case.data = {"until": until.isoformat()}
        clocks.pause(case)
        set_timers(
            [
                TimerSpec(
                    subject_type="incident",
                    subject_id=incident.pk,
                    kind="suspension_over",
                    cycle=incident.last_seq + 1,
                    due_at=until,
                )
            ]
        )
        case.tell_owner("suspended", until=until.isoformat())
    return case.incident


def resume(*, incident_id: int, actor: Actor, note: str = "", seen: int | None = None) -> Incident:
    """Let a suspended case run on where it stood, with exactly the time it had left."""
    with step(incident_id=incident_id, action="resume", actor=actor, seen=seen) as case:
        incident = case.incident
        case.note = note.strip()
        case.to(incident.suspended_from or State.PENDING)
        incident.suspended_from, incident.suspended_until = "", None
        clocks.resume(case)
        if actor is not SYSTEM:
            cancel_timers("incident", incident.pk, kinds=["suspension_over"])
        case.tell_owner("resumed")
    return case.incident


def on_suspension_over(timers: list[Timer], now: datetime) -> list[Timer]:
    """Resume each suspended case whose time has come; return those busy just now."""
    free = set(
        Incident.objects.select_for_update(skip_locked=True)
        .filter(pk__in=[timer.subject_id for timer in timers])
        .values_list("pk", flat=True)
    )
    for incident in Incident.objects.filter(
        pk__in=free, state=State.SUSPENDED, suspended_until__lte=now
    ):
        resume(incident_id=incident.pk, actor=SYSTEM)
    return [timer for timer in timers if timer.subject_id not in free]
