"""The queue: pages of cases by scope and filter, fast at any age of the county.

What lives here: the fixed list of filters, how each becomes an equality an index serves, and
what waits for the command centre. What must not: how a row looks (views/shown.py).
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.db import connection
from django.db.models import (
    BigIntegerField,
    Count,
    Q,
    SmallIntegerField,
    Subquery,
    Value,
)
from django.db.models.functions import Cast, Coalesce, Greatest, Least
from django.utils import timezone
from django.utils.dateparse import parse_date
from django.utils.translation import gettext_lazy as _

from core.errors import Invalid
from core.kept import kept
from core.paging import Page, from_cursor, is_full, keyset_page
from core.prepared import planned_by_value
from core.text import normalise, search_terms
from grids.models import SHAPES, Area, Level, User
from grids.queries import Scope
from incidents.models import (
    ENDED,
    NO_DUE,
    Category,
    Extension,
    Incident,
    Source,
    State,
    Tier,
    Urgency,
)
from incidents.models.incident import IncidentQuerySet, lies_in
from incidents.queries.listing import catalogue_names, light, looked_at

PAGE_SIZE = 50
TEXT_LIMIT = 100
# How many cases are walked in order before the index of facets is asked.
STRETCHES = (2_000, 20_000)
FIRST, LAST = datetime(1, 1, 2, tzinfo=UTC), NO_DUE
# The counters of the tabs are a few seconds old.
COUNTS_KEPT = 5

NEWEST, DEADLINE = "new", "due"
ORDERS = {
    NEWEST: ("-reported_at", "-id"),
    DEADLINE: ("due_at", "id"),
}

# A suspended case has no deadline to be past.
OVERDUE = Q(looked_at(Q(overdue_at__isnull=False))) & ~Q(state=State.SUSPENDED)

# What waits for the command centre, in the order of its tabs.
WAITING: dict[str, tuple[Any, Q]] = {
    "triage": (_("To triage and dispatch"), Q(state__in=[State.REPORTED, State.PENDING])),
    "objection": (_("Objections"), Q(state=State.OBJECTED)),
    "ruling": (_("Dissents"), Q(state=State.RULING)),
    "verify": (_("To verify"), Q(state=State.RESPONDED)),
    "extension": (
        _("Extensions asked"),
        Q(pk__in=Extension.objects.filter(decision="pending").values("incident")),
    ),
    "supervise": (_("Under supervision"), Q(state=State.SUPERVISED)),
    "overdue": (_("Overdue"), OVERDUE),
    "emergency": (_("Possible emergencies"), Q(urgency=Urgency.EMERGENCY)),
    "callback": (_("Call-backs"), Q(state=State.CALLBACK)),
}


@dataclass(frozen=True)
class QueueFilters:
    """What somebody asked of the queue; every field is checked, "" or None asks nothing.

    ``show`` is open or all (an ended ``state`` shows them too), ``order`` new or due (open cases
    only). ``area`` lies inside the scope. ``since`` and ``until`` are local days, both included.
    """

    show: str = "open"
    order: str = NEWEST
    waiting: str = ""
    state: str = ""
    area: Area | None = None
    category: int | None = None
    major: str = ""
    department: int | None = None
    tier: str = ""
    source: str = ""
    urgency: int | None = None
    overdue: bool = False
    since: date | None = None
    until: date | None = None
    text: str = ""

    @property
    def open_only(self) -> bool:
        """Whether only cases still on their way can match."""
        if self.waiting or self.overdue:
            return True
        asks_open = self.show == "open" or self.order == DEADLINE or bool(self.state)
        return self.state not in ENDED and asks_open


def read_filters(params: Mapping[str, str], *, scope: Scope) -> QueueFilters:
    """Return the filters a query string asks for (≤ 1 query, for the area).

    Raises Invalid, naming each field, for a name that is not on the list, a value that is not
    one of its values, or an area outside the scope.
    """
    found: dict[str, Any] = {}
    errors: dict[str, list[Any]] = {}
    for name, raw in params.items():
        if name not in _READERS:
            errors[name] = [_("There is no such filter.")]
        elif raw.strip():
            try:
                found[name] = _READERS[name](raw.strip(), scope)
            except (ValueError, OverflowError):
                errors[name] = [_("This value is not one of its choices.")]
    if errors:
        raise Invalid(_("These filters cannot be used."), errors=errors)
    filters = QueueFilters(**found)
    if filters.since and filters.until and filters.since > filters.until:
        raise Invalid(_("The first day must not be after the last."), field="since")
    if filters.order == DEADLINE and (filters.show == "all" or filters.state in ENDED):
        # Ended cases have no deadline to sort by.
        filters = replace(filters, order=NEWEST)
    return filters


def queue_page(
    *,
    user: User,
    scope: Scope,
    filters: QueueFilters,
    cursor: str | None = None,
    size: int = PAGE_SIZE,
) -> Page:
    """Return a page of the cases ``scope`` opens that match ``filters`` (1 query a branch).

    Rows are light incidents (queries.listing). Raises Invalid for a cursor that is not ours.
    """
    contradiction = filters.open_only and filters.state in ENDED
    if contradiction or (filters.text and not search_terms(filters.text)):
        return Page([], None, None)
    order = ORDERS[filters.order]
    spans = [
        branch.filter(in_days(filters)) for branch in _reach(Incident.objects.all(), scope, filters)
    ]
    wanted = matching(filters)
    branches = [light(span.filter(wanted)) for span in spans]
    # What is open has indexes in both orders where it is much: the worst guess walks only that.
    if filters.order == DEADLINE or not wanted or _is_open_county(scope, filters):
        return keyset_page(branches, order=order, cursor=cursor, size=size)
    # How many cases match cannot be foretold where filters depend on one another, and a wrong
    # guess walks the whole history. So short stretches are walked, and only when they hold too
    # few are all matches picked by the index of facets.
    # Open cases are few and words are costly to look at: their indexes are asked sooner.
    for length in STRETCHES[:1] if filters.open_only or filters.text else STRETCHES:
        stretch = _stretch(spans, cursor, length)
        near = [light(span.filter(looked_at(wanted), stretch)) for span in spans]
        page = keyset_page(near, order=order, cursor=cursor, size=size)
        if is_full(page, cursor):
            return page
    picked = [pk for span in spans for pk in _pick(span.filter(wanted), cursor, size + 1)]
    rows = light(Incident.objects.filter(pk__in=picked))
    return keyset_page(rows, order=order, cursor=cursor, size=size)


def _stretch(spans: list[IncidentQuerySet], cursor: str | None, length: int) -> Q:
    """Return the time in which no span holds more than ``length`` rows from the cursor on.

    One for all: a page must not show an old row of one span before a newer one of another.
    """
    newest_first, ends = True, []
    for span in spans:
        ahead = from_cursor(span, order=ORDERS[NEWEST], cursor=cursor)
        newest_first = str(ahead.query.order_by[0]).startswith("-")
        end = Subquery(ahead.values("reported_at")[length : length + 1])
        ends.append(Coalesce(end, Value(FIRST if newest_first else LAST)))
    if newest_first:
        return Q(reported_at__gte=Greatest(*ends) if len(ends) > 1 else ends[0])
    return Q(reported_at__lte=Least(*ends) if len(ends) > 1 else ends[0])


def _pick(rows: IncidentQuerySet, cursor: str | None, size: int) -> list[int]:
    """Return the ids of the first ``size`` rows from the cursor on, picked out of all matches.

    The fence (MATERIALIZED) keeps the planner from walking in order and hoping for an early end.
    """
    ahead = from_cursor(rows, order=ORDERS[NEWEST], cursor=cursor)
    down = "DESC" if str(ahead.query.order_by[0]).startswith("-") else "ASC"
    found, params = ahead.order_by().values("pk", "reported_at").query.sql_with_params()
    with planned_by_value(), connection.cursor() as database:
        database.execute(
            f"WITH found (id, reported_at) AS MATERIALIZED ({found}) SELECT id FROM found "  # noqa: S608
            f"ORDER BY reported_at {down}, id {down} LIMIT %s",
            [*params, size],
        )
        return [row[0] for row in database.fetchall()]


@planned_by_value()
def waiting_counts(scope: Scope) -> dict[str, int]:
    """Return how many open cases of the scope's areas wait, by key of WAITING, and ``open``.

    One query over open cases only; the answer may be five seconds old.
    """
    if not scope.areas:
        return dict.fromkeys([*WAITING, "open"], 0)
    reach = within(Scope(tuple(p for p in scope.postings if p.area_id)))
    key = "queue:waiting:" + "-".join(str(area.pk) for area in scope.areas)

    def read() -> dict[str, int]:
        counts = {name: Count("pk", filter=condition) for name, (_l, condition) in WAITING.items()}
        return Incident.objects.open().filter(reach).aggregate(open=Count("pk"), **counts)

    return kept(key, read, COUNTS_KEPT)


def within(scope: Scope, prefix: str = "") -> Q:
    """Return the scope as one condition on cases, or on rows that reach theirs by ``prefix``.

    For counting and maps; lists read :meth:`IncidentQuerySet.branches` instead.
    """
    reach = Q(pk__in=[])
    for area in scope.areas:
        reach |= Q(*lies_in(area, scope, prefix=prefix), _connector=Q.OR)
        if area.level != Level.COUNTY:
            reach |= Q(**{f"{prefix}owner_area_id": area.pk})
    if scope.department_ids:
        reach |= Q(**{f"{prefix}owner_department_id__in": scope.department_ids})
        called = Incident.objects.filter(
            whistles__parties__department_id__in=scope.department_ids
        ).values("pk")
        reach |= Q(**{f"{prefix}pk__in": called})
    return reach


def code_of(text: str, *, user: User, scope: Scope) -> str | None:
    """Return the tracking code when ``text`` is exactly that of a case in scope (≤ 1 query)."""
    code = text.strip().upper()
    if not (code.isascii() and code.isalnum() and 8 <= len(code) <= 16):
        return None
    rows = Incident.objects.visible_to(user, scope).filter(tracking_code=code)
    return rows.values_list("tracking_code", flat=True).first()


def _reach(rows: IncidentQuerySet, scope: Scope, filters: QueueFilters) -> list[IncidentQuerySet]:
    area = filters.area
    if area is None:
        return rows.branches(scope)
    branches = [rows] if scope.covers(area) else rows.branches(scope)
    conditions = lies_in(area, scope, key=_key)
    return [branch.filter(inside) for branch in branches for inside in conditions]


def _is_open_county(scope: Scope, filters: QueueFilters) -> bool:
    """Return whether open cases of whole counties are looked at, not by their words."""
    if not filters.open_only or filters.text:
        return False
    if filters.area is not None:
        return filters.area.level == Level.COUNTY
    countywide = all(area.level == Level.COUNTY for area in scope.areas)
    return countywide and not scope.department_ids


def matching(filters: QueueFilters) -> Q:
    """Return the filters as conditions on a case, without scope, area and days (≤ 1 query)."""
    equal = {
        "state": filters.state,
        "category_id": filters.category and _key(filters.category),
        "owner_department_id": filters.department and _key(filters.department),
        "tier": filters.tier,
        "source": filters.source,
        "urgency": None
        if filters.urgency is None
        else Cast(Value(filters.urgency), SmallIntegerField()),
    }
    wanted = Q(**{name: value for name, value in equal.items() if value not in ("", None)})
    if filters.open_only:
        # Said even where the state implies it: it is what opens the small indexes.
        wanted &= Q(ended_at__isnull=True)
    if filters.waiting:
        wanted &= WAITING[filters.waiting][1]
    if filters.major:
        wanted &= Q(category__in=_ids_of_major(filters.major))
    if filters.overdue:
        wanted &= OVERDUE
    if filters.text:
        wanted &= _about(filters.text)
    return wanted


def in_days(filters: QueueFilters) -> Q:
    """Return the days asked for as a condition on a case."""
    wanted = Q()
    if filters.since:
        wanted &= Q(reported_at__gte=_midnight(filters.since))
    if filters.until:
        wanted &= Q(reported_at__lt=_midnight(filters.until + timedelta(days=1)))
    return wanted


def _key(pk: int) -> Cast:
    """Return a key in the column's own type: the index of facets compares no others."""
    return Cast(Value(pk), BigIntegerField())


def _about(text: str) -> Q:
    terms = search_terms(text)
    if not terms:
        # A single character makes no word: nothing is found rather than everything.
        return Q(pk__in=[])
    return Q(bigrams__contains=terms)


def _ids_of_major(major: str) -> list[int]:
    return list(Category.objects.filter(major=major).order_by().values_list("pk", flat=True))


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))


def _one_of(choices: Collection[str]) -> Callable[[str, Scope], str]:
    def read(raw: str, _scope: Scope) -> str:
        if raw not in choices:
            raise ValueError(raw)
        return raw

    return read


def _name_of(kind: str) -> Callable[[str, Scope], Any]:
    def read(raw: str, _scope: Scope) -> Any:
        names = catalogue_names()[kind]
        value = raw if kind == "majors" else int(raw)
        if value not in names:
            raise ValueError(raw)
        return value

    return read


def _area(raw: str, scope: Scope) -> Area:
    area = Area.objects.filter(pk=int(raw)).defer(*SHAPES).first()
    levels = {Level.COUNTY, Level.TOWN, Level.VILLAGE, Level.GRID, Level.UNIT}
    if area is None or area.level not in levels:
        raise ValueError(raw)
    own_county = any(area.path.startswith(row.county.path) for row in scope.departments)
    if not (scope.covers(area) or own_county):
        raise ValueError(raw)
    return area


def _day(raw: str, _scope: Scope) -> date:
    day = parse_date(raw)
    if day is None or not 2000 <= day.year <= 2999:
        raise ValueError(raw)
    return day


def _text(raw: str, _scope: Scope) -> str:
    text = normalise(raw)
    if len(text) > TEXT_LIMIT or "\x00" in text:
        raise ValueError(raw)
    return text


def _urgency(raw: str, _scope: Scope) -> int:
    return Urgency(int(raw)).value


_READERS: dict[str, Callable[[str, Scope], Any]] = {
    "show": _one_of(("open", "all")),
    "order": _one_of(tuple(ORDERS)),
    "waiting": _one_of(tuple(WAITING)),
    "state": _one_of(State.values),
    "area": _area,
    "category": _name_of("categories"),
    "major": _name_of("majors"),
    "department": _name_of("departments"),
    "tier": _one_of([tier for tier in Tier.values if tier]),
    "source": _one_of(Source.values),
    "urgency": _urgency,
    "overdue": lambda raw, scope: _one_of(("1",))(raw, scope) == "1",
    "since": _day,
    "until": _day,
    "text": _text,
}
