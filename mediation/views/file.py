"""The file of one dispute: reading it, taking its steps, printing the agreement.

Whoever is not named sees the closed file (403) and, with that right, may name somebody.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from core.errors import Conflict, GeshiError, Invalid
from core.htmx import render
from core.ratelimit import client_ip
from grids.access import roles
from mediation import forms
from mediation.models import LIST_ROLES, Dispute, FileOpening
from mediation.presenters import FilePage, party_lines
from mediation.queries import LEADER_ROLES, MEDIATOR_ROLES, candidates
from mediation.services import agreements, files, people, registering, sessions
from mediation.workflow import FILE_RIGHTS, Actor, available, rights


@dataclass(frozen=True)
class Act:
    """A step on the page: its form, the service it calls, and what is said afterwards."""

    form: type[forms.StepForm]
    service: Callable[..., Dispute]


ACTS = {
    "record_consent": Act(forms.ConsentForm, sessions.record_consent),
    "add_party": Act(forms.PartyForm, registering.add_party),
    "record_step": Act(forms.SessionForm, sessions.record_step),
    "agree": Act(forms.AgreementEntry, agreements.agree),
    "extend": Act(forms.ExtendForm, sessions.extend),
    "stop_by_party": Act(forms.StopForm, sessions.stop_by_party),
    "fail": Act(forms.FailForm, sessions.fail),
    "withdraw": Act(forms.ReasonForm, sessions.withdraw),
    "ask_court": Act(forms.CourtForm, agreements.ask_court),
    "follow_up": Act(forms.FollowUpForm, agreements.follow_up),
    "close": Act(forms.CloseForm, agreements.close),
    "set_colour": Act(forms.ColourForm, people.set_colour),
    "name_mediator": Act(forms.NameForm, people.name_mediator),
    "release_mediator": Act(forms.ReleaseForm, people.release_mediator),
    "remark": Act(forms.RemarkForm, sessions.remark),
}


@roles(*LIST_ROLES)
@never_cache
@require_GET
def dispute(request: HttpRequest, number: str) -> HttpResponse:
    """Show the file, on the record, or say that it is closed."""
    return _page(request, _visible(request, number))


@roles(*LIST_ROLES)
@never_cache
@require_POST
def act(request: HttpRequest, number: str, action: str) -> HttpResponse:
    """Take a step. A refusal shows the page again with everything typed."""
    row = _visible(request, number)
    if action not in ACTS:
        raise Http404
    line = ACTS[action]
    form = line.form(request.POST, dispute=row, people=_people(row, action))
    status = 422
    if form.is_valid():
        try:
            line.service(
                dispute_id=row.pk,
                actor=_actor(request),
                seen=form.cleaned_data["seen"],
                **form.arguments(),
            )
        except (Invalid, Conflict) as error:
            _show(form, error)
            status = error.status if isinstance(error, Conflict) else 422
        else:
            messages.success(request, _("Recorded."))
            return redirect("dispute", number=number)
    row.refresh_from_db()
    # The page now shows what happened meanwhile: pressing again is meant for that.
    typed: Any = request.POST.copy()
    typed["seen"] = row.version
    form.data = typed
    return _page(request, row, action=action, form=form, status=status)


@roles(*LIST_ROLES)
@never_cache
@require_POST
def reveal(request: HttpRequest, number: str) -> HttpResponse:
    """Show the parties in full for a stated reason; the page hides them again by itself."""
    row = _visible(request, number)
    files.refuse_unnamed(dispute=row, actor=_actor(request))
    form = forms.RevealForm(request.POST)
    lines, status = party_lines(row, in_full=False), 422
    if form.is_valid():
        try:
            files.open_file(
                dispute=row,
                actor=_actor(request),
                what=FileOpening.What.CONTACT,
                reason=form.cleaned_data["reason"],
            )
        except Invalid as error:
            _show(form, error)
        else:
            lines, status = party_lines(row, in_full=True), 200
    context = {"dispute": row, "parties": lines, "reveal_form": form, "revealed": status == 200}
    if request.htmx:
        return render(request, "mediation/_parties.html", context, status=status)
    return _page(request, row, parties=lines, reveal_form=form, revealed=status == 200)


@roles(*LIST_ROLES)
@never_cache
@require_GET
def parties(request: HttpRequest, number: str) -> HttpResponse:
    """Return the masked parties (htmx hides revealed ones with it); refused to the unnamed."""
    row = _visible(request, number)
    files.refuse_unnamed(dispute=row, actor=_actor(request))
    context = {
        "dispute": row,
        "parties": party_lines(row, in_full=False),
        "reveal_form": forms.RevealForm(),
    }
    return render(request, "mediation/_parties.html", context)


@roles(*LIST_ROLES)
@never_cache
@require_GET
def agreement(request: HttpRequest, number: str) -> HttpResponse:
    """Show the agreement as a page for the printer; each opening is on record."""
    row = _visible(request, number)
    files.open_file(dispute=row, actor=_actor(request), what=FileOpening.What.PRINT)
    if not hasattr(row, "agreement"):
        raise Http404
    return render(request, "mediation/agreement.html", {"dispute": row, "agreement": row.agreement})


def _visible(request: HttpRequest, number: str) -> Dispute:
    rows = Dispute.objects.visible_to(request.user, request.scope)
    rows = rows.select_related("county", "town", "village", "grid", "area", "leader", "incident")
    return get_object_or_404(rows, number=number)


def _actor(request: HttpRequest) -> Actor:
    return Actor.for_user(request.user, scope=request.scope, ip=client_ip(request))


def _people(dispute: Dispute, action: str) -> dict[str, Any]:
    if action == "set_colour":
        return {"leader": candidates(place_ids=dispute.place_ids, roles=LEADER_ROLES)}
    if action == "name_mediator":
        return {"user": candidates(place_ids=dispute.place_ids, roles=MEDIATOR_ROLES)}
    return {}


def _show(form: Any, error: GeshiError) -> None:
    errors = error.errors if isinstance(error, Invalid) else {}
    if not errors:
        form.add_error(None, str(error.message))
    for name, problems in errors.items():
        form.add_error(name if name in form.fields else None, [str(p) for p in problems])


def _page(
    request: HttpRequest,
    row: Dispute,
    *,
    action: str = "",
    form: forms.StepForm | None = None,
    status: int = 200,
    **more: Any,
) -> HttpResponse:
    actor = _actor(request)
    held = rights(actor, row)
    steps = {line.action: line for line in available(held, row)}
    shown = {
        name: form if name == action else ACTS[name].form(dispute=row, people=_people(row, name))
        for name in steps
    }
    context = {
        "dispute": row,
        "forms": shown,
        "tried": action,
        "tried_form": form,
        "now": timezone.now(),
    }
    if not held & FILE_RIGHTS:
        status = status if action else 403
        return render(request, "mediation/closed.html", context, status=status)
    files.open_file(dispute=row, actor=actor)
    page = FilePage(row, steps)
    context |= {
        "file": page,
        "others": [(line, shown[line.action]) for line in page.others],
        "reveal_form": forms.RevealForm(),
        **more,
    }
    context.setdefault("parties", party_lines(row, in_full=False))
    return render(request, "mediation/file.html", context, status=status)
