"""Boundary files: upload, preview with each row on or off, confirmation, export.

What must not live here: reading files and saving (services/boundary_import.py).
"""

import json
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from core.choices import labels
from core.errors import Conflict, GeshiError, Invalid
from core.form_errors import put_errors
from core.htmx import render, wants_partial
from core.web import number_in
from grids.access import roles
from grids.forms.boundaries import UploadForm
from grids.models import Area, BoundaryImport, ImportState, Level, Verdict
from grids.queries import boundaries as read
from grids.queries.coverage import around
from grids.queries.reach import TERRITORY_ROLES, Reach
from grids.queries.tree_map import bounds_of
from grids.services import boundary_import as service
from grids.services.boundary_export import as_geojson_lines, as_kml_lines, as_shapefile

FORMATS = {"geojson": "GeoJSON", "shapefile": "Shapefile", "kml": "KML"}
STATES: dict[str, tuple[str, Any]] = {
    ImportState.UPLOADED: ("calm", gettext_lazy("Being read")),
    ImportState.READ: ("warn", gettext_lazy("To be confirmed")),
    ImportState.CONFIRMED: ("calm", gettext_lazy("Being saved")),
    ImportState.SAVED: ("done", gettext_lazy("Saved")),
    ImportState.FAILED: ("over", gettext_lazy("Not taken")),
    ImportState.DROPPED: ("", gettext_lazy("Thrown away")),
}


@roles(*TERRITORY_ROLES)
@require_http_methods(["GET", "POST"])
def boundaries(request: HttpRequest) -> HttpResponse:
    """Show one's imports with the forms to import and to export; take a file in."""
    area = _area(request)
    form = UploadForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        file = form.cleaned_data["file"]
        try:
            one = service.take_in(
                file=file,
                filename=file.name,
                system=form.cleaned_data["system"],
                area=area,
                actor=request.user,
            )
        except Invalid as error:
            put_errors(form, error)
        else:
            return redirect("boundary_import", import_id=one.pk)
    rows = around(area, Reach.of(request.scope).areas)
    context = {
        "area": area,
        "form": form,
        "choices": [(one.pk, "　" * (one.depth - rows[0].depth) + one.name) for one in rows],
        "levels": [(level, labels(Level)[level]) for level in read.EXPORTED],
        "formats": FORMATS.items(),
        "imports": [(one, *STATES[one.state]) for one in read.own_imports(request.user)],
    }
    status = 422 if request.method == "POST" else 200
    return render(request, "grids/boundaries.html", context, status=status)


@roles(*TERRITORY_ROLES)
@require_GET
def boundary_import(request: HttpRequest, import_id: UUID) -> HttpResponse:
    """Show an import: how far it is, and for one that was read its rows and its map."""
    one = _one(request, import_id)
    tone, state = STATES[one.state]
    context: dict[str, Any] = {"one": one, "tone": tone, "state": state}
    if one.state in {ImportState.UPLOADED, ImportState.CONFIRMED}:
        context["read"] = read.features_read(one)
        partial = "grids/_boundary_wait.html"
        return render(request, "grids/boundary_import.html", context, partial=partial)
    if one.state != ImportState.READ:
        return _whole(request, "grids/boundary_import.html", context)
    verdict = request.GET.get("verdict", "")
    page = read.rows_page(one, verdict=verdict, cursor=request.GET.get("cursor"))
    counts = read.counts_by_verdict(one)
    here = {"verdict": verdict} if verdict else {}
    context |= {
        "verdict": verdict,
        "rows": [(row, labels(Verdict)[row.verdict]) for row in page.items],
        "chips": _chips(one, verdict, counts),
        "chosen": sum(chosen for _rows, chosen in counts.values()),
        "named": counts.get(Verdict.NAME, (0, 0)),
        "bounds": read.bounds_of_rows(one) or bounds_of(one.area),
        "next_url": _address(one, **here, cursor=page.next) if page.next else "",
        "previous_url": _address(one, **here, cursor=page.previous) if page.previous else "",
    }
    return _whole(request, "grids/boundary_import.html", context)


@roles(*TERRITORY_ROLES)
@require_GET
@gzip_page
def boundary_map(request: HttpRequest, import_id: UUID) -> HttpResponse:
    """Return the shapes in ``bbox`` ("w,s,e,n") as GeoJSON: what is there, and what would be."""
    one = _one(request, import_id)
    try:
        west, south, east, north = (float(x) for x in request.GET.get("bbox", "").split(","))
    except ValueError as error:
        raise Invalid(_("The map section is not valid."), field="bbox") from error
    if not (-180 <= west < east <= 180 and -90 <= south < north <= 90):
        raise Invalid(_("The map section is not valid."), field="bbox")
    rows = read.shapes_in(one, (west, south, east, north), pixel=(east - west) / 2000)
    features = []
    for number, verdict, name, chosen, new, old in rows:
        words = {"number": number, "verdict": verdict, "name": name, "chosen": chosen}
        if old:
            features.append(_feature({**words, "old": True}, old))
        features.append(_feature(words, new))
    body = f'{{"type":"FeatureCollection","features":[{",".join(features)}]}}'
    response = HttpResponse(body, content_type="application/geo+json")
    response.headers["Cache-Control"] = "private, max-age=0"
    return response


@roles(*TERRITORY_ROLES)
@require_POST
def boundary_choose(request: HttpRequest, import_id: UUID) -> HttpResponse:
    """Take the row ``number``, or all of a ``verdict``, in (``on``) or out."""
    one = _one(request, import_id)
    service.choose(
        one=one,
        actor=request.user,
        on=bool(request.POST.get("on")),
        number=number_in(request.POST.get("number")),
        verdict=request.POST.get("verdict", ""),
    )
    if wants_partial(request):
        counts = read.counts_by_verdict(one)
        chosen = sum(chosen for _rows, chosen in counts.values())
        return render(request, "grids/_boundary_confirm.html", {"one": one, "chosen": chosen})
    return redirect(_address(one))


@roles(*TERRITORY_ROLES)
@require_POST
def boundary_confirm(request: HttpRequest, import_id: UUID) -> HttpResponse:
    """Have the chosen rows saved, all or none."""
    one = _one(request, import_id)
    try:
        service.confirm(one=one, actor=request.user)
    except (Invalid, Conflict) as error:
        messages.error(request, str(error))
    return redirect(_address(one))


@roles(*TERRITORY_ROLES)
@require_POST
def boundary_drop(request: HttpRequest, import_id: UUID) -> HttpResponse:
    """Throw the import away."""
    one = _one(request, import_id)
    try:
        service.drop(one=one, actor=request.user)
    except GeshiError as error:
        messages.error(request, str(error))
        return redirect(_address(one))
    return redirect("boundaries")


@roles(*TERRITORY_ROLES)
@require_GET
def boundaries_export(request: HttpRequest) -> HttpResponseBase:
    """Send the boundaries of a ``level`` inside ``area`` as ``format``."""
    area = _area(request)
    kind = request.GET.get("format", "geojson")
    level = request.GET.get("level", Level.GRID)
    if kind not in FORMATS or level not in read.EXPORTED:
        raise Invalid(_("There is no such format or level."))
    rows = read.exported_areas(area, level)
    name = f"{level}-{area.code}-{timezone.localdate():%Y%m%d}"
    if kind == "shapefile":
        return FileResponse(
            as_shapefile(rows, name=name), as_attachment=True, filename=f"{name}.zip"
        )
    lines = as_geojson_lines(rows) if kind == "geojson" else as_kml_lines(rows)
    media = "application/geo+json" if kind == "geojson" else "application/vnd.google-earth.kml+xml"
    response = StreamingHttpResponse(lines, content_type=media)
    response.headers["Content-Disposition"] = f'attachment; filename="{name}.{kind}"'
    return response


def _area(request: HttpRequest) -> Area:
    asked = request.POST.get("area") or request.GET.get("area")
    area = Reach.of(request.scope).find(asked)
    if area is None:
        raise Http404
    return area


def _one(request: HttpRequest, import_id: UUID) -> BoundaryImport:
    one = read.own_import(import_id, user=request.user, reach=Reach.of(request.scope))
    if one is None:
        raise Http404
    return one


def _address(one: BoundaryImport, **more: str) -> str:
    address = reverse("boundary_import", args=[one.pk])
    return f"{address}?{urlencode(more)}" if more else address


def _whole(request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    """Draw the whole page; whoever polled for the piece before goes to it."""
    if wants_partial(request) and not request.GET:
        response = HttpResponse()
        response.headers["HX-Refresh"] = "true"
        return response
    return render(request, template, context)


def _chips(
    one: BoundaryImport, verdict: str, counts: dict[str, tuple[int, int]]
) -> list[dict[str, Any]]:
    words = labels(Verdict)
    chips = [("", _("All"), sum(rows for rows, _chosen in counts.values()))]
    chips += [(name, words[name], counts[name][0]) for name in Verdict.values if name in counts]
    return [
        {
            "url": _address(one, **({"verdict": name} if name else {})),
            "label": label,
            "count": count,
            "active": name == verdict,
        }
        for name, label, count in chips
    ]


def _feature(words: dict[str, Any], shape: str) -> str:
    told = json.dumps(words, ensure_ascii=False, separators=(",", ":"))
    return f'{{"type":"Feature","properties":{told},"geometry":{shape}}}'
