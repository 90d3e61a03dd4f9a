"""Reading the figures: rolled-up counts by day and place, and the rates made of them.

What lives here: sums over figures and deltas not folded yet, always in one statement so that
a fold in between is seen whole or not at all; and each rate with its formula. What must not:
how figures come about (services/step.py, services/figures.py).

Figures are read by one of two maps. The old one is the map of the day something was counted: a
town that was merged since has its own past. The new one is today's: what was counted in a merged
town counts for the town that took it in, and the past of a village that moved goes with it.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, timedelta

from django.db import connection
from django.db.models import Q

from grids.models import Area, Level
from incidents.models import Incident, State
from incidents.models.figures import GAUGE_DAY

# The version that reports name, so that a figure can be explained later.
FORMULAS = "2026-1"
BASIC_WEIGHT = 0.9

OLD, NEW = "old", "new"

_SUM = """
    SELECT {keys}, sum(n)::bigint FROM (
        SELECT county_id, town_id, day, metric, n FROM incidents_figure WHERE {where}
        UNION ALL
        SELECT county_id, town_id, day, metric, n FROM incidents_figuredelta WHERE {where}
    ) AS figures GROUP BY {keys}
"""
# Mergers are few, and followed to the town that stands today.
_SUM_NEW = """
    WITH RECURSIVE went (old, new) AS (
        SELECT id, merged_into_id FROM grids_area
         WHERE level = 'town' AND merged_into_id IS NOT NULL
        UNION ALL
        SELECT went.old, area.merged_into_id FROM went JOIN grids_area area ON area.id = went.new
         WHERE area.merged_into_id IS NOT NULL
    ), heir AS (
        SELECT old, new FROM went JOIN grids_area area ON area.id = went.new
         WHERE area.merged_into_id IS NULL
    )
    SELECT {keys}, sum(n)::bigint FROM (
        SELECT county_id, coalesce(heir.new, town_id) AS town_id, day, metric, n FROM (
            SELECT county_id, town_id, day, metric, n FROM incidents_figure WHERE {where}
            UNION ALL
            SELECT county_id, town_id, day, metric, n FROM incidents_figuredelta WHERE {where}
            UNION ALL
            SELECT county_id, town_id, day, metric, n FROM incidents_figureshift WHERE {where}
        ) AS counted LEFT JOIN heir ON heir.old = town_id
    ) AS figures GROUP BY {keys}
"""


def day_figures(
    areas: Iterable[Area],
    first: date,
    last: date,
    *,
    metrics: Collection[str] | None = None,
    map: str = OLD,
) -> dict[str, int]:
    """Return metric → count over the days ``first`` to ``last``, both included (1 query).

    ``areas`` are counties or towns; other levels hold no figures and count nothing. A metric
    nothing was counted for is missing. ``map`` is OLD or NEW.
    """
    rows = _sums("metric", areas, first, last, metrics, map)
    return {metric: n for metric, n in rows if n}


def by_town(
    areas: Iterable[Area],
    first: date,
    last: date,
    *,
    metrics: Collection[str] | None = None,
    map: str = OLD,
) -> dict[int | None, dict[str, int]]:
    """Return town id → metric → count; None stands for cases without a town yet (1 query).

    By the old map towns that were merged since are there too, by the new one they are not.
    """
    towns: dict[int | None, dict[str, int]] = defaultdict(dict)
    for town_id, metric, n in _sums("town_id, metric", areas, first, last, metrics, map):
        if n:
            towns[town_id][metric] = n
    return dict(towns)


def series(
    metrics: Sequence[str], areas: Iterable[Area], first: date, last: date, *, map: str = OLD
) -> dict[str, list[int]]:
    """Return metric → one count per day from ``first`` to ``last``, zeros included (1 query)."""
    days = {first + timedelta(days=n): n for n in range((last - first).days + 1)}
    lines = {metric: [0] * len(days) for metric in metrics}
    for day, metric, n in _sums("day, metric", areas, first, last, metrics, map):
        lines[metric][days[day]] = n
    return lines


def state_counts(areas: Iterable[Area]) -> dict[str, int]:
    """Return how many cases stand in each state now; every state is there (1 query)."""
    found = day_figures(areas, GAUGE_DAY, GAUGE_DAY)
    return {state: found.get(f"state:{state}", 0) for state in State.values}


def open_overdue(areas: Iterable[Area]) -> int:
    """Return how many open cases are past a deadline; suspended ones do not count (1 query)."""
    reach = Q(pk__in=[])
    for area in areas:
        if area.level in {Level.COUNTY, Level.TOWN}:
            reach |= Q(**{f"{area.level}_id": area.pk})
    return (
        Incident.objects.overdue()
        .of_the_public()
        .filter(reach)
        .exclude(state=State.SUSPENDED)
        .count()
    )


def _sums(
    keys: str,
    areas: Iterable[Area],
    first: date,
    last: date,
    metrics: Collection[str] | None,
    map: str,
) -> list[tuple]:
    held, new = list(areas), map == NEW
    counties = [area.pk for area in held if area.level == Level.COUNTY]
    towns = [area.pk for area in held if area.level == Level.TOWN]
    if not counties and not towns:
        return []
    # The county is said of towns too: the index begins with it, and cannot serve an OR.
    where = "county_id = ANY(ARRAY(SELECT id FROM grids_area WHERE path = ANY(%(above)s)))"
    where += " AND day BETWEEN %(first)s AND %(last)s"
    where += " AND (county_id = ANY(%(counties)s) OR town_id = ANY(%(towns)s)"
    where += " OR town_id IN (SELECT old FROM heir WHERE new = ANY(%(towns)s)))" if new else ")"
    if metrics is not None:
        where += " AND metric = ANY(%(metrics)s)"
    with connection.cursor() as cursor:
        cursor.execute(
            # Only the constants above stand in the text; every value is a parameter.
            (_SUM_NEW if new else _SUM).format(keys=keys, where=where),
            {
                "above": sorted({path for area in held for path in area.lineage_paths}),
                "first": first,
                "last": last,
                "counties": counties,
                "towns": towns,
                "metrics": list(metrics or []),
            },
        )
        return cursor.fetchall()


# Rates. Each takes the counts of a period and returns a share 0–1, or None: no data.


def closure_rate(counts: Mapping[str, int], overdue_now: int) -> float | None:
    """结案率 = closed ÷ (closed + open and overdue now). Suspended cases are in neither."""
    closed = counts.get("closed", 0)
    return _share(closed, closed + overdue_now)


def on_time_rate(counts: Mapping[str, int], overdue_now: int) -> float | None:
    """按期结案率 = closed in time ÷ (closed + open and overdue now), without suspended cases."""
    return _share(counts.get("closed:in_time", 0), counts.get("closed", 0) + overdue_now)


def response_rate(counts: Mapping[str, int]) -> float | None:
    """响应率 = accepted in time ÷ accepted."""
    kept = counts.get("accept:in_time", 0)
    return _share(kept, kept + counts.get("accept:late", 0))


def solved_rate(counts: Mapping[str, int]) -> float | None:
    """解决率 = rated as solved ÷ valid call-backs. No answer is no call-back."""
    return _share(counts.get("rated:solved", 0), counts.get("rated", 0))


def satisfied_rate(counts: Mapping[str, int]) -> float | None:
    """满意率 = (satisfied + 0.9 × basically satisfied) ÷ valid call-backs."""
    good = counts.get("rated:satisfied", 0) + BASIC_WEIGHT * counts.get("rated:basic", 0)
    return _share(good, counts.get("rated", 0))


def three_rates_score(counts: Mapping[str, int]) -> float | None:
    """三率 = 0.1 response + 0.5 solved + 0.4 satisfied; None while any of them has no data."""
    response, solved, satisfied = (
        response_rate(counts),
        solved_rate(counts),
        satisfied_rate(counts),
    )
    if response is None or solved is None or satisfied is None:
        return None
    return 0.1 * response + 0.5 * solved + 0.4 * satisfied


def rework_rate(counts: Mapping[str, int]) -> float | None:
    """返工率 = sent back by verification ÷ all verifications."""
    back = counts.get("rework", 0)
    return _share(back, back + counts.get("verified", 0))


def reopened_rate(counts: Mapping[str, int]) -> float | None:
    """重新交办率 = opened again ÷ valid call-backs."""
    return _share(counts.get("reopened", 0), counts.get("rated", 0))


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole else None
