"""Cases that may be the same matter, and which are merged into which.

What lives here: finding candidates by index, never by a walk through the history. What must not:
how like two reports are (incidents/likeness.py) and merging them (services/twins.py).
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import cos, radians
from typing import Any

from django.contrib.gis.geos import Point, Polygon
from django.db import connection
from django.db.models import FloatField, Func, TextField, Value
from django.db.models.functions import Left

from core.prepared import planned_by_value
from core.text import bigrams
from grids.models import Area
from grids.queries import Place
from incidents import likeness
from incidents.likeness import Matter
from incidents.models import Category, Incident
from incidents.models.incident import IncidentQuerySet
from incidents.queries import published

# Older open cases are compared no more.
DAYS = 60
# Of a place the newest are compared.
MOST_COMPARED = 150
SHOWN = 3
HEAD = 60
# A case is merged into one that was merged, and so on; nobody meant it deeper than that.
DEEPEST = 5


@dataclass(frozen=True)
class Twin:
    """An open case that may be the same matter. ``head`` is "" where its words stay hidden."""

    id: int
    tracking_code: str
    state: str
    category_id: int | None
    village_id: int | None
    grid_id: int | None
    reported_at: datetime
    head: str
    likeness: float
    place: str = ""


def matter_of(incident: Incident, *, category: Category | None = None) -> Matter:
    """Return what is compared of a case; ``category`` is one it has not been given yet."""
    point = incident.location
    item = incident.category_id or (category.pk if category else None)
    return Matter(
        words=frozenset(incident.bigrams),
        at=incident.reported_at,
        category_id=item,
        village_id=incident.village_id,
        grid_id=incident.grid_id,
        address=incident.address,
        lon=point.x if point else None,
        lat=point.y if point else None,
    )


def matter_of_words(
    text: str,
    *,
    address: str,
    place: Place,
    point: Point | None,
    category_id: int | None,
    now: datetime,
) -> Matter:
    """Return what is compared of a report that is being written."""
    return Matter(
        words=frozenset(bigrams(f"{text} {address}")),
        at=now,
        category_id=category_id,
        village_id=place.village_id,
        grid_id=place.grid_id,
        address=address,
        lon=point.x if point else None,
        lat=point.y if point else None,
    )


def twins(
    asked: Matter,
    *,
    among: IncidentQuerySet | None = None,
    but: int | None = None,
    heads: bool = False,
    most: int = SHOWN,
) -> list[Twin]:
    """Return the open cases most like ``asked``, the likeliest first (1 query).

    Compared are the newest open ones within 800 m and of the same village; ``among`` narrows
    them, e.g. to what somebody may see, ``but`` leaves out the case itself.
    """
    rows = Incident.objects.all() if among is None else among
    rows = rows.filter(
        ended_at__isnull=True,
        parent__isnull=True,
        reported_at__gt=asked.at - timedelta(days=DAYS),
        reported_at__lte=asked.at + timedelta(days=DAYS),
    )
    found: dict[int, Twin] = {}
    for row in _candidates(asked, rows, heads):
        if row[0] == but or row[0] in found:
            continue
        how = likeness.likeness(asked, _matter(row))
        if how >= likeness.LIKELY:
            fields: list[Any] = [*row[:8], how]
            found[row[0]] = Twin(*fields)
    best = sorted(found.values(), key=lambda twin: (-twin.likeness, -twin.id))
    return best[:most]


@planned_by_value()
def _candidates(asked: Matter, rows: IncidentQuerySet, heads: bool) -> list[tuple[Any, ...]]:
    branches = []
    if asked.lon is not None and asked.lat is not None:
        branches.append(rows.filter(location__bboverlaps=_square(asked.lon, asked.lat)))
    if asked.village_id is not None:
        branches.append(rows.filter(village_id=asked.village_id))
    head = Left("text", HEAD) if heads else Value("", output_field=TextField())
    listed = [
        branch.annotate(
            head_of_text=head,
            x=Func("location", function="ST_X", output_field=FloatField()),
            y=Func("location", function="ST_Y", output_field=FloatField()),
        )
        .order_by("-reported_at")
        .values_list(
            *("id", "tracking_code", "state", "category_id", "village_id", "grid_id"),
            *("reported_at", "head_of_text", "bigrams", "address", "x", "y"),
        )[:MOST_COMPARED]
        for branch in branches
    ]
    if not listed:
        return []
    return list(listed[0].union(*listed[1:], all=True) if len(listed) > 1 else listed[0])


def _square(lon: float, lat: float) -> Polygon:
    up = likeness.FAR_METRES / likeness.METRES_PER_DEGREE
    across = up / cos(radians(lat))
    return Polygon.from_bbox((lon - across, lat - up, lon + across, lat + up))


def _matter(row: tuple[Any, ...]) -> Matter:
    _pk, _code, _state, category_id, village_id, grid_id, at, _head, words, address, x, y = row
    return Matter(frozenset(words), at, category_id, village_id, grid_id, address, x, y)


def public_twins(asked: Matter, *, items: dict[int, Category]) -> list[Twin]:
    """Return twins everybody may know of, without a word of their text (2 queries).

    ``items`` are the published ones. A place is named as exactly as everybody may know it.
    """
    if not items:
        return []
    found = twins(asked, among=Incident.objects.filter(published.is_public(items)))
    return _named(found)


def twins_in_sight(asked: Matter, *, user: Any, scope: Any) -> list[Twin]:
    """Return twins ``user`` may open anyway, with the beginning of their text (2 queries)."""
    return _named(twins(asked, among=Incident.objects.visible_to(user, scope), heads=True))


def _named(found: list[Twin]) -> list[Twin]:
    ids = {pk for twin in found for pk in (twin.village_id, twin.grid_id) if pk}
    names = dict(Area.objects.filter(pk__in=ids).values_list("pk", "name")) if ids else {}
    where = {
        twin.id: " · ".join(names[pk] for pk in (twin.village_id, twin.grid_id) if pk in names)
        for twin in found
    }
    return [replace(twin, place=where[twin.id]) for twin in found]


_DOWN = """
    WITH RECURSIVE merged AS (
        SELECT id, reporter_id, 1 AS depth FROM incidents_incident WHERE merged_into_id = %s
        UNION ALL
        SELECT i.id, i.reporter_id, depth + 1 FROM incidents_incident i
          JOIN merged ON i.merged_into_id = merged.id WHERE depth < %s
    )
    SELECT id, reporter_id FROM merged ORDER BY id
"""
_UP = """
    WITH RECURSIVE up AS (
        SELECT id, merged_into_id, ended_at, 0 AS depth FROM incidents_incident WHERE id = %s
        UNION ALL
        SELECT i.id, i.merged_into_id, i.ended_at, depth + 1 FROM incidents_incident i
          JOIN up ON i.id = up.merged_into_id WHERE depth < %s
    )
    SELECT id, ended_at IS NULL FROM up ORDER BY depth DESC LIMIT 1
"""


def merged_into(incident_id: int) -> list[tuple[int, int | None]]:
    """Return (id, reporter's account) of all cases merged into this one, and into those (1 query).

    The account is None for reporters without one.
    """
    with connection.cursor() as cursor:
        cursor.execute(_DOWN, [incident_id, DEEPEST])
        return list(cursor.fetchall())


def lead_of(incident_id: int) -> tuple[int, bool]:
    """Return the case this one was merged into in the end, itself if none, and whether it is open.

    One query.
    """
    with connection.cursor() as cursor:
        cursor.execute(_UP, [incident_id, DEEPEST])
        return cursor.fetchone()
