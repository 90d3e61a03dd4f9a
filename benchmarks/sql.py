"""The statements that write incidents in bulk, and the small tables they draw from.

What must not live here: anything that runs them (county.py). ``bench.u(id, n)`` is the n-th
even number between 0 and 1 of a case, the same in every run.
"""

POOLS = """
    CREATE SCHEMA IF NOT EXISTS bench;
    CREATE OR REPLACE FUNCTION bench.u(id bigint, n int) RETURNS float8 IMMUTABLE PARALLEL SAFE
        LANGUAGE sql AS
        $$ SELECT (hashint8extended(id, n) & 2147483647)::float8 / 2147483648.0 $$;
    CREATE TABLE bench.place (n int PRIMARY KEY, county_id bigint, town_id bigint,
        village_id bigint, grid_id bigint, lon float8, lat float8, name text, words varchar(40)[]);
    CREATE TABLE bench.kind (n int PRIMARY KEY, category_id bigint, tier text,
        department_id bigint, handler_id bigint, version_id bigint, first_text int, texts int,
        village bool);
    CREATE TABLE bench.text (n int PRIMARY KEY, body text, words varchar(40)[]);
    CREATE TABLE bench.state (state text PRIMARY KEY, low float8, high float8, open bool,
        steps int, extra text, owned bool);
    CREATE TABLE bench.step (seq int PRIMARY KEY, action text, from_state text, to_state text,
        actor text, place text, public bool);
    CREATE TABLE bench.clock (state text, stage text, days float8);
    CREATE TABLE bench.floor (id bigserial PRIMARY KEY, body text, n int DEFAULT 0,
        at timestamptz DEFAULT now());
    INSERT INTO bench.floor (body) SELECT 'row' FROM generate_series(1, 10000);
"""

# state, from and to in the share of open (or ended) cases, open, steps of the common road taken,
# the step beside that road, whether somebody owns it.
STATES = [
    ("reported", 0.00, 0.08, True, 2, "", False),
    ("pending", 0.08, 0.14, True, 3, "", False),
    ("dispatched", 0.14, 0.36, True, 4, "", True),
    ("objected", 0.36, 0.38, True, 4, "object", True),
    ("accepted", 0.38, 0.56, True, 5, "", True),
    ("arrived", 0.56, 0.76, True, 6, "", True),
    ("whistled", 0.76, 0.80, True, 3, "blow_whistle", True),
    ("ruling", 0.80, 0.81, True, 3, "party_dissent", True),
    ("responded", 0.81, 0.90, True, 7, "", True),
    ("callback", 0.90, 0.96, True, 8, "", True),
    ("answered", 0.96, 0.97, True, 2, "answer", False),
    ("suspended", 0.97, 0.99, True, 6, "suspend", True),
    ("supervised", 0.99, 1.00, True, 8, "supervise", True),
    ("closed", 0.00, 0.94, False, 9, "", True),
    ("emergency", 0.94, 0.95, False, 2, "exit_emergency", False),
    ("statutory", 0.95, 0.97, False, 2, "exit_statutory", False),
    ("out_of_remit", 0.97, 0.99, False, 2, "exit_out_of_remit", False),
    ("duplicate", 0.99, 1.00, False, 2, "merge", False),
]
# The common road: seq, action, from, to, who, where, public.
STEPS = [
    (1, "report", "", "reported", "resident", "", True),
    (2, "suggest", "reported", "reported", "ai", "", False),
    (3, "triage", "reported", "pending", "user", "县社会治安综合治理中心", True),
    (4, "dispatch", "pending", "dispatched", "user", "县社会治安综合治理中心", True),
    (5, "accept", "dispatched", "accepted", "user", "县城市管理局", True),
    (6, "arrive", "accepted", "arrived", "user", "县城市管理局", True),
    (7, "respond", "arrived", "responded", "user", "县城市管理局", True),
    (8, "verify_pass", "responded", "callback", "user", "县社会治安综合治理中心", True),
    (9, "rate", "callback", "closed", "resident", "", True),
]
# Clocks of an open case: state, stage, days after the case's nearest deadline.
CLOCKS = [
    ("reported", "triage", 0),
    ("pending", "triage", 0),
    ("dispatched", "accept", 0),
    ("dispatched", "resolve", 4),
    ("objected", "accept", 0),
    ("objected", "resolve", 4),
    ("accepted", "arrive", 0),
    ("accepted", "respond", 2),
    ("accepted", "resolve", 4),
    ("arrived", "respond", 0),
    ("arrived", "resolve", 2),
    ("whistled", "respond", 0),
    ("whistled", "resolve", 3),
    ("ruling", "respond", 0),
    ("responded", "verify", 0),
    ("responded", "resolve", 1),
    ("callback", "callback", 0),
]

# Three years of reports in order of id. Nearly all of the last weeks' cases are still open, and
# a few old ones are: two in a hundred altogether.
_INCIDENT = """
    WITH drawn AS (
        SELECT i AS id,
               now() - interval '3 years' * (1 - least(i, %(total)s)::float8 / %(total)s)
                     - interval '5 minutes' AS at,
               CASE WHEN i > %(total)s * 0.96 THEN bench.u(i, 1) < 0.44
                    ELSE bench.u(i, 1) < 0.0025 END OR %(state)s <> '' AS open,
               now() + interval '1 day' * (bench.u(i, 2) * 20
                     - CASE WHEN %(state)s = '' THEN 3 ELSE 0 END) AS due
          FROM generate_series(%(first)s::bigint, %(last)s) AS i
    ), cases AS (
        SELECT d.*, s.state, s.steps, s.extra, s.owned,
               bench.u(d.id, 6) < 0.45 AND k.village AND %(state)s = '' AS local,
               least(now(), d.at + interval '1 day' * (0.5 + 9 * bench.u(d.id, 7))) AS ended,
               s.state NOT IN ('suspended', 'supervised', 'answered') AS runs,
               p.county_id, p.town_id, p.village_id, p.grid_id, p.lon, p.lat, p.name, p.words,
               k.category_id, k.tier, k.department_id, k.handler_id, k.version_id,
               t.body, t.words AS body_words
          FROM drawn d
          JOIN bench.state s ON CASE WHEN %(state)s <> '' THEN s.state = %(state)s
               ELSE s.open = d.open AND bench.u(d.id, 3) >= s.low AND bench.u(d.id, 3) < s.high END
          JOIN bench.place p ON p.n = floor(bench.u(d.id, 4) * %(places)s)::int
          JOIN bench.kind k ON k.n = floor(bench.u(d.id, 5) * %(kinds)s)::int
          JOIN bench.text t ON t.n = k.first_text + floor(bench.u(d.id, 8) * k.texts)::int
    )
    INSERT INTO incidents_incident (
        id, report_key, tracking_code, source, state, text, address, urgency, bigrams,
        county_id, town_id, village_id, grid_id, unit_id, area_id, location, found_by, reporter_id,
        category_id, tier, deadline_version_id, owner_department_id, owner_area_id, handler_id,
        rung, round, rework_count, objection_used, suspended_from, suspended_until, merged_into_id,
        reported_at, triaged_at, triage_tried_at, dispatched_at, accepted_at, arrived_at,
        responded_at, verified_at, ended_at, due_at, due_unit, overdue_at, version, last_seq)
    SELECT id, md5('key ' || id)::uuid, upper(left(md5('code ' || id), 14)),
           (ARRAY['resident','resident','resident','resident','resident','worker','worker',
                  'worker','hotline','inspection'])[1 + floor(bench.u(id, 9) * 10)::int],
           state, body, name,
           CASE WHEN bench.u(id, 10) < 0.002 THEN 2 WHEN bench.u(id, 10) < 0.05 THEN 1 ELSE 0 END,
           body_words || words,
           county_id, town_id, village_id, grid_id, NULL, grid_id,
           ST_SetSRID(ST_MakePoint(lon, lat), 4326), 'polygon', NULL,
           CASE WHEN steps > 2 THEN category_id END,
           CASE WHEN steps < 3 THEN '' WHEN state IN ('whistled', 'ruling') THEN 'whistle'
                ELSE tier END,
           CASE WHEN steps > 2 THEN version_id END,
           CASE WHEN owned AND NOT local THEN department_id END,
           CASE WHEN owned AND local THEN
                CASE WHEN bench.u(id, 11) < 0.6 THEN grid_id WHEN bench.u(id, 11) < 0.9
                     THEN village_id ELSE town_id END END,
           CASE WHEN owned AND steps > 4 AND NOT local THEN handler_id END,
           0, 1, CASE WHEN bench.u(id, 12) < 0.05 THEN 1 ELSE 0 END, false,
           CASE WHEN state = 'suspended' THEN 'arrived' ELSE '' END,
           CASE WHEN state = 'suspended' THEN now() + interval '7 days' END,
           CASE WHEN state = 'duplicate' THEN greatest(id - 500, 1) END,
           at, CASE WHEN steps > 2 THEN at + interval '1 hour' END, at + interval '5 seconds',
           CASE WHEN steps > 3 THEN at + interval '2 hours' END,
           CASE WHEN steps > 4 THEN at + interval '4 hours' END,
           CASE WHEN steps > 5 THEN at + interval '6 hours' END,
           CASE WHEN steps > 6 THEN ended - interval '2 hours' END,
           CASE WHEN steps > 7 THEN ended - interval '1 hour' END,
           CASE WHEN NOT open THEN ended END,
           CASE WHEN open AND runs THEN due ELSE timestamptz '9999-12-31 00:00+00' END,
           CASE WHEN open AND runs THEN 'working_days' ELSE '' END,
           CASE WHEN CASE WHEN open THEN runs AND due < now() ELSE bench.u(id, 13) < 0.07 END
                THEN least(due, ended) END,
           steps + 1, steps + (extra <> '')::int
      FROM cases
"""

_RANGE = "i.id BETWEEN %(first)s AND %(last)s"

_EVENT = f"""
    INSERT INTO incidents_event (incident_id, seq, at, action, actor_kind, actor_id, actor_place,
        from_state, to_state, note, data, public)
    SELECT i.id, t.seq, least(now(), i.reported_at + (t.seq - 1) * interval '2 hours'), t.action,
           t.actor, CASE WHEN t.seq BETWEEN 5 AND 7 THEN i.handler_id END, t.place,
           t.from_state, t.to_state,
           CASE WHEN t.seq = 7 THEN '已安排人员到场处理完毕。' ELSE '' END,
           '{{"round": 1}}'::jsonb, t.public
      FROM incidents_incident i JOIN bench.state s ON s.state = i.state
      JOIN bench.step t ON t.seq <= s.steps
     WHERE {_RANGE} AND (NOT %(short)s OR i.ended_at IS NULL OR i.id %% 10 = 0
                         OR t.seq IN (1, s.steps))
    UNION ALL
    SELECT i.id, s.steps + 1, least(now(), i.reported_at + s.steps * interval '2 hours'), s.extra,
           'user', NULL, '县社会治安综合治理中心', t.to_state, i.state, '',
           '{{"round": 1}}'::jsonb, false
      FROM incidents_incident i JOIN bench.state s ON s.state = i.state
      JOIN bench.step t ON t.seq = s.steps
     WHERE s.extra <> '' AND {_RANGE}
     ORDER BY 3
"""

_CLOCK = f"""
    INSERT INTO incidents_stageclock (incident_id, party_id, stage, name, round, amount, unit,
        started_at, due_at, remaining, cycle, rung, warned_at, breached_at, finished_at)
    SELECT i.id, NULL, c.stage, '', 1, 3, 'working_days', i.reported_at,
           i.due_at + c.days * interval '1 day', NULL, 1,
           CASE WHEN c.days = 0 AND i.overdue_at IS NOT NULL THEN 5 END, NULL,
           CASE WHEN c.days = 0 THEN i.overdue_at END, NULL
      FROM incidents_incident i JOIN bench.clock c ON c.state = i.state
     WHERE i.ended_at IS NULL AND {_RANGE}
"""

_TIMER = f"""
    INSERT INTO core_timer (subject_type, subject_id, kind, stage, cycle, due_at, failures,
        last_error, created_at)
    SELECT 'clock', c.id, k.kind, '', 1, c.due_at - k.before, 0, '', now()
      FROM incidents_stageclock c JOIN incidents_incident i ON i.id = c.incident_id,
           (VALUES ('clock_due', interval '0'), ('clock_warn', interval '6 hours'))
           AS k (kind, before)
     WHERE c.breached_at IS NULL AND c.due_at > now() AND {_RANGE}
"""

# Whistles of open cases, and of every fifth ended one whose category wants one.
_WHISTLE = f"""
    INSERT INTO incidents_whistle (incident_id, round, ask, meet_place, blown_by_id, blown_at,
        ruling, closed_at)
    SELECT i.id, 1, '请各单位到场会商。', '', (SELECT min(id) FROM grids_user),
           i.reported_at + interval '2 hours', '', i.ended_at
      FROM incidents_incident i
     WHERE (i.state IN ('whistled', 'ruling')
            OR (i.state = 'closed' AND i.tier = 'whistle' AND i.id %% 5 = 0)) AND {_RANGE}
"""

_PARTY = f"""
    INSERT INTO incidents_whistleparty (whistle_id, department_id, is_lead, ask, state, opinion,
        dissent)
    SELECT w.id, d.id, row_number() OVER (PARTITION BY w.id ORDER BY bench.u(w.id, d.id::int)) = 1,
           '', CASE WHEN i.ended_at IS NULL THEN 'accepted' ELSE 'signed' END, '', ''
      FROM incidents_whistle w JOIN incidents_incident i ON i.id = w.incident_id,
           LATERAL (SELECT id FROM grids_department
                     ORDER BY bench.u(w.id, id::int) LIMIT 3) AS d
     WHERE {_RANGE}
"""

_CALLBACK = f"""
    INSERT INTO incidents_callback (incident_id, round, token, created_at, expires_at, score,
        solved, comment, answered_at)
    SELECT i.id, 1, md5('token ' || i.id), i.reported_at, i.reported_at + interval '30 days',
           CASE WHEN i.state = 'closed' THEN 'satisfied' ELSE '' END,
           CASE WHEN i.state = 'closed' THEN true END, '', i.ended_at
      FROM incidents_incident i
     WHERE (i.state = 'callback' OR (i.state = 'closed' AND i.id %% 4 = 0)) AND {_RANGE}
"""

_NOTICE = f"""
    INSERT INTO incidents_notice (key, incident_id, kind, role, area_id, department_id, data,
        created_at, read_at)
    SELECT 'bench:' || i.id, i.id, 'dispatched',
           CASE WHEN i.owner_department_id IS NULL THEN 'command' ELSE '' END,
           CASE WHEN i.owner_department_id IS NULL THEN i.county_id END, i.owner_department_id,
           '{{}}', i.reported_at, CASE WHEN bench.u(i.id, 14) < 0.8 THEN i.reported_at END
      FROM incidents_incident i
     WHERE (i.ended_at IS NULL OR i.id %% 10 = 0) AND {_RANGE}
"""

FILL = [_INCIDENT, _EVENT, _CLOCK, _TIMER, _WHISTLE, _PARTY, _CALLBACK, _NOTICE]

_HANGING = (
    "callback", "casechange", "event", "notice", "reportercontact", "scorefact", "stageclock",
    "suggestion", "supervisionnotice", "whistle",
)  # fmt: skip
FORGET = [
    "DELETE FROM core_timer t USING incidents_stageclock c WHERE t.subject_type = 'clock'"
    " AND t.subject_id = c.id AND c.incident_id BETWEEN %(first)s AND %(last)s",
    "DELETE FROM incidents_whistleparty p USING incidents_whistle w WHERE p.whistle_id = w.id"
    " AND w.incident_id BETWEEN %(first)s AND %(last)s",
    "DELETE FROM core_outboxmessage WHERE CASE WHEN key ~ '^incident:[0-9]+:'"
    " THEN split_part(key, ':', 2)::bigint BETWEEN %(first)s AND %(last)s END",
    *(
        f"DELETE FROM incidents_{table} WHERE incident_id BETWEEN %(first)s AND %(last)s"
        for table in _HANGING
    ),
    "DELETE FROM incidents_incident WHERE id BETWEEN %(first)s AND %(last)s",
]

FIGURES = """
    INSERT INTO incidents_figure (county_id, town_id, day, metric, n)
    SELECT county_id, town_id, day, metric, count(*) FROM (
        SELECT county_id, town_id, (reported_at AT TIME ZONE 'Asia/Shanghai')::date AS day,
               'reported' AS metric FROM incidents_incident
        UNION ALL
        SELECT county_id, town_id, (ended_at AT TIME ZONE 'Asia/Shanghai')::date,
               unnest(ARRAY['closed', CASE WHEN overdue_at IS NULL THEN 'closed:in_time'
                                      ELSE 'closed:late' END, 'verified', 'rated',
                            CASE WHEN id % 12 = 0 THEN 'rated:dissatisfied' WHEN id % 3 = 0
                                 THEN 'rated:basic' ELSE 'rated:satisfied' END,
                            CASE WHEN id % 10 = 0 THEN 'rated:unsolved' ELSE 'rated:solved' END,
                            'accept:in_time', 'respond:in_time'])
          FROM incidents_incident WHERE state = 'closed'
        UNION ALL
        SELECT county_id, town_id, (overdue_at AT TIME ZONE 'Asia/Shanghai')::date, 'overdue'
          FROM incidents_incident WHERE overdue_at IS NOT NULL
        UNION ALL
        SELECT county_id, town_id, date '1970-01-01', 'state:' || state FROM incidents_incident
    ) AS counted GROUP BY county_id, town_id, day, metric ORDER BY day
"""
