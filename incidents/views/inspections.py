"""Campaigns of inspections at the desk: list, one campaign with its map, its places.

What lives here: turning requests into one service call and back. What must not: the inspector's
phone (inspecting.py), the ledger (hazards.py), and what a step means (services).
"""

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import (
    require_GET,
    require_http_methods,
    require_POST,
    require_safe,
)

from core.choices import labels
from core.errors import Conflict, Invalid
from core.form_errors import put_errors
from core.htmx import render
from core.web import number_in, page_urls
from grids.access import roles
from grids.models import Area, Level
from grids.views.sheets import sheet_urls
from incidents.forms.inspections import InspectionForm, PlaceForm
from incidents.models import Inspection, InspectionPlace, PlaceState
from incidents.queries import inspections as reads
from incidents.queries.map import read_box
from incidents.services import inspection_sheet
from incidents.services import inspections as service
from incidents.views.case import acting

READERS = sorted(reads.READERS)
KEEPERS = sorted(reads.KEEPERS_OF_INSPECTIONS)


@roles(*READERS)
@never_cache
@require_safe
def inspections(request: HttpRequest) -> HttpResponse:
    """List the inspections the reader sees, newest first, with their figures (3 queries)."""
    scope = request.scope
    page = reads.inspection_page(scope, cursor=request.GET.get("cursor"))
    tallies = reads.tallies(page.items, user=request.user, scope=scope, now=timezone.now())
    context = {
        "rows": [(row, tallies[row.pk]) for row in page.items],
        "today": timezone.localdate(),
        "may_make": scope.has(*KEEPERS),
        "inspects": scope.has(*reads.INSPECTORS),
    } | page_urls(request, page)
    return render(request, "incidents/inspections.html", context)


@roles(*READERS)
@never_cache
@require_safe
def inspection(request: HttpRequest, pk: int) -> HttpResponse:
    """Show one campaign: how far it is, what was found, where (≤ 8 queries)."""
    found = _found(request, pk)
    scope, today = request.scope, timezone.localdate()
    tally = reads.tallies([found], user=request.user, scope=scope, now=timezone.now())[pk]
    context = {
        "inspection": found,
        "tally": tally,
        "today": today,
        "items": reads.items_of([pk]),
        "teams": reads.teams_of(found),
        "bounds": reads.extent(found, scope),
        "may_keep": reads.keeps(scope, found.area) and found.closed_at is None,
        "ledger_url": f"{reverse('hazards')}?inspection={pk}",
        "map_areas": reverse("map_areas"),
    }
    return render(request, "incidents/inspection.html", context)


@roles(*KEEPERS)
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def inspection_new(request: HttpRequest) -> HttpResponse:
    """Make a campaign of the county or a town; what was typed wrong comes back whole."""
    kept = reads.areas_to_keep(request.scope)
    asked = number_in(request.POST.get("area") or request.GET.get("area"))
    area = next((one for one in kept if one.pk == asked), kept[0] if kept and not asked else None)
    if area is None:
        raise Http404
    form = InspectionForm(request.POST or None, area=area)
    if request.method == "POST":
        try:
            if not form.is_valid():
                raise Invalid
            made = service.make_inspection(fields=form.fields_given(), actor=acting(request))
        except Invalid as error:
            put_errors(form, error)
        else:
            messages.success(request, _("The inspection is made. Now list the places."))
            return redirect("inspection_places", pk=made.pk)
    return _form_page(request, form, area, kept=kept)


@roles(*KEEPERS)
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def inspection_change(request: HttpRequest, pk: int) -> HttpResponse:
    """Change a campaign under way."""
    found = _kept(request, pk)
    if found.closed_at is not None:
        raise Conflict(_("This inspection is closed."))
    form = InspectionForm(request.POST or None, area=found.area, inspection=found)
    status = 0
    if request.method == "POST":
        try:
            if not form.is_valid():
                raise Invalid
            service.change_inspection(
                inspection_id=pk,
                fields=form.fields_given(),
                actor=acting(request),
                seen=form.cleaned_data["seen"] or 0,
            )
        except (Invalid, Conflict) as error:
            put_errors(form, error)
            status = 422 if isinstance(error, Invalid) else error.status
        else:
            messages.success(request, _("Saved."))
            return redirect("inspection", pk=pk)
    return _form_page(request, form, found.area, found=found, status=status)


def _form_page(
    request: HttpRequest,
    form: InspectionForm,
    area: Area,
    *,
    kept: list[Area] | None = None,
    found: Inspection | None = None,
    status: int = 0,
) -> HttpResponse:
    wrong = form.is_bound and (form.errors or any(line.errors for line in form.lines))
    context = {
        "form": form,
        "area": area,
        "choices": [(one.pk, one.name) for one in kept or []],
        "inspection": found,
    }
    status = status or (422 if wrong else 200)
    return render(request, "incidents/inspection_form.html", context, status=status)


@roles(*KEEPERS)
@require_POST
def inspection_close(request: HttpRequest, pk: int) -> HttpResponse:
    """End a campaign."""
    found = _kept(request, pk)
    service.close_inspection(
        inspection_id=found.pk, actor=acting(request), seen=number_in(request.POST.get("seen"))
    )
    messages.success(request, _("The inspection is closed."))
    return redirect("inspection", pk=pk)


@roles(*READERS)
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def inspection_places(request: HttpRequest, pk: int) -> HttpResponse:
    """List a campaign's places by state; whoever keeps it puts one more on the list."""
    found = _found(request, pk)
    may_keep = reads.keeps(request.scope, found.area) and found.closed_at is None
    form = PlaceForm(request.POST or None, within=found.area) if may_keep else None
    status = 200
    if request.method == "POST":
        found = _kept(request, pk)
        form = form or PlaceForm(request.POST, within=found.area)
        try:
            if not form.is_valid():
                raise Invalid
            service.add_place(inspection_id=pk, fields=form.fields_given(), actor=acting(request))
        except (Invalid, Conflict) as error:
            put_errors(form, error)
            status = 422 if isinstance(error, Invalid) else error.status
        else:
            messages.success(request, _("The place is on the list."))
            return redirect("inspection_places", pk=pk)
    return _places_page(request, found, form, status)


def _places_page(
    request: HttpRequest, found: Inspection, form: PlaceForm | None, status: int
) -> HttpResponse:
    state = request.GET.get("state", "")
    state = state if state in PlaceState.values else ""
    page = reads.place_page(found, request.scope, state=state, cursor=request.GET.get("cursor"))
    tally = reads.tallies([found], user=request.user, scope=request.scope, now=timezone.now())
    shown = tally[found.pk]
    numbers = {"": shown.places, "todo": shown.todo, "clean": shown.clean}
    numbers["hazards"] = shown.with_hazards
    words = {"": _("All")} | dict(PlaceState.choices)
    context = {
        "inspection": found,
        "rows": page.items,
        "state": state,
        "tabs": [(value, words[value], n) for value, n in numbers.items()],
        "form": form,
        "map_areas": reverse("map_areas"),
        "bounds": _bounds(found),
    } | page_urls(request, page)
    return render(request, "incidents/inspection_places.html", context, status=status)


def _bounds(found: Inspection) -> str:
    """Return the box of the inspection's area for the map, "" where no boundary is known."""
    boundary = Area.objects.only("outline").get(pk=found.area_id).outline
    return ",".join(f"{side:.5f}" for side in boundary.extent) if boundary else ""


@roles(*KEEPERS)
@require_POST
def inspection_place_remove(request: HttpRequest, place_id: int) -> HttpResponse:
    """Take a place off the list."""
    place = get_object_or_404(
        reads.visible_places(request.scope).select_related("inspection"), pk=place_id
    )
    _kept(request, place.inspection_id)
    found = service.remove_place(place_id=place.pk, actor=acting(request))
    messages.success(request, _("The place is off the list."))
    return redirect("inspection_places", pk=found.pk)


@roles(*READERS)
@require_GET
def inspection_points(request: HttpRequest, pk: int) -> JsonResponse:
    """Return the places inside the map's ``bbox`` as {"points": […]}; hazards stand out."""
    found = _found(request, pk)
    box = read_box(request.GET.get("bbox", ""), request.GET.get("zoom", "12"))
    words = labels(PlaceState)
    rows = reads.points(found, request.scope, box=(box.west, box.south, box.east, box.north))
    points = [_point(place, words) for place in rows if place.location]
    return JsonResponse({"points": points, "clusters": []})


def _point(place: InspectionPlace, words: Any) -> dict[str, Any]:
    badge = {"todo": "dispatched", "clean": "closed", "hazards": "red"}[place.state]
    tone = {"todo": "", "clean": "done", "hazards": "over"}[place.state]
    return {
        "id": place.pk,
        "lat": round(place.location.y, 6),
        "lon": round(place.location.x, 6),
        "overdue": place.state == PlaceState.HAZARDS,
        "tone": tone,
        "state": badge,
        "state_label": str(words[place.state]),
        "label": place.name,
        "url": reverse("inspection_place", args=[place.pk]),
    }


def _found(request: HttpRequest, pk: int) -> Inspection:
    return get_object_or_404(reads.visible_inspections(request.scope), pk=pk)


def _kept(request: HttpRequest, pk: int) -> Inspection:
    """Return an inspection that is the reader's to change; seen but another's it is 403."""
    found = _found(request, pk)
    if not reads.keeps(request.scope, found.area):
        raise PermissionDenied
    return found


def _lists(request: HttpRequest) -> list[Any]:
    """Return the codes of villages and towns for the template's second sheet."""
    kept = reads.areas_to_keep(request.scope)
    rows = Area.objects.open().inside(*kept).filter(level__in=[Level.TOWN, Level.VILLAGE])
    codes = rows.order_by("path").values_list("code", "name")
    heads = [_("Area code"), _("Area")]
    return [(_("Codes of places"), heads, ([code, name] for code, name in codes))]


SHEET_URLS = sheet_urls(
    kind=inspection_sheet.SHEET,
    at="inspections/sheet/",
    name="inspection_sheet",
    allowed=KEEPERS,
    back="inspections",
    lists=_lists,
)
