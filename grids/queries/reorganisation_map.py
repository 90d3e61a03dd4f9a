"""GeoJSON of an act for its page: towns and villages as they are, and as they would be.

What must not live here: what the act changes (services/reorganisation_plan.py) and who may look.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import shapely

from grids.models import Area, Level

# How far a drawn line may leave the true boundary, in degrees: about twenty metres.
TOLERANCE = 0.0002


def features_of_act(
    changed: Mapping[int, str], shapes: Sequence[tuple[int, int, bool]], gone: Collection[int]
) -> list[dict[str, Any]]:
    """Return the areas of an act before and after it (1 query).

    ``changed`` is {area id: its name after}, of towns and villages; ``shapes`` are (area, land,
    gains) in order, ``gone`` what will be no more. Each feature is {"role": before|after, "id",
    "name", "level", "shape": GeoJSON text}.
    """
    wanted = {*changed, *(pk for area, land, _gains in shapes for pk in (area, land))}
    rows = Area.objects.filter(pk__in=wanted, boundary__isnull=False).order_by("depth", "code")
    known = list(rows.values_list("pk", "name", "level", "boundary"))
    before = {pk: shapely.from_wkb(bytes(shape.wkb)) for pk, _n, _l, shape in known}
    after = dict(before)
    for area, land, gains in shapes:
        cut = after[area].union if gains else after[area].difference
        after[area] = cut(after[land])
    drawn = []
    for role, ground in (("before", before), ("after", after)):
        for pk, name, level, _shape in known:
            if level not in {Level.TOWN, Level.VILLAGE} or (role == "after" and pk in gone):
                continue
            shape = shapely.to_geojson(ground[pk].simplify(TOLERANCE))
            called = changed.get(pk, name) if role == "after" else name
            drawn.append({"role": role, "id": pk, "name": called, "level": level, "shape": shape})
    return drawn
