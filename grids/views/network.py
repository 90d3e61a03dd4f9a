"""Alliance grids, themes, and the people who answer for a theme in a grid.

What must not live here: rules (services/network.py) and the tree (views/territory.py).
"""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from core.errors import Conflict, GeshiError, NotAllowed
from core.form_errors import put_errors
from grids.access import roles
from grids.forms import territory as forms
from grids.models import AllianceGrid, Area, GridTheme, ThemeDuty, User
from grids.queries import network as read
from grids.queries.reach import TERRITORY_ROLES, Reach
from grids.queries.tree import LOOKERS, persons_near, seen_areas
from grids.services import network as service
from grids.services.network import THEME_ROLES
from grids.views.territory import kept_area


@roles(*LOOKERS)
@never_cache
@require_safe
def alliances(request: HttpRequest) -> HttpResponse:
    """List the alliances with a village in sight."""
    scope = request.scope  # type: ignore[attr-defined]
    reach = Reach.of(scope)
    rows = read.alliances_listed(scope)
    for one in rows:
        members = list(one.members.all())
        one.villages_said = "、".join(_named(member.village, one) for member in members)
        one.kept = not one.ended and all(reach.covers(member.village) for member in members)
    keeps = scope.has(*TERRITORY_ROLES)
    context = {"tab": "alliances", "rows": rows, "keeps": keeps, "only_looks": not keeps}
    return render(request, "grids/alliances.html", context)


def _named(village: Area, alliance: AllianceGrid) -> str:
    leads = village.pk == alliance.lead_id
    return _("%(name)s (in the lead)") % {"name": village.name} if leads else village.name


@roles(*TERRITORY_ROLES)
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def alliance_new(request: HttpRequest) -> HttpResponse:
    """Found an alliance."""
    form = forms.AllianceForm(request.POST or None, villages=_villages(request))
    if form.is_valid():
        try:
            service.found_alliance(fields=form.alliance(), actor=request.user)
        except GeshiError as error:
            put_errors(form, error)
        else:
            messages.success(request, _("The alliance was founded."))
            return redirect("alliances")
    return _alliance_page(request, form, None)


@roles(*TERRITORY_ROLES)
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def alliance(request: HttpRequest, pk: int) -> HttpResponse:
    """Change an alliance, or (``do=end``) end it."""
    found = _alliance(request, pk)
    given = {
        "name": found.name,
        "purpose": found.purpose,
        "villages": [member.village_id for member in found.members.all()],
        "lead": found.lead_id,
        "valid_from": found.valid_from,
        "seen": found.version,
    }
    ends = request.POST.get("do") == "end"
    form = forms.AllianceForm(request.POST or None, initial=given, villages=_villages(request))
    if request.method == "POST" and (ends or form.is_valid()):
        seen = request.POST.get("seen", "")
        who: dict[str, Any] = {"alliance_id": pk, "actor": request.user}
        who["seen"] = int(seen) if seen.isascii() and seen.isdigit() else None
        try:
            if ends:
                service.end_alliance(**who)
            else:
                service.change_alliance(fields=form.alliance(), **who)
        except GeshiError as error:
            put_errors(form, error)
            status = 409 if isinstance(error, Conflict) else 422
            return _alliance_page(request, form, found, status=status)
        messages.success(request, _("The alliance has ended.") if ends else _("Saved."))
        return redirect("alliances")
    return _alliance_page(request, form, found)


def _alliance(request: HttpRequest, pk: int) -> AllianceGrid:
    scope = request.scope  # type: ignore[attr-defined]
    found = read.alliances_in_sight(scope).filter(pk=pk).first()
    if found is None:
        raise Http404
    reach = Reach.of(scope)
    if not all(reach.covers(village) for village in found.villages.only("path")):
        raise NotAllowed(_("A village of this alliance is not in the part you look after."))
    return found


def _villages(request: HttpRequest) -> list[tuple[int, str]]:
    held = Reach.of(request.scope).areas  # type: ignore[attr-defined]
    return read.villages_to_ally(Area.objects.inside(*held))


def _alliance_page(
    request: HttpRequest, form: Any, found: AllianceGrid | None, *, status: int = 0
) -> HttpResponse:
    context = {
        "form": form,
        "alliance": found,
        "title": found.name if found else _("New alliance grid"),
        "back": reverse("alliances"),
    }
    status = status or (422 if form.is_bound and form.errors else 200)
    return render(request, "grids/alliance.html", context, status=status)


@roles(*LOOKERS)
@never_cache
@require_safe
def themes(request: HttpRequest) -> HttpResponse:
    """List the themes and how far each has been merged into the reader's grids."""
    scope = request.scope  # type: ignore[attr-defined]
    context = {
        "tab": "themes",
        "rows": read.themes_listed(seen_areas(scope)),
        "edits": scope.has(*THEME_ROLES),
        "only_looks": not scope.has(*TERRITORY_ROLES),
    }
    return render(request, "grids/themes.html", context)


@roles(*THEME_ROLES)
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def theme(request: HttpRequest, pk: int | None = None) -> HttpResponse:
    """Add a theme to the county's list, or change one."""
    found = GridTheme.objects.filter(pk=pk).first() if pk else None
    if pk and found is None:
        raise Http404
    form = forms.ThemeForm(request.POST or None, instance=found)
    if form.is_valid():
        try:
            service.put_theme(theme_id=pk, actor=request.user, **form.cleaned_data)
        except GeshiError as error:
            put_errors(form, error)
        else:
            messages.success(request, _("Saved."))
            return redirect("themes")
    context = {
        "form": form,
        "title": found.label if found else _("New theme"),
        "back": reverse("themes"),
    }
    status = 422 if form.is_bound and form.errors else 200
    return render(request, "grids/plain_form.html", context, status=status)


@roles(*TERRITORY_ROLES)
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def duty_give(request: HttpRequest, pk: int) -> HttpResponse:
    """Make a person answer for a theme in a grid."""
    grid = kept_area(request, pk)
    people = persons_near(grid)
    form = forms.DutyForm(request.POST or None, people=people)
    if form.is_valid():
        try:
            service.give_duty(
                grid_id=grid.pk,
                theme=form.cleaned_data["theme"],
                user=User.objects.get(pk=form.cleaned_data["user"]),
                actor=request.user,
            )
        except GeshiError as error:
            put_errors(form, error)
        else:
            messages.success(request, _("The duty was given."))
            return redirect(_address(grid.pk))
    context = {
        "form": form,
        "title": _("Give a theme"),
        "sub": f"{grid.name} · {grid.code}",
        "intro": _("To choose from: people in post in this grid, its village and its town."),
        "back": _address(grid.pk),
    }
    status = 422 if form.is_bound and form.errors else 200
    return render(request, "grids/plain_form.html", context, status=status)


@roles(*TERRITORY_ROLES)
@require_POST
def duty_end(request: HttpRequest, pk: int) -> HttpResponse:
    """End a duty today."""
    duty = ThemeDuty.objects.filter(pk=pk).first()
    if duty is None:
        raise Http404
    grid = kept_area(request, duty.grid_id)
    try:
        service.end_duty(duty_id=pk, actor=request.user)
    except GeshiError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("The duty has ended."))
    return redirect(_address(grid.pk))


def _address(area_id: int) -> str:
    return f"{reverse('territory')}?area={area_id}"
