"""The page of one case, for all staff, and the steps taken from it.

What lives here: turning requests into one service call and back. What must not: who may do what
(workflow) and what a step means (services).
"""

import json
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import (
    require_GET,
    require_http_methods,
    require_safe,
)

from core import logging
from core.errors import CalendarMissing, GeshiError, Invalid
from core.htmx import render, wants_partial
from core.ratelimit import client_ip
from core.web import number_in, own_address
from core.working_calendar import WorkingCalendar
from grids.access import roles
from grids.backends import may_open_admin
from grids.models import Level, Role
from grids.models.posting import KEEPERS
from grids.services import reveal
from incidents.forms.actions import ACTION_FORMS, ActionForm, TriageForm, in_order, likely_count
from incidents.forms.errors import put_errors
from incidents.models import Category, Incident, Tier
from incidents.queries import choices, incident_for_page, visible_incident
from incidents.queries.desks import forget_counts
from incidents.queries.page import CasePage, case_page, open_party_actions
from incidents.services import routing
from incidents.services.step import check
from incidents.views import shown, times
from incidents.views.uploads import with_files
from incidents.workflow import (
    COMMANDS,
    TRANSITIONS,
    Actor,
    Right,
    action_label,
    available,
    refusal,
    rights,
)

STAFF = tuple(role for role in Role.values if role not in KEEPERS)
# People who only hold these work on a phone.
PHONE_ROLES = frozenset({Role.UNIT_HEAD, Role.GRID_WORKER, Role.GRID_CHIEF, Role.GRID_GUIDE})


@roles(*STAFF)
@never_cache
@require_safe
def incident(request: HttpRequest, code: str) -> HttpResponse:
    """Show a case: what it is, whose turn it is, what can be done, and all that happened."""
    return _respond(request, _whole(request, code))


@roles(*STAFF)
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def incident_do(request: HttpRequest, code: str, action: str) -> HttpResponse:
    """Show one step's form, or take the step: 409, 422 and 403 keep what was typed."""
    if action not in ACTION_FORMS:
        raise Http404
    if request.method != "POST":
        return _respond(request, _whole(request, code), opened=action)
    found, actor = _found(request, code), acting(request)
    act = ACTION_FORMS[action]
    data, refused = with_files(request)
    form = act.form(data, incident=found, actor=actor)
    try:
        if refused:
            raise Invalid(refused, field="photos")
        if not form.is_valid():
            check(found, actor, action)
            raise Invalid
        act.verb(incident_id=found.pk, actor=actor, **act.fixed, **form.arguments())
        forget_counts(actor.scope)
    except Invalid as error:
        put_errors(form, error)
        return _respond(request, _whole(request, code), opened=action, form=form, status=422)
    except GeshiError as error:
        if wants_partial(request) and error.status == 403:
            return JsonResponse({"error": str(error)}, status=403)
        found = _whole(request, code)
        return _respond(request, found, opened=action, form=form, error=error, status=error.status)
    return _done(request, found, action)


def _done(request: HttpRequest, found: Incident, action: str) -> HttpResponse:
    words = _("Done: %(what)s") % {"what": action_label(action)}
    there = reverse("incident", args=[found.tracking_code])
    if not wants_partial(request):
        # A desk that sent the step from its list is where the person wants to be again.
        return redirect(own_address(request.POST.get("next", "")) or there)
    response = _respond(request, _whole(request, found.tracking_code))
    told = {"toast": {"text": words, "level": "success"}, "geshi:changed": True}
    response.headers["HX-Trigger"] = json.dumps(told)
    if request.POST.get("shell") != "panel":
        response.headers["HX-Replace-Url"] = there
    return response


@roles(*STAFF)
@require_GET
def incident_places(request: HttpRequest, code: str) -> HttpResponse:
    """Return the three place selects for the town and village just chosen."""
    form = TriageForm(request.GET, incident=_found(request, code), actor=acting(request))
    return render(request, "incidents/forms/_places.html", {"form": form})


@roles(*STAFF)
@require_GET
def incident_preview(request: HttpRequest, code: str) -> HttpResponse:
    """Return what the routing rules would decide with the category and tier just chosen."""
    found, wanted = _found(request, code), request.GET.get("category", "")
    category = Category.objects.filter(pk=wanted if wanted.isdecimal() else 0).first()
    if category is None:
        return HttpResponse("")
    tier = request.GET.get("tier", "")
    found.category = category
    found.tier = tier if tier in Tier.values else category.tier
    whistle = found.tier == Tier.WHISTLE
    decision = None if whistle else routing.decide(found, record_errors=False)
    context = {"category": category, "decision": decision, "whistle": whistle}
    return render(request, "incidents/forms/_preview.html", context)


@roles(*STAFF)
@require_GET
def incident_near(request: HttpRequest, code: str) -> HttpResponse:
    """Return open cases this one may repeat, found by words or a code."""
    rows = choices.near_cases(
        _found(request, code), request.user, request.scope, query=request.GET.get("q", "")
    )
    return render(request, "incidents/forms/_near.html", {"near": rows})


@roles(*STAFF)
@require_GET
def incident_place(request: HttpRequest, code: str) -> JsonResponse:
    """Return the case's mark and the outline of its grid for the small map."""
    found = _found(request, code)
    areas = [area for area in (found.village, found.grid) if area is not None]
    features = [
        {
            "type": "Feature",
            "properties": {"id": area.pk, "name": area.name, "level": area.level},
            "geometry": json.loads((area.outline or area.boundary).json),
        }
        for area in areas
        if area.outline or area.boundary
    ]
    points = []
    if found.location:
        points = [
            {
                "id": found.pk,
                "lat": found.location.y,
                "lon": found.location.x,
                "overdue": found.overdue_at is not None,
                "label": found.summary,
            }
        ]
    return JsonResponse({"type": "FeatureCollection", "features": features, "points": points})


def acting(request: HttpRequest) -> Actor:
    """Return whoever makes the request, with today's scope and the address for the audit."""
    return Actor.for_user(request.user, scope=request.scope, ip=client_ip(request))


def _found(request: HttpRequest, code: str) -> Incident:
    found = visible_incident(request.user, request.scope, code)
    logging.case_code.set(found.tracking_code)
    return found


def _whole(request: HttpRequest, code: str) -> Incident:
    found = incident_for_page(request.user, request.scope, code)
    logging.case_code.set(found.tracking_code)
    return found


def _respond(
    request: HttpRequest,
    found: Incident,
    *,
    opened: str = "",
    form: ActionForm | None = None,
    error: GeshiError | None = None,
    status: int = 200,
) -> HttpResponse:
    page = case_page(found)
    actor = acting(request)
    panel = (request.POST.get("shell") or request.GET.get("shell")) == "panel"
    context = {
        **_next_step(request, page, actor, opened, form, error),
        "shell": "panel" if panel else "page",
    }
    if wants_partial(request) and request.method == "GET" and opened:
        return render(request, "incidents/_next.html", context)
    context |= _case_context(request, page, actor)
    if opened and context["form"] is None and error is None:
        status = 403 if refusal(actor, found, opened) else 409
    part = "incidents/_panel.html" if panel else "incidents/_case.html"
    return render(request, "incidents/case.html", context, partial=part, status=status)


def _next_step(
    request: HttpRequest,
    page: CasePage,
    actor: Actor,
    opened: str,
    form: ActionForm | None,
    error: GeshiError | None,
) -> dict[str, Any]:
    """Return the panel: the step whose form is open, its neighbours and the rest."""
    found = page.incident
    open_now = in_order(found, _sensible(page, actor))
    near = likely_count(found, open_now)
    chosen = opened or (open_now[0] if near else "")
    if form is None and chosen in open_now:
        first = _first_guess(page) | _taken(request)
        form = ACTION_FORMS[chosen].form(incident=found, actor=actor, initial=first)
    if form is not None and form.is_bound and chosen in open_now:
        # Whoever reads what happened meanwhile may send the same words again.
        data = form.data.copy()
        data["seen"] = str(found.version)
        form.data = data
    return {
        "incident": found,
        "waiting": shown.waiting_for(found),
        "action": chosen,
        "act": ACTION_FORMS.get(chosen),
        "action_label": action_label(chosen) if chosen else "",
        "form": form,
        "can_send": chosen in open_now,
        "error": error,
        "calendar_url": _calendar_url(request, error),
        "steps_shown": near > 1 or bool(near and chosen not in open_now[:near]),
        "is_likely": chosen in open_now[:near],
        "likely": [_choice(name) for name in open_now[:near]],
        "others": [_choice(name) for name in open_now[near:]],
        "upload_url": reverse("photos"),
        "reading": shown.reading(page) if chosen == "triage" else None,
    }


def _sensible(page: CasePage, actor: Actor) -> list[str]:
    """Return the lawful steps that have something to work on just now."""
    names = [line.action for line in available(actor, page.incident)]
    mine = open_party_actions(page.parties, actor.scope.department_ids)
    pointless = {name for name in names if name.startswith("party_")} - mine
    if page.extension_waits:
        pointless.add("request_extension")
    else:
        pointless |= {"approve_extension", "refuse_extension"}
    held = rights(actor, page.incident)
    owns = bool(held & {Right.OWNER, Right.PARTY})
    if not page.notice_waits(COMMANDS, commands=Right.COMMAND in held, owns=owns):
        pointless.add("reply_supervision")
    return [name for name in names if name not in pointless]


def _first_guess(page: CasePage) -> dict[str, Any]:
    suggestion = page.suggestion
    return {"category": suggestion.category_id} if suggestion else {}


def _taken(request: HttpRequest) -> dict[str, Any]:
    """Return the place a dispatcher took from what was read in the text, without scripts."""
    levels = (Level.TOWN, Level.VILLAGE, Level.GRID)
    return {level: number for level in levels if (number := number_in(request.GET.get(level)))}


def _choice(name: str) -> dict[str, Any]:
    act = ACTION_FORMS[name]
    label = TRANSITIONS[name].label
    return {"name": name, "label": label, "icon": act.icon, "danger": act.danger}


def _calendar_url(request: HttpRequest, error: GeshiError | None) -> str:
    if not isinstance(error, CalendarMissing):
        return ""
    may = may_open_admin(request.user, request.scope, "core.add_calendaryear")
    return reverse("admin:core_calendaryear_add") if may else ""


def _tasks(request: HttpRequest, page: CasePage) -> dict[str, Any]:
    """Return the tasks of a case, or of a task the case it belongs to, as far as one may open it.

    Whoever has a task reads the words and the place of the whole, which were masked when it came
    in; who reported it, its photos and its timeline only where that case opens for them.
    """
    found, now, whole = page.incident, timezone.now(), page.incident.parent
    context: dict[str, Any] = {"tasks": shown.tasks(page, request.user, request.scope, now)}
    context["tasks_done"] = sum(row["ended"] != "" for row in context["tasks"])
    if whole is not None:
        seen = whole.visible_by(request.user, request.scope)
        context["whole"], context["whole_due"] = whole, times.due(whole, now)
        context["whole_url"] = reverse("incident", args=[whole.tracking_code]) if seen else ""
    context["is_task"] = found.parent_id is not None
    return context


def _case_context(request: HttpRequest, page: CasePage, actor: Actor) -> dict[str, Any]:
    found, now = page.incident, timezone.now()
    calendar = WorkingCalendar.load()
    phone = request.scope.roles <= PHONE_ROLES
    first = page.events[0] if page.events else None
    return {
        "base": "base_phone.html" if phone else "base_desk.html",
        "page": page,
        "place": shown.place(found),
        "center": f"{found.location.y:.6f},{found.location.x:.6f}" if found.location else "",
        "reporter": shown.reporter(found),
        "contact": reveal.box(
            "incident", found.tracking_code, "reporter", found, user=actor.user, scope=actor.scope
        ),
        "clocks": [times.clock(row, calendar, now) for row in page.clocks],
        "due": times.due(found, now),
        "events": shown.timeline(page.events, found),
        "photos": [shown.photo(pk) for pk in first.photo_ids] if first else [],
        "suggestion": shown.suggestion(page),
        **_tasks(request, page),
        "calls": shown.calls(page.calls, found, request.user, request.scope),
        "exchange": shown.exchange(page),
    }
