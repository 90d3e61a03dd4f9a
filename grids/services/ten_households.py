"""Ten-household units of a whole village at once: how many, cut how, made all or none.

What must not live here: a single unit (reshaping.py) and the cutting itself (queries/shapes.py).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from django.db import transaction
from django.db.models import Count
from django.utils.translation import gettext_lazy as _

from core.errors import Conflict, Invalid
from core.services import audit
from grids import moves
from grids.models import SHAPES, Area, Household, Level, User
from grids.queries.shapes import Piece, parts_of
from grids.services import codes
from grids.services.reshaping import NAME_LIMIT, check_right
from grids.services.territory import (
    NewArea,
    NewBoundary,
    add_areas,
    lock_tree,
    set_boundaries,
)

# A unit's code has two digits after its grid's.
UNITS_MOST = 99
HOUSEHOLDS_OF_A_UNIT = 10
# Cutting more would keep the lock of the tree, and the person, waiting.
UNITS_AT_ONCE = 600
SOURCE = "units in bulk"
# Where nobody has counted households yet.
UNITS_UNCOUNTED = 10


@dataclass(frozen=True)
class GridToCut:
    """A grid of the village: what is known of it, and why it is left alone ("" if it is not)."""

    grid: Area
    households: int
    units: int

    @property
    def left_alone(self) -> str:
        """Why no units are made here, in words; "" where they are."""
        if self.units:
            return str(_("has units already"))
        return "" if self.grid.centre else str(_("has no boundary yet"))


def grids_to_cut(village: Area) -> list[GridToCut]:
    """Return the open grids of a village (3 queries)."""
    below = Area.objects.open().filter(path__startswith=village.path)
    grids = below.filter(level=Level.GRID).defer(*SHAPES)
    units: dict[str, int] = {}
    for path in below.filter(level=Level.UNIT).values_list("path", flat=True):
        home = path[: -Area.steplen]
        units[home] = units.get(home, 0) + 1
    living = Household.objects.filter(village=village, moved_out_on__isnull=True)
    homes = dict(living.values_list("grid").annotate(n=Count("pk")).order_by())
    return [GridToCut(grid, homes.get(grid.pk, 0), units.get(grid.path, 0)) for grid in grids]


def suggested(grids: Sequence[GridToCut], total: int | None = None) -> dict[int, int]:
    """Return {grid id: number of units}: one for about ten households, else ten for each grid.

    ``total`` is shared out by households, or equally where none are counted; each gets 1 to 99.
    """
    free = [one for one in grids if not one.left_alone]
    if not free:
        return {}
    counted = any(one.households for one in free)
    if total is None:
        counts = {
            one.grid.pk: round(one.households / HOUSEHOLDS_OF_A_UNIT)
            if counted
            else UNITS_UNCOUNTED
            for one in free
        }
        return {pk: min(max(n, 1), UNITS_MOST) for pk, n in counts.items()}
    weights = {one.grid.pk: one.households if counted else 1 for one in free}
    return share_out(max(total, len(free)), weights)


def share_out(total: int, weights: Mapping[int, int]) -> dict[int, int]:
    """Share ``total`` by weight: each at least 1, at most 99, largest remainders first.

    >>> share_out(127, {n: 1 for n in range(13)})[0], share_out(127, {n: 1 for n in range(13)})[12]
    (10, 9)
    """
    counts = dict.fromkeys(weights, 1)
    whole = sum(weights.values()) or 1
    while sum(counts.values()) < total:
        open_ones = [pk for pk, n in counts.items() if n < UNITS_MOST]
        if not open_ones:
            break
        short = {pk: total * weights[pk] / whole - counts[pk] for pk in open_ones}
        counts[max(open_ones, key=lambda pk: (short[pk], -pk))] += 1
    return counts


def stamp(grids: Sequence[GridToCut]) -> str:
    """Return what changes when one of the grids does: what a preview was made from."""
    seen = sorted((one.grid.pk, one.grid.version, one.units) for one in grids)
    return sha256(repr(seen).encode()).hexdigest()[:24]


def cut_up(grids: Sequence[GridToCut], counts: Mapping[int, int]) -> dict[int, list[Piece]]:
    """Return the parts each grid would be cut into, {grid id: [part, …]} (1 query).

    Raises Invalid for a number that is not 1 to 99, a grid that is left alone, too many at once.
    """
    free = {one.grid.pk for one in grids if not one.left_alone}
    wanted = {pk: n for pk, n in counts.items() if n}
    if not wanted:
        raise Invalid(_("Say for at least one grid how many units it gets."))
    if not wanted.keys() <= free:
        raise Invalid(_("A grid that has units, or no boundary, cannot be cut."))
    if any(not 0 < n <= UNITS_MOST for n in wanted.values()):
        raise Invalid(_("A grid has 1 to %(most)s units."), most=UNITS_MOST)
    if sum(wanted.values()) > UNITS_AT_ONCE:
        raise Invalid(
            _("At most %(most)s units are made at once; leave some grids at 0 and make them next."),
            most=UNITS_AT_ONCE,
        )
    return parts_of(wanted)


@dataclass(frozen=True)
class Made:
    """How many units were made, and how many households found theirs by their point or did not."""

    units: int
    placed: int
    unplaced: int


def make_units(
    *, village_id: int, counts: Mapping[int, int], actor: User | None, seen: str | None = None
) -> Made:
    """Make the units of a village, {grid id: how many}, all or none.

    They tile their grid exactly. Households of the grid go to the unit that holds their point;
    those without a point stay right in the grid. ``seen`` is the :func:`stamp` of what was looked
    at. Raises Invalid, Conflict.
    """
    with transaction.atomic():
        lock_tree()
        village = Area.objects.defer(*SHAPES).get(pk=village_id)
        check_right(actor, village)
        if village.level != Level.VILLAGE or village.closed_on:
            raise Invalid(_("Units in bulk are made for an open village."))
        grids = grids_to_cut(village)
        if seen is not None and seen != stamp(grids):
            raise Conflict(_("The grids changed meanwhile. Please look at the preview again."))
        parts = cut_up(grids, counts)
        units, shapes = [], []
        for one in grids:
            pieces = parts.get(one.grid.pk, [])
            given = codes.next_codes(one.grid.code, Level.UNIT, len(pieces))
            for number, (code, piece) in enumerate(zip(given, pieces, strict=True), 1):
                name = unit_name(one.grid.name, number)
                units.append(NewArea(code, name, Level.UNIT, one.grid.code))
                shapes.append(NewBoundary(code, piece.wkb))
        add_areas(units, source=SOURCE, actor=actor)
        set_boundaries(shapes, source=SOURCE, actor=actor)
        placed = sum(_place_households(one.grid) for one in grids if one.grid.pk in parts)
        living = Household.objects.living().filter(grid__in=parts, unit=None)
        made = Made(len(units), placed, living.count())
        audit.record(
            actor=actor,
            action="units_made",
            subject_type="area",
            subject_id=village.pk,
            data={
                "code": village.code,
                "grids": len(parts),
                "units": made.units,
                "placed": made.placed,
                "unplaced": made.unplaced,
            },
        )
    return made


def _place_households(grid: Area) -> int:
    """Give the households of a grid to its new units; return how many living ones found theirs."""
    units = Area.objects.open().filter(path__startswith=grid.path, level=Level.UNIT)
    sent = moves.scatter(grid.pk, list(units.values_list("pk", flat=True)))
    return sent.get("households:living", 0)


def unit_name(grid_name: str, number: int) -> str:
    """Return the name of a unit, e.g. "第1网格第3十户"."""
    ending = f"第{number}十户"
    return grid_name[: NAME_LIMIT - len(ending)] + ending
