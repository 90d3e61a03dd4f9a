"""The inspector's phone: the places that are left near me, and what was found at one of them.

What must not live here: what a hazard becomes (services/hazards.py), and anything that keeps
where the phone is; the round's order asks for it and forgets it.
"""

import uuid
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from core.errors import GeshiError, Invalid
from core.form_errors import put_errors
from core.htmx import render
from core.web import number_in
from grids.access import roles
from grids.forms.visits import PositionForm
from grids.phone import phone_tabs
from incidents.forms.inspections import HazardForm
from incidents.models import Inspection, InspectionItem, InspectionPlace
from incidents.queries import inspections as reads
from incidents.services import hazards as service
from incidents.views.case import PHONE_ROLES, acting
from incidents.views.uploads import with_files

INSPECTORS = sorted(reads.INSPECTORS)
READERS = sorted(reads.READERS)
PHOTOS = {"before_files": "before", "after_files": "after"}


@roles(*INSPECTORS)
@never_cache
@require_safe
def inspection_round(request: HttpRequest) -> HttpResponse:
    """Show the places left to inspect; the phone then asks for the nearest first."""
    mine, chosen = _chosen(request)
    found = reads.round_of(chosen, user=request.user, scope=request.scope)
    items = reads.items_of([one.pk for one in chosen])
    context = {
        "round": found,
        "mine": mine,
        "chosen": chosen[0].pk if len(chosen) == 1 and len(mine) > 1 else 0,
        "items": _with_days(items),
        "form": HazardForm(items=items),
        "tabs": phone_tabs("inspection_round", request.scope.roles),
    }
    return render(request, "incidents/inspection_round.html", context)


@roles(*INSPECTORS)
@never_cache
@require_POST
def inspections_near(request: HttpRequest) -> HttpResponse:
    """Return the round, nearest first, for the position in the body; it is kept nowhere."""
    lon, lat = PositionForm(request.POST).position()
    _mine, chosen = _chosen(request)
    found = reads.round_of(chosen, user=request.user, scope=request.scope, lon=lon, lat=lat)
    return render(request, "incidents/_inspection_stops.html", {"round": found})


def _chosen(request: HttpRequest) -> tuple[list[Inspection], list[Inspection]]:
    """Return the inspections one takes part in, and those of them that are looked at now."""
    mine = reads.my_inspections(request.scope)
    asked = number_in(request.GET.get("inspection"))
    return mine, [one for one in mine if one.pk == asked] or mine


@roles(*READERS)
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def inspection_place(request: HttpRequest, place_id: int) -> HttpResponse:
    """Show a place and take in what was found; the phone's script is answered in JSON.

    201 {"url", "code"}; 422 and 409 {"error", "errors": {field: [text]}}.
    """
    place = _place(request, place_id)
    items = reads.items_of([place.inspection_id])
    if request.method != "POST":
        form = HazardForm(items=items, initial={"key": uuid.uuid4()})
        return _page(request, place, items, form, 200)
    wants_json = request.headers.get("Accept", "") == "application/json"
    form = HazardForm(items=items)
    try:
        if request.POST.get("found") == "clean":
            service.mark_clean(place_id=place.pk, actor=acting(request))
            done = _("No hazard at %(place)s: noted.") % {"place": place.name}
        else:
            form = _take_in(request, place, items)
            done = _("The hazard at %(place)s is in the ledger.") % {"place": place.name}
    except _Refused as refused:
        form, error = refused.form, refused.error
        put_errors(form, error)
        status = 422 if isinstance(error, Invalid) else error.status
        if wants_json:
            return _refusal(form, error, status)
        return _page(request, place, items, form, status)
    except GeshiError as error:
        if wants_json:
            return _refusal(form, error, error.status)
        messages.error(request, str(error))
        return _page(request, _place(request, place_id), items, form, error.status)
    there = reverse("inspection_place", args=[place.pk])
    if wants_json:
        return JsonResponse({"url": there, "code": place.name}, status=201)
    messages.success(request, done)
    return redirect(there)


class _Refused(Exception):
    """A hazard that was not taken, with the form that holds what was typed."""

    def __init__(self, form: HazardForm, error: GeshiError) -> None:
        super().__init__(str(error))
        self.form, self.error = form, error


def _take_in(
    request: HttpRequest, place: InspectionPlace, items: list[InspectionItem]
) -> HazardForm:
    """Take the hazard in; one that has come already takes no photo in a second time."""
    known = reads.was_sent(request.POST.get("key", ""), user=request.user, place=place)
    data: Any = request.POST
    refused = ""
    if not known:
        data, refused = with_files(request, fields=PHOTOS)
    form = HazardForm(data, items=items)
    if known:
        return form
    try:
        if refused:
            raise Invalid(refused, field="before")
        if not form.is_valid():
            raise Invalid
        service.record_hazard(sent=form.sent(place_id=place.pk), actor=acting(request))
    except GeshiError as error:
        raise _Refused(form, error) from error
    return form


def _refusal(form: HazardForm, error: GeshiError, status: int) -> JsonResponse:
    """Return a refusal for the phone's script, which takes 403 for a session that has ended."""
    status = 409 if status == 403 else status
    errors = {name: [str(m) for m in rows] for name, rows in form.errors.items()}
    said = next((rows[0] for rows in errors.values()), str(error))
    return JsonResponse({"error": said, "errors": errors}, status=status)


def _place(request: HttpRequest, place_id: int) -> InspectionPlace:
    rows = reads.visible_places(request.scope).select_related("inspection__area", "checked_by")
    place = rows.filter(pk=place_id).first()
    if place is None:
        raise Http404
    reads.name_places([place])
    return place


def _page(
    request: HttpRequest,
    place: InspectionPlace,
    items: list[InspectionItem],
    form: HazardForm,
    status: int,
) -> HttpResponse:
    scope = request.scope
    open_now = (
        place.inspection.closed_at is None and place.inspection.starts_on <= timezone.localdate()
    )
    mine = open_now and reads.is_mine(place, scope)
    context = {
        "base": "base_phone.html" if scope.roles <= PHONE_ROLES else "base_desk.html",
        "place": place,
        "hazards": reads.hazards_of_place(place, user=request.user, scope=scope),
        "items": _with_days(items),
        "form": form if mine else None,
        "inspects": scope.has(*INSPECTORS),
    }
    return render(request, "incidents/inspection_place.html", context, status=status)


def _with_days(items: list[InspectionItem]) -> list[dict[str, Any]]:
    """Return the checklist as the form draws it, each line with the last day it gives."""
    today = timezone.localdate()
    return [
        {
            "pk": item.pk,
            "text": item.text,
            "inspection": item.inspection_id,
            "latest": service.latest_day(item, today).isoformat(),
            "duty": item.duty.label,
        }
        for item in items
    ]
