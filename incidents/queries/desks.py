"""The lists of the desks: which cases stand under which tab, and how many are open.

A tab narrows branches that are equalities on one keyset index each (a department, a town, a
village, a grid). Counts look at open cases only.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.core.cache import cache
from django.db.models import Count, Q

from core.kept import kept
from core.paging import Page, keyset_page
from grids.models import Area, Level
from grids.queries import Scope
from incidents.models import ENDED, Extension, Incident, PartyState, State, Tier
from incidents.models.incident import IncidentQuerySet, lies_in
from incidents.queries.listing import give_names, light, looked_at

OPEN_ORDER = ("due_at", "id")
DONE_ORDER = ("-reported_at", "-id")
PAGE_SIZE = 50
# The counters of the tabs are a few seconds old, but never older than one's own last step.
COUNTS_KEPT = 5

HANDLING = (State.ACCEPTED, State.ARRIVED)
_CALLED = Q(
    whistles__closed_at__isnull=True,
    whistles__parties__state__in=[
        PartyState.CALLED,
        PartyState.ACCEPTED,
        PartyState.ARRIVED,
        PartyState.ANSWERED,
    ],
)
_ASKED_FOR_TIME = Q(extensions__decision=Extension.Decision.PENDING)


@dataclass(frozen=True)
class Tab:
    """One list of a desk. ``done`` lists ended cases newest first and is not counted."""

    name: str
    narrow: Q = field(default_factory=Q)
    done: bool = False


DEPARTMENT_TABS = (
    Tab("inbox", Q(state__in=[State.DISPATCHED, State.OBJECTED])),
    Tab("handling", Q(state__in=[*HANDLING, State.SUSPENDED])),
    Tab("whistle"),
    Tab("checking", Q(state__in=[State.RESPONDED, State.CALLBACK])),
    Tab(
        "returned",
        Q(state__in=[State.DISPATCHED, *HANDLING]) & (Q(rework_count__gt=0) | Q(round__gt=1)),
    ),
    Tab("done", Q(state__in=sorted(ENDED)), done=True),
)

_TO_DISPATCH = Q(state__in=[State.REPORTED, State.PENDING]) & ~Q(tier=Tier.WHISTLE)
_WHISTLE_WANTED = Q(state=State.PENDING, tier=Tier.WHISTLE)
_LATE = Q(looked_at(Q(overdue_at__isnull=False)))
_BELOW_VILLAGE = Q(owner_area__level__in=[Level.GRID, Level.UNIT])

PLACE_TABS = {
    Level.TOWN: (
        Tab("to_dispatch", _TO_DISPATCH),
        Tab("whistle_wanted", _WHISTLE_WANTED),
        Tab("ours"),
        Tab("to_verify", Q(state=State.RESPONDED)),
        Tab("overdue", _LATE),
        Tab("extensions", _ASKED_FOR_TIME),
        Tab("callback", Q(state=State.CALLBACK)),
        Tab("open"),
        Tab("done", Q(state__in=sorted(ENDED)), done=True),
    ),
    Level.VILLAGE: (
        Tab("ours"),
        Tab("to_verify", Q(state=State.RESPONDED) & _BELOW_VILLAGE),
        Tab("overdue", _LATE),
        Tab("callback", Q(state=State.CALLBACK)),
        Tab("open"),
        Tab("done", Q(state__in=sorted(ENDED)), done=True),
    ),
    Level.GRID: (
        Tab("ours"),
        Tab("to_verify", Q(state=State.RESPONDED) & _BELOW_VILLAGE),
        Tab("overdue", _LATE),
        Tab("open"),
        Tab("done", Q(state__in=sorted(ENDED)), done=True),
    ),
}


def department_page(scope: Scope, tab: Tab, *, cursor: str | None) -> Page:
    """Return one page of a department's tab (1 query a department)."""
    branches = []
    for department_id in sorted(scope.department_ids):
        if tab.name == "whistle":
            called = Q(whistles__parties__department_id=department_id) & _CALLED
            rows = Incident.objects.open().filter(called).distinct()
        else:
            rows = Incident.objects.filter(tab.narrow, owner_department_id=department_id)
        branches.append(_ended(rows, tab))
    return _page(branches, tab, cursor)


def department_counts(scope: Scope) -> dict[str, int]:
    """Return how many open cases stand under each tab of a department (≤ 2 queries)."""
    ids = scope.department_ids
    return kept(_counts_key("department", ids), lambda: _count_department(ids), COUNTS_KEPT)


def _count_department(ids: Collection[int]) -> dict[str, int]:
    counts = (
        Incident.objects.open()
        .filter(owner_department_id__in=ids)
        .aggregate(
            **{tab.name: Count("pk", filter=tab.narrow) for tab in DEPARTMENT_TABS if tab.narrow}
            | {"overdue": Count("pk", filter=_LATE)}
        )
    )
    called = Q(whistles__parties__department_id__in=ids) & _CALLED
    counts["whistle"] = Incident.objects.open().filter(called).distinct().count()
    counts.pop("done", None)
    return counts


def place_page(areas: Sequence[Area], tab: Tab, *, scope: Scope, cursor: str | None) -> Page:
    """Return one page of a place's tab; areas are all of one level (1 query an area)."""
    branches = []
    for area in areas:
        if tab.name == "ours":
            states = [State.DISPATCHED, State.OBJECTED, *HANDLING, State.SUSPENDED]
            found = [Incident.objects.filter(owner_area_id=area.pk, state__in=states)]
        else:
            rows = Incident.objects.filter(tab.narrow)
            found = [rows.filter(inside) for inside in lies_in(area, scope)]
        branches += [_ended(rows, tab) for rows in found]
    return _page(branches, tab, cursor)


def place_counts(areas: Sequence[Area], *, soon: datetime) -> dict[str, int]:
    """Return how many open cases stand under each tab, and the desk's figures (≤ 3 queries).

    ``soon``: the figure "due" counts deadlines before this moment that are not yet missed.
    """
    level, ids = areas[0].level, [area.pk for area in areas]
    return kept(_counts_key(level, ids), lambda: _count_places(level, ids, soon), COUNTS_KEPT)


def forget_counts(scope: Scope) -> None:
    """Make the desks of this person count anew: what they just did must show at once."""
    held: dict[str, set[int]] = {}
    for posting in scope.postings:
        if posting.area:
            held.setdefault(posting.area.level, set()).add(posting.area.pk)
    keys = [_counts_key(level, ids) for level, ids in held.items()]
    cache.delete_many([*keys, _counts_key("department", scope.department_ids)])


def _counts_key(kind: str, ids: Collection[int]) -> str:
    return f"desk:counts:{kind}:" + "-".join(str(pk) for pk in sorted(ids))


def _count_places(level: str, ids: Sequence[int], soon: datetime) -> dict[str, int]:
    states = [State.DISPATCHED, State.OBJECTED, *HANDLING, State.SUSPENDED]
    narrow = {
        tab.name: tab.narrow
        for tab in PLACE_TABS[Level(level)]
        if tab.narrow and not tab.done and tab.name != "extensions"
    }
    counts = (
        Incident.objects.open()
        .filter(**{f"{level}_id__in": ids})
        .aggregate(
            open=Count("pk"),
            due=Count("pk", filter=Q(due_at__lt=soon, overdue_at__isnull=True)),
            **{name: Count("pk", filter=condition) for name, condition in narrow.items()},
        )
    )
    # What a place was given may lie beside it.
    ours = Incident.objects.open().filter(owner_area_id__in=ids, state__in=states)
    counts["ours"] = ours.count()
    if level == Level.TOWN:
        counts["extensions"] = Extension.objects.filter(
            decision=Extension.Decision.PENDING, incident__town_id__in=ids
        ).count()
    return counts


def worker_page(areas: Sequence[Area], *, cursor: str | None, size: int = 30) -> Page:
    """Return open cases in these places or given to them, most urgent first.

    Of a unit, which has no index of its own, only what it was given.
    """
    branches = []
    for area in areas:
        rows = light(Incident.objects.open())
        branches.append(rows.filter(owner_area_id=area.pk))
        if area.level != Level.UNIT:
            branches.append(rows.filter(**{f"{area.level}_id": area.pk}))
    return _named(keyset_page(branches, order=OPEN_ORDER, cursor=cursor, size=size))


def own_reports(user_id: int, *, cursor: str | None, size: int = 20) -> Page:
    """Return what a person reported, newest first (1 query)."""
    rows = light(Incident.objects.filter(reporter_id=user_id))
    return _named(keyset_page(rows, order=DONE_ORDER, cursor=cursor, size=size))


def _ended(rows: IncidentQuerySet, tab: Tab) -> IncidentQuerySet:
    return light(rows if tab.done else rows.filter(ended_at__isnull=True))


def _page(branches: list[IncidentQuerySet], tab: Tab, cursor: str | None) -> Page:
    order = DONE_ORDER if tab.done else OPEN_ORDER
    return _named(keyset_page(branches, order=order, cursor=cursor, size=PAGE_SIZE))


def _named(page: Page) -> Page:
    give_names(page.items)
    return page
