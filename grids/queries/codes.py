"""Codes as they are and as they were: from any code an area ever had to the area of today.

What must not live here: giving codes (services/codes.py).
"""

from collections.abc import Iterable
from datetime import date

from django.db.models import F

from grids.models import SHAPES, Area, AreaCode, shapes_of
from grids.queries.territory import heirs_of


def area_of_code(code: str, on: date | None = None) -> Area | None:
    """Return the area ``code`` meant on a day; None if it never meant one.

    Without a day, the area that stands for it now: the one that has the code, else the last
    one that had it, and where that was merged, the area that took it in. 1 query, 3 for a merged
    one; the area comes without its shapes.
    """
    rows = AreaCode.objects.filter(code=code).select_related("area").defer(*shapes_of("area"))
    if on is not None:
        row = rows.filter(valid__contains=on).first()
        return row.area if row else None
    # An empty span belongs to a code that was given and taken away on one day.
    row = rows.order_by(F("valid__endswith").desc(nulls_first=True), "-pk").first()
    if row is None:
        return None
    area = row.area
    if area.merged_into_id is None:
        return area
    return Area.objects.defer(*SHAPES).get(pk=heirs_of([area.pk])[area.pk])


def areas_of_codes(codes: Iterable[str]) -> dict[str, Area]:
    """Return {code: area without its shapes} of those that have these codes, or had them last.

    Closed and merged areas are among them (≤ 2 queries).
    """
    wanted = set(codes)
    found = {area.code: area for area in Area.objects.filter(code__in=wanted).defer(*SHAPES)}
    if rest := wanted - found.keys():
        earlier = AreaCode.objects.filter(code__in=rest).select_related("area").order_by("valid")
        found |= {row.code: row.area for row in earlier.defer(*shapes_of("area"))}
    return found
