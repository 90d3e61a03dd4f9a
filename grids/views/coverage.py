"""The coverage audit's page: choose an area, run, see the faults on a map and in a list, export.

What must not live here: measuring (services/coverage.py) and reading (queries/coverage.py).
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import require_GET, require_POST

from core.choices import labels
from core.csv_file import csv_file
from core.errors import Conflict
from core.htmx import render, wants_partial
from grids.access import roles
from grids.forms.coverage import AuditForm
from grids.models import Area, AuditState, CoverageFault, FaultKind, Level
from grids.queries import coverage as read
from grids.queries.reach import TERRITORY_ROLES, Reach
from grids.queries.tree_map import bounds_of
from grids.services import coverage as service
from grids.services.reshaping import DRAWABLE

# One mu, in square metres.
MU = 2000 / 3


@roles(*TERRITORY_ROLES)
@require_GET
def coverage(request: HttpRequest) -> HttpResponse:
    """Show what is known of an area, and the progress of a run over it."""
    return _page(request, _area(request))


@roles(*TERRITORY_ROLES)
@require_POST
def coverage_start(request: HttpRequest) -> HttpResponse:
    """Start a run over ``area``; who presses second reads that one is under way."""
    area = _area(request)
    form = AuditForm(request.POST)
    if not form.is_valid():
        return _page(request, area, form=form, status=422)
    try:
        service.start(area=area, actor=request.user, sliver_m2=form.cleaned_data["sliver"])
    except Conflict as error:
        messages.warning(request, str(error))
    return redirect(_address(area))


@roles(*TERRITORY_ROLES)
@require_GET
def coverage_progress(request: HttpRequest) -> HttpResponse:
    """Return the piece with the progress of the run; the whole page anew once it has ended."""
    area = _area(request)
    run = read.current_run(area)
    if run is None or run.state == AuditState.FAILED:
        response = HttpResponse(status=200)
        response.headers["HX-Redirect"] = _address(area)
        return response
    return render(request, "grids/_coverage_run.html", {"run": run, "area": area})


@roles(*TERRITORY_ROLES)
@require_GET
@gzip_page
def coverage_map(request: HttpRequest) -> HttpResponse:
    """Return the largest faults as GeoJSON, each with what its popup says.

    ``area`` beside them is the line around the area that is looked at.
    """
    area = _area(request)
    reach = _reach(request)
    faults = read.drawn(area, kind=_get(request, "kind"), size=_get(request, "size"))
    features = [_feature(fault, shape, reach) for fault, shape in faults]
    around = read.outline(area) or "null"
    body = f'{{"type":"FeatureCollection","area":{around},"features":[{",".join(features)}]}}'
    response = HttpResponse(body, content_type="application/geo+json")
    response.headers["Cache-Control"] = "private, max-age=0"
    return response


@roles(*TERRITORY_ROLES)
@require_GET
def coverage_export(request: HttpRequest) -> StreamingHttpResponse:
    """Send all faults of the filter as ``format`` csv (default) or geojson."""
    area = _area(request)
    faults = read.exported(area, kind=_get(request, "kind"), size=_get(request, "size"))
    name = f"coverage-{area.code}-{timezone.localdate():%Y%m%d}"
    if request.GET.get("format") != "geojson":
        return csv_file(name, _rows(faults))
    response = StreamingHttpResponse(_geojson(faults), content_type="application/geo+json")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}.geojson"'
    return response


def _reach(request: HttpRequest) -> Reach:
    return Reach.of(request.scope)


def _area(request: HttpRequest) -> Area:
    asked = request.POST.get("area") or request.GET.get("area")
    area = _reach(request).find(asked)
    if area is None or area.level not in service.COVERED:
        raise Http404
    return area


def _get(request: HttpRequest, name: str) -> str:
    return request.GET.get(name, "")


def _address(area: Area, **more: str) -> str:
    return f"{reverse('coverage')}?{urlencode({'area': area.pk, **more})}"


def _page(
    request: HttpRequest, area: Area, *, form: AuditForm | None = None, status: int = 200
) -> HttpResponse:
    kind, size = _get(request, "kind"), _get(request, "size")
    page = read.faults_page(area, kind=kind, size=size, cursor=request.GET.get("cursor"))
    reach = _reach(request)
    for fault in page.items:
        _word(fault, reach)
    here = {name: value for name, value in (("kind", kind), ("size", size)) if value}
    context: dict[str, Any] = {
        "area": area,
        "faults": page.items,
        "kind": kind,
        "size": size,
        "filters": urlencode({"area": area.pk, **here}),
        "next_url": _address(area, **here, cursor=page.next) if page.next else "",
        "previous_url": _address(area, **here, cursor=page.previous) if page.previous else "",
    }
    if status == 200 and wants_partial(request):
        return render(request, "grids/_coverage_faults.html", context)
    run = read.current_run(area)
    counts = read.counts_by_kind(area)
    by_kind = {one.kind: one for one in counts}
    context |= {
        "form": form or AuditForm(initial={"sliver": run.sliver_m2} if run else None),
        "choices": _choices(area, reach),
        "run": run,
        "last": read.last_run(area),
        "share": read.covered_share(area),
        "bounds": bounds_of(area),
        "counts": counts,
        "real": sum(one.real for one in counts),
        "slivers": sum(one.slivers for one in counts),
        "gaps": by_kind[FaultKind.GAP].real,
        "overlaps": by_kind[FaultKind.OVERLAP].real,
        "drawn_at_most": read.DRAWN_AT_MOST,
        "chips": _chips(area, kind, size, counts),
    }
    return render(request, "grids/coverage.html", context, status=status)


def _choices(area: Area, reach: Reach) -> list[tuple[int, str]]:
    """Return the areas one may go to from here: those above inside the reach, and those below."""
    rows = read.around(area, reach.areas)
    return [(one.pk, "　" * (one.depth - rows[0].depth) + one.name) for one in rows]


def _chips(area: Area, kind: str, size: str, counts: list[read.KindCount]) -> list[dict[str, Any]]:
    whole = sum(one.real + one.slivers for one in counts)
    chips = [("", "", _("All"), whole)]
    chips += [(one.kind, "", one.label, one.real + one.slivers) for one in counts]
    chips += [
        ("", read.REAL, _("Without slivers"), sum(one.real for one in counts)),
        ("", read.SLIVERS, _("Slivers only"), sum(one.slivers for one in counts)),
    ]
    return [
        {
            "url": _address(area, **{k: v for k, v in (("kind", a), ("size", b)) if v}),
            "label": label,
            "count": count,
            "active": (a, b) == (kind, size),
        }
        for a, b, label, count in chips
        if count or not (a or b)
    ]


def ground(square_metres: float) -> str:
    """Return a size in words: square metres, and mu from a tenth of one on."""
    digits = 0 if square_metres >= 100 else 2
    size = _("%(m2)s m²") % {"m2": f"{square_metres:,.{digits}f}"}
    mu = square_metres / MU
    if mu < 0.1:
        return size
    return _("%(size)s (%(mu)s mu)") % {"size": size, "mu": f"{mu:,.1f}"}


def _word(fault: CoverageFault, reach: Reach) -> None:
    """Put on a fault what its row says: kind, size, names, and the editor's address."""
    fault.label = labels(FaultKind)[fault.kind]
    fault.ground = ground(fault.size_m2) if fault.size_m2 else ""
    fault.editor = _editor(fault, reach)


def _editor(fault: CoverageFault, reach: Reach) -> str:
    """Return where the fault is mended, with it in view: a boundary beside it, or a new area in it.

    Where nothing is drawn by hand (towns) the page of the area; empty beyond the border.
    """
    mine = next((area for area in fault.menders if reach.covers(area)), None)
    if mine is None:
        return ""
    if mine.pk == fault.place_id and fault.kind == FaultKind.GAP:
        page = "territory_add" if mine.level == Level.VILLAGE else ""
    else:
        page = "territory_draw" if mine.level in DRAWABLE else ""
    if not page:
        return f"{reverse('territory')}?{urlencode({'area': mine.pk})}"
    return f"{reverse(page, args=[mine.pk])}?{urlencode({'fault': fault.pk})}"


def _feature(fault: CoverageFault, shape: str, reach: Reach) -> str:
    _word(fault, reach)
    words = {
        "id": fault.pk,
        "kind": fault.kind,
        "sliver": fault.sliver,
        "label": fault.label,
        "size": fault.ground,
        "names": "、".join(fault.names[:4]) or fault.place_name,
        "url": fault.editor,
    }
    told = json.dumps(words, ensure_ascii=False, separators=(",", ":"))
    return f'{{"type":"Feature","id":{fault.pk},"properties":{told},"geometry":{shape}}}'


def _rows(faults: Iterator[tuple[CoverageFault, str | None]]) -> Iterator[Sequence[Any]]:
    yield [
        _("Kind"),
        _("Sliver"),
        _("Size (m²)"),
        _("Size (mu)"),
        _("Pieces"),
        _("Place"),
        _("Code"),
        _("Areas concerned"),
        _("Longitude"),
        _("Latitude"),
    ]
    kinds = labels(FaultKind)
    for fault, _shape in faults:
        yield [
            kinds[fault.kind],
            _("yes") if fault.sliver else "",
            f"{fault.size_m2:.2f}",
            f"{fault.size_m2 / MU:.3f}",
            fault.pieces,
            fault.place_name,
            fault.place_code,
            "、".join(fault.names),
            "" if fault.lon is None else f"{fault.lon:.6f}",
            "" if fault.lat is None else f"{fault.lat:.6f}",
        ]


def _geojson(faults: Iterator[tuple[CoverageFault, str | None]]) -> Iterator[str]:
    yield '{"type":"FeatureCollection","features":['
    comma = ""
    for fault, shape in faults:
        words = {
            "kind": fault.kind,
            "sliver": fault.sliver,
            "size_m2": fault.size_m2,
            "pieces": fault.pieces,
            "place": fault.place_name,
            "code": fault.place_code,
            "areas": fault.names,
        }
        told = json.dumps(words, ensure_ascii=False)
        geometry = shape or "null"
        yield f'{comma}\n{{"type":"Feature","properties":{told},"geometry":{geometry}}}'
        comma = ","
    yield "\n]}\n"
