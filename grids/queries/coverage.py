"""What the coverage audit found, for any area.

What must not live here: measuring (services/coverage.py).

Faults of all finished runs together are the picture of today: a run that finishes takes the
place of whatever older runs found inside its area.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from django.contrib.gis.db.models.functions import AsGeoJSON, PointOnSurface
from django.db import connection
from django.db.models import Count, F, FloatField, Func, Q, QuerySet
from django.utils.translation import gettext_lazy as _

from core.choices import labels
from core.errors import Invalid
from core.paging import Page, keyset_page
from grids.models import SHAPES, Area, AuditState, CoverageAudit, CoverageFault, FaultKind, Level

# A map draws so many faults at once, the largest first.
DRAWN_AT_MOST = 1000
AT_ONCE = 1000
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


def drawn(area: Area, *, kind: str = "", size: str = "") -> list[tuple[CoverageFault, str]]:
    """Return the largest faults that have a shape, each with it as GeoJSON (2 queries)."""
    rows = _with_shape(chosen(area, kind=kind, size=size).filter(shape__isnull=False))
    faults = list(rows[:DRAWN_AT_MOST])
    give_names(faults)
    return [(fault, fault.geojson) for fault in faults]  # type: ignore[attr-defined]


def exported(
    area: Area, *, kind: str = "", size: str = ""
) -> Iterator[tuple[CoverageFault, str | None]]:
    """Yield all faults, the largest first, with ``place_code``, ``lon`` and ``lat`` of a point
    in them, and their shape as GeoJSON (1 query, and 1 for each thousand)."""
    inside = PointOnSurface("shape")
    rows = _with_shape(chosen(area, kind=kind, size=size)).annotate(
        place_code=F("place__code"),
        lon=Func(inside, function="ST_X", output_field=FloatField()),
        lat=Func(inside, function="ST_Y", output_field=FloatField()),
    )
    found = rows.iterator(chunk_size=AT_ONCE)
    while faults := list(islice(found, AT_ONCE)):
        give_names(faults)
        for fault in faults:
            yield fault, fault.geojson  # type: ignore[attr-defined]


def _with_shape(rows: "QuerySet[CoverageFault]") -> "QuerySet[CoverageFault]":
    # Eight decimals are a millimetre: a sliver may be a few centimetres wide.
    shaped = rows.defer("shape").annotate(geojson=AsGeoJSON("shape", precision=8))
    return shaped.order_by("-size_m2", "id")


def give_names(faults: Sequence[Any]) -> None:
    """Put on each fault ``place_name``, ``names`` of all areas it touches, ``menders`` (1 query).

    ``menders`` are the open areas by which it may be mended, without shapes: those it touches,
    and last the one a gap is in, which can take a new area.
    """
    ids = {pk for fault in faults for pk in (fault.place_id, *fault.area_ids)}
    known = Area.objects.defer(*SHAPES).in_bulk(ids)
    for fault in faults:
        touched = [known[pk] for pk in fault.area_ids if pk in known]
        place = known[fault.place_id]
        menders = [*touched, place] if fault.kind == FaultKind.GAP else touched
        fault.place_name = place.name
        fault.names = [area.name for area in touched]
        fault.menders = [area for area in menders if area.closed_on is None]


def shape_of_fault(fault_id: int, area: Area) -> str | None:
    """Return a fault as GeoJSON if it is one of ``area``'s own, else None (1 query)."""
    mine = Q(place=area) | Q(area_ids__contains=[area.pk])
    rows = CoverageFault.objects.filter(mine, pk=fault_id, audit__state=AuditState.DONE)
    found = rows.annotate(geojson=AsGeoJSON("shape", precision=8)).values_list("geojson", flat=True)
    return found.first()


def around(area: Area, tops: Sequence[Area]) -> list[Area]:
    """Return the areas above inside ``tops``, ``area`` itself, and what is below it (1 query).

    Ordered as the tree is, without shapes; grids and units are not among them.
    """
    top = next(one for one in tops if area.path.startswith(one.path))
    above = [path for path in area.lineage_paths if path.startswith(top.path)]
    below = Q(path__startswith=area.path, depth=area.depth + 1)
    rows = Area.objects.open().exclude(level__in=[Level.GRID, Level.UNIT])
    # Others held elsewhere in the tree can be gone to as well.
    rows = rows.filter(Q(path__in=above) | below | Q(pk__in=[one.pk for one in tops]))
    return list(rows.only("pk", "path", "depth", "name"))


def outline(area: Area) -> str | None:
    """Return the line around the area as GeoJSON, simplified, None if not drawn (1 query)."""
    rows = Area.objects.filter(pk=area.pk).annotate(line=AsGeoJSON("outline", precision=6))
    return rows.values_list("line", flat=True).get()


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
