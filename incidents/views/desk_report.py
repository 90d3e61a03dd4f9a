"""A report written down at a desk: a call to the hotline, an inspection, a joint meeting.

What must not live here: what a report means (services/intake.py), and the worker's own (worker.py).
"""

import uuid
from collections.abc import Sequence
from typing import Any

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
from incidents.forms.twins import TwinsAsked
from incidents.forms.worker import DeskReportForm, own_areas
from incidents.services.twins import take_in
from incidents.views.case import acting
from incidents.views.twins import chosen_by_staff, place_read, twins_for_staff
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
        asked = TwinsAsked(data, whose=request.user.pk)
        if asked.must_ask and (found := twins_for_staff(request, form)):
            return _page(request, form, 200, twins=found)
        lead_id = chosen_by_staff(request, asked)
        incident = take_in(form.report(), lead_id=lead_id, actor=acting(request))
    except Invalid as error:
        put_errors(form, error)
        return _page(request, form, 422)
    messages.success(request, _("Written down: %(code)s") % {"code": incident.tracking_code})
    return redirect("incident", code=incident.tracking_code)


def _page(
    request: HttpRequest,
    form: DeskReportForm,
    status: int,
    *,
    twins: Sequence[dict[str, Any]] = (),
) -> HttpResponse:
    context = {
        "form": form,
        "areas": list(form.areas),
        "upload_url": reverse("photos"),
        "twins": twins,
        "asked": bool(twins),
        "read": place_read(form),
    }
    return render(request, "incidents/desk_report.html", context, status=status)
