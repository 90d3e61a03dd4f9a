"""What a map shows: outlines of areas by level, and open cases as points or clusters.

What lives here: reading inside a box, small at every zoom. What must not: drawing (map.js).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib.gis.db.models.functions import AsGeoJSON
from django.contrib.gis.geos import Polygon
from django.db.models import Avg, Count, F, FloatField, Func, Max
from django.db.models.functions import Floor, Left
from django.utils.translation import gettext_lazy as _

from core.errors import Invalid
from core.kept import kept
from core.prepared import planned_by_value
from grids.models import Area, Level
from grids.queries import Scope
from incidents.models import Incident
from incidents.queries.listing import HEAD_LENGTH
from incidents.queries.queue import QueueFilters, in_days, matching, within

# Below the first zoom towns are drawn, below the second villages, then grids.
VILLAGES_FROM, GRIDS_FROM = 12, 14
# More outlines than this in one box are too many to read and to send: one level up is drawn.
OUTLINES_AT_MOST = 1500
# From here on every case is a point of its own, as long as there are not too many.
POINTS_FROM, POINTS_AT_MOST = 16, 400
# Side of the square on the screen whose cases make one cluster, in pixels.
CELL = 64
COUNTS_KEPT = 5

DRAWN = (Level.TOWN, Level.VILLAGE, Level.GRID)


@dataclass(frozen=True)
class Box:
    """A part of the map: degrees of WGS-84, and the zoom it is looked at."""

    west: float
    south: float
    east: float
    north: float
    zoom: float

    @property
    def polygon(self) -> Polygon:
        """The box as a polygon."""
        return Polygon.from_bbox((self.west, self.south, self.east, self.north))


def read_box(bbox: str, zoom: str) -> Box:
    """Return the box of ``bbox`` "west,south,east,north" and ``zoom``. Raises Invalid."""
    try:
        west, south, east, north = (float(degree) for degree in bbox.split(","))
        box = Box(west, south, east, north, float(zoom))
    except ValueError as error:
        raise Invalid(_("The map section is not valid."), field="bbox") from error
    numbers = (west, south, east, north, box.zoom)
    on_earth = -180 <= west < east <= 180 and -90 <= south < north <= 90
    if not (all(map(math.isfinite, numbers)) and on_earth and 0 <= box.zoom <= 24):
        raise Invalid(_("The map section is not valid."), field="bbox")
    return box


def level_at(zoom: float) -> str:
    """Return which level of area is drawn at a zoom.

    >>> str(level_at(11.5)), str(level_at(14))
    ('town', 'grid')
    """
    if zoom < VILLAGES_FROM:
        return Level.TOWN
    return Level.VILLAGE if zoom < GRIDS_FROM else Level.GRID


@planned_by_value()
def outlines(box: Box, *, level: str = "") -> list[tuple[int, str, str, str]]:
    """Return (id, name, level, geometry as GeoJSON text) of the areas in a box (≤ 3 queries).

    ``level`` is the one wanted, else the one of the zoom; when that is too many the next
    larger one is returned.
    """
    if level and level not in DRAWN:
        raise Invalid(_("There is no such level on the map."), field="level")
    wanted = DRAWN.index(level or level_at(box.zoom))
    # A metre is 0.00001 degrees; nobody sees less than that before the last zooms.
    digits = 5 if box.zoom >= GRIDS_FROM else 4
    for chosen in reversed(DRAWN[: wanted + 1]):
        rows = (
            Area.objects.open()
            .filter(level=chosen, boundary__bboverlaps=box.polygon, outline__isnull=False)
            .order_by()
            .annotate(shape=AsGeoJSON("outline", precision=digits))
            .values_list("pk", "name", "level", "shape")
        )
        found = list(rows[: OUTLINES_AT_MOST + 1])
        if len(found) <= OUTLINES_AT_MOST:
            return found
    return found[:OUTLINES_AT_MOST]


@planned_by_value()
def counts_in(area_ids: list[int], level: str, scope: Scope) -> dict[int, tuple[int, int]]:
    """Return {area id: (open, overdue)} of what ``scope`` sees there (1 query, ≤ 5 s old)."""
    if not area_ids:
        return {}
    key = f"{level}_id"

    def read() -> dict[int, tuple[int, int]]:
        rows = Incident.objects.open().filter(within(scope))
        # All towns are asked for at once and shared by all boards; others only in the box.
        if level != Level.TOWN:
            rows = rows.filter(**{f"{key}__in": area_ids})
        counted = rows.order_by().values_list(key).annotate(Count("pk"), Count("overdue_at"))
        return {pk: (n, late) for pk, n, late in counted}

    if level != Level.TOWN:
        return read()
    posts = ",".join(f"{area.level}{area.pk}" for area in scope.areas)
    posts += ";" + ",".join(map(str, sorted(scope.department_ids)))
    return kept(f"map:{posts}", read, COUNTS_KEPT)


@dataclass(frozen=True)
class Points:
    """Open cases in a box: single ones (with ``head``, ``lat``, ``lon``) and clusters of more."""

    singles: list[Incident]
    clusters: list[dict[str, Any]]


@planned_by_value()
def points(box: Box, *, scope: Scope, filters: QueueFilters) -> Points:
    """Return the open cases of the scope in a box that match ``filters`` (≤ 2 queries).

    Far away, cases in one square of 64 pixels make a cluster {lat, lon, count, overdue}.
    """
    rows = Incident.objects.open().filter(
        within(scope), matching(filters), in_days(filters), location__bboverlaps=box.polygon
    )
    rows = rows.annotate(lon=_coordinate("ST_X"), lat=_coordinate("ST_Y"))  # type: ignore[no-redef]
    if filters.area:
        rows = rows.filter(**{f"{filters.area.level}_id": filters.area.pk})
    if box.zoom >= POINTS_FROM:
        singles = list(_single(rows)[: POINTS_AT_MOST + 1])
        if len(singles) <= POINTS_AT_MOST:
            return Points(singles, [])
    # A screen's pixel is this many degrees wide; north-south it is shorter by the latitude.
    wide = CELL * 360 / (256 * 2**box.zoom)
    high = wide * math.cos(math.radians((box.south + box.north) / 2))
    cells = (
        rows.order_by()
        .values(column=Floor(F("lon") / wide), row=Floor(F("lat") / high))
        .annotate(
            count=Count("pk"),
            overdue=Count("overdue_at"),
            any=Max("pk"),
            x=Avg("lon"),
            y=Avg("lat"),
        )
    )
    clusters, alone = [], []
    for cell in cells:
        if cell["count"] == 1:
            alone.append(cell["any"])
        else:
            clusters.append(_cluster(cell))
    singles = list(_single(rows.filter(pk__in=alone))) if alone else []
    return Points(singles, clusters)


def _single(rows: Any) -> Any:
    return rows.annotate(head=Left("text", HEAD_LENGTH)).only(
        "tracking_code", "state", "overdue_at"
    )


def _cluster(cell: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "lat": round(cell["y"], 5),
        "lon": round(cell["x"], 5),
        "count": cell["count"],
        "overdue": cell["overdue"],
    }


def _coordinate(function: str) -> Func:
    return Func(F("location"), function=function, output_field=FloatField())
