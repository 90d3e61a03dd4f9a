"""Who mediates, who leads, and how grave the dispute is."""

from django.utils.translation import gettext_lazy as _

from core.errors import Conflict, Invalid
from grids.models import Department, Role, User
from mediation.models import Colour, Dispute, DisputeMediator
from mediation.queries import LEADER_ROLES, MEDIATOR_ROLES, candidates
from mediation.services.step import Step, required, step
from mediation.workflow import Actor

# The code of the public security office in the county's list of departments.
POLICE_DEPARTMENT = "GA"


def set_colour(
    *,
    dispute_id: int,
    colour: str,
    actor: Actor,
    reason: str,
    leader: User | None = None,
    activation_risk: bool = False,
    seen: int | None = None,
) -> Dispute:
    """Set the colour, a red case's leader, and whether the conflict may break out.

    An activation risk is reported to the police at once: the notice to their desk leaves with
    this very transaction and its time is on the dispute. Raises Invalid for red without a leader.
    """
    if colour not in Colour.values:
        raise Invalid(_("Choose a colour."), field="colour")
    reason = required(reason, "reason")
    with step(dispute_id=dispute_id, action="set_colour", actor=actor, seen=seen) as case:
        dispute = case.dispute
        if colour == Colour.RED:
            _check_leader(dispute, leader)
        before, led_before = dispute.colour, dispute.leader_id
        dispute.colour = colour
        # Off red there is no leader, and with that nobody who opens the file as one.
        dispute.leader = leader if colour == Colour.RED else None
        newly_at_risk = activation_risk and not dispute.activation_risk
        dispute.activation_risk = activation_risk
        case.note = reason
        case.data = {"from": before, "to": colour, "risk": activation_risk}
        if newly_at_risk:
            dispute.reported_to_police_at = case.now
            _tell_police(case)
        if colour == Colour.RED:
            case.data["leader"] = dispute.leader_id
            if dispute.leader_id != led_before:
                case.tell("dispute_red", user_id=dispute.leader_id)
        if colour == Colour.RED and before != Colour.RED:
            case.tell("dispute_red", role=Role.COMMAND, area_id=dispute.county_id)
            if dispute.town_id:
                case.tell("dispute_red", role=Role.TOWN_ADMIN, area_id=dispute.town_id)
    return dispute


def name_mediator(*, dispute_id: int, user: User, actor: Actor, seen: int | None = None) -> Dispute:
    """Name ``user`` to the dispute: from now on they open its file."""
    with step(dispute_id=dispute_id, action="name_mediator", actor=actor, seen=seen) as case:
        dispute = case.dispute
        if user.pk not in dict(candidates(place_ids=dispute.place_ids, roles=MEDIATOR_ROLES)):
            raise Invalid(_("This person holds no post at the place of the dispute."), field="user")
        if DisputeMediator.objects.filter(dispute=dispute, user=user, until=None).exists():
            raise Conflict(_("This person is named already."))
        DisputeMediator.objects.create(dispute=dispute, user=user, since=case.now)
        case.data = {"mediator": user.pk, "name": str(user)}
        case.tell("dispute_named", user_id=user.pk)
    return dispute


def release_mediator(
    *, dispute_id: int, user: User, actor: Actor, reason: str, seen: int | None = None
) -> Dispute:
    """End a mediator's naming: from now on the file is closed to them."""
    reason = required(reason, "reason")
    with step(dispute_id=dispute_id, action="release_mediator", actor=actor, seen=seen) as case:
        named = DisputeMediator.objects.filter(dispute=case.dispute, user=user, until=None)
        if not named.update(until=case.now):
            raise Conflict(_("This person is not named any more."))
        case.note = reason
        case.data = {"mediator": user.pk, "name": str(user)}
    return case.dispute


def _tell_police(case: Step) -> None:
    """Tell the police desk and the command centre; without such a desk the centre must call."""
    dispute = case.dispute
    county_id = dispute.county_id
    office = Department.objects.filter(
        county_id=county_id, code=POLICE_DEPARTMENT, active=True
    ).first()
    if office:
        # The police do not open the file, so their notice says where.
        place = " · ".join(str(area) for area in (dispute.town, dispute.village) if area)
        case.tell("dispute_risk", department_id=office.pk, place=place or str(dispute.county))
        case.tell("dispute_police_told", role=Role.COMMAND, area_id=county_id)
    else:
        case.tell("dispute_call_police", role=Role.COMMAND, area_id=county_id)


def _check_leader(dispute: Dispute, leader: User | None) -> None:
    if leader is None:
        raise Invalid(_("A red dispute needs a leader by name."), field="leader")
    if leader.pk not in dict(candidates(place_ids=dispute.place_ids, roles=LEADER_ROLES)):
        raise Invalid(_("This person holds no post at the place of the dispute."), field="leader")
