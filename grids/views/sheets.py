"""The pages of bringing a list in by a sheet, the same for every list.

What lives here: ``sheet_urls``, which makes the addresses of one kind of sheet: start and
template, progress and preview, file of errors, confirm. What must not: reading, planning and
saving (core.services.sheets), and any one list.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.encoding import escape_uri_path
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from core.archives import MEGABYTE
from core.errors import BadUpload, GeshiError
from core.htmx import render
from core.models import SheetLine, SheetUpload
from core.paging import keyset_page
from core.services import sheets
from core.sheets.plan import OUTCOMES, REFUSED, UNCHANGED, Line
from core.sheets.reading import MAX_BYTES, MAX_ROWS
from core.sheets.writing import CONTENT_TYPE, errors_file, template
from core.web import page_urls
from grids.access import roles, send_to

# More sheets of a template to copy from: (name, headings, rows).
Lists = Callable[[Any], Sequence[tuple[str, Sequence[str], Iterable[Sequence[str]]]]]
# What may be done after a sheet was saved: {"text", "url", "icon"}, or None.
Then = Callable[[Any, SheetUpload], dict[str, Any] | None]
State = SheetUpload.State
_LATEST = 10
_PAGE = 50


def outcome_words() -> dict[str, str]:
    """Return what each outcome is called."""
    return {
        "added": _("To be added"),
        "changed": _("To be changed"),
        "ended": _("To be ended"),
        "unchanged": _("Stays as it is"),
        "refused": _("Rows refused"),
    }


def result_words() -> dict[str, str]:
    """Return what the numbers of a saved sheet count."""
    return {
        "people_added": _("people added"),
        "people_changed": _("people changed"),
        "postings_opened": _("posts opened"),
        "postings_ended": _("posts ended"),
        "households_added": _("households added"),
        "households_changed": _("households changed"),
        "households_ended": _("households moved out"),
        "tags_given": _("care tags given"),
        "cases_opened": _("work orders taken in"),
        "places_added": _("places put on the list"),
    }


def sheet_urls(
    *,
    kind: str,
    at: str,
    name: str,
    allowed: Iterable[str],
    back: str,
    lists: Lists,
    then: Then = lambda _request, _upload: None,
    own_start: Callable[..., HttpResponse] | None = None,
) -> list[URLPattern]:
    """Return the addresses below ``at`` for sheets of ``kind``, named ``name`` and ``name_…``.

    ``allowed`` are the roles let in, ``back`` the name of the list's own page, ``then`` tells
    the next step after saving. A kind that asks more brings its ``own_start``, and a page
    ``name_match`` where columns are matched.
    """
    open_to = roles(*allowed)

    @open_to
    @never_cache
    @require_http_methods(["GET", "HEAD", "POST"])
    def start(request: HttpRequest) -> HttpResponse:
        """Show template, upload and the latest uploads; take a file and lead to its preview."""
        problem = ""
        if request.method == "POST":
            try:
                taken = _take(request)
            except GeshiError as error:
                problem = str(error)
            else:
                return redirect(f"{name}_upload", taken.pk)
        latest = SheetUpload.objects.filter(owner=request.user.pk, kind=kind).defer("payload")
        context = common | {
            "title": sheets.kind_of(kind).title,
            "problem": problem,
            "latest": latest.order_by("-made_at")[:_LATEST],
            "rows_at_most": MAX_ROWS,
            "megabytes": MAX_BYTES // MEGABYTE,
        }
        return render(request, "sheets/start.html", context, status=422 if problem else 200)

    def _take(request: HttpRequest) -> SheetUpload:
        file = request.FILES.get("file")
        if file is None:
            raise BadUpload(_("Choose a file first."))
        return sheets.take(
            kind=kind, data=file.read(MAX_BYTES + 1), file_name=file.name or "", actor=request.user
        )

    @open_to
    @never_cache
    @require_safe
    def template_file(request: HttpRequest) -> HttpResponse:
        """Hand out the empty template with the reader's own drop-downs and codes."""
        title = str(sheets.kind_of(kind).title)
        columns = sheets.kind_of(kind).columns(request.user)
        data = template(title, columns, lists=lists(request))
        return workbook(data, _("%(title)s template") % {"title": title})

    @open_to
    @never_cache
    @require_safe
    def upload(request: HttpRequest, upload_id: UUID) -> HttpResponse:
        """Show how far the reading is, then what would be done, a page of rows of one outcome."""
        found = sheets.upload_of(upload_id=upload_id, kind=kind, actor=request.user)
        if found.state == State.MATCHING:
            return send_to(request, reverse(f"{name}_match", args=[found.pk]))
        context = common | _shown(request, found) | {"title": sheets.kind_of(kind).title}
        if found.state == State.SAVED:
            context["then"] = then(request, found)
        return render(request, "sheets/upload.html", context, partial="sheets/_upload.html")

    @open_to
    @never_cache
    @require_safe
    def errors(request: HttpRequest, upload_id: UUID) -> HttpResponse:
        """Hand out the refused rows with what is wrong beside them."""
        found = sheets.upload_of(upload_id=upload_id, kind=kind, actor=request.user)
        title = str(sheets.kind_of(kind).title)
        columns = sheets.kind_for(found).columns(request.user)
        data = errors_file(title, columns, sheets.lines_of(found, outcome=REFUSED))
        return workbook(data, _("%(title)s, rows to correct") % {"title": title})

    @open_to
    @require_POST
    def act(request: HttpRequest, upload_id: UUID, action: str) -> HttpResponse:
        """Confirm, plan again or throw away."""
        verb = {
            "confirm": sheets.confirm,
            "again": sheets.plan_again,
            "discard": sheets.discard,
        }[action]
        verb(upload_id=upload_id, kind=kind, actor=request.user)
        if action == "discard":
            return redirect(name)
        return redirect(f"{name}_upload", upload_id)

    common = {
        "start_url": name,
        "template_url": f"{name}_template",
        "upload_url": f"{name}_upload",
        "errors_url": f"{name}_errors",
        "back_url": back,
    }
    return [
        path(at, own_start or start, name=name),
        path(f"{at}template/", template_file, name=f"{name}_template"),
        path(f"{at}<uuid:upload_id>/", upload, name=f"{name}_upload"),
        path(f"{at}<uuid:upload_id>/errors/", errors, name=f"{name}_errors"),
        *[
            path(
                f"{at}<uuid:upload_id>/{action}/", act, {"action": action}, name=f"{name}_{action}"
            )
            for action in ("confirm", "again", "discard")
        ],
    ]


def workbook(data: bytes, title: str) -> HttpResponse:
    """Return an answer that is saved as a file of this name and today's date."""
    response = HttpResponse(data, content_type=CONTENT_TYPE)
    file_name = escape_uri_path(f"{title} {timezone.localdate():%Y-%m-%d}.xlsx")
    response.headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{file_name}"
    return response


def _shown(request: HttpRequest, upload: SheetUpload) -> dict[str, Any]:
    """Return what the page of an upload shows: counts, and the chosen outcome's rows."""
    words = outcome_words()
    chosen = request.GET.get("outcome", "")
    if chosen not in OUTCOMES:
        # What has to be put right comes first.
        chosen = next((o for o in (REFUSED, *OUTCOMES) if upload.counts.get(o)), REFUSED)
    shown: dict[str, Any] = {
        "upload": upload,
        "tabs": [(o, words[o], upload.counts.get(o, 0), o == chosen) for o in OUTCOMES],
        "chosen": chosen,
        "todo": sum(upload.counts.get(o, 0) for o in OUTCOMES if o not in (REFUSED, UNCHANGED)),
        "refused": upload.counts.get(REFUSED, 0),
        "percent": 100 * upload.done // max(upload.total, 1),
        "in_batches": sheets.kind_of(upload.kind).batch,
        "all_known": upload.state == State.READY
        and bool(upload.counts.get(UNCHANGED))
        and not any(upload.counts.get(o) for o in OUTCOMES if o != UNCHANGED),
        "results": [
            (result_words().get(key, key), number) for key, number in sorted(upload.result.items())
        ],
    }
    if upload.state not in (State.READY, State.STALE, State.SAVED):
        return shown
    rows = SheetLine.objects.filter(upload=upload, outcome=chosen)
    page = keyset_page(rows, order=("number",), cursor=request.GET.get("cursor"), size=_PAGE)
    shown["lines"] = [
        (Line.from_json(row.number, row.outcome, row.content), row.overtaken) for row in page.items
    ]
    return shown | page_urls(request, page)
