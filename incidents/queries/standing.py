"""Standing orders and the calls made by them: who would be called, who was, who has it.

What must not live here: calling (services/standing.py).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db.models import Max, Q, QuerySet

from grids.models import Area, Department, Level, Posting, Role, User
from grids.queries import Scope
from incidents.models import (
    EmergencyCall,
    EmergencyKind,
    Incident,
    StandingOrder,
)

# Whose post is meant by a role: the one at this level of the case's own place.
LEVEL_OF_ROLE: dict[str, str] = {
    Role.GRID_WORKER: Level.GRID,
    Role.GRID_CHIEF: Level.GRID,
    Role.VILLAGE_OFFICE: Level.VILLAGE,
    Role.TOWN_ADMIN: Level.TOWN,
    Role.COMMAND: Level.COUNTY,
    Role.COUNTY_LEADER: Level.COUNTY,
}
# How long the command centre, which always comes last, has before its leaders hear of it.
LAST_SECONDS = 180
# How far back the board looks.
BOARD_HOURS = 24
BOARD_CASES = 6


@dataclass(frozen=True)
class Planned:
    """One call as an order means it for a place. Exactly one of role, department, user is set."""

    seconds: int
    role: str = ""
    area_id: int | None = None
    department: Department | None = None
    user: User | None = None
    channels: Sequence[str] = ()

    @property
    def vacant(self) -> bool:
        """Whether the post is of a place the case does not have."""
        return bool(self.role) and self.area_id is None


def order_for(kind: str, areas: Iterable[Area | None], *, on: date) -> StandingOrder | None:
    """Return the order in force for a kind of emergency, or for any other (2 queries).

    The order of the kind itself counts before the one for any other; of several areas, the
    smallest.
    """
    lineage = [area.pk for area in areas if area is not None]
    found = StandingOrder.objects.filter(
        Q(valid_to__isnull=True) | Q(valid_to__gt=on),
        kind__in={kind, EmergencyKind.OTHER},
        area_id__in=lineage,
        valid_from__lte=on,
    ).select_related("area")
    return max(
        found.prefetch_related("steps__department", "steps__user"),
        key=lambda order: (order.kind == kind, order.area.depth),
        default=None,
    )


def plan(order: StandingOrder, areas: Iterable[Area | None]) -> list[Planned]:
    """Return the calls of an order for a place, the command centre's at the end if nowhere else."""
    at = {area.level: area.pk for area in areas if area is not None}
    calls = [
        Planned(
            seconds=step.seconds,
            role=step.role,
            area_id=at.get(LEVEL_OF_ROLE[step.role]) if step.role else None,
            department=step.department,
            user=step.user,
            channels=step.channels,
        )
        for step in order.steps.all()
    ]
    if all(call.role != Role.COMMAND for call in calls):
        calls.append(Planned(LAST_SECONDS, role=Role.COMMAND, area_id=at.get(Level.COUNTY)))
    return calls


def place_of(incident: Incident) -> list[Area | None]:
    """Return the areas the case lies in, down to its grid."""
    return [incident.county, incident.town, incident.village, incident.grid]


def holders(
    *, role: str, area_id: int | None, department_id: int | None, user_id: int | None
) -> list[User]:
    """Return who would be reached now by a call (1 query); nobody where a post is vacant."""
    if user_id:
        return list(User.objects.filter(pk=user_id, is_active=True))
    held = {"department": department_id} if department_id else {"role": role, "area": area_id}
    posts = Posting.objects.current().filter(user__is_active=True, **held)
    return list(User.objects.filter(pk__in=posts.values("user_id")).order_by("pk"))


def calls_of(incident: Incident) -> list[EmergencyCall]:
    """Return the calls of a case by kind and order (1 query)."""
    return list(_with_names().filter(incident=incident))


def find_call(pk: int) -> EmergencyCall | None:
    """Return a call with its case and who it is to (1 query)."""
    return _with_names().select_related("incident").filter(pk=pk).first()


def _with_names() -> QuerySet[EmergencyCall]:
    return EmergencyCall.objects.select_related(
        "area", "department", "user", "acknowledged_by"
    ).defer("area__boundary", "area__outline")


def is_called(call: EmergencyCall, user: User, scope: Scope) -> bool:
    """Return whether the call is to this person: by name, by a post held today, by department."""
    if call.user_id:
        return call.user_id == user.pk
    if call.department_id:
        return call.department_id in scope.department_ids
    return scope.holds(call.role, [call.area_id])


def board_calls(
    areas: Iterable[Area], *, now: datetime
) -> list[tuple[Incident, list[EmergencyCall]]]:
    """Return the newest emergencies called for, each with its calls, unanswered first.

    Of counties and towns, of the last 24 hours, at most six (2 queries; 1 when it is quiet).
    """
    reach = Q(pk__in=[])
    for area in areas:
        if area.level in {Level.COUNTY, Level.TOWN}:
            reach |= Q(**{f"incident__{area.level}_id": area.pk})
    recent = EmergencyCall.objects.filter(reach, called_at__gt=now - timedelta(hours=BOARD_HOURS))
    newest = (
        recent.order_by()
        .values("incident_id")
        .annotate(at=Max("called_at"))
        .order_by("-at")
        .values_list("incident_id", flat=True)[:BOARD_CASES]
    )
    ids = list(newest)
    if not ids:
        return []
    found: dict[int, tuple[Incident, list[EmergencyCall]]] = {}
    rows = _with_names().select_related("incident__town", "incident__village", "incident__grid")
    for call in rows.filter(incident_id__in=ids).order_by("kind", "position"):
        found.setdefault(call.incident_id, (call.incident, []))[1].append(call)
    pairs = [found[pk] for pk in ids]
    return sorted(pairs, key=lambda pair: any(call.acknowledged_at for call in pair[1]))
