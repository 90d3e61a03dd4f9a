"""The rows of visits: how far they cover a county, a town and a village, and today's round.

What lives here: households and visits written by SQL, and what is measured over them, in this
process; all is rolled back afterwards. What must not: what coverage means (queries/visits.py).
"""

import time
from datetime import timedelta
from typing import TYPE_CHECKING

from django.db import connection, transaction
from django.utils import timezone

from benchmarks.territory import Lines, each, line
from grids.models import Area, Household, Level, Visit
from grids.queries import visits

if TYPE_CHECKING:
    from benchmarks.__main__ import Bench

HOUSEHOLDS, VISITS_EACH, EVERY = 100_000, 4, 30
PERIOD = 30
TIMES = {Level.COUNTY: 3, Level.TOWN: 30, Level.VILLAGE: 100}

# As many in each grid; every seventh knock finds nobody, and every fifth household is late.
FILL_HOUSEHOLDS = """
    INSERT INTO grids_household (county_id, town_id, village_id, grid_id, address, contact, phone,
           phone_index, people, since, visit_every, next_due_on, version, location)
    SELECT county.id, town.id, village.id, grid.id, n || '号', '', '', '', 3, current_date - 400,
           %(every)s, current_date - %(every)s / 5 + (row_number() OVER ())::int %% %(every)s, 1,
           grid.centre
      FROM grids_area grid
      JOIN grids_area village ON village.path = left(grid.path, -{step})
      JOIN grids_area town ON town.path = left(village.path, -{step})
      JOIN grids_area county ON county.path = left(town.path, -{step})
     CROSS JOIN generate_series(1, %(each)s) AS n
     WHERE grid.level = 'grid' AND grid.closed_on IS NULL
"""
FILL_VISITS = """
    INSERT INTO grids_visit (key, household_id, county_id, by_id, at, received_at, met, due_on,
           diary, case_code)
    SELECT gen_random_uuid(), h.id, h.county_id, (SELECT min(id) FROM grids_user), day, day,
           (h.id + n) %% 7 <> 0, day::date - (h.id %% 5)::int, '', ''
      FROM grids_household h, generate_series(1, %(visits)s) AS n,
           LATERAL (SELECT now() - make_interval(days => (n * %(every)s - h.id %% %(every)s)::int)
                           AS day) AS moment
"""
# The least coverage must do: join the period's visits to the households of the area.
BARE = """
    SELECT h.{level}_id, count(*) FROM grids_visit v JOIN grids_household h ON h.id = v.household_id
     WHERE v.met AND v.at >= %s AND h.{level}_id = %s GROUP BY 1
"""


def measure_visits(bench: "Bench") -> Lines:
    """Ask for the coverage of a county, a town and a village over a month, and for a round."""
    with transaction.atomic():
        began = time.monotonic()
        _fill()
        told = f"{Household.objects.count():,} households, {Visit.objects.count():,} visits"
        bench.results["visits filled"] = {"seconds": time.monotonic() - began, "what": told}
        village = Area.objects.get(pk=Household.objects.latest("pk").village_id)
        above = Area.objects.filter(path__in=village.lineage_paths, level__in=TIMES)
        lines = [_coverage(bench, area, told) for area in above]
        lines.append(_round(bench, village))
        transaction.set_rollback(True)
    return lines


def _fill() -> None:
    grids = Area.objects.open().filter(level=Level.GRID).count()
    values = {"each": max(1, HOUSEHOLDS // grids), "every": EVERY, "visits": VISITS_EACH}
    with connection.cursor() as cursor:
        cursor.execute(FILL_HOUSEHOLDS.format(step=Area.steplen), values)
        cursor.execute(FILL_VISITS, values)
        cursor.execute("ANALYZE grids_household")
        cursor.execute("ANALYZE grids_visit")


def _coverage(bench: "Bench", area: Area, told: str) -> list[str]:
    today = timezone.localdate()
    first = today - timedelta(days=PERIOD)
    asked = [area] * TIMES[Level(area.level)]
    with connection.cursor() as cursor:
        bare = BARE.format(level=area.level)
        floor = each(asked, lambda one: cursor.execute(bare, [first, one.pk]).fetchall())
    found = each(
        asked, lambda one: visits.coverage_below(one, first=first, last=today, today=today)
    )
    bench.results[f"visits {area.level}"] = {"ms": found, "floor_ms": floor}
    row = f"coverage of visits of a {area.level}, a month of {told}"
    return line(row, _told(found), "", "", None, floor["mean"] / 1000, found["mean"] / 1000)


def _round(bench: "Bench", village: Area) -> list[str]:
    grid = Area.objects.filter(path__startswith=village.path, level=Level.GRID).latest("path")
    lon, lat = grid.centre.coords if grid.centre else (115.3, 33.6)
    today = timezone.localdate()
    asked = [grid] * 200
    with connection.cursor() as cursor:
        bare = "SELECT * FROM grids_household WHERE grid_id = %s ORDER BY next_due_on LIMIT 60"
        floor = each(asked, lambda one: cursor.execute(bare, [one.pk]).fetchall())
    found = each(asked, lambda one: visits.todays_round([one], today=today, lon=lon, lat=lat))
    bench.results["visits round"] = {"ms": found, "floor_ms": floor}
    row = "today's round of a grid, nearest first"
    return line(row, _told(found), "", "", None, floor["mean"] / 1000, found["mean"] / 1000)


def _told(found: dict[str, float]) -> str:
    return f"{found['mean']:.1f} ms, p95 {found['p95']:.1f} ms"
