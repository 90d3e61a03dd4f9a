"""The whistle: several departments called in to one case, each answering for itself.

The case goes on to verification when the lead has answered and every co-handler
has signed. Dissent stops it until the command centre rules.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.utils.translation import gettext as _

from core.errors import Conflict, Invalid, NotAllowed
from grids.models import Department, Role
from incidents.models import Incident, PartyState, Stage, State, Tier, Whistle, WhistleParty
from incidents.services import clocks
from incidents.services.handling import check_evidence, lapse_requests, to_verification
from incidents.services.step import Step, person, required, step
from incidents.workflow import Actor

# Parties whose word falls with the lead's answer; who never came does not come by that.
SPOKEN = frozenset({PartyState.ANSWERED, PartyState.SIGNED, PartyState.DISSENTED})
# What is still awaited of a party that has not come yet.
AWAITED: dict[str, Stage] = {PartyState.CALLED: Stage.ACCEPT, PartyState.ACCEPTED: Stage.ARRIVE}


@dataclass(frozen=True)
class Call:
    """One department to call, and what is asked of it."""

    department: Department
    ask: str = ""
    is_lead: bool = False


def blow(
    *,
    incident_id: int,
    actor: Actor,
    ask: str,
    calls: Sequence[Call],
    meet_at: datetime | None = None,
    meet_place: str = "",
    seen: int | None = None,
) -> Whistle:
    """Call one lead and at least one co-handler in, each with clocks of its own."""
    with step(incident_id=incident_id, action="blow_whistle", actor=actor, seen=seen) as case:
        incident = case.incident
        _check_calls(incident, calls)
        lead = next(call for call in calls if call.is_lead)
        case.note = required(ask, "ask")
        case.data = {
            "lead": lead.department.name,
            "parties": [call.department.name for call in calls if not call.is_lead],
            "meet_at": meet_at.isoformat() if meet_at else None,
            "meet_place": meet_place.strip(),
        }
        incident.tier = Tier.WHISTLE
        incident.owner_department, incident.owner_area = lead.department, None
        incident.handler = None
        incident.dispatched_at = case.now
        incident.accepted_at = incident.arrived_at = incident.responded_at = None
        if incident.deadline_version_id is None:
            incident.deadline_version = clocks.current_version(incident.category, on=case.now)
        lapse_requests(case, _("The case went another way in the meantime."))
        clocks.finish(case, Stage.TRIAGE)
        clocks.drop(case, Stage.ACCEPT, Stage.ARRIVE, Stage.RESPOND)
        clocks.start(case, Stage.RESPOND, Stage.RESOLVE)
        whistle = Whistle.objects.create(
            incident=incident,
            round=incident.round,
            ask=case.note,
            meet_at=meet_at,
            meet_place=meet_place.strip(),
            blown_by=person(actor),
            blown_at=case.now,
        )
        for call in calls:
            party = WhistleParty.objects.create(
                whistle=whistle,
                department=call.department,
                is_lead=call.is_lead,
                ask=call.ask.strip(),
            )
            clocks.start(case, Stage.ACCEPT, party=party)
            case.tell("whistle", department=call.department, lead=call.is_lead)
        case.count("whistle")
    return whistle


def _check_calls(incident: Incident, calls: Sequence[Call]) -> None:
    if sum(call.is_lead for call in calls) != 1:
        raise Invalid(_("Choose exactly one lead."), field="lead")
    if len(calls) < 2:
        raise Invalid(_("A whistle calls at least two departments."), field="parties")
    if len({call.department.pk for call in calls}) != len(calls):
        raise Invalid(_("Each department is called once."), field="parties")
    if any(
        not call.department.active or call.department.county_id != incident.county_id
        for call in calls
    ):
        raise Invalid(_("This department cannot be chosen."), field="parties")


def party_accept(
    *, incident_id: int, actor: Actor, department: Department, seen: int | None = None
) -> Incident:
    """The department takes the call."""
    with step(incident_id=incident_id, action="party_accept", actor=actor, seen=seen) as case:
        party = _party(case, department, PartyState.CALLED)
        _advance(case, party, PartyState.ACCEPTED, "accepted_at")
        clocks.finish(case, Stage.ACCEPT, party=party)
        clocks.start(case, Stage.ARRIVE, party=party)
    return case.incident


def party_arrive(
    *,
    incident_id: int,
    actor: Actor,
    department: Department,
    note: str = "",
    seen: int | None = None,
) -> Incident:
    """The department reports in on site."""
    with step(incident_id=incident_id, action="party_arrive", actor=actor, seen=seen) as case:
        party = _party(case, department, PartyState.ACCEPTED)
        case.note = note.strip()
        _advance(case, party, PartyState.ARRIVED, "arrived_at")
        clocks.finish(case, Stage.ARRIVE, party=party)
    return case.incident


def party_answer(
    *,
    incident_id: int,
    actor: Actor,
    department: Department,
    opinion: str,
    photo_ids: Sequence[UUID] = (),
    seen: int | None = None,
) -> Incident:
    """The department gives its opinion with evidence.

    The lead's answer is what the others sign and what the reporter reads.
    """
    with step(incident_id=incident_id, action="party_answer", actor=actor, seen=seen) as case:
        party = _party(case, department, PartyState.ARRIVED)
        case.note = party.opinion = required(opinion, "opinion")
        case.photo_ids = list(photo_ids)
        if party.is_lead:
            check_evidence(case.incident, photo_ids)
            case.public = True
            case.incident.handler = person(actor)
            for other in party.whistle.parties.exclude(pk=party.pk).select_related("department"):
                case.tell("whistle_sign", department=other.department)
        _advance(case, party, PartyState.ANSWERED, "answered_at")
        _close_if_agreed(case, party.whistle)
    return case.incident


def party_sign(
    *,
    incident_id: int,
    actor: Actor,
    department: Department,
    note: str = "",
    seen: int | None = None,
) -> Incident:
    """A co-handler signs the lead's answer."""
    with step(incident_id=incident_id, action="party_sign", actor=actor, seen=seen) as case:
        party = _signer(case, department)
        case.note = note.strip()
        _advance(case, party, PartyState.SIGNED, "signed_at")
        _close_if_agreed(case, party.whistle)
    return case.incident


def party_dissent(
    *, incident_id: int, actor: Actor, department: Department, reason: str, seen: int | None = None
) -> Incident:
    """A co-handler dissents from the lead's answer; the command centre must rule."""
    with step(incident_id=incident_id, action="party_dissent", actor=actor, seen=seen) as case:
        party = _signer(case, department)
        case.note = party.dissent = required(reason, "reason")
        _advance(case, party, PartyState.DISSENTED, "signed_at")
        case.tell_command("dissent", department_name=department.name)
    return case.incident


def rule(
    *,
    incident_id: int,
    actor: Actor,
    ruling: str,
    answer_stands: bool,
    needless: bool = False,
    seen: int | None = None,
) -> Incident:
    """Rule on the dissent: the lead's answer stands, or the lead must answer again."""
    with step(incident_id=incident_id, action="rule", actor=actor, seen=seen) as case:
        whistle = _open_whistle(case.incident)
        case.note = whistle.ruling = required(ruling, "ruling")
        whistle.ruled_by = person(actor)
        case.data = {"answer_stands": answer_stands, "needless": needless}
        if answer_stands:
            whistle.needless = needless or None
            case.to(State.RESPONDED)
            _close(case, whistle)
        else:
            case.to(State.WHISTLED)
            whistle.parties.filter(state__in=SPOKEN).update(
                state=PartyState.ARRIVED, answered_at=None, signed_at=None
            )
        whistle.save()
        for party in whistle.parties.select_related("department"):
            case.tell("ruling", department=party.department)
    return case.incident


def call_again(case: Step) -> None:
    """After a failed verification: open the case's last whistle again with the same parties."""
    whistle = case.incident.whistles.latest("id")
    whistle.closed_at, whistle.needless = None, None
    whistle.save(update_fields=["closed_at", "needless"])
    whistle.parties.filter(state__in=SPOKEN).update(
        state=PartyState.ARRIVED, answered_at=None, signed_at=None, opinion="", dissent=""
    )
    clocks.start(case, Stage.RESPOND)
    for party in whistle.parties.select_related("department"):
        if party.state in AWAITED:
            clocks.start(case, AWAITED[party.state], party=party)
        case.tell("sent_back", department=party.department)


def judge(case: Step, *, needless: bool) -> bool:
    """Let the command centre judge the whistle of this round, unless its ruling has.

    A town does not judge its own: what it checks stays unjudged. Returns whether the whistle
    was needless. Raises NotAllowed for anybody else who says so.
    """
    commands = case.actor.scope.holds(Role.COMMAND, [case.incident.county_id])
    if needless and not commands:
        raise NotAllowed(_("The command centre judges whether a whistle was needed."))
    if case.incident.tier != Tier.WHISTLE:
        return False
    whistle = case.incident.whistles.filter(round=case.incident.round).order_by("-id").first()
    if whistle is None:
        return False
    if whistle.needless is None and commands:
        whistle.needless = needless
        whistle.save(update_fields=["needless"])
    return bool(whistle.needless)


def _open_whistle(incident: Incident) -> Whistle:
    return incident.whistles.select_for_update().get(closed_at__isnull=True)


def _party(case: Step, department: Department, state: str) -> WhistleParty:
    party = (
        WhistleParty.objects.select_related("whistle", "department")
        .filter(
            whistle__incident=case.incident,
            whistle__closed_at__isnull=True,
            department=department,
            department_id__in=case.actor.scope.department_ids,
        )
        .first()
    )
    if party is None:
        raise Invalid(_("Your department was not called in to this case."), field="department")
    if party.state != state:
        raise Conflict(
            _("%(department)s is already at “%(state)s”."),
            department=party.department.label,
            state=party.get_state_display(),
        )
    return party


def _signer(case: Step, department: Department) -> WhistleParty:
    party = _party(case, department, PartyState.ANSWERED)
    if party.is_lead:
        raise Invalid(_("The lead answers; the others sign."), field="department")
    lead = party.whistle.parties.get(is_lead=True)
    if lead.state != PartyState.ANSWERED:
        raise Conflict(_("The lead has not answered yet."))
    return party


def _advance(case: Step, party: WhistleParty, state: str, moment: str) -> None:
    party.state = state
    party.handler = person(case.actor)
    setattr(party, moment, case.now)
    party.save()
    case.data = {"department": party.department.name, "party": party.pk, "lead": party.is_lead}


def _close_if_agreed(case: Step, whistle: Whistle) -> None:
    parties = list(whistle.parties.all())
    agreed = all(
        party.state == (PartyState.ANSWERED if party.is_lead else PartyState.SIGNED)
        for party in parties
    )
    if agreed:
        case.to(State.RESPONDED)
        _close(case, whistle)
        whistle.save()


def _close(case: Step, whistle: Whistle) -> None:
    whistle.closed_at = case.now
    to_verification(case)
