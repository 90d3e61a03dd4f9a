"""How far visits cover an area, and the rules of how often: for villages, towns and the county.

What must not live here: single households (households.py) and the phone (visits.py).
"""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from core.csv_file import csv_file
from core.errors import Invalid
from core.form_errors import put_errors
from grids.access import roles
from grids.forms.households import PeriodForm, RuleForm
from grids.models import SHAPES, Area, Level
from grids.models.household import LEDGER_READERS
from grids.queries import households as ledger
from grids.queries import visits
from grids.services.household_sheet import record_export
from grids.services.visit_rules import RULE_MAKERS, add_rule
from grids.views.households import inside, read_filters


def _asked(request: HttpRequest) -> dict[str, Any]:
    """Return area, period and the rows of what the address asks for."""
    today = timezone.localdate()
    form = PeriodForm(request.GET)
    first, last = form.period(today)
    areas = ledger.posted_areas(request.scope, LEDGER_READERS)
    area = inside(request.GET["area"], areas) if request.GET.get("area") else None
    if area is None and len(areas) == 1:
        area = areas[0]
    if area is None or area.level == Level.UNIT:
        parts = [_whole(held, first, last, today) for held in areas]
        return {"area": None, "rows": parts, "first": first, "last": last, "areas": areas}
    rows = visits.coverage_below(area, first=first, last=last, today=today)
    return {
        "area": area,
        "rows": rows,
        "sum": visits.total(area, rows),
        "first": first,
        "last": last,
        "areas": areas,
    }


def _whole(area: Area, first: date, last: date, today: date) -> visits.Covered:
    parts = visits.coverage_below(area, first=first, last=last, today=today)
    return visits.total(area, parts)


@roles(*LEDGER_READERS)
@never_cache
@require_safe
def coverage(request: HttpRequest) -> HttpResponse:
    """Show for each area below how many of the due households were visited in the period."""
    context = _asked(request)
    area, areas = context["area"], context["areas"]
    above = []
    if area is not None:
        above = [
            one
            for one in Area.objects.filter(path__in=area.lineage_paths).defer(*SHAPES)
            if any(one.path.startswith(held.path) for held in areas)
        ]
    period = f"first={context['first']}&last={context['last']}"
    context |= {
        "above": above[:-1],
        "period": period,
        "last_level": area is not None and area.level == Level.GRID,
        "csv_url": f"{reverse('visits_coverage_file')}?{period}"
        + (f"&area={area.pk}" if area else ""),
        "may_rule": request.scope.has(*RULE_MAKERS),
    }
    return render(request, "grids/visits_coverage.html", context)


@roles(*LEDGER_READERS)
@never_cache
@require_safe
def coverage_file(request: HttpRequest) -> StreamingHttpResponse:
    """Hand out the same rows as CSV, defused."""
    asked = _asked(request)

    def rows() -> Iterator[Sequence[Any]]:
        yield [
            _("Code"),
            _("Area"),
            _("Households"),
            _("Due in the period"),
            _("Visited"),
            _("Coverage %"),
            _("Overdue now"),
        ]
        for row in asked["rows"]:
            rate = _("no data") if row.rate is None else row.rate
            yield [
                row.area.code, row.area.name, row.households, row.due, row.visited, rate,
                row.overdue,
            ]  # fmt: skip

    return csv_file(f"visits-{asked['first']}-{asked['last']}", rows())


@roles(*LEDGER_READERS)
@never_cache
@require_safe
def households_file(request: HttpRequest) -> StreamingHttpResponse:
    """Hand out the ledger's list as CSV, on record: places and dates, neither names nor phones."""
    today = timezone.localdate()
    areas = ledger.posted_areas(request.scope, LEDGER_READERS)
    found = ledger.narrowed(areas, read_filters(request, areas), today=today)
    record_export(households=found.count(), actor=request.user)

    def rows() -> Iterator[Sequence[Any]]:
        yield [
            _("Place"),
            _("Door or address"),
            _("Care tags"),
            _("Number of people"),
            _("Last visited on"),
            _("Visit due on"),
        ]
        for row in ledger.every_row(found, today=today):
            one = row.household
            due = "" if one.visit_every is None else one.next_due_on
            yield [
                row.place, one.address, "、".join(row.tags), one.people,
                one.last_visited_on or "", due,
            ]  # fmt: skip

    return csv_file(f"households-{today}", rows())


@roles(*RULE_MAKERS)
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def rules(request: HttpRequest) -> HttpResponse:
    """Show how often households are visited, and take a new rule for the reader's own area."""
    areas = ledger.posted_areas(request.scope, RULE_MAKERS)
    choices = list(
        Area.objects.open()
        .inside(*areas)
        .filter(level__in=[Level.COUNTY, Level.TOWN, Level.VILLAGE])
        .defer(*SHAPES)
        .order_by("path")
    )
    form = RuleForm(request.POST or None, areas=choices)
    status = 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            data = form.cleaned_data
            try:
                add_rule(
                    area=form.areas[data["area"]],
                    tag=data["tag"],
                    days=data["days"],
                    valid_from=data["valid_from"],
                    actor=request.user,
                )
            except Invalid as error:
                put_errors(form, error)
            else:
                messages.success(request, _("Saved. Due dates follow within minutes."))
                return redirect("visits_rules")
    context = {"form": form, "rules": visits.rules_of(areas), "today": timezone.localdate()}
    return render(request, "grids/visits_rules.html", context, status=status)
