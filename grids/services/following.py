"""Rows follow areas that were moved or merged: most of them in the act, the rest soon after.

What lives here: when rows follow. What must not: which rows, and how (grids/moves.py).

An act calls ``moves.hold`` before it touches the tree and :func:`let_follow` after. It leaves a
TrailingArea for each area that went elsewhere. The sweep brings past rows along that were too many
for the act, a batch a transaction; and a minute after the act it looks once more for rows that were
being written meanwhile. Until then readers find both by ``Scope.trailing``. Whoever is killed in
between loses nothing: what is still to do stands in the tables.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db import connection, transaction
from django.utils import timezone

from core.locks import Lock
from grids import moves
from grids.models import SHAPES, Area, Reorganisation, TrailingArea, User
from grids.moves import Areas
from grids.services.territory import lock_tree

# A report sent while an act ran may have read the tree of before; it is on its row by then.
SETTLE_AFTER = timedelta(minutes=1)
# So many past rows follow in one transaction, about a second's work.
BATCH = 500
# Whoever brings a batch along holds it.
BATCH_LOCK = Lock("grids.following")


@dataclass(frozen=True)
class Departure:
    """An area that went elsewhere: what stands for it now, and the area above that it left."""

    area_id: int
    level: str
    heir_id: int
    left_id: int | None = None


# What went into an area that goes elsewhere now leaves with it what it had not left.
_LEAVE_TOO = """
    UPDATE grids_trailingarea gone SET left_id = departure.left_id
      FROM unnest(%s::bigint[], %s::bigint[]) AS departure (area_id, left_id)
     WHERE gone.heir_id = departure.area_id AND gone.left_id IS NULL
"""
_HAND_ON = """
    UPDATE grids_trailingarea gone SET heir_id = area.merged_into_id
      FROM grids_area area
     WHERE area.id = gone.heir_id AND area.merged_into_id IS NOT NULL
"""


def let_follow(
    areas: Areas,
    departures: Sequence[Departure],
    *,
    on: date,
    actor: User | None,
    act: Reorganisation | None = None,
) -> dict[str, int]:
    """Let everything follow ``areas`` that can at once; return {"name:kind": number}.

    Past rows that ``moves.hold`` put off are counted in it, though they follow later.
    """
    followed = moves.follow(areas, on=on, actor=actor) if areas else {}
    with connection.cursor() as cursor:
        left = [(gone.area_id, gone.left_id) for gone in departures]
        cursor.execute(_LEAVE_TOO, [[pk for pk, _left in left], [above for _pk, above in left]])
        cursor.execute(_HAND_ON)
    TrailingArea.objects.bulk_create(
        TrailingArea(
            area_id=gone.area_id,
            level=gone.level,
            heir_id=gone.heir_id,
            left_id=gone.left_id,
            act=act,
        )
        for gone in departures
    )
    return followed


def bring_along(*, batches: int) -> int:
    """Bring past rows along, at most ``batches`` batches; return how many batches it took.

    One batch at a time in the whole deployment, each a transaction of its own.
    """
    for done in range(batches):
        with transaction.atomic():
            if not BATCH_LOCK.try_hold() or not moves.trail(BATCH):
                return done
    return batches


def settle_due(*, now: datetime | None = None) -> int:
    """Let rows follow that were being written during an act; return for how many areas.

    Nothing is done while past rows are still on their way.
    """
    due = TrailingArea.objects.filter(since__lte=(now or timezone.now()) - SETTLE_AFTER)
    if not due.exists():
        return 0
    with transaction.atomic():
        lock_tree()
        trailing = list(due.select_for_update())
        # Acts put rows off under the lock of the tree only.
        if not trailing or moves.waiting():
            return 0
        heirs = Area.objects.filter(pk__in={gone.heir_id for gone in trailing}).defer(*SHAPES)
        areas = {pk: pk for pk in Area.objects.inside(*heirs).values_list("pk", flat=True)}
        areas |= {gone.area_id: gone.heir_id for gone in trailing}
        moves.follow(areas, on=timezone.localdate(), actor=None)
        due.filter(pk__in=[gone.pk for gone in trailing]).delete()
    return len(trailing)
