"""Deadlines and ladders of the catalogue: read, changed by a new version, seen before.

What must not live here: what a version does to a case (services/clocks.py, services/redating.py).
"""

from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from core.errors import GeshiError
from core.form_errors import put_errors
from core.queries import missing_calendar_years
from grids.access import roles
from grids.backends import may_open_admin
from incidents.desks import RULE_KEEPERS
from incidents.forms.deadlines import DeadlinesForm, LadderForm
from incidents.models import Category, DeadlineVersion, Ladder
from incidents.queries.deadlines import deadline_rows
from incidents.queries.redating import cases_left
from incidents.services import redating
from incidents.services.catalogue import set_deadlines
from incidents.services.ladders import set_ladder

# Stands in addresses where an item's code would.
COUNTY = "county"


@roles(*RULE_KEEPERS)
@never_cache
@require_safe
def deadlines(request: HttpRequest) -> HttpResponse:
    """List the deadlines in force of every item, the county's own first."""
    text = request.GET.get("q", "").strip()[:60]
    county, *rows = deadline_rows(today=timezone.localdate(), text=text)
    may = may_open_admin(request.user, request.scope, "core.add_calendaryear")
    context = {
        "county": county,
        "rows": rows,
        "q": text,
        "missing_years": missing_calendar_years(timezone.now()),
        "calendar_url": reverse("admin:core_calendaryear_add") if may else "",
    }
    return render(request, "incidents/deadlines.html", context)


@roles(*RULE_KEEPERS)
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def deadlines_of(request: HttpRequest, code: str) -> HttpResponse:
    """Show an item's deadlines and ladder, and write a new version of the deadlines."""
    category = _category(code)
    form = DeadlinesForm(request.POST or None, **_newest(category))
    if request.method != "POST":
        return _page(request, category, form)
    if form.is_valid():
        try:
            _save(request, category, form)
        except GeshiError as error:
            put_errors(form, error)
        else:
            return redirect("deadlines_of", code=code)
    return _page(request, category, form, status=422)


@roles(*RULE_KEEPERS)
@never_cache
@require_POST
def deadlines_preview(request: HttpRequest, code: str) -> HttpResponse:
    """Say what the deadlines typed would change on open cases; nothing is written."""
    category = _category(code)
    form = DeadlinesForm(request.POST, **_newest(category))
    form.fields["open_cases"].disabled = True
    context: dict[str, Any] = {"form": form}
    if form.is_valid():
        try:
            context["found"] = redating.preview(category=category, terms=form.terms())
        except GeshiError as error:
            put_errors(form, error)
    status = 200 if "found" in context else 422
    return render(request, "incidents/_redating.html", context, status=status)


@roles(*RULE_KEEPERS)
@never_cache
@require_POST
def ladder_of(request: HttpRequest, code: str) -> HttpResponse:
    """Write a new version of an item's ladder."""
    category = _category(code)
    form = LadderForm(request.POST)
    if form.is_valid():
        try:
            set_ladder(
                category=category,
                tier=form.cleaned_data["tier"],
                rungs=form.rungs(),
                actor=request.user,
            )
        except GeshiError as error:
            put_errors(form, error)
        else:
            messages.success(request, _("Saved. Clocks that start from now on climb it."))
            return redirect("deadlines_of", code=code)
    terms = DeadlinesForm(**_newest(category))
    return _page(request, category, terms, ladder_form=form, status=422)


def _category(code: str) -> Category | None:
    return None if code == COUNTY else get_object_or_404(Category, code=code)


def _versions(category: Category | None) -> list[DeadlineVersion]:
    found = DeadlineVersion.objects.filter(category=category).order_by("-version")
    return list(found.prefetch_related("deadlines"))


def _newest(category: Category | None) -> dict[str, Any]:
    """Return what the form of a new version starts from."""
    version = DeadlineVersion.objects.filter(category=category).order_by("-version").first()
    if version is None:
        return {}
    more = (version.more_amount, version.more_unit) if version.more_amount else None
    return {"deadlines": list(version.deadlines.all()), "more": more}


def _save(request: HttpRequest, category: Category | None, form: DeadlinesForm) -> None:
    with transaction.atomic():
        version = set_deadlines(
            category=category,
            terms=form.terms(),
            valid_from=form.cleaned_data["valid_from"],
            actor=request.user,
            more=form.more,
        )
        if form.cleaned_data["open_cases"]:
            redating.redate_open_cases(version=version, actor=request.user)
    messages.success(request, _("Saved as version %(n)s.") % {"n": version.version})


def _page(
    request: HttpRequest,
    category: Category | None,
    form: DeadlinesForm,
    *,
    ladder_form: LadderForm | None = None,
    status: int = 200,
) -> HttpResponse:
    versions = _versions(category)
    ladders = list(Ladder.objects.filter(category=category).order_by("tier", "-version"))
    tier = request.GET.get("tier", "")
    shown = next((ladder for ladder in ladders if ladder.tier == tier), None)
    context = {
        "category": category,
        "code": category.code if category else COUNTY,
        "form": form,
        "versions": versions,
        "left": cases_left(category, versions[0].pk) if versions else None,
        "ladder": shown,
        "ladder_form": ladder_form or LadderForm(ladder=shown),
        "today": timezone.localdate(),
    }
    return render(request, "incidents/deadlines_of.html", context, status=status)
