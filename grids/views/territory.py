"""Browsing the territory: the tree, the map beside it, the facts of one area.

What lives here: looking. What must not: acts (views/reshape.py), alliances and themes
(views/network.py), coverage and files of boundaries.
"""

import json
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import require_safe

from core.errors import NotAllowed
from grids.access import roles
from grids.models import Area, Level
from grids.queries import tree, tree_map
from grids.queries.reach import TERRITORY_ROLES, Reach
from grids.queries.tree import LOOKERS

ADDED_BELOW = {Level.VILLAGE: Level.GRID, Level.GRID: Level.UNIT}


def seen_area(request: HttpRequest, pk: int | str) -> Area:
    """Return an area the reader may look at, without shapes; else 404 (1 query)."""
    if not str(pk).isascii() or not str(pk).isdigit() or len(str(pk)) > 18:
        raise Http404
    area = tree.seen_areas(request.scope).filter(pk=pk).first()  # type: ignore[attr-defined]
    if area is None:
        raise Http404
    return area


def kept_area(request: HttpRequest, pk: int | str) -> Area:
    """Return an area the reader keeps; 404 out of sight, 403 in sight only (1 query)."""
    area = seen_area(request, pk)
    if not Reach.of(request.scope).covers(area):  # type: ignore[attr-defined]
        raise NotAllowed
    return area


@roles(*LOOKERS)
@never_cache
@require_safe
def territory(request: HttpRequest) -> HttpResponse:
    """Show the tree open at one area (``?area=``, else the reader's own), map and facts."""
    scope = request.scope  # type: ignore[attr-defined]
    roots = tree.roots_of(scope)
    asked = request.GET.get("area") or (roots[0].pk if roots else None)
    area = seen_area(request, asked) if asked else None
    text = request.GET.get("q", "")
    context = {
        "tab": "tree",
        "only_looks": not scope.has(*TERRITORY_ROLES),
        "q": text,
        "found": tree.search(scope, text) if text else None,
        "roots": [_branch(root, area) for root in roots],
        **(_facts(request, area) if area else {}),
    }
    return render(request, "grids/territory.html", context)


def _branch(area: Area, chosen: Area | None) -> dict[str, Any]:
    """Return a row of the tree, open along the way to the chosen area and at it."""
    on_way = chosen is not None and chosen.path.startswith(area.path)
    children = [_branch(child, chosen) for child in tree.children_of(area)] if on_way else []
    return {"area": area, "open": on_way, "children": children, "chosen": chosen == area}


@roles(*LOOKERS)
@never_cache
@require_safe
def territory_children(request: HttpRequest, pk: int) -> HttpResponse:
    """Rows below an area, for a branch that is opened."""
    area = seen_area(request, pk)
    rows = [{"area": child} for child in tree.children_of(area)]
    return render(request, "grids/_branches.html", {"rows": rows})


@roles(*LOOKERS)
@never_cache
@require_safe
def territory_search(request: HttpRequest) -> HttpResponse:
    """What is found by name or code."""
    text = request.GET.get("q", "")
    found = tree.search(request.scope, text) if text.strip() else None  # type: ignore[attr-defined]
    return render(request, "grids/_found.html", {"found": found, "q": text})


@roles(*LOOKERS)
@never_cache
@require_safe
def territory_area(request: HttpRequest, pk: int) -> HttpResponse:
    """The facts of one area, for the right side of the page."""
    return render(request, "grids/_area.html", _facts(request, seen_area(request, pk)))


def _facts(request: HttpRequest, area: Area) -> dict[str, Any]:
    scope = request.scope  # type: ignore[attr-defined]
    kept = Reach.of(scope).covers(area)
    village = area.level == Level.VILLAGE
    return {
        "area": area,
        "way": [above for above in tree.way_to(area) if _in_sight(above, scope)],
        "facts": tree.facts_of(area),
        "bounds": tree_map.bounds_of(area),
        "kept": kept,
        "open": area.closed_on is None,
        "adds": ADDED_BELOW.get(Level(area.level)),
        "is_grid": area.level == Level.GRID,
        "is_village": village,
        "may_draw": area.level in {Level.VILLAGE, Level.GRID, Level.UNIT},
        "may_describe": area.level in {Level.TOWN, Level.VILLAGE, Level.GRID, Level.UNIT},
    }


def _in_sight(area: Area, scope: Any) -> bool:
    return any(area.path.startswith(root.path) for root in tree.roots_of(scope))


@roles(*LOOKERS)
@never_cache
@gzip_page
@require_safe
def territory_map(request: HttpRequest, pk: int) -> HttpResponse:
    """GeoJSON of an area, its parent, siblings and children, each with its ``role``."""
    return as_geojson(tree_map.features_of(seen_area(request, pk)))


@roles(*TERRITORY_ROLES)
@never_cache
@gzip_page
@require_safe
def territory_ground(request: HttpRequest, pk: int) -> HttpResponse:
    """GeoJSON to draw on: true boundaries of the area, its parent and its neighbours.

    ``?below=1`` is the ground for a new area below this one.
    """
    area = kept_area(request, pk)
    if request.GET.get("below"):
        level = ADDED_BELOW.get(Level(area.level))
        if level is None:
            raise Http404
        return as_geojson(tree_map.features_to_draw(level=level, parent=area, own=None))
    parent = Area.objects.filter(path=area.path[: -Area.steplen]).only("pk").first()
    if parent is None:
        raise Http404
    return as_geojson(tree_map.features_to_draw(level=area.level, parent=parent, own=area))


def as_geojson(features: list[dict[str, Any]]) -> HttpResponse:
    """Return features {"shape": GeoJSON text, and any properties} as a FeatureCollection."""
    drawn = []
    for feature in features:
        shape = feature.pop("shape")
        words = json.dumps(feature, ensure_ascii=False, separators=(",", ":"))
        drawn.append(f'{{"type":"Feature","properties":{words},"geometry":{shape}}}')
    body = f'{{"type":"FeatureCollection","features":[{",".join(drawn)}]}}'
    return HttpResponse(body, content_type="application/geo+json")
