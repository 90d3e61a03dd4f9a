"""Making the facts of cases and their sums: the job that follows the changes, and making all again.

What lives here: which rows of a case make which fact, and keeping sums equal to facts. What must
not: what a score is (incidents/scoring.py) and reading them (queries/scores.py).

A case's facts are made by one statement from its rows. What differs from the facts that stand is
put in their place, and the sums change by the difference, in the same transaction that takes the
case off the list of changes: a killed worker loses and doubles nothing.
"""

from collections.abc import Callable, Sequence
from typing import Any

from django.conf import settings
from django.db import connection, transaction

from core.locks import Lock
from incidents.models import FactKind, Incident, Mark, Stage, State

# One writer of sums at a time.
LOCK = Lock("incidents.scores")
BATCH = 2000

_DAY = f"AT TIME ZONE '{settings.TIME_ZONE}')::date"
_LEFT = "('emergency', 'statutory', 'duplicate', 'out_of_remit')"
_PLACES = "county_id, town_id, village_id, grid_id"


def _marks(**conditions: str) -> str:
    """Return the SQL of a number that has each named mark where its condition is true."""
    return " + ".join(
        f"CASE WHEN {condition} THEN {Mark[name].value} ELSE 0 END"
        for name, condition in conditions.items()
    )


# What is asked of the rows of one case, each once.
_CASES = f"""
    SELECT i.id, i.county_id, i.town_id, i.village_id, i.grid_id, i.state, i.round, i.source,
           i.category_id,
           i.owner_department_id, i.handler_id, i.reporter_id, i.reported_at, i.ended_at,
           i.suspended_until, i.rework_count, coalesce(k.village_allowed, FALSE) AS village_allowed,
           i.state = 'closed' OR (i.triaged_at IS NOT NULL AND i.state <> 'reported')
               OR i.state IN {_LEFT} AS decided,
           i.state NOT IN ('duplicate', 'out_of_remit') AS valid,
           closing.due_at, closing.n AS deadlines, coalesce(closing.late, FALSE) AS late,
           told.checked, told.extended, told.concluded, told.accepted_late,
           told.read, told.read_as, told.ai_answered, told.ai_alone, told.unsolved, told.retriaged,
           told.taken_back, said.score, said.solved
      FROM incidents_incident i
      LEFT JOIN incidents_category k ON k.id = i.category_id
      LEFT JOIN LATERAL (
           SELECT count(*) AS n,
                  (array_agg(c.due_at ORDER BY c.round, c.due_at DESC NULLS FIRST))[1] AS due_at,
                  bool_or(coalesce(c.finished_at, i.ended_at) > c.due_at) AS late
             FROM incidents_stageclock c WHERE c.incident_id = i.id AND c.stage = '{Stage.RESOLVE}'
           ) closing ON TRUE
      LEFT JOIN LATERAL (
           SELECT coalesce(bool_or(e.action IN ('verify_pass', 'verify_fail')), FALSE) AS checked,
                  coalesce(bool_or(e.action = 'approve_extension'), FALSE) AS extended,
                  coalesce(bool_or(e.action = 'conclude'), FALSE) AS concluded,
                  coalesce(bool_or(e.data -> 'clocks' ? 'accept:late'), FALSE) AS accepted_late,
                  coalesce(bool_or(e.action = 'suggest'), FALSE) AS read,
                  min(e.data ->> 'category') FILTER (WHERE e.action = 'suggest') AS read_as,
                  coalesce(bool_or(e.action = 'answer' AND e.actor_kind = 'ai'), FALSE)
                      AS ai_answered,
                  coalesce(bool_or(e.action IN ('answer', 'triage') AND e.actor_kind = 'ai'), FALSE)
                      AS ai_alone,
                  coalesce(bool_or(e.action = 'not_solved'), FALSE) AS unsolved,
                  coalesce(bool_or(e.action = 'triage' AND e.actor_kind = 'user'), FALSE)
                      AS retriaged,
                  coalesce(bool_or(e.action IN ('uphold_objection', 'recall')), FALSE)
                      AS taken_back
             FROM incidents_event e WHERE e.incident_id = i.id
           ) told ON TRUE
      LEFT JOIN LATERAL (
           SELECT b.score, b.solved FROM incidents_callback b
            WHERE b.incident_id = i.id AND b.answered_at IS NOT NULL
            ORDER BY b.round DESC, (b.solved AND b.score <> 'dissatisfied'), b.answered_at LIMIT 1
           ) said ON TRUE
     WHERE i.id = ANY(%(ids)s::bigint[]) AND i.parent_id IS NULL
"""  # noqa: S608  only constants of ours

# A case due to close, on the day its first deadline to close falls on; one without such a
# deadline (settled on the spot, answered) on the day it closed. What left the road is not due.
_CASE_DAY = f"""
    CASE WHEN state IN {_LEFT} THEN NULL
         WHEN state = '{State.SUSPENDED}' AND deadlines > 0 THEN (suspended_until {_DAY}
         WHEN due_at IS NOT NULL THEN (due_at {_DAY}
         WHEN state = '{State.CLOSED}' THEN (ended_at {_DAY}
    END
"""
_CASE = f"""
    SELECT id, '{FactKind.CASE}', 0, {_CASE_DAY}, {_PLACES}, owner_department_id, handler_id,
           {
    _marks(
        SUSPENDED=f"state = '{State.SUSPENDED}'",
        CLOSED=f"state = '{State.CLOSED}'",
        IN_TIME=f"state = '{State.CLOSED}' AND NOT late AND NOT concluded",
        CHECKED="checked",
        REWORK="rework_count > 0",
        EXTENDED="extended",
        REPEATED="round > 1",
        RATED="score IS NOT NULL",
        RESPONDED="score IS NOT NULL AND NOT accepted_late",
        SOLVED="solved",
        SATISFIED="score = 'satisfied'",
        BASIC="score = 'basic'",
    )
}, 0
      FROM cases
"""  # noqa: S608  only constants of ours

# What a person found and sent in, once somebody decided what became of it.
_REPORT = f"""
    SELECT id, '{FactKind.REPORT}', 0, (reported_at {_DAY}, {_PLACES}, NULL::bigint, reporter_id,
           {_marks(VALID="valid")}, 0
      FROM cases
     WHERE decided AND reporter_id IS NOT NULL AND source IN ('worker', 'inspection')
"""  # noqa: S608  only constants of ours

# What others reported of a grid though its workers could have found it on their round.
_MISS = f"""
    SELECT id, '{FactKind.MISS}', 0, (reported_at {_DAY}, {_PLACES}, NULL::bigint, NULL::bigint,
           0, 0
      FROM cases
     WHERE decided AND village_allowed AND grid_id IS NOT NULL AND state NOT IN {_LEFT}
       AND source IN ('resident', 'hotline', 'inspection')
"""  # noqa: S608  only constants of ours

# The first time somebody was given the case, by whoever decided it: of a dispatch by rules the
# person who triaged. Right if nobody had to dispatch it anew in the same round.
_DISPATCH = f"""
    SELECT id, '{FactKind.DISPATCH}', 0, (sent.at {_DAY}, {_PLACES}, NULL::bigint, sent.by,
           {
    _marks(
        IN_TIME="NOT coalesce(sent.data -> 'clocks' ? 'triage:late', FALSE)",
        RIGHT=(
            "NOT EXISTS (SELECT FROM incidents_event e WHERE e.incident_id = cases.id"
            " AND e.seq > sent.seq AND e.action IN ('dispatch', 'uphold_objection', 'recall')"
            " AND e.data -> 'round' = sent.data -> 'round')"
        ),
    )
}, 0
      FROM cases JOIN LATERAL (
           SELECT e.seq, e.at, e.data, coalesce(e.actor_id, (
                    SELECT t.actor_id FROM incidents_event t
                     WHERE t.incident_id = e.incident_id AND t.seq < e.seq AND t.action = 'triage'
                     ORDER BY t.seq DESC LIMIT 1)) AS by
             FROM incidents_event e
            WHERE e.incident_id = cases.id AND e.action IN ('dispatch', 'blow_whistle')
            ORDER BY e.seq LIMIT 1) sent ON sent.by IS NOT NULL
"""  # noqa: S608  only constants of ours


def _kept(kind: FactKind, actions: str, stage: str, department: str) -> str:
    """Return facts of steps by a person that finished the clock of ``stage``.

    OFFSET 0 keeps the planner walking from the few cases to their rows, never the other way.
    """
    return f"""
    SELECT cases.id, '{kind}', e.seq, (e.at {_DAY}, {_PLACES}, {department}, e.actor_id,
           {_marks(IN_TIME=f"e.data -> 'clocks' ? '{stage}:in_time'")}, 0
      FROM cases JOIN LATERAL (
           SELECT e.seq, e.at, e.actor_id, e.data FROM incidents_event e
            WHERE e.incident_id = cases.id AND e.action IN {actions} AND e.actor_id IS NOT NULL
              AND e.data -> 'clocks' ?| ARRAY['{stage}:in_time', '{stage}:late']
            ORDER BY e.seq OFFSET 0) e ON TRUE
"""  # noqa: S608  only constants of ours


_ATTEND = _kept(FactKind.ATTEND, "('arrive', 'respond')", Stage.ARRIVE, "owner_department_id")
_CHECK = _kept(FactKind.CHECK, "('verify_pass', 'verify_fail')", Stage.VERIFY, "NULL::bigint")

# A department called in, once it came, was late, or the whistle ended without it.
_CALL = f"""
    SELECT cases.id, '{FactKind.CALL}', p.id, (w.blown_at {_DAY}, {_PLACES}, p.department_id,
           p.handler_id, {
    _marks(
        CAME="p.arrived_at IS NOT NULL",
        IN_TIME="p.arrived_at IS NOT NULL AND NOT own.late",
    )
}, coalesce(round(extract(epoch FROM p.arrived_at - w.blown_at) / 60), 0)::int
      FROM cases JOIN incidents_whistle w ON w.incident_id = cases.id
      JOIN incidents_whistleparty p ON p.whistle_id = w.id
      JOIN LATERAL (
           SELECT coalesce(bool_or(c.breached_at IS NOT NULL OR c.finished_at > c.due_at), FALSE)
                  AS late
             FROM incidents_stageclock c
            WHERE c.party_id = p.id AND c.stage IN ('{Stage.ACCEPT}', '{Stage.ARRIVE}')) own ON TRUE
     WHERE p.arrived_at IS NOT NULL OR w.closed_at IS NOT NULL OR own.late
"""  # noqa: S608  only constants of ours

_BLOW = f"""
    SELECT cases.id, '{FactKind.BLOW}', w.id, (w.closed_at {_DAY}, {_PLACES}, NULL::bigint,
           w.blown_by_id, {_marks(NEEDED="w.needless IS NOT TRUE")}, 0
      FROM cases JOIN incidents_whistle w ON w.incident_id = cases.id
     WHERE w.closed_at IS NOT NULL
"""  # noqa: S608  only constants of ours

# A report the AI read, once it acted alone or somebody decided, in the month it came in. The item
# is the one it read or was given; what it thought first is held against what a person chose last.
_AI = f"""
    SELECT cases.id, '{FactKind.AI}', 0, (reported_at {_DAY}, {_PLACES}, NULL::bigint,
           NULL::bigint, {
    _marks(
        ALONE="ai_alone",
        ANSWERED="ai_answered",
        UNSOLVED="ai_answered AND unsolved",
        OPINION="ai_alone OR thought.category_id IS NOT NULL",
        OVERRULED=(
            "(retriaged AND coalesce(thought.outcome = 'overruled', FALSE))"
            " OR (ai_alone AND NOT ai_answered AND taken_back)"
        ),
    )
}, 0, coalesce(k.id, thought.category_id, cases.category_id, 0),
           coalesce(thought.model_version, 0)
      FROM cases
      LEFT JOIN incidents_category k ON k.code = cases.read_as
      LEFT JOIN LATERAL (
           SELECT s.category_id, s.model_version, s.outcome FROM incidents_suggestion s
            WHERE s.incident_id = cases.id ORDER BY s.id LIMIT 1) thought ON TRUE
     WHERE cases.read AND (ai_alone OR decided)
"""  # noqa: S608  only constants of ours

_KEY = "incident_id, kind, n"
_REST = f"day, {_PLACES}, department_id, person_id, marks, minutes, category_id, model_version"
_FACTS = f"""
    cases AS MATERIALIZED ({_CASES}),
    fresh ({_KEY}, {_REST}) AS MATERIALIZED (
        SELECT made.*, NULL::bigint, NULL::int FROM ({
    " UNION ALL ".join((_CASE, _REPORT, _MISS, _DISPATCH, _ATTEND, _CHECK, _CALL, _BLOW))
}) AS made (id, kind, n, day) WHERE day IS NOT NULL
        UNION ALL {_AI})
"""  # noqa: S608  only constants of ours

# Each fact is added up for these, by its day and by the first of its month; those of the AI by
# item and model, and by months alone.
_SPREAD = """
    CROSS JOIN LATERAL (VALUES
        ('county', CASE WHEN kind <> 'ai' THEN county_id END),
        ('town', CASE WHEN kind <> 'ai' THEN town_id END),
        ('department', department_id),
        ('dispatcher', CASE WHEN kind = 'dispatch' THEN person_id END),
        ('ai_item', category_id), ('ai_model', model_version)
    ) AS whose (subject, subject_id)
    CROSS JOIN LATERAL (VALUES (FALSE, day), (TRUE, date_trunc('month', day)::date)
    ) AS span (whole_month, since)
    WHERE subject_id IS NOT NULL AND (whole_month OR kind <> 'ai')
"""
_SUM_KEY = "county_id, subject, whole_month, day, subject_id, kind, marks"
_SUM_FROM = "county_id, subject, whole_month, since, subject_id, kind, marks"

_REPLACE = f"""
    WITH {_FACTS}, held AS MATERIALIZED (
        SELECT {_KEY}, {_REST} FROM incidents_scorefact WHERE incident_id = ANY(%(ids)s::bigint[])
    ), lost AS MATERIALIZED (
        SELECT {_KEY} FROM held EXCEPT SELECT {_KEY} FROM fresh
    ), gone AS (
        DELETE FROM incidents_scorefact f USING lost
         WHERE (f.incident_id, f.kind, f.n) = (lost.incident_id, lost.kind, lost.n)
    ), put AS (
        INSERT INTO incidents_scorefact ({_KEY}, {_REST})
        SELECT {_KEY}, {_REST} FROM fresh EXCEPT SELECT {_KEY}, {_REST} FROM held
        ON CONFLICT ({_KEY}) DO UPDATE SET ({_REST}) = (
            EXCLUDED.day, EXCLUDED.county_id, EXCLUDED.town_id, EXCLUDED.village_id,
            EXCLUDED.grid_id, EXCLUDED.department_id, EXCLUDED.person_id, EXCLUDED.marks,
            EXCLUDED.minutes, EXCLUDED.category_id, EXCLUDED.model_version)
    ), change AS (
        SELECT {_SUM_FROM}, sum(sign) AS n, sum(sign * minutes) AS minutes FROM (
            SELECT 1 AS sign, fresh.* FROM fresh UNION ALL SELECT -1, held.* FROM held
        ) AS both_sides {_SPREAD}
        GROUP BY {_SUM_FROM} HAVING sum(sign) <> 0 OR sum(sign * minutes) <> 0
    )
    INSERT INTO incidents_scoresum ({_SUM_KEY}, n, minutes)
    SELECT {_SUM_FROM}, n, minutes FROM change
    ON CONFLICT ({_SUM_KEY}) DO UPDATE
       SET n = incidents_scoresum.n + EXCLUDED.n,
           minutes = incidents_scoresum.minutes + EXCLUDED.minutes
"""  # noqa: S608  only constants of ours

_TAKE = """
    WITH gone AS (
        DELETE FROM incidents_casechange WHERE id = ANY (ARRAY(
            SELECT id FROM incidents_casechange ORDER BY id LIMIT %s))
        RETURNING incident_id
    )
    SELECT array_agg(DISTINCT incident_id), count(*) FROM gone
"""

# Sums as the facts say them; what stands and is no longer said becomes nothing and goes.
_RECOUNT = f"""
    INSERT INTO incidents_scoresum ({_SUM_KEY}, n, minutes)
    SELECT {_SUM_KEY}, sum(n), sum(minutes) FROM (
        SELECT {_SUM_FROM}, count(*) AS n, sum(minutes) AS minutes
          FROM incidents_scorefact {_SPREAD} GROUP BY {_SUM_FROM}
        UNION ALL
        SELECT {_SUM_KEY}, 0, 0 FROM incidents_scoresum
    ) AS everything ({_SUM_KEY}, n, minutes) GROUP BY {_SUM_KEY}
    ON CONFLICT ({_SUM_KEY}) DO UPDATE SET n = EXCLUDED.n, minutes = EXCLUDED.minutes
     WHERE (incidents_scoresum.n, incidents_scoresum.minutes)
           IS DISTINCT FROM (EXCLUDED.n, EXCLUDED.minutes)
"""  # noqa: S608  only constants of ours


def fold(*, batch: int = BATCH) -> int:
    """Take up to ``batch`` changes off the list and bring their cases up to date; return how many.

    One transaction; while another fold or recount runs, this one does nothing.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        if not LOCK.try_hold():
            return 0
        cursor.execute(_TAKE, [batch])
        ids, changes = cursor.fetchone()
        if ids:
            _replace(cursor, ids)
        return changes


def rebuild(*, progress: Callable[[int], object] = lambda n: None) -> int:
    """Make the facts of every case and all sums again; return how many cases there are.

    Cases go batch by batch, each a transaction that leaves sums and facts equal, so it may be
    stopped and begun again at any time, and readers and the fold go on meanwhile. The sums are
    added up anew at the end.
    """
    last, done = 0, 0
    while ids := _next_cases(last):
        with transaction.atomic(), connection.cursor() as cursor:
            LOCK.hold()
            _replace(cursor, ids)
        last, done = ids[-1], done + len(ids)
        progress(len(ids))
    recount()
    return done


def recount() -> None:
    """Add the sums up anew from the facts, in one transaction."""
    with transaction.atomic(), connection.cursor() as cursor:
        LOCK.hold()
        cursor.execute(
            "DELETE FROM incidents_scorefact f WHERE NOT EXISTS "
            "(SELECT FROM incidents_incident i WHERE i.id = f.incident_id)"
        )
        cursor.execute(_RECOUNT)
        cursor.execute("DELETE FROM incidents_scoresum WHERE n = 0 AND minutes = 0")


def _next_cases(after: int) -> list[int]:
    rows = Incident.objects.filter(pk__gt=after).order_by("pk").values_list("pk", flat=True)
    return list(rows[:BATCH])


def _replace(cursor: Any, ids: Sequence[int]) -> None:
    cursor.execute(_REPLACE, {"ids": list(ids)})
