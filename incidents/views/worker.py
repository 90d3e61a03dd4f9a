"""The worker's phone: check-in for duty, today's items, a report settled on the spot.

What must not live here: what a report or a step means (services).
"""

import uuid
from collections.abc import Sequence
from datetime import date
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from core.errors import Invalid
from core.htmx import render
from grids.access import roles
from grids.models import DUTY_ROLES
from grids.phone import phone_tabs
from grids.queries.duty import on_duty_since
from grids.services.duty import begin_duty, end_duty
from incidents.forms.actions import ACTION_FORMS
from incidents.forms.errors import put_errors
from incidents.forms.twins import TwinsAsked
from incidents.forms.worker import WorkerReportForm, own_areas
from incidents.models import Incident
from incidents.queries import choices, desks, incident_for_page
from incidents.services.twins import take_in
from incidents.views import shown
from incidents.views.case import PHONE_ROLES, acting
from incidents.views.rows import Row, list_rows
from incidents.views.twins import REPORTERS, chosen_by_staff, twins_for_staff
from incidents.views.uploads import with_files
from incidents.workflow import available

# What was reported most around here of late; a tap fills the catalogue's own words in.
QUICK_CATEGORIES = 8


@roles(*PHONE_ROLES)
@never_cache
@require_safe
def worker(request: HttpRequest) -> HttpResponse:
    """Show the open cases of the reader's grids, overdue first."""
    page = desks.worker_page(own_areas(request.scope.areas), cursor=request.GET.get("cursor"))
    rows = list_rows(page.items)
    today = timezone.localdate()
    late = [row for row in rows if row.level == "over"]
    rest = [row for row in rows if row.level != "over"]
    due_today = [row for row in rest if _due_on(row, today)]
    later = [row for row in rest if not _due_on(row, today)]
    groups = [
        {"label": _("Overdue"), "rows": late},
        {"label": _("Due today"), "rows": due_today},
        {"label": _("Later"), "rows": later},
    ]
    context = {
        "checks_in": request.scope.has(*DUTY_ROLES),
        "on_duty_since": on_duty_since(request.user.pk, now=timezone.now()),
        "groups": [group for group in groups if group["rows"]],
        "next_url": f"?cursor={page.next}" if page.next else "",
        "previous_url": f"?cursor={page.previous}" if page.previous else "",
        "tabs": phone_tabs("worker", request.scope.roles),
    }
    return render(request, "incidents/worker.html", context)


@roles(*DUTY_ROLES)
@require_POST
def shift_begin(request: HttpRequest) -> HttpResponse:
    """Put the reader on duty."""
    begin_duty(actor=request.user)
    return redirect("worker")


@roles(*DUTY_ROLES)
@require_POST
def shift_end(request: HttpRequest) -> HttpResponse:
    """Take the reader off duty."""
    end_duty(actor=request.user)
    return redirect("worker")


def _due_on(row: Row, day: date) -> bool:
    return row.clock.at is not None and timezone.localdate(row.clock.at) <= day


@roles(*PHONE_ROLES)
@never_cache
@require_safe
def mine(request: HttpRequest) -> HttpResponse:
    """Show what the reader reported, newest first."""
    page = desks.own_reports(request.user.pk, cursor=request.GET.get("cursor"))
    context = {
        "rows": list_rows(page.items),
        "next_url": f"?cursor={page.next}" if page.next else "",
        "previous_url": f"?cursor={page.previous}" if page.previous else "",
        "tabs": phone_tabs("worker_mine", request.scope.roles),
    }
    return render(request, "incidents/worker_mine.html", context)


@roles(*REPORTERS)
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def report(request: HttpRequest) -> HttpResponse:
    """Show the form, or take the report in; the phone's script is answered in JSON.

    201 {"url", "code"}; 422 {"error", "errors": {field: [text]}}.
    """
    areas = own_areas(request.scope.areas)
    wants_json = request.headers.get("Accept", "") == "application/json"
    if request.method != "POST":
        form = WorkerReportForm(areas=areas, initial={"key": uuid.uuid4()})
        return _form_page(request, form, 200)
    data, refused = with_files(request)
    form = WorkerReportForm(data, areas=areas)
    try:
        if refused:
            raise Invalid(refused, field="photos")
        if not form.is_valid():
            raise Invalid
        asked = TwinsAsked(data, whose=request.user.pk)
        if asked.must_ask and (found := twins_for_staff(request, form)):
            return _form_page(request, form, 200, twins=found)
        incident = _take_in(form, acting(request), chosen_by_staff(request, asked))
    except Invalid as error:
        put_errors(form, error)
        if wants_json:
            errors = {name: [str(m) for m in rows] for name, rows in form.errors.items()}
            said = next((rows[0] for rows in errors.values()), str(error))
            return JsonResponse({"error": said, "errors": errors}, status=422)
        return _form_page(request, form, 422)
    there = reverse("worker_sent", args=[incident.tracking_code])
    if wants_json:
        return JsonResponse({"url": there, "code": incident.tracking_code}, status=201)
    return redirect(there)


def _take_in(form: WorkerReportForm, actor: Any, lead_id: int | None) -> Incident:
    """Take the report in; a position outside the county falls back to the worker's grid."""
    try:
        return take_in(form.report(), lead_id=lead_id, actor=actor)
    except Invalid as error:
        if "lat" not in error.errors or not form.areas:
            raise
        return take_in(form.report(with_point=False), lead_id=lead_id, actor=actor)


def _form_page(
    request: HttpRequest,
    form: WorkerReportForm,
    status: int,
    *,
    twins: Sequence[dict[str, Any]] = (),
) -> HttpResponse:
    quick = choices.categories(village_only=True)
    usual = choices.usual_categories(request.scope.areas)
    quick.sort(key=lambda row: -usual[row.pk])
    context = {
        "form": form,
        "quick": [
            {"id": row.pk, "label": row.label, "phrase": row.description or row.label}
            for row in quick[:QUICK_CATEGORIES]
        ],
        "areas": list(form.areas.values()),
        "upload_url": reverse("photos"),
        "twins": twins,
        "asked": bool(twins),
    }
    return render(request, "incidents/worker_report.html", context, status=status)


@roles(*REPORTERS)
@never_cache
@require_safe
def sent(request: HttpRequest, code: str) -> HttpResponse:
    """Show that the report has arrived, and offer to settle it on the spot."""
    incident = incident_for_page(request.user, request.scope, code)
    actor = acting(request)
    can_settle = "handle_on_spot" in {line.action for line in available(actor, incident)}
    allowed = incident.category is None or incident.category.village_allowed
    act = ACTION_FORMS["handle_on_spot"]
    context = {
        "incident": incident,
        "place": shown.place(incident),
        "form": act.form(incident=incident, actor=actor) if can_settle and allowed else None,
        "upload_url": reverse("photos"),
    }
    return render(request, "incidents/worker_sent.html", context)
