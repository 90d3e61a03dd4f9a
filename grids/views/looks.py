"""Who looked at whose data in full, and the whole audit trail for the auditor.

What must not live here: what is read (queries/looks.py) and its words (core.audit_words).
"""

from collections.abc import Iterable, Iterator
from datetime import date
from itertools import islice
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import pgettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from core.audit_words import (
    action_words,
    actions,
    is_named,
    subject_names,
    subject_types,
)
from core.csv_file import csv_file
from core.htmx import render
from core.models import AuditEntry, AuditVerification
from core.paging import keyset_page
from core.ratelimit import client_ip
from core.services import audit
from core.services.sealing import FAULTS
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
    wanted, left_out = _filter(request)
    branches = read.looks(request.scope)
    if wanted.actor_id:
        branches = [branch.filter(actor_id=wanted.actor_id) for branch in branches]
    if wanted.since or wanted.until:
        branches = [read.between(branch, wanted) for branch in branches]
    page = keyset_page(branches, order=read.ORDER, cursor=request.GET.get("cursor"))
    context = {
        "asked": _asked(request),
        "left_out": left_out,
        "page": page,
        "rows": _rows(page.items),
    }
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
    wanted, left_out = _filter(request)
    found = _readable(request.scope, wanted)
    page = keyset_page(found, order=read.ORDER, cursor=request.GET.get("cursor"))
    auditor = request.scope.has(Role.AUDIT_ADMIN)
    kinds = subject_types() if auditor else _town_kinds()
    context = {
        "asked": _asked(request),
        "left_out": left_out,
        "page": page,
        "rows": _rows(page.items, with_seals=True),
        "actions": [("", _("All actions")), *actions().items()],
        "kinds": [("", _("All subjects")), *kinds.items()],
        "auditor": auditor,
        "file_query": request.GET.urlencode(),
    }
    if auditor:
        context["towns"] = [("", _("All towns")), *towns()]
        context["verified"] = _verification()
    return render(request, "grids/audit.html", context | page_urls(request, page))


@roles(Role.AUDIT_ADMIN, Role.TOWN_ADMIN)
@never_cache
@require_safe
def trail_file(request: HttpRequest) -> StreamingHttpResponse:
    """The same as CSV, newest first, at most 100,000 entries; taking it is on record too."""
    wanted, _left_out = _filter(request)
    found = _readable(request.scope, wanted).order_by(*read.ORDER)[: EXPORTED_AT_MOST + 1]
    audit.record(
        actor=request.user,
        action="audit.exported",
        subject_type="audit",
        data={"filter": {k: v[:50] for k, v in request.GET.items() if k in FILTERS}},
        ip=client_ip(request),
    )
    return csv_file(f"audit-{timezone.localdate():%Y%m%d}", _lines(found))


FILTERS = ("actor", "action", "kind", "subject", "town", "since", "until")


def _asked(request: HttpRequest) -> dict[str, str]:
    return {name: request.GET.get(name, "") for name in FILTERS}


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else None


def _day(text: str) -> date | None:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    # The database knows more years than Python counts days in.
    return day if 2000 <= day.year < 3000 else None


def _filter(request: HttpRequest) -> tuple[AuditFilter, list[str]]:
    """Return what is asked for, and the labels of what was not understood and is left out."""
    asked = _asked(request)
    actor = asked["actor"].replace("\x00", "").strip()
    known = User.objects.filter(username=actor).values_list("pk", flat=True)
    wanted = AuditFilter(
        # A name nobody has finds nothing.
        actor_id=(known.first() or -1) if actor else None,
        action=asked["action"] if is_named(asked["action"]) else "",
        subject_type=asked["kind"] if asked["kind"] in subject_types() else "",
        subject_id=_number(asked["subject"]),
        town_id=_number(asked["town"]),
        since=_day(asked["since"]),
        until=_day(asked["until"]),
    )
    read_as = {
        "action": (_("What"), wanted.action),
        "kind": (_("Subject type"), wanted.subject_type),
        "subject": (_("Number"), wanted.subject_id),
        "town": (_("Town"), wanted.town_id),
        "since": (pgettext("date", "From"), wanted.since),
        "until": (pgettext("date", "To"), wanted.until),
    }
    return wanted, [
        f"“{label}”"
        for name, (label, value) in read_as.items()
        if asked[name] and value in ("", None)
    ]


# What a town reads of its trail: its roster, its territory, its households, and who looked.
TOWN_KINDS = ("user", "posting", "area", "alliance", "household")


def _town_kinds() -> dict[str, str]:
    return {kind: words for kind, words in subject_types().items() if kind in TOWN_KINDS}


def _readable(scope: Scope, wanted: AuditFilter) -> QuerySet[AuditEntry]:
    found = read.trail(wanted)
    if scope.has(Role.AUDIT_ADMIN):
        return found
    mine = [p.area_id for p in scope.postings if p.role == Role.TOWN_ADMIN]
    return found.filter(town_id__in=mine, subject_type__in=TOWN_KINDS)


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


def _lines(found: QuerySet[AuditEntry]) -> Iterator[list[Any]]:
    heads = [_("Number"), _("When"), _("Who"), _("User name"), _("What"), _("Subject type")]
    yield [*heads, _("Subject"), _("Place"), _("Data"), _("Address")]
    entries = found.iterator(chunk_size=1000)
    kept = islice(entries, EXPORTED_AT_MOST)
    while batch := list(islice(kept, 1000)):
        yield from map(_line, _rows(batch))
    if next(entries, None) is not None:
        more = _("The newest %(n)s entries. There are older ones: narrow the filter to get them.")
        yield [more % {"n": EXPORTED_AT_MOST}]


def _line(row: dict[str, Any]) -> list[Any]:
    entry = row["entry"]
    return [
        entry.pk,
        timezone.localtime(entry.at).isoformat(timespec="seconds"),
        row["who"],
        entry.actor.username if entry.actor else "",
        row["what"],
        row["kind"],
        row["name"],
        row["place"],
        entry.data or "",
        entry.ip or "",
    ]
