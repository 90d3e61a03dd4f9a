"""How the AI did: sums by item and by version of the model, months of it, and the cases behind.

What must not live here: what is counted (incidents/scoring.py, services/scores.py). A month counts
by the day its reports came in; sums are kept ready, so any county's month is a few hundred rows.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

from django.db.models import QuerySet

from grids.models import Area, Level, Role
from grids.queries import Scope
from incidents.models import FactKind, ScoreFact, Subject
from incidents.queries.scores import (
    TREND_MONTHS,
    Period,
    kept_rows,
    months_before,
    next_month,
    with_marks,
)
from incidents.scoring import Measure, Sums

# Who reads how the AI did, and who of them may also open the cases.
READERS = frozenset({Role.COMMAND, Role.COUNTY_LEADER, Role.SYSTEM_ADMIN})
CASE_READERS = frozenset({Role.COMMAND, Role.COUNTY_LEADER})


def counties_of(scope: Scope, readers: Collection[str] = READERS) -> list[Area]:
    """Return the counties whose figures are open to ``scope`` (no query)."""
    areas = {p.area for p in scope.postings if p.area and p.role in readers}
    return sorted((a for a in areas if a.level == Level.COUNTY), key=lambda area: area.code)


def month_of(day: date) -> Period:
    """Return the whole month of ``day``."""
    first = day.replace(day=1)
    return Period(first, date.fromordinal(next_month(first).toordinal() - 1))


def by_item(counties: Collection[int], month: Period) -> dict[int, Sums]:
    """Return category id → sums of the month; 0 stands for none (1 query)."""
    return _by_subject(Subject.AI_ITEM, counties, month)


def by_model(counties: Collection[int], month: Period) -> dict[int, Sums]:
    """Return version of the model → sums of the month; 0 stands for no model (1 query)."""
    return _by_subject(Subject.AI_MODEL, counties, month)


def _by_subject(subject: Subject, counties: Collection[int], month: Period) -> dict[int, Sums]:
    found: dict[int, Sums] = {}
    rows = kept_rows(subject, counties, None, month, monthly=False)
    for pk, _month, kind, marks, n, _minutes in rows:
        found.setdefault(pk, Sums.empty()).counts[kind, marks] += n
    return found


def months_up_to(counties: Collection[int], last: Period) -> list[tuple[date, Sums]]:
    """Return (first day, sums) of the twelve months that end with ``last`` (1 query)."""
    firsts = [months_before(last.first, back) for back in reversed(range(TREND_MONTHS))]
    found = {first: Sums.empty() for first in firsts}
    rows = kept_rows(Subject.AI_MODEL, counties, None, Period(firsts[0], last.last), monthly=True)
    for _pk, month, kind, marks, n, _minutes in rows:
        found[month].counts[kind, marks] += n
    return list(found.items())


@dataclass(frozen=True)
class Part:
    """What part of the cases is meant: an item, a version of the model, or all of them."""

    item: int | None = None
    model: int | None = None


def facts_of(
    counties: Collection[int], part: Part, measure: Measure, of: str, month: Period
) -> list[QuerySet[ScoreFact]]:
    """Return the facts a number counts, one branch a county, for a keyset page in FACT_ORDER.

    Raises KeyError where the measure has no such part.
    """
    need = measure.need(of)
    if need is None:
        raise KeyError(of)
    branches = []
    for county in counties:
        rows = ScoreFact.objects.filter(county_id=county)
        if part.item is not None:
            rows = rows.filter(category_id=part.item)
        if part.model is not None:
            rows = rows.filter(model_version=part.model)
        branches.append(with_marks(rows, FactKind.AI, need, month))
    return branches
