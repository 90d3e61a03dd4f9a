"""Reads over alliances and themes: lists for their pages.

What must not live here: the tree (tree.py), and who may change them (services/network.py).
"""

from typing import Any

from django.db.models import Count, Prefetch, Q, QuerySet
from django.utils import timezone

from grids.models import SHAPES, AllianceGrid, AllianceVillage, Area, GridTheme, Level
from grids.queries.scope import Scope
from grids.queries.tree import seen_areas

ALLIANCES_LIMIT = 200


def alliances_in_sight(scope: Scope) -> QuerySet[AllianceGrid]:
    """Return alliances with a village the reader may look at."""
    return AllianceGrid.objects.touching(seen_areas(scope))


def alliances_listed(scope: Scope) -> list[AllianceGrid]:
    """Return alliances in sight, open ones first, with ``members`` and lead (3 queries)."""
    members = AllianceVillage.objects.select_related("village").order_by("village__code")
    members = members.defer(*(f"village__{shape}" for shape in SHAPES))
    rows = alliances_in_sight(scope).select_related("lead")
    rows = rows.defer(*(f"lead__{shape}" for shape in SHAPES))
    rows = rows.prefetch_related(Prefetch("members", queryset=members))[:ALLIANCES_LIMIT]
    return sorted(rows, key=lambda one: one.ended)


def villages_to_ally(areas: QuerySet[Area]) -> list[tuple[int, str]]:
    """Return (id, "town · village") of the open villages among ``areas`` (2 queries)."""
    villages = list(areas.filter(level=Level.VILLAGE, closed_on__isnull=True).defer(*SHAPES))
    paths = {village.path[: -Area.steplen] for village in villages}
    towns = dict(Area.objects.filter(path__in=paths).values_list("path", "name"))
    several = len(towns) > 1
    return [
        (v.pk, f"{towns[v.path[: -Area.steplen]]} · {v.name}" if several else v.name)
        for v in villages
    ]


def themes_listed(areas: QuerySet[Area]) -> list[Any]:
    """Return all themes with ``grids`` and ``people``: how many of ``areas`` have one (1 query)."""
    today = timezone.localdate()
    duties = Q(duties__valid_from__lte=today, duties__grid__in=areas.values("pk"))
    duties &= Q(duties__valid_to__isnull=True) | Q(duties__valid_to__gt=today)
    return list(
        GridTheme.objects.annotate(
            grids=Count("duties__grid", filter=duties, distinct=True),
            people=Count("duties__user", filter=duties, distinct=True),
        )
    )
