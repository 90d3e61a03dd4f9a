"""Scores: of areas, departments and people over a period, each number down to its very cases.

What must not live here: what a score is (incidents/scoring.py), which measures stand in a table
(governance/scores.py) and whose scores somebody may read (incidents/queries/score_readers.py).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_date
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from core.errors import Invalid
from core.paging import keyset_page
from core.services import audit
from core.sheets.columns import for_reading
from core.sheets.writing import listing
from core.web import number_in, page_urls
from governance import scores as tables
from governance.queries import published_results
from grids.access import roles
from grids.models import FILE_ROLES, Role, User
from grids.models.posting import KEEPERS
from grids.phone import phone_tabs
from grids.queries import Scope
from grids.views.sheets import workbook
from incidents import scoring
from incidents.models import Incident, ScoreFact, ScoreFormula
from incidents.queries import score_readers, scores
from incidents.queries.listing import give_names, light
from incidents.queries.scores import Period
from incidents.views.rows import list_rows

READERS = (*sorted(score_readers.AREA_READERS), Role.DEPARTMENT_HANDLER)
STAFF = tuple(sorted(frozenset(Role.values) - KEEPERS))
PAGE_SIZE = 50
# A table is never longer than one town has people; so many of them stand on one page.
TABLE_ROWS = 60
# A picture of twelve months, in its own units.
_WIDE, _HIGH, _EDGE = 120, 28, 3


@dataclass
class Chosen:
    """The period somebody asked for: its code or days as typed, and what is wrong with them."""

    period: Period
    code: str
    first: str
    last: str
    problem: str = ""

    @property
    def query(self) -> dict[str, str]:
        """What an address needs to ask for the same days."""
        if self.code:
            return {"period": self.code}
        return {"first": self.first, "last": self.last}


@roles(*READERS)
@never_cache
@require_safe
def scores_page(request: HttpRequest) -> HttpResponse:
    """Show one tab: areas, departments, whistles or people; children of the area chosen."""
    scope: Scope = request.scope
    chosen = _chosen(request)
    formula = ScoreFormula.in_force(chosen.period.last)
    asked = _asked(request, chosen.period)
    shown = [] if chosen.problem else _tables(request, asked, formula)
    base = _base(asked, chosen)
    context = {
        "chosen": chosen,
        "formula": formula,
        "tables": [_drawn(table, n, base, request, chosen.period) for n, table in enumerate(shown)],
        "formulas": [_explained(table, formula) for table in shown],
        "tabs": [
            (tables.TABS[tab], f"?{urlencode(chosen.query | {'tab': tab})}", tab == asked.tab)
            for tab in tables.tabs_of(scope)
        ],
        "periods": _periods(base, chosen),
        "above": _above(asked, scope, base),
        "asked": asked,
        "hidden": [(name, value) for name, value in base.items() if name in _OWN],
        "results": None if chosen.problem else _results(asked, scope),
        "waiting": scores.waiting(),
    }
    status = 400 if chosen.problem else 200
    return render(request, "governance/scores.html", context, status=status)


_OWN = ("tab", "area", "department")


@roles(*READERS)
@never_cache
@require_safe
def scores_file(request: HttpRequest) -> HttpResponse:
    """Hand one table of the page out as a spreadsheet, on record."""
    chosen = _chosen(request)
    if chosen.problem:
        raise Invalid(chosen.problem)
    formula = ScoreFormula.in_force(chosen.period.last)
    shown = _tables(request, _asked(request, chosen.period), formula)
    n = number_in(request.GET.get("table"))
    if n >= len(shown):
        raise Http404
    table = shown[n]
    heads = [_("Scored"), _("Post")] + [str(m.label) for m in table.measures]
    heads += [str(table.score.label)] if table.score else []
    heads += [_("Period"), _("Formula")]
    days = f"{chosen.period.first} – {chosen.period.last}"
    lines = ([table.total] if table.total else []) + table.rows
    cells = [
        [
            row.name,
            row.where,
            *(_with_counts(row.values[m.key]) for m in table.measures),
            *([_total(row)] if table.score else []),
            days,
            formula.version,
        ]
        for row in lines
    ]
    columns = [for_reading(str(place), head, width=18) for place, head in enumerate(heads)]
    audit.record(
        actor=request.user,
        action="scores.exported",
        subject_type="scores",
        data={"table": n, "rows": len(cells), "days": days},
    )
    return workbook(listing(table.title, columns, cells), _("Scores") + f" {table.title}")


@roles(*STAFF)
@never_cache
@require_safe
def scores_cases(request: HttpRequest) -> HttpResponse:
    """Show the very cases a number counts, newest first; how many is what the number says."""
    chosen = _chosen(request)
    if chosen.problem:
        raise Invalid(chosen.problem)
    kind, _colon, pk = request.GET.get("whose", "").partition(":")
    found = score_readers.whose_read(request.user, request.scope, kind, number_in(pk))
    measure = scoring.MEASURES.get(request.GET.get("measure", ""))
    of = request.GET.get("of", "whole")
    if found is None or measure is None or measure.need(of) is None:
        raise Http404
    whose, name = found
    facts = scores.facts_of(whose, measure, of, chosen.period)
    page = keyset_page(
        facts, order=scores.FACT_ORDER, cursor=request.GET.get("cursor"), size=PAGE_SIZE
    )
    rows, hidden = cases_behind(request, page.items)
    part = next((part for part in measure.parts if part.key == of), None)
    context = {
        "chosen": chosen,
        "measure": measure,
        "part": part.label if part else None,
        "name": name,
        "rows": rows,
        "hidden": hidden,
        "first_page": not request.GET.get("cursor"),
        "back_url": _back(request, kind, pk, chosen),
        **page_urls(request, page),
    }
    return render(request, "governance/scores_cases.html", context | _frame(request))


@roles(*STAFF)
@never_cache
@require_safe
def scores_mine(request: HttpRequest) -> HttpResponse:
    """Show one's own period: on the phone of those who work on one, else on the desk."""
    return _personal(request, request.user, own=True)


@roles(*STAFF)
@never_cache
@require_safe
def scores_person(request: HttpRequest, pk: int) -> HttpResponse:
    """Show the period of somebody of one's own line."""
    person = score_readers.person_read(request.user, request.scope, pk)
    if person is None:
        raise Http404
    return _personal(request, person, own=person.pk == request.user.pk)


def _personal(request: HttpRequest, person: User, *, own: bool) -> HttpResponse:
    chosen = _chosen(request)
    formula = ScoreFormula.in_force(chosen.period.last)
    found = tables.of_person(person, chosen.period, formula)
    whose = f"person:{person.pk}"
    context = {
        "person": person,
        "own": own,
        "chosen": chosen,
        "formula": formula,
        "periods": _periods({}, chosen),
        "scores": [
            {
                "label": scored.score.label,
                "words": scored.score.words,
                "total": _points(scored.total),
                "parts": [
                    {
                        "cell": _cell(values[measure.key], whose, chosen.period),
                        "points": _points(points),
                        "weight": weight,
                    }
                    for measure, points, weight in scored.parts
                ],
            }
            for scored, values in found.scores
        ],
        "handled": [_cell(value, whose, chosen.period) for value in found.handled.values()],
        "trend": _picture(found.trend, top=100.0),
        "hidden": [],
    }
    status = 400 if chosen.problem else 200
    return render(
        request, "governance/scores_person.html", context | _frame(request), status=status
    )


def _frame(request: HttpRequest) -> dict[str, Any]:
    """Return which frame a page stands in: a phone's for those who only work on the grids."""
    if not request.scope.roles <= FILE_ROLES:
        return {"base": "base_desk.html"}
    tabs = phone_tabs("scores_mine", request.scope.roles)
    return {"base": "base_phone.html", "phone": True, "tabs": tabs}


# What was asked for.


def _chosen(request: HttpRequest) -> Chosen:
    today = timezone.localdate()
    this = next(iter(tables.codes_around(today).values()))
    given = request.GET
    first, last = given.get("first", "").strip(), given.get("last", "").strip()
    if given.get("period") or not (first or last):
        code = given.get("period", "").strip() or this
        period = tables.period_of(code, today=today)
        if period is not None:
            return Chosen(period, code, f"{period.first}", f"{period.last}")
        return _wrong(this, today, first, last, _("There is no such period."))
    days = _day(first), _day(last)
    if days[0] is None or days[1] is None:
        return _wrong(this, today, first, last, _("Give both days, as 2026-11-01."))
    if days[0] > days[1]:
        problem = _("The first day must not be after the last.")
        return _wrong(this, today, first, last, problem)
    return Chosen(tables.clipped(days[0], days[1], today=today), "", first, last)


def _wrong(code: str, today: date, first: str, last: str, problem: str) -> Chosen:
    period = tables.period_of(code, today=today)
    assert period is not None
    return Chosen(period, code, first[:20], last[:20], problem)


def _day(text: str) -> date | None:
    try:
        day = parse_date(text)
    except ValueError:
        return None
    return day if day is not None and 2000 <= day.year <= 2999 else None


def _asked(request: HttpRequest, period: Period) -> tables.Asked:
    """Return tab, area and department of the address. Raises Http404 outside the scope."""
    given = {name: request.GET.get(name, "") for name in _OWN}
    found = tables.asked(request.scope, period, **given)
    if found is None:
        raise Http404
    return found


def _tables(request: HttpRequest, asked: tables.Asked, formula: ScoreFormula) -> list[tables.Table]:
    found = tables.tables(asked, scope=request.scope, formula=formula)
    for table in found:
        table.sort(request.GET.get("sort", ""))
    return found


def _base(asked: tables.Asked, chosen: Chosen) -> dict[str, str]:
    base = chosen.query | {"tab": asked.tab}
    if asked.area:
        base["area"] = str(asked.area.pk)
    if asked.department:
        base["department"] = str(asked.department.pk)
    return base


def _periods(base: dict[str, str], chosen: Chosen) -> list[tuple[str, str, bool]]:
    kept = {name: value for name, value in base.items() if name in _OWN}
    return [
        (label, f"?{urlencode(kept | {'period': code})}", code == chosen.code)
        for label, code in tables.codes_around(timezone.localdate()).items()
    ]


def _results(asked: tables.Asked, scope: Scope) -> dict[str, Any] | None:
    """Return what is published of the areas shown, with shares in words."""
    if asked.tab != tables.AREAS:
        return None
    areas = [asked.area] if asked.area else score_readers.areas_read(scope)
    found = published_results(areas, asked.period)
    words = {"closed": found.closed_share, "resolved": found.resolved_share}
    said = {
        f"{name}_words": f"{scoring.percent(share)}%" if share is not None else _("no data")
        for name, share in words.items()
    }
    return vars(found) | said


def _above(asked: tables.Asked, scope: Scope, base: dict[str, str]) -> list[tuple[str, str]]:
    """Return the areas above the one shown that the reader may open, from the top."""
    if asked.area is None:
        return []
    held = score_readers.areas_read(scope)
    lineage = type(asked.area).objects.filter(path__in=asked.area.lineage_paths[:-1])
    return [
        (name, f"?{urlencode(base | {'area': str(pk)})}")
        for pk, name, path in lineage.order_by("path").values_list("pk", "name", "path")
        if any(path.startswith(top.path) for top in held)
    ]


def _back(request: HttpRequest, kind: str, pk: str, chosen: Chosen) -> str:
    if kind == "person":
        own = number_in(pk) == request.user.pk
        there = reverse("scores_mine") if own else reverse("scores_person", args=[number_in(pk)])
        return f"{there}?{urlencode(chosen.query)}"
    query = chosen.query | ({"area": pk} if kind == "area" else {"tab": tables.DEPARTMENTS})
    return f"{reverse('scores')}?{urlencode(query)}"


# How it is drawn.


def _drawn(
    table: tables.Table, n: int, base: dict[str, str], request: HttpRequest, period: Period
) -> dict[str, Any]:
    sort = request.GET.get("sort", "")
    heads = [(measure.key, measure.label, measure.low) for measure in table.measures]
    if table.score:
        heads.append((table.score.key, table.score.label, False))
    page = number_in(request.GET.get("page"))
    start = page * TABLE_ROWS
    lines = [_line(row, table, base, period) for row in table.rows[start : start + TABLE_ROWS]]
    here = base | ({"sort": sort} if sort else {})
    more = start + TABLE_ROWS < len(table.rows)
    return {
        "title": table.title,
        "heads": [_head(key, label, low, sort, base) for key, label, low in heads],
        "rows": lines,
        "next_url": f"?{urlencode(here | {'page': str(page + 1)})}" if more else "",
        "previous_url": f"?{urlencode(here | {'page': str(page - 1)})}" if page else "",
        "total": _line(table.total, table, base, period) if table.total else None,
        "traced": table.traced.label if table.traced else None,
        "people": any(row.kind == "person" for row in table.rows),
        "file_url": f"{reverse('scores_file')}?{urlencode(base | {'table': str(n)})}",
    }


def _head(key: str, label: Any, low: bool, sort: str, base: dict[str, str]) -> dict[str, Any]:
    # A first press puts on top what somebody should look at: the least, or the most of the bad.
    worst, best = (f"-{key}", key) if low else (key, f"-{key}")
    wanted = best if sort == worst else worst
    state = "" if sort.removeprefix("-") != key else "descending" if sort[0] == "-" else "ascending"
    return {"label": label, "url": f"?{urlencode(base | {'sort': wanted})}", "state": state}


def _line(
    row: tables.Row, table: tables.Table, base: dict[str, str], period: Period
) -> dict[str, Any]:
    whose = f"{row.kind}:{row.pk}"
    url = ""
    if row.leads_to:
        url = f"?{urlencode(base | {'area': str(row.leads_to)})}"
    elif row.kind == "person":
        days = {"first": f"{period.first}", "last": f"{period.last}"}
        url = f"{reverse('scores_person', args=[row.pk])}?{urlencode(days)}"
    return {
        "name": row.name,
        "where": row.where,
        "url": url,
        "cells": [_cell(row.values[measure.key], whose, period) for measure in table.measures],
        "score": _points(row.score.total) if row.score else None,
        "scored": row.score is not None,
        "trend": _picture(row.trend),
    }


def _cell(value: scoring.Value, whose: str, period: Period) -> dict[str, Any]:
    measure = value.measure
    asked = {"whose": whose, "measure": measure.key}
    asked |= {"first": f"{period.first}", "last": f"{period.last}"}
    address = f"{reverse('scores_cases')}?{urlencode(asked)}"
    return {
        "label": measure.label,
        "words": measure.words,
        "text": _text(value),
        "low": measure.low,
        "whole": value.whole,
        "whole_url": f"{address}&of=whole" if value.whole else "",
        "parts": [
            (part.label, n, f"{address}&of={part.key}" if n else "") for part, n in value.parts
        ],
        "count": measure.unit == "count",
    }


def _text(value: scoring.Value) -> str:
    """Return a value as people read it, "" for no data."""
    if value.value is None:
        return ""
    if value.measure.unit == "count":
        return str(value.whole)
    if value.measure.unit == "minutes":
        hours, minutes = divmod(round(value.value), 60)
        if hours:
            return _("%(h)s h %(m)s min") % {"h": hours, "m": minutes}
        return _("%(m)s min") % {"m": minutes}
    return f"{scoring.percent(value.value)}%"


def _with_counts(value: scoring.Value) -> str:
    """Return a value with what it is made of, for a sheet."""
    if value.value is None:
        return _("no data")
    if value.measure.unit != "share":
        return _text(value)
    parts = "+".join(str(n) for _part, n in value.parts)
    return f"{_text(value)} ({parts}/{value.whole})"


def _points(total: float | None) -> str:
    return "" if total is None else f"{total:.2f}"


def _total(row: tables.Row) -> str:
    return (_points(row.score.total) if row.score else "") or _("no data")


def _picture(line: Sequence[float | None], *, top: float = 1.0) -> dict[str, Any] | None:
    """Return the points of a small line of the months that have data, None without two."""
    known = [(n, value) for n, value in enumerate(line) if value is not None]
    if len(known) < 2:
        return None
    step = (_WIDE - 2 * _EDGE) / max(len(line) - 1, 1)
    low, high = min(value for _n, value in known), max(value for _n, value in known)
    # A twentieth of the scale at least, so that a hair's breadth does not look like a cliff.
    reach = max(high - low, top / 20)
    spots = [
        (
            round(_EDGE + n * step, 1),
            round(_HIGH - _EDGE - (value - low) / reach * (_HIGH - 2 * _EDGE), 1),
        )
        for n, value in known
    ]
    share = 100 if top == 1.0 else 1
    return {
        "points": " ".join(f"{x},{y}" for x, y in spots),
        "end": spots[-1],
        "wide": _WIDE,
        "high": _HIGH,
        "words": ", ".join(f"{value * share:.1f}" for _n, value in known),
    }


def _explained(table: tables.Table, formula: ScoreFormula) -> dict[str, Any]:
    """Return the formulas of a table in words, with the weights that hold."""
    rows = [
        (
            measure.label,
            measure.words,
            [(part.label, getattr(formula, part.weight)) for part in measure.parts if part.weight],
        )
        for measure in table.measures
    ]
    if table.score:
        weights = [(w.measure.label, getattr(formula, w.field)) for w in table.score.parts]
        rows.append((table.score.label, table.score.words, weights))
    return {"title": table.title, "rows": rows}


def cases_behind(request: HttpRequest, facts: Iterable[ScoreFact]) -> tuple[list[Any], int]:
    """Return the rows of the cases behind facts that the reader may open, and how many more."""
    facts = list(facts)
    ids = [fact.incident_id for fact in facts]
    seen = Incident.objects.visible_to(request.user, request.scope).filter(pk__in=ids)
    cases = {case.pk: case for case in light(seen)}
    give_names(list(cases.values()))
    found = [cases[pk] for pk in ids if pk in cases]
    return list_rows(found), len(ids) - len(found)
