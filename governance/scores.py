"""Tables of scores: which measures stand beside one another, for the page, the sheet and the API.

What lives here: choosing rows and columns, periods by name, order. What must not: formulas
(incidents/scoring.py), reading (incidents/queries/scores.py) and how it looks.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.web import number_in
from grids.models import Area, Department, Level, Posting, User
from grids.queries import Scope
from incidents import scoring
from incidents.models import ScoreFormula
from incidents.queries import score_readers, scores
from incidents.queries.scores import ONE, Period
from incidents.scoring import Measure, Score, Scored, Sums, Value

AREAS, DEPARTMENTS, WHISTLE, PEOPLE = "areas", "departments", "whistle", "people"
TABS = {
    AREAS: gettext_lazy("Areas"),
    DEPARTMENTS: gettext_lazy("Departments"),
    WHISTLE: gettext_lazy("Whistles"),
    PEOPLE: gettext_lazy("Staff in score"),
}
CASES = (
    scoring.DUE,
    scoring.CLOSING,
    scoring.ON_TIME,
    scoring.REWORK,
    scoring.EXTENDED,
    scoring.REPEATED,
    scoring.RESPONSE,
    scoring.SOLVED,
    scoring.SATISFIED,
)
CALLS = (scoring.CAME, scoring.CAME_IN_TIME, scoring.COMING)
WHISTLES = (scoring.NEEDED,)
WORK = tuple(part.measure for part in scoring.WORKER.parts)
DISPATCHES = tuple(part.measure for part in scoring.DISPATCHER.parts)


@dataclass
class Row:
    """One line: whose it is, its values by key, its composite score and its trend.

    ``kind`` and ``pk`` name the owner in addresses; ``leads_to`` is the area whose parts can be
    looked at, or None. ``trend`` holds a value of ``Table.traced`` for each of twelve months.
    """

    kind: str
    pk: int
    name: str
    where: str = ""
    leads_to: int | None = None
    values: dict[str, Value] = field(default_factory=dict)
    score: Scored | None = None
    trend: list[float | None] = field(default_factory=list)


@dataclass
class Table:
    """Rows with the same measures; ``total`` is the line of the whole above them."""

    title: str
    measures: Sequence[Measure]
    rows: list[Row]
    score: Score | None = None
    total: Row | None = None
    traced: Measure | None = None

    def sort(self, by: str) -> None:
        """Order the rows by a column, "-" for the highest first; those without data come last."""
        key, down = by.removeprefix("-"), by.startswith("-")
        columns = [measure.key for measure in self.measures]
        if self.score is not None:
            columns.append(self.score.key)
        if key not in columns:
            return

        def order(row: Row) -> tuple[bool, float]:
            known = row.score.total if self.score and key == self.score.key and row.score else None
            if key in row.values:
                known = row.values[key].value
            return known is None, (-known if down else known) if known is not None else 0.0

        self.rows.sort(key=order)


@dataclass(frozen=True)
class Asked:
    """What somebody wants to see; ``area`` and ``department`` lie in the reader's scope."""

    tab: str
    period: Period
    area: Area | None = None
    department: Department | None = None


def tabs_of(scope: Scope) -> list[str]:
    """Return the tabs that hold something for the reader."""
    found = []
    if score_readers.areas_read(scope):
        found.append(AREAS)
    if score_readers.counties_read(scope) or scope.departments:
        found.append(DEPARTMENTS)
    found.append(WHISTLE)
    if score_readers.areas_read(scope):
        found.append(PEOPLE)
    return found


def asked(
    scope: Scope, period: Period, *, tab: str = "", area: str = "", department: str = ""
) -> Asked | None:
    """Return what an address asks for, None where it lies outside the scope (≤ 2 queries).

    The people of a department are seen by those who watch the county.
    """
    open_tabs = tabs_of(scope)
    tab = tab or open_tabs[0]
    if tab not in open_tabs:
        return None
    chosen_area, chosen_department = None, None
    if area:
        chosen_area = score_readers.area_read(scope, number_in(area))
        if chosen_area is None:
            return None
    if department:
        pk = number_in(department)
        watched = score_readers.counties_read(scope)
        rows = score_readers.departments_read(scope) if watched else []
        chosen_department = next((row for row in rows if row.pk == pk), None)
        if chosen_department is None:
            return None
    return Asked(tab, period, chosen_area, chosen_department)


def tables(asked: Asked, *, scope: Scope, formula: ScoreFormula) -> list[Table]:
    """Return the tables of a tab (≤ 8 queries, however many rows)."""
    make = {
        AREAS: _areas,
        DEPARTMENTS: _departments,
        WHISTLE: _whistles,
        PEOPLE: _people,
    }[asked.tab]
    return make(asked, scope, formula)


def _areas(asked: Asked, scope: Scope, formula: ScoreFormula) -> list[Table]:
    return [_area_table(asked, scope, formula, CASES, scoring.THREE_RATES, scoring.ON_TIME)]


def _area_table(
    asked: Asked,
    scope: Scope,
    formula: ScoreFormula,
    measures: Sequence[Measure],
    score: Score | None,
    traced: Measure | None,
) -> Table:
    held = [asked.area] if asked.area else score_readers.areas_read(scope)
    parts = score_readers.areas_below(held[0]) if len(held) == 1 else held
    sums = scores.of_areas(parts, asked.period) if parts else {}
    trends = scores.trend_of_areas(parts, asked.period.last) if traced and parts else {}
    rows = []
    for area in parts:
        row = Row("area", area.pk, area.name)
        if area.level in (Level.COUNTY, Level.TOWN, Level.VILLAGE):
            row.leads_to = area.pk
        rows.append(_filled(row, sums[area.pk], measures, score, formula))
        if traced:
            row.trend = _line(trends.get(area.pk, []), traced, formula)
    table = Table(_("By area"), measures, rows, score, traced=traced)
    if len(held) == 1:
        whole = scores.of_areas(held, asked.period)[held[0].pk]
        total = Row("area", held[0].pk, held[0].name)
        table.total = _filled(total, whole, measures, score, formula)
        if traced:
            months = scores.trend_of_areas(held, asked.period.last)[held[0].pk]
            table.total.trend = _line(months, traced, formula)
    return table


def _departments(asked: Asked, scope: Scope, formula: ScoreFormula) -> list[Table]:
    rows, traced = [], scoring.ON_TIME
    departments = score_readers.departments_read(scope)
    ids, counties = [d.pk for d in departments], list({d.county_id for d in departments})
    sums = scores.of_departments(counties, ids, asked.period)
    trends = scores.trend_of_departments(counties, ids, asked.period.last)
    for department in departments:
        row = Row("department", department.pk, department.label)
        _filled(row, sums[department.pk], CASES, scoring.THREE_RATES, formula)
        row.trend = _line(trends[department.pk], traced, formula)
        rows.append(row)
    title = _("By department")
    return [Table(title, CASES, rows, scoring.THREE_RATES, traced=traced)]


def _whistles(asked: Asked, scope: Scope, formula: ScoreFormula) -> list[Table]:
    found = []
    departments = score_readers.departments_read(scope)
    if departments:
        ids, counties = [d.pk for d in departments], list({d.county_id for d in departments})
        sums = scores.of_departments(counties, ids, asked.period)
        rows = [
            _filled(Row("department", d.pk, d.label), sums[d.pk], CALLS, None, formula)
            for d in departments
        ]
        found.append(Table(_("Departments called in"), CALLS, rows))
    if score_readers.areas_read(scope):
        table = _area_table(asked, scope, formula, WHISTLES, None, None)
        table.title = _("Where the whistle was blown")
        found.append(table)
    return found


def _people(asked: Asked, scope: Scope, formula: ScoreFormula) -> list[Table]:
    area = asked.area or next(iter(score_readers.areas_read(scope)), None)
    if asked.department is not None:
        people = score_readers.handlers_of(asked.department)
        return [_people_table(_("Handlers"), people, asked.period, formula, CASES[:6], None)]
    if area is None:
        return []
    if area.level == Level.COUNTY:
        return [_dispatchers(area, asked.period, formula)]
    people = score_readers.grid_people_at(scope, area)
    title = _("People on the grids")
    return [_people_table(title, people, asked.period, formula, WORK, scoring.WORKER)]


def _people_table(
    title: str,
    people: Sequence[Posting],
    period: Period,
    formula: ScoreFormula,
    measures: Sequence[Measure],
    score: Score | None,
) -> Table:
    sums = scores.of_people([posting.user_id for posting in people], period)
    rows = [
        _filled(
            Row(
                "person",
                posting.user_id,
                str(posting.user),
                where=f"{posting.get_role_display()} · {posting.place}",
            ),
            sums[posting.user_id],
            measures,
            score,
            formula,
        )
        for posting in people
    ]
    return Table(title, measures, rows, score)


def _dispatchers(county: Area, period: Period, formula: ScoreFormula) -> Table:
    sums = scores.of_dispatchers([county.pk], period)
    average = scoring.average_of(sums)
    names = User.objects.in_bulk(list(sums))
    rows = [
        _filled(
            Row("person", pk, str(names[pk])),
            own,
            DISPATCHES,
            scoring.DISPATCHER,
            formula,
            full_count=average,
        )
        for pk, own in sums.items()
        if pk in names
    ]
    rows.sort(key=lambda row: row.pk)
    return Table(_("Dispatchers"), DISPATCHES, rows, scoring.DISPATCHER)


def _filled(
    row: Row,
    sums: Sums,
    measures: Sequence[Measure],
    score: Score | None,
    formula: ScoreFormula,
    *,
    full_count: float | None = None,
) -> Row:
    row.values = {measure.key: scoring.value_of(measure, sums, formula) for measure in measures}
    if score is not None:
        row.score = scoring.score_of(score, sums, formula, full_count=full_count)
    return row


def _line(months: Sequence[Sums], measure: Measure, formula: ScoreFormula) -> list[float | None]:
    return [scoring.value_of(measure, sums, formula).value for sums in months]


@dataclass(frozen=True)
class Personal:
    """One person's period: scores that apply, work as a handler, months of the main score."""

    scores: list[tuple[Scored, dict[str, Value]]]
    handled: dict[str, Value]
    trend: list[float | None]


def of_person(person: User, period: Period, formula: ScoreFormula) -> Personal:
    """Return what one person's period came to (≤ 7 queries)."""
    sums = scores.of_people([person.pk], period)[person.pk]
    counties = scores.counties_of(person.pk, period)
    everybody = scores.of_dispatchers(counties, period) if counties else {}
    months = scores.trend_of_person(person.pk, period.last)
    posted = Posting.objects.current().filter(user=person, role__in=score_readers.ASSESSED)
    found = []
    works = posted.exists() or any(kind in ("report", "miss") for kind, _marks in sums.counts)
    for score in (scoring.WORKER, scoring.DISPATCHER):
        measures = [part.measure for part in score.parts]
        values = {m.key: scoring.value_of(m, sums, formula) for m in measures}
        applies = works if score is scoring.WORKER else values["dispatched"].whole
        if applies:
            scored = scoring.score_of(
                score, sums, formula, full_count=scoring.average_of(everybody)
            )
            found.append((scored, values))
    main = found[0][0].score if found else None
    trend = [scoring.score_of(main, one, formula).total for one in months] if main else []
    handled = {m.key: scoring.value_of(m, sums, formula) for m in CASES}
    return Personal(found, handled if handled["due"].whole else {}, trend)


# Periods by name.

_CODE = re.compile(r"(20\d\d)(?:-(0[1-9]|1[0-2])|Q([1-4]))?")


def period_of(code: str, *, today: date) -> Period | None:
    """Return the month "2026-11", quarter "2026Q4" or year "2026", up to yesterday; None: neither.

    Of a period not begun ``last`` lies before ``first``: it is empty.
    """
    found = _CODE.fullmatch(code)
    if found is None:
        return None
    year, month, quarter = int(found[1]), found[2], found[3]
    begin, length = (int(month), 1) if month else (int(quarter) * 3 - 2, 3) if quarter else (1, 12)
    n = year * 12 + begin - 1 + length
    first, after = date(year, begin, 1), date(n // 12, n % 12 + 1, 1)
    return clipped(first, after - ONE, today=today)


def clipped(first: date, last: date, *, today: date) -> Period:
    """Return the days that are over."""
    return Period(first, min(last, today - ONE))


def codes_around(today: date) -> Mapping[str, str]:
    """Return {label: code} of the periods people ask for most, as of yesterday."""
    day = today - ONE
    month_before = day.replace(day=1) - ONE
    quarter = (day.month + 2) // 3
    before = (day.year, quarter - 1) if quarter > 1 else (day.year - 1, 4)
    return {
        _("This month"): f"{day:%Y-%m}",
        _("Last month"): f"{month_before:%Y-%m}",
        _("This quarter"): f"{day.year}Q{quarter}",
        _("Last quarter"): f"{before[0]}Q{before[1]}",
        _("This year"): f"{day.year}",
        _("Last year"): f"{day.year - 1}",
    }
