"""Who looked at whose data in full, and the whole audit trail for the auditor.

What must not live here: what is read (queries/looks.py) and its words (core.audit_words).
"""

import csv
from collections.abc import Iterable, Iterator
from datetime import date
from typing import Any

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from core.audit_words import (
    action_words,
    actions,
    is_named,
    subject_names,
    subject_types,
)
from core.htmx import render
from core.models import AuditEntry, AuditVerification
from core.paging import Page, keyset_page
from core.ratelimit import client_ip
from core.services import audit
from core.services.sealing import FAULTS
from core.sheets.defusing import defused
from core.web import page_urls
from grids.access import authenticated, roles
from grids.models import Role, User
from grids.queries import looks as read
from grids.queries import names_of
from grids.queries.looks import LINE_ROLES, AuditFilter
from grids.queries.scope import Scope
from grids.queries.territory import towns

# One file of the trail holds at most this many entries; the filter asks for the rest.
EXPORTED_AT_MOST = 100_000


@roles(Role.AUDIT_ADMIN, *LINE_ROLES)
@never_cache
@require_safe
def reveals(request: HttpRequest) -> HttpResponse:
    """Who looked at whose data in full in one's place, when and why (≤ 9 queries)."""
    wanted = _filter(request)
    branches = read.looks(request.scope)
    if wanted.actor_id:
        branches = [branch.filter(actor_id=wanted.actor_id) for branch in branches]
    if wanted.since or wanted.until:
        branches = [read.between(branch, wanted) for branch in branches]
    page = keyset_page(branches, order=read.ORDER, cursor=request.GET.get("cursor"))
    context = {"asked": _asked(request), "page": page, "rows": _rows(page.items)}
    return render(request, "grids/reveals.html", context | page_urls(request, page))


@authenticated
@never_cache
@require_safe
def my_looks(request: HttpRequest) -> HttpResponse:
    """Who looked at one's own phone or ID number, when and why (≤ 4 queries)."""
    found = read.looks_at(request.user)
    page = keyset_page(found, order=read.ORDER, cursor=request.GET.get("cursor"))
    context = {"mine": True, "page": page, "rows": _rows(page.items)}
    return render(request, "grids/reveals.html", context | page_urls(request, page))


@roles(Role.AUDIT_ADMIN, Role.TOWN_ADMIN)
@never_cache
@require_safe
def trail(request: HttpRequest) -> HttpResponse:
    """The audit trail; a town sees what was done to its own roster and territory (≤ 11 queries)."""
    page = _trail_page(request)
    context = {
        "asked": _asked(request),
        "page": page,
        "rows": _rows(page.items, with_seals=True),
        "actions": [("", _("All actions")), *actions().items()],
        "kinds": [("", _("All subjects")), *subject_types().items()],
        "auditor": _is_auditor(request.scope),
        "file_query": request.GET.urlencode(),
    }
    if context["auditor"]:
        context["towns"] = [("", _("All towns")), *towns()]
        context["verified"] = _verification()
    return render(request, "grids/audit.html", context | page_urls(request, page))


@roles(Role.AUDIT_ADMIN, Role.TOWN_ADMIN)
@never_cache
@require_safe
def trail_file(request: HttpRequest) -> StreamingHttpResponse:
    """The same as CSV, newest first, at most 100,000 entries; taking it is on record too."""
    found = _trail(request).order_by(*read.ORDER)[:EXPORTED_AT_MOST]
    audit.record(
        actor=request.user,
        action="audit.exported",
        subject_type="audit",
        data={"filter": {k: v[:50] for k, v in request.GET.items() if k in FILTERS}},
        ip=client_ip(request),
    )
    response = StreamingHttpResponse(_lines(found), content_type="text/csv; charset=utf-8")
    name = f"audit-{timezone.localdate():%Y%m%d}.csv"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


FILTERS = ("actor", "action", "kind", "subject", "town", "since", "until")


def _is_auditor(scope: Scope) -> bool:
    return scope.has(Role.AUDIT_ADMIN)


def _asked(request: HttpRequest) -> dict[str, str]:
    return {name: request.GET.get(name, "") for name in FILTERS}


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else None


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _filter(request: HttpRequest) -> AuditFilter:
    asked = _asked(request)
    actor = asked["actor"].replace("\x00", "").strip()
    known = User.objects.filter(username=actor).values_list("pk", flat=True)
    return AuditFilter(
        # A name nobody has finds nothing.
        actor_id=(known.first() or -1) if actor else None,
        action=asked["action"] if is_named(asked["action"]) else "",
        subject_type=asked["kind"] if asked["kind"] in subject_types() else "",
        subject_id=_number(asked["subject"]),
        town_id=_number(asked["town"]),
        since=_day(asked["since"]),
        until=_day(asked["until"]),
    )


# What a town reads of its trail: its roster, its territory, its households, and who looked.
TOWN_KINDS = ("user", "posting", "area", "grid", "household", "leave")


def _trail(request: HttpRequest) -> Any:
    found = read.trail(_filter(request))
    if _is_auditor(request.scope):
        return found
    mine = [p.area_id for p in request.scope.postings if p.role == Role.TOWN_ADMIN]
    return found.filter(town_id__in=mine, subject_type__in=TOWN_KINDS)


def _trail_page(request: HttpRequest) -> Page:
    return keyset_page(_trail(request), order=read.ORDER, cursor=request.GET.get("cursor"))


def _verification() -> dict[str, Any] | None:
    last = AuditVerification.objects.order_by("-pk").first()
    if last is None:
        return None
    fault = FAULTS.get(last.fault)
    words = fault % {"entry": last.entry_id, "position": last.to_position} if fault else ""
    return {"at": last.at, "from": last.from_position, "to": last.to_position, "fault": words}


def _rows(entries: Iterable[AuditEntry], *, with_seals: bool = False) -> list[dict[str, Any]]:
    """Return rows as the templates show them (one query a type of subject, one for towns)."""
    entries = list(entries)
    names = subject_names((entry.subject_type, entry.subject_id) for entry in entries)
    kinds = subject_types()
    places = names_of(entry.village_id or entry.town_id for entry in entries)
    seals = read.sealed(entry.pk for entry in entries) if with_seals else set()
    rows = []
    for entry in entries:
        name, url = names.get((entry.subject_type, entry.subject_id or 0), ("", ""))
        rows.append(
            {
                "entry": entry,
                "who": entry.actor or _("the system or the public"),
                "what": action_words(entry.action),
                "kind": kinds.get(entry.subject_type, entry.subject_type),
                "name": name or (entry.subject_id or ""),
                "url": url,
                "place": places.get(entry.village_id or entry.town_id or 0, ""),
                "reason": entry.data.get("reason", "") if isinstance(entry.data, dict) else "",
                "sealed": entry.pk in seals,
            }
        )
    return rows


class _Echo:
    """A file for the csv module that gives back what it is told to write."""

    def write(self, text: str) -> str:
        return text


def _lines(found: Any) -> Iterator[str]:
    writer = csv.writer(_Echo())
    heads = [_("Number"), _("When"), _("Who"), _("User name"), _("What"), _("Subject type")]
    heads += [_("Subject"), _("Place"), _("Data"), _("Address")]
    yield "\ufeff" + writer.writerow(heads)
    batch: list[AuditEntry] = []
    for entry in found.iterator(chunk_size=1000):
        batch.append(entry)
        if len(batch) == 1000:
            yield from _written(writer, batch)
            batch = []
    yield from _written(writer, batch)


def _written(writer: Any, batch: list[AuditEntry]) -> Iterator[str]:
    for row in _rows(batch):
        entry = row["entry"]
        yield writer.writerow(
            [
                entry.pk,
                timezone.localtime(entry.at).isoformat(timespec="seconds"),
                defused(row["who"]),
                defused(entry.actor.username if entry.actor else ""),
                defused(row["what"]),
                defused(row["kind"]),
                defused(row["name"]),
                defused(row["place"]),
                defused(entry.data or ""),
                entry.ip or "",
            ]
        )
