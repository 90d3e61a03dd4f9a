"""What the coverage audit found, for any area.

What must not live here: measuring (services/coverage.py).

Faults of all finished runs together are the picture of today: a run that finishes takes the
place of whatever older runs found inside its area.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import connection
from django.db.models import Count, Q, QuerySet
from django.utils.translation import gettext_lazy as _

from core.choices import labels
from core.errors import Invalid
from core.paging import Page, keyset_page
from grids.models import Area, AuditState, CoverageAudit, CoverageFault, FaultKind
from grids.queries.territory import names_of

# A map draws so many faults at once, the largest first.
DRAWN_AT_MOST = 1000
SLIVERS, REAL = "slivers", "real"


@dataclass(frozen=True)
class KindCount:
    """How many faults of a kind there are, real ones and rows of slivers."""

    kind: str
    label: str
    real: int
    slivers: int


def faults_in(area: Area) -> QuerySet[CoverageFault]:
    """Return the faults found in ``area`` and below, those shared with a neighbour too."""
    inside = Q(place__path__startswith=area.path) | Q(other__path__startswith=area.path)
    return CoverageFault.objects.filter(inside, audit__state=AuditState.DONE)


def chosen(area: Area, *, kind: str = "", size: str = "") -> QuerySet[CoverageFault]:
    """Return the faults of a kind, and only ``slivers`` or only ``real`` ones. Raises Invalid."""
    if (kind and kind not in FaultKind.values) or size not in {"", SLIVERS, REAL}:
        raise Invalid(_("There is no such filter."))
    rows = faults_in(area)
    if kind:
        rows = rows.filter(kind=kind)
    return rows.filter(sliver=size == SLIVERS) if size else rows


def faults_page(area: Area, *, kind: str = "", size: str = "", cursor: str | None = None) -> Page:
    """Return fifty faults, the largest first, each with ``names`` of its areas (2 queries)."""
    rows = chosen(area, kind=kind, size=size).defer("shape")
    page = keyset_page(rows, order=("-size_m2", "id"), cursor=cursor)
    give_names(page.items)
    return page


def give_names(faults: Sequence[CoverageFault]) -> None:
    """Put on each fault ``place_name`` and ``names``, those of all areas it touches (1 query)."""
    names = names_of(pk for fault in faults for pk in (fault.place_id, *fault.area_ids))
    for fault in faults:
        fault.place_name = names.get(fault.place_id, "")  # type: ignore[attr-defined]
        fault.names = [names[pk] for pk in fault.area_ids if pk in names]  # type: ignore[attr-defined]


def last_run(area: Area) -> CoverageAudit | None:
    """Return the newest finished run that measured all of ``area`` (1 query)."""
    return (
        CoverageAudit.objects.filter(area__path__in=area.lineage_paths, state=AuditState.DONE)
        .order_by("-finished_at")
        .first()
    )


def current_run(area: Area) -> CoverageAudit | None:
    """Return the newest run of exactly this area that is not finished well (1 query)."""
    newest = CoverageAudit.objects.filter(area=area).order_by("-pk").first()
    return newest if newest and newest.state != AuditState.DONE else None


def counts_by_kind(area: Area) -> list[KindCount]:
    """Return the number of faults of each kind, kinds without any too (1 query)."""
    rows = (
        faults_in(area)
        .values_list("kind")
        .annotate(
            real=Count("pk", filter=Q(sliver=False)), slivers=Count("pk", filter=Q(sliver=True))
        )
    )
    found = {kind: (real, slivers) for kind, real, slivers in rows}
    names = labels(FaultKind)
    return [KindCount(kind, names[kind], *found.get(kind, (0, 0))) for kind in FaultKind.values]


_SHARE = """
    SELECT ST_Area(area.boundary::geography), coalesce(sum(fault.size_m2), 0), count(fault.id)
      FROM grids_area area
      LEFT JOIN (
            grids_coveragefault fault
            JOIN grids_coverageaudit run ON run.id = fault.audit_id AND run.state = 'done'
            JOIN grids_area place ON place.id = fault.place_id
      ) ON fault.kind = 'gap' AND starts_with(place.path, area.path)
     WHERE area.id = %s
     GROUP BY area.id
"""


def covered_share(area: Area) -> float | None:
    """Return how much of ``area`` its grids cover, in percent (1 query).

    Only ground without any gap makes 100; a little missing is rounded down to 99.9999. None for
    an area without a boundary.
    """
    with connection.cursor() as cursor:
        cursor.execute(_SHARE, [area.pk])
        whole, missing, gaps = cursor.fetchone()
    if not whole:
        return None
    share = max(0.0, 100 * (1 - missing / whole))
    return min(math.floor(share * 10_000) / 10_000, 99.9999) if gaps else 100.0
