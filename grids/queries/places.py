"""From a point or a text to the area it means.

What must not live here: the tree for its own sake (territory.py).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from django.db import connection

from core import prepared
from core.kept import remembered
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


# Endings people leave out when they say where something is.
_SPOKEN_ENDINGS = ("村民委员会", "居民委员会", "社区居委会", "街道办事处", "村委会", "居委会")


def spoken_names(name: str) -> list[str]:
    """Return the ways people say an area's name.

    >>> spoken_names("大史庄村民委员会")
    ['大史庄村民委员会', '大史庄村', '大史庄']
    """
    for ending in _SPOKEN_ENDINGS:
        if name.endswith(ending) and len(name) - len(ending) >= 2:
            stem = name.removesuffix(ending)
            return [name, f"{stem}社区" if ending.startswith("社区") else f"{stem}村", stem]
    return [name]


class _Named(NamedTuple):
    """A town or village that can be named in a text."""

    pk: int
    path: str
    level: str
    names: tuple[str, ...]


# Names change by import, seldom; seconds.
NAMES_KEPT = 60


def _named_areas(county: Area) -> list[_Named]:
    def read() -> list[_Named]:
        found = (
            Area.objects.open()
            .filter(path__startswith=county.path, level__in=[Level.TOWN, Level.VILLAGE])
            .values_list("pk", "path", "level", "name")
        )
        return [_Named(pk, path, level, tuple(spoken_names(n))) for pk, path, level, n in found]

    return remembered(f"places:names:{county.pk}", read, NAMES_KEPT)


def place_of_text(text: str, *, county: Area) -> Place | None:
    """Return the most precise area of ``county`` that ``text`` names without doubt, else None.

    Towns are looked for first; a village name counts when it is unique inside
    the towns named, or unique in the whole county. Two candidates are no answer:
    names repeat, and a wrong village is worse than the town alone. Names may be
    up to a minute old.
    """
    if len(text.strip()) < 2:
        return None
    named = [
        (row, size)
        for row in _named_areas(county)
        if (size := max((len(name) for name in row.names if name in text), default=0))
    ]
    towns = [row for row, _size in named if row.level == Level.TOWN]
    villages = [(row, size) for row, size in named if row.level == Level.VILLAGE]
    if towns:
        villages = [(v, s) for v, s in villages if any(v.path.startswith(t.path) for t in towns)]
    longest = max((size for _village, size in villages), default=0)
    best = [village for village, size in villages if size == longest]
    if len(best) == 1:
        return _place_of_named(best[0])
    if len(towns) == 1:
        return _place_of_named(towns[0])
    return None


def _place_of_named(row: _Named) -> Place | None:
    area = Area.objects.filter(pk=row.pk).only("pk", "path").first()
    return place_of_area(area, found_by="address") if area else None
