"""Plain reads of the tree of areas and their shapes."""

from collections.abc import Iterable, Sequence

from django.db import connection

from core import prepared
from grids.models import Area, Level


def names_of(area_ids: Iterable[int | None]) -> dict[int, str]:
    """Return {id: name} of the areas (1 query; none for no area)."""
    ids = list({pk for pk in area_ids if pk is not None})
    if not ids:
        return {}
    with prepared.cursor() as cursor:
        # One array instead of hundreds of parameters.
        cursor.execute("SELECT id, name FROM grids_area WHERE id = ANY(%s)", [ids])
        return dict(cursor.fetchall())


_HEIRS = """
    WITH RECURSIVE went (old, new) AS (
        SELECT id, id FROM grids_area WHERE id = ANY(%s)
        UNION ALL
        SELECT went.old, area.merged_into_id
          FROM went JOIN grids_area area ON area.id = went.new
         WHERE area.merged_into_id IS NOT NULL
    )
    SELECT went.old, went.new FROM went JOIN grids_area area ON area.id = went.new
     WHERE area.merged_into_id IS NULL
"""


def heirs_of(area_ids: Iterable[int]) -> dict[int, int]:
    """Return {area id: the area that stands for it now}, itself unless it was merged (1 query)."""
    with connection.cursor() as cursor:
        cursor.execute(_HEIRS, [list(area_ids)])
        return dict(cursor.fetchall())


def the_county() -> Area | None:
    """Return the county this deployment serves (the first one; 1 query)."""
    return Area.objects.filter(level=Level.COUNTY).first()


def unsound_shapes(shapes: Sequence[bytes]) -> list[tuple[int, str, float, float]]:
    """Return (index, reason, longitude, latitude) of each WKB that PostGIS calls invalid (1 query).

    The reason is PostGIS's own English wording.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT number - 1, reason(fault), ST_X(location(fault)), ST_Y(location(fault))
              FROM unnest(%s::bytea[]) WITH ORDINALITY AS given (wkb, number),
                   LATERAL ST_IsValidDetail(ST_GeomFromWKB(wkb)) AS fault
             WHERE NOT valid(fault)
             ORDER BY number
            """,
            [list(shapes)],
        )
        return cursor.fetchall()


def all_codes() -> set[str]:
    """Return the codes of all areas (1 query)."""
    return set(Area.objects.order_by().values_list("code", flat=True))


def towns() -> list[tuple[str, str]]:
    """Return (id as text, name) of the towns, closed ones too, in order of code (1 query)."""
    rows = Area.objects.filter(level=Level.TOWN).order_by("code").values_list("pk", "name")
    return [(str(pk), name) for pk, name in rows]
