"""Ten-household units of a village in bulk: numbers, preview on the map, then all or none.

What must not live here: rules and cutting (services/ten_households.py).
"""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import require_http_methods, require_safe

from core.errors import Conflict, GeshiError, Invalid
from grids.access import roles
from grids.models import Area, Level
from grids.queries import tree_map
from grids.queries.reach import TERRITORY_ROLES
from grids.services import ten_households as service
from grids.views.coverage import ground
from grids.views.territory import as_geojson, kept_area

# The inputs of the form are named so, with the id of their grid.
FIELD = "n_"


def _village(request: HttpRequest, pk: int) -> Area:
    village = kept_area(request, pk)
    if village.level != Level.VILLAGE:
        raise Invalid(_("Units in bulk are made for an open village."))
    return village


@roles(*TERRITORY_ROLES)
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def territory_units(request: HttpRequest, pk: int) -> HttpResponse:
    """Numbers for each grid (``?total=`` shares them out) with a preview; POST makes the units."""
    village = _village(request, pk)
    grids = service.grids_to_cut(village)
    given, wrong = _counts(request.POST if request.method == "POST" else request.GET, grids)
    if request.method == "POST":
        if wrong:
            return _page(request, village, grids, given, error=wrong, status=422)
        try:
            made = service.make_units(
                village_id=village.pk,
                counts={pk: int(n) for pk, n in given.items()},
                actor=request.user,
                seen=request.POST.get("seen"),
            )
        except GeshiError as error:
            status = 409 if isinstance(error, Conflict) else 422
            return _page(request, village, grids, given, error=str(error), status=status)
        _say(request, made)
        return redirect(f"{reverse('territory')}?area={village.pk}")
    return _page(request, village, grids, given, error=wrong)


def _say(request: HttpRequest, made: service.Made) -> None:
    n = made.units
    said = ngettext("%(n)s unit made.", "%(n)s units made.", n) % {"n": n}
    if made.placed:
        n = made.placed
        said += " " + ngettext(
            "%(n)s household was put into its unit by its point.",
            "%(n)s households were put into their units by their points.",
            n,
        ) % {"n": n}
    messages.success(request, said)
    if made.unplaced:
        n = made.unplaced
        left = ngettext(
            "%(n)s household without a point stays in its grid; put it into its unit by hand.",
            "%(n)s households without a point stay in their grids; put them into units by hand.",
            n,
        )
        messages.warning(request, left % {"n": n})


def _counts(data: QueryDict, grids: list[service.GridToCut]) -> tuple[dict[int, Any], str]:
    """Return {grid id: what was typed, or suggested} and what is wrong with it ("" if nothing)."""
    free = [one.grid.pk for one in grids if not one.left_alone]
    typed = {pk: data[f"{FIELD}{pk}"].strip() for pk in free if f"{FIELD}{pk}" in data}
    total = data.get("total", "").strip()
    if typed and not data.get("share"):
        most = service.UNITS_MOST
        bad = [
            n for n in typed.values() if not (n.isascii() and n.isdigit() and int(n[:4]) <= most)
        ]
        told = _("A grid has 1 to %(most)s units.") % {"most": most} if bad else ""
        return typed, told
    if total and not (total.isascii() and total.isdigit() and len(total) < 5):
        return dict(service.suggested(grids)), _("Say the number of units in digits.")
    return dict(service.suggested(grids, int(total) if total else None)), ""


def _page(
    request: HttpRequest,
    village: Area,
    grids: list[service.GridToCut],
    given: dict[int, Any],
    *,
    error: str = "",
    status: int = 200,
) -> HttpResponse:
    asked = "&".join(f"{FIELD}{pk}={n}" for pk, n in given.items())
    rows = [
        {"one": one, "field": f"{FIELD}{one.grid.pk}", "n": given.get(one.grid.pk, "")}
        for one in grids
    ]
    parts: dict[int, list[Any]] = {}
    if given and not error:
        try:
            parts = service.cut_up(grids, {pk: int(n) for pk, n in given.items()})
        except Invalid as refusal:
            error, status = str(refusal), 422
    for row in rows:
        sizes = [part.square_metres for part in parts.get(row["one"].grid.pk, [])]
        row["size"] = ground(sum(sizes) / len(sizes)) if sizes else ""
    context = {
        "area": village,
        "rows": rows,
        "error": error,
        "total": sum(len(pieces) for pieces in parts.values()),
        "cut": len(parts),
        "seen": request.POST.get("seen") if status == 422 else service.stamp(grids),
        "bounds": tree_map.bounds_of(village),
        "preview": f"{reverse('territory_units_map', args=[village.pk])}?{asked}",
        "back": f"{reverse('territory')}?area={village.pk}",
    }
    return render(request, "grids/units.html", context, status=status)


@roles(*TERRITORY_ROLES)
@never_cache
@gzip_page
@require_safe
def territory_units_map(request: HttpRequest, pk: int) -> HttpResponse:
    """GeoJSON of the village and its grids, and of the units that would be made."""
    village = _village(request, pk)
    grids = service.grids_to_cut(village)
    features = [one for one in tree_map.features_of(village) if one["role"] in {"self", "child"}]
    given, wrong = _counts(request.GET, grids)
    if any(str(n) != "0" for n in given.values()) and not wrong:
        names = {one.grid.pk: one.grid.name for one in grids}
        cut = service.cut_up(grids, {pk: int(n) for pk, n in given.items()})
        features += [
            {"role": "part", "name": service.unit_name(names[pk], number), "shape": part.geojson}
            for pk, parts in cut.items()
            for number, part in enumerate(parts, 1)
        ]
    return as_geojson(features)
