"""The ledger of hazards: list with pictures before and after, and as a workbook.

What must not live here: campaigns (inspections.py), and the page of the case a hazard is.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from core.htmx import render
from core.services import audit
from core.sheets.columns import Column, text
from core.sheets.reading import MAX_ROWS
from core.sheets.writing import listing
from core.web import number_in, page_urls
from grids.access import roles
from grids.models import Area, Level
from grids.views.sheets import workbook
from incidents.models import Hazard
from incidents.queries import inspections as reads
from incidents.views.case import acting
from incidents.views.shown import photo

READERS = sorted(reads.READERS)
SHOWN = {
    "": gettext_lazy("All hazards"),
    "at_once": gettext_lazy("Put right at once"),
    "dated": gettext_lazy("By a day"),
    "waiting": gettext_lazy("Still to be put right"),
    "overdue": gettext_lazy("Overdue"),
}
COLUMNS = [
    Column(key, heading, text(1000), width=width)
    for key, heading, width in (
        ("code", gettext_lazy("Tracking code"), 16),
        ("inspection", gettext_lazy("Inspection campaign"), 24),
        ("place", gettext_lazy("Place"), 24),
        ("address", gettext_lazy("Address"), 30),
        ("area", gettext_lazy("Area"), 24),
        ("item", gettext_lazy("Line of the checklist"), 24),
        ("text", gettext_lazy("Hazard"), 44),
        ("found", gettext_lazy("Found on"), 14),
        ("by", gettext_lazy("Inspector"), 12),
        ("way", gettext_lazy("How is it put right?"), 18),
        ("due", gettext_lazy("To be put right by"), 16),
        ("owner", gettext_lazy("Whose duty"), 18),
        ("state", gettext_lazy("State"), 12),
        ("answered", gettext_lazy("Put right on"), 14),
        ("photos", gettext_lazy("Photos before / after"), 16),
    )
]


@dataclass(frozen=True)
class Row:
    """One hazard as the ledger shows it: ``level`` is over, warn, done or calm."""

    hazard: Hazard
    before: list[dict[str, str]]
    after: list[dict[str, str]]
    level: str

    @property
    def said(self) -> str:
        """What the inspector wrote, without the names the title has already."""
        names = f"{self.hazard.place.name}：{self.hazard.item.text}"
        return self.hazard.incident.text.removeprefix(names).lstrip("。")


@roles(*READERS)
@never_cache
@require_safe
def hazards(request: HttpRequest) -> HttpResponse:
    """List the hazards the reader sees, newest first, 50 a page (≤ 8 queries, and the frame's)."""
    filters, now = read_filters(request), timezone.now()
    page = reads.ledger_page(
        user=request.user,
        scope=request.scope,
        filters=filters,
        now=now,
        cursor=request.GET.get("cursor"),
    )
    asked = request.GET.copy()
    asked.pop("cursor", None)
    tally = None
    if filters.inspection is not None:
        found = reads.tallies([filters.inspection], user=request.user, scope=request.scope, now=now)
        tally = found[filters.inspection.pk]
    plain = request.GET.copy()
    plain.pop("cursor", None)
    plain.pop("show", None)
    newest = reads.visible_inspections(request.scope).order_by("-starts_on", "-pk")[:60]
    context = {
        "rows": _rows(page.items, now),
        "filters": filters,
        "tally": tally,
        "shows": SHOWN.items(),
        "inspections": [("", _("All inspections")), *((row.pk, row.name) for row in newest)],
        "areas": [("", _("All my areas")), *_areas(request)],
        "asked": asked.urlencode(),
        "plain": plain.urlencode(),
    } | page_urls(request, page)
    return render(request, "incidents/hazards.html", context)


def read_filters(request: HttpRequest) -> reads.Filters:
    """Return what the address asks for; an inspection or area one does not see is 404."""
    asked = request.GET
    inspection = area = None
    if asked.get("inspection"):
        visible = reads.visible_inspections(request.scope)
        inspection = get_object_or_404(visible, pk=number_in(asked["inspection"]))
    if asked.get("area"):
        area = Area.objects.filter(
            pk=number_in(asked["area"]), level__in=[Level.TOWN, Level.VILLAGE, Level.GRID]
        ).first()
        if area is None or not request.scope.covers(area):
            raise Http404
    show = asked.get("show", "")
    return reads.Filters(inspection, area, show if show in SHOWN else "")


def _areas(request: HttpRequest) -> list[tuple[int, str]]:
    """Return the areas right below the reader's own, to choose from (1 query)."""
    held = request.scope.areas
    below = {Level.COUNTY: Level.TOWN, Level.TOWN: Level.VILLAGE, Level.VILLAGE: Level.GRID}
    levels = {below[Level(area.level)] for area in held if area.level in below}
    rows = Area.objects.open().inside(*held).filter(level__in=levels) if levels else []
    return [(area.pk, area.name) for area in rows]


def _rows(found: Iterable[Hazard], now: Any) -> list[Row]:
    hazards = list(found)
    pictures = reads.pictures_of(hazards)
    return [
        Row(
            hazard,
            [photo(pk) for pk in pictures[hazard.incident_id].before],
            [photo(pk) for pk in pictures[hazard.incident_id].after],
            _level(hazard, now),
        )
        for hazard in hazards
    ]


def _level(hazard: Hazard, now: Any) -> str:
    if hazard.incident.state in reads.ANSWERED:
        return "done"
    if hazard.due_at is not None and hazard.due_at < now:
        return "over"
    return "warn" if hazard.due_at is not None else "calm"


@roles(*READERS)
@never_cache
@require_safe
def hazards_workbook(request: HttpRequest) -> HttpResponse:
    """Hand out what the ledger shows as a workbook; too many rows are asked to be narrowed."""
    filters, now = read_filters(request), timezone.now()
    rows = reads.ledger(user=request.user, scope=request.scope, filters=filters, now=now)
    found = list(reads.with_cases(rows).order_by("-id")[: MAX_ROWS + 1])
    if len(found) > MAX_ROWS:
        told = _("A sheet holds %(most)s rows. Choose an inspection or an area.")
        messages.error(request, told % {"most": f"{MAX_ROWS:,}"})
        return redirect(f"{reverse('hazards')}?{request.GET.urlencode()}")
    actor = acting(request)
    audit.record(
        actor=request.user,
        action="inspection.exported",
        subject_type="inspection",
        subject_id=filters.inspection.pk if filters.inspection else None,
        data={"n": len(found)},
        ip=actor.ip,
    )
    title = _("Ledger of hazards")
    return workbook(listing(title, COLUMNS, _cells(found)), title)


def _cells(hazards: list[Hazard]) -> Iterator[list[str]]:
    pictures = reads.pictures_of(hazards)
    for hazard in hazards:
        case, place = hazard.incident, hazard.place
        answered = case.responded_at if case.state in reads.ANSWERED else None
        photos = pictures[case.pk]
        yield [
            case.tracking_code,
            hazard.inspection.name,
            place.name,
            place.address,
            " · ".join(area.name for area in (case.town, case.village) if area),
            hazard.item.text,
            case.text,
            _day(hazard.found_at),
            str(hazard.found_by),
            _("Put right on the spot") if hazard.on_spot else _("To be put right by a day"),
            _day(hazard.due_at),
            str(case.owner or ""),
            case.get_state_display(),
            _day(answered),
            f"{len(photos.before)} / {len(photos.after)}",
        ]


def _day(moment: Any) -> str:
    return timezone.localtime(moment).strftime("%Y-%m-%d") if moment else ""
