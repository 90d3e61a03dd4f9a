"""The county command centre: its board, its queue, its live feed.

What lives here: putting reads together for a screen. What must not: steps on a case, which are
taken from the panel of the case itself (incidents.views.case).
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from core.errors import Invalid
from core.htmx import render
from core.paging import Page
from governance import queries
from grids.access import roles
from grids.backends import may_open_admin
from grids.models import Area, Level, Role
from grids.queries import Scope
from incidents.models import ActorKind, Source, State, Tier, Urgency
from incidents.queries.listing import catalogue_names, give_names
from incidents.queries.queue import (
    WAITING,
    QueueFilters,
    code_of,
    queue_page,
    read_filters,
    waiting_counts,
)
from incidents.queries.standing import board_calls
from incidents.views.rows import list_rows
from incidents.views.shown import calls as shown_calls
from incidents.views.shown import level, opened_again, place
from incidents.workflow import action_label

CENTRE = (Role.COMMAND, Role.COUNTY_LEADER)
# The list beside the map is short; the queue's own page is long.
BOARD_ROWS = 30
SLOWEST = 8


@roles(*CENTRE)
@never_cache
@require_GET
def command(request: HttpRequest) -> HttpResponse:
    """Show the board: figures, map, queue, feed, and who is slow."""
    scope: Scope = request.scope  # type: ignore[attr-defined]
    params = _params(request)
    cursor = params.pop("cursor", None)
    filters = read_filters(params, scope=scope)
    newest = queries.last_event_id()
    context = {
        **_queue(request, filters, params, cursor, size=BOARD_ROWS),
        **_figures(request),
        "events": _events(scope, newest=newest),
        "newest": queries.settled_event_id(
            newest=newest, before=max(0, newest - queries.FEED_REACH)
        ),
        "bounds": _bounds(scope),
        "banners": _banners(request),
        "board": True,
        "leader": not scope.has(Role.COMMAND),
    }
    return render(request, "governance/command.html", context)


@roles(*CENTRE)
@never_cache
@require_GET
def queue(request: HttpRequest) -> HttpResponse:
    """Show the queue by filter; the board asks for its short form by the target it names."""
    scope: Scope = request.scope  # type: ignore[attr-defined]
    params = _params(request)
    cursor = params.pop("cursor", None)
    board = request.htmx.target == "board-queue"  # type: ignore[attr-defined]
    filters = read_filters(params, scope=scope)
    if filters.text and (code := code_of(filters.text, user=request.user, scope=scope)):
        return _go_to(request, reverse("incident", args=[code]))
    context = _queue(request, filters, params, cursor, size=BOARD_ROWS if board else 50)
    context |= {"board": board}
    if board:
        return render(request, "governance/_board_queue.html", context)
    context |= {"banners": _banners(request), **_choices(scope, filters)}
    response = render(request, "governance/queue.html", context, partial="governance/_queue.html")
    if request.htmx:  # type: ignore[attr-defined]
        # The address holds only what was asked for, not every empty field of the form.
        asked = {**params, "cursor": cursor} if cursor else params
        address = reverse("command_queue")
        response.headers["HX-Push-Url"] = f"{address}?{urlencode(asked)}" if asked else address
    return response


@roles(*CENTRE, Role.TOWN_ADMIN)
@never_cache
@require_GET
def feed(request: HttpRequest) -> HttpResponse:
    """Return rows of timelines after the row ``after``; 204 when nothing is new.

    The page asks again from X-Newest, below which nothing can appear any more, and leaves out
    the rows it has.
    """
    raw = request.GET.get("after", "")
    if not (raw.isascii() and raw.isdigit() and len(raw) <= 18):
        raise Invalid(_("This page address is not valid."), field="after")
    newest = queries.last_event_id()
    if newest <= int(raw):
        return HttpResponse(status=204)
    settled = queries.settled_event_id(newest=newest, before=int(raw))
    events = _events(request.scope, newest=newest, after=int(raw))  # type: ignore[attr-defined]
    response = render(request, "governance/_feed.html", {"events": events})
    response.headers["X-Newest"] = str(settled)
    return response


@roles(*CENTRE)
@never_cache
@require_GET
def figures(request: HttpRequest) -> HttpResponse:
    """Return the figures on top of the board."""
    context = {**_figures(request), "refreshed": True}
    return render(request, "governance/_figures.html", context)


def _params(request: HttpRequest) -> dict[str, str]:
    """Return what was asked for; of a name given several times, the last that says something."""
    asked = {name: [v for v in values if v] for name, values in request.GET.lists()}
    return {name: values[-1] for name, values in asked.items() if values}


def _go_to(request: HttpRequest, url: str) -> HttpResponse:
    if not request.htmx:  # type: ignore[attr-defined]
        return redirect(url)
    return HttpResponse(headers={"HX-Redirect": url})


def _queue(
    request: HttpRequest,
    filters: QueueFilters,
    params: Mapping[str, str],
    cursor: str | None,
    *,
    size: int,
) -> dict[str, Any]:
    scope: Scope = request.scope  # type: ignore[attr-defined]
    page = queue_page(user=request.user, scope=scope, filters=filters, cursor=cursor, size=size)
    give_names(page.items)
    return {
        "filters": filters,
        "rows": list_rows(page.items),
        "tabs": _tabs(filters, waiting_counts(scope)),
        "first_page": cursor is None,
        "queue_url": _address(params),
        **_pager(page, params),
    }


def _address(params: Mapping[str, str], **more: str) -> str:
    asked = {**params, **more}
    address = reverse("command_queue")
    return f"{address}?{urlencode(asked)}" if asked else address


def _pager(page: Page, params: Mapping[str, str]) -> dict[str, str]:
    return {
        "next_url": _address(params, cursor=page.next) if page.next else "",
        "previous_url": _address(params, cursor=page.previous) if page.previous else "",
    }


def _tabs(filters: QueueFilters, counts: Mapping[str, int]) -> list[dict[str, Any]]:
    address = reverse("command_queue")
    first = {
        "label": _("All in progress"),
        "count": counts["open"],
        "url": address,
        "active": not filters.waiting,
    }
    return [first] + [
        {
            "label": label,
            "count": counts[name],
            "url": f"{address}?waiting={name}",
            "active": filters.waiting == name,
            "hot": name in {"overdue", "emergency"} and counts[name] > 0,
        }
        for name, (label, _condition) in WAITING.items()
    ]


def _choices(scope: Scope, filters: QueueFilters) -> dict[str, Any]:
    names = catalogue_names()
    places = queries.place_options(scope, filters.area)
    return {
        "states": State.choices,
        "tiers": [(value, label) for value, label in Tier.choices if value],
        "sources": Source.choices,
        "urgencies": Urgency.choices,
        "categories": names["categories"].items(),
        "majors": names["majors"].items(),
        "departments": names["departments"].items(),
        "towns": places[Level.TOWN],
        "villages": places[Level.VILLAGE],
        "grids": places[Level.GRID],
    }


def _events(scope: Scope, *, newest: int, after: int = 0) -> list[dict[str, Any]]:
    events = queries.recent_events(scope, newest=newest, after=after)
    for event in events:
        action, before, after = event["action"], event["from_state"], event["to_state"]
        again = opened_again(action, after)
        event["what"] = _("Opened again") if again else action_label(action)
        event["who"] = event["actor_place"] or ActorKind(event["actor_kind"]).label
        event["level"] = level(action, before, after) or "calm"
        event["url"] = reverse("incident", args=[event["code"]])
    return events


def _figures(request: HttpRequest) -> dict[str, Any]:
    day, scope = timezone.localdate(), request.scope  # type: ignore[attr-defined]
    return {
        "emergencies": [
            {
                "code": incident.tracking_code,
                "url": reverse("incident", args=[incident.tracking_code]),
                "text": incident.summary,
                "place": place(incident),
                "rows": shown_calls(rows, incident, request.user, scope),
            }
            for incident, rows in board_calls(scope.areas, now=timezone.now())
        ],
        "stats": _stats(queries.today_figures(scope.areas, day)),
        "slow_departments": queries.slow_departments(scope)[:SLOWEST],
        "slow_towns": queries.slow_towns(scope)[:SLOWEST],
        "worse_towns": queries.worse_towns(scope, day)[:SLOWEST],
    }


def _stats(today: queries.Today) -> list[dict[str, Any]]:
    address = reverse("command_queue")
    month = _("last 30 days")
    return [
        {"label": _("Reported today"), "value": today.reported},
        {"label": _("Closed today"), "value": today.closed},
        {"label": _("In progress"), "value": today.open, "url": address},
        {
            "label": _("Overdue"),
            "value": today.overdue,
            "url": f"{address}?waiting=overdue&order=due",
            "tone": "over" if today.overdue else "",
        },
        {"label": _("Whistles running"), "value": today.whistles},
        {"label": _("Opened again today"), "value": today.reopened},
        {
            "label": _("Closed in time"),
            "value": _percent(today.on_time),
            "unit": "%",
            "hint": month,
        },
        {
            "label": _("Satisfaction rate"),
            "value": _percent(today.satisfied),
            "unit": "%",
            "hint": month,
        },
    ]


def _percent(share: float | None) -> str | None:
    return None if share is None else f"{share * 100:.1f}"


def _bounds(scope: Scope) -> str:
    """Return "west,south,east,north" of the scope's first area that has a boundary."""
    drawn = Area.objects.filter(pk__in=[area.pk for area in scope.areas], boundary__isnull=False)
    for area in drawn.only("outline"):
        if area.outline:
            return ",".join(f"{degree:.5f}" for degree in area.outline.extent)
    return ""


def _banners(request: HttpRequest) -> list[dict[str, Any]]:
    years, dead = queries.house_warnings(timezone.now())
    found: list[dict[str, Any]] = []
    if years:
        listed = "、".join(map(str, years))
        may = may_open_admin(request.user, request.scope, "core.add_calendaryear")
        found.append(
            {
                "level": "over",
                "text": _("The working calendar of %(years)s is missing; deadlines need it.")
                % {"years": listed},
                "url": reverse("admin:core_calendaryear_add") if may else "",
                "link": _("Import it"),
            }
        )
    if dead:
        names = {"worker": _("the worker"), "beat": _("the clock")}
        text = _("Not running: %(names)s. Reminders and notices wait until it runs again.")
        found.append(
            {"level": "over", "text": text % {"names": "、".join(names[name] for name in dead)}}
        )
    return found
