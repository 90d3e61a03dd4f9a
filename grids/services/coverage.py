"""The coverage audit: do the areas below an area cover it with no gap and no overlap?

What lives here: starting a run, measuring it batch by batch, and putting its faults in the place
of older ones. What must not: showing them (queries/coverage.py).

A batch is one transaction that measures some parents and moves the run's cursor behind them, so
a run that was killed goes on where it stood, whoever wakes it. One batch at a time is measured
in the whole deployment; the others wait for the next tick instead of taking all workers.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from time import sleep

from django.db import DatabaseError, IntegrityError, connection, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from core.errors import Conflict, Invalid, NotAllowed
from core.locks import Lock
from core.services import audit
from grids.models import Area, AuditState, CoverageAudit, CoverageFault, Level, User
from grids.models.coverage import SLIVER_M2
from grids.queries.reach import Reach

logger = logging.getLogger(__name__)

# Whoever measures a batch holds it.
BATCH_LOCK = Lock("grids.coverage")
# So many areas are measured in one transaction, a little under a second's work.
BATCH = 400
# A batch that breaks is tried again so often before the run is given up.
TRIES = 3
# What is smaller is rounding of coordinates, not ground, in m².
NOISE_M2 = 0.01
# Two shapes this near touch, in degrees: a centimetre.
TOUCH = 1e-7
# Levels whose areas are to be covered by those below them; units need not cover a grid.
COVERED = (Level.PROVINCE, Level.CITY, Level.COUNTY, Level.TOWN, Level.VILLAGE)


def start(*, area: Area, actor: User | None, sliver_m2: float = SLIVER_M2) -> CoverageAudit:
    """Put a run over ``area`` and all below it in the queue; None as actor is the command line.

    Pieces smaller than ``sliver_m2`` (m², 0 to 10,000) count as slivers. Raises NotAllowed,
    Invalid for an area that has nothing to be covered by, Conflict while a run is under way.
    """
    _check_right(actor, area)
    if area.level not in COVERED or area.closed_on:
        raise Invalid(_("Choose a village or a larger area that is not closed."), field="area")
    if not 0 <= sliver_m2 <= 10_000:
        raise Invalid(_("The size of a sliver must be between 0 and 10,000 m²."), field="sliver")
    total = Area.objects.open().filter(path__startswith=area.path).exclude(level=Level.UNIT).count()
    try:
        with transaction.atomic():
            run = CoverageAudit.objects.create(
                area=area, started_by=actor, sliver_m2=sliver_m2, total=total
            )
            audit.record(
                actor=actor,
                action="coverage_audit_started",
                subject_type="area",
                subject_id=area.pk,
                data={"run": run.pk, "areas": total, "sliver_m2": sliver_m2},
            )
    except IntegrityError as error:
        raise Conflict(_("A check of this area is already running.")) from error
    return run


def work(*, at_most: int) -> int:
    """Measure batches of the oldest run, at most ``at_most`` of them; return how many."""
    for done in range(at_most):
        if not _next_batch():
            return done
    return at_most


def finish(run: CoverageAudit, *, progress: Callable[[int, int], object], pause: float) -> None:
    """Measure until ``run`` has ended, beside workers that may do the same.

    ``progress`` is told (areas done, areas in all); ``pause`` (s) is waited where somebody else
    measures.
    """
    while run.state == AuditState.RUNNING:
        if not _next_batch():
            sleep(pause)
        run.refresh_from_db()
        progress(run.done, run.total)


def _check_right(actor: User | None, area: Area) -> None:
    if actor is not None and not Reach.of_user(actor).covers(area):
        raise NotAllowed


@dataclass(frozen=True)
class _Batch:
    """Parents to be measured, ``above`` as paths, and the areas below them."""

    parents: list[int]
    above: list[str]
    children: list[int]
    cursor: str
    last: bool


def _next_batch() -> bool:
    """Measure one batch; False when there is none, or somebody else measures."""
    with transaction.atomic():
        if not BATCH_LOCK.try_hold():
            return False
        run = (
            CoverageAudit.objects.select_related("area")
            .defer("area__boundary", "area__outline", "area__centre")
            .filter(state=AuditState.RUNNING)
            .order_by("pk")
            .first()
        )
        if run is None:
            return False
        try:
            with transaction.atomic():
                _measure(run)
        except DatabaseError as error:
            logger.exception("coverage audit %s at %r", run.pk, run.cursor)
            _note_failure(run, error)
    return True


def _measure(run: CoverageAudit) -> None:
    if not run.cursor.startswith(run.area.path):
        # Not begun yet, or the area has moved in the tree: then from its new place on.
        run.faults.all().delete()
        run.cursor, run.done = "", 0
    batch = _batch(run)
    _find_faults(run, batch)
    run.done = min(run.total, run.done + len(batch.children))
    run.cursor, run.failures = batch.cursor, 0
    if batch.last:
        run.state, run.done, run.finished_at = AuditState.DONE, run.total, timezone.now()
        _replace_older(run)
    run.save(update_fields=["done", "cursor", "failures", "state", "finished_at"])


_CHILDREN = """
    SELECT child.id
      FROM unnest(%s::text[]) AS parent (path)
      JOIN grids_area child ON child.path > parent.path AND child.path < parent.path || 'ZZZZZ'
       AND length(child.path) = length(parent.path) + {step} AND child.closed_on IS NULL
"""


def _batch(run: CoverageAudit) -> _Batch:
    """Return what comes behind the cursor; the area of the run itself is in the first batch."""
    rows = list(
        Area.objects.open()
        .filter(path__startswith=run.area.path, path__gt=run.cursor, level__in=COVERED)
        .values_list("pk", "path", "numchild")[: BATCH + 1]
    )
    taken, below = 0, 0
    while taken < min(len(rows), BATCH) and below < BATCH:
        below += rows[taken][2]
        taken += 1
    above = [path for _pk, path, _n in rows[:taken]]
    with connection.cursor() as cursor:
        cursor.execute(_CHILDREN.format(step=Area.steplen), [above])
        children = [pk for (pk,) in cursor.fetchall()]
    cursor_after = above[-1] if above else run.cursor
    if not run.cursor:
        children.append(run.area_id)
        above.append(run.area.path[: -Area.steplen])
    return _Batch(
        parents=[pk for pk, _path, _n in rows[:taken]],
        above=above,
        children=children,
        cursor=cursor_after,
        last=taken == len(rows),
    )


# A boundary that crosses itself is told of, and measured as PostGIS mends it.
_SOUND = """
    CASE WHEN ST_IsValid({0}) THEN {0} ELSE ST_CollectionExtract(ST_MakeValid({0}), 3) END
"""
_CHILD = """
    child AS MATERIALIZED (
        SELECT id, level, path, left(path, length(path) - {step}) AS above,
               {sound} AS shape, NOT ST_IsValid(boundary) AS unsound
          FROM grids_area WHERE id = ANY(%(children)s::bigint[])
    )
"""

_GAPS = """
    found AS (
        SELECT 'gap' AS kind, parent.id AS place_id, NULL::bigint AS other_id,
               ARRAY[]::bigint[] AS area_ids,
               CASE WHEN joined.shape IS NULL THEN parent.boundary
                    ELSE ST_Difference({sound}, joined.shape) END AS shape
          FROM grids_area parent
          LEFT JOIN (
                SELECT above, ST_Union(shape) AS shape FROM child
                 WHERE shape IS NOT NULL GROUP BY above
          ) joined ON joined.above = parent.path
         WHERE parent.id = ANY(%(parents)s::bigint[]) AND parent.boundary IS NOT NULL
    )
"""

_OUTSIDES = """
    found AS (
        SELECT 'outside' AS kind, child.id AS place_id, NULL::bigint AS other_id,
               ARRAY[child.id] AS area_ids, ST_Difference(child.shape, {sound}) AS shape
          FROM grids_area parent JOIN child ON child.above = parent.path
         WHERE parent.path = ANY(%(above)s::text[]) AND parent.boundary IS NOT NULL
           AND NOT ST_Covers({sound}, child.shape)
    )
"""

# Each pair once, by the lower id; a neighbour beyond the run's border has no turn of its own.
# The level is asked for in a way no index answers: joined to the shapes' it cost thirty times.
_OVERLAPS = """
    pair AS (
        SELECT child.id AS place_id, parent.id AS other_id, child.shape AS one, {sound} AS two
          FROM child
          JOIN grids_area parent ON parent.level || '' = child.level AND parent.closed_on IS NULL
           AND parent.boundary && child.shape AND parent.id <> child.id
           AND (parent.id > child.id OR NOT starts_with(parent.path, %(root)s))
    ),
    found AS (
        SELECT 'overlap' AS kind, place_id, other_id, ARRAY[place_id, other_id] AS area_ids,
               ST_Intersection(one, two) AS shape
          FROM pair WHERE ST_Relate(one, two, '2********')
    )
"""

_STORE = """
    , sized AS (
        SELECT kind, place_id, other_id, area_ids, piece.geom,
               ST_Area(piece.geom::geography) AS size
          FROM found, LATERAL ST_Dump(ST_CollectionExtract(found.shape, 3)) AS piece
    )
    INSERT INTO grids_coveragefault
           (audit_id, kind, place_id, other_id, area_ids, size_m2, pieces, sliver, shape)
    SELECT %(run)s::bigint, kind, place_id, other_id, area_ids,
           round(size::numeric, 2)::float8, 1, false, ST_Multi(geom)
      FROM sized WHERE size >= greatest(%(sliver)s::float8, %(noise)s::float8)
    UNION ALL
    SELECT %(run)s::bigint, kind, place_id, other_id, area_ids,
           round(sum(size)::numeric, 2)::float8, count(*), true, ST_Multi(ST_Collect(geom))
      FROM sized WHERE size >= %(noise)s::float8 AND size < %(sliver)s::float8
     GROUP BY kind, place_id, other_id, area_ids
"""

_UNMEASURED = """
    INSERT INTO grids_coveragefault
           (audit_id, kind, place_id, area_ids, size_m2, pieces, sliver)
    SELECT %(run)s::bigint, CASE WHEN shape IS NULL THEN 'missing' ELSE 'unsound' END,
           id, ARRAY[id], 0, 1, false
      FROM child WHERE shape IS NULL OR unsound
"""

_AROUND_GAPS = """
    UPDATE grids_coveragefault fault
       SET area_ids = ARRAY(
               SELECT child.id FROM child
                WHERE child.above = parent.path AND ST_DWithin(child.shape, fault.shape, {touch})
                ORDER BY child.path)
      FROM grids_area parent
     WHERE fault.audit_id = %(run)s AND fault.kind = 'gap'
       AND fault.place_id = parent.id AND parent.id = ANY(%(parents)s::bigint[])
"""


def _statement(*parts: str) -> str:
    text = "WITH " + _CHILD.replace("{sound}", _SOUND.format("boundary"))
    text += "".join(part.replace("{sound}", _SOUND.format("parent.boundary")) for part in parts)
    return text.replace("{step}", str(Area.steplen)).replace("{touch}", str(TOUCH))


_STATEMENTS = (
    _statement(",", _GAPS, _STORE),
    _statement(",", _OUTSIDES, _STORE),
    _statement(",", _OVERLAPS, _STORE),
    _statement(_UNMEASURED),
    _statement(_AROUND_GAPS),
)


def _find_faults(run: CoverageAudit, batch: _Batch) -> None:
    values = {
        "run": run.pk,
        "root": run.area.path,
        "parents": batch.parents,
        "above": batch.above,
        "children": batch.children,
        "sliver": run.sliver_m2,
        "noise": NOISE_M2,
    }
    with connection.cursor() as cursor:
        # The planner overrates geometry; compiling a statement took ten times its run.
        cursor.execute("SET LOCAL jit = off")
        for statement in _STATEMENTS:
            cursor.execute(statement, values)


def _replace_older(run: CoverageAudit) -> None:
    """Take away what older runs found inside the area, whole, and tell the audit trail."""
    inside = Q(place__path__startswith=run.area.path) | Q(other__path__startswith=run.area.path)
    older = CoverageAudit.objects.exclude(pk=run.pk).exclude(state=AuditState.RUNNING)
    CoverageFault.objects.filter(inside, audit__in=older).delete()
    older.filter(area__path__startswith=run.area.path).delete()
    audit.record(
        actor=run.started_by,
        action="coverage_audited",
        subject_type="area",
        subject_id=run.area_id,
        data={"run": run.pk, "areas": run.total, "faults": run.faults.count()},
    )


def _note_failure(run: CoverageAudit, error: Exception) -> None:
    run.failures += 1
    run.error = str(error).partition("\n")[0][:300]
    if run.failures >= TRIES:
        run.state, run.finished_at = AuditState.FAILED, timezone.now()
        run.faults.all().delete()
    run.save(update_fields=["failures", "error", "state", "finished_at"])
