"""Giving codes: a code once given is never given to another area, and its history is kept.

What must not live here: what a code means (queries/codes.py). Callers hold the lock of the tree.
"""

from collections.abc import Iterable, Mapping
from datetime import date

from django.db import connection
from django.utils.translation import gettext_lazy as _

from core.errors import Conflict
from grids.models import Area, AreaCode, Level
from grids.models.area import CODE_LENGTH, PARENT_LEVEL

_END = """
    UPDATE grids_areacode
       SET valid = daterange(lower(valid), greatest(lower(valid), %s))
     WHERE area_id = ANY(%s) AND upper_inf(valid) AND NOT isempty(valid)
"""
_RECODE = """
    WITH given AS (SELECT * FROM unnest(%s::bigint[], %s::text[]) AS row (id, code)),
    put AS (UPDATE grids_area a SET code = given.code FROM given WHERE a.id = given.id)
    INSERT INTO grids_areacode (area_id, code, valid, source)
    SELECT id, code, daterange(%s, NULL), %s FROM given
"""


def next_codes(parent_code: str, level: str, count: int) -> list[str]:
    """Return ``count`` codes of ``level`` below ``parent_code`` that no area ever had (1 query).

    The lowest come first. Raises Conflict when the digits of the level do not suffice.
    """
    digits = CODE_LENGTH[Level(level)] - CODE_LENGTH[PARENT_LEVEL[Level(level)]]
    taken = set(
        AreaCode.objects.filter(
            code__regex=rf"^{parent_code}[0-9]{{{digits}}}$", code__startswith=parent_code
        ).values_list("code", flat=True)
    )
    free = (f"{parent_code}{number:0{digits}}" for number in range(1, 10**digits))
    codes = [code for code in free if code not in taken][:count]
    if len(codes) < count:
        raise Conflict(
            _("Below %(code)s only %(free)s codes are left; %(count)s are needed."),
            code=parent_code,
            free=len(codes),
            count=count,
        )
    return codes


def open_codes(codes: Mapping[int, str], *, on: date, source: str) -> None:
    """Begin the history of the codes that areas have, {area id: code}, on a day (1 query)."""
    AreaCode.objects.bulk_create(
        AreaCode(area_id=pk, code=code, valid=(on, None), source=source)
        for pk, code in codes.items()
    )


def end_codes(area_ids: Iterable[int], *, on: date) -> None:
    """Let the present codes of areas end before a day (1 query)."""
    with connection.cursor() as cursor:
        cursor.execute(_END, [on, list(area_ids)])


def give_codes(codes: Mapping[int, str], *, on: date, source: str) -> None:
    """Give areas other codes from a day, {area id: new code}; the old ones end (2 queries)."""
    if not codes:
        return
    end_codes(codes, on=on)
    with connection.cursor() as cursor:
        cursor.execute(_RECODE, [list(codes), list(codes.values()), on, source])


def codes_below(area: Area, new_code: str) -> dict[int, str]:
    """Return {id: code} of ``area`` and the open ones below if its own code became ``new_code``."""
    old = area.code
    below = Area.objects.open().inside(area).values_list("pk", "code")
    return {pk: new_code + code.removeprefix(old) for pk, code in below}
