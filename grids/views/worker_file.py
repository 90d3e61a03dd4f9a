"""A worker's file: read by the line above and the person, written by the town.

What must not live here: rights (queries/worker_file.py) and entries (services/worker_file.py).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.contrib import messages
from django.forms import Form
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from core.errors import GeshiError
from core.form_errors import put_errors
from core.paging import keyset_page
from core.web import page_urls
from grids.access import authenticated, roles
from grids.forms import worker_file as forms
from grids.models import Area, ReserveRecommendation, Selection, User
from grids.models.worker_file import Body
from grids.queries import worker_file as files
from grids.queries.roster import ROSTER_ROLES
from grids.services import worker_file as service

_ADDED = gettext_lazy("This stands in the file now.")


@dataclass(frozen=True)
class _Adding:
    """An entry that can be added: its form, and the service that takes what the form says."""

    title: Any
    form: Callable[[Any, User], Any]
    do: Callable[..., object]


ADDED = {
    "selection": _Adding(
        gettext_lazy("Selection"),
        lambda sent, person: forms.SelectionForm(sent, grids=files.grids_of(person)),
        service.record_selection,
    ),
    "negative": _Adding(
        gettext_lazy("Entry of the negative list"),
        lambda sent, _person: forms.NegativeForm(sent, items=files.negative_items()),
        service.state_negative,
    ),
    "award": _Adding(
        gettext_lazy("Award"), lambda sent, _person: forms.AwardForm(sent), service.give_award
    ),
    "reserve": _Adding(
        gettext_lazy("Recommendation as reserve cadre"),
        lambda sent, _person: forms.ReserveForm(sent),
        service.recommend_for_reserve,
    ),
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
    answer = partial(service.answer_negative, actor=request.user, entry=entry)
    if _done(form, lambda: answer(**form.said())):
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
        "opens_roster": not own and request.scope.has(*ROSTER_ROLES),
        "answered": answered,
        "statement_form": form,
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


@roles(*files.FILE_KEEPERS)
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def worker_file_add(request: HttpRequest, person_id: int, kind: str) -> HttpResponse:
    """Add an entry: ``kind`` is a key of ADDED."""
    person = _kept(request, person_id)
    adding = ADDED.get(kind)
    if adding is None:
        raise Http404
    form = adding.form(request.POST if request.method == "POST" else None, person)
    return _entry(
        request,
        person,
        form,
        lambda: adding.do(actor=request.user, person=person, **form.said()),
        title=adding.title,
    )


@roles(*files.FILE_KEEPERS)
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def worker_file_go_on(
    request: HttpRequest, person_id: int, kind: str, entry_id: int
) -> HttpResponse:
    """Go on with a selection under way, or say what became of a reserve recommendation."""
    person = _kept(request, person_id)
    entry = files.entry_of(kind, entry_id, person)
    sent = request.POST if request.method == "POST" else None
    form: Any
    go_on: Any
    if isinstance(entry, Selection):
        form = forms.SelectionForm(sent, grids=files.grids_of(person), selection=entry)
        go_on = partial(service.record_selection, person=person)
    elif isinstance(entry, ReserveRecommendation):
        form = forms.ReserveDecisionForm(sent)
        go_on = partial(service.decide_reserve, entry=entry)
    else:
        raise Http404
    return _entry(
        request,
        person,
        form,
        lambda: go_on(actor=request.user, **form.said()),
        title=ADDED[kind].title,
    )


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
    return _entry(
        request,
        person,
        form,
        lambda: service.withdraw(actor=request.user, kind=kind, entry=entry, **form.said()),
        title=_("Withdraw an entry"),
        done=_("The entry is withdrawn and stays readable."),
        danger=True,
    )


def _entry(
    request: HttpRequest,
    person: User,
    form: Any,
    act: Callable[[], object],
    *,
    title: Any,
    done: Any = _ADDED,
    danger: bool = False,
) -> HttpResponse:
    """Show the form of one entry, or do it and go back to the file."""
    if request.method == "POST" and _done(form, act):
        messages.success(request, done)
        return redirect("worker_file", person_id=person.pk)
    context = {
        "person": person,
        "form": form,
        "entry_title": title,
        "selecting": isinstance(form, forms.SelectionForm),
        "danger": danger,
    }
    status = 400 if form.errors else 200
    return render(request, "grids/worker_file_entry.html", context, status=status)


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
        **page_urls(request, page),
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
        form, lambda: service.hold_training(actor=request.user, **form.said())
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


def _done(form: Form, act: Callable[[], object]) -> bool:
    """Return whether a filled form was taken; a refusal is told on the form."""
    if not form.is_valid():
        return False
    try:
        act()
    except GeshiError as error:
        put_errors(form, error)
        return False
    return True
