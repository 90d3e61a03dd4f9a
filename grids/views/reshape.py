"""Acts on one area, a page for each: what is typed or drawn, told faults, then one service.

What must not live here: rules (services/reshaping.py), units in bulk (views/units.py).
"""

import json
from collections.abc import Callable, Collection
from typing import Any

import shapely
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from core.errors import Conflict, GeshiError, Invalid
from core.form_errors import put_errors
from core.web import number_in
from grids import closing
from grids.access import roles
from grids.forms import territory as forms
from grids.models import SHAPES, Area, Level
from grids.queries import tree_map
from grids.queries.coverage import shape_of_fault
from grids.queries.reach import TERRITORY_ROLES
from grids.queries.shapes import ShapeReport, cut, fitted
from grids.services import reshaping
from grids.services.boundary_file import read_shape
from grids.services.drawn import read_line
from grids.views.coverage import ground as size_of
from grids.views.territory import ADDED_BELOW, kept_area

Answer = HttpResponse


def _act(view: Callable[..., Answer]) -> Callable[..., Answer]:
    """Open a page of an act to those who keep the territory; GET shows, POST does."""
    methods = require_http_methods(["GET", "HEAD", "POST"])
    return roles(*TERRITORY_ROLES)(never_cache(methods(view)))


def _taken(request: HttpRequest, pk: int, levels: Collection[str]) -> Area:
    """Return an area the reader keeps, of one of these levels. Raises Invalid."""
    area = kept_area(request, pk)
    if area.level not in levels:
        raise Invalid(_("This cannot be done with “%(name)s”."), name=area.name)
    return area


@_act
def territory_describe(request: HttpRequest, pk: int) -> Answer:
    """Name, kind, organisation."""
    area = _taken(request, pk, reshaping.DESCRIBABLE)
    given = {
        "name": area.name,
        "grid_kind": area.grid_kind,
        "organisation": area.organisation,
        "seen": area.version,
    }
    form = forms.DescribeForm(request.POST or None, initial=given, level=area.level)
    page = {"title": _("Name and kind"), "submit": _("Save")}

    def save() -> Area:
        return reshaping.describe(
            area_id=area.pk, described=form.described(), **_who(request, form)
        )

    return _answer(request, area, form, page, save, _("Saved."))


@_act
def territory_add(request: HttpRequest, pk: int) -> Answer:
    """A new grid of a village, or unit of a grid."""
    parent = _taken(request, pk, ADDED_BELOW)
    level = ADDED_BELOW[Level(parent.level)]
    is_grid = level == Level.GRID
    form = forms.AddForm(request.POST or None, level=level)
    word = _("New grid") if is_grid else _("New ten-household unit")
    page = _drawn(parent, below=True) | {"title": word, "submit": _("Save")}

    def save() -> Area:
        add = reshaping.add_grid if is_grid else reshaping.add_unit
        return add(
            **{"village_id" if is_grid else "grid_id": parent.pk},
            described=form.described(),
            shape=_shape_of(form),
            accept=form.cleaned_data["accept"],
            actor=request.user,
        )

    return _answer(request, parent, form, page, save, _("Added."), ground=(level, parent, None))


@_act
def territory_draw(request: HttpRequest, pk: int) -> Answer:
    """Draw or correct a boundary."""
    area = _taken(request, pk, reshaping.DRAWABLE)
    whole = Area.objects.get(pk=pk)
    given = {
        "seen": area.version,
        "shape": _as_text(bytes(whole.boundary.wkb)) if whole.boundary else "",
    }
    form = forms.ShapeForm(request.POST or None, initial=given)
    page = _drawn(area) | {"title": _("Boundary"), "submit": _("Save")}

    def save() -> Area:
        return reshaping.draw(
            area_id=area.pk,
            shape=_shape_of(form),
            accept=form.cleaned_data["accept"],
            **_who(request, form),
        )

    ground = (area.level, reshaping.parent_of(area), area)
    return _answer(request, area, form, page, save, _("The boundary was saved."), ground=ground)


@_act
def territory_split(request: HttpRequest, pk: int) -> Answer:
    """Cut a grid by a line: first the parts are shown and named, then it is done."""
    area = _taken(request, pk, {Level.GRID})
    form = forms.SplitForm(request.POST or None, initial={"seen": area.version})
    page = _drawn(area) | {
        "mode": "line",
        "title": _("Split"),
        "submit": _("Show the parts"),
        "intro": _(
            "Draw a line across the grid that begins and ends outside it. The largest part keeps "
            "the code, the people in post and ended cases. Units, households and open cases go "
            "where their middle or their point lies; what has no point stays."
        ),
    }
    if not form.is_valid():
        return _page(request, area, form, page)
    try:
        line = read_line(form.cleaned_data["line"])
        pieces = cut(area, line)
    except GeshiError as error:
        return _refused(request, area, form, page, error)
    names = form.given_names()
    names = [names[n] if n < len(names) else f"{area.name}-{n + 2}" for n in range(len(pieces) - 1)]
    page |= {
        "submit": _("Split"),
        "parts": [
            {"size": size_of(piece.square_metres), "name": name, "number": number}
            for number, (piece, name) in enumerate(zip(pieces, [area.name, *names], strict=True), 1)
        ],
        "pieces": [{"role": "part", "shape": piece.geojson} for piece in pieces],
    }
    if "do" not in request.POST:
        return _page(request, area, form, page)

    def save() -> Area:
        # The first new grid: nobody works there yet, and its page says so.
        return reshaping.split(area_id=area.pk, line=line, names=names, **_who(request, form))[1]

    said = _("The grid was split. People in post stay with the largest part; the new one has none.")
    return _answer(request, area, form, page, save, said)


@_act
def territory_merge(request: HttpRequest, pk: int) -> Answer:
    """Merge other grids of the village into this one."""
    area = _taken(request, pk, {Level.GRID})
    beside = Area.objects.open().filter(path__startswith=area.path[: -Area.steplen])
    grids = list(beside.filter(level=Level.GRID).exclude(pk=area.pk).defer(*SHAPES))
    form = forms.MergeForm(request.POST or None, initial={"seen": area.version}, grids=grids)
    page = {
        "title": _("Merge"),
        "submit": _("Merge"),
        "confirm": _("Merge the chosen grids into this one? They are closed for good."),
        "map": reverse("territory_map", args=[area.pk]),
        "intro": _(
            "The chosen grids are closed and their codes lead to this one. Units, cases, disputes, "
            "households, people in post and duties go over to it."
        ),
    }

    def save() -> Area:
        others = form.cleaned_data["others"]
        return reshaping.merge(kept_id=area.pk, other_ids=others, **_who(request, form))

    return _answer(request, area, form, page, save, _("The grids were merged."))


@_act
def territory_move(request: HttpRequest, pk: int) -> Answer:
    """Move a grid to another village of the town."""
    area = _taken(request, pk, {Level.GRID})
    town = area.path[: -2 * Area.steplen]
    villages = Area.objects.open().filter(path__startswith=town, level=Level.VILLAGE)
    others = villages.exclude(path=area.path[: -Area.steplen]).defer(*SHAPES)
    form = forms.MoveForm(
        request.POST or None, initial={"seen": area.version}, villages=list(others)
    )
    page = {
        "title": _("Move"),
        "submit": _("Move"),
        "map": reverse("territory_map", args=[area.pk]),
        "intro": _(
            "The grid and its units get codes of the new village; the old codes keep leading to "
            "them. Cases, disputes and households go along."
        ),
    }

    def save() -> Area:
        return reshaping.move(
            area_id=area.pk,
            village_id=form.cleaned_data["village"],
            accept=form.cleaned_data["accept"],
            **_who(request, form),
        )

    return _answer(request, area, form, page, save, _("The grid was moved; its code is new."))


@_act
def territory_close(request: HttpRequest, pk: int) -> Answer:
    """Close an area, after saying what stands in the way."""
    area = _taken(request, pk, reshaping.CLOSABLE)
    form = forms.SeenForm(request.POST or None, initial={"seen": area.version})
    page = {
        "title": _("Close this area"),
        "submit": _("Close this area"),
        "danger": True,
        "confirm": _("Close “%(name)s” from today?") % {"name": area.name},
        "obstacles": [] if area.closed_on else closing.obstacles(area),
        "intro": _(
            "A closed area stays readable, its code is never given again, and it can be opened "
            "again."
        ),
    }

    def save() -> Area:
        return reshaping.close(area_id=area.pk, **_who(request, form))

    return _answer(request, area, form, page, save, _("It is closed from today."))


@_act
def territory_reopen(request: HttpRequest, pk: int) -> Answer:
    """Open a closed area again."""
    area = _taken(request, pk, reshaping.CLOSABLE)
    form = forms.SeenForm(request.POST or None, initial={"seen": area.version})
    page = {"title": _("Open again"), "submit": _("Open again")}

    def save() -> Area:
        return reshaping.reopen(area_id=area.pk, **_who(request, form))

    return _answer(request, area, form, page, save, _("It is open again."))


# ------------------------------------------------------------------ what the acts share


def _who(request: HttpRequest, form: Any) -> dict[str, Any]:
    return {"actor": request.user, "seen": form.cleaned_data.get("seen")}


def _answer(
    request: HttpRequest,
    area: Area,
    form: Any,
    page: dict[str, Any],
    save: Callable[[], Area],
    said: str,
    *,
    ground: tuple[str, Area, Area | None] | None = None,
) -> Answer:
    """Show the page of an act, or carry it out; what is typed or drawn wrong is not lost.

    ``ground`` is what a boundary is drawn on: level, parent, and the area itself if it exists.
    """
    if not form.is_valid():
        return _page(request, area, form, page)
    try:
        if ground is not None and "fit" in request.POST:
            return _fit(request, area, form, page, ground)
        saved = save()
    except reshaping.Doubtful as doubt:
        page |= {"doubt": told(doubt.report), "pieces": _doubted(doubt.report)}
        if ground is not None:
            form = _with_shape(form, _shape_of(form))
        return _page(request, area, form, page, status=422)
    except GeshiError as error:
        return _refused(request, area, form, page, error)
    messages.success(request, said)
    return redirect(_address(saved))


def _fit(
    request: HttpRequest,
    area: Area,
    form: Any,
    page: dict[str, Any],
    ground: tuple[str, Area, Area | None],
) -> Answer:
    """Cut the drawn boundary back to free ground and show it, not saved yet."""
    level, parent, own = ground
    shape = _shape_of(form)
    free = fitted(shape, level=level, parent=parent, own=own) if shape else None
    if free is None:
        raise Invalid(_("Nothing would be left of it."), field="shape")
    page |= {"notice": _("Cut back to the free ground. Look at it, then save.")}
    return _page(request, area, _with_shape(form, free), page)


def _page(
    request: HttpRequest, area: Area, form: Any, page: dict[str, Any], *, status: int = 200
) -> Answer:
    if form.is_bound and form.errors and status == 200:
        status = 422
    context = {
        "area": area,
        "bounds": tree_map.bounds_of(area),
        "back": _address(area),
        "form": form,
        "pieces": _fault_asked_for(request, area),
        **page,
    }
    return render(request, "grids/reshape.html", context, status=status)


def _fault_asked_for(request: HttpRequest, area: Area) -> list[dict[str, str]]:
    """Return the piece the coverage audit found (``?fault=``), to be shown in view."""
    number = number_in(request.GET.get("fault"))
    shape = shape_of_fault(number, area) if number else None
    return [{"role": "fault", "shape": shape}] if shape else []


def _refused(
    request: HttpRequest, area: Area, form: Any, page: dict[str, Any], error: GeshiError
) -> Answer:
    put_errors(form, error)
    return _page(request, area, form, page, status=409 if isinstance(error, Conflict) else 422)


def _shape_of(form: Any) -> bytes | None:
    """Return what was drawn as WKB in WGS-84, None for nothing. Raises Invalid."""
    data = form.cleaned_data
    if not data["shape"].strip():
        return None
    return read_shape(data["shape"], system=data["system"] or "wgs84")


def _with_shape(form: Any, wkb: bytes | None) -> Any:
    """Return the form as typed, with the boundary in WGS-84 so that it is converted once only."""
    data: QueryDict = form.data.copy()
    data["shape"] = _as_text(wkb) if wkb else ""
    data["system"] = "wgs84"
    again = type(form)(data, **({"level": form.level} if hasattr(form, "level") else {}))
    again.is_valid()
    return again


def _drawn(area: Area, *, below: bool = False) -> dict[str, Any]:
    url = reverse("territory_ground", args=[area.pk])
    return {"mode": "shape", "map": f"{url}?below=1" if below else url}


def told(report: ShapeReport) -> dict[str, Any]:
    """Return a doubtful boundary in words: sizes in m² and mu."""
    lines = []
    if report.outside:
        lines.append(_("%(size)s lie outside the area above.") % {"size": size_of(report.outside)})
    if report.below:
        lines.append(
            _("%(size)s of its units would lie outside.") % {"size": size_of(report.below)}
        )
    lines += [
        _("%(size)s overlap “%(name)s” (%(code)s).")
        % {"size": size_of(one.square_metres), "name": one.name, "code": one.code}
        for one in report.overlaps
    ]
    return {"lines": lines, "digest": report.digest}


def _doubted(report: ShapeReport) -> list[dict[str, str]]:
    pieces = [{"role": "fault", "shape": one.piece} for one in report.overlaps]
    if report.outside_piece:
        pieces.append({"role": "fault", "shape": report.outside_piece})
    return pieces


def _as_text(wkb: bytes) -> str:
    """Return GeoJSON with every digit: what comes back is byte by byte what went out."""
    return json.dumps(shapely.geometry.mapping(shapely.from_wkb(wkb)), separators=(",", ":"))


def _address(area: Area) -> str:
    return f"{reverse('territory')}?area={area.pk}"
