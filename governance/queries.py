"""Reads for those who watch the whole: signs of life, the live feed, figures of the day.

What must not live here: anything that changes a row, and how it looks.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

import redis
from django.conf import settings
from django.db import DatabaseError, connection
from django.db.models import Count, Min
from django.db.models.functions import Left

from core.kept import kept, remembered
from core.models import Heartbeat, OutboxMessage, Timer
from core.queries import missing_calendar_years, seal_lag
from grids.models import Area, Level
from grids.queries import Scope, names_of
from incidents import scoring
from incidents.models import ENDED, Event, Incident, ScoreFormula, State
from incidents.queries import figures, scores
from incidents.queries.queue import catalogue_names, within
from incidents.queries.scores import Period
from mediation.queries import found_and_resolved

# Beat ticks every 5 s and a worker shows itself as often; four missed are one too many.
DEAD_AFTER = timedelta(seconds=20)
# A timer or message later than this is not waiting its turn, it is stuck.
STUCK_AFTER = timedelta(seconds=60)
# An entry of a long import is as old as the import when it first can be sealed.
UNSEALED_AFTER = timedelta(minutes=5)
WAITING = ["queued", "awaiting_retry"]
REDIS_TIMEOUT = 2
# A board shows no more of the past than this, and looks for it no further back than that.
FEED_LENGTH, FEED_REACH = 30, 5000
# Rates are of the last days, trends compare one week with the week before.
RATE_DAYS, WEEK = 30, 7
BOARD_KEPT = 10
RESULTS_KEPT = 60
# Towns and villages to choose from change by hand, seldom.
PLACES_KEPT = 60


@dataclass(frozen=True)
class Health:
    """What lives and how old the oldest work is; ages in seconds, None: nothing known or due."""

    database: bool
    redis: bool
    worker_age: float | None = None
    beat_age: float | None = None
    timer_lag: float | None = None
    outbox_age: float | None = None
    seal_lag: float | None = None

    @property
    def wrong(self) -> list[str]:
        """Names of what is not well, none when all is."""
        dead, stuck = DEAD_AFTER.total_seconds(), STUCK_AFTER.total_seconds()
        found = {
            "database": not self.database,
            "redis": not self.redis,
            "worker": self.worker_age is None or self.worker_age > dead,
            "beat": self.beat_age is None or self.beat_age > dead,
            "timers": (self.timer_lag or 0) > stuck,
            "outbox": (self.outbox_age or 0) > stuck,
            "audit": (self.seal_lag or 0) > UNSEALED_AFTER.total_seconds(),
        }
        return [name for name, bad in found.items() if bad]


def health(now: datetime) -> Health:
    """Ask the database (5 queries) and Redis how they are; neither being away raises."""
    answers = _redis_answers()
    try:
        beats = dict(Heartbeat.objects.values_list("name", "at"))
        due = Timer.objects.filter(fired_at__isnull=True).aggregate(oldest=Min("due_at"))["oldest"]
        # Letters may wait for a gateway that is down, which makes nothing here unwell.
        waits = OutboxMessage.objects.filter(state__in=WAITING, channel__isnull=True).aggregate(
            oldest=Min("next_attempt_at")
        )["oldest"]
        unsealed = seal_lag(now)
    except DatabaseError:
        return Health(database=False, redis=answers)
    return Health(
        database=True,
        redis=answers,
        worker_age=_age(beats.get("worker"), now),
        beat_age=_age(beats.get("beat"), now),
        timer_lag=_late(due, now),
        outbox_age=_late(waits, now),
        seal_lag=unsealed,
    )


def waiting_work(now: datetime) -> dict[str, int]:
    """Return how many rows wait in each queue of the database (5 queries over small indexes)."""
    messages = OutboxMessage.objects
    untried = Incident.objects.filter(state=State.REPORTED, triage_tried_at__isnull=True)
    return {
        "timers": Timer.objects.filter(fired_at__isnull=True, due_at__lte=now).count(),
        "outbox": messages.filter(state__in=WAITING, channel__isnull=True).count(),
        "letters": messages.filter(state__in=WAITING, channel__isnull=False).count(),
        "outbox_dead": messages.filter(state="dead").count(),
        "triage": untried.count(),
    }


def letter_ages(now: datetime) -> dict[int, float]:
    """Return {channel id: seconds its oldest letter is late}, of channels with any (1 query)."""
    due = OutboxMessage.objects.filter(
        state__in=WAITING, channel__isnull=False, next_attempt_at__lte=now
    )
    oldest = due.order_by().values_list("channel_id").annotate(oldest=Min("next_attempt_at"))
    return {channel_id: (now - at).total_seconds() for channel_id, at in oldest}


def dead_processes(now: datetime) -> list[str]:
    """Return which of worker and beat gave no sign of life lately (1 query)."""
    fresh = Heartbeat.objects.filter(at__gte=now - DEAD_AFTER).values_list("name", flat=True)
    alive = set(fresh)
    return [name for name in ("worker", "beat") if name not in alive]


def _redis_answers() -> bool:
    try:
        with redis.Redis.from_url(
            settings.REDIS_URL, socket_timeout=REDIS_TIMEOUT, socket_connect_timeout=REDIS_TIMEOUT
        ) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False


def _age(at: datetime | None, now: datetime) -> float | None:
    return None if at is None else max(0.0, round((now - at).total_seconds(), 1))


def _late(due: datetime | None, now: datetime) -> float | None:
    return None if due is None or due > now else round((now - due).total_seconds(), 1)


# The board of the command centre.


@dataclass(frozen=True)
class Today:
    """The figures on top of the board; rates are shares 0–1 or None where nothing was counted."""

    reported: int
    closed: int
    open: int
    overdue: int
    whistles: int
    reopened: int
    on_time: float | None
    satisfied: float | None


def today_figures(areas: Iterable[Area], day: date) -> Today:
    """Return the figures of ``day`` and the rates of the 30 days that end with it (≤ 4 queries).

    The rates may be ten seconds old, the figures of the day are not.
    """
    held = list(areas)
    now = figures.day_figures(held, day, day)
    month = kept(
        _board_key(f"month:{day}", held),
        lambda: figures.day_figures(held, day - timedelta(days=RATE_DAYS - 1), day),
        BOARD_KEPT,
    )
    states = figures.state_counts(held)
    overdue = figures.open_overdue(held)
    return Today(
        reported=now.get("reported", 0),
        closed=now.get("closed", 0),
        open=sum(n for state, n in states.items() if state not in ENDED),
        overdue=overdue,
        whistles=states[State.WHISTLED] + states[State.RULING],
        reopened=now.get("reopened", 0),
        on_time=figures.on_time_rate(month, overdue),
        satisfied=figures.satisfied_rate(month),
    )


@dataclass(frozen=True)
class Load:
    """What somebody has in hand now: open cases and those past a deadline."""

    pk: int
    name: str
    open: int
    overdue: int


def slow_departments(scope: Scope) -> list[Load]:
    """Return departments with open cases, most overdue first (≤ 3 queries, ≤ 10 s old)."""
    names = catalogue_names()["departments"]
    return _loads("owner_department_id", names, scope)


def slow_towns(scope: Scope) -> list[Load]:
    """Return towns with open cases, most overdue first (≤ 2 queries, ≤ 10 s old)."""
    return _loads("town_id", _town_names(scope), scope)


def _loads(key: str, names: dict[int, str], scope: Scope) -> list[Load]:
    def read() -> list[tuple[int, int, int]]:
        rows = Incident.objects.open().filter(within(scope)).exclude(state=State.SUSPENDED)
        counted = rows.order_by().values_list(key).annotate(Count("pk"), Count("overdue_at"))
        return list(counted)

    rows = kept(_board_key(key, scope.areas), read, BOARD_KEPT)
    loads = [Load(pk, names[pk], n, late) for pk, n, late in rows if pk in names]
    return sorted(loads, key=lambda load: (-load.overdue, -load.open, load.pk))


@dataclass(frozen=True)
class Trend:
    """Trouble of a town in the last seven days beside the seven before."""

    pk: int
    name: str
    this_week: int
    last_week: int

    @property
    def more(self) -> int:
        """By how much it grew."""
        return self.this_week - self.last_week


# What tells that a town gets worse: deadlines missed, work sent back, cases opened again.
TROUBLE = ("overdue", "rework", "reopened")


def worse_towns(scope: Scope, day: date) -> list[Trend]:
    """Return towns with more trouble in the week ending with ``day``, worst first.

    At most 3 queries, at most ten seconds old.
    """
    key = _board_key(f"worse:{day}", scope.areas)
    return kept(key, lambda: _worse_towns(scope, day), BOARD_KEPT)


def _worse_towns(scope: Scope, day: date) -> list[Trend]:
    before = day - timedelta(days=WEEK)
    first = day - timedelta(days=WEEK - 1)
    # Both weeks by today's map, so that a town that took another in is compared with both.
    last = figures.by_town(scope.areas, first, day, metrics=TROUBLE, map=figures.NEW)
    earlier = figures.by_town(
        scope.areas,
        before - timedelta(days=WEEK - 1),
        before,
        metrics=TROUBLE,
        map=figures.NEW,
    )
    trends = [
        Trend(pk, name, sum(last.get(pk, {}).values()), sum(earlier.get(pk, {}).values()))
        for pk, name in _town_names(scope).items()
    ]
    return sorted((t for t in trends if t.more > 0), key=lambda trend: (-trend.more, trend.pk))


@dataclass(frozen=True)
class TownRow:
    """What was counted in a town; ``satisfied`` is in percent, None without a rating."""

    name: str
    closed_on: date | None
    reported: int
    closed: int
    in_time: int
    overdue: int
    reopened: int
    satisfied: str | None


def town_rows(scope: Scope, first: date, last: date, *, map: str) -> list[TownRow]:
    """Return the towns of the scope with their counts by the old or the new map (2 queries).

    Towns that were merged are listed by the old map where anything was counted.
    """
    counted = figures.by_town(scope.areas, first, last, map=map)
    towns = Area.objects.inside(*scope.areas).filter(level=Level.TOWN).order_by("code")
    rows = []
    for pk, name, closed_on in towns.values_list("pk", "name", "closed_on"):
        counts = counted.get(pk, {})
        if closed_on and not counts:
            continue
        satisfied = figures.satisfied_rate(counts)
        rows.append(
            TownRow(
                name=name,
                closed_on=closed_on,
                reported=counts.get("reported", 0),
                closed=counts.get("closed", 0),
                in_time=counts.get("closed:in_time", 0),
                overdue=counts.get("overdue", 0),
                reopened=counts.get("reopened", 0),
                satisfied=None if satisfied is None else f"{satisfied * 100:.1f}",
            )
        )
    return rows


@dataclass(frozen=True)
class Results:
    """What a county publishes of a period; shares are 0–1 or None where nothing was counted."""

    due: int
    closed: int
    closed_share: float | None
    found: int
    resolved: int
    resolved_share: float | None


def published_results(areas: Sequence[Area], period: Period) -> Results:
    """Return cases closed and disputes resolved in ``areas``, of one level (≤ 3 queries).

    Disputes may be a minute old.
    """
    sums = scoring.add_up(scores.of_areas(areas, period).values())
    closing = scoring.value_of(scoring.CLOSING, sums, ScoreFormula())
    key = _board_key(f"disputes:{period.first}:{period.last}", areas)
    found, resolved = kept(
        key, lambda: found_and_resolved(areas, period.first, period.last), RESULTS_KEPT
    )
    return Results(
        due=closing.whole,
        closed=closing.parts[0][1],
        closed_share=closing.value,
        found=found,
        resolved=resolved,
        resolved_share=resolved / found if found else None,
    )


def _board_key(what: str, areas: Iterable[Area]) -> str:
    return f"board:{what}:" + "-".join(str(area.pk) for area in areas)


def _town_names(scope: Scope) -> dict[int, str]:
    rows = Area.objects.open().inside(*scope.areas).filter(level=Level.TOWN)
    return dict(rows.order_by().values_list("pk", "name"))


def last_event_id() -> int:
    """Return the newest row of any timeline: the board's version (1 query, index only)."""
    return Event.objects.order_by("-pk").values_list("pk", flat=True).first() or 0


def settled_event_id(*, newest: int, before: int) -> int:
    """Return up to which row all timelines are complete: ``newest``, else ``before`` (1 query).

    A row gets its number before its transaction commits, so it may appear below rows already
    shown. Whoever writes one holds the table's lock from before the number is given until the
    end: while nobody else holds it, nothing can appear below a ``newest`` read before.
    """
    with connection.cursor() as cursor:
        cursor.execute(_SOMEBODY_WRITES, [Event._meta.db_table])
        return before if cursor.fetchone()[0] else newest


_SOMEBODY_WRITES = """
    SELECT EXISTS (
        SELECT FROM pg_locks
         WHERE relation = %s::regclass AND mode = 'RowExclusiveLock'
           AND pid IS DISTINCT FROM pg_backend_pid()
           AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))
"""


def recent_events(scope: Scope, *, newest: int, after: int = 0) -> list[dict[str, Any]]:
    """Return what happened in scope after the row ``after``, newest first (2 queries).

    Rows: id, at, action, actor_kind, actor_place, to_state, code, head, place. At most 30, and
    none further back than 5,000 rows of the whole county before ``newest``.
    """
    rows = (
        Event.objects.filter(within(scope, "incident__"), pk__gt=max(after, newest - FEED_REACH))
        # A mere suggestion is no event for people who watch the whole.
        .exclude(action="suggest")
        .order_by("-pk")
        .annotate(head=Left("incident__text", 60))
        .values(
            "id", "at", "action", "actor_kind", "actor_place", "to_state", "from_state", "head",
            "incident__tracking_code", "incident__town_id", "incident__village_id",
        )[:FEED_LENGTH]
    )  # fmt: skip
    found: list[dict[str, Any]] = [{**row} for row in rows]
    names = names_of(row[f"incident__{level}_id"] for row in found for level in ("town", "village"))
    for row in found:
        row["code"] = row["incident__tracking_code"]
        lineage = (row["incident__town_id"], row["incident__village_id"])
        row["place"] = " · ".join(names[pk] for pk in lineage if pk)
    return found


@dataclass
class PlaceOptions:
    """The (id, name) pairs of one level, and the id of the one chosen or above it."""

    pairs: list[tuple[int, str]] = field(default_factory=list)
    chosen: int | None = None


def place_options(scope: Scope, chosen: Area | None) -> dict[str, PlaceOptions]:
    """Return {level: options} for choosing a place step by step (≤ 1 query, ≤ 1 minute old).

    Towns of the scope; villages of the town chosen; grids of the village chosen.
    """
    held = "-".join(str(area.pk) for area in scope.areas)
    key = f"places:{held}:{chosen.path if chosen else ''}"
    return remembered(key, lambda: _place_options(scope, chosen), PLACES_KEPT)


def _place_options(scope: Scope, chosen: Area | None) -> dict[str, PlaceOptions]:
    step = Area.steplen
    path = chosen.path if chosen else ""
    root = next((len(area.path) for area in scope.areas if area.level == Level.COUNTY), 0)
    rows = Area.objects.open().inside(*scope.areas)
    wanted = rows.filter(level=Level.TOWN)
    if root:
        town, village = path[: root + step], path[: root + 2 * step]
        if len(town) == root + step:
            wanted |= rows.filter(level=Level.VILLAGE, path__startswith=town)
        if len(village) == root + 2 * step:
            wanted |= rows.filter(level=Level.GRID, path__startswith=village)
    found: dict[str, PlaceOptions] = {
        Level.TOWN: PlaceOptions(),
        Level.VILLAGE: PlaceOptions(),
        Level.GRID: PlaceOptions(),
    }
    for pk, name, level, own in wanted.values_list("pk", "name", "level", "path"):
        found[level].pairs.append((pk, name))
        if path and path.startswith(own):
            found[level].chosen = pk
    return found


def house_warnings(now: datetime) -> tuple[list[int], list[str]]:
    """Return the calendar years missing and the processes dead (2 queries, ≤ 10 s old)."""
    return kept(
        "board:warnings", lambda: (missing_calendar_years(now), dead_processes(now)), BOARD_KEPT
    )
