"""What a person may choose from while working on a case."""

from collections import Counter
from collections.abc import Iterable, Sequence

from django.contrib.gis.measure import D
from django.db.models import Q, QuerySet
from django.utils.translation import get_language

from core.kept import remembered
from core.prepared import planned_by_value
from core.text import search_terms
from grids.models import SHAPES, Area, Department, Level, User
from grids.queries import Scope
from incidents.models import Category, Incident
from incidents.queries.listing import NAMES_KEPT

# Repeats are looked for this close to a case, in metres.
NEAR_METRES = 800
NEAR_LIMIT = 8


def categories(*, village_only: bool = False) -> list[Category]:
    """Return the active catalogue in its order (1 query)."""
    return list(_active(village_only))


def category(pk: str, *, village_only: bool = False) -> Category | None:
    """Return one of them by its id, with its owner (1 query)."""
    return _active(village_only).select_related("owner").filter(pk=pk).first()


def _active(village_only: bool) -> QuerySet[Category]:
    rows = Category.objects.filter(active=True)
    return rows.filter(village_allowed=True) if village_only else rows


def category_groups(*, village_only: bool = False) -> list[tuple[str, list[tuple[int, str]]]]:
    """Return (major class, [(id, label)]) of the active catalogue, ≤ 1 minute old."""

    def read() -> list[tuple[str, list[tuple[int, str]]]]:
        majors: dict[str, list[tuple[int, str]]] = {}
        for category in categories(village_only=village_only):
            majors.setdefault(category.major_label, []).append((category.pk, category.label))
        return list(majors.items())

    return remembered(f"choices:categories:{village_only}:{get_language()}", read, NAMES_KEPT)


def usual_categories(areas: Iterable[Area]) -> Counter[int]:
    """Return how often each category came up among the latest cases around ``areas`` (1 query)."""
    paths = {area.path[: -Area.steplen] for area in areas}
    latest = (
        Incident.objects.filter(
            village__in=Area.objects.order_by().filter(path__in=paths), category__isnull=False
        )
        .order_by("-id")
        .values_list("category_id", flat=True)[:300]
    )
    return Counter(pk for pk in latest if pk)


def departments(county_id: int) -> list[Department]:
    """Return the county's active departments (1 query)."""
    return list(Department.objects.filter(county_id=county_id, active=True))


def areas_of_town(town: Area) -> list[Area]:
    """Return the open villages and grids of a town, each village before its grids (1 query)."""
    return list(
        Area.objects.open()
        .filter(path__startswith=town.path, level__in=[Level.VILLAGE, Level.GRID])
        .defer(*SHAPES)
    )


def place_choices(
    incident: Incident, scope: Scope, *, town_id: int | None, village_id: int | None
) -> dict[str, list[tuple[int, str]]]:
    """Return (id, name) of towns in scope, a town's villages, a village's grids (≤ 2 queries).

    A town or village that is not the county's, or is outside the scope, opens nothing.
    """
    county = incident.county
    held = {area.pk: area for area in (incident.town, incident.village) if area}
    unknown = {pk for pk in (town_id, village_id) if pk} - set(held)
    if unknown:
        rows = Area.objects.filter(pk__in=unknown, path__startswith=county.path).defer(*SHAPES)
        held |= {area.pk: area for area in rows}
    town, village = held.get(town_id or 0), held.get(village_id or 0)
    reach = Q(level=Level.TOWN, path__startswith=county.path)
    if town and town.level == Level.TOWN and scope.covers(town):
        reach |= Q(level=Level.VILLAGE, path__startswith=town.path)
        if village and village.level == Level.VILLAGE and village.path.startswith(town.path):
            reach |= Q(level=Level.GRID, path__startswith=village.path)
    inside = tuple(area.path for area in scope.areas)
    found: dict[str, list[tuple[int, str]]] = {Level.TOWN: [], Level.VILLAGE: [], Level.GRID: []}
    rows = Area.objects.open().filter(reach).values_list("pk", "name", "level", "path")
    for pk, name, level, path in rows:
        if path.startswith(inside):
            found[level].append((pk, name))
    return found


@planned_by_value()
def near_cases(incident: Incident, user: User, scope: Scope, *, query: str = "") -> list[Incident]:
    """Return open cases ``incident`` may repeat, by words or code, else close by (1 query)."""
    rows = (
        Incident.objects.visible_to(user, scope)
        .open()
        .of_the_public()
        .filter(county_id=incident.county_id)
        .exclude(pk=incident.pk)
        .select_related("category", "village", "grid")
        .defer("bigrams", *(f"{area}__{shape}" for area in ("village", "grid") for shape in SHAPES))
    )
    query = query.replace("\x00", "").strip()
    if query:
        rows = rows.filter(_matching(query))
    elif incident.location:
        rows = rows.filter(location__dwithin=(incident.location, _degrees(NEAR_METRES)))
    elif incident.village_id:
        rows = rows.filter(village_id=incident.village_id)
    else:
        return []
    return list(rows.order_by("-id")[:NEAR_LIMIT])


def _matching(query: str) -> Q:
    terms: Sequence[str] = search_terms(query)
    words = Q(bigrams__contains=terms) if terms else Q(pk__in=[])
    return Q(tracking_code=query.upper()) | words


def _degrees(metres: float) -> float:
    # Wide enough everywhere in China, where a degree of longitude is at least 60 km.
    return D(m=metres).km / 85
