"""The roster at the desk: list, one person, posts given and ended, grids without a chief.

What must not live here: whatever changes a row (services/people.py, services/leaves.py), and the
roster as files (views/roster_files.py).
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.contrib import messages
from django.forms import Form
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from core.errors import GeshiError
from core.form_errors import put_errors
from core.masking import mask_phone
from core.paging import keyset_page
from core.web import number_in, page_urls
from grids.access import roles
from grids.forms import roster as forms
from grids.models import Area, Leave, Posting, Role, User
from grids.queries import roster
from grids.services import accounts, leaves, people, reveal

DAY = timedelta(days=1)


@roles(*roster.ROSTER_ROLES)
@never_cache
@require_safe
def roster_list(request: HttpRequest) -> HttpResponse:
    """List the people of the reader's areas, 50 a page, by what is asked for."""
    areas = roster.areas_of(request.scope)
    form = forms.FilterForm(request.GET or None, areas=areas)
    form.is_valid()
    page = keyset_page(
        roster.people(areas, form.wanted()),
        order=roster.PEOPLE_ORDER,
        cursor=request.GET.get("cursor"),
    )
    asked = request.GET.copy()
    asked.pop("cursor", None)
    context = {
        "form": form,
        "rows": _rows(page.items, areas),
        **page_urls(request, page),
        "asked": asked.urlencode(),
        "may_keep": request.scope.has(*roster.KEEPING_ROLES),
        "empty": not page.items and not asked,
    }
    return render(request, "grids/roster.html", context)


def _rows(users: list[User], areas: tuple[Area, ...]) -> list[dict[str, Any]]:
    held = roster.postings_of(users, areas)
    words = roster.place_words(p.area for mine in held.values() for p in mine)
    today = timezone.localdate()
    rows = []
    for user in users:
        mine = held.get(user.pk, [])
        shown = [p for p in mine if not p.valid_to or p.valid_to > today] or mine[:1]
        rows.append(
            {
                "user": user,
                "phone": mask_phone(user.phone),
                "posts": [_post(posting, words, today) for posting in shown],
            }
        )
    return rows


def _post(posting: Posting, words: dict[int, str], today: date) -> dict[str, Any]:
    """Return what is shown of a posting, its last day included."""
    away = next((x for x in posting.leaves.all() if x.away_from <= today < x.away_until), None)
    cover = getattr(posting, "covers", None)
    return {
        "posting": posting,
        "role": posting.get_role_display(),
        "kind": posting.get_worker_kind_display() if posting.worker_kind else "",
        "place": words.get(posting.area_id or 0) or str(posting.place),
        "last_day": posting.valid_to - DAY if posting.valid_to else None,
        "open": posting.valid_to is None or posting.valid_to > today,
        "future": posting.valid_from > today,
        "away": away,
        "away_last": away.away_until - DAY if away else None,
        "covers": cover.posting.user if cover else None,
    }


@roles(*roster.ROSTER_ROLES)
@never_cache
@require_safe
def person(request: HttpRequest, pk: int) -> HttpResponse:
    """Show one person: who it is, the posts as a line of time, what may be done."""
    return _person_page(request, _found(request, pk))


def _found(request: HttpRequest, pk: int) -> User:
    found = roster.person_of(pk, roster.areas_of(request.scope))
    if found is None:
        raise Http404
    return found


def _person_page(
    request: HttpRequest, found: User, *, more: dict[str, Any] | None = None, status: int = 200
) -> HttpResponse:
    areas, today = roster.areas_of(request.scope), timezone.localdate()
    mine = roster.postings_of([found], areas).get(found.pk, [])
    words = roster.place_words(posting.area for posting in mine)
    posts = [_post(posting, words, today) for posting in mine]
    keeps = request.scope.has(*roster.KEEPING_ROLES) and found.pk != request.user.pk
    for post in posts:
        post["keeps"] = keeps and roster.may_post(
            request.scope, post["posting"].role, post["posting"].place
        )
    may_keep = keeps and roster.may_keep(request.scope, found)
    context = {
        "person": found,
        "phone": reveal.box(
            "user", found.pk, "phone", found, user=request.user, scope=request.scope
        ),
        "id_number": reveal.box(
            "user", found.pk, "id_number", found, user=request.user, scope=request.scope
        ),
        "posts": posts,
        "bars": _bars(posts, today),
        "sees": _sees(posts),
        "keeps": keeps,
        "may_keep": may_keep,
        "may_password": accounts.Act.PASSWORD in accounts.may(request.user, request.scope, found),
        "seen": people.fingerprint(found),
        "today": today,
        **(more or {}),
    }
    return render(request, "grids/roster_person.html", context, status=status)


def _sees(posts: list[dict[str, Any]]) -> list[str]:
    """Return in words what the posts in force open."""
    return [
        _("%(place)s and everything below it, as %(role)s")
        % {"place": post["place"], "role": post["role"]}
        if isinstance(post["posting"].place, Area)
        else _("The cases %(place)s handles") % {"place": post["place"]}
        for post in posts
        if post["open"] and not post["future"]
    ]


def _bars(posts: list[dict[str, Any]], today: date) -> dict[str, Any]:
    """Put on each post where its bar and its leaves lie, in thousandths of the time shown."""
    if not posts:
        return {}
    first = min(post["posting"].valid_from for post in posts)
    ends = [post["posting"].valid_to for post in posts if post["posting"].valid_to]
    last = max([*ends, today]) + max((today - first) / 12, 30 * DAY)
    whole = max((last - first).days, 1)

    def at(day: date) -> int:
        return 1000 * (day - first).days // whole

    for post in posts:
        posting = post["posting"]
        start = at(posting.valid_from)
        post["x"], post["width"] = start, max(at(posting.valid_to or last) - start, 4)
        post["leaves"] = [
            {
                "leave": leave,
                "last_day": leave.away_until - DAY,
                "over": leave.away_until <= today,
                "x": at(leave.away_from),
                "width": max(at(leave.away_until) - at(leave.away_from), 4),
            }
            for leave in posting.leaves.all()
            if leave.away_until > leave.away_from
        ]
    return {"first": first, "last": last, "today": at(today)}


@roles(*roster.KEEPING_ROLES)
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def person_new(request: HttpRequest) -> HttpResponse:
    """Put somebody new on the roster, with a first post."""
    areas = roster.areas_of(request.scope)
    form = forms.NewPersonForm(
        request.POST or None,
        areas=areas,
        kept=roster.kept_roles(request.scope),
        initial={"role": Role.GRID_WORKER, "place": request.GET.get("place", "")},
    )
    if request.method == "POST" and form.is_valid():
        try:
            added = people.add_person(fields=form.person(), post=form.post(), actor=request.user)
        except GeshiError as error:
            put_errors(form, error)
        else:
            messages.success(request, _("%(name)s is on the roster.") % {"name": added})
            return redirect("roster_person", added.pk)
    context = {
        "form": form,
        "title": _("Somebody new"),
        "intro": _("The account cannot sign in before you give it a first password."),
        "back": "/roster/",
    }
    status = 422 if request.method == "POST" else 200
    return render(request, "grids/plain_form.html", context, status=status)


@dataclass(frozen=True)
class _Act:
    """One thing done with a person: its form, and the service it calls.

    ``about`` says what the form is about: "person", "posting" or "leave".
    """

    label: Any
    icon: str
    form: Callable[..., Form]
    do: Callable[[HttpRequest, Any, Any], object]
    done: Any
    about: str = "posting"
    danger: bool = False


def _end(request: HttpRequest, posting: Posting, form: Any) -> object:
    return people.end_posting(
        posting_id=posting.pk,
        day=form.cleaned_data["last_day"] + DAY,
        no_chief_reason=form.cleaned_data["no_chief_reason"],
        actor=request.user,
    )


def _transfer(request: HttpRequest, posting: Posting, form: Any) -> object:
    return people.transfer(
        posting_id=posting.pk,
        post=form.post(),
        no_chief_reason=form.cleaned_data["no_chief_reason"],
        actor=request.user,
    )


def _leave(request: HttpRequest, posting: Posting, form: Any) -> object:
    data = form.cleaned_data
    return leaves.cover_leave(
        posting_id=posting.pk,
        substitute_id=data["substitute"].pk,
        away_from=data["away_from"],
        away_until=data["last_day"] + DAY,
        reason=data["reason"],
        actor=request.user,
    )


def _change(request: HttpRequest, found: User, form: Any) -> object:
    return people.change_person(
        person_id=found.pk,
        fields=form.person(),
        seen=request.POST.get("seen", ""),
        actor=request.user,
    )


def _post_form(form: type[forms.PostForm]) -> Callable[..., Form]:
    def build(request: HttpRequest, about: User | Posting, data: Any) -> Form:
        initial: dict[str, Any] = {"valid_from": timezone.localdate()}
        if isinstance(about, Posting):
            initial |= {"role": about.role, "worker_kind": about.worker_kind}
        kept = roster.kept_roles(request.scope)
        return form(data, areas=roster.areas_of(request.scope), kept=kept, initial=initial)

    return build


ACTS = {
    "change": _Act(
        gettext_lazy("Correct name, phone, ID number"),
        "pencil",
        lambda request, found, data: forms.ChangePersonForm(data, person=found),
        _change,
        gettext_lazy("Saved."),
        about="person",
    ),
    "appoint": _Act(
        gettext_lazy("One more post"),
        "user-plus",
        _post_form(forms.PostForm),
        lambda request, found, form: people.appoint(
            person_id=found.pk, post=form.post(), actor=request.user
        ),
        gettext_lazy("The post is given."),
        about="person",
    ),
    "transfer": _Act(
        gettext_lazy("Transfer"),
        "arrows-exchange",
        _post_form(forms.TransferForm),
        _transfer,
        gettext_lazy("Transferred: one post ended, the other began."),
    ),
    "end": _Act(
        gettext_lazy("End the post"),
        "user-minus",
        lambda request, posting, data: forms.EndForm(data),
        _end,
        gettext_lazy("The post is ended; its history stays."),
        danger=True,
    ),
    "leave": _Act(
        gettext_lazy("Leave with a substitute"),
        "beach",
        lambda request, posting, data: forms.LeaveForm(data, areas=roster.areas_of(request.scope)),
        _leave,
        gettext_lazy("Noted; the substitute holds the post for these days."),
    ),
    "back": _Act(
        gettext_lazy("Back early"),
        "arrow-back-up",
        lambda request, leave, data: forms.BackForm(data),
        lambda request, leave, form: leaves.end_leave(
            leave_id=leave.pk, day=form.cleaned_data["day"], actor=request.user
        ),
        gettext_lazy("The leave is ended, and the substitutes' posts with it."),
        about="leave",
    ),
}


@roles(*roster.KEEPING_ROLES)
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def person_act(request: HttpRequest, pk: int, action: str) -> HttpResponse:
    """Show the form of an act beside the person, or do it and come back."""
    found = _found(request, pk)
    act = ACTS.get(action)
    if act is None:
        raise Http404
    about = _about(request, found, act)
    form = act.form(request, about, request.POST or None)
    status = 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            try:
                act.do(request, about, form)
            except GeshiError as error:
                put_errors(form, error)
                status = error.status if error.status == 409 else 422
            else:
                messages.success(request, act.done)
                return redirect("roster_person", found.pk)
    more = {"act": act, "action": action, "form": form, "about_id": about.pk}
    return _person_page(request, found, more=more, status=status)


def _about(request: HttpRequest, found: User, act: _Act) -> Any:
    """Return what the act is about: the person, a posting or a leave of theirs; 404 otherwise."""
    if act.about == "person":
        return found
    pk = number_in(request.POST.get("of") or request.GET.get("of"))
    if act.about == "leave":
        leave = Leave.objects.filter(pk=pk, posting__user=found).first()
        inside = leave and roster.posting_of(leave.posting_id, roster.areas_of(request.scope))
        if not inside:
            raise Http404
        return leave
    posting = roster.posting_of(pk, roster.areas_of(request.scope))
    if posting is None or posting.user_id != found.pk:
        raise Http404
    return posting


@roles(*roster.KEEPING_ROLES)
@sensitive_post_parameters()
@never_cache
@require_POST
def person_password(request: HttpRequest, pk: int) -> HttpResponse:
    """Give a first password and show it this once."""
    found = _found(request, pk)
    password = people.give_first_password(person_id=found.pk, actor=request.user)
    return _person_page(request, found, more={"password": password})


@roles(*roster.ROSTER_ROLES)
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def chiefless(request: HttpRequest) -> HttpResponse:
    """List the grids without a chief, with why; a keeper marks one."""
    areas = roster.areas_of(request.scope)
    status = 200
    problem = ""
    if request.method == "POST":
        try:
            _mark(request, areas)
        except GeshiError as error:
            problem, status = str(error), error.status
        else:
            messages.success(request, _("The grid is marked."))
            return redirect("roster_chiefless")
    page = keyset_page(roster.chiefless(areas), order=("path",), cursor=request.GET.get("cursor"))
    marks, words = roster.marks_of(page.items), roster.place_words(page.items)
    context = {
        "rows": [(grid, words[grid.pk], marks.get(grid.pk)) for grid in page.items],
        **page_urls(request, page),
        "may_keep": request.scope.has(*roster.KEEPING_ROLES),
        "problem": problem,
    }
    return render(request, "grids/roster_chiefless.html", context, status=status)


def _mark(request: HttpRequest, areas: tuple[Area, ...]) -> None:
    grid = roster.place_of_code(request.POST.get("grid", ""), areas)
    if grid is None:
        raise Http404
    people.mark_without_chief(
        grid=grid, reason=request.POST.get("no_chief_reason", ""), actor=request.user
    )
