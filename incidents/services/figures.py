"""Keeping the rolled-up figures: folding what steps appended, and counting again from scratch.

What lives here: the fold, the recount. What must not: reading figures (queries/figures.py),
and which step counts what, which is written beside each step.
"""

from collections.abc import Sequence

from django.db import connection, transaction

from core.locks import Lock
from incidents.models.figures import GAUGE_DAY

# One fold or recount at a time.
LOCK = Lock("incidents.figures")

_FOLD = """
    WITH gone AS (
        DELETE FROM incidents_figuredelta WHERE id = ANY (ARRAY(
            SELECT id FROM incidents_figuredelta ORDER BY id LIMIT %s))
        RETURNING county_id, town_id, day, metric, n
    ), put AS (
        INSERT INTO incidents_figure (county_id, town_id, day, metric, n)
        SELECT county_id, town_id, day, metric, sum(n) FROM gone
        GROUP BY county_id, town_id, day, metric
        ON CONFLICT (county_id, day, town_id, metric)
        DO UPDATE SET n = incidents_figure.n + EXCLUDED.n
    )
    SELECT count(*) FROM gone
"""


def fold(*, batch: int = 20_000) -> int:
    """Move up to ``batch`` deltas into the figures; return how many.

    One statement, so a reader who adds both sees every delta exactly once. While another
    fold runs, this one does nothing.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        if not LOCK.try_hold():
            return 0
        cursor.execute(_FOLD, [batch])
        return cursor.fetchone()[0]


# What one row of a timeline counts, by day; ``rows`` must have what it names.
_METRICS = """LATERAL (
            SELECT 'reported' WHERE action = 'report'
            UNION ALL SELECT 'verified' WHERE action = 'verify_pass'
            UNION ALL SELECT 'whistle:needless'
                       WHERE action = 'verify_pass' AND data ->> 'needless' = 'true'
            UNION ALL SELECT 'rework' WHERE action = 'verify_fail'
            UNION ALL SELECT 'extended' WHERE action = 'approve_extension'
            UNION ALL SELECT 'whistle' WHERE action = 'blow_whistle'
            UNION ALL SELECT 'supervised' WHERE action = 'supervise'
            UNION ALL SELECT 'unrated' WHERE action = 'callback_unanswered'
            UNION ALL SELECT 'answered' WHERE action = 'answer'
            UNION ALL SELECT 'reopened' WHERE data ? 'reopened'
            UNION ALL SELECT 'overdue'
                       WHERE action = 'overdue' AND data ->> 'stage' NOT IN ('triage', 'callback')
            UNION ALL SELECT unnest(ARRAY['rated', 'rated:' || (data ->> 'score'),
                       CASE WHEN (data ->> 'solved')::boolean THEN 'rated:solved'
                            ELSE 'rated:unsolved' END]) WHERE data ? 'score'
            UNION ALL SELECT 'exit:' || substr(action, 6) WHERE action LIKE 'exit\\_%%'
            UNION ALL SELECT 'exit:merged' WHERE action IN ('merge', 'join')
            UNION ALL SELECT 'exit:' || (data ->> 'to') WHERE action = 'hand_over'
            UNION ALL SELECT unnest(ARRAY['closed',
                       CASE WHEN coalesce((data ->> 'in_time')::boolean, NOT EXISTS (
                                SELECT FROM incidents_event missed
                                 WHERE missed.incident_id = rows.incident_id
                                   AND missed.seq < rows.seq AND missed.action = 'overdue'
                                   AND missed.data -> 'round' = rows.data -> 'round'))
                            THEN 'closed:in_time' ELSE 'closed:late' END])
                       WHERE to_state = 'closed' AND from_state <> 'closed'
            UNION ALL SELECT jsonb_array_elements_text(data -> 'clocks') WHERE data ? 'clocks'
        ) AS metrics (metric)
"""

# Every figure as it follows from the timeline. Rows a step wrote say themselves whether the
# case closed in time; of imported ones the missed deadlines of the round tell. The town is
# the one the case lay in when the row was written: that of the next row that moved it away,
# else its present one.
_RECOUNT = f"""
    WITH rows AS (
        SELECT i.county_id,
               CASE WHEN later.data IS NULL THEN i.town_id
                    ELSE (later.data -> 'moved' ->> 'from')::bigint END AS town_id,
               (e.at AT TIME ZONE 'Asia/Shanghai')::date AS day,
               e.incident_id, e.seq, e.action, e.from_state, e.to_state, e.data
          FROM incidents_event e
          JOIN incidents_incident i ON i.id = e.incident_id AND i.parent_id IS NULL
          LEFT JOIN LATERAL (
               SELECT m.data FROM incidents_event m
                WHERE m.incident_id = e.incident_id AND m.seq > e.seq AND m.data ? 'moved'
                ORDER BY m.seq LIMIT 1) later ON i.last_seq > e.seq
    ), counted AS (
        SELECT county_id, town_id, day, metric FROM rows, {_METRICS}
    ), truth AS (
        SELECT county_id, town_id, day, metric, count(*) AS n FROM counted
         GROUP BY county_id, town_id, day, metric
        UNION ALL
        SELECT county_id, town_id, %s::date, 'state:' || state, count(*) FROM incidents_incident
         WHERE parent_id IS NULL GROUP BY county_id, town_id, state
    ), gone AS (
        DELETE FROM incidents_figuredelta
    )
    INSERT INTO incidents_figure (county_id, town_id, day, metric, n)
    SELECT county_id, town_id, day, metric, sum(n) FROM (
        SELECT county_id, town_id, day, metric, n FROM truth
        UNION ALL SELECT county_id, town_id, day, metric, 0 FROM incidents_figure
    ) AS everything
    GROUP BY county_id, town_id, day, metric
    ON CONFLICT (county_id, day, town_id, metric) DO UPDATE SET n = EXCLUDED.n
"""  # noqa: S608  only constants of ours


def rebuild() -> None:
    """Count every figure again from the timeline, replacing what was folded.

    One statement and one snapshot: a step that commits meanwhile keeps its deltas, which
    the next fold adds. Takes about a minute for a million cases.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        LOCK.hold()
        cursor.execute(_RECOUNT, [GAUGE_DAY])
        cursor.execute("DELETE FROM incidents_figure WHERE n = 0")


# An earlier reorganisation moved the case's past along already; whoever moved the single case
# to another place left its past behind.
_SHIFT = f"""
    WITH moved AS (
        SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[])
                   AS row (id, old_town, new_town)
    ), rows AS (
        SELECT i.county_id, moved.old_town, moved.new_town,
               (e.at AT TIME ZONE 'Asia/Shanghai')::date AS day,
               e.incident_id, e.seq, e.action, e.from_state, e.to_state, e.data
          FROM moved
          JOIN incidents_incident i ON i.id = moved.id AND i.parent_id IS NULL
          JOIN incidents_event e ON e.incident_id = i.id
         WHERE NOT EXISTS (
               SELECT FROM incidents_event m
                WHERE m.incident_id = e.incident_id AND m.seq > e.seq
                  AND m.data ? 'moved' AND m.action <> 'follow_area')
    ), counted AS (
        SELECT county_id, old_town, new_town, day, metric, count(*) AS n FROM rows, {_METRICS}
         GROUP BY county_id, old_town, new_town, day, metric
    )
    INSERT INTO incidents_figureshift (county_id, town_id, day, metric, n)
    SELECT county_id, town_id, day, metric, sum(n) FROM (
        SELECT county_id, old_town AS town_id, day, metric, -n AS n FROM counted
        UNION ALL SELECT county_id, new_town, day, metric, n FROM counted
    ) AS sides GROUP BY county_id, town_id, day, metric
    ON CONFLICT (county_id, day, town_id, metric)
    DO UPDATE SET n = incidents_figureshift.n + EXCLUDED.n
"""  # noqa: S608  only constants of ours


def shift(
    incident_ids: Sequence[int],
    old_towns: Sequence[int | None],
    new_towns: Sequence[int | None],
) -> None:
    """Count the past of these cases for their new towns on the map of today (1 query)."""
    with connection.cursor() as cursor:
        cursor.execute(_SHIFT, [list(incident_ids), list(old_towns), list(new_towns)])
