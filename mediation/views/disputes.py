"""The list of disputes and the form of a new one."""

from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from core.errors import Invalid
from core.htmx import render
from core.ratelimit import client_ip
from grids.access import roles
from grids.models import Area
from mediation.forms import FilterForm, NewDisputeForm, place_choices
from mediation.models import LIST_ROLES, MEDIATING_STATES, Colour
from mediation.queries import figures, list_page, places_in, towns_in
from mediation.services.registering import register
from mediation.workflow import REGISTER_ROLES, Actor

PAGE_SIZE = 50


@roles(*LIST_ROLES)
@require_GET
def disputes(request: HttpRequest) -> HttpResponse:
    """Show figures, filters and one page of the disputes of one's places; no names, no facts."""
    form = FilterForm(request.GET)
    chosen = form.cleaned_data if form.is_valid() else {}
    page = list_page(
        user=request.user,
        scope=request.scope,
        cursor=request.GET.get("cursor") or None,
        size=PAGE_SIZE,
        **chosen,
    )
    filters = {name: value for name, value in chosen.items() if value}
    now = timezone.now()
    for row in page.items:
        row.mediating = row.state in MEDIATING_STATES
        row.overdue = row.mediating and row.due_at < now
    context = {
        "form": form,
        "page": page,
        "figures": figures(user=request.user, scope=request.scope, now=now),
        "filters": filters,
        "colours": Colour,
        "may_register": request.scope.has(*REGISTER_ROLES),
        "next_url": _address(filters, page.next),
        "previous_url": _address(filters, page.previous),
    }
    return render(request, "mediation/list.html", context)


@roles(*REGISTER_ROLES)
@require_http_methods(["GET", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    """Register a dispute. What was typed comes back with every refusal."""
    towns = towns_in(request.scope)
    town = _chosen_town(request.POST.get("town") or request.GET.get("town"), towns)
    places = places_in(request.scope, town=town)
    form = NewDisputeForm(
        request.POST or None,
        towns=towns,
        places=places,
        initial={"town": town.pk} if town else None,
    )
    if request.method == "POST" and form.is_valid():
        actor = Actor.for_user(request.user, scope=request.scope, ip=client_ip(request))
        try:
            dispute, is_new = register(form.new_dispute(), actor=actor)
        except Invalid as error:
            for name, problems in error.errors.items() or {"": [error.message]}.items():
                form.add_error(name if name in form.fields else None, list(problems))
        else:
            if is_new:
                messages.success(
                    request, _("Registered under %(number)s.") % {"number": dispute.number}
                )
            return redirect("dispute", number=dispute.number)
    status = 422 if form.errors else 200
    return render(request, "mediation/new.html", {"form": form}, status=status)


@roles(*REGISTER_ROLES)
@require_GET
def places(request: HttpRequest) -> HttpResponse:
    """Return the options of the place field for a town (htmx)."""
    town = _chosen_town(request.GET.get("town"), towns_in(request.scope))
    choices = place_choices(places_in(request.scope, town=town))
    return render(request, "mediation/_places.html", {"choices": choices})


def _chosen_town(value: str | None, towns: list[Area]) -> Area | None:
    if len(towns) == 1:
        return towns[0]
    return next((town for town in towns if str(town.pk) == value), None)


def _address(filters: dict[str, object], cursor: str | None) -> str:
    return "?" + urlencode({**filters, "cursor": cursor}) if cursor else ""
