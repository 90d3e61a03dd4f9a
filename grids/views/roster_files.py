"""The roster as files: the list taken along, and the pages of bringing a sheet in.

What must not live here: the desk itself (views/roster.py), rows and rights (services).
"""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from core.errors import Conflict
from grids.access import roles
from grids.forms.roster import FilterForm
from grids.queries import roster
from grids.rostering import SHEET
from grids.services import roster_export
from grids.views.first_passwords import after_saving
from grids.views.sheets import sheet_urls, workbook


@roles(*roster.ROSTER_ROLES)
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def export(request: HttpRequest) -> HttpResponse:
    """Hand out the list as filtered; numbers masked unless a keeper says why (POST)."""
    form = FilterForm(request.GET or None, areas=roster.areas_of(request.scope))
    form.is_valid()
    reason = request.POST.get("reason", "") if request.method == "POST" else ""
    try:
        data = roster_export.export(actor=request.user, wanted=form.wanted(), reason=reason)
    except Conflict as error:
        messages.error(request, str(error))
        return redirect(f"{reverse('roster')}?{request.GET.urlencode()}")
    return workbook(data, _("Roster"))


def _lists(request: HttpRequest) -> list[tuple[str, list[str], Any]]:
    """Return the sheet of codes of the template: areas to post people at, and departments."""
    rows = roster_export.codes_out(roster.areas_of(request.scope))
    return [(_("Codes"), [_("Place code"), _("Place"), _("Level")], rows)]


SHEET_URLS = sheet_urls(
    kind=SHEET,
    at="roster/import/",
    name="roster_import",
    allowed=roster.KEEPING_ROLES,
    back="roster",
    lists=_lists,
    then=after_saving,
)
