"""GeoJSON of areas for the territory pages: one area with what lies around and in it.

What must not live here: the map of all open cases (incidents), tiles, and who may look.
"""

from typing import Any

from django.db import connection

from grids.models import Area

# More neighbours than this around one area are no help to anybody who draws.
NEIGHBOURS_DRAWN = 400

_SHOWN = """
    SELECT CASE WHEN a.id = %(id)s THEN 'self' WHEN a.path LIKE %(below)s THEN 'child'
                WHEN a.id = %(parent)s THEN 'parent' ELSE 'sibling' END AS role,
           a.id, a.name, a.level, ST_AsGeoJSON(a.outline, 5)
      FROM grids_area a
     WHERE a.outline IS NOT NULL
       AND (a.id IN (%(id)s, %(parent)s)
            OR (a.closed_on IS NULL AND a.path LIKE %(below)s AND a.depth = %(depth)s + 1)
            OR (a.closed_on IS NULL AND a.path LIKE %(beside)s AND a.depth = %(depth)s))
     ORDER BY a.depth, a.code
"""


def features_of(area: Area) -> list[dict[str, Any]]:
    """Return outlines of an area, its parent, its open siblings and children (≤ 2 queries).

    Each is {"role": self|parent|sibling|child, "id", "name", "level", "shape": GeoJSON text}.
    """
    above = area.path[: -Area.steplen]
    parent = Area.objects.filter(path=above).values_list("pk", flat=True).first() if above else None
    values = {
        "id": area.pk,
        "parent": parent or 0,
        "below": f"{area.path}_%",
        # A county has no siblings to show.
        "beside": f"{above}_%" if above else "-",
        "depth": area.depth,
    }
    return _read(_SHOWN, values)


_DRAWN = """
    WITH ground AS (
        SELECT coalesce(
            (SELECT ST_Expand(boundary, 0.002) FROM grids_area WHERE id = %(own)s),
            (SELECT ST_Expand(boundary, 0.002) FROM grids_area WHERE id = %(parent)s)) AS box
    )
    SELECT CASE WHEN a.id = %(own)s THEN 'self' WHEN a.id = %(parent)s THEN 'parent'
                ELSE 'neighbour' END AS role,
           a.id, a.name, a.level, ST_AsGeoJSON(a.boundary, 8)
      FROM grids_area a, ground
     WHERE a.boundary IS NOT NULL
       AND (a.id IN (%(own)s, %(parent)s)
            OR (a.level = %(level)s AND a.closed_on IS NULL AND a.boundary && ground.box))
     ORDER BY a.depth, a.code
     LIMIT %(most)s
"""


def features_to_draw(*, level: str, parent: Area, own: Area | None) -> list[dict[str, Any]]:
    """Return true boundaries of the parent, the area itself and its neighbours (1 query).

    Shaped as in :func:`features_of`, with the role ``neighbour``.
    """
    values = {
        "own": own.pk if own else 0,
        "parent": parent.pk,
        "level": level,
        "most": NEIGHBOURS_DRAWN,
    }
    return _read(_DRAWN, values)


def bounds_of(area: Area) -> str:
    """Return "west,south,east,north" of an area, or of the nearest above that is drawn (1 query).

    Empty when none is.
    """
    above = Area.objects.filter(path__in=area.lineage_paths, outline__isnull=False)
    nearest = above.order_by("-depth").values_list("outline", flat=True).first()
    return ",".join(f"{edge:.5f}" for edge in nearest.extent) if nearest else ""


def _read(statement: str, values: dict[str, Any]) -> list[dict[str, Any]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        names = ("role", "id", "name", "level", "shape")
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
