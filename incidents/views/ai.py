"""The switch of an item, and what was asked of a model outside.

What must not live here: figures (governance/views/ai.py) and setting a switch
(services/ai_switches.py).
"""

from datetime import date
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.dateparse import parse_date
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from core.channels.letters import reason_words
from core.errors import Conflict, GeshiError
from core.form_errors import put_errors
from core.paging import keyset_page
from core.web import page_urls
from grids.access import roles
from grids.models import Role
from incidents.desks import RULE_KEEPERS
from incidents.forms.ai import SwitchForm
from incidents.models import AiCall, AiSwitch, CallOutcome, Category
from incidents.queries import ai_calls as read
from incidents.queries.ai_switches import modes_on, shown_mode, versions_of
from incidents.services.ai_switches import set_switch
from incidents.services.outside_model import from_settings

# Why a reply was not used, where it is not a fault of the way there (core.channels.letters).
_REASONS = {
    "not_chat": gettext_lazy("The reply was no chat completion."),
    "not_json": gettext_lazy("The reply was not in the form asked for."),
    "unknown_article": gettext_lazy("It named an article that was not offered."),
    "bad_answer": gettext_lazy("Its answer was empty or too long."),
    "not_in_article": gettext_lazy("Its answer held a number or address the article does not."),
    "internal": gettext_lazy("An error of this system."),
}
_LEVELS = {
    CallOutcome.USED: "done",
    CallOutcome.DISCARDED: "warn",
    CallOutcome.FAILED: "over",
    CallOutcome.UNDER_WAY: "warn",
}
# What stands in the address for those without a reply.
NO_REPLY = "none_recorded"


@roles(*RULE_KEEPERS)
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def ai_item(request: HttpRequest, code: str) -> HttpResponse:
    """Show how far the AI may go with an item, every version of that, and set the next."""
    category = get_object_or_404(Category, code=code)
    status, form = 200, None
    if request.method == "POST":
        form = SwitchForm(request.POST)
        if form.is_valid():
            try:
                set_switch(category=category, actor=request.user, **form.cleaned_data)
            except GeshiError as error:
                put_errors(form, error)
                status = error.status
            else:
                messages.success(request, _("Saved. It holds for reports read from then on."))
                return redirect("ai_item", code=code)
        status = 422 if status == 200 else status
    return _item_page(request, category, form, status)


def _item_page(
    request: HttpRequest, category: Category, form: SwitchForm | None, status: int
) -> HttpResponse:
    versions = versions_of(category)
    today = timezone.localdate()
    modes = modes_on(today)
    mode = shown_mode(category, modes)
    seen = versions[0].version if versions else 0
    if form is None:
        form = SwitchForm(initial={"mode": mode.value, "seen": seen})
    elif status == Conflict.status:
        # What was typed stays; pressed again it is set over what the other has set.
        typed = request.POST.copy()
        typed["seen"] = str(seen)
        form.data = typed
    holding = next((row for row in versions if row.valid_from <= today), None)
    context = {
        "category": category,
        "mode": mode,
        "is_set": category.pk in modes,
        "form": form,
        "versions": [
            {"row": row, "holds": row is holding, "comes": _comes(row, holding, today)}
            for row in versions
        ],
    }
    return render(request, "incidents/ai_item.html", context, status=status)


def _comes(row: AiSwitch, holding: AiSwitch | None, today: date) -> bool:
    """Return whether a version is still to come: a newer one in force has replaced it."""
    return row.valid_from > today and (holding is None or row.version > holding.version)


@roles(*sorted(read.READERS))
@never_cache
@require_safe
def ai_calls(request: HttpRequest) -> HttpResponse:
    """List what was asked of a model outside, masked as it left, newest first (≤ 7 queries)."""
    asked = request.GET.get("outcome", "")
    outcomes = {choice.value or NO_REPLY: choice.label for choice in CallOutcome}
    outcome = None if asked not in outcomes else "" if asked == NO_REPLY else asked
    day = _day(request.GET.get("day", ""))
    branches = read.calls(request.scope, outcome=outcome, day=day)
    page = keyset_page(branches, order=read.ORDER, cursor=request.GET.get("cursor"))
    model = from_settings()
    context = {
        "rows": [_call(call) for call in page.items],
        "outcomes": [("", _("Every outcome")), *outcomes.items()],
        "asked": asked,
        "day": day,
        "host": model.host if model else "",
        "model": model.model if model else "",
        "opens": request.scope.has(Role.COMMAND),
        **page_urls(request, page),
    }
    return render(request, "incidents/ai_calls.html", context)


def _day(text: str) -> date | None:
    try:
        return parse_date(text)
    except ValueError:
        return None


def _call(call: AiCall) -> dict[str, Any]:
    outcome = CallOutcome(call.outcome)
    said = _REASONS.get(call.reason)
    return {
        "call": call,
        "outcome": outcome.label,
        "level": _LEVELS.get(outcome, ""),
        "why": said or (reason_words(call.reason) if call.reason else ""),
        "offered": "、".join(call.offered),
    }
