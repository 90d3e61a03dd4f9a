"""Verbs on the tree of areas: adding many at once, giving them their boundaries.

What lives here: bulk writes that keep the tree, the code history and the stored outlines true.
What must not: reading files (division_list.py, boundary_file.py).
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction
from django.db.models import CharField, F, Max
from django.db.models.functions import Left, Length
from django.utils import timezone
from django.utils.translation import gettext as _

from core.errors import Invalid
from core.kept import forget_remembered
from core.locks import Lock
from core.services import audit
from grids.models import Area, GridKind, Level, User
from grids.models.area import CODE_LENGTH, PARENT_LEVEL, ROOT_LEVELS

Progress = Callable[[int], object]

BATCH = 2000
# Whoever adds areas holds it.
TREE_LOCK = Lock("grids.tree")
# How far a drawn outline may leave the true boundary, in degrees (0.00001° is about a metre).
OUTLINE_TOLERANCE = {
    Level.PROVINCE: 0.01,
    Level.CITY: 0.005,
    Level.COUNTY: 0.002,
    Level.TOWN: 0.0005,
    Level.VILLAGE: 0.0002,
    Level.GRID: 0.00005,
    Level.UNIT: 0.00001,
}


@dataclass(frozen=True)
class NewArea:
    """One area to be there. ``line`` names it in error messages; ``grid_kind`` only for grids."""

    code: str
    name: str
    level: str
    parent_code: str = ""
    grid_kind: str = ""
    organisation: str = ""
    line: int = 0


@dataclass(frozen=True)
class NewBoundary:
    """A boundary for an area: ``wkb`` is a valid MultiPolygon in EPSG:4326."""

    code: str
    wkb: bytes


@dataclass(frozen=True)
class Counts:
    """What a bulk verb did."""

    added: int = 0
    changed: int = 0
    unchanged: int = 0


def add_areas(
    rows: Sequence[NewArea],
    *,
    source: str,
    actor: User | None = None,
    progress: Progress = lambda _count: None,
) -> Counts:
    """Make sure every area of ``rows`` exists, whole or not at all; order does not matter.

    Known codes get the given name (and, for grids, kind and organisation); a known code under
    another parent is refused, because moving a place is a reorganisation with codes of its own.
    Every new area opens a row of code history from today. A few queries per level.
    Raises Invalid with errors {"line number": [message, …]}.
    """
    with transaction.atomic():
        lock_tree()
        known = _known({row.code for row in rows} | {row.parent_code for row in rows})
        check_areas(rows, known=known)
        counts = _write(rows, known, source=source, progress=progress)
        transaction.on_commit(forget_remembered)
        if counts.added or counts.changed:
            audit.record(
                actor=actor,
                action="areas_added",
                subject_type="area",
                data={"source": source, "added": counts.added, "changed": counts.changed},
            )
    return counts


def check_areas(rows: Sequence[NewArea], *, known: dict[str, Area]) -> None:
    """Refuse ``rows`` whole if any is wrong; ``known`` holds the areas that exist, by code.

    Raises Invalid with errors {"line number": [message, …]}.
    """
    given: dict[str, NewArea] = {}
    for row in rows:
        given.setdefault(row.code, row)
    errors: dict[str, list[str]] = {}
    for row in rows:
        problems = [*_own_problems(row), *_parent_problems(row, given, known)]
        if given[row.code] is not row:
            problems.append(
                _("code “%(code)s” is given twice, first on line %(line)s")
                % {"code": row.code, "line": given[row.code].line}
            )
        if problems:
            errors.setdefault(str(row.line), []).extend(problems)
    if errors:
        raise Invalid(_("Nothing was imported. Please correct these lines:"), errors=errors)


def _own_problems(row: NewArea) -> Iterable[str]:
    if not row.name:
        yield _("the name is empty")
    elif len(row.name) > 100:
        yield _("the name has %(n)s characters, more than 100: “%(name)s…”") % {
            "n": len(row.name),
            "name": row.name[:20],
        }
    if row.level not in CODE_LENGTH:
        yield _("unknown level “%(level)s”; known are %(levels)s") % {
            "level": row.level[:30],
            "levels": ", ".join(level.value for level in CODE_LENGTH),
        }
        return
    length = CODE_LENGTH[Level(row.level)]
    if not (row.code.isascii() and row.code.isdigit()):
        yield _("code “%(code)s” must be digits only") % {"code": row.code[:30]}
    elif len(row.code) != length:
        yield _("code “%(code)s” has %(n)s digits; a %(level)s has %(length)s") % {
            "code": row.code[:30],
            "n": len(row.code),
            "level": row.level,
            "length": length,
        }
    if len(row.organisation) > 100:
        yield _("the name of the organisation has more than 100 characters")
    if row.level == Level.GRID and row.grid_kind not in GridKind.values:
        yield _("unknown kind of grid “%(kind)s”; known are %(kinds)s") % {
            "kind": row.grid_kind[:30],
            "kinds": ", ".join(GridKind.values),
        }


def _parent_problems(
    row: NewArea, given: dict[str, NewArea], known: dict[str, Area]
) -> Iterable[str]:
    if row.level not in CODE_LENGTH:
        return
    old = known.get(row.code)
    if old and old.level != row.level:
        yield _("code “%(code)s” is already the %(level)s “%(name)s”") % {
            "code": row.code,
            "level": old.level,
            "name": old.name,
        }
        return
    if not row.parent_code:
        if row.level not in ROOT_LEVELS:
            yield _("a %(level)s needs a parent code") % {"level": row.level}
        elif old and old.depth > 1:
            yield _moved(row)
        return
    parent = given.get(row.parent_code) or known.get(row.parent_code)
    if parent is None:
        yield _("parent “%(code)s” is neither in the file nor in the database") % {
            "code": row.parent_code[:30]
        }
        return
    wanted = PARENT_LEVEL.get(Level(row.level))
    if parent.level != wanted:
        yield _("parent “%(code)s” is a %(level)s; the parent of a %(own)s is a %(wanted)s") % {
            "code": row.parent_code,
            "level": parent.level,
            "own": row.level,
            "wanted": wanted or "–",
        }
    elif not old and isinstance(parent, Area) and parent.closed_on:
        yield _("parent “%(code)s” is closed") % {"code": row.parent_code}
    elif not row.code.startswith(row.parent_code):
        yield _("code “%(code)s” does not begin with its parent's code “%(parent)s”") % {
            "code": row.code[:30],
            "parent": row.parent_code,
        }
    holder = known.get(row.parent_code)
    if old and (holder is None or old.path[: -Area.steplen] != holder.path):
        yield _moved(row)


def _moved(row: NewArea) -> str:
    return _("“%(code)s” already stands under another parent; an import does not move areas") % {
        "code": row.code
    }


def lock_tree() -> None:
    """Let nobody else change the tree until the end of the transaction."""
    TREE_LOCK.hold()


def keep_tree() -> None:
    """Let nobody change the tree until the end of the transaction; many may keep it at once.

    For whoever puts something into an area that must not be closed or divided meanwhile.
    """
    TREE_LOCK.share()


def _known(codes: set[str]) -> dict[str, Area]:
    fields = (
        "id", "code", "name", "level", "path", "depth", "grid_kind", "organisation", "closed_on",
    )  # fmt: skip
    return {a.code: a for a in Area.objects.filter(code__in=codes - {""}).only(*fields)}


def _write(
    rows: Sequence[NewArea], known: dict[str, Area], *, source: str, progress: Progress
) -> Counts:
    added = [row for row in rows if row.code not in known]
    changed = _changed(rows, known)
    for start in range(0, len(changed), BATCH):
        renamed = changed[start : start + BATCH]
        Area.objects.bulk_update(renamed, ["name", "grid_kind", "organisation"])
        progress(len(renamed))
    progress(len(rows) - len(added) - len(changed))

    born = Counter(row.parent_code for row in added)
    paths = {code: area.path for code, area in known.items()}
    for level in Level:
        of_level = [row for row in added if row.level == level]
        for start in range(0, len(of_level), BATCH):
            part = of_level[start : start + BATCH]
            _create(part, paths, born, source=source)
            progress(len(part))
    _count_children({known[code].pk: n for code, n in born.items() if code in known})
    return Counts(len(added), len(changed), len(rows) - len(added) - len(changed))


def _changed(rows: Sequence[NewArea], known: dict[str, Area]) -> list[Area]:
    changed = []
    for row in rows:
        area = known.get(row.code)
        if area is None:
            continue
        wanted = (row.name, row.grid_kind, row.organisation)
        if (area.name, area.grid_kind, area.organisation) != wanted:
            area.name, area.grid_kind, area.organisation = wanted
            changed.append(area)
    return changed


# Arrays instead of one parameter a value: five times faster than bulk_create for a whole city.
_CREATE = """
    WITH born AS (
        INSERT INTO grids_area
               (path, depth, numchild, code, name, level, grid_kind, organisation)
        SELECT path, length(path) / {step}, numchild, code, name, %s, grid_kind, organisation
          FROM unnest(%s::text[], %s::int[], %s::text[], %s::text[], %s::text[], %s::text[])
               AS row (path, numchild, code, name, grid_kind, organisation)
        RETURNING id, code
    )
    INSERT INTO grids_areacode (area_id, code, valid, source)
    SELECT id, code, daterange(%s, NULL), %s FROM born
"""


def _create(
    rows: Sequence[NewArea], paths: dict[str, str], born: Counter[str], *, source: str
) -> None:
    """Insert ``rows``, all of one level, below their parents; add their paths to ``paths``."""
    parents = [paths[row.parent_code] if row.parent_code else "" for row in rows]
    last = _last_steps(set(parents))
    for row, above in zip(rows, parents, strict=True):
        last[above] = last.get(above, 0) + 1
        paths[row.code] = Area._get_path(above, len(above) // Area.steplen + 1, last[above])
    columns: list[list[Any]] = [
        [paths[row.code] for row in rows],
        [born[row.code] for row in rows],
        [row.code for row in rows],
        [row.name for row in rows],
        [row.grid_kind for row in rows],
        [row.organisation for row in rows],
    ]
    level = Level(rows[0].level).value
    with connection.cursor() as cursor:
        cursor.execute(
            _CREATE.format(step=Area.steplen),
            [level, *columns, timezone.localdate(), source],
        )


def _last_steps(parents: set[str]) -> dict[str, int]:
    """Return for each parent path ("" for the roots) the step of its last child."""
    rows = (
        Area.objects.order_by()
        .annotate(above=Left("path", Length("path") - Area.steplen, output_field=CharField()))
        .filter(above__in=parents, depth__in={len(path) // Area.steplen + 1 for path in parents})
        .values_list("above")
        .annotate(last=Max("path"))
    )
    return {above: Area._str2int(last[-Area.steplen :]) for above, last in rows}


def _count_children(born: dict[int, int]) -> None:
    by_number: dict[int, list[int]] = {}
    for pk, number in born.items():
        by_number.setdefault(number, []).append(pk)
    for number, pks in by_number.items():
        Area.objects.filter(pk__in=pks).update(numchild=F("numchild") + number)


_SET_BOUNDARIES = """
    WITH given AS (
        SELECT code, ST_SetSRID(ST_GeomFromWKB(wkb), 4326) AS boundary
          FROM unnest(%s::text[], %s::bytea[]) AS row (code, wkb)
    )
    UPDATE grids_area area
       SET boundary = given.boundary
      FROM given
     WHERE area.code = given.code
       AND (area.boundary IS NULL OR ST_AsBinary(ST_Normalize(area.boundary))
            <> ST_AsBinary(ST_Normalize(given.boundary)))
    RETURNING area.id
"""

# The simplified outline may fall to nothing for a sliver; the boundary itself then stands in.
_DRAW = """
    UPDATE grids_area area
       SET centre = ST_PointOnSurface(area.boundary),
           outline = COALESCE(
               NULLIF(ST_Multi(ST_CollectionExtract(
                   ST_SimplifyPreserveTopology(area.boundary, size.tolerance), 3
               )), 'SRID=4326;MULTIPOLYGON EMPTY'::geometry),
               area.boundary
           )
      FROM unnest(%s::text[], %s::float8[]) AS size (level, tolerance)
     WHERE size.level = area.level AND area.id = ANY(%s)
"""

_DERIVE = """
    UPDATE grids_area parent
       SET boundary = joined.boundary
      FROM (
        SELECT left(child.path, length(child.path) - {step}) AS path,
               ST_Multi(ST_CollectionExtract(ST_Union(child.boundary), 3)) AS boundary
          FROM grids_area child
         WHERE child.boundary IS NOT NULL AND child.closed_on IS NULL AND child.level = %s
         GROUP BY 1
      ) joined
     WHERE parent.path = joined.path AND parent.level = %s AND parent.boundary IS NULL
    RETURNING parent.id
"""


def set_boundaries(
    rows: Sequence[NewBoundary],
    *,
    source: str,
    actor: User | None = None,
    progress: Progress = lambda _count: None,
) -> Counts:
    """Write boundaries and with them the outline to draw and a centre that lies inside.

    ``added`` is always 0; an area whose boundary is already drawn by the same points, wherever
    a ring begins and turns, is unchanged.
    Raises Invalid if a code is unknown.
    """
    with transaction.atomic():
        codes = {row.code for row in rows}
        missing = codes - set(Area.objects.filter(code__in=codes).values_list("code", flat=True))
        if missing:
            raise Invalid(_("Unknown code “%(code)s”."), code=min(missing))
        changed: list[int] = []
        for start in range(0, len(rows), BATCH):
            part = rows[start : start + BATCH]
            with connection.cursor() as cursor:
                cursor.execute(_SET_BOUNDARIES, [[r.code for r in part], [r.wkb for r in part]])
                ids = [pk for (pk,) in cursor.fetchall()]
            redraw(ids)
            changed += ids
            progress(len(part))
        if changed:
            audit.record(
                actor=actor,
                action="boundaries_set",
                subject_type="area",
                data={"source": source, "changed": len(changed)},
            )
    return Counts(changed=len(changed), unchanged=len(rows) - len(changed))


def derive_boundaries(level: str) -> int:
    """Give areas of ``level`` without a boundary the union of their children's; return how many."""
    below = next((low for low, high in PARENT_LEVEL.items() if high == level), None)
    if below is None:
        return 0
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_DERIVE.format(step=Area.steplen), [below, level])
        ids = [pk for (pk,) in cursor.fetchall()]
        redraw(ids)
    return len(ids)


def redraw(ids: list[int]) -> None:
    """Make outline and centre of these areas follow from their boundaries (1 query)."""
    if not ids:
        return
    levels = [level.value for level in OUTLINE_TOLERANCE]
    with connection.cursor() as cursor:
        cursor.execute(_DRAW, [levels, list(OUTLINE_TOLERANCE.values()), ids])
