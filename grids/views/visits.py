"""The visitor's phone: today's round, a visit with its diary, the households looked after.

What must not live here: what a visit means (services/visits.py), and anything that keeps where
the phone is; the round's order asks for it and forgets it.
"""

import uuid
from typing import Any

from django.http import FileResponse, Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from core import ratelimit
from core.errors import Conflict, Invalid
from core.form_errors import put_errors
from core.web import page_urls, private_picture
from grids.access import roles
from grids.forms.visits import PHOTO_FILES, NeedForm, PositionForm, VisitForm
from grids.models import NEVER, Area, Household, Visit
from grids.models.household import LINE, VISITORS
from grids.phone import phone_tabs
from grids.queries import households as ledger
from grids.queries import names_of, visits
from grids.services import reveal
from grids.services import visits as service


@roles(*VISITORS)
@never_cache
@require_safe
def visits_round(request: HttpRequest) -> HttpResponse:
    """Show today's round, longest overdue first; the phone then asks for the nearest first."""
    areas = _areas(request)
    today = timezone.localdate()
    tally = visits.round_tally(areas, user_id=request.user.pk, today=today)
    soon = ledger.as_rows(visits.due_soon(areas, today=today), today=today)
    context = _round(request, areas, None, None) | {
        "tally": tally,
        "soon": soon,
        "tabs": phone_tabs("visits", request.scope.roles),
        "areas_url": _map_areas(),
        "bounds": visits.extent(areas),
        "form": VisitForm(),
        "quick_needs": quick_needs(),
    }
    return render(request, "grids/visits_round.html", context)


@roles(*VISITORS)
@never_cache
@require_POST
def visits_near(request: HttpRequest) -> HttpResponse:
    """Return the round, nearest first, for the position in the body; it is kept nowhere."""
    lon, lat = PositionForm(request.POST).position()
    areas = _areas(request)
    context = _round(request, areas, lon, lat)
    if not context["rows"]:
        context["soon"] = visits.due_soon(areas, today=context["today"])
    return render(request, "grids/_round.html", context)


@roles(*VISITORS)
@never_cache
@require_safe
def visits_points(request: HttpRequest) -> JsonResponse:
    """Return the due households inside the map's ``bbox`` as {"points": […]}."""
    try:
        box = [float(side) for side in request.GET.get("bbox", "").split(",")]
    except ValueError:
        box = []
    if len(box) != 4 or not all(-180 <= side <= 180 for side in box):
        raise Invalid(_("This page address is not valid."), field="bbox")
    today = timezone.localdate()
    found = visits.due_points(_areas(request), today=today, box=box)
    points = [
        {
            "id": one.pk,
            "lat": one.location.y,
            "lon": one.location.x,
            "overdue": one.next_due_on < today,
            "label": one.address,
            "url": reverse("visit", args=[one.pk]),
        }
        for one in found
        if one.location
    ]
    return JsonResponse({"points": points, "clusters": []})


@roles(*VISITORS)
@never_cache
@require_safe
def visits_mine(request: HttpRequest) -> HttpResponse:
    """Show all households the reader looks after, 50 a page."""
    areas, today = _areas(request), timezone.localdate()
    words = request.GET.get("words", "").replace("\x00", "").strip()[:40]
    filters = ledger.Filters(words=words)
    page = ledger.ledger_page(areas, filters, today=today, cursor=request.GET.get("cursor"))
    context = {
        "rows": ledger.as_rows(page.items, today=today),
        "words": words,
        "today": today,
        "never": NEVER,
        "tabs": phone_tabs("visits", request.scope.roles),
    } | page_urls(request, page)
    return render(request, "grids/visits_mine.html", context)


@roles(*VISITORS)
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def visit(request: HttpRequest, pk: int) -> HttpResponse:
    """Show the form of a visit, or take it in; the phone's script is answered in JSON.

    201 {"url", "code"}; 422 {"error", "errors": {field: [text]}}; 409 {"error"}.
    """
    found = ledger.visible_households(request.scope, VISITORS).filter(pk=pk).first()
    if found is None:
        raise Http404
    wants_json = request.headers.get("Accept", "") == "application/json"
    if request.method != "POST":
        return _visit_page(request, found, VisitForm(initial={"key": uuid.uuid4()}), 200)
    form = VisitForm(request.POST)
    try:
        if not form.is_valid():
            raise Invalid
        if request.FILES:
            ratelimit.check("upload", f"u{request.user.pk}")
        sent = form.sent(household_id=pk, photos=request.FILES.getlist(PHOTO_FILES))
        stored, _new = service.record_visit(
            sent=sent, actor=request.user, ip=ratelimit.client_ip(request)
        )
    except (Invalid, Conflict) as error:
        put_errors(form, error)
        status = 422 if isinstance(error, Invalid) else error.status
        if wants_json:
            errors = {name: [str(m) for m in rows] for name, rows in form.errors.items()}
            said = next((rows[0] for rows in errors.values()), str(error))
            return JsonResponse({"error": said, "errors": errors}, status=status)
        return _visit_page(request, found, form, status)
    there = reverse("visit_done", args=[stored.pk])
    if wants_json:
        return JsonResponse({"url": there, "code": found.address}, status=201)
    return redirect(there)


def _visit_page(
    request: HttpRequest, found: Household, form: VisitForm, status: int
) -> HttpResponse:
    today, scope, user = timezone.localdate(), request.scope, request.user
    names = names_of([found.village_id, found.grid_id, found.unit_id])
    page = visits.diary_page(found, cursor=request.GET.get("cursor"), size=5)
    context = {
        "household": found,
        "place": ledger.place_of(found, names),
        "contact": reveal.box("household", found.pk, "contact", found, user=user, scope=scope),
        "phone": reveal.box("household", found.pk, "phone", found, user=user, scope=scope),
        "care": ledger.care_of(found),
        "visits": page.items,
        "line": True,
        "form": form,
        "quick_needs": quick_needs(),
        "today": today,
        "never": NEVER,
    } | page_urls(request, page)
    return render(request, "grids/visit.html", context, status=status)


def quick_needs() -> list[tuple[str, str]]:
    """Return (label, words) of needs met at doors every week."""
    return [
        (_("Medicine"), _("Medicine has to be fetched.")),
        (_("Leaking roof"), _("The roof leaks and has to be looked at.")),
        (_("Street lamp"), _("The street lamp at the door is broken.")),
        (_("Allowance"), _("They ask how to apply for an allowance.")),
        (_("Water and power"), _("Water or power fails.")),
        (_("Care at home"), _("Somebody is needed to help at home.")),
    ]


@roles(*LINE)
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def visit_done(request: HttpRequest, pk: int) -> HttpResponse:
    """Show that the visit has arrived, its case if it has one, and offer to report a need."""
    stored = Visit.objects.select_related("household").filter(pk=pk).first()
    if stored is None or not ledger.looks_after(request.scope, stored.household, LINE):
        raise Http404
    form = NeedForm(request.POST or None)
    status = 200
    if request.method == "POST":
        try:
            if not form.is_valid():
                raise Invalid
            stored = service.report_need(
                visit=stored,
                need=form.cleaned_data["need"],
                actor=request.user,
                ip=ratelimit.client_ip(request),
            )
            return redirect("visit_done", stored.pk)
        except (Invalid, Conflict) as error:
            put_errors(form, error)
            status = 422 if isinstance(error, Invalid) else error.status
    context = {
        "visit": stored,
        "household": stored.household,
        "form": form,
        "quick_needs": quick_needs(),
        "case_url": _case_url(stored.case_code),
        "never": NEVER,
    }
    return render(request, "grids/visit_done.html", context, status=status)


@roles(*LINE)
@require_safe
def visit_photo(request: HttpRequest, photo_id: uuid.UUID) -> FileResponse:
    """Hand out a photo of a visit to the household's line; for others it does not exist."""
    photo = visits.visible_photo(photo_id, scope=request.scope)
    if photo is None:
        raise Http404
    return private_picture(photo.file, "visit.jpg")


def _areas(request: HttpRequest) -> list[Area]:
    return ledger.posted_areas(request.scope, VISITORS)


def _round(
    request: HttpRequest, areas: list[Area], lon: float | None, lat: float | None
) -> dict[str, Any]:
    today = timezone.localdate()
    found = visits.todays_round(areas, today=today, lon=lon, lat=lat)
    return {
        "rows": ledger.as_rows(found, today=today),
        "today": today,
        "located": lon is not None,
    }


def _case_url(code: str) -> str:
    return _address("incident", code) if code else ""


def _map_areas() -> str:
    return _address("map_areas")


def _address(name: str, *arguments: str) -> str:
    """Return an address of an upper floor; "" where this floor stands alone."""
    try:
        return reverse(name, args=arguments)
    except NoReverseMatch:
        return ""
