"""Triage by a person, the roads that leave the normal one, dispatch, objection, arbiter.

The first receiver owns a case until somebody else accepts it; an arbiter's
decision is final; nothing goes down to a village that villages do not do.
"""

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from core.errors import Invalid, NotAllowed
from core.masking import mask_text
from core.text import bigrams
from grids.models import Area, Department, Level, Role
from grids.queries import place_of_area
from incidents import emergencies
from incidents.models import (
    Category,
    Incident,
    Stage,
    State,
    Suggestion,
    Tier,
    Urgency,
)
from incidents.registry import handovers
from incidents.services import clocks, routing, standing
from incidents.services.assigning import assign
from incidents.services.handling import lapse_requests
from incidents.services.step import Step, lock, required, step
from incidents.workflow import COMMAND_RUNG, LADDER, SYSTEM, Actor, area_of_rung

VILLAGE_LEVELS: frozenset[str] = frozenset({Level.VILLAGE, Level.GRID, Level.UNIT})


def triage(
    *,
    incident_id: int,
    actor: Actor,
    category: Category,
    tier: str = "",
    area: Area | None = None,
    address: str | None = None,
    urgent: bool = False,
    note: str = "",
    send: bool = True,
    seen: int | None = None,
) -> Incident:
    """Decide category, tier and place; with ``send`` the routing rules dispatch at once.

    ``address`` are the place's words where they are known better; ``urgent`` adds to what the
    category says.
    A whistle case stays pending: a town or the command centre must blow it.
    """
    with transaction.atomic():
        with step(incident_id=incident_id, action="triage", actor=actor, seen=seen) as case:
            incident = case.incident
            _judge_suggestion(incident, category, actor)
            incident.category = category
            incident.tier = tier or category.tier
            incident.deadline_version = clocks.current_version(category, on=case.now)
            incident.triaged_at = case.now
            incident.triage_tried_at = incident.triage_tried_at or case.now
            if category.urgent or urgent:
                incident.urgency = max(incident.urgency, Urgency.URGENT)
            if address is not None:
                _correct_address(incident, address)
            if area is not None and area.pk != incident.area_id:
                case.move(place_of_area(area))
            # Runs until somebody has the case: also while a whistle or a dispatcher is awaited.
            clocks.start(case, Stage.TRIAGE)
            case.note = note.strip()
            case.data = {"category": category.code, "tier": incident.tier}
            if incident.tier == Tier.WHISTLE and incident.town_id:
                case.tell("whistle_wanted", role=Role.TOWN_ADMIN, area_id=incident.town_id)
        if send and case.incident.tier != Tier.WHISTLE:
            dispatch_by_rules(incident_id=incident_id)
    return case.incident


def _correct_address(incident: Incident, address: str) -> None:
    """Keep the words of the place, masked, and find the case by them."""
    words = mask_text(address.strip())[:200]
    if words != incident.address:
        incident.address = words
        incident.bigrams = bigrams(f"{incident.text} {words}")


def _judge_suggestion(incident: Incident, category: Category, actor: Actor) -> None:
    """Note on the AI's latest suggestion whether a person agreed."""
    if actor.user is None:
        return
    suggestion = Suggestion.objects.filter(incident=incident).order_by("-id").first()
    if suggestion is None:
        return
    agreed = suggestion.category_id == category.pk
    suggestion.outcome = Suggestion.Outcome.CONFIRMED if agreed else Suggestion.Outcome.OVERRULED
    suggestion.save(update_fields=["outcome"])


def dispatch_by_rules(*, incident_id: int) -> Incident | None:
    """Dispatch as the routing rules say; None when they leave it to a person.

    The explanation, with every rule that errored, is on the timeline either way.
    """
    incident = lock(incident_id)
    decision = routing.decide(incident)
    if decision.owner is None:
        routing.tell_undecided(incident, decision)
        return None
    return dispatch(
        incident_id=incident_id,
        actor=SYSTEM,
        department=decision.department,
        area=decision.area,
        explanation=decision.explanation,
    )


def dispatch(
    *,
    incident_id: int,
    actor: Actor,
    department: Department | None = None,
    area: Area | None = None,
    note: str = "",
    explanation: list[dict] | None = None,
    seen: int | None = None,
) -> Incident:
    """Send the case to a department, or to a grid, village or town of its own place."""
    with step(incident_id=incident_id, action="dispatch", actor=actor, seen=seen) as case:
        check_target(case.incident, actor, department, area)
        case.note = note.strip()
        case.data = {"to": str(department or area), "explanation": explanation or []}
        hand_to(case, department=department, area=area)
    return case.incident


def check_target(
    incident: Incident, actor: Actor, department: Department | None, area: Area | None
) -> None:
    """Raise unless exactly one owner is named and the case may go there."""
    if (department is None) == (area is None):
        raise Invalid(_("Choose one department or one area."), field="owner")
    if department is not None:
        if not department.active or department.county_id != incident.county_id:
            raise Invalid(_("This department cannot be chosen."), field="owner")
        if actor.user is not None and not actor.scope.holds(Role.COMMAND, [incident.county_id]):
            raise NotAllowed(
                _("A town calls departments in by whistle; the command centre dispatches to them.")
            )
        return
    assert area is not None
    if area.level not in VILLAGE_LEVELS | {Level.TOWN} or area.closed_on:
        raise Invalid(_("A case goes to a town, village, grid or unit."), field="owner")
    if not _same_town(incident, area):
        raise Invalid(_("This area is not in the town of the case."), field="owner")
    check_village_list(incident.category, area)


def check_village_list(category: Category | None, area: Area | None) -> None:
    """Raise NotAllowed, naming the item, for a village, grid or unit that does not do it."""
    if area is None or area.level not in VILLAGE_LEVELS:
        return
    if category is None or not category.village_allowed:
        raise NotAllowed(
            _(
                "“%(item)s” (%(code)s) is not on the list of what villages do; "
                "it cannot be sent to a village or grid."
            ),
            item=category.label if category else "–",
            code=category.code if category else "–",
        )


def fit_for(incident: Incident, area: Area) -> Area:
    """Return the area, or the town above it where villages do not do such things any more.

    For roads nobody chooses: a case that climbs or is opened again must not stop at the list.
    """
    if area.level in VILLAGE_LEVELS and not (
        incident.category and incident.category.village_allowed
    ):
        return Area.objects.get(path__in=area.lineage_paths, level=Level.TOWN)
    return area


def _same_town(incident: Incident, area: Area) -> bool:
    return incident.town_id in set(
        Area.objects.filter(path__in=area.lineage_paths, level=Level.TOWN).values_list(
            "pk", flat=True
        )
    )


def hand_to(
    case: Step,
    *,
    department: Department | None = None,
    area: Area | None = None,
    roles: Sequence[str] = (),
) -> None:
    """Give the case to its next owner, a grid's to one of its workers, and start its clocks.

    Raises NotAllowed for a village that does not do such things, whoever sends it there.
    """
    incident = case.incident
    check_village_list(incident.category, area)
    clocks.finish(case, Stage.TRIAGE)
    clocks.drop(case, Stage.ACCEPT, Stage.ARRIVE, Stage.RESPOND, Stage.VERIFY)
    incident.owner_department, incident.owner_area = department, area
    assign(case, area, roles=roles)
    incident.dispatched_at = case.now
    incident.accepted_at = incident.arrived_at = incident.responded_at = None
    incident.rung = 0
    if incident.deadline_version_id is None:
        incident.deadline_version = clocks.current_version(incident.category, on=case.now)
    clocks.start(case, Stage.ACCEPT, Stage.RESOLVE)
    if incident.handler_id:
        case.tell("dispatched", user_id=incident.handler_id)
    else:
        case.tell_owner("dispatched")


def take_up(*, incident_id: int, rung: int, now: datetime) -> Incident:
    """Let a rung of the ladder have the case of whoever let its deadline pass.

    A village or town becomes its owner; the command centre dispatches it anew.
    """
    with step(incident_id=incident_id, action="take_up", actor=SYSTEM, now=now) as case:
        incident = case.incident
        case.data = {"rung": rung}
        case.tell_owner("taken_up")
        lapse_requests(case, _("The case went another way in the meantime."))
        if rung >= COMMAND_RUNG:
            back_to_command(case)
            case.tell_command("taken_up_here")
        else:
            case.to(State.DISPATCHED)
            area = Area.objects.get(pk=area_of_rung(incident, rung))
            hand_to(case, area=fit_for(incident, area), roles=(LADDER[rung],))
        incident.rung = rung
    return incident


def back_to_command(case: Step) -> None:
    """Let the case wait, without an owner, for the command centre to dispatch it anew."""
    incident = case.incident
    case.to(State.PENDING)
    clocks.drop(case)
    without_owner(incident)
    incident.rung = COMMAND_RUNG
    clocks.start(case, Stage.TRIAGE)


def without_owner(incident: Incident) -> None:
    """Take the case from whoever has it."""
    incident.owner_department = incident.owner_area = incident.handler = None


def object_to(*, incident_id: int, actor: Actor, reason: str, seen: int | None = None) -> Incident:
    """Object to the dispatch, once, with a reason; the receiver keeps the case meanwhile."""
    with step(incident_id=incident_id, action="object", actor=actor, seen=seen) as case:
        case.note = required(reason, "reason")
        if case.incident.parent_id is not None:
            case.tell_splitter("task_sent_back")
        case.tell_command("objection")
    return case.incident


def uphold_objection(
    *,
    incident_id: int,
    actor: Actor,
    reason: str,
    department: Department | None = None,
    area: Area | None = None,
    seen: int | None = None,
) -> Incident:
    """Decide for the objector: the case goes to another owner, whose turn to object is over."""
    with step(incident_id=incident_id, action="uphold_objection", actor=actor, seen=seen) as case:
        check_target(case.incident, actor, department, area)
        same = (department or area) == case.incident.owner
        if same:
            raise Invalid(_("The objection was upheld: choose somebody else."), field="owner")
        case.note = required(reason, "reason")
        case.incident.objection_used = True
        case.data = {"to": str(department or area), "final": True}
        case.tell_owner("objection_upheld")
        hand_to(case, department=department, area=area)
    return case.incident


def reject_objection(
    *, incident_id: int, actor: Actor, reason: str, seen: int | None = None
) -> Incident:
    """Decide against the objector: the case stays, and the decision is final."""
    with step(incident_id=incident_id, action="reject_objection", actor=actor, seen=seen) as case:
        case.note = required(reason, "reason")
        case.incident.objection_used = True
        case.data = {"final": True}
        case.tell_owner("objection_rejected")
    return case.incident


def leave(
    *, incident_id: int, actor: Actor, road: str, note: str, seen: int | None = None
) -> Incident:
    """Take the case off the normal road: ``emergency``, ``statutory`` or ``out_of_remit``.

    The note says who was called, or which road is the right one; the reporter reads it. An
    emergency's standing orders are carried out, unless they were when it came in.
    """
    with transaction.atomic():
        with step(incident_id=incident_id, action=f"exit_{road}", actor=actor, seen=seen) as case:
            case.note = required(note, "note")
            _end(case, road)
        if road == "emergency":
            numbers = [service.number for service in emergencies.find(case.incident.text)]
            standing.start(incident_id=incident_id, numbers=numbers, now=case.now)
    return case.incident


def hand_over(
    *, incident_id: int, actor: Actor, to: str, note: str, seen: int | None = None
) -> Incident:
    """Hand the matter over to another part of the house, e.g. mediation."""
    if to not in handovers:
        raise Invalid(_("There is nobody to hand this over to."), field="to")
    with step(incident_id=incident_id, action="hand_over", actor=actor, seen=seen) as case:
        case.note = required(note, "note")
        number = handovers[to](incident=case.incident, actor=actor, note=case.note)
        case.data = {"to": to, "number": number}
        _end(case, to)
    return case.incident


def _end(case: Step, metric: str) -> None:
    clocks.drop(case)
    lapse_requests(case, _("The case went another way in the meantime."))
    case.count(f"exit:{metric}")


def recall(*, incident_id: int, actor: Actor, reason: str, seen: int | None = None) -> Incident:
    """Bring a case that left the normal road back to triage."""
    with step(incident_id=incident_id, action="recall", actor=actor, seen=seen) as case:
        case.note = required(reason, "reason")
        case.incident.merged_into = None
        # Of a merged case they stand still.
        clocks.drop(case)
        without_owner(case.incident)
        clocks.start(case, Stage.TRIAGE)
    return case.incident


def remark(*, incident_id: int, actor: Actor, note: str, photo_ids: list | None = None) -> Incident:
    """Add a remark for colleagues; nothing else changes."""
    with step(incident_id=incident_id, action="remark", actor=actor) as case:
        case.note = required(note, "note")
        case.photo_ids = photo_ids or []
    return case.incident
