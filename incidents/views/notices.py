"""What waits for a person: their notices, newest first, and marking them read."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from core.htmx import render
from core.paging import keyset_page
from grids.access import authenticated
from grids.phone import phone_tabs
from incidents.models import Notice
from incidents.queries import forget_unread, notice_branches
from incidents.registry import NoticeKind, notice_kinds
from incidents.services.notices import mark_read
from incidents.views.case import PHONE_ROLES, acting

PAGE_SIZE = 40


@authenticated
@never_cache
@require_safe
def notices(request: HttpRequest) -> HttpResponse:
    """List the notices of the reader's postings."""
    branches = [
        rows.select_related("incident").defer("incident__bigrams", "incident__location")
        for rows in notice_branches(request.user, request.scope)
    ]
    page = keyset_page(branches, order=["-id"], cursor=request.GET.get("cursor"), size=PAGE_SIZE)
    rows = [_shown(notice) for notice in page.items]
    on_phone = request.scope.roles <= PHONE_ROLES
    context = {
        "base": "base_phone.html" if on_phone else "base_desk.html",
        "tabs": phone_tabs("notices", request.scope.roles) if on_phone else [],
        "rows": rows,
        "unread": any(not row["read"] for row in rows),
        "up_to": page.items[0].pk if page.items else 0,
        "next_url": f"?cursor={page.next}" if page.next else "",
        "previous_url": f"?cursor={page.previous}" if page.previous else "",
    }
    return render(request, "incidents/notices.html", context)


@authenticated
@require_POST
def read(request: HttpRequest) -> HttpResponse:
    """Mark what the reader has seen as read."""
    up_to = request.POST.get("up_to", "")
    if up_to.isdecimal() and len(up_to) < 19:
        mark_read(actor=acting(request), up_to=int(up_to))
        forget_unread(request.user)
    return redirect("notices")


def _shown(notice: Notice) -> dict[str, Any]:
    kind = notice_kinds.get(notice.kind) or NoticeKind(notice.kind)
    url = kind.url(notice.data) if kind.url else ""
    case = notice.incident
    return {
        "text": kind.text,
        "level": kind.level,
        "url": url or (reverse("incident", args=[case.tracking_code]) if case else ""),
        "about": f"{case.tracking_code} · {case.summary}" if case else _about(notice.data),
        "at": notice.created_at,
        "read": notice.read_at is not None,
    }


def _about(data: dict[str, Any]) -> str:
    return " · ".join(str(data[key]) for key in ("dispute", "place") if data.get(key))
