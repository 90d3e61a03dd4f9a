"""A worker's file: read by the line above and the person, written by the town.

What must not live here: rights (queries/worker_file.py) and entries (services/worker_file.py).
"""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.forms import Form
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from core.errors import GeshiError
from core.form_errors import put_errors
from core.paging import keyset_page
from grids.access import authenticated, roles
from grids.forms import worker_file as forms
from grids.models import Area, ReserveRecommendation, Selection, User
from grids.models.worker_file import Body
from grids.queries import worker_file as files
from grids.services import worker_file as service

TITLES = {
    "selection": gettext_lazy("Selection"),
    "negative": gettext_lazy("Entry of the negative list"),
    "award": gettext_lazy("Award"),
    "reserve": gettext_lazy("Recommendation as reserve cadre"),
}


@roles(*files.FILE_READERS)
@never_cache
@require_safe
def worker_file(request: HttpRequest, person_id: int) -> HttpResponse:
    """Show the file of somebody who works below."""
    person = files.worker_for(person_id, request.scope)
    if person is None:
        raise Http404
    keeps = files.may_keep_file(request.user, request.scope, person)
    return _file(request, person, keeps=keeps)


@authenticated
@never_cache
@require_safe
def own_file(request: HttpRequest) -> HttpResponse:
    """Show one's own file, with room for a statement at each negative entry."""
    return _file(request, request.user, keeps=False)


@authenticated
@never_cache
@require_POST
def own_statement(request: HttpRequest, entry_id: int) -> HttpResponse:
    """Put one's own statement beside a negative entry."""
    entry = files.entry_of("negative", entry_id, request.user)
    if entry is None:
        raise Http404
    form = forms.StatementForm(request.POST)
    if _done(form, lambda data: service.answer_negative(actor=request.user, entry=entry, **data)):
        messages.success(request, _("Your statement stands in the file now."))
        return redirect("own_file")
    return _file(request, request.user, keeps=False, answering=(entry_id, form), status=400)


def _file(
    request: HttpRequest,
    person: User,
    *,
    keeps: bool,
    answering: tuple[int, Form] | None = None,
    status: int = 200,
) -> HttpResponse:
    own = person.pk == request.user.pk
    answered, form = answering or (0, forms.StatementForm())
    context = {
        "file": _shown(files.file_of(person)),
        "person": person,
        "keeps": keeps,
        "own": own,
        "answered": answered,
        "statement_form": form,
        "person_url": "" if own else _person_url(person),
    }
    return render(request, "grids/worker_file.html", context, status=status)


def _shown(file: files.WorkerFile) -> dict[str, Any]:
    """Return the file in words: where, which steps are done, what a score is made of."""
    for posting in file.postings:
        posting.where = file.places.get(posting.area_id or 0, "")  # type: ignore[attr-defined]
    for entry in file.selections:
        spoken = {row.by: row for row in entry.recommendations.all()}
        entry.where = file.places.get(entry.grid_id, "")  # type: ignore[attr-defined]
        entry.steps = [  # type: ignore[attr-defined]
            {
                "label": body.label,
                "on": spoken[body].on if body in spoken else None,
                "note": spoken[body].note if body in spoken else "",
            }
            for body in Body
        ]
    months = [
        {"row": row, "parts": [part | {"label": _(part["label"])} for part in row.parts]}
        for row in file.assessments
    ]
    return {**vars(file), "posts": file.postings, "months": months}


def _person_url(person: User) -> str:
    try:
        return reverse("roster_person", args=[person.pk])
    except NoReverseMatch:
        return ""


@roles(*files.FILE_KEEPERS)
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def worker_file_add(request: HttpRequest, person_id: int, kind: str) -> HttpResponse:
    """Add an entry: ``kind`` is a key of TITLES."""
    person = _kept(request, person_id)
    if kind not in TITLES:
        raise Http404
    form = _form(kind, request.POST if request.method == "POST" else None, person)
    if request.method == "POST" and _done(
        form, lambda _data: _add(kind, request.user, person, form)
    ):
        messages.success(request, _("This stands in the file now."))
        return redirect("worker_file", person_id=person.pk)
    return _entry_page(request, person, form, TITLES[kind], selecting=kind == "selection")


@roles(*files.FILE_KEEPERS)
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def worker_file_go_on(
    request: HttpRequest, person_id: int, kind: str, entry_id: int
) -> HttpResponse:
    """Go on with a selection under way, or say what became of a reserve recommendation."""
    person = _kept(request, person_id)
    entry = files.entry_of(kind, entry_id, person) if kind in {"selection", "reserve"} else None
    if entry is None:
        raise Http404
    data = request.POST if request.method == "POST" else None
    form: Any
    if isinstance(entry, Selection):
        form = _form("selection", data, person, entry)
    else:
        form = forms.ReserveDecisionForm(data)
    if request.method == "POST" and _done(
        form, lambda _data: _go_on(request.user, person, entry, form)
    ):
        messages.success(request, _("This stands in the file now."))
        return redirect("worker_file", person_id=person.pk)
    return _entry_page(request, person, form, TITLES[kind], selecting=kind == "selection")


@roles(*files.FILE_KEEPERS)
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def worker_file_withdraw(
    request: HttpRequest, person_id: int, kind: str, entry_id: int
) -> HttpResponse:
    """Withdraw an entry with a reason."""
    person = _kept(request, person_id)
    entry = files.entry_of(kind, entry_id, person)
    if entry is None:
        raise Http404
    form = forms.WithdrawForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and _done(
        form,
        lambda data: service.withdraw(actor=request.user, kind=kind, entry=entry, **data),
    ):
        messages.success(request, _("The entry is withdrawn and stays readable."))
        return redirect("worker_file", person_id=person.pk)
    return _entry_page(request, person, form, _("Withdraw an entry"), danger=True)


@roles(*files.FILE_KEEPERS)
@never_cache
@require_safe
def trainings(request: HttpRequest) -> HttpResponse:
    """Show the trainings of one's towns, newest first."""
    page = keyset_page(
        files.trainings_of(files.towns_kept(request.scope)),
        order=files.TRAININGS_ORDER,
        cursor=request.GET.get("cursor"),
        size=30,
    )
    context = {
        "trainings": page.items,
        "next_url": f"?cursor={page.next}" if page.next else "",
        "previous_url": f"?cursor={page.previous}" if page.previous else "",
    }
    return render(request, "grids/trainings.html", context)


@roles(*files.FILE_KEEPERS)
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def training_add(request: HttpRequest) -> HttpResponse:
    """Record a training and everybody who attended, in one form."""
    towns = files.towns_kept(request.scope)
    asked = request.POST.get("town") or request.GET.get("town") or str(towns[0].pk)
    town = next((town for town in towns if str(town.pk) == asked), None)
    if town is None:
        raise Http404
    workers = files.workers_of(town)
    form = forms.TrainingForm(
        request.POST if request.method == "POST" else None,
        towns=Area.objects.filter(pk=town.pk),
        workers=workers,
        initial={"town": town.pk},
    )
    if request.method == "POST" and _done(
        form, lambda data: service.hold_training(actor=request.user, **data)
    ):
        people = len(form.cleaned_data["people"])
        messages.success(request, _("The training of %(n)s people is on record.") % {"n": people})
        return redirect("trainings")
    chosen = set(request.POST.getlist("people"))
    context = {
        "form": form,
        "town": town,
        "towns": towns,
        "workers": workers,
        "chosen": {posting.user_id for posting in workers if str(posting.user_id) in chosen},
    }
    return render(request, "grids/training_add.html", context, status=400 if form.errors else 200)


def _kept(request: HttpRequest, person_id: int) -> User:
    """Return somebody whose file the reader keeps; 404 outside, and for one's own."""
    person = files.worker_for(person_id, request.scope, files.FILE_KEEPERS)
    if person is None or person.pk == request.user.pk:
        raise Http404
    return person


def _done(form: Form, act: Any) -> bool:
    """Return whether a filled form was taken; a refusal is told on the form."""
    if not form.is_valid():
        return False
    try:
        act(form.cleaned_data)
    except GeshiError as error:
        put_errors(form, error)
        return False
    return True


def _form(kind: str, data: Any, person: User, selection: Selection | None = None) -> Any:
    if kind == "selection":
        return forms.SelectionForm(data, grids=files.grids_of(person), selection=selection)
    if kind == "negative":
        return forms.NegativeForm(data, items=files.negative_items())
    return forms.AwardForm(data) if kind == "award" else forms.ReserveForm(data)


def _add(kind: str, actor: User, person: User, form: Any) -> None:
    if kind == "selection":
        _select(actor, person, form)
        return
    adding: dict[str, Callable[..., Any]] = {
        "negative": service.state_negative,
        "award": service.give_award,
        "reserve": service.recommend_for_reserve,
    }
    adding[kind](actor=actor, person=person, **form.cleaned_data)


def _go_on(actor: User, person: User, entry: Selection | ReserveRecommendation, form: Any) -> None:
    if isinstance(entry, Selection):
        _select(actor, person, form)
        return
    service.decide_reserve(actor=actor, entry=entry, **form.cleaned_data)


def _select(actor: User, person: User, form: forms.SelectionForm) -> None:
    data = form.cleaned_data
    service.record_selection(
        actor=actor,
        person=person,
        grid=data["grid"],
        recommended=form.recommended(),
        inspected_on=data["inspected_on"],
        inspection=data["inspection"],
        note=data["note"],
    )


def _entry_page(
    request: HttpRequest,
    person: User,
    form: Any,
    title: Any,
    *,
    selecting: bool = False,
    danger: bool = False,
) -> HttpResponse:
    context = {
        "person": person,
        "form": form,
        "entry_title": title,
        "selecting": selecting,
        "danger": danger,
    }
    status = 400 if form.errors else 200
    return render(request, "grids/worker_file_entry.html", context, status=status)
