"""Open cases that may be what somebody is writing about, shown before they send it.

The public is shown what everybody may know anyway: the item, the village or grid, the day, the
state; workers what they may open. What must not live here: which cases those are
(queries/twins.py) and merging (services/twins.py).
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from core import ratelimit
from core.errors import Invalid, TooMany
from grids.access import public, roles
from grids.models import Role
from grids.queries import names_of
from incidents.desks import WRITERS
from incidents.forms.public import ReportForm
from incidents.forms.twins import TwinsAsked, choice_of
from incidents.forms.worker import DeskReportForm, WorkerReportForm, own_areas
from incidents.models import FoundBy, Incident, State
from incidents.queries import choices
from incidents.queries.published import published_items
from incidents.queries.twins import Twin, matter_of_words, public_twins, twins_in_sight
from incidents.services import triage
from incidents.services.intake import Report, find_place
from incidents.views.case import PHONE_ROLES

REPORTERS = (*PHONE_ROLES, Role.VILLAGE_OFFICE, Role.TOWN_ADMIN)
# Shorter texts are like everything.
ENOUGH_WORDS = 4
# What a report of the staff cannot be made without; a wrong photo is no reason to hold twins back.
NEEDED = frozenset({"text", "area", "lat", "lon", "source", "name", "phone"})


@public
@never_cache
@require_POST
def report_twins(request: HttpRequest) -> HttpResponse:
    """Return up to three public open cases like the report being written, as choices."""
    form = ReportForm(request.POST)
    form.full_clean()
    shown = twins_for_public(request, form.cleaned_data)
    return _answer(request, {"twins": shown, "asked": bool(shown)})


@roles(*REPORTERS)
@never_cache
@require_POST
def worker_twins(request: HttpRequest) -> HttpResponse:
    """Return up to three open cases in the reader's sight like the report being written."""
    form = WorkerReportForm(request.POST, areas=own_areas(request.scope.areas))
    shown = twins_for_staff(request, form)
    return _answer(request, {"twins": shown, "asked": bool(shown)})


@roles(*WRITERS)
@never_cache
@require_POST
def desk_twins(request: HttpRequest) -> HttpResponse:
    """Return the same for a report that a desk writes down, with the place read from its words."""
    form = DeskReportForm(request.POST, areas=own_areas(request.scope.areas))
    shown = twins_for_staff(request, form)
    context = {"twins": shown, "asked": bool(shown), "read": place_read(form)}
    return render(request, "incidents/_desk_twins.html", context)


def _answer(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    return render(request, "incidents/public/_twins.html", context)


def twins_for_public(request: HttpRequest, data: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return public twins of a form's cleaned data (≤ 8 queries); [] past the limit.

    The limit is per address, and past it a report is sent as if there were none.
    """
    if len(data.get("text") or "") < ENOUGH_WORDS:
        return []
    try:
        ratelimit.check("twins", ratelimit.client_ip(request))
    except TooMany:
        return []
    items = published_items()
    sent = Report(
        text=data["text"],
        source="resident",
        latitude=data.get("lat"),
        longitude=data.get("lon"),
        coordinate_system=data.get("coordinate_system") or "wgs84",
        address=data.get("address") or "",
        area=data.get("grid"),
        category=data.get("category"),
    )
    asked = _matter(sent)
    return _choices(request, public_twins(asked, items=items) if asked else [], items)


def twins_for_staff(request: HttpRequest, form: WorkerReportForm) -> list[dict[str, Any]]:
    """Return twins the reader may open (≤ 8 queries); [] while the form is not whole."""
    if NEEDED & set(form.errors):
        return []
    if len(form.cleaned_data["text"]) < ENOUGH_WORDS:
        return []
    asked = _matter(form.report())
    found = twins_in_sight(asked, user=request.user, scope=request.scope) if asked else []
    items = {category.pk: category for category in choices.categories()}
    return _choices(request, found, items, whose=request.user.pk)


def place_read(form: DeskReportForm) -> dict[str, Any] | None:
    """Return the place the words of a desk's report name, and what stands if it is declined.

    None where they name none inside the area chosen (≤ 5 queries).
    """
    if not form.is_bound or NEEDED & set(form.errors):
        return None
    sent = form.report()
    try:
        place, _point = find_place(replace(sent, area_holds=False), sent.text)
    except Invalid:
        return None
    if place.found_by != FoundBy.ADDRESS or sent.area is None:
        return None
    line = [pk for pk in (place.town_id, place.village_id) if pk]
    names = names_of(line)
    return {
        "name": " · ".join(names[pk] for pk in line),
        "chosen": sent.area.name,
        "declined": sent.area_holds,
    }


def chosen_by_staff(request: HttpRequest, asked: TwinsAsked) -> int | None:
    """Return the case the reader says it is, if they may still open it (≤ 1 query)."""
    if asked.lead_id is None:
        return None
    rows = Incident.objects.visible_to(request.user, request.scope).filter(pk=asked.lead_id)
    return rows.values_list("pk", flat=True).first()


def _matter(sent: Report) -> Any:
    try:
        place, point = find_place(sent, sent.text)
    except Invalid:
        return None
    category = sent.category or triage.likely_category(sent.text)
    return matter_of_words(
        sent.text,
        address=sent.address,
        place=place,
        point=point,
        category_id=category.pk if category else None,
        now=timezone.now(),
    )


def _choices(
    request: HttpRequest, found: Iterable[Twin], items: Mapping[int, Any], *, whose: Any = ""
) -> list[dict[str, Any]]:
    before = TwinsAsked(request.POST, whose=whose).lead_id
    return [
        {
            "value": choice_of(twin.id, whose=whose),
            "checked": twin.id == before,
            "category": items[twin.category_id or 0].label if twin.category_id in items else "",
            "place": twin.place,
            "on": twin.reported_at,
            "state": twin.state,
            "state_label": State(twin.state).label,
            "head": twin.head,
        }
        for twin in found
    ]
