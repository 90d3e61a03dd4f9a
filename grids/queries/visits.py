"""Today's round, the diary of a household, and how far visits cover the county.

What must not live here: the ledger (households.py), and due dates (services/visit_rules.py).
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from django.contrib.gis.db.models.functions import Distance
from django.contrib.gis.geos import Point
from django.db import connection
from django.db.models import Count, F, Q
from django.utils import timezone

from core.paging import Page, keyset_page
from grids.models import SHAPES, Area, Household, Level, Visit, VisitPhoto, VisitRule, shapes_of
from grids.models.household import HouseholdQuerySet
from grids.queries.households import looks_after
from grids.queries.scope import Scope

ROUND_SIZE = 60
SOON_DAYS, SOON_SIZE = 7, 20
POINTS_MOST = 300
CHILD_LEVEL = {
    Level.COUNTY: Level.TOWN,
    Level.TOWN: Level.VILLAGE,
    Level.VILLAGE: Level.GRID,
    Level.GRID: Level.UNIT,
}


def due_today(areas: Sequence[Area], *, today: date) -> HouseholdQuerySet:
    """Return households whose visit is due or overdue and that nobody has tried today."""
    return (
        Household.objects.within(areas)
        .living()
        .filter(next_due_on__lte=today)
        .exclude(last_tried_on=today)
        .defer("phone")
    )


def todays_round(
    areas: Sequence[Area], *, today: date, lon: float | None = None, lat: float | None = None
) -> list[Household]:
    """Return the first 60 due households (1 query): nearest first, or longest overdue first.

    With a position each has ``away``, its distance in metres or None where no place is known,
    and ``km``.
    """
    rows = due_today(areas, today=today)
    if lon is None or lat is None:
        return list(rows.order_by("next_due_on", "id")[:ROUND_SIZE])
    here = Point(lon, lat, srid=4326)
    found = rows.annotate(away_sphere=Distance("location", here)).order_by(
        F("away_sphere").asc(nulls_last=True), "next_due_on", "id"
    )[:ROUND_SIZE]
    households: list[Household] = list(found)
    for household in households:
        away = household.away_sphere  # type: ignore[attr-defined]
        household.away = None if away is None else round(away.m)  # type: ignore[attr-defined]
        household.km = None if away is None else round(away.km, 1)  # type: ignore[attr-defined]
    return households


def due_soon(areas: Sequence[Area], *, today: date) -> list[Household]:
    """Return the next 20 households due in the coming week (1 query)."""
    return list(
        Household.objects.within(areas)
        .living()
        .filter(next_due_on__gt=today, next_due_on__lte=today + timedelta(days=SOON_DAYS))
        .defer("phone")
        .order_by("next_due_on", "id")[:SOON_SIZE]
    )


def due_points(areas: Sequence[Area], *, today: date, box: Collection[float]) -> list[Household]:
    """Return at most 300 due households inside (west, south, east, north) (1 query)."""
    west, south, east, north = box
    rows = due_today(areas, today=today).extra(
        where=["location && ST_MakeEnvelope(%s, %s, %s, %s, 4326)"],
        params=[west, south, east, north],
    )
    return list(rows.order_by("next_due_on", "id")[:POINTS_MOST])


@dataclass(frozen=True)
class Tally:
    """The round in figures."""

    due: int
    overdue: int
    done: int


def round_tally(areas: Sequence[Area], *, user_id: int, today: date) -> Tally:
    """Return how many are due and overdue, and how many this person met today (2 queries)."""
    rows = due_today(areas, today=today)
    done = Visit.objects.filter(by_id=user_id, at__gte=_midnight(today), met=True)
    counted = rows.aggregate(due=Count("pk"), overdue=Count("pk", filter=Q(next_due_on__lt=today)))
    return Tally(counted["due"], counted["overdue"], done.values("household").distinct().count())


def diary_page(household: Household, *, cursor: str | None, size: int = 20) -> Page:
    """Return visits of a household, newest first, visitors joined (1 query), photos (1 query)."""
    rows = household.visits.select_related("by").prefetch_related("photos")
    return keyset_page(rows, order=("-at", "-id"), cursor=cursor, size=size)


def visible_photo(photo_id: UUID, *, scope: Scope) -> VisitPhoto | None:
    """Return the photo if the reader belongs to its household's line, else None (1 query)."""
    photo = VisitPhoto.objects.select_related("visit__household").filter(pk=photo_id).first()
    return photo if photo and looks_after(scope, photo.visit.household) else None


def extent(areas: Sequence[Area]) -> str:
    """Return "west,south,east,north" around the areas' outlines, "" without any (1 query)."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT ST_XMin(e), ST_YMin(e), ST_XMax(e), ST_YMax(e) FROM"
            " (SELECT ST_Extent(outline) AS e FROM grids_area WHERE id = ANY(%s)) one",
            [[area.pk for area in areas]],
        )
        box = cursor.fetchone()
    return "" if box is None or box[0] is None else ",".join(f"{side:.5f}" for side in box)


@dataclass(frozen=True)
class Covered:
    """An area's visits in a period: ``rate`` is None where nobody was due."""

    area: Area
    households: int = 0
    due: int = 0
    visited: int = 0
    overdue: int = 0

    @property
    def rate(self) -> float | None:
        """Visited at least once, of those that were due, in per cent."""
        return None if not self.due else round(100 * self.visited / self.due, 1)


# A household was due in the period if it is still waiting since then, or if a visit after the
# period's first day answered a date before its end. Early visits of others count for nothing.
_COVERAGE = """
    WITH met AS (
        SELECT v.household_id, bool_or(v.at < %(until)s) AS inside,
               bool_or(v.due_on < %(end)s) AS due
          FROM grids_visit v JOIN grids_household h ON h.id = v.household_id
         WHERE v.met AND v.at >= %(since)s AND h.{level}_id = %(area)s
         GROUP BY v.household_id
    )
    SELECT h.{child}_id,
           count(*) FILTER (WHERE h.moved_out_on IS NULL),
           count(*) FILTER (WHERE h.next_due_on < %(end)s OR met.due),
           count(*) FILTER (WHERE (h.next_due_on < %(end)s OR met.due) AND met.inside),
           count(*) FILTER (WHERE h.next_due_on < %(today)s)
      FROM grids_household h LEFT JOIN met ON met.household_id = h.id
     WHERE h.{level}_id = %(area)s
     GROUP BY 1
"""


def coverage_below(area: Area, *, first: date, last: date, today: date) -> list[Covered]:
    """Return coverage of the areas right below ``area`` from ``first`` to ``last``, both included.

    2 queries. An area without households is there too. A unit has none below it.
    """
    child = CHILD_LEVEL[Level(area.level)]
    end = last + timedelta(days=1)
    with connection.cursor() as cursor:
        cursor.execute(
            _COVERAGE.format(child=child.value, level=area.level),
            {
                "since": _midnight(first),
                "until": _midnight(end),
                "end": end,
                "today": today,
                "area": area.pk,
            },
        )
        counted = {row[0]: row[1:] for row in cursor.fetchall()}
    below = (
        Area.objects.open()
        .filter(path__startswith=area.path, depth=area.depth + 1)
        .defer(*SHAPES)
        .order_by("path")
    )
    return [Covered(one, *counted.get(one.pk, ())) for one in below]


def total(area: Area, parts: Sequence[Covered]) -> Covered:
    """Return the sum of ``parts`` as the coverage of ``area``."""
    return Covered(
        area,
        sum(part.households for part in parts),
        sum(part.due for part in parts),
        sum(part.visited for part in parts),
        sum(part.overdue for part in parts),
    )


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, datetime.min.time()))


def rules_of(areas: Sequence[Area]) -> list[VisitRule]:
    """Return the visit rules in and above ``areas``, newest first (1 query)."""
    reach = Q(area__path__in={path for area in areas for path in area.lineage_paths})
    for area in areas:
        reach |= Q(area__path__startswith=area.path)
    return list(
        VisitRule.objects.filter(reach).select_related("area", "tag").defer(*shapes_of("area"))
    )
