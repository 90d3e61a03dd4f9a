"""From a point or an area to the place it is.

What must not live here: the tree for its own sake (territory.py), and texts (places_in_text.py).
"""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db import connection

from core import prepared
from grids.models import Area, Level

# A point further than this from every grid is outside the county, in metres.
NEAREST_GRID_LIMIT = 3000


@dataclass(frozen=True)
class Place:
    """Where something is: ids by fixed level, the deepest area, and how it was found.

    ``found_by`` is ``polygon``, ``nearest``, ``address``, ``given`` or ``county``
    (nothing better than the county itself).
    """

    area_id: int
    county_id: int
    found_by: str
    town_id: int | None = None
    village_id: int | None = None
    grid_id: int | None = None
    unit_id: int | None = None


_LINEAGE_OF_POINT = """
    WITH spot AS (SELECT ST_SetSRID(ST_MakePoint(%s, %s), 4326) AS point),
    hit AS (
        (SELECT path, 0 AS far FROM grids_area, spot
          WHERE level = 'grid' AND closed_on IS NULL AND ST_Covers(boundary, point)
          ORDER BY id LIMIT 1)
        UNION ALL
        (SELECT path, 1 AS far FROM grids_area, spot
          WHERE level = 'grid' AND closed_on IS NULL
            AND ST_DWithin(boundary, point, 0.05)
            AND ST_Distance(boundary::geography, point::geography) <= %s
          ORDER BY boundary <-> point, id LIMIT 1)
        LIMIT 1
    )
    SELECT hit.far, above.level, above.id
      FROM hit JOIN grids_area above ON above.path = ANY (ARRAY(
           SELECT left(hit.path, n * {step})
             FROM generate_series(1, length(hit.path) / {step}) AS n))
"""


def place_of_point(*, longitude: float, latitude: float) -> Place | None:
    """Return the grid that covers a WGS-84 point, else the nearest within 3 km, else None.

    One query. On a shared border the older grid wins, so the answer is stable.
    """
    with prepared.cursor() as cursor:
        cursor.execute(
            _LINEAGE_OF_POINT.format(step=Area.steplen), [longitude, latitude, NEAREST_GRID_LIMIT]
        )
        rows = cursor.fetchall()
    if not rows:
        return None
    ids = {level: pk for _far, level, pk in rows}
    return Place(
        area_id=ids[Level.GRID],
        county_id=ids[Level.COUNTY],
        town_id=ids.get(Level.TOWN),
        village_id=ids.get(Level.VILLAGE),
        grid_id=ids[Level.GRID],
        found_by="nearest" if rows[0][0] else "polygon",
    )


def place_of_area(area: Area, *, found_by: str = "given") -> Place:
    """Return the place that is ``area`` itself (1 query)."""
    lineage = Area.objects.filter(path__in=area.lineage_paths).values_list("level", "pk")
    return _place(area.pk, dict(lineage), found_by=found_by)


def _place(area_id: int, ids: dict[str, int], *, found_by: str) -> Place:
    return Place(
        area_id=area_id,
        county_id=ids[Level.COUNTY],
        town_id=ids.get(Level.TOWN),
        village_id=ids.get(Level.VILLAGE),
        grid_id=ids.get(Level.GRID),
        unit_id=ids.get(Level.UNIT),
        found_by=found_by,
    )


_LINEAGES = """
    SELECT area.id, above.level, above.id
      FROM grids_area area
      JOIN grids_area above ON above.path = ANY (ARRAY(
           SELECT left(area.path, n * {step})
             FROM generate_series(1, length(area.path) / {step}) AS n))
     WHERE area.id = ANY(%s)
"""


def places_of_areas(area_ids: Iterable[int]) -> dict[int, Place]:
    """Return {area id: its place} for areas from the county down (1 query)."""
    with connection.cursor() as cursor:
        cursor.execute(_LINEAGES.format(step=Area.steplen), [list(area_ids)])
        lineages: dict[int, dict[str, int]] = {}
        for pk, level, above in cursor.fetchall():
            lineages.setdefault(pk, {})[level] = above
    return {pk: _place(pk, ids, found_by="given") for pk, ids in lineages.items()}
