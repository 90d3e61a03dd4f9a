"""Cases follow areas that move or merge; open ones stand against closing an area.

What lives here: what incidents put into the registries of the grids floor. What must not: the
acts themselves (grids/services), and a single case moved by a dispatcher (dispatching.py).
"""

from datetime import date
from typing import Any

from django.db import connection
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from grids.models import Area, User
from grids.moves import Areas
from grids.queries import places_of_areas
from incidents.models import Incident
from incidents.models.figures import GAUGE_DAY
from incidents.services import figures

LABELS = {"open": _("Open cases"), "past": _("Ended cases")}

# A unit never moves without its grid, so three indexes find every row.
_ROWS = """
    FROM incidents_incident i
   WHERE (i.town_id = ANY(%(old)s) OR i.village_id = ANY(%(old)s) OR i.grid_id = ANY(%(old)s))
     AND (i.area_id = ANY(%(old)s) OR i.owner_area_id = ANY(%(old)s))
"""

# Everything in one statement: where the case lies now, its line on the timeline (open cases,
# and any that changes its town, from which figures are recounted), and the gauges of both towns.
_FOLLOW = """
    WITH given AS (
        SELECT * FROM unnest(%(old)s::bigint[], %(new)s::bigint[], %(county)s::bigint[],
                             %(town)s::bigint[], %(village)s::bigint[], %(grid)s::bigint[],
                             %(unit)s::bigint[])
                   AS row (old, new, county, town, village, grid, unit)
    ), held AS (
        SELECT i.id, i.state, i.round, i.last_seq, i.ended_at IS NULL AS open,
               i.county_id AS old_county, i.town_id AS old_town,
               ROW(i.area_id, i.county_id, i.town_id, i.village_id, i.grid_id, i.unit_id,
                   i.owner_area_id) AS before,
               coalesce(given.new, i.area_id) AS area,
               CASE WHEN given.old IS NULL THEN i.county_id ELSE given.county END AS county,
               CASE WHEN given.old IS NULL THEN i.town_id ELSE given.town END AS town,
               CASE WHEN given.old IS NULL THEN i.village_id ELSE given.village END AS village,
               CASE WHEN given.old IS NULL THEN i.grid_id ELSE given.grid END AS grid,
               CASE WHEN given.old IS NULL THEN i.unit_id ELSE given.unit END AS unit,
               coalesce(owner.new, i.owner_area_id) AS owner
          FROM (SELECT * {rows} ORDER BY i.id FOR UPDATE OF i) i
          LEFT JOIN given ON given.old = i.area_id
          LEFT JOIN given AS owner ON owner.old = i.owner_area_id
    ), found AS (
        SELECT * FROM held
         WHERE before IS DISTINCT FROM ROW(area, county, town, village, grid, unit, owner)
    ), told AS (
        SELECT id, open OR town IS DISTINCT FROM old_town AS told FROM found
    ), put AS (
        UPDATE incidents_incident i
           SET area_id = found.area, county_id = found.county, town_id = found.town,
               village_id = found.village, grid_id = found.grid, unit_id = found.unit,
               owner_area_id = found.owner, last_seq = i.last_seq + told.told::int
          FROM found JOIN told USING (id)
         WHERE i.id = found.id
    ), written AS (
        INSERT INTO incidents_event (incident_id, seq, at, action, actor_kind, actor_id,
               actor_place, from_state, to_state, note, data, public)
        SELECT id, last_seq + 1, %(now)s, 'follow_area', 'system', NULL, '', state, state, '',
               jsonb_build_object('round', round,
                   'moved', jsonb_build_object('from', old_town, 'to', town)), FALSE
          FROM found JOIN told USING (id) WHERE told
    ), gauges AS (
        INSERT INTO incidents_figuredelta (county_id, town_id, day, metric, n)
        SELECT county, town, %(gauge)s, 'state:' || state, sum(n) FROM (
            SELECT old_county AS county, old_town AS town, state, -1 AS n FROM found
             WHERE town IS DISTINCT FROM old_town
            UNION ALL
            SELECT county, town, state, 1 FROM found WHERE town IS DISTINCT FROM old_town
        ) AS change GROUP BY county, town, state
    )
    SELECT count(*) FILTER (WHERE open), count(*) FILTER (WHERE NOT open),
           array_agg(id) FILTER (WHERE town IS DISTINCT FROM old_town),
           array_agg(old_town) FILTER (WHERE town IS DISTINCT FROM old_town)
      FROM found
"""

# Who is told, and what is routed, at an area that went into another.
_READERS = [
    f"UPDATE {table} SET area_id = given.new "  # noqa: S608  two names of ours
    "FROM unnest(%s::bigint[], %s::bigint[]) AS given (old, new) WHERE area_id = given.old"
    for table in ("incidents_notice", "incidents_routingrule")
]


def count(areas: Areas) -> dict[str, int]:
    """Return how many open and ended cases lie in ``areas`` or are owned there (1 query)."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FILTER (WHERE ended_at IS NULL), "
            f"count(*) FILTER (WHERE ended_at IS NOT NULL) {_ROWS}",
            {"old": list(areas)},
        )
        return dict(zip(LABELS, cursor.fetchone(), strict=True))


def follow(areas: Areas, *, on: date, actor: User | None) -> dict[str, int]:
    """Let cases, their owners, notices and routing rules stand where ``areas`` stand now.

    A system line on the timeline of every open case says so; people's compare-and-set is left
    alone. Past figures stay; shifts beside them lay the new map over them. At most 5 queries.
    Returns {"open": n, "past": n}.
    """
    places = places_of_areas(set(areas.values()))
    given = [(old, places[new]) for old, new in areas.items()]
    values: dict[str, Any] = {
        "old": [old for old, _place in given],
        "new": [place.area_id for _old, place in given],
        "now": timezone.now(),
        "gauge": GAUGE_DAY,
    }
    for level in ("county", "town", "village", "grid", "unit"):
        values[level] = [getattr(place, f"{level}_id") for _old, place in given]
    merged = [(old, new) for old, new in areas.items() if old != new]
    with connection.cursor() as cursor:
        cursor.execute(_FOLLOW.format(rows=_ROWS), values)
        *numbers, moved, old_towns = cursor.fetchone()
        found = dict(zip(LABELS, numbers, strict=True))
        for statement in _READERS:
            cursor.execute(statement, [[old for old, _new in merged], [new for _o, new in merged]])
    if moved:
        figures.shift(moved, old_towns)
    return found


def hold(areas: Areas) -> None:
    """Lock the cases that will follow, in the order of their ids (1 query)."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT i.id {_ROWS} ORDER BY i.id FOR UPDATE OF i", {"old": list(areas)})


def rows(kind: str, areas: Areas, user: User, limit: int) -> list[tuple[str, str]]:
    """Return number, first line and address of cases that would follow and ``user`` may see."""
    old = list(areas)
    within = Q(town__in=old) | Q(village__in=old) | Q(grid__in=old)
    found = Incident.objects.visible_to(user).filter(within, area__in=old)
    found = found.filter(ended_at__isnull=kind == "open").order_by("-pk")
    return [
        (f"{case.tracking_code} {case.summary}", reverse("incident", args=[case.tracking_code]))
        for case in found.only("tracking_code", "text")[:limit]
    ]


def obstacles(area: Area) -> list[str]:
    """Return the open cases that lie in ``area`` or are owned there, in words (1 query)."""
    found = count({area.pk: area.pk})["open"]
    if not found:
        return []
    return [ngettext("%(n)s open case", "%(n)s open cases", found) % {"n": found}]
