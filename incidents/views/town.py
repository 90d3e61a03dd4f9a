"""The desks of places: a town, a village or community, a grid. One page, three scopes.

What must not live here: rights; a row's page offers only the steps its reader may take.
"""

from datetime import timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from core.htmx import render
from grids.access import roles
from grids.models import Area, Level, Role
from grids.queries import Scope
from incidents.queries import desks
from incidents.views import lists

DESK_ROLES = {
    Level.TOWN: (Role.TOWN_ADMIN,),
    Level.VILLAGE: (Role.VILLAGE_OFFICE,),
    Level.GRID: (Role.GRID_CHIEF, Role.GRID_GUIDE),
}
SOON = timedelta(hours=24)


@roles(*DESK_ROLES[Level.TOWN])
@never_cache
@require_safe
def town(request: HttpRequest) -> HttpResponse:
    """Show the desk of a town: dispatch locally, blow the whistle, verify."""
    return _desk(request, Level.TOWN)


@roles(*DESK_ROLES[Level.VILLAGE])
@never_cache
@require_safe
def village(request: HttpRequest) -> HttpResponse:
    """Show the desk of a village or community office."""
    return _desk(request, Level.VILLAGE)


@roles(*DESK_ROLES[Level.GRID])
@never_cache
@require_safe
def grid(request: HttpRequest) -> HttpResponse:
    """Show the desk of grid chiefs and guides: their grids, overdue first."""
    return _desk(request, Level.GRID)


def _desk(request: HttpRequest, level: Level) -> HttpResponse:
    areas = held(request.scope, level)
    # A guide may look after a whole village: then the village's columns serve the list.
    level = Level(areas[0].level)
    tabs = desks.PLACE_TABS[level]
    tab = lists.chosen(tabs, request)
    page = desks.place_page(areas, tab, scope=request.scope, cursor=request.GET.get("cursor"))
    counts = desks.place_counts(areas, soon=timezone.now() + SOON)
    context = lists.context(request, tabs, tab, page, counts, accepts=areas)
    context |= {"areas": areas, "figures": _figures(request, counts, level)}
    return render(request, "incidents/place.html", context, partial="incidents/_list.html")


def held(scope: Scope, level: Level) -> list[Area]:
    """Return the areas the desk's roles are held at; those of the first one's level only."""
    areas = {p.area_id: p.area for p in scope.postings if p.role in DESK_ROLES[level] and p.area}
    found = sorted(areas.values(), key=lambda area: area.path)
    return [area for area in found if area.level == found[0].level]


def _figures(request: HttpRequest, counts: dict[str, int], level: Level) -> list[dict[str, Any]]:
    wanted = [
        ("open", _("All open"), ""),
        ("overdue", _("Overdue"), "over"),
        ("due", _("Due within 24 hours"), "warn"),
        ("to_dispatch", _("To be dispatched"), ""),
        ("whistle_wanted", _("Whistle wanted"), ""),
        ("ours", _("Ours to handle"), ""),
        ("to_verify", _("To be verified"), ""),
        ("callback", _("To call back"), ""),
    ]
    tabs = {tab.name for tab in desks.PLACE_TABS[level]}
    return [
        {
            "label": label,
            "value": counts[name],
            "tone": tone if counts[name] else "",
            "url": f"{request.path}?tab={name}" if name in tabs else "",
        }
        for name, label, tone in wanted
        if name in counts
    ][:7]
