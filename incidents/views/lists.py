"""What the desks' lists share: tabs, the page of rows, a quick accept.

What must not live here: which cases stand where (queries/desks.py).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from core.paging import Page
from incidents.models import Incident, State
from incidents.queries.desks import Tab
from incidents.views.rows import list_rows

TAB_LABELS = {
    "inbox": _("To be accepted"),
    "handling": _("Being handled"),
    "whistle": _("Whistle report-in"),
    "checking": _("Checking and rating"),
    "returned": _("Returned"),
    "done": _("Finished cases"),
    "to_dispatch": _("To be dispatched"),
    "whistle_wanted": _("Whistle wanted"),
    "ours": _("Ours to handle"),
    "to_verify": _("To be verified"),
    "overdue": _("Overdue and escalated"),
    "extensions": _("Extension requests"),
    "callback": _("To call back"),
    "open": _("All open"),
}
EMPTY = {
    "inbox": _("No case waits to be accepted."),
    "overdue": _("Nothing is overdue."),
    "returned": _("Nothing was sent back."),
}


def chosen(tabs: Sequence[Tab], request: HttpRequest) -> Tab:
    """Return the tab the address names, else the first."""
    name = request.GET.get("tab", "")
    return next((tab for tab in tabs if tab.name == name), tabs[0])


def context(
    request: HttpRequest,
    tabs: Sequence[Tab],
    tab: Tab,
    page: Page,
    counts: Mapping[str, int],
    *,
    accepts: frozenset[int],
) -> dict[str, Any]:
    """Return what templates/incidents/_list.html draws.

    ``accepts`` holds ids of owners the reader may accept for (departments or areas).
    """
    rows = list_rows(page.items)
    for row, case in zip(rows, page.items, strict=True):
        if case.state == State.DISPATCHED and _owner_id(case) in accepts:
            row.accept_url = reverse("incident_do", args=[case.tracking_code, "accept"])
    here = f"{request.path}?tab={tab.name}"
    return {
        "tabs_shown": [
            {
                "url": f"{request.path}?tab={one.name}",
                "label": TAB_LABELS[one.name],
                "count": counts.get(one.name),
                "active": one is tab,
                "late": one.name == "overdue" and counts.get("overdue"),
            }
            for one in tabs
        ],
        "tab": tab,
        "rows": rows,
        "here": f"{here}&cursor={request.GET.get('cursor', '')}".removesuffix("&cursor="),
        "next_url": f"{here}&cursor={page.next}" if page.next else "",
        "previous_url": f"{here}&cursor={page.previous}" if page.previous else "",
        "empty": EMPTY.get(tab.name, _("Nothing stands here just now.")),
    }


def _owner_id(case: Incident) -> int | None:
    return case.owner_department_id or case.owner_area_id
