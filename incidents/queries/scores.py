"""Reading scores: whose, over which days, and the very facts behind each number.

What lives here: sums of areas, departments and people over a period, trends, and the facts of one
number. What must not: what a score is (incidents/scoring.py) and who may read whose
(queries/score_readers.py).

Counties, towns and departments are read from sums kept ready, a year as twelve months and single
days at its ends. Villages, grids and people are added up from their facts: there are never more
of those on one page than one town has.

A day counts once it is over, so a period never reaches beyond yesterday: what is due later today
is not held against anybody.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.db import connection
from django.db.models import F, Q, QuerySet

from grids.models import Area, Level, Posting, Role
from incidents.models import FactKind, ScoreFact, Subject
from incidents.scoring import MISSED, VALID, Measure, Need, Sums

ONE = timedelta(days=1)
TREND_MONTHS = 12


@dataclass(frozen=True)
class Period:
    """The days ``first`` to ``last``, both included; empty when ``last`` lies before."""

    first: date
    last: date

    @property
    def spans(self) -> list[tuple[bool, date, date]]:
        """Whole months and the days left over, as (whole month, from, to)."""
        begin = self.first if self.first.day == 1 else next_month(self.first)
        end = (self.last + ONE).replace(day=1)
        if begin >= end:
            return [(False, self.first, self.last)]
        found = [(True, begin, end - ONE)]
        if self.first < begin:
            found.append((False, self.first, begin - ONE))
        if self.last >= end:
            found.append((False, end, self.last))
        return found


def next_month(day: date) -> date:
    """Return the first day of the month after ``day``."""
    return (day.replace(day=28) + timedelta(days=4)).replace(day=1)


_SUMS = """
    SELECT s.subject_id, {month}, s.kind, s.marks, sum(s.n)::bigint, sum(s.minutes)::bigint
      FROM unnest(%(whole)s::boolean[], %(since)s::date[], %(until)s::date[])
           AS span (whole_month, since, until)
      JOIN incidents_scoresum s
        ON s.county_id = ANY(%(counties)s::bigint[]) AND s.subject = %(subject)s
       AND s.whole_month = span.whole_month AND s.day BETWEEN span.since AND span.until
     WHERE %(ids)s::bigint[] IS NULL OR s.subject_id = ANY(%(ids)s::bigint[])
     GROUP BY s.subject_id, {month}, s.kind, s.marks
"""
_MONTH = "date_trunc('month', s.day)::date"
_FROM_FACTS = """
    SELECT s.{column}, {month}, s.kind, s.marks, count(*), sum(s.minutes)::bigint
      FROM incidents_scorefact s
     WHERE s.{column} = ANY(%(ids)s::bigint[]) AND s.kind = ANY(%(kinds)s)
       AND s.day BETWEEN %(since)s AND %(until)s
     GROUP BY s.{column}, {month}, s.kind, s.marks
"""
_ALL_KINDS = [str(kind) for kind in FactKind]
_KEPT: dict[str, Subject] = {Level.COUNTY: Subject.COUNTY, Level.TOWN: Subject.TOWN}


def of_areas(areas: Collection[Area], period: Period) -> dict[int, Sums]:
    """Return the sums of each of ``areas``, which are of one level, by id (≤ 2 queries)."""
    return _without_months(_area_rows(areas, period, monthly=False), [a.pk for a in areas])


def trend_of_areas(areas: Collection[Area], last: date) -> dict[int, list[Sums]]:
    """Return the sums of the twelve months that end with ``last`` for each area (≤ 2 queries)."""
    period = Period(months_before(last, TREND_MONTHS - 1), last)
    rows = _area_rows(areas, period, monthly=True)
    return _by_month(rows, [area.pk for area in areas], last)


def _area_rows(areas: Collection[Area], period: Period, *, monthly: bool) -> list[tuple]:
    levels = {area.level for area in areas}
    if not levels or period.last < period.first:
        return []
    (level,) = levels
    ids = [area.pk for area in areas]
    if level in _KEPT:
        paths = {path for area in areas for path in area.lineage_paths}
        counties = Area.objects.filter(path__in=paths, level=Level.COUNTY)
        above = ids if level == Level.COUNTY else list(counties.values_list("pk", flat=True))
        return kept_rows(_KEPT[level], above, ids, period, monthly=monthly)
    return _fact_rows(f"{level}_id", ids, period, monthly=monthly)


def of_departments(
    county_ids: Collection[int], ids: Collection[int], period: Period
) -> dict[int, Sums]:
    """Return the sums of each of these departments of the counties by id (1 query)."""
    rows = kept_rows(Subject.DEPARTMENT, county_ids, ids, period, monthly=False)
    return _without_months(rows, ids)


def trend_of_departments(
    county_ids: Collection[int], ids: Collection[int], last: date
) -> dict[int, list[Sums]]:
    """Return the sums of the twelve months that end with ``last`` for each (1 query)."""
    period = Period(months_before(last, TREND_MONTHS - 1), last)
    rows = kept_rows(Subject.DEPARTMENT, county_ids, ids, period, monthly=True)
    return _by_month(rows, ids, last)


def of_dispatchers(county_ids: Collection[int], period: Period) -> dict[int, Sums]:
    """Return the sums of everybody who dispatched in these counties by user id (1 query)."""
    rows = kept_rows(Subject.DISPATCHER, county_ids, None, period, monthly=False)
    return _without_months(rows, ())


def of_people(ids: Collection[int], period: Period) -> dict[int, Sums]:
    """Return the sums of each person by id, wherever the cases lay (2 queries).

    A miss counts for every worker who was posted at its grid on the day it was reported.
    """
    kinds = [kind for kind in _ALL_KINDS if kind != FactKind.MISS]
    rows = _fact_rows("person_id", list(ids), period, monthly=False, kinds=kinds)
    rows += _missed_rows(list(ids), period, monthly=False)
    return _without_months(rows, ids)


def counties_of(person_id: int, period: Period) -> list[int]:
    """Return the counties somebody dispatched cases of (1 query)."""
    rows = ScoreFact.objects.filter(
        person_id=person_id,
        kind=str(FactKind.DISPATCH),
        day__range=(period.first, period.last),
    )
    return list(rows.order_by().values_list("county_id", flat=True).distinct())


def trend_of_person(person_id: int, last: date) -> list[Sums]:
    """Return one person's sums of the twelve months that end with ``last`` (2 queries)."""
    period = Period(months_before(last, TREND_MONTHS - 1), last)
    kinds = [kind for kind in _ALL_KINDS if kind != FactKind.MISS]
    rows = _fact_rows("person_id", [person_id], period, monthly=True, kinds=kinds)
    rows += _missed_rows([person_id], period, monthly=True)
    return _by_month(rows, [person_id], last)[person_id]


def kept_rows(
    subject: Subject,
    counties: Collection[int],
    ids: Collection[int] | None,
    period: Period,
    *,
    monthly: bool,
) -> list[tuple]:
    """Return (subject id, month or None, kind, marks, how many, minutes) of sums (1 query)."""
    if period.last < period.first:
        return []
    spans = period.spans
    values: dict[str, Any] = {
        "whole": [whole for whole, _since, _until in spans],
        "since": [since for _whole, since, _until in spans],
        "until": [until for _whole, _since, until in spans],
        "counties": list(counties),
        "subject": str(subject),
        "ids": None if ids is None else list(ids),
    }
    with connection.cursor() as cursor:
        cursor.execute(_SUMS.format(month=_MONTH if monthly else "NULL::date"), values)
        return cursor.fetchall()


def _fact_rows(
    column: str,
    ids: list[int],
    period: Period,
    *,
    monthly: bool,
    kinds: Collection[str] = tuple(_ALL_KINDS),
) -> list[tuple]:
    # Only a name of a column and a constant stand in the text; every value is a parameter.
    statement = _FROM_FACTS.format(column=column, month=_MONTH if monthly else "NULL::date")
    values: dict[str, Any] = {"ids": ids, "since": period.first, "until": period.last}
    values["kinds"] = list(kinds)
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall()


_POSTED_THERE = """
    SELECT p.user_id, {month}, s.kind, s.marks, count(DISTINCT s.id), 0
      FROM grids_posting p
      JOIN incidents_scorefact s
        ON s.grid_id = p.area_id AND s.kind = 'miss'
       AND s.day BETWEEN greatest(p.valid_from, %(since)s)
                     AND least(coalesce(p.valid_to - 1, %(until)s), %(until)s)
     WHERE p.user_id = ANY(%(ids)s::bigint[]) AND p.role = 'grid_worker'
     GROUP BY p.user_id, {month}, s.kind, s.marks
"""


def _missed_rows(ids: list[int], period: Period, *, monthly: bool) -> list[tuple]:
    values: dict[str, Any] = {"ids": ids, "since": period.first, "until": period.last}
    with connection.cursor() as cursor:
        cursor.execute(_POSTED_THERE.format(month=_MONTH if monthly else "NULL::date"), values)
        return cursor.fetchall()


def _without_months(rows: Iterable[tuple], ids: Collection[int]) -> dict[int, Sums]:
    found = {pk: Sums.empty() for pk in ids}
    for pk, _month, kind, marks, n, minutes in rows:
        sums = found.setdefault(pk, Sums.empty())
        sums.counts[kind, marks] += n
        sums.minutes[kind] += minutes
    return found


def _by_month(rows: Iterable[tuple], ids: Collection[int], last: date) -> dict[int, list[Sums]]:
    months = [months_before(last, back) for back in reversed(range(TREND_MONTHS))]
    place = {month: n for n, month in enumerate(months)}
    found = {pk: [Sums.empty() for _month in months] for pk in ids}
    for pk, month, kind, marks, n, minutes in rows:
        sums = found.setdefault(pk, [Sums.empty() for _month in months])[place[month]]
        sums.counts[kind, marks] += n
        sums.minutes[kind] += minutes
    return found


def months_before(day: date, months: int) -> date:
    """Return the first of the month so many months before that of ``day``."""
    n = day.year * 12 + day.month - 1 - months
    return date(n // 12, n % 12 + 1, 1)


# The facts behind one number.


@dataclass(frozen=True)
class Whose:
    """Whose number it is: an area, a department or a person, by id."""

    column: str
    pk: int

    @classmethod
    def area(cls, area: Area) -> "Whose":
        """Return the area as an owner of numbers."""
        return cls(f"{area.level}_id", area.pk)


FACT_ORDER = ("-day", "-id")


def facts_of(whose: Whose, measure: Measure, of: str, period: Period) -> list[QuerySet[ScoreFact]]:
    """Return the facts that ``of`` counts: "whole" or a part of the measure.

    As branches for a keyset page in FACT_ORDER; together as many as the number says. Raises
    KeyError where the measure has no such part.
    """
    need = measure.need(of)
    if need is None:
        raise KeyError(of)
    if measure is not MISSED:
        return [_facts(whose, measure.kind, need, period)]
    missed = _misses_of(whose, period)
    if of != "whole":
        return [missed]
    return [missed, _facts(whose, FactKind.REPORT, VALID.parts[0].need, period)]


def _facts(whose: Whose, kind: str, need: Need, period: Period) -> QuerySet[ScoreFact]:
    return with_marks(ScoreFact.objects.filter(**{whose.column: whose.pk}), kind, need, period)


def with_marks(
    rows: QuerySet[ScoreFact], kind: str, need: Need, period: Period
) -> QuerySet[ScoreFact]:
    """Return the facts among ``rows`` that are of ``kind`` and of the period and meet ``need``."""
    rows = rows.filter(kind=str(kind), day__range=(period.first, period.last))
    return rows.alias(
        has=F("marks").bitand(int(need.has)), bad=F("marks").bitand(int(need.lacks))
    ).filter(has=int(need.has), bad=0)


def _misses_of(whose: Whose, period: Period) -> QuerySet[ScoreFact]:
    if whose.column != "person_id":
        return _facts(whose, FactKind.MISS, Need(), period)
    there = Q(pk__in=[])
    for posting in Posting.objects.filter(user=whose.pk, role=Role.GRID_WORKER):
        since = max(posting.valid_from, period.first)
        until = min(posting.valid_to - ONE if posting.valid_to else period.last, period.last)
        there |= Q(grid_id=posting.area_id, day__range=(since, until))
    return ScoreFact.objects.filter(there, kind=str(FactKind.MISS))


def waiting() -> bool:
    """Return whether cases went on that are not in the sums yet (1 query)."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM incidents_casechange)")
        return bool(cursor.fetchone()[0])
