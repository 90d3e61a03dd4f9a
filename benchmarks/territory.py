"""The rows of the territory: coverage audit, point → grid, the list of a subtree.

What lives here: what is measured in this process against a bare statement of the same run. What
must not: requests over the wire (rows.py). Times are of the wall; the processor's are beside them.
"""

import time
from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING, Any

from django.db import connection

from benchmarks import cpu
from grids.models import Area, AuditState, Level, Posting, Role
from grids.queries import Scope, place_of_point, the_county
from grids.queries.tree import seen_areas
from grids.services import coverage

if TYPE_CHECKING:
    from benchmarks.__main__ import Bench

Lines = list[list[str]]
AUDIT_SECONDS, POINT_MS = 120, 0.5
POINTS, WARM = 5000, 200

# The least an audit must do: join the grids of each village, and relate each pair of neighbours.
UNIONS = """
    SELECT count(*) FROM (
        SELECT ST_Union(boundary) FROM grids_area
         WHERE level = 'grid' AND closed_on IS NULL GROUP BY left(path, length(path) - 4)
    ) AS villages
"""
PAIRS = """
    SELECT count(*) FROM grids_area one
      JOIN grids_area other ON other.boundary && one.boundary AND other.id > one.id
       AND other.level || '' = 'grid'
     WHERE one.level = 'grid' AND ST_Relate(one.boundary, other.boundary, '2********')
"""
BARE_POINT = """
    SELECT id FROM grids_area
     WHERE level = 'grid' AND ST_Covers(boundary, ST_SetSRID(ST_MakePoint(%s, %s), 4326)) LIMIT 1
"""
BARE_SUBTREE = "SELECT id, code, name FROM grids_area WHERE path LIKE %s ORDER BY path"


def measure_coverage(bench: "Bench") -> Lines:
    """Audit the whole county once, as the worker does."""
    county = _county()
    with connection.cursor() as cursor:
        cursor.execute("SET jit = off")
        floor, _work = timed(lambda: [cursor.execute(UNIONS), cursor.execute(PAIRS)])
        cursor.execute("RESET jit")
    run = coverage.start(area=county, actor=None)
    took, work = timed(lambda: coverage.finish(run, progress=_nothing, pause=0.2))
    ok = run.state == AuditState.DONE and took <= AUDIT_SECONDS
    bench.results["coverage"] = {"areas": run.total, "seconds": took, "cpu": work, "floor": floor}
    measured = f"{took:.1f} s, {run.faults.count()} faults"
    row = f"coverage audit of {run.total:,} areas"
    return [line(row, measured, f"{work:.1f} s", f"≤ {AUDIT_SECONDS} s", ok, floor, took)]


def point(bench: "Bench") -> Lines:
    """Ask for the grid of points inside the county, one after the other."""
    of_grids = Area.objects.open().filter(level=Level.GRID, centre__isnull=False)
    centres = list(of_grids.values_list("centre", flat=True))
    grids = len(centres)
    rng = Random("points")
    points = [rng.choice(centres).coords for _n in range(POINTS)]
    with connection.cursor() as cursor:
        floor = each(points, lambda spot: cursor.execute(BARE_POINT, spot))
    found = each(points, lambda spot: place_of_point(longitude=spot[0], latitude=spot[1]))
    bench.results["point"] = {"grids": grids, "ms": found, "floor_ms": floor}
    measured = f"{found['mean']:.2f} ms, p95 {found['p95']:.2f} ms"
    row = f"point → grid over {grids:,} polygons"
    ok = found["mean"] <= POINT_MS
    target = f"≤ {POINT_MS} ms (floor: {1000 / floor['mean']:,.0f} bare look-ups/s)"
    return [line(row, measured, "", target, ok, floor["mean"] / 1000, found["mean"] / 1000)]


def subtree(bench: "Bench") -> Lines:
    """List id, code and name of everything the widest and the narrowest scope look at."""
    lines = []
    for title, role in (("widest", Role.COMMAND), ("narrowest", Role.VILLAGE_OFFICE)):
        posting = Posting.objects.current().filter(role=role).order_by("id").first()
        if posting is None:
            raise LookupError(f"nobody is {role}")
        scope = Scope.for_user(posting.user)
        path = f"{posting.place.path}%"  # type: ignore[union-attr]
        rows = seen_areas(scope).values_list("pk", "code", "name")
        listed = len(rows)
        times = 3 if listed > 10_000 else 200
        with connection.cursor() as cursor:
            floor = each([path] * times, lambda one: cursor.execute(BARE_SUBTREE, [one]).fetchall())
        found = each([rows] * times, lambda one: list(one.all()))
        bench.results[f"subtree {title}"] = {"rows": listed, "ms": found, "floor_ms": floor}
        row = f"subtree of the {title} scope, {listed:,} areas"
        measured = f"{found['mean']:.1f} ms, p95 {found['p95']:.1f} ms"
        lines.append(line(row, measured, "", "", None, floor["mean"] / 1000, found["mean"] / 1000))
    return lines


def _county() -> Area:
    county = the_county()
    if county is None:
        raise LookupError("there is no county")
    return county


def _nothing(_done: int, _total: int) -> None:
    pass


def timed(act: Callable[[], object]) -> tuple[float, float]:
    """Return seconds by the wall, and by the processors of all programmes together."""
    begun, busy = time.monotonic(), cpu.busy()
    act()
    return time.monotonic() - begun, cpu.busy() - busy


def each(given: list[Any], act: Callable[[Any], object]) -> dict[str, float]:
    """Return mean and p95 in ms of ``act`` over ``given``, the first few left out."""
    for one in given[:WARM]:
        act(one)
    times = []
    for one in given:
        begun = time.perf_counter()
        act(one)
        times.append((time.perf_counter() - begun) * 1000)
    times.sort()
    return {"mean": sum(times) / len(times), "p95": times[int(len(times) * 0.95)]}


def line(
    row: str, measured: str, work: str, target: str, ok: bool | None, floor: float, took: float
) -> list[str]:
    met = "" if ok is None else ("yes" if ok else "no")
    unit = f"{floor:.1f} s" if floor >= 1 else f"{floor * 1000:.2f} ms"
    return [row, measured, work, "", target, met, unit, f"{floor / took:.2f}"]
