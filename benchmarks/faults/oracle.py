"""Whether the four promises hold: judged from the database and from what others wrote down.

What lives here: plain SQL, and the logs of clients and receivers. What must not: Django, or a line
of the product; what judges may not share a mistake with what is judged.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row

# What each row of the timeline must have told, as kinds of messages: lost is what is missing.
TOLD = {
    "warn": ["warn"],
    "overdue": ["overdue"],
    "escalate": ["escalate", "supervision"],
    "dispatch": ["dispatched"],
    "respond": ["to_verify"],
    "verify_pass": ["call_back", "reporter:rate"],
}
ACTION_OF_TIMER = {"clock_warn": "warn", "clock_due": "overdue", "clock_climb": "escalate"}
# Ends of a message that somebody can see.
ENDED = {"delivered", "dead", "dropped"}


@dataclass
class Finding:
    """One promise: how much was looked at, and every case in which it does not hold."""

    name: str
    checked: int = 0
    broken: list[str] = field(default_factory=list)

    def must(self, holds: bool, words: str) -> None:
        self.checked += 1
        if not holds:
            self.broken.append(words)


def judge(dsn: str, *, clients: Path, receiver: Path, told: dict[str, str]) -> list[Finding]:
    """Return a finding for each promise; ``told`` says whose letters follow which notices."""
    with psycopg.connect(dsn, row_factory=dict_row) as database:
        return [
            _taken_in(database, list(_lines(clients))),
            _steps_taken(database, list(_lines(clients))),
            _timers(database),
            _deadlines(database),
            _messages(database),
            _letters(database, list(_lines(receiver)), told),
            _states(database),
            _figures(database),
        ]


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open() as log:
        for line in log:
            yield json.loads(line)


def _taken_in(database: psycopg.Connection, said: list[dict[str, Any]]) -> Finding:
    finding = Finding("1 every report answered with a code exists once")
    rows = Counter()
    for row in database.execute("SELECT report_key::text, tracking_code FROM incidents_incident"):
        rows[row["report_key"], row["tracking_code"]] += 1
    keys = Counter(key for key, _code in rows.elements())
    asked = {line["key"] for line in said if line["kind"] == "report"}
    for line in said:
        if line["kind"] == "report" and line["status"] in (200, 201):
            there = rows[line["key"], line["code"]]
            finding.must(there == 1, f"{line['key']} → {line['code']}: {there} times")
    for key, times in keys.items():
        finding.must(times == 1, f"{key} is there {times} times")
        finding.must(key in asked, f"{key} was never sent")
    return finding


def _steps_taken(database: psycopg.Connection, said: list[dict[str, Any]]) -> Finding:
    finding = Finding("1 every step answered as taken is on the timeline once")
    rows = Counter()
    for row in database.execute(
        "SELECT i.tracking_code, e.action FROM incidents_event e"
        " JOIN incidents_incident i ON i.id = e.incident_id WHERE e.actor_kind = 'user'"
    ):
        rows[row["tracking_code"], row["action"]] += 1
    won = Counter()
    for line in said:
        if line["kind"] == "step" and line["status"] in (200, 204):
            won[line["code"], line["action"]] += 1
    for (code, action), times in won.items():
        finding.must(times == 1, f"{code} {action}: {times} were told that theirs was the one")
        there = rows[code, action]
        finding.must(there == 1, f"{code} {action}: {there} rows")
    for (code, action), times in rows.items():
        finding.must(times == 1, f"{code} {action}: {times} rows on the timeline")
    return finding


def _timers(database: psycopg.Connection) -> Finding:
    finding = Finding("2 every timer fired once, and did once what it was for")
    wanted: Counter[tuple] = Counter()
    for row in database.execute(
        "SELECT t.kind, t.failures, c.incident_id, c.stage, c.name, c.party_id, c.due_at"
        " FROM core_timer t JOIN incidents_stageclock c ON c.id = t.subject_id"
        " WHERE t.subject_type = 'clock' AND t.fired_at IS NOT NULL"
    ):
        about = (row["incident_id"], row["stage"], row["name"], row["due_at"])
        wanted[(ACTION_OF_TIMER[row["kind"]], *about)] += 1
        if row["kind"] == "clock_due":
            # Who misses a deadline is reported to the next rung at once.
            wanted[("escalate", *about)] += 1
    made: Counter[tuple] = Counter()
    for row in database.execute(
        "SELECT incident_id, action, data->>'stage' AS stage, data->>'name' AS name,"
        " (data->>'due_at')::timestamptz AS due_at FROM incidents_event"
        " WHERE action IN ('warn', 'overdue', 'escalate')"
    ):
        about = (row["incident_id"], row["stage"], row["name"], row["due_at"])
        made[(row["action"], *about)] += 1
    for key in wanted.keys() | made.keys():
        action, case, stage, *_more = key
        words = f"case {case}, {action} of {stage}: {wanted[key]} fired, {made[key]} done"
        finding.must(wanted[key] == made[key], words)
    for row in database.execute(
        "SELECT subject_type, subject_id, kind, failures, last_error FROM core_timer"
        " WHERE failures > 0"
    ):
        words = f"{row['subject_type']} {row['subject_id']} {row['kind']}: {row['last_error']}"
        finding.must(False, words[:200])
    return finding


def _deadlines(database: psycopg.Connection) -> Finding:
    """Look at the clocks alone, whatever became of their timers."""
    finding = Finding("2 no deadline passed without being noticed")
    last = database.execute(
        "SELECT max(fired_at) - interval '5 s' AS at FROM core_timer"
    ).fetchone()
    assert last is not None
    for row in database.execute(
        "SELECT id, incident_id, stage, due_at, breached_at FROM incidents_stageclock"
        " WHERE finished_at IS NULL AND due_at <= %s",
        [last["at"]],
    ):
        words = f"case {row['incident_id']}, {row['stage']} was due at {row['due_at']}"
        finding.must(row["breached_at"] is not None, words)
    for row in database.execute(
        "SELECT kind, subject_type, subject_id FROM core_timer"
        " WHERE fired_at IS NULL AND due_at <= %s",
        [last["at"]],
    ):
        finding.must(
            False, f"{row['kind']} of {row['subject_type']} {row['subject_id']} never fired"
        )
    for row in database.execute(
        "SELECT i.id, i.state FROM incidents_incident i JOIN core_timer t ON t.subject_id = i.id"
        " AND t.subject_type = 'incident' AND t.kind = 'callback_over' AND t.cycle = i.round"
        " WHERE t.fired_at IS NOT NULL"
    ):
        finding.must(row["state"] != "callback", f"case {row['id']} still waits for its call-back")
    return finding


def _messages(database: psycopg.Connection) -> Finding:
    finding = Finding("3 everything to be told is told once, or visibly dead")
    keys = {}
    for row in database.execute("SELECT key, state, topic, channel_id FROM core_outboxmessage"):
        keys[row["key"]] = row
        finding.must(row["state"] in ENDED, f"{row['key']} is left {row['state']}")
    starts = Counter(":".join(key.split(":")[:4]) for key in keys)
    starts.update(":".join(key.split(":")[:5]) for key in keys)
    for row in database.execute(
        "SELECT incident_id, seq, action FROM incidents_event WHERE action = ANY(%s)", [list(TOLD)]
    ):
        for kind in TOLD[row["action"]]:
            start = f"incident:{row['incident_id']}:{row['seq']}:{kind}"
            finding.must(starts[start] > 0, f"{start} was never written")
    notices = Counter(row["key"] for row in database.execute("SELECT key FROM incidents_notice"))
    for key, row in keys.items():
        if row["topic"] == "notice" and row["state"] == "delivered":
            finding.must(notices[key] == 1, f"{key} is delivered, {notices[key]} notices")
    return finding


def _letters(
    database: psycopg.Connection, received: list[dict[str, Any]], told: dict[str, str]
) -> Finding:
    finding = Finding("3 every letter reached the other side, or is visibly dead")
    got = Counter(line["key"] for line in received)
    letters = {}
    for row in database.execute(
        "SELECT key, state FROM core_outboxmessage WHERE channel_id IS NOT NULL"
    ):
        letters[row["key"]] = row["state"]
        if row["state"] == "delivered":
            public = hashlib.sha256(row["key"].encode()).hexdigest()[:32]
            finding.must(got[public] > 0, f"{row['key']} is marked sent and never came")
    for row in database.execute("SELECT key, role, area_id, department_id FROM incidents_notice"):
        whom = f"department:{row['department_id']}" if row["department_id"] else ""
        suffix = told.get(whom or f"{row['role']}:{row['area_id']}")
        if suffix:
            finding.must(row["key"] + suffix in letters, f"{row['key']}{suffix} was never written")
    return finding


def _states(database: psycopg.Connection) -> Finding:
    finding = Finding("4 the state is that of the last event, and no event is missing")
    events: dict[int, list[dict[str, Any]]] = {}
    for row in database.execute(
        "SELECT incident_id, seq, from_state, to_state FROM incidents_event"
        " ORDER BY incident_id, seq"
    ):
        events.setdefault(row["incident_id"], []).append(row)
    for case in database.execute("SELECT id, state, last_seq FROM incidents_incident"):
        own = events.get(case["id"], [])
        words = f"case {case['id']} is {case['state']} at {case['last_seq']}"
        finding.must([row["seq"] for row in own] == list(range(1, case["last_seq"] + 1)), words)
        finding.must(bool(own) and own[-1]["to_state"] == case["state"], words)
        joined = all(a["to_state"] == b["from_state"] for a, b in pairwise(own))
        finding.must(joined, f"{words}: a row begins where none ended")
    return finding


def _figures(database: psycopg.Connection) -> Finding:
    finding = Finding("4 the figures are those of the cases")
    counted = {
        row["metric"]: row["n"]
        for row in database.execute(
            "SELECT metric, sum(n)::int AS n FROM (SELECT metric, n FROM incidents_figure"
            " UNION ALL SELECT metric, n FROM incidents_figuredelta) AS told GROUP BY metric"
        )
    }
    cases = {
        f"state:{row['state']}": row["n"]
        for row in database.execute(
            "SELECT state, count(*)::int AS n FROM incidents_incident"
            " WHERE parent_id IS NULL GROUP BY state"
        )
    }
    gauges = {metric for metric in counted if metric.startswith("state:")}
    for metric in gauges | cases.keys():
        is_now, says = cases.get(metric, 0), counted.get(metric, 0)
        finding.must(is_now == says, f"{metric}: {is_now} cases, the figures say {says}")
    return finding


def repeats(receiver: Path) -> tuple[int, int]:
    """Return how many letters came, and how many of them more than once."""
    got = Counter(line["key"] for line in _lines(receiver))
    return len(got), sum(times > 1 for times in got.values())
