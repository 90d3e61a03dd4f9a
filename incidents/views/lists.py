"""What the desks' lists share: tabs, the page of rows, a quick accept.

What must not live here: which cases stand where (queries/desks.py).
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from core.paging import Page
from grids.models import Area, Department
from incidents.models import State
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
    accepts: Collection[Area | Department],
) -> dict[str, Any]:
    """Return what templates/incidents/_list.html draws.

    ``accepts`` are the owners the reader may accept for.
    """
    departments = {owner.pk for owner in accepts if isinstance(owner, Department)}
    areas = {owner.pk for owner in accepts if isinstance(owner, Area)}
    rows = list_rows(page.items)
    for row, case in zip(rows, page.items, strict=True):
        own = case.owner_department_id in departments or case.owner_area_id in areas
        if own and case.state == State.DISPATCHED:
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
