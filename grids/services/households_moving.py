"""Households follow areas that move or merge (grids/moves.py).

What must not live here: a single household that moves (households.py). Visit rules of an area
that was merged stay with it and bind nobody: those of the area that took it in hold.
"""

from collections.abc import Collection, Sequence
from datetime import date
from typing import Any

from django.db import connection
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from grids.models import Area, User
from grids.moves import Areas
from grids.queries import places_of_areas
from grids.services.visit_rules import recount

LABELS = {"living": _("Households"), "moved_out": _("Households that moved out")}

_ROWS = "FROM grids_household h WHERE coalesce(h.unit_id, h.grid_id) = ANY(%(old)s)"

# Filled into the statements below.
_GIVEN = """WITH given AS (
        SELECT * FROM unnest(%(old)s::bigint[], %(county)s::bigint[], %(town)s::bigint[],
                             %(village)s::bigint[], %(grid)s::bigint[], %(unit)s::bigint[])
                   AS row (old, county, town, village, grid, unit)
    )"""

# Doors of two places may be called the same; those that came say where they come from.
_NAME_TWINS = """
    {given}, there AS (
        SELECT h.id, h.address, given.old, coalesce(h.unit_id, h.grid_id) AS was,
               coalesce(given.unit, given.grid, h.unit_id, h.grid_id) AS place
          FROM grids_household h LEFT JOIN given ON given.old = coalesce(h.unit_id, h.grid_id)
         WHERE h.moved_out_on IS NULL
           AND coalesce(h.unit_id, h.grid_id) IN (
               SELECT old FROM given UNION SELECT coalesce(unit, grid) FROM given)
    ), twins AS (
        SELECT id, was FROM (
            SELECT *, count(*) OVER (PARTITION BY place, address) AS n FROM there) one
         WHERE n > 1 AND old IS NOT NULL AND was <> place
    )
    UPDATE grids_household h
       SET address = left(h.address, 60) || '（' || left(a.name, 38) || '）'
      FROM twins JOIN grids_area a ON a.id = twins.was
     WHERE h.id = twins.id
"""

_FOLLOW = """
    {given}
    UPDATE grids_household h
       SET county_id = given.county, town_id = given.town, village_id = given.village,
           grid_id = given.grid, unit_id = given.unit
      FROM given
     WHERE given.old = coalesce(h.unit_id, h.grid_id)
       AND ROW(h.county_id, h.town_id, h.village_id, h.grid_id, h.unit_id) IS DISTINCT FROM
           ROW(given.county, given.town, given.village, given.grid, given.unit)
    RETURNING h.id, h.moved_out_on IS NULL
"""

# Whoever stands on a border that two parts share goes to the older one.
_SCATTER = """
    WITH held AS (
        SELECT DISTINCT ON (h.id) h.id, part.id AS part, part.level
          FROM grids_household h JOIN grids_area part ON ST_Covers(part.boundary, h.location)
          JOIN grids_area kept ON kept.id = h.grid_id
         WHERE h.grid_id = %s AND h.unit_id IS NULL AND part.id = ANY(%s)
           AND (part.level = 'unit' OR NOT ST_Covers(kept.boundary, h.location))
         ORDER BY h.id, part.id
    )
    UPDATE grids_household h
       SET grid_id = CASE held.level WHEN 'grid' THEN held.part ELSE h.grid_id END,
           unit_id = CASE held.level WHEN 'unit' THEN held.part END
      FROM held WHERE held.id = h.id
    RETURNING h.id, h.moved_out_on IS NULL
"""


def count(areas: Areas) -> dict[str, int]:
    """Return how many households live, and lived, in ``areas`` (1 query)."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FILTER (WHERE moved_out_on IS NULL), "
            f"count(*) FILTER (WHERE moved_out_on IS NOT NULL) {_ROWS}",
            {"old": list(areas)},
        )
        return dict(zip(LABELS, cursor.fetchone(), strict=True))


def hold(areas: Areas, *, told: Collection[int] = (), later: bool = False) -> None:
    """Lock the households that will follow, past ones too (1 query)."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT h.id {_ROWS} ORDER BY h.id FOR UPDATE", {"old": list(areas)})


def follow(areas: Areas, *, on: date, actor: User | None) -> dict[str, int]:
    """Let households stand where ``areas`` stand now, and be due by the rules there.

    4 queries. Returns {"living": n, "moved_out": n}.
    """
    places = places_of_areas(set(areas.values()))
    given = [(old, places[new]) for old, new in areas.items() if places[new].grid_id]
    values: dict[str, Any] = {"old": [old for old, _place in given]}
    for level in ("county", "town", "village", "grid", "unit"):
        values[level] = [getattr(place, f"{level}_id") for _old, place in given]
    with connection.cursor() as cursor:
        cursor.execute(_NAME_TWINS.format(given=_GIVEN), values)
        cursor.execute(_FOLLOW.format(given=_GIVEN), values)
        return _moved(cursor.fetchall(), on)


def scatter(area: int, parts: Sequence[int]) -> dict[str, int]:
    """Give households right in a grid, and with a point, to the part of it that holds the point.

    2 queries. Returns {"living": n, "moved_out": n}.
    """
    with connection.cursor() as cursor:
        cursor.execute(_SCATTER, [area, list(parts)])
        return _moved(cursor.fetchall(), timezone.localdate())


def _moved(rows: Sequence[tuple[int, bool]], on: date) -> dict[str, int]:
    recount([pk for pk, _living in rows], today=on)
    living = sum(1 for _pk, lives in rows if lives)
    return {"living": living, "moved_out": len(rows) - living}


def obstacles(area: Area) -> list[str]:
    """Return the households that live in ``area``, in words (1 query)."""
    found = count({area.pk: area.pk, **_below(area)})["living"]
    if not found:
        return []
    return [ngettext("%(n)s household", "%(n)s households", found) % {"n": found}]


def _below(area: Area) -> dict[int, int]:
    return {pk: pk for pk in Area.objects.inside(area).values_list("pk", flat=True)}
