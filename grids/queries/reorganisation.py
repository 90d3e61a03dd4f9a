"""Acts that reorder the territory, as their pages show them.

What must not live here: what an act would do (services/reorganisation_plan.py).
"""

import re

from django.db.models import Q, QuerySet

from core.paging import Page, keyset_page
from grids.models import SHAPES, Area, Level, Reorganisation
from grids.queries.reach import Reach

FOUND_LIMIT = 12
PAGE_SIZE = 30


def acts_within(reach: Reach) -> QuerySet[Reorganisation]:
    """Return the acts of the county kept, or that touch a town kept."""
    ids = [area.pk for area in reach.areas]
    touching = Reorganisation.towns.through.objects.filter(area__in=ids)
    return Reorganisation.objects.filter(
        Q(county__in=ids) | Q(pk__in=touching.values("reorganisation"))
    )


def acts_page(reach: Reach, *, cursor: str | None) -> Page:
    """Return a page of acts, newest first, with who drafted them (1 query)."""
    acts = acts_within(reach).select_related("drafted_by", "decided_by")
    return keyset_page(acts, order=["-id"], cursor=cursor, size=PAGE_SIZE)


def find_areas(reach: Reach, text: str) -> list[Area]:
    """Return open towns and villages kept, by part of a name or beginning of a code (1 query)."""
    text = re.sub(r"\s+", "", text.replace("\x00", ""))[:50]
    if not text or not reach.areas:
        return []
    found = Area.objects.open().inside(*reach.areas).filter(level__in=[Level.TOWN, Level.VILLAGE])
    wanted = Q(name__icontains=text) | Q(code__startswith=text)
    return list(found.filter(wanted).order_by("code").defer(*SHAPES)[:FOUND_LIMIT])


def area_meant(reach: Reach, text: str) -> Area | None:
    """Return the one open town or village kept that ``text`` means: its code, first, or its name.

    None where it is none or not only one (1 query).
    """
    code = re.match(r"\s*([0-9]{9,12})\b", text)
    if not reach.areas:
        return None
    areas = Area.objects.open().inside(*reach.areas).filter(level__in=[Level.TOWN, Level.VILLAGE])
    wanted = Q(code=code.group(1)) if code else Q(name=text.strip())
    found = list(areas.filter(wanted).defer(*SHAPES)[:2])
    return found[0] if len(found) == 1 else None
