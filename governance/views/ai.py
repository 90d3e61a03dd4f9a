"""How the AI did: month by month, by item with its switch, by version, down to the very cases.

What must not live here: what is counted (incidents/scoring.py) and the switch itself
(incidents/views/ai.py).
"""

import re
from collections.abc import Sequence
from datetime import date
from typing import Any
from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from core.paging import keyset_page
from core.web import number_in, page_urls
from governance.views.scores import cases_behind
from grids.access import roles
from incidents import scoring
from incidents.desks import RULE_KEEPERS
from incidents.models import AiMode, Category, ScoreFormula
from incidents.queries import ai_figures as read
from incidents.queries import scores
from incidents.queries.ai_figures import CASE_READERS, READERS
from incidents.queries.ai_switches import modes_on, shown_mode
from incidents.queries.listing import catalogue_names
from incidents.queries.scores import Period
from incidents.scoring import AI_MEASURES, Sums

PAGE_SIZE = 50
_MONTH = re.compile(r"(20\d\d)-(0[1-9]|1[0-2])")
# A picture of twelve months, in its own units.
_WIDE, _HIGH, _LEFT, _TOP, _FOOT = 720, 200, 40, 12, 24
_NO_WEIGHTS = ScoreFormula()
_LEVELS = {AiMode.ALONE: "done", AiMode.SUGGEST: "", AiMode.OFF: "warn"}


@roles(*sorted(READERS))
@never_cache
@require_safe
def ai(request: HttpRequest) -> HttpResponse:
    """Show a month and the twelve up to it (≤ 9 queries)."""
    counties = [county.pk for county in read.counties_of(request.scope)]
    month = _month(request)
    text = request.GET.get("q", "").strip()[:60]
    opens = bool(read.counties_of(request.scope, CASE_READERS))
    items, models = read.by_item(counties, month), read.by_model(counties, month)
    months = read.months_up_to(counties, month)
    context = {
        "month": month,
        "is_now": month.first == timezone.localdate().replace(day=1),
        "previous": f"{scores.months_before(month.first, 1):%Y-%m}",
        "next": f"{scores.next_month(month.first):%Y-%m}",
        "q": text,
        "heads": list(AI_MEASURES.values()),
        "totals": _cells(scoring.add_up(models.values()), month, {}, opens),
        "chart": _chart(months),
        "months": [
            {"first": first, "cells": _cells(sums, read.month_of(first), {}, opens)}
            for first, sums in reversed(months)
            if sums.counts
        ],
        "items": _items(items, month, text, opens),
        "models": [
            {"version": version, "cells": _cells(sums, month, {"model": version}, opens)}
            for version, sums in sorted(models.items(), reverse=True)
        ],
        "keeps": any(request.scope.has(role) for role in RULE_KEEPERS),
        "calls": opens and request.scope.has("command"),
        "waiting": scores.waiting(),
    }
    return render(request, "governance/ai.html", context)


@roles(*sorted(CASE_READERS))
@never_cache
@require_safe
def ai_cases(request: HttpRequest) -> HttpResponse:
    """Show the cases one number counts, newest first; how many is what the number says."""
    counties = [county.pk for county in read.counties_of(request.scope, CASE_READERS)]
    month, given = _month(request), request.GET
    measure, of = AI_MEASURES.get(given.get("measure", "")), given.get("of", "whole")
    if measure is None or measure.need(of) is None:
        raise Http404
    part = read.Part(
        item=number_in(given["item"]) if "item" in given else None,
        model=number_in(given["model"]) if "model" in given else None,
    )
    facts = read.facts_of(counties, part, measure, of, month)
    page = keyset_page(facts, order=scores.FACT_ORDER, cursor=given.get("cursor"), size=PAGE_SIZE)
    rows, hidden = cases_behind(request, page.items)
    context = {
        "month": month,
        "measure": measure,
        "part": next((one.label for one in measure.parts if one.key == of), None),
        "name": _name(part),
        "rows": rows,
        "hidden": hidden,
        **page_urls(request, page),
    }
    return render(request, "governance/ai_cases.html", context)


def _month(request: HttpRequest) -> Period:
    """Return the month asked for, this one unless the address names another."""
    found = _MONTH.fullmatch(request.GET.get("month", ""))
    day = date(int(found[1]), int(found[2]), 1) if found else timezone.localdate()
    return read.month_of(day)


def _name(part: read.Part) -> str:
    """Return what part of the cases is meant, "" for all."""
    if part.item is not None:
        return catalogue_names()["categories"].get(part.item, _("Without an item"))
    if part.model is not None:
        return _version(part.model)
    return ""


def _version(version: int) -> str:
    return f"v{version}" if version else _("Without a model")


def _items(sums: dict[int, Sums], month: Period, text: str, opens: bool) -> list[dict[str, Any]]:
    """Return a row for each item of the catalogue, by class, with its switch today (2 queries)."""
    modes = modes_on(timezone.localdate())
    found = []
    for category in Category.objects.order_by("major", "code"):
        own = sums.get(category.pk)
        if own is None and not category.active:
            continue
        if text and text not in f"{category.code} {category.name} {category.major}":
            continue
        mode = shown_mode(category, modes)
        found.append(
            {
                "category": category,
                "mode": mode.label,
                "level": _LEVELS[mode],
                "set": category.pk in modes,
                "cells": _cells(own or Sums.empty(), month, {"item": category.pk}, opens),
            }
        )
    if 0 in sums and not text:
        cells = _cells(sums[0], month, {"item": 0}, opens)
        found.append({"category": None, "cells": cells})
    return found


def _cells(sums: Sums, month: Period, part: dict[str, int], opens: bool) -> list[dict[str, Any]]:
    """Return what governance/_scores_cell.html takes, one for each measure."""
    found = []
    for measure in AI_MEASURES.values():
        value = scoring.value_of(measure, sums, _NO_WEIGHTS)
        asked = part | {"measure": measure.key, "month": f"{month.first:%Y-%m}"}
        address = f"{reverse('ai_cases')}?{urlencode(asked)}"
        found.append(
            {
                "label": measure.label,
                "words": measure.words,
                "text": f"{scoring.percent(value.value)}%" if value.value is not None else "",
                "whole": value.whole,
                "whole_url": f"{address}&of=whole" if opens and value.whole else "",
                "parts": [
                    (one.label, n, f"{address}&of={one.key}" if opens and n else "")
                    for one, n in value.parts
                ],
            }
        )
    return found


def _chart(months: Sequence[tuple[date, Sums]]) -> dict[str, Any] | None:
    """Return the picture of the twelve months, None where fewer than two have data."""
    step = (_WIDE - 2 * _LEFT) / (len(months) - 1)
    down = _HIGH - _TOP - _FOOT
    lines = []
    for n, measure in enumerate(AI_MEASURES.values(), 1):
        values = [scoring.value_of(measure, sums, _NO_WEIGHTS).value for _first, sums in months]
        spots = [
            (round(_LEFT + place * step, 1), round(_TOP + (1 - share) * down, 1), share)
            for place, share in enumerate(values)
            if share is not None
        ]
        if spots:
            lines.append(
                {
                    "n": n,
                    "label": measure.label,
                    "points": " ".join(f"{x},{y}" for x, y, _share in spots),
                    "spots": [(x, y, f"{scoring.percent(share)}%") for x, y, share in spots],
                }
            )
    if not any(len(line["spots"]) > 1 for line in lines):
        return None
    return {
        "wide": _WIDE,
        "high": _HIGH,
        "left": _LEFT,
        "right": _WIDE - _LEFT,
        "lines": lines,
        "heights": [(round(_TOP + (1 - n / 4) * down, 1), f"{25 * n}%") for n in range(5)],
        "feet": [
            (round(_LEFT + place * step, 1), _HIGH - 6, f"{first:%Y-%m}")
            for place, (first, _sums) in enumerate(months)
        ],
    }
