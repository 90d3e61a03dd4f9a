"""The routing rules: drawn up together, tried on examples and past cases, put in force at once.

What must not live here: what a rule does (services/routing.py) and how the table changes
(services/rule_table.py).
"""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import (
    require_GET,
    require_http_methods,
    require_POST,
    require_safe,
)

from core.errors import GeshiError, Invalid
from core.form_errors import put_errors
from grids.access import roles
from incidents import rule_words
from incidents.desks import RULE_KEEPERS
from incidents.forms.rules import RuleForm, area_choices
from incidents.models import OwnerKind, RoutingRule
from incidents.queries.rules import (
    KEPT,
    Shown,
    as_data,
    changes,
    in_force,
    notes,
    past_tables,
    shown_table,
)
from incidents.services import rule_table, rule_trials

NEW = "new"
_ACTS: dict[str, tuple[Callable[..., object], dict[str, bool]]] = {
    "up": (rule_table.move_rule, {"up": True}),
    "down": (rule_table.move_rule, {"up": False}),
    "on": (rule_table.switch_rule, {"on": True}),
    "off": (rule_table.switch_rule, {"on": False}),
    "remove": (rule_table.remove_rule, {}),
}


@roles(*RULE_KEEPERS)
@never_cache
@require_safe
def rules(request: HttpRequest) -> HttpResponse:
    """Show the draft, or the table in force: each rule in a sentence, with its examples tried."""
    return _page(request)


@roles(*RULE_KEEPERS)
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def rule(request: HttpRequest, key: str) -> HttpResponse:
    """Show one rule's form, and put what is typed into the draft."""
    shown = shown_table()
    held = _held(shown, key)
    form = RuleForm(request.POST or None, instance=held)
    status = 200
    if request.method == "POST":
        if form.is_valid():
            try:
                saved = rule_table.save_rule(
                    key="" if key == NEW else key,
                    rule=form.rule(),
                    seen=request.POST.get("seen", ""),
                    actor=request.user,
                )
            except GeshiError as error:
                put_errors(form, error)
                status = error.status if error.status == 409 else 422
            else:
                messages.success(request, _("Saved in the draft. It decides nothing yet."))
                return redirect(f"{reverse('rules')}#r-{saved}")
        else:
            status = 422
    context = {
        "form": form,
        "key": key,
        "shown": shown,
        "held": held,
        # Whoever was told that somebody was first may send the same words again.
        "seen": shown.stamp if status != 422 else request.POST.get("seen", shown.stamp),
        "areas": area_choices(),
    }
    return render(request, "incidents/rule.html", context, status=status)


@roles(*RULE_KEEPERS)
@never_cache
@require_POST
def rule_do(request: HttpRequest, key: str, act: str) -> HttpResponse:
    """Move a rule of the draft, switch it on or off, or take it out."""
    if act not in _ACTS:
        raise Http404
    verb, fixed = _ACTS[act]
    try:
        verb(key=key, seen=request.POST.get("seen", ""), actor=request.user, **fixed)
    except GeshiError as error:
        return _page(request, error=error)
    if request.htmx:
        return _page(request)
    return redirect(f"{reverse('rules')}#r-{key}")


@roles(*RULE_KEEPERS)
@never_cache
@require_GET
def rules_preview(request: HttpRequest) -> HttpResponse:
    """Say what the draft would have done with the cases of the last days; nothing is written."""
    shown = shown_table()
    found = rule_trials.preview(shown.rules, user=request.user, scope=request.scope)
    context = {"found": found, "draft": shown.draft, "days": rule_trials.DAYS}
    if request.htmx:
        return render(request, "incidents/_rules_preview.html", context)
    return _page(request, more=context)


@roles(*RULE_KEEPERS)
@never_cache
@require_POST
def rules_put(request: HttpRequest) -> HttpResponse:
    """Put the draft in force."""
    try:
        table = rule_table.put_in_force(seen=request.POST.get("seen", ""), actor=request.user)
    except GeshiError as error:
        return _page(request, error=error)
    messages.success(request, _("In force as table %(n)s.") % {"n": table.number})
    return redirect("rules")


@roles(*RULE_KEEPERS)
@never_cache
@require_POST
def rules_throw_away(request: HttpRequest) -> HttpResponse:
    """Throw the draft away."""
    try:
        rule_table.throw_away(seen=request.POST.get("seen", ""), actor=request.user)
    except GeshiError as error:
        return _page(request, error=error)
    messages.success(request, _("The draft was thrown away."))
    return redirect("rules")


def _held(shown: Shown, key: str) -> RoutingRule:
    if key == NEW:
        return RoutingRule(owner_kind=OwnerKind.CATEGORY_OWNER, name="")
    found = next((rule for rule in shown.rules if rule.key == key), None)
    if found is None:
        raise Http404
    return found


def _page(
    request: HttpRequest,
    *,
    error: GeshiError | None = None,
    more: dict[str, Any] | None = None,
) -> HttpResponse:
    shown = shown_table()
    tried = rule_trials.try_examples(shown.rules)
    said = notes(shown.rules)
    now = [as_data(rule) for rule in in_force()] if shown.draft else shown.data
    before = {row["key"]: row for row in now}
    rows: list[dict[str, Any]] = [
        {
            "rule": rule,
            "sentence": rule_words.sentence(rule),
            "tried": tried[rule.key],
            "failed": sum(not one.passed for one in tried[rule.key]),
            "notes": said[rule.key],
            "changed": before.get(rule.key) != data,
            "is_new": rule.key not in before,
            "last": n == len(shown.rules),
        }
        for n, (rule, data) in enumerate(zip(shown.rules, shown.data, strict=True), 1)
    ]
    failing = sum(row["failed"] for row in rows if row["rule"].active)
    errors = error.errors.get("", []) if isinstance(error, Invalid) else []
    context = {
        "shown": shown,
        "rows": rows,
        "changes": changes(now, shown.data) if shown.draft else [],
        "failing": failing,
        "error": error,
        "errors": errors,
        "past": _past(),
        **(more or {}),
    }
    part = "incidents/_rules.html" if request.htmx else "incidents/rules.html"
    return render(request, part, context, status=error.status if error else 200)


def _past() -> list[dict[str, Any]]:
    """Return the tables that were in force, newest first, each with what it changed."""
    tables = past_tables()
    return [
        {"table": table, "changes": changes(before.rules, table.rules) if before else []}
        for table, before in zip(tables[:KEPT], [*tables[1:], None], strict=False)
    ]
