"""Verbs on single areas: add, describe, draw, split, merge, move, close, reopen.

What lives here: acts of a day's work on grids and units, each in one transaction under the lock
of the tree, with its audit entry and its line of code history. What must not: whole files
(territory.py), units in bulk (ten_households.py), and reorganisations with an effective date of
villages and towns (reorganisation.py).

Every verb takes ``actor`` (None is the system) and checks that the areas lie in the part of the
territory the actor keeps. ``seen`` is the ``Area.version`` the actor looked at: when somebody
changed the area since, the verb raises Conflict. Units follow their grid with codes of their own.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from django.contrib.gis.geos import GEOSGeometry
from django.db import connection, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from core.errors import Conflict, Invalid, NotAllowed
from core.kept import forget_remembered
from core.services import audit
from grids import closing, moves
from grids.models import SHAPES, Area, GridKind, Level, User
from grids.models.area import AreaQuerySet
from grids.queries.reach import Reach
from grids.queries.shapes import Piece, ShapeReport, cut, look_at
from grids.services import codes
from grids.services.following import Departure, let_follow
from grids.services.network import end_duties
from grids.services.placing import place_below
from grids.services.territory import lock_tree, redraw

NAME_LIMIT = 100
SOURCE = "territory page"
CLOSABLE: frozenset[str] = frozenset({Level.VILLAGE, Level.GRID, Level.UNIT})
DRAWABLE: frozenset[str] = CLOSABLE
DESCRIBABLE: frozenset[str] = CLOSABLE | {Level.TOWN}


class Doubtful(Invalid):
    """A boundary that overlaps others or lies outside; ``report`` says by how much.

    Saved all the same when the verb is given ``accept=report.digest``.
    """

    code = "doubtful"

    def __init__(self, report: ShapeReport) -> None:
        super().__init__(
            _("The boundary overlaps others or lies outside. Nothing was saved yet."),
            field="shape",
        )
        self.report = report


@dataclass(frozen=True)
class Described:
    """What a form says of an area: name, and of a grid its kind and who runs it."""

    name: str
    grid_kind: str = ""
    organisation: str = ""


def add_grid(
    *,
    village_id: int,
    described: Described,
    actor: User | None,
    shape: bytes | None = None,
    accept: str = "",
) -> Area:
    """Add a grid to a village, with the next free code; ``shape`` is its boundary as WKB.

    Raises Invalid, Doubtful (see :func:`draw`), Conflict, NotAllowed.
    """
    return _add(village_id, Level.GRID, described, actor, shape, accept)


def add_unit(
    *,
    grid_id: int,
    described: Described,
    actor: User | None,
    shape: bytes | None = None,
    accept: str = "",
) -> Area:
    """Add a ten-household unit to a grid, with the next free code. Raises as add_grid."""
    return _add(grid_id, Level.UNIT, described, actor, shape, accept)


def _add(
    parent_id: int,
    level: Level,
    described: Described,
    actor: User | None,
    shape: bytes | None,
    accept: str,
) -> Area:
    with transaction.atomic():
        parent = _take(parent_id, actor, levels={Level.VILLAGE, Level.GRID})
        check_described(described, level)
        if shape is not None:
            _check_shape(shape, accept, level=level, parent=parent)
        (code,) = codes.next_codes(parent.code, level, 1)
        area = create_below(parent, level, [(code, described)], source=SOURCE)[0]
        if shape is not None:
            store_shapes({area.pk: shape})
        _record(actor, "area_added", area, level=str(level), drawn=shape is not None)
    return _fresh(area.pk)


def describe(*, area_id: int, described: Described, actor: User | None, seen: int | None) -> Area:
    """Give an area its name, and a grid its kind and organisation. Raises Invalid, Conflict."""
    with transaction.atomic():
        area = _take(area_id, actor, seen=seen, levels=DESCRIBABLE)
        check_described(described, area.level)
        before = {"name": area.name, "kind": area.grid_kind, "organisation": area.organisation}
        after = {
            "name": described.name.strip(),
            "kind": described.grid_kind,
            "organisation": described.organisation.strip(),
        }
        changed = sorted(key for key, value in after.items() if value != before[key])
        if changed:
            Area.objects.filter(pk=area.pk).update(
                name=after["name"], grid_kind=after["kind"], organisation=after["organisation"]
            )
            _record(actor, "area_described", area, changed=changed, before=before["name"])
            transaction.on_commit(forget_remembered)
    return _fresh(area.pk)


def draw(
    *, area_id: int, shape: bytes, actor: User | None, seen: int | None, accept: str = ""
) -> Area:
    """Give an area a boundary, a valid MultiPolygon as WKB; no other boundary changes.

    Raises Doubtful when it overlaps neighbours, leaves its parent or cuts its own units off,
    unless ``accept`` is the digest of exactly that report.
    """
    with transaction.atomic():
        area = _take(area_id, actor, seen=seen, levels=DRAWABLE)
        report = _check_shape(shape, accept, level=area.level, parent=parent_of(area), own=area)
        store_shapes({area.pk: shape})
        _record(
            actor,
            "area_drawn",
            area,
            square_metres=round(report.square_metres),
            overlaps=len(report.overlaps),
            outside=round(report.outside or 0),
        )
    return _fresh(area.pk)


def split(
    *, area_id: int, line: bytes, names: Sequence[str], actor: User | None, seen: int | None
) -> list[Area]:
    """Cut a grid by a line (WKB); return it, now the largest part, and the new grids.

    ``names`` are those of the new grids, the largest first. They get new codes and the kind and
    organisation of the old one. Units go where their middle lies; households and open cases that
    lie in none go where their point lies; postings stay. Raises Invalid on "line" or "names",
    Conflict.
    """
    with transaction.atomic():
        area = _take(area_id, actor, seen=seen, levels={Level.GRID})
        pieces = cut(area, line)
        if len(names) != len(pieces) - 1:
            raise Invalid(
                _("Every new part needs a name: %(count)s."), field="names", count=len(pieces) - 1
            )
        kind, organisation = area.grid_kind, area.organisation
        described = [Described(name.strip(), kind, organisation) for name in names]
        for one in described:
            check_described(one, Level.GRID, field="names")
        village = parent_of(area)
        given = codes.next_codes(village.code, Level.GRID, len(described))
        born = create_below(
            village, Level.GRID, list(zip(given, described, strict=True)), source=SOURCE
        )
        shapes = [piece.wkb for piece in pieces]
        store_shapes({grid.pk: shape for grid, shape in zip([area, *born], shapes, strict=True)})
        followed = _let_units_go(area, list(zip(born, pieces[1:], strict=True)), actor)
        sent = moves.scatter(area.pk, [grid.pk for grid in born])
        went = {key: followed.get(key, 0) + sent.get(key, 0) for key in followed | sent}
        _record(actor, "grid_split", area, into=[grid.code for grid in born], **went)
    return [_fresh(pk) for pk in (area.pk, *(grid.pk for grid in born))]


def merge(*, kept_id: int, other_ids: Sequence[int], actor: User | None, seen: int | None) -> Area:
    """Merge grids of one village into ``kept_id``; the others are closed, their codes lead to it.

    Boundaries are joined, units go over with new codes, and everything that hangs on the merged
    grids follows (grids/moves.py). Raises Invalid on "others", Conflict.
    """
    with transaction.atomic():
        kept = _take(kept_id, actor, seen=seen, levels={Level.GRID})
        others = [
            _take(pk, actor, levels={Level.GRID})
            for pk in dict.fromkeys(other_ids)
            if pk != kept_id
        ]
        if not others:
            raise Invalid(_("Choose at least one other grid."), field="others")
        if any(other.path[: -Area.steplen] != kept.path[: -Area.steplen] for other in others):
            raise Invalid(_("Only grids of one village can be merged."), field="others")
        today = timezone.localdate()
        # Closed units go along, for what happened in them, with the code they had.
        units = [unit for other in others for unit in _below(other)]
        moved = {unit.pk: unit.pk for unit in units} | {other.pk: kept.pk for other in others}
        moves.hold(moved, later=True)
        _join_shapes(kept, others)
        for unit in units:
            place_below(unit.pk, kept.pk)
        in_force = [unit.pk for unit in units if unit.closed_on is None]
        given = codes.next_codes(kept.code, Level.UNIT, len(in_force))
        codes.give_codes(dict(zip(in_force, given, strict=True)), on=today, source=SOURCE)
        closed: list[int] = [other.pk for other in others]
        Area.objects.filter(pk__in=closed).update(closed_on=today, merged_into=kept)
        codes.end_codes(closed, on=today)
        gone = [Departure(other.pk, other.level, kept.pk) for other in others]
        followed = let_follow(moved, gone, on=today, actor=actor)
        _record(actor, "grids_merged", kept, merged=[other.code for other in others], **followed)
    return _fresh(kept.pk)


def move(
    *, area_id: int, village_id: int, actor: User | None, seen: int | None, accept: str = ""
) -> Area:
    """Move a grid to another village of its town, where it gets a new code, its units too.

    The old codes keep leading to it. Raises Doubtful when its boundary lies outside the village
    (see :func:`draw`), Invalid on "village", Conflict.
    """
    with transaction.atomic():
        area = _take(area_id, actor, seen=seen, levels={Level.GRID})
        village = _take(village_id, actor, levels={Level.VILLAGE}, field="village")
        home = parent_of(area)
        if village.pk == home.pk:
            raise Invalid(_("The grid is in this village already."), field="village")
        if village.path[: -Area.steplen] != home.path[: -Area.steplen]:
            raise Invalid(_("Choose a village of the same town."), field="village")
        if area.boundary is not None:
            _check_shape(
                bytes(area.boundary.wkb), accept, level=area.level, parent=village, own=area
            )
        today = timezone.localdate()
        (code,) = codes.next_codes(village.code, Level.GRID, 1)
        given = codes.codes_below(area, code)
        moved = {pk: pk for pk in (area.pk, *(unit.pk for unit in _below(area)))}
        moves.hold(moved, later=True)
        place_below(area.pk, village.pk)
        codes.give_codes(given, on=today, source=SOURCE)
        gone = Departure(area.pk, area.level, area.pk, home.pk)
        followed = let_follow(moved, [gone], on=today, actor=actor)
        _record(actor, "grid_moved", area, before=area.code, after=code, **followed)
    return _fresh(area.pk)


def close(*, area_id: int, actor: User | None, seen: int | None) -> Area:
    """Close an area from today. Its code ends and keeps leading to it.

    Raises Conflict that names everything that stands in the way.
    """
    with transaction.atomic():
        area = _take(area_id, actor, seen=seen, levels=CLOSABLE)
        reasons = closing.obstacles(area)
        if reasons:
            raise Conflict(
                _("“%(name)s” cannot be closed yet: %(reasons)s."),
                name=area.name,
                reasons="、".join(reasons),
            )
        day = timezone.localdate()
        Area.objects.filter(pk=area.pk).update(closed_on=day)
        codes.end_codes([area.pk], on=day)
        end_duties([area.pk], on=day)
        _record(actor, "area_closed", area)
        transaction.on_commit(forget_remembered)
    return _fresh(area.pk)


def reopen(*, area_id: int, actor: User | None, seen: int | None) -> Area:
    """Open a closed area again, with the code it had unless its parent's has changed.

    Raises Conflict.
    """
    with transaction.atomic():
        area = _take(area_id, actor, seen=seen, levels=CLOSABLE, closed=True)
        if area.merged_into_id is not None:
            raise Conflict(_("It was merged into another area; split that one instead."))
        parent = parent_of(area)
        if parent.closed_on:
            raise Conflict(_("The area above it is closed."))
        code = area.code
        if not code.startswith(parent.code):
            (code,) = codes.next_codes(parent.code, area.level, 1)
        Area.objects.filter(pk=area.pk).update(closed_on=None)
        codes.give_codes({area.pk: code}, on=timezone.localdate(), source=SOURCE)
        _record(actor, "area_reopened", area)
        transaction.on_commit(forget_remembered)
    return _fresh(area.pk)


# ------------------------------------------------------------------ pieces the verbs share


def check_described(described: Described, level: str, *, field: str = "name") -> None:
    """Refuse an empty or too long name, a grid without a kind, a dedicated one nobody runs."""
    name, organisation = described.name.strip(), described.organisation.strip()
    if not name:
        raise Invalid(_("Give it a name."), field=field)
    if len(name) > NAME_LIMIT or "\x00" in name:
        raise Invalid(_("The name is too long."), field=field)
    if (described.grid_kind in GridKind.values) != (level == Level.GRID):
        raise Invalid(_("A grid, and only a grid, has a kind."), field="grid_kind")
    if described.grid_kind == GridKind.DEDICATED and not organisation:
        raise Invalid(
            _("Name the organisation that runs the dedicated grid."), field="organisation"
        )
    if len(organisation) > NAME_LIMIT or "\x00" in organisation:
        raise Invalid(_("The name of the organisation is too long."), field="organisation")


def check_right(actor: User | None, area: Area) -> None:
    """Raise NotAllowed unless ``area`` lies in the part of the territory ``actor`` keeps."""
    if actor is not None and not Reach.of_user(actor).covers(area):
        raise NotAllowed


def _below(grid: Area) -> AreaQuerySet:
    """Return the units of a grid, closed ones too, without their shapes."""
    return Area.objects.filter(path__startswith=grid.path, depth=grid.depth + 1).defer(*SHAPES)


def parent_of(area: Area) -> Area:
    """Return the area above, without its shapes (1 query)."""
    return Area.objects.defer(*SHAPES).get(path=area.path[: -Area.steplen])


def create_below(
    parent: Area, level: str, rows: Sequence[tuple[str, Described]], *, source: str
) -> list[Area]:
    """Create areas with these codes below ``parent``, last among its children."""
    born = []
    for code, described in rows:
        parent = Area.objects.defer(*SHAPES).get(pk=parent.pk)
        values = {
            "code": code,
            "name": described.name.strip(),
            "level": level,
            "grid_kind": described.grid_kind,
            "organisation": described.organisation.strip(),
        }
        born.append(Area.objects.add_child(parent, values))
    codes.open_codes({a.pk: a.code for a in born}, on=timezone.localdate(), source=source)
    return born


def store_shapes(shapes: dict[int, bytes]) -> None:
    """Write boundaries, {area id: MultiPolygon as WKB}, and what is drawn of them (2 queries)."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE grids_area SET boundary = ST_SetSRID(ST_GeomFromWKB(given.wkb), 4326) "
            "FROM unnest(%s::bigint[], %s::bytea[]) AS given (id, wkb) "
            "WHERE grids_area.id = given.id",
            [list(shapes), list(shapes.values())],
        )
    redraw(list(shapes))


def _take(
    area_id: int,
    actor: User | None,
    *,
    levels: set[Level] | frozenset[str],
    seen: int | None = None,
    closed: bool = False,
    field: str = "",
) -> Area:
    """Return the area under the lock of the tree, once it may be changed as looked at."""
    lock_tree()
    area = _fresh(area_id)
    check_right(actor, area)
    if seen is not None and seen != area.version:
        raise Conflict(
            _("Somebody else changed “%(name)s” meanwhile. Please look at it again."),
            name=area.name,
        )
    if area.level not in levels:
        raise Invalid(_("This cannot be done with “%(name)s”."), field=field, name=area.name)
    if bool(area.closed_on) != closed:
        text = _("“%(name)s” is closed.") if area.closed_on else _("“%(name)s” is open.")
        raise Conflict(text, name=area.name)
    return area


def _fresh(area_id: int) -> Area:
    return Area.objects.get(pk=area_id)


def _check_shape(
    shape: bytes, accept: str, *, level: str, parent: Area, own: Area | None = None
) -> ShapeReport:
    report = look_at(shape, level=level, parent=parent, own=own)
    if not report.clean and accept != report.digest:
        raise Doubtful(report)
    return report


def _let_units_go(
    grid: Area, parts: Sequence[tuple[Area, Piece]], actor: User | None
) -> dict[str, int]:
    """Put the units of a split grid below the part their middle lies in; let all follow."""
    going = [(unit, part) for part, piece in parts for unit in _units_in(grid, piece)]
    if not going:
        return {}
    today = timezone.localdate()
    # The grid itself is named so that followers find what lies in its units.
    moved = {pk: pk for pk in (grid.pk, *(unit.pk for unit, _part in going))}
    moves.hold(moved)
    for unit, part in going:
        (code,) = codes.next_codes(part.code, Level.UNIT, 1)
        place_below(unit.pk, part.pk)
        codes.give_codes({unit.pk: code}, on=today, source=SOURCE)
    return moves.follow(moved, on=today, actor=actor)


def _units_in(grid: Area, piece: Piece) -> list[Area]:
    part = GEOSGeometry(memoryview(piece.wkb), srid=4326)
    return list(_below(grid).open().filter(centre__coveredby=part))


def _join_shapes(kept: Area, others: Sequence[Area]) -> None:
    ids = [kept.pk, *(other.pk for other in others)]
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE grids_area SET boundary = joined.g FROM ("
            "SELECT ST_Multi(ST_CollectionExtract(ST_Union(boundary), 3)) AS g "
            "FROM grids_area WHERE id = ANY(%s)) AS joined "
            "WHERE id = %s AND joined.g IS NOT NULL",
            [ids, kept.pk],
        )
    redraw([kept.pk])


def _record(actor: User | None, action: str, area: Area, **data: object) -> None:
    audit.record(
        actor=actor,
        action=action,
        subject_type="area",
        subject_id=area.pk,
        data={"code": area.code, "name": area.name, **data},
    )
