"""Reads about inspections: what one may see of them, whose turn it is, the ledger of hazards.

What must not live here: words for the screen, and anything that changes a row. A place is seen by
its area as the tree stands today, a hazard like the case it is; so both follow every act on the
tree by themselves.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from django.contrib.gis.db.models import Extent
from django.contrib.gis.db.models.functions import Distance
from django.contrib.gis.geos import Point, Polygon
from django.db.models import Count, F, Q, QuerySet
from django.utils import timezone

from core.paging import Page, keyset_page
from core.prepared import planned_by_value
from grids.models import SHAPES, Area, Level, Role, User
from grids.models.area import shapes_of
from grids.models.posting import KEEPERS
from grids.queries import Scope, names_of
from incidents.models import (
    ENDED,
    Attachment,
    Hazard,
    Incident,
    Inspection,
    InspectionItem,
    InspectionPlace,
    InspectionTeam,
    PlaceState,
    State,
)

# Whose work an inspection is; the county's leaders read along.
INSPECTORS = frozenset(
    {
        *(Role.GRID_WORKER, Role.GRID_CHIEF, Role.GRID_GUIDE, Role.VILLAGE_OFFICE),
        *(Role.TOWN_ADMIN, Role.DEPARTMENT_HANDLER, Role.COMMAND),
    }
)
# Who makes campaigns: the command centre for the county, a town for itself.
KEEPERS_OF_INSPECTIONS = frozenset({Role.COMMAND, Role.TOWN_ADMIN})
READERS = INSPECTORS | {Role.COUNTY_LEADER}

PAGE_SIZE = 50
ROUND_SIZE = 60
POINTS_MOST = 3000
# States in which the owner still has to do something about a hazard.
ANSWERED = (State.RESPONDED, State.CALLBACK, State.CLOSED)
_BEFORE, _AFTER = ("report",), ("respond", "fix_on_spot", "handle_on_spot", "party_answer")


# ---------- what one may see


def keeps(scope: Scope, area: Area) -> bool:
    """Return whether inspections of ``area`` are this person's to make and to close."""
    for posting in scope.postings:
        if posting.area is None:
            continue
        if posting.role == Role.COMMAND and area.path.startswith(posting.area.path):
            return True
        if posting.role == Role.TOWN_ADMIN and posting.area_id == area.pk:
            return True
    return False


def areas_to_keep(scope: Scope) -> list[Area]:
    """Return the areas one may make an inspection of: counties and towns (≤ 1 query)."""
    kept = {
        posting.area
        for posting in scope.postings
        if posting.area and posting.role in KEEPERS_OF_INSPECTIONS
    }
    counties = [area for area in kept if area.level == Level.COUNTY]
    towns = Area.objects.open().inside(*counties).filter(level=Level.TOWN).defer(*SHAPES)
    found = kept | (set(towns) if counties else set())
    return sorted(found, key=lambda area: area.path)


def visible_inspections(scope: Scope) -> QuerySet[Inspection]:
    """Return the inspections held where this person is posted, above it or below it.

    A department sees those it takes part in and those that found something it must see to.
    """
    if not scope.postings or not scope.roles - KEEPERS:
        return Inspection.objects.none()
    reach = Q(pk__in=[])
    for area in scope.areas:
        reach |= Q(area__path__in=area.lineage_paths)
        reach |= Q(area__path__gte=area.path, area__path__lt=area._inc_path())
    if scope.department_ids:
        teams = InspectionTeam.objects.filter(department_id__in=scope.department_ids)
        reach |= Q(pk__in=teams.values("inspection_id"))
        owned = Hazard.objects.filter(incident__owner_department_id__in=scope.department_ids)
        reach |= Q(pk__in=owned.values("inspection_id"))
    return Inspection.objects.filter(reach).select_related("area").defer(*shapes_of("area"))


def visible_places(scope: Scope) -> QuerySet[InspectionPlace]:
    """Return places below this person's areas, and those their department takes part in."""
    reach = Q(pk__in=[])
    for area in scope.areas:
        reach |= Q(area__path__gte=area.path, area__path__lt=area._inc_path())
    if scope.department_ids:
        teams = InspectionTeam.objects.filter(department_id__in=scope.department_ids)
        reach |= Q(inspection_id__in=teams.values("inspection_id"))
    return InspectionPlace.objects.filter(reach)


def visible_hazards(user: User, scope: Scope) -> QuerySet[Hazard]:
    """Return the hazards whose cases this person may see."""
    cases = Incident.objects.visible_to(user, scope)
    return Hazard.objects.filter(incident__in=cases.order_by().values("pk"))


def may_inspect(scope: Scope) -> Q:
    """Return the condition of a place whose inspection is this person's work.

    By department: every place. By area: the places at one's own post, where that lies inside an
    area that takes part.
    """
    reach = Q(pk__in=[])
    teams = InspectionTeam.objects.all()
    if scope.department_ids:
        called = teams.filter(department_id__in=scope.department_ids)
        reach |= Q(inspection_id__in=called.values("inspection_id"))
    for posting in scope.postings:
        area = posting.area
        if area is None or posting.role not in INSPECTORS:
            continue
        called = teams.filter(area__path__in=area.lineage_paths)
        reach |= Q(
            inspection_id__in=called.values("inspection_id"),
            area__path__gte=area.path,
            area__path__lt=area._inc_path(),
        )
    return reach


# ---------- campaigns


@dataclass
class Tally:
    """The figures of an inspection, as far as the reader sees it."""

    places: int = 0
    clean: int = 0
    with_hazards: int = 0
    hazards: int = 0
    at_once: int = 0
    dated: int = 0
    put_right: int = 0
    overdue: int = 0

    @property
    def checked(self) -> int:
        """Places that were inspected."""
        return self.clean + self.with_hazards

    @property
    def todo(self) -> int:
        """Places still to be inspected."""
        return self.places - self.checked

    @property
    def percent(self) -> int | None:
        """Places inspected of a hundred; None where there are none."""
        return 100 * self.checked // self.places if self.places else None


def inspection_page(scope: Scope, *, cursor: str | None) -> Page:
    """Return a page of inspections, newest first (1 query)."""
    rows = visible_inspections(scope)
    return keyset_page(rows, order=("-starts_on", "-id"), cursor=cursor, size=PAGE_SIZE)


def tallies(
    inspections: Collection[Inspection], *, user: User, scope: Scope, now: datetime
) -> dict[int, Tally]:
    """Return {id: figures} of these inspections (2 queries)."""
    found = {row.pk: Tally() for row in inspections}
    places = visible_places(scope).filter(inspection_id__in=found)
    for pk, state, n in (
        places.order_by().values_list("inspection_id", "state").annotate(Count("pk"))
    ):
        tally = found[pk]
        tally.places += n
        if state == PlaceState.CLEAN:
            tally.clean = n
        elif state == PlaceState.HAZARDS:
            tally.with_hazards = n
    counted = (
        visible_hazards(user, scope)
        .filter(inspection_id__in=found)
        .order_by()
        .values("inspection_id")
        .annotate(
            hazards=Count("pk"),
            dated=Count("pk", filter=Q(due_at__isnull=False)),
            put_right=Count("pk", filter=is_put_right()),
            overdue=Count("pk", filter=is_overdue(now)),
        )
    )
    for row in counted:
        tally = found[row["inspection_id"]]
        tally.hazards, tally.dated = row["hazards"], row["dated"]
        tally.at_once = tally.hazards - tally.dated
        tally.put_right, tally.overdue = row["put_right"], row["overdue"]
    return found


def items_of(inspection_ids: Collection[int]) -> list[InspectionItem]:
    """Return the checklists with whose duty each line is (1 query)."""
    rows = InspectionItem.objects.filter(inspection_id__in=inspection_ids)
    return list(rows.select_related("category__owner", "department").order_by("position"))


def teams_of(inspection: Inspection) -> list[InspectionTeam]:
    """Return who takes part, areas first (1 query)."""
    rows = inspection.teams.select_related("area", "department").defer(*shapes_of("area"))
    return sorted(rows, key=lambda team: (team.area is None, str(team)))


def extent(inspection: Inspection, scope: Scope) -> str:
    """Return "west,south,east,north" of the places seen, "" where none has a mark (1 query)."""
    rows = visible_places(scope).filter(inspection=inspection, location__isnull=False)
    box = rows.aggregate(box=Extent("location"))["box"]
    if box is None:
        return ""
    margin = 0.004
    west, south, east, north = box
    sides = (west - margin, south - margin, east + margin, north + margin)
    return ",".join(f"{side:.5f}" for side in sides)


# ---------- places


def place_page(
    inspection: Inspection, scope: Scope, *, state: str = "", cursor: str | None = None
) -> Page:
    """Return a page of an inspection's places in the order they were listed (2 queries)."""
    rows = visible_places(scope).filter(inspection=inspection)
    if state:
        rows = rows.filter(state=state)
    rows = rows.select_related("checked_by")
    page = keyset_page(rows, order=("id",), cursor=cursor, size=PAGE_SIZE)
    name_places(page.items)
    return page


def name_places(places: Sequence[InspectionPlace]) -> None:
    """Give each place ``where``, the name of its area (1 query)."""
    names = names_of(place.area_id for place in places)
    for place in places:
        place.where = names.get(place.area_id, "")


def points(
    inspection: Inspection, scope: Scope, *, box: tuple[float, float, float, float]
) -> list[InspectionPlace]:
    """Return up to 3,000 marked places inside a box of degrees (1 query)."""
    rows = visible_places(scope).filter(
        inspection=inspection,
        location__coveredby=Polygon.from_bbox(box),
    )
    return list(rows.order_by("id")[:POINTS_MOST])


@dataclass
class Round:
    """What waits for one inspector today: places, how many in all, and what was done today."""

    places: list[InspectionPlace] = field(default_factory=list)
    todo: int = 0
    done: int = 0


def my_inspections(scope: Scope) -> list[Inspection]:
    """Return the inspections under way in which this person inspects (1 query)."""
    today = timezone.localdate()
    places = InspectionPlace.objects.filter(may_inspect(scope))
    rows = Inspection.objects.filter(
        closed_at__isnull=True,
        starts_on__lte=today,
        pk__in=places.order_by().values("inspection_id"),
    )
    return list(rows.order_by("ends_on", "pk"))


@planned_by_value()
def round_of(
    inspections: Collection[Inspection],
    *,
    user: User,
    scope: Scope,
    lon: float | None = None,
    lat: float | None = None,
) -> Round:
    """Return the places to be inspected, nearest first if a position is given (≤ 4 queries).

    Each has ``away`` in metres and ``km``, None where either place is not known.
    """
    if not inspections:
        return Round()
    mine = InspectionPlace.objects.filter(may_inspect(scope), inspection__in=inspections)
    rows = mine.filter(state=PlaceState.TODO).select_related("inspection")
    if lon is None or lat is None:
        found = list(rows.order_by("inspection_id", "id")[:ROUND_SIZE])
    else:
        here = Point(lon, lat, srid=4326)
        near = rows.annotate(sphere=Distance("location", here))
        found = list(near.order_by(F("sphere").asc(nulls_last=True), "id")[:ROUND_SIZE])
    for place in found:
        away = getattr(place, "sphere", None)
        place.away = None if away is None else round(away.m)
        place.km = None if away is None else round(away.km, 1)
    name_places(found)
    todo = len(found) if len(found) < ROUND_SIZE else rows.count()
    midnight = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    done = mine.filter(checked_by=user, checked_at__gte=midnight).count()
    return Round(found, todo, done)


# ---------- the ledger


# What the ledger can be narrowed to.
SHOWN = ("at_once", "dated", "waiting", "overdue")


@dataclass(frozen=True)
class Filters:
    """What of the ledger is asked for. ``show`` is one of SHOWN or "" for all."""

    inspection: Inspection | None = None
    area: Area | None = None
    show: str = ""


def is_put_right() -> Q:
    """Return the condition of a hazard its owner has answered, in time or late."""
    return Q(incident__state__in=ANSWERED)


def is_overdue(now: datetime) -> Q:
    """Return the condition of a hazard that nobody has put right, past its day."""
    waiting = ~Q(incident__state__in=[*ANSWERED, *ENDED])
    return Q(due_at__lt=now) & waiting


def ledger(*, user: User, scope: Scope, filters: Filters, now: datetime) -> QuerySet[Hazard]:
    """Return the hazards the reader sees and asks for."""
    rows = visible_hazards(user, scope)
    if filters.inspection is not None:
        rows = rows.filter(inspection=filters.inspection)
    if filters.area is not None:
        rows = rows.filter(**{f"incident__{filters.area.level}_id": filters.area.pk})
    if filters.show == "at_once":
        return rows.filter(due_at__isnull=True)
    if filters.show == "dated":
        return rows.filter(due_at__isnull=False)
    if filters.show == "waiting":
        return rows.filter(~Q(incident__state__in=[*ANSWERED, *ENDED]), due_at__isnull=False)
    if filters.show == "overdue":
        return rows.filter(is_overdue(now))
    return rows


def with_cases(rows: QuerySet[Hazard]) -> QuerySet[Hazard]:
    """Join what a row of the ledger shows."""
    return rows.select_related(
        "incident__category", "incident__owner_department", "incident__owner_area",
        "incident__town", "incident__village", "place", "item", "inspection", "found_by",
    ).defer(
        "incident__bigrams",
        *shapes_of("incident__owner_area", "incident__town", "incident__village"),
    )  # fmt: skip


@planned_by_value()
def ledger_page(
    *, user: User, scope: Scope, filters: Filters, now: datetime, cursor: str | None
) -> Page:
    """Return a page of the ledger, newest first (1 query)."""
    rows = with_cases(ledger(user=user, scope=scope, filters=filters, now=now))
    return keyset_page(rows, order=("-id",), cursor=cursor, size=PAGE_SIZE)


@dataclass
class Pictures:
    """Ids of the photos of one hazard: as it was found, and as it was put right last."""

    before: list[UUID] = field(default_factory=list)
    after: list[UUID] = field(default_factory=list)


def pictures_of(hazards: Iterable[Hazard]) -> dict[int, Pictures]:
    """Return {case id: photos before and after} (1 query)."""
    found = {hazard.incident_id: Pictures() for hazard in hazards}
    rows = (
        Attachment.objects.filter(incident_id__in=found, event__action__in=[*_BEFORE, *_AFTER])
        .order_by("event__seq", "created_at")
        .values_list("incident_id", "pk", "event__action", "event__seq")
    )
    latest: dict[int, int] = {}
    for incident_id, pk, action, seq in rows:
        pictures = found[incident_id]
        if action in _BEFORE:
            pictures.before.append(pk)
        elif latest.get(incident_id) == seq:
            pictures.after.append(pk)
        else:
            pictures.after, latest[incident_id] = [pk], seq
    return found


def hazards_of_place(place: InspectionPlace, *, user: User, scope: Scope) -> list[Hazard]:
    """Return what was found at a place, newest first (1 query)."""
    return list(with_cases(visible_hazards(user, scope).filter(place=place)).order_by("-id"))


def was_sent(key: str, *, user: User, place: InspectionPlace) -> bool:
    """Return whether this person has sent a hazard of this place under this key (≤ 1 query)."""
    try:
        wanted = UUID(key)
    except ValueError:
        return False
    return Hazard.objects.filter(key=wanted, found_by=user, place=place).exists()


def is_mine(place: InspectionPlace, scope: Scope) -> bool:
    """Return whether inspecting this place is this person's work (1 query)."""
    return InspectionPlace.objects.filter(may_inspect(scope), pk=place.pk).exists()
