"""The rows of scores: the job that follows cases, and a year of a county, a town and a village.

What lives here: facts written by SQL for every case there is, and what is measured over them, in
this process; all is rolled back afterwards. What must not: what a score is (incidents/scoring.py).
"""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

from django.db import connection, transaction
from django.utils import timezone

from benchmarks.rows import Lines
from grids.models import Area, Level
from incidents.models import CaseChange, Incident, ScoreFact, ScoreSum
from incidents.queries import score_readers
from incidents.queries import scores as read
from incidents.queries.scores import Period
from incidents.services import scores

if TYPE_CHECKING:
    from benchmarks.__main__ import Bench

CHANGED = 5_000
YEAR = 365
TIMES = {Level.COUNTY: 20, Level.TOWN: 30, Level.VILLAGE: 50}

# A fact for every case, with marks as they fall.
FILL = """
    INSERT INTO incidents_scorefact (incident_id, kind, n, day, county_id, town_id, village_id,
           grid_id, department_id, person_id, marks, minutes)
    SELECT id, 'case', 0, (reported_at + interval '5 days')::date, county_id, town_id, village_id,
           grid_id, owner_department_id, handler_id,
           2 + 4 * (id % 9 <> 0)::int + 8 + 16 * (id % 20 = 0)::int + 128 * (id % 3 <> 0)::int
             + 1792 * (id % 3 = 1)::int, 0
      FROM incidents_incident ON CONFLICT DO NOTHING
"""
# The least a year of an area's parts must read.
BARE = """
    SELECT s.subject_id, s.marks, sum(s.n) FROM incidents_scoresum s
     WHERE s.subject = 'town' AND s.whole_month AND s.day >= %s GROUP BY 1, 2
"""


def measure_scores(bench: "Bench") -> Lines:
    """Bring changed cases up to date, then ask for a year of a county, a town and a village."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(FILL)
        began = time.monotonic()
        scores.recount()
        took = time.monotonic() - began
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE incidents_scorefact")
            cursor.execute("ANALYZE incidents_scoresum")
        facts, sums = ScoreFact.objects.count(), ScoreSum.objects.count()
        row = f"scores: {sums:,} sums of {facts:,} facts added up anew"
        lines = [_told(row, f"{took:.1f} s")]
        lines.append(_job(bench))
        village = Area.objects.filter(level=Level.VILLAGE).latest("pk")
        above = Area.objects.filter(path__in=village.lineage_paths, level__in=TIMES)
        lines += [_year(bench, area) for area in above]
        transaction.set_rollback(True)
    return lines


def _job(bench: "Bench") -> list[str]:
    ids = Incident.objects.order_by("-pk").values_list("pk", flat=True)[:CHANGED]
    CaseChange.objects.bulk_create(CaseChange(incident_id=pk) for pk in ids)
    began, done = time.monotonic(), 0
    while n := scores.fold():
        done += n
    took = time.monotonic() - began
    bench.results["scores job"] = {"seconds": took, "cases": done}
    return _told("scores: changed cases brought up to date", f"{done / took:,.0f}/s")


def _year(bench: "Bench", area: Area) -> list[str]:
    last = timezone.localdate() - timedelta(days=1)
    period = Period(last - timedelta(days=YEAR), last)
    parts = score_readers.areas_below(area)
    times = TIMES[Level(area.level)]
    with connection.cursor() as cursor:
        floor = _each(times, lambda: cursor.execute(BARE, [period.first]).fetchall())
    found = _each(times, lambda: read.of_areas(parts, period))
    bench.results[f"scores {area.level}"] = {"ms": found, "floor_ms": floor}
    row = f"scores of a year, the {len(parts)} parts of a {area.level}"
    told = f"{found['mean']:.1f} ms, p95 {found['p95']:.1f} ms"
    ratio = f"{floor['mean'] / found['mean']:.2f}"
    return [*_told(row, told)[:-2], f"{floor['mean']:.2f} ms", ratio]


def _told(row: str, measured: str) -> list[str]:
    return [row, measured, "", "", "", "", "", ""]


def _each(times: int, act: Callable[[], object]) -> dict[str, float]:
    """Return mean and p95 in ms of ``act``, after one time that does not count."""
    act()
    took = []
    for _time in range(times):
        began = time.perf_counter()
        act()
        took.append((time.perf_counter() - began) * 1000)
    took.sort()
    return {"mean": sum(took) / times, "p95": took[int(times * 0.95)]}
