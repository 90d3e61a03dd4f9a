"""A report written down at a desk: a call to the hotline, an inspection, a joint meeting.

What must not live here: what a report means (services/intake.py), and the worker's own (worker.py).
"""

import uuid

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from core.errors import Invalid
from core.htmx import render
from grids.access import roles
from incidents.desks import WRITERS
from incidents.forms.errors import put_errors
from incidents.forms.worker import DeskReportForm, own_areas
from incidents.services.intake import take_in_once
from incidents.views.case import acting
from incidents.views.uploads import with_files


@roles(*WRITERS)
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def desk_report(request: HttpRequest) -> HttpResponse:
    """Show the form, or take the report in and lead to its case; bad input comes back whole."""
    areas = own_areas(request.scope.areas)
    if request.method != "POST":
        form = DeskReportForm(areas=areas, initial={"key": uuid.uuid4()})
        return _page(request, form, 200)
    data, refused = with_files(request)
    form = DeskReportForm(data, areas=areas)
    try:
        if refused:
            raise Invalid(refused, field="photos")
        if not form.is_valid():
            raise Invalid
        incident = take_in_once(form.report(), actor=acting(request))
    except Invalid as error:
        put_errors(form, error)
        return _page(request, form, 422)
    messages.success(request, _("Written down: %(code)s") % {"code": incident.tracking_code})
    return redirect("incident", code=incident.tracking_code)


def _page(request: HttpRequest, form: DeskReportForm, status: int) -> HttpResponse:
    context = {"form": form, "areas": list(form.areas), "upload_url": reverse("photos")}
    return render(request, "incidents/desk_report.html", context, status=status)
