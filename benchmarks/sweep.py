"""The rows of the sweep: a hundred thousand timers due at once.

What lives here: a light kind fired in this process, which is what claiming and firing cost, and
deadlines that run out on cases of their own, fired by one real worker; both removed afterwards.
What must not: what a deadline does (incidents/services/lateness.py).
"""

import time
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from django.db import connection, transaction
from django.utils import timezone

from benchmarks import county
from benchmarks.territory import Lines, line, timed
from core.models import Heartbeat, Timer
from core.services import timers
from incidents.models import Incident, State

if TYPE_CHECKING:
    from benchmarks.__main__ import Bench

TARGET_SECONDS = 60
# Each case has two clocks, and each of them a warning and an end.
TIMERS_OF_CASE = 4
LONGEST = 1800

# The least a sweep must do: claim in batches, and mark.
FLOOR = """
    UPDATE core_timer SET fired_at = now() WHERE id IN (
        SELECT id FROM core_timer WHERE fired_at IS NULL AND kind = 'bench' AND due_at <= now()
         ORDER BY due_at, id LIMIT 50 FOR UPDATE SKIP LOCKED)
"""
FILL = """
    INSERT INTO core_timer (subject_type, subject_id, kind, stage, cycle, due_at, failures,
        last_error, created_at)
    SELECT 'bench', n, 'bench', '', 1, now(), 0, '', now() FROM generate_series(1, %s) AS n
"""
DUE_NOW = """
    UPDATE core_timer t SET due_at = now() FROM incidents_stageclock c
     WHERE t.subject_type = 'clock' AND t.subject_id = c.id AND t.fired_at IS NULL
       AND t.kind <> 'clock_climb' AND c.incident_id BETWEEN %s AND %s
"""
# Asked twice a second of the machine that is measured, so it must cost nothing.
ANY_LEFT = """
    SELECT count(*) FROM (
        SELECT FROM core_timer WHERE subject_type = 'clock' AND kind <> 'clock_climb'
           AND fired_at IS NULL AND due_at <= now() LIMIT 1) AS one
"""
LEFT = """
    SELECT count(*) FROM core_timer t JOIN incidents_stageclock c ON c.id = t.subject_id
     WHERE t.subject_type = 'clock' AND t.fired_at IS NULL AND t.kind <> 'clock_climb'
       AND t.due_at <= now() AND c.incident_id BETWEEN %s AND %s
"""
DONE = """
    SELECT count(*), count(DISTINCT (incident_id, action, data->>'stage')) FROM incidents_event
     WHERE action IN ('warn', 'overdue') AND incident_id BETWEEN %s AND %s
"""


def measure_sweep(bench: "Bench") -> Lines:
    """Fire light timers in this process, then real deadlines by one worker."""
    return [_light(bench), _real(bench)]


def _light(bench: "Bench") -> list[str]:
    fired: list[int] = []
    timers.register("bench", lambda due, now: fired.extend(t.subject_id for t in due))
    with connection.cursor() as cursor:
        cursor.execute(FILL, [bench.timers])
        floor, _work = timed(lambda: _until_none(cursor))
        cursor.execute("UPDATE core_timer SET fired_at = NULL WHERE kind = 'bench'")
        cursor.execute("VACUUM ANALYZE core_timer")
        took, work = timed(timers.sweep)
        cursor.execute("DELETE FROM core_timer WHERE kind = 'bench'")
        cursor.execute("VACUUM core_timer")
    wrong = abs(len(fired) - bench.timers) + len(fired) - len(set(fired))
    bench.failures += wrong
    bench.results["sweep light"] = {"seconds": took, "fired": len(fired), "floor": floor}
    told = f"{took:.1f} s, {bench.timers / took:,.0f}/s" + (f", WRONG {wrong}" if wrong else "")
    row = f"{bench.timers:,} timers due at once, one sweep, a kind that does nothing"
    ok = took <= TARGET_SECONDS and not wrong
    return line(row, told, f"{work:.1f} s", f"≤ {TARGET_SECONDS} s", ok, floor, took)


def _until_none(cursor: object) -> None:
    while cursor.execute(FLOOR).rowcount:  # type: ignore[attr-defined]
        pass


def _real(bench: "Bench") -> list[str]:
    cases = bench.timers // TIMERS_OF_CASE
    with connection.cursor() as cursor:
        cursor.execute("SELECT max(id) FROM incidents_incident")
        first = cursor.fetchone()[0] + 1
        last = first + cases - 1
        for begin, end in county.chunks(first, last):
            county.fill(begin, end, last, state="dispatched")
        county.set_sequences()
        cursor.execute("ANALYZE core_timer, incidents_stageclock, incidents_incident")
        try:
            with bench.servers.background() as ready:
                _wait(lambda: _is_idle(ready), LONGEST)
                # Of so many cases some run out by themselves while the worker starts.
                early, _once = cursor.execute(DONE, [first, last]).fetchone()
                cursor.execute(DUE_NOW, [first, last])
                due = cursor.rowcount
                took, work = timed(lambda: _wait(lambda: not _count(ANY_LEFT), LONGEST))
            rows, once = cursor.execute(DONE, [first, last]).fetchone()
            rows, once = rows - early, once - early
            left = _count(LEFT, first, last)
        finally:
            county.forget(first, last)
            # So that the rows after this one find the lists of open cases as they were.
            cursor.execute(
                "VACUUM ANALYZE incidents_incident, incidents_event, incidents_stageclock"
            )
    wrong = abs(due - left - rows) + rows - once
    bench.failures += wrong
    bench.results["sweep"] = {"seconds": took, "due": due, "left": left, "rows": rows}
    told = f"{took:.0f} s, {(due - left) / took:,.0f}/s" + (f", WRONG {wrong}" if wrong else "")
    row = f"{due:,} warnings and missed deadlines due at once, one worker of two processes"
    ok = took <= TARGET_SECONDS and not wrong and not left
    floor = bench.results["sweep light"]["floor"]
    return line(row, told, f"{work:.1f} s", f"≤ {TARGET_SECONDS} s", ok, floor, took)


def _is_idle(since: datetime) -> bool:
    """Return whether a worker has shown itself and has nothing old to do any more.

    The reports of the rows before wait for its first look at them.
    """
    awake = Heartbeat.objects.filter(name="worker", at__gt=since).exists()
    due = Timer.objects.filter(fired_at=None, due_at__lte=timezone.now())
    unread = Incident.objects.filter(state=State.REPORTED, triage_tried_at=None)
    return awake and not due.exists() and not unread.exists()


def _count(statement: str, *values: int) -> int:
    with transaction.atomic(), connection.cursor() as cursor:
        return cursor.execute(statement, values).fetchone()[0]


def _wait(condition: Callable[[], bool], longest: float) -> None:
    end = time.monotonic() + longest
    while not condition() and time.monotonic() < end:
        time.sleep(0.5)
