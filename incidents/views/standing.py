"""Standing orders: the list, the editor, a dry run; and a call as whoever is called sees it.

What must not live here: calling, and writing an order (services/standing.py).
"""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from core.errors import GeshiError
from core.form_errors import put_errors
from grids.access import roles
from grids.models import Area, Role
from incidents.desks import RULE_KEEPERS
from incidents.forms.standing import OrderForm, TryForm
from incidents.models import EmergencyCall, EmergencyKind, Incident, StandingOrder
from incidents.queries import standing as queries
from incidents.queries import visible_incident
from incidents.services import standing
from incidents.views import shown
from incidents.views.case import PHONE_ROLES, STAFF, acting


@roles(*RULE_KEEPERS)
@never_cache
@require_safe
def standing_orders(request: HttpRequest) -> HttpResponse:
    """List the orders, those in force first; with a kind and a place, say who would be called."""
    today = timezone.localdate()
    orders = StandingOrder.objects.select_related("area").prefetch_related(
        "steps__department", "steps__user"
    )
    rows = [(_state(order, today), order) for order in orders]
    rows.sort(key=lambda row: ("now", "later", "over").index(row[0]))
    form = TryForm(request.GET if "place" in request.GET else None)
    context: dict[str, Any] = {"rows": rows, "form": form, "kinds": _missing(orders, today)}
    if form.is_bound and form.is_valid():
        context["tried"] = _tried(form.cleaned_data["kind"], form.areas[form.cleaned_data["place"]])
    return render(request, "incidents/standing_orders.html", context)


def _state(order: StandingOrder, today: Any) -> str:
    if order.valid_to is not None and order.valid_to <= today:
        return "over"
    return "now" if order.valid_from <= today else "later"


def _missing(orders: Any, today: Any) -> list[Any]:
    """Return the kinds for which no order of any area holds today, nor one for any other."""
    held = {order.kind for order in orders if _state(order, today) == "now"}
    if EmergencyKind.OTHER in held:
        return []
    return [label for value, label in EmergencyKind.choices if value not in held]


def _tried(kind: str, place: Area) -> dict[str, Any]:
    """Return what an emergency there would set going now, call by call."""
    areas = list(Area.objects.filter(path__in=place.lineage_paths).order_by("path"))
    order = queries.order_for(kind, areas, on=timezone.localdate())
    calls, after = [], 0
    for planned in queries.plan(order, areas) if order else []:
        row = EmergencyCall(
            role=planned.role,
            area=next((area for area in areas if area.pk == planned.area_id), None),
            department=planned.department,
            user=planned.user,
        )
        people = queries.holders(
            role=planned.role,
            area_id=planned.area_id,
            department_id=row.department_id,
            user_id=row.user_id,
        )
        needs_grid = planned.vacant and planned.role in {Role.GRID_WORKER, Role.GRID_CHIEF}
        calls.append(
            {
                "label": standing.call_label(row),
                "people": [str(person) for person in people],
                "after": after,
                "of_grid": needs_grid,
                "channels": shown.channel_labels(planned.channels),
            }
        )
        if people or needs_grid:
            after += planned.seconds
    return {"order": order, "calls": calls, "place": place}


@roles(*RULE_KEEPERS)
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def standing_order_new(request: HttpRequest) -> HttpResponse:
    """Write a new order."""
    return _edit(request, None)


@roles(*RULE_KEEPERS)
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def standing_order(request: HttpRequest, pk: int) -> HttpResponse:
    """Change an order; what it has begun goes on as it was."""
    return _edit(request, get_object_or_404(StandingOrder, pk=pk))


def _edit(request: HttpRequest, order: StandingOrder | None) -> HttpResponse:
    form = OrderForm(request.POST or None, order=order)
    status = 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            try:
                _save(request, form, order)
            except GeshiError as error:
                put_errors(form, error)
                status = error.status if error.status != 400 else 422
            else:
                messages.success(request, _("Saved. Emergencies from now on are called by it."))
                return redirect("standing_orders")
    context = {"form": form, "order": order}
    return render(request, "incidents/standing_order.html", context, status=status)


def _save(request: HttpRequest, form: OrderForm, order: StandingOrder | None) -> None:
    data = form.cleaned_data
    standing.put_order(
        order=order,
        kind=data["kind"],
        area=form.areas[data["area"]],
        valid_from=data["valid_from"],
        valid_to=data["valid_to"],
        steps=form.terms(),
        actor=request.user,
        seen=data["seen"],
    )


@roles(*STAFF)
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def emergency_call(request: HttpRequest, pk: int) -> HttpResponse:
    """Show a call to whoever is called, and take their "I have it"."""
    found = queries.find_call(pk)
    if found is None or found.called_at is None:
        raise Http404
    called = queries.is_called(found, request.user, request.scope)
    opens = found.incident.visible_by(request.user, request.scope)
    if not called and not opens:
        raise Http404
    error = None
    if request.method == "POST":
        try:
            standing.acknowledge(call_id=pk, actor=acting(request))
        except GeshiError as refused:
            error = refused
        else:
            return redirect("emergency_call", pk=pk)
    incident = found.incident
    rows = call_rows(incident, request)
    context = {
        "base": "base_phone.html" if request.scope.roles <= PHONE_ROLES else "base_desk.html",
        "call": found,
        "incident": incident,
        "place": shown.place(incident),
        "rows": rows,
        "may": any(row["pk"] == pk and row["may"] for row in rows),
        "case_url": reverse("incident", args=[incident.tracking_code]) if opens else "",
        "error": error,
    }
    return render(
        request, "incidents/emergency_call.html", context, status=error.status if error else 200
    )


@roles(*STAFF)
@never_cache
@require_safe
def incident_calls(request: HttpRequest, code: str) -> HttpResponse:
    """Return the calls of a case, asked for again while its page is open."""
    found = visible_incident(request.user, request.scope, code)
    context = {"incident": found, "calls": call_rows(found, request)}
    return render(request, "incidents/_calls.html", context)


def call_rows(incident: Incident, request: HttpRequest) -> list[dict[str, Any]]:
    """Return the calls of a case as rows: who, when, acknowledged or not."""
    calls = queries.calls_of(incident)
    return shown.calls(calls, incident, request.user, request.scope)
