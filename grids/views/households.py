"""The ledger of households at the desk: list, one household, and what its keepers do.

What must not live here: visits on the phone (visits.py), coverage (visit_coverage.py), and
whatever changes a household (services/households.py).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.forms import Form
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from core.errors import GeshiError, Invalid, NotAllowed
from core.form_errors import put_errors
from core.sheets.reading import MAX_ROWS
from core.sheets.writing import listing
from core.web import number_in, page_urls
from grids.access import roles
from grids.forms import households as forms
from grids.models import NEVER, Area, Household, Level, User
from grids.models.household import (
    KEEPERS_OF_LEDGER,
    LEDGER_READERS,
    LINE,
    LINKS_LEAST,
    LINKS_MOST,
)
from grids.queries import households as ledger
from grids.queries import names_of, visits
from grids.services import household_sheet, reveal
from grids.services import households as service
from grids.views.sheets import sheet_urls, workbook

SHOW_LABELS = {
    "": gettext_lazy("Living here"),
    "overdue": gettext_lazy("Visit overdue"),
    "unlinked": gettext_lazy("Linked by nobody"),
    "review": gettext_lazy("Care tag to be reviewed"),
    "moved_out": gettext_lazy("Moved out"),
}
WORDS_LIMIT = 40


@roles(*LEDGER_READERS)
@never_cache
@require_safe
def households(request: HttpRequest) -> HttpResponse:
    """List the households of the reader's areas, 50 a page, by what is asked for."""
    today = timezone.localdate()
    areas = ledger.posted_areas(request.scope, LEDGER_READERS)
    filters = read_filters(request, areas)
    page = ledger.ledger_page(areas, filters, today=today, cursor=request.GET.get("cursor"))
    asked = request.GET.copy()
    asked.pop("cursor", None)
    context = {
        "rows": ledger.as_rows(page.items, today=today),
        "areas": areas,
        "filters": filters,
        "tags": [(tag.pk, tag.label) for tag in ledger.active_tags()],
        "shows": SHOW_LABELS.items(),
        "today": today,
        "never": NEVER,
        "asked": asked.urlencode(),
        "may_keep": request.scope.has(*KEEPERS_OF_LEDGER),
    } | page_urls(request, page)
    return render(request, "grids/households.html", context)


def read_filters(request: HttpRequest, areas: list[Area]) -> ledger.Filters:
    """Return what the address asks for; an area outside ``areas`` is 404."""
    asked = request.GET
    area = None
    if asked.get("area"):
        area = inside(asked["area"], areas)
    show = asked.get("show", "")
    return ledger.Filters(
        area=area,
        tag_id=number_in(asked.get("tag")) or None,
        show=show if show in ledger.SHOWN else "",
        words=asked.get("words", "").replace("\x00", "").strip()[:WORDS_LIMIT],
    )


def inside(key: str, areas: list[Area]) -> Area:
    """Return the area of this id if it lies in ``areas``, else 404 (1 query)."""
    found = ledger.area_within(areas, key)
    if found is None:
        raise Http404
    return found


def _found(request: HttpRequest, pk: int) -> Household:
    found = ledger.visible_households(request.scope, LEDGER_READERS).filter(pk=pk).first()
    if found is None:
        raise Http404
    return found


@roles(*LEDGER_READERS)
@never_cache
@require_safe
def household(request: HttpRequest, pk: int) -> HttpResponse:
    """Show one household: what is known, care, links, and to its line the diary."""
    return _page(request, _found(request, pk))


def _page(
    request: HttpRequest, found: Household, *, more: dict[str, Any] | None = None, status: int = 200
) -> HttpResponse:
    today = timezone.localdate()
    scope, user = request.scope, request.user
    line = ledger.looks_after(scope, found, LINE)
    may_keep = ledger.looks_after(scope, found, KEEPERS_OF_LEDGER) and not found.moved_out_on
    links = ledger.links_on(found, today)
    counts = ledger.linked_count([link.member_id for link in links], today)
    page = visits.diary_page(found, cursor=request.GET.get("cursor"))
    names = names_of([found.town_id, found.village_id, found.grid_id, found.unit_id])
    context = {
        "household": found,
        "title": found.address,
        "place": f"{names[found.town_id]} · {ledger.place_of(found, names)}",
        "contact": reveal.box("household", found.pk, "contact", found, user=user, scope=scope),
        "phone": reveal.box("household", found.pk, "phone", found, user=user, scope=scope),
        "care": ledger.care_of(found) if line else ledger.open_care(household_ids=[found.pk]),
        "links": [_link_shown(link, counts[link.member_id]) for link in links],
        "heads": ledger.unit_heads(found.unit_id),
        "visits": page.items,
        "line": line,
        "may_keep": may_keep,
        "actions": ACTIONS.values() if may_keep else [],
        "today": today,
        "never": NEVER,
        **page_urls(request, page),
        **(more or {}),
    }
    return render(request, "grids/household.html", context, status=status)


def _link_shown(link: Any, count: int) -> dict[str, Any]:
    """Return a link with how many the member has; outside five to eight it warns."""
    few = count < LINKS_LEAST
    return {
        "link": link,
        "count": count,
        "warning": _("links %(n)s; five to eight is usual") % {"n": count} if few else "",
        "full": count == LINKS_MOST,
    }


@roles(*KEEPERS_OF_LEDGER)
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def household_new(request: HttpRequest) -> HttpResponse:
    """Put a household into a unit or grid of the reader's own; a big area picks a village first."""
    areas = ledger.posted_areas(request.scope, KEEPERS_OF_LEDGER)
    villages = ledger.villages_in(areas)
    village = _chosen_village(request, villages)
    places = _places(village, areas)
    form = forms.NewHouseholdForm(request.POST or None, places=places)
    if request.method == "POST":
        if form.is_valid():
            try:
                area = Area.objects.only("pk").get(pk=form.cleaned_data["area"])
                added = service.add_household(
                    area=area, fields=form.fields_given(), actor=request.user
                )
            except Invalid as error:
                put_errors(form, error)
            else:
                messages.success(request, _("The household is on the list."))
                return redirect("household", added.pk)
        return _new_page(request, form, villages, village, status=422)
    return _new_page(request, form, villages, village)


def _new_page(
    request: HttpRequest, form: Form, villages: list[Area], village: Area | None, status: int = 200
) -> HttpResponse:
    context = {
        "form": form,
        "villages": [(area.pk, area.name) for area in villages] if len(villages) > 1 else [],
        "village": village,
    }
    return render(request, "grids/household_new.html", context, status=status)


def _chosen_village(request: HttpRequest, villages: list[Area]) -> Area | None:
    wanted = request.POST.get("village") or request.GET.get("village", "")
    chosen = next((area for area in villages if str(area.pk) == wanted), None)
    return chosen or (villages[0] if villages else None)


def _places(village: Area | None, areas: list[Area]) -> list[tuple[int, str]]:
    """Return (id, name) of the places to live in a village that lie in the reader's areas."""
    if village is None:
        return []
    found = [
        place
        for place in ledger.places_to_live(village)
        if any(place.path.startswith(area.path) for area in areas)
    ]
    grids = {area.path: area.name for area in Area.objects.filter(path__in=_above(found))}
    return [
        (place.pk, " · ".join(filter(None, [grids.get(place.path[: -Area.steplen]), place.name])))
        if place.level == Level.UNIT
        else (place.pk, place.name)
        for place in found
    ]


def _above(units: list[Area]) -> set[str]:
    return {unit.path[: -Area.steplen] for unit in units if unit.level == Level.UNIT}


@dataclass(frozen=True)
class Action:
    """One thing a keeper does with a household: its form, and the service it calls."""

    name: str
    label: Any
    icon: str
    form: Callable[..., Form]
    do: Callable[[HttpRequest, Household, Form], object]
    done: Any
    danger: bool = False


def _seen(request: HttpRequest) -> int:
    return number_in(request.POST.get("seen"))


def _part(request: HttpRequest, name: str) -> int:
    """Return the id of the care or link the form is about; 0 finds none."""
    return number_in(request.POST.get(name) or request.GET.get(name))


def _move(request: HttpRequest, found: Household, form: Form) -> object:
    area = Area.objects.only("pk").get(pk=form.cleaned_data["area"])
    return service.move_household(
        household_id=found.pk, area=area, seen=_seen(request), actor=request.user
    )


def _link(request: HttpRequest, found: Household, form: Form) -> object:
    member = User.objects.get(pk=form.cleaned_data["member"])
    return service.link_household(household_id=found.pk, member=member, actor=request.user)


def _move_form(request: HttpRequest, found: Household, data: Any) -> Form:
    areas = ledger.posted_areas(request.scope, KEEPERS_OF_LEDGER)
    villages = ledger.villages_in(areas)
    home = next((area for area in villages if area.pk == found.village_id), None)
    village = _chosen_village(request, villages) if request.GET.get("village") else home
    places = [place for place in _places(village, areas) if place[0] != found.place_id]
    return forms.MoveForm(data, places=places)


def _lists(request: HttpRequest) -> list[tuple[str, Sequence[str], Iterable[Sequence[str]]]]:
    """Return the codes a template is filled in with."""
    areas = ledger.posted_areas(request.scope, KEEPERS_OF_LEDGER)
    heads = [_("Unit or grid code"), _("Place")]
    return [(_("Codes of places"), heads, household_sheet.codes_out(areas))]


SHEET_URLS = sheet_urls(
    kind=household_sheet.SHEET,
    at="households/sheet/",
    name="households_sheet",
    allowed=KEEPERS_OF_LEDGER,
    back="households",
    lists=_lists,
)


@roles(*KEEPERS_OF_LEDGER)
@never_cache
@require_safe
def households_workbook(request: HttpRequest) -> HttpResponse:
    """Hand out the list as a workbook that can be uploaded again; names and phones masked."""
    areas = ledger.posted_areas(request.scope, KEEPERS_OF_LEDGER)
    found = ledger.narrowed(areas, read_filters(request, areas), today=timezone.localdate())
    n = found.count()
    if n > MAX_ROWS:
        told = _(
            "A sheet holds %(most)s households, these are %(n)s. Choose less, or take the CSV."
        )
        messages.error(request, told % {"most": f"{MAX_ROWS:,}", "n": f"{n:,}"})
        return redirect(f"{reverse('households')}?{request.GET.urlencode()}")
    columns = household_sheet.columns(request.user)
    rows = list(household_sheet.rows_out(found.order_by("pk")))
    household_sheet.record_export(households=len(rows), actor=request.user)
    title = _("Households")
    return workbook(listing(title, columns, rows), title)


ACTIONS = {
    action.name: action
    for action in (
        Action(
            "change",
            gettext_lazy("Correct"),
            "pencil",
            lambda request, found, data: forms.ChangeForm(data, household=found),
            lambda request, found, form: service.change_household(
                household_id=found.pk,
                fields=form.fields_given(),
                seen=_seen(request),
                actor=request.user,
            ),
            gettext_lazy("Saved."),
        ),
        Action(
            "tag",
            gettext_lazy("Give a care tag"),
            "heart-plus",
            lambda request, found, data: forms.TagForm(data),
            lambda request, found, form: service.tag_household(
                household_id=found.pk, actor=request.user, **form.cleaned_data
            ),
            gettext_lazy("The care tag is given; visits follow its rule."),
        ),
        Action(
            "link",
            gettext_lazy("Link a member"),
            "users-plus",
            lambda request, found, data: forms.LinkForm(data, people=ledger.people_near(found)),
            _link,
            gettext_lazy("The member links this household now."),
        ),
        Action(
            "move",
            gettext_lazy("Move to another place"),
            "arrows-move",
            _move_form,
            _move,
            gettext_lazy("The household has moved."),
        ),
        Action(
            "move_out",
            gettext_lazy("Note that it moved out"),
            "door-exit",
            lambda request, found, data: forms.MoveOutForm(data),
            lambda request, found, form: service.move_out(
                household_id=found.pk,
                on=form.cleaned_data["on"],
                seen=_seen(request),
                actor=request.user,
            ),
            gettext_lazy("Noted; no visit is due any more."),
            danger=True,
        ),
    )
}
# Steps on one care tag or one link, taken where it stands.
PARTS = {
    "review_care": Action(
        "review_care",
        gettext_lazy("Reason still holds"),
        "refresh",
        lambda request, found, data: forms.ReviewForm(data),
        lambda request, found, form: service.review_care(
            care_id=_part(request, "care"),
            household_id=found.pk,
            reason=form.cleaned_data["reason"],
            actor=request.user,
        ),
        gettext_lazy("Reviewed; the next review day is set."),
    ),
    "end_care": Action(
        "end_care",
        gettext_lazy("Take the tag away"),
        "heart-minus",
        lambda request, found, data: Form(data),
        lambda request, found, form: service.end_care(
            care_id=_part(request, "care"), household_id=found.pk, actor=request.user
        ),
        gettext_lazy("The care tag has ended."),
        danger=True,
    ),
    "unlink": Action(
        "unlink",
        gettext_lazy("End the link"),
        "users-minus",
        lambda request, found, data: Form(data),
        lambda request, found, form: service.unlink_household(
            link_id=_part(request, "link"), household_id=found.pk, actor=request.user
        ),
        gettext_lazy("The link has ended."),
        danger=True,
    ),
}


@roles(*LEDGER_READERS)
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def household_do(request: HttpRequest, pk: int, action: str) -> HttpResponse:
    """Show the form of one step on the household's page, or take it; back to the page after it.

    Whoever may only look on is refused (403). 422 with what was typed when it cannot be taken,
    409 when somebody else was first.
    """
    found = _found(request, pk)
    step = (ACTIONS | PARTS).get(action)
    if step is None:
        raise Http404
    if not ledger.looks_after(request.scope, found, KEEPERS_OF_LEDGER):
        raise NotAllowed(service.NOT_YOUR_LEDGER)
    post = request.method == "POST"
    form = step.form(request, found, request.POST if post else None)
    status = 200
    if post:
        status = 422
        if form.is_valid():
            try:
                step.do(request, found, form)
            except NotAllowed:
                raise
            except GeshiError as error:
                put_errors(form, error)
                status = 422 if isinstance(error, Invalid) else error.status
            else:
                messages.success(request, step.done)
                return redirect("household", found.pk)
    more = {
        "step": step,
        "form": form,
        "care_id": _part(request, "care") or "",
        "link_id": _part(request, "link") or "",
        "seen": _seen(request) or found.version,
        "act_url": reverse("household_do", args=[found.pk, action]),
    }
    return _page(request, found, more=more, status=status)
