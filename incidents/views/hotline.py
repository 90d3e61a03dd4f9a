"""Work orders of the hotline: bringing them in by a file, and handing back what became of them.

What must not live here: what a row means (services/hotline_sheet.py) and the pages every sheet
shares (grids/views/sheets.py).
"""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from core.archives import MEGABYTE
from core.errors import GeshiError, Invalid
from core.form_errors import put_errors
from core.htmx import render
from core.models import SheetUpload
from core.services import sheets
from core.sheets.reading import MAX_BYTES, MAX_ROWS
from grids.access import roles
from grids.models import Role
from grids.views.sheets import sheet_urls, workbook
from incidents.forms.hotline import MatchForm, OrdersForm, ResultsForm, systems
from incidents.services import hotline_results, hotline_sheet
from incidents.views.case import acting

_LATEST = 10
_USUAL_DAYS = 7
State = SheetUpload.State


@roles(Role.COMMAND)
@never_cache
@require_safe
def hotline(request: HttpRequest) -> HttpResponse:
    """Show the way in and the way out (3 queries of its own)."""
    return _hub(request)


def _hub(
    request: HttpRequest, form: ResultsForm | None = None, *, status: int = 200
) -> HttpResponse:
    today = timezone.localdate()
    usual = {"since": today - timedelta(days=_USUAL_DAYS - 1), "until": today}
    context: dict[str, Any] = {
        "form": form or ResultsForm(initial=usual),
        "connected": systems().exists(),
        "latest": _latest(request),
        "most_days": hotline_results.MOST_DAYS,
    }
    return render(request, "incidents/hotline.html", context, status=status)


def _latest(request: HttpRequest) -> Any:
    mine = SheetUpload.objects.filter(owner=request.user.pk, kind=hotline_sheet.KIND)
    return mine.defer("payload").order_by("-made_at")[:_LATEST]


@roles(Role.COMMAND)
@never_cache
@require_POST
def hotline_results_file(request: HttpRequest) -> HttpResponse:
    """Hand out what became of the work orders of some days."""
    form = ResultsForm(request.POST)
    if form.is_valid():
        chosen = form.cleaned_data
        try:
            data = hotline_results.export(
                system_id=chosen["system"].pk,
                since=chosen["since"],
                until=chosen["until"],
                actor=acting(request),
            )
        except Invalid as error:
            put_errors(form, error)
        else:
            return workbook(data, _("Results of work orders"))
    return _hub(request, form, status=422)


@roles(Role.COMMAND)
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def hotline_import(request: HttpRequest) -> HttpResponse:
    """Take a hotline's file and lead on to its columns (4 queries of its own)."""
    form = OrdersForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        file = form.cleaned_data["file"]
        try:
            taken = hotline_sheet.take(
                system_id=form.cleaned_data["system"].pk,
                data=file.read(MAX_BYTES + 1),
                file_name=file.name or "",
                actor=request.user,  # type: ignore[arg-type]
            )
        except GeshiError as error:
            form.add_error("file", str(error))
        else:
            return redirect("hotline_import_upload", taken.pk)
    context = {
        "form": form,
        "connected": systems().exists(),
        "latest": _latest(request),
        "rows_at_most": MAX_ROWS,
        "megabytes": MAX_BYTES // MEGABYTE,
    }
    status = 422 if form.errors else 200
    return render(request, "incidents/hotline_import.html", context, status=status)


@roles(Role.COMMAND)
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def hotline_match(request: HttpRequest, upload_id: UUID) -> HttpResponse:
    """Ask which column is which; what was chosen for such a file before stands there already."""
    found = sheets.upload_of(upload_id=upload_id, kind=hotline_sheet.KIND, actor=request.user)
    if found.state != State.MATCHING:
        return redirect("hotline_import_upload", found.pk)
    form = MatchForm(request.POST or None, upload=found)
    if request.method == "POST" and form.is_valid():
        try:
            hotline_sheet.match(
                upload=found,
                chosen=form.cleaned_data,
                actor=request.user,  # type: ignore[arg-type]
            )
        except Invalid as error:
            put_errors(form, error)
        else:
            return redirect("hotline_import_upload", found.pk)
    context = {"form": form, "upload": found}
    status = 422 if form.errors else 200
    return render(request, "incidents/hotline_match.html", context, status=status)


import_urls = sheet_urls(
    kind=hotline_sheet.KIND,
    at="hotline/import/",
    name="hotline_import",
    allowed=[Role.COMMAND],
    back="hotline",
    lists=lambda _request: (),
    own_start=hotline_import,
)
