"""Boundary imports as their page shows them, and boundaries as files hand them out.

What must not live here: reading files and saving (services/boundary_import.py).
"""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from django.contrib.gis.db.models import Extent
from django.contrib.gis.db.models.functions import AsGeoJSON
from django.core.cache import cache
from django.db import connection
from django.db.models import Count, F, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce, Left, Length
from django.utils.translation import gettext_lazy as _

from core.errors import Invalid
from core.paging import Page, keyset_page
from grids.models import Area, BoundaryImport, Level, User, Verdict, shapes_of
from grids.queries.reach import Reach

# So many of one's own imports are listed, and so many features are drawn in one view.
LISTED, DRAWN_AT_MOST = 20, 500
EXPORTED = (Level.GRID, Level.VILLAGE, Level.TOWN, Level.UNIT)
AT_ONCE = 500


def progress_key(import_id: UUID) -> str:
    """Return where a worker tells how many features it has read."""
    return f"boundary-import:{import_id}"


def features_read(one: BoundaryImport) -> int:
    """Return how many features are read so far, in thousands (no query)."""
    return int(cache.get(progress_key(one.pk)) or 0)


def own_imports(user: User) -> list[BoundaryImport]:
    """Return a person's newest imports (1 query)."""
    return list(_with_area().filter(uploaded_by=user).order_by("-created_at")[:LISTED])


def own_import(import_id: UUID, *, user: User, reach: Reach) -> BoundaryImport | None:
    """Return an import of one's own whose area still lies inside the reach (1 query)."""
    one = _with_area().filter(pk=import_id, uploaded_by=user).first()
    return one if one is not None and reach.covers(one.area) else None


def _with_area() -> QuerySet[BoundaryImport]:
    rows = BoundaryImport.objects.select_related("area")
    return rows.defer(*shapes_of("area"))


def counts_by_verdict(one: BoundaryImport) -> dict[str, tuple[int, int]]:
    """Return {verdict: (rows, chosen)} (1 query)."""
    rows = one.rows.values_list("verdict").annotate(
        Count("pk"), chosen=Count("pk", filter=Q(chosen=True))
    )
    return {verdict: (n, chosen) for verdict, n, chosen in rows}


def rows_page(one: BoundaryImport, *, verdict: str = "", cursor: str | None = None) -> Page:
    """Return fifty rows in the order of the file, with the area's name and code (1 query)."""
    if verdict and verdict not in Verdict.values:
        raise Invalid(_("There is no such filter."))
    rows = one.rows.defer("shape").annotate(area_name=F("area__name"), area_code=F("area__code"))
    rows = rows.filter(verdict=verdict) if verdict else rows
    return keyset_page(rows, order=("number",), cursor=cursor)


_SHAPES = """
    SELECT row.number, row.verdict, coalesce(area.name, row.name), row.chosen,
           ST_AsGeoJSON(ST_SimplifyPreserveTopology(row.shape, %(pixel)s::float8), 6),
           CASE WHEN row.verdict <> 'same' THEN ST_AsGeoJSON(
                ST_SimplifyPreserveTopology(area.boundary, %(pixel)s::float8), 6) END
      FROM grids_boundaryrow row LEFT JOIN grids_area area ON area.id = row.area_id
     WHERE row.source_id = %(source)s AND row.shape && ST_MakeEnvelope(
           %(west)s::float8, %(south)s::float8, %(east)s::float8, %(north)s::float8, 4326)
     ORDER BY row.chosen DESC, row.number LIMIT {limit}
"""


def shapes_in(
    one: BoundaryImport, box: tuple[float, float, float, float], *, pixel: float
) -> list[tuple[int, str, str, bool, str, str | None]]:
    """Return (number, verdict, name, chosen, new shape, old shape) in a box (1 query).

    Shapes are GeoJSON, simplified to ``pixel`` degrees; chosen rows come first, at most
    ``DRAWN_AT_MOST``.
    """
    west, south, east, north = box
    values: dict[str, Any] = {"source": one.pk, "pixel": pixel}
    values |= {"west": west, "south": south, "east": east, "north": north}
    with connection.cursor() as cursor:
        cursor.execute(_SHAPES.format(limit=DRAWN_AT_MOST), values)
        return cursor.fetchall()


def bounds_of_rows(one: BoundaryImport) -> str:
    """Return "west,south,east,north" of what the file draws, "" for nothing (1 query)."""
    box = one.rows.aggregate(box=Extent("shape"))["box"]
    return ",".join(f"{degree:.5f}" for degree in box) if box else ""


def exported_areas(area: Area, level: str) -> Iterator[dict[str, Any]]:
    """Yield the boundaries of the open areas of a level inside ``area``, in tree order.

    Each has code, name, level, grid_kind, parent_code, parent_name, and ``shape`` as GeoJSON
    with all its decimals (1 query). Raises Invalid for a level that is not exported.
    """
    if level not in EXPORTED:
        raise Invalid(_("There is no such level."), field="level")
    above = Left(OuterRef("path"), Length(OuterRef("path")) - Area.steplen)
    parent = Area.objects.filter(path=above).order_by()
    rows = (
        Area.objects.open()
        .filter(path__startswith=area.path, level=level, boundary__isnull=False)
        .annotate(
            shape=AsGeoJSON("boundary", precision=15),
            parent_code=Coalesce(Subquery(parent.values("code")), Value("")),
            parent_name=Coalesce(Subquery(parent.values("name")), Value("")),
        )
        .values("code", "name", "level", "grid_kind", "parent_code", "parent_name", "shape")
        .order_by("path")
    )
    yield from rows.iterator(chunk_size=AT_ONCE)
