"""The webhook of a connected system: where it is told, what became of it, sending again.

What must not live here: who hears what and how it is sent (services), and any case's content.
"""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from core.channels.letters import reason_words
from core.errors import Conflict, Invalid
from core.form_errors import put_errors
from core.htmx import render
from core.paging import keyset_page
from core.web import number_in, page_urls
from grids.access import roles
from grids.models import Role
from incidents.forms.systems import ReplayForm, WebhookForm
from incidents.models import HookDelivery, HookEvent, System, Webhook
from incidents.models.webhook import TRIAL
from incidents.queries import hooks as read
from incidents.services import webhooks as service
from incidents.views.case import acting

PAGE_SIZE = 40
_LEVELS = {"on": "done", "off": "paused", "paused": "warn", "stopped": "over"}


@roles(Role.SYSTEM_ADMIN)
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def webhook(request: HttpRequest, pk: int) -> HttpResponse:
    """Show where a system is told and what it was sent, or change it (≤ 5 queries of its own)."""
    system = get_object_or_404(System, pk=pk)
    found = Webhook.objects.filter(pk=pk).first()
    if request.method != "POST":
        return _page(request, system, found, WebhookForm.of(found))
    form = WebhookForm(request.POST)
    if form.is_valid():
        try:
            secret = service.put_webhook(
                system_id=pk, fields=form.fields_given(), actor=acting(request)
            )
        except Invalid as error:
            put_errors(form, error)
        else:
            if secret:
                found = Webhook.objects.get(pk=pk)
                return _page(request, system, found, WebhookForm.of(found), secret=secret)
            messages.success(request, _("Saved."))
            return redirect("webhook", pk=pk)
    return _page(request, system, found, form, status=422)


@roles(Role.SYSTEM_ADMIN)
@never_cache
@require_POST
def webhook_do(request: HttpRequest, pk: int, act: str) -> HttpResponse:
    """Make a new secret, send a trial, let it go on, or send again what was sent."""
    system = get_object_or_404(System, pk=pk)
    by: dict[str, Any] = {"system_id": pk, "actor": acting(request)}
    try:
        if act in {"secret", "secret-now"}:
            secret = service.new_secret(**by, at_once=act == "secret-now")
            found = Webhook.objects.get(pk=pk)
            return _page(request, system, found, WebhookForm.of(found), secret=secret)
        if act == "trial":
            service.send_trial(**by)
            messages.success(request, _("A trial is on its way."))
        elif act == "on":
            service.go_on(**by)
            messages.success(request, _("The webhook is tried again."))
        elif act == "replay":
            _tell_count(
                request, service.replay(**by, ids=[number_in(request.POST.get("delivery"))])
            )
        elif act == "replay-range":
            return _replay_range(request, system, by)
        else:
            raise Http404
    except Conflict as error:
        messages.error(request, str(error))
    return redirect("webhook", pk=pk)


@roles(Role.SYSTEM_ADMIN)
@never_cache
@require_safe
def webhook_delivery(request: HttpRequest, pk: int, delivery: int) -> HttpResponse:
    """Show the tries of one delivery (2 queries of its own)."""
    found = get_object_or_404(
        HookDelivery.objects.select_related("webhook__system"), pk=delivery, webhook=pk
    )
    tries = [(row, reason_words(row.problem)) for row in found.tries.order_by("-pk")]
    context = {
        "system": found.webhook.system,
        "row": _row(found, None),
        "tries": tries,
        "replayable": found.state in service.REPLAYABLE,
    }
    return render(request, "incidents/webhook_delivery.html", context)


def _replay_range(request: HttpRequest, system: System, by: dict[str, Any]) -> HttpResponse:
    form = ReplayForm(request.POST)
    if form.is_valid():
        try:
            count = service.replay(**by, **form.cleaned_data)
        except Invalid as error:
            put_errors(form, error)
        else:
            _tell_count(request, count)
            return redirect("webhook", pk=system.pk)
    found = Webhook.objects.filter(pk=system.pk).first()
    return _page(request, system, found, WebhookForm.of(found), status=422, again=form)


def _tell_count(request: HttpRequest, count: int) -> None:
    text = ngettext("%(n)s delivery is sent again.", "%(n)s deliveries are sent again.", count)
    messages.success(request, text % {"n": count})


def _page(
    request: HttpRequest,
    system: System,
    found: Webhook | None,
    form: WebhookForm,
    *,
    status: int = 200,
    secret: str = "",
    again: ReplayForm | None = None,
) -> HttpResponse:
    context: dict[str, Any] = {"system": system, "webhook": found, "form": form, "secret": secret}
    context["again"] = again or ReplayForm()
    if found is not None:
        context |= _state(found) | _deliveries(request, found)
    return render(request, "incidents/webhook.html", context, status=status)


def _state(found: Webhook) -> dict[str, Any]:
    now = timezone.now()
    state = read.state_of(found, now)
    words = {
        "on": _("on"),
        "off": _("off"),
        "paused": _("paused, takes nothing"),
        "stopped": _("stopped, takes nothing"),
    }
    overlaps = found.old_secret_until is not None and found.old_secret_until > now
    return {
        "state": state,
        "state_words": words[state],
        "level": _LEVELS[state],
        "problem": reason_words(found.last_problem) if state in {"paused", "stopped"} else "",
        "overlaps_until": found.old_secret_until if overlaps else None,
    }


def _deliveries(request: HttpRequest, found: Webhook) -> dict[str, Any]:
    show = request.GET.get("show", "")
    show = show if show in read.SHOWN else ""
    page = keyset_page(
        read.deliveries(found, show),
        order=["-id"],
        cursor=request.GET.get("cursor"),
        size=PAGE_SIZE,
    )
    tries = read.last_tries(page.items)
    labels = {"": _("All"), read.WAITING: _("Waiting")}
    chips = [(one, labels.get(one) or HookDelivery.State(one).label) for one in read.SHOWN]
    rows = [_row(row, tries.get(row.pk)) for row in page.items]
    return {"rows": rows, "chips": chips, "show": show, **page_urls(request, page)}


def _row(row: HookDelivery, last: Any) -> dict[str, Any]:
    level = {"delivered": "done", "dead": "over", "dropped": "paused"}.get(row.state, "calm")
    return {
        "row": row,
        "level": "warn" if row.state == "awaiting_retry" else level,
        "about": _("Trial") if row.event == TRIAL else HookEvent(row.event).label,
        "last": last,
        "problem": reason_words(last.problem) if last else "",
        "replayable": row.state in service.REPLAYABLE,
        "url": reverse("webhook_delivery", args=[row.webhook_id, row.pk]),
    }
