"""Connected systems, for the system administrator: who they are, their keys and their use.

What must not live here: what a key opens (services/systems.py), and what the systems send.
"""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from core.errors import Invalid
from core.form_errors import put_errors
from core.htmx import render
from core.web import public_address
from grids.access import roles
from grids.models import Role
from incidents.forms.systems import SystemForm
from incidents.models import System
from incidents.queries.systems import days_of, sent_count, system_rows
from incidents.services import systems as doors
from incidents.views.case import acting


@roles(Role.SYSTEM_ADMIN)
@require_safe
def systems(request: HttpRequest) -> HttpResponse:
    """List the connected systems with their use (3 queries beside the frame's)."""
    return render(request, "incidents/systems.html", {"rows": system_rows()})


@roles(Role.SYSTEM_ADMIN)
@require_http_methods(["GET", "HEAD", "POST"])
def system_new(request: HttpRequest) -> HttpResponse:
    """Connect a system; what was typed wrong comes back whole."""
    form = SystemForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            system = doors.add_system(fields=form.fields_given(), actor=acting(request))
        except Invalid as error:
            put_errors(form, error)
        else:
            messages.success(request, _("Connected. Now make its key."))
            return redirect("system", pk=system.pk)
    context = {"form": form, "title": _("Connect a system"), "back": reverse("systems")}
    status = 422 if form.errors else 200
    return render(request, "grids/plain_form.html", context, status=status)


@roles(Role.SYSTEM_ADMIN)
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def system(request: HttpRequest, pk: int) -> HttpResponse:
    """Show a system, or change what is written down about it (4 queries beside the frame's)."""
    found = get_object_or_404(System, pk=pk)
    if request.method != "POST":
        return _page(request, found, SystemForm.of(found))
    form = SystemForm(request.POST)
    if form.is_valid():
        try:
            doors.change_system(system_id=pk, fields=form.fields_given(), actor=acting(request))
        except Invalid as error:
            put_errors(form, error)
        else:
            messages.success(request, _("Saved."))
            return redirect("system", pk=pk)
    return _page(request, found, form, status=422)


@roles(Role.SYSTEM_ADMIN)
@never_cache
@require_POST
def system_do(request: HttpRequest, pk: int, act: str) -> HttpResponse:
    """Make a new key, shown this once, or close or open the door."""
    found = get_object_or_404(System, pk=pk)
    if act == "key":
        key = doors.new_key(system_id=pk, actor=acting(request))
        found.refresh_from_db()
        return _page(request, found, SystemForm.of(found), key=key)
    if act not in {"close", "open"}:
        raise Http404
    doors.set_active(system_id=pk, active=act == "open", actor=acting(request))
    messages.success(request, _("Done."))
    return redirect("system", pk=pk)


def _page(
    request: HttpRequest, system: System, form: SystemForm, *, status: int = 200, key: str = ""
) -> HttpResponse:
    context: dict[str, Any] = {
        "system": system,
        "form": form,
        "key": key,
        "days": days_of(system),
        "sent": sent_count(system),
        "address": public_address(request) + reverse("open311_root"),
    }
    return render(request, "incidents/system.html", context, status=status)
