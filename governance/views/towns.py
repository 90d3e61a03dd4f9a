"""Figures of the towns side by side, by the map of today or by that of their day.

What must not live here: how a figure or a rate comes about (incidents/queries/figures.py).
"""

from datetime import date, timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.dateparse import parse_date
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from core.errors import Invalid
from governance import queries
from grids.access import roles
from grids.models import Role
from incidents.queries import figures

LAST_DAYS = 30
MAPS = {
    figures.NEW: gettext_lazy("Map of today"),
    figures.OLD: gettext_lazy("Map of their day"),
}


@roles(Role.COMMAND, Role.COUNTY_LEADER, Role.TOWN_ADMIN)
@never_cache
@require_safe
def town_figures(request: HttpRequest) -> HttpResponse:
    """Show what was counted in each town of the scope between two days, by one of the two maps."""
    chosen = request.GET.get("map", figures.NEW)
    if chosen not in MAPS:
        raise Invalid(_("There is no such map."))
    today = timezone.localdate()
    last = _day(request, "until", today)
    first = _day(request, "since", last - timedelta(days=LAST_DAYS - 1))
    if first > last:
        raise Invalid(_("The first day must not be after the last."))
    scope = request.scope  # type: ignore[attr-defined]
    days = f"since={first}&until={last}"
    context: dict[str, Any] = {
        "rows": queries.town_rows(scope, first, last, map=chosen),
        "first": first,
        "last": last,
        "chosen": chosen,
        "maps": [(name, label, f"?{days}&map={name}") for name, label in MAPS.items()],
    }
    return render(request, "governance/towns.html", context)


def _day(request: HttpRequest, name: str, default: date) -> date:
    """Return a day of the address. Raises Invalid for one that is none."""
    given = request.GET.get(name, "")
    try:
        day = parse_date(given) if given else default
    except ValueError:
        day = None
    if day is None:
        raise Invalid(_("“%(day)s” is not a day."), day=given[:20])
    return day
