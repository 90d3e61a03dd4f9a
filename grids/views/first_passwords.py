"""First passwords for whom a sheet brought in: who waits for one, and the order of the slips.

What must not live here: making passwords (services/first_passwords.py).
"""

from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from core.errors import GeshiError
from core.models import SheetUpload
from core.services import papers, sheets
from core.web import public_address
from grids.access import roles
from grids.queries import roster
from grids.queries.first_passwords import waiting_of
from grids.rostering import SHEET
from grids.services import first_passwords as service


@roles(*roster.KEEPING_ROLES)
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def first_passwords(request: HttpRequest, upload_id: UUID) -> HttpResponse:
    """Show who of a saved sheet has no password yet; have slips drawn for them."""
    upload = sheets.upload_of(upload_id=upload_id, kind=SHEET, actor=request.user)
    if upload.state != SheetUpload.State.SAVED:
        raise Http404
    problem = ""
    if request.method == "POST":
        try:
            paper = service.order_slips(
                upload=upload,
                address=public_address(request) + reverse("login"),
                actor=request.user,
            )
        except GeshiError as error:
            problem = str(error)
        else:
            return redirect("paper", paper.pk)
    waiting = waiting_of(upload, request.scope)
    held = roster.postings_of(waiting, roster.areas_of(request.scope))
    words = roster.place_words(p.area for mine in held.values() for p in mine)
    context = {
        "upload": upload,
        "problem": problem,
        "people": [
            (user, words.get(held[user.pk][-1].area_id or 0, "") if user.pk in held else "")
            for user in waiting[: service.MOST_AT_ONCE]
        ],
        "waiting": len(waiting),
        "most": service.MOST_AT_ONCE,
        "papers": papers.latest_of(kind=service.KIND, actor=request.user),
    }
    status = 409 if problem else 200
    return render(request, "grids/first_passwords.html", context, status=status)


def after_saving(request: HttpRequest, upload: SheetUpload) -> dict[str, Any] | None:
    """Return the next step after a sheet of the roster was saved: text and address, or None."""
    n = len(waiting_of(upload, request.scope))
    if not n:
        return None
    return {
        "text": _("Print first passwords for %(n)s people") % {"n": n},
        "url": reverse("roster_import_passwords", args=[upload.pk]),
        "icon": "key",
    }
