"""Cases follow areas that move or merge; open ones stand against closing an area.

What lives here: what incidents put into the registries of the grids floor. What must not: the
acts themselves (grids/services), and a single case moved by a dispatcher (dispatching.py).

Open cases follow in the act. Past ones do so too where they are few; else they are put on a list
(TrailingCase) and follow in batches. Figures are right from the act on: those of their day never
change, and what the map of today counts elsewhere is written in the act for all of them.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from django.db import connection
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from grids.models import Area, User
from grids.moves import Areas, Renamed
from grids.queries import heirs_of, places_of_areas
from incidents.models import Incident, TrailingCase
from incidents.models.figures import GAUGE_DAY
from incidents.services import figures

LABELS = {"open": _("Open cases"), "past": _("Ended cases")}
# More past cases than this follow after the act: each costs about two thousandths of a second.
PAST_AT_ONCE = 1000

# A unit never moves without its grid, so three indexes find every case that lies there, and one
# those that somebody there has in hand.
_THERE = """
    (((i.town_id = ANY(%(old)s) OR i.village_id = ANY(%(old)s) OR i.grid_id = ANY(%(old)s))
      AND i.area_id = ANY(%(old)s)) OR i.owner_area_id = ANY(%(old)s))
"""
# Past cases on the list follow by it.
_NOT_LISTED = "(i.ended_at IS NULL OR listed.incident_id IS NULL)"
_CHOSEN = "i.id = ANY(%(ids)s)"

_LEVELS = ("county", "town", "village", "grid", "unit")
_GIVEN = """
    given AS (
        SELECT * FROM unnest(%(old)s::bigint[], %(new)s::bigint[], %(county)s::bigint[],
                             %(town)s::bigint[], %(village)s::bigint[], %(grid)s::bigint[],
                             %(unit)s::bigint[])
                   AS row (old, new, county, town, village, grid, unit)
    )
"""

# Everything in one statement: where the case lies now, its line on the timeline (open cases,
# and any that changes its town, from which figures are recounted), and the gauges of both towns.
_FOLLOW = """
    WITH {given}, found AS (
        SELECT i.id, i.state, i.round, i.last_seq, i.parent_id IS NOT NULL AS task,
               i.ended_at IS NULL AS open,
               i.county_id AS old_county, i.town_id AS old_town,
               i.village_id AS old_village, i.grid_id AS old_grid, aim.*,
               CASE WHEN listed.incident_id IS NULL THEN i.town_id
                    ELSE listed.town_id END AS counted_in
          FROM incidents_incident i
          LEFT JOIN incidents_trailingcase listed ON listed.incident_id = i.id
          LEFT JOIN given ON given.old = i.area_id
          LEFT JOIN given AS owner ON owner.old = i.owner_area_id
         CROSS JOIN LATERAL (
               SELECT coalesce(given.new, i.area_id) AS area,
                      CASE WHEN given.old IS NULL THEN i.county_id ELSE given.county END AS county,
                      CASE WHEN given.old IS NULL THEN i.town_id ELSE given.town END AS town,
                      CASE WHEN given.old IS NULL THEN i.village_id
                           ELSE given.village END AS village,
                      CASE WHEN given.old IS NULL THEN i.grid_id ELSE given.grid END AS grid,
                      CASE WHEN given.old IS NULL THEN i.unit_id ELSE given.unit END AS unit,
                      {owner} AS owner) aim
         WHERE {which}
           AND ROW(i.area_id, i.county_id, i.town_id, i.village_id, i.grid_id, i.unit_id,
                   i.owner_area_id)
               IS DISTINCT FROM ROW(aim.area, aim.county, aim.town, aim.village, aim.grid,
                                    aim.unit, aim.owner)
         ORDER BY i.id
           FOR UPDATE OF i
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
        SELECT found.id, last_seq + 1, %(now)s, 'follow_area', 'system', NULL, '', state, state,
               '', jsonb_build_object('round', round,
                   'moved', jsonb_build_object('from', old_town, 'to', town),
                   'was', concat_ws(' · ', wt.name, wv.name, wg.name),
                   'now', concat_ws(' · ', nt.name, nv.name, ng.name)), FALSE
          FROM found JOIN told USING (id)
          LEFT JOIN grids_area wt ON wt.id = old_town
          LEFT JOIN grids_area wv ON wv.id = old_village
          LEFT JOIN grids_area wg ON wg.id = old_grid
          LEFT JOIN grids_area nt ON nt.id = town
          LEFT JOIN grids_area nv ON nv.id = village
          LEFT JOIN grids_area ng ON ng.id = grid
         WHERE told
    ), gauges AS (
        INSERT INTO incidents_figuredelta (county_id, town_id, day, metric, n)
        SELECT county, town, %(gauge)s, 'state:' || state, sum(n) FROM (
            SELECT old_county AS county, old_town AS town, state, -1 AS n FROM found
             WHERE town IS DISTINCT FROM old_town AND NOT task
            UNION ALL
            SELECT county, town, state, 1 FROM found
             WHERE town IS DISTINCT FROM old_town AND NOT task
        ) AS change GROUP BY county, town, state
    ), counted AS (
        SELECT found.id, counted_in, found.town FROM found
          LEFT JOIN given heir ON heir.old = counted_in
         WHERE coalesce(heir.new, counted_in) IS DISTINCT FROM found.town
    ), noted AS (
        INSERT INTO incidents_casechange (incident_id) SELECT id FROM found
    ), gone AS (
        DELETE FROM incidents_trailingcase listed USING found
         WHERE listed.incident_id = found.id
    )
    SELECT (SELECT count(*) FROM found WHERE open), (SELECT count(*) FROM found WHERE NOT open),
           array_agg(id), array_agg(counted_in), array_agg(town)
      FROM counted
"""

# Past cases on the list, whose town has changed on the map of today.
_COUNT_LISTED = """
    WITH {given}, found AS (
        SELECT listed.incident_id AS id, listed.town_id AS counted_in, given.town,
               coalesce(heir.new, listed.town_id) AS heir
          FROM incidents_trailingcase listed
          JOIN incidents_incident i ON i.id = listed.incident_id
          JOIN given ON given.old = i.area_id
          LEFT JOIN given heir ON heir.old = listed.town_id
         WHERE listed.town_id IS DISTINCT FROM given.town
    ), put AS (
        UPDATE incidents_trailingcase listed SET town_id = found.town
          FROM found WHERE listed.incident_id = found.id
    )
    SELECT array_agg(id), array_agg(counted_in), array_agg(town) FROM found
     WHERE heir IS DISTINCT FROM town
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
        cursor.execute(_COUNT, {"old": list(areas)})
        return dict(zip(LABELS, cursor.fetchone(), strict=True))


_COUNT = f"""
    SELECT count(*) FILTER (WHERE i.ended_at IS NULL),
           count(*) FILTER (WHERE i.ended_at IS NOT NULL)
      FROM incidents_incident i WHERE {_THERE}
"""  # noqa: S608  only constants of ours


def hold(areas: Areas, *, told: Collection[int], later: bool) -> None:
    """Lock the cases that will follow or be told of a new name, in the order of their ids.

    With ``later`` past cases are listed instead where they are many (≤ 3 queries).
    """
    values: dict[str, Any] = {
        "old": list(areas),
        "told": list(told),
        "most": PAST_AT_ONCE,
    }
    with connection.cursor() as cursor:
        if later:
            cursor.execute(_MANY, values)
            later = cursor.fetchone()[0] > PAST_AT_ONCE
        cursor.execute(_HOLD_OPEN if later else _HOLD, values)
        if later:
            cursor.execute(_LIST, values)


_MANY = f"""
    SELECT count(*) FROM (SELECT FROM incidents_incident i
     WHERE {_THERE} AND i.ended_at IS NOT NULL LIMIT %(most)s + 1) AS past
"""  # noqa: S608  only constants of ours
_TOLD = "i.ended_at IS NULL AND (i.town_id = ANY(%(told)s) OR i.village_id = ANY(%(told)s))"
_HOLD_OPEN = f"""
    SELECT i.id FROM incidents_incident i WHERE ({_THERE} AND i.ended_at IS NULL) OR ({_TOLD})
     ORDER BY i.id FOR UPDATE OF i
"""  # noqa: S608  only constants of ours
_HOLD = f"""
    SELECT i.id FROM incidents_incident i WHERE {_THERE} OR ({_TOLD})
     ORDER BY i.id FOR UPDATE OF i
"""  # noqa: S608  only constants of ours
_LIST = f"""
    INSERT INTO incidents_trailingcase (incident_id, town_id)
    SELECT i.id, i.town_id FROM incidents_incident i WHERE {_THERE} AND i.ended_at IS NOT NULL
        ON CONFLICT DO NOTHING
"""  # noqa: S608  only constants of ours


def follow(areas: Areas, *, on: date, actor: User | None) -> dict[str, int]:
    """Let cases, their owners, notices and routing rules stand where ``areas`` stand now.

    A system line on the timeline of every open case says so; people's compare-and-set is left
    alone. Past figures stay; shifts beside them lay the new map over them. At most 7 queries.
    Returns {"open": n, "past": n}, past cases that follow later among them.
    """
    values = _given(areas)
    merged = [(old, new) for old, new in areas.items() if old != new]
    found = _bring(values, which=f"{_THERE} AND {_NOT_LISTED}")
    with connection.cursor() as cursor:
        for statement in _READERS:
            cursor.execute(statement, [[old for old, _new in merged], [new for _o, new in merged]])
        cursor.execute(_COUNT_LISTED.format(given=_GIVEN), values)
        _shift(cursor.fetchone())
        cursor.execute(_LISTED, values)
        found["past"] += cursor.fetchone()[0]
    return found


_LISTED = """
    SELECT count(*) FROM incidents_trailingcase listed
      JOIN incidents_incident i ON i.id = listed.incident_id WHERE i.area_id = ANY(%(old)s)
"""


def trail(most: int) -> int:
    """Bring the first ``most`` past cases of the list to where their areas are now.

    Returns how many left the list; none where others have them in hand.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT incident_id FROM incidents_trailingcase ORDER BY incident_id LIMIT %s "
            "FOR UPDATE SKIP LOCKED",
            [most],
        )
        ids = [pk for (pk,) in cursor.fetchall()]
    if not ids:
        return 0
    rows = Incident.objects.filter(pk__in=ids).order_by()
    named = {pk for row in rows.values_list("area", "owner_area", "town") for pk in row if pk}
    _bring(_given(heirs_of(named)) | {"ids": ids}, which=_CHOSEN)
    TrailingCase.objects.filter(pk__in=ids).delete()
    return len(ids)


def waiting() -> int:
    """Return how many past cases are still on the list (1 query)."""
    return TrailingCase.objects.count()


def scatter(area: int, parts: Sequence[int]) -> dict[str, int]:
    """Give open cases right in a grid, and with a point, to the new grid that holds it.

    Whoever has them in hand keeps them. Returns {"open": n}; units take no cases.
    """
    with connection.cursor() as cursor:
        cursor.execute(_IN_PARTS, [area, list(parts)])
        rows = cursor.fetchall()
    for part in parts:
        ids = [pk for pk, holder in rows if holder == part]
        if ids:
            values = _given({area: part}) | {"ids": ids}
            _bring(values, which=_CHOSEN, owner="i.owner_area_id")
    return {"open": len(rows)}


# On a border that two share the older one wins, as everywhere.
_IN_PARTS = """
    SELECT DISTINCT ON (i.id) i.id, part.id
      FROM incidents_incident i
      JOIN grids_area kept ON kept.id = i.grid_id
      JOIN grids_area part ON ST_Covers(part.boundary, i.location)
     WHERE i.grid_id = %s AND i.area_id = i.grid_id AND i.ended_at IS NULL
       AND NOT ST_Covers(kept.boundary, i.location)
       AND part.id = ANY(%s) AND part.level = 'grid'
     ORDER BY i.id, part.id
"""


def tell(renamed: Renamed) -> int:
    """Write on the timeline of open cases in these areas what is called otherwise (1 query)."""
    values: dict[str, Any] = {
        "told": list(renamed),
        "was": [was for was, _now in renamed.values()],
        "called": [called for _was, called in renamed.values()],
        "now": timezone.now(),
    }
    with connection.cursor() as cursor:
        cursor.execute(_TELL, values)
        return cursor.rowcount


_TELL = f"""
    WITH given AS (
        SELECT * FROM unnest(%(told)s::bigint[], %(was)s::text[], %(called)s::text[])
                   AS row (id, was, now)
    ), found AS (
        SELECT i.id, said.was, said.now
          FROM incidents_incident i
         CROSS JOIN LATERAL (
               SELECT string_agg(given.was, ' · ') AS was, string_agg(given.now, ' · ') AS now
                 FROM given WHERE given.id IN (i.town_id, i.village_id)) said
         WHERE {_TOLD}
    ), put AS (
        UPDATE incidents_incident i SET last_seq = i.last_seq + 1
          FROM found WHERE i.id = found.id
        RETURNING i.id, i.last_seq, i.state, i.round, found.was, found.now
    )
    INSERT INTO incidents_event (incident_id, seq, at, action, actor_kind, actor_id, actor_place,
           from_state, to_state, note, data, public)
    SELECT id, last_seq, %(now)s, 'rename_area', 'system', NULL, '', state, state, '',
           jsonb_build_object('round', round, 'was', was, 'now', now), FALSE
      FROM put
"""  # noqa: S608  only constants of ours


def rows(kind: str, areas: Areas, user: User, limit: int) -> list[tuple[str, str]]:
    """Return number, first line and address of cases that would follow and ``user`` may see."""
    old = list(areas)
    within = Q(town__in=old) | Q(village__in=old) | Q(grid__in=old)
    there = within & Q(area__in=old) | Q(owner_area__in=old)
    found = Incident.objects.visible_to(user).filter(there)
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


def _given(areas: Mapping[int, int]) -> dict[str, Any]:
    """Return the parameters of ``_GIVEN``: areas as they were, and where they stand now."""
    places = places_of_areas(set(areas.values()))
    rows = [(old, places[new]) for old, new in areas.items()]
    values: dict[str, Any] = {
        "old": [old for old, _place in rows],
        "new": [place.area_id for _old, place in rows],
        "now": timezone.now(),
        "gauge": GAUGE_DAY,
    }
    for level in _LEVELS:
        values[level] = [getattr(place, f"{level}_id") for _old, place in rows]
    return values


def _bring(
    values: Mapping[str, Any],
    *,
    which: str,
    owner: str = "coalesce(owner.new, i.owner_area_id)",
) -> dict[str, int]:
    """Put the cases ``which`` finds where their areas stand now; count them anew there."""
    with connection.cursor() as cursor:
        cursor.execute(_FOLLOW.format(given=_GIVEN, which=which, owner=owner), values)
        open_ones, past, *moved = cursor.fetchone()
    _shift(moved)
    return {"open": open_ones, "past": past}


def _shift(moved: Iterable[Any]) -> None:
    ids, old_towns, new_towns = moved
    if ids:
        figures.shift(ids, old_towns, new_towns)
