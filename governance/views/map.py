"""What map.js asks for: outlines of areas for everybody, open cases for staff.

What lives here: JSON, and headers that let a browser keep it. What must not: reading (queries).
"""

import json
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import reverse
from django.utils.cache import patch_cache_control
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import conditional_page, require_GET

from core.choices import labels
from grids.access import public, roles
from grids.hindrance import working_scope
from grids.models import Role
from grids.models.posting import KEEPERS
from incidents.models import State
from incidents.queries import map as maps
from incidents.queries.queue import read_filters

# How long a browser draws from its own copy: outlines of a resident, figures of a desk, in s.
KEEP_OUTLINES, KEEP_COUNTS = 300, 10
SEES_CASES = sorted(set(Role.values) - KEEPERS)


@public
@require_GET
@gzip_page
@conditional_page
def areas(request: HttpRequest) -> HttpResponse:
    """GeoJSON of the areas in ``bbox`` at ``zoom``; ``level`` asks for one other than the zoom's.

    Staff also get ``open`` and ``overdue`` of what they may see; the public gets names only.
    """
    query = request.GET
    box = maps.read_box(query.get("bbox", ""), query.get("zoom", ""))
    found = maps.outlines(box, level=query.get("level", ""))
    scope = working_scope(request)
    staff = scope.has(*SEES_CASES)
    counts = {}
    if staff and found:
        counts = maps.counts_in([row[0] for row in found], found[0][2], scope)
    features = []
    for pk, name, level, shape in found:
        properties: dict[str, Any] = {"id": pk, "name": name, "level": level}
        if staff:
            properties["open"], properties["overdue"] = counts.get(pk, (0, 0))
        words = json.dumps(properties, ensure_ascii=False, separators=(",", ":"))
        features.append(f'{{"type":"Feature","properties":{words},"geometry":{shape}}}')
    body = f'{{"type":"FeatureCollection","features":[{",".join(features)}]}}'
    response = HttpResponse(body, content_type="application/geo+json")
    patch_cache_control(response, private=True, max_age=KEEP_COUNTS if staff else KEEP_OUTLINES)
    return response


@roles(*SEES_CASES)
@require_GET
@gzip_page
@conditional_page
def points(request: HttpRequest) -> HttpResponse:
    """Open cases of the scope in ``bbox`` at ``zoom``, single or in clusters.

    The other parameters are the filters of the queue; one it does not know is 400.
    """
    params = request.GET.dict()
    box = maps.read_box(params.pop("bbox", ""), params.pop("zoom", ""))
    scope = request.scope  # type: ignore[attr-defined]
    filters = read_filters(params, scope=scope)
    found = maps.points(box, scope=scope, filters=filters)
    states = labels(State)
    body = {
        "points": [
            {
                "id": row.pk,
                "lat": round(row.lat, 6),
                "lon": round(row.lon, 6),
                "overdue": row.overdue_at is not None,
                "state": row.state,
                "state_label": states[row.state],
                "label": row.head,
                "url": reverse("incident", args=[row.tracking_code]),
            }
            for row in found.singles
        ],
        "clusters": found.clusters,
    }
    response = JsonResponse(body, json_dumps_params={"ensure_ascii": False})
    patch_cache_control(response, private=True, max_age=0)
    return response
