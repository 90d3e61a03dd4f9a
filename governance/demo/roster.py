"""What happens to the demo county's roster in a year: leaves, people who left, grids that wait.

All invented. ID numbers begin with the county's own code, which no real place has.
"""

from collections.abc import Callable
from datetime import date, timedelta
from itertools import pairwise
from random import Random

from django.utils import timezone

from core.crypto import blind_index
from core.id_number import check_character
from grids.models import Area, GridWithoutChief, Leave, Posting, Role, User

DAY = timedelta(days=1)
LEFT, AWAY, CHIEFLESS, NUMBERED = 160, 36, 5, 300
_REASONS = ["产假", "探亲", "病假", "学习培训", "陪护家人"]
_WHY = ["网格长退休，待选任", "人员借调，待村两委研究", "新划网格，待选任"]


def build_roster(county: Area, *, progress: Callable[[int], object]) -> None:
    """Give the standing roster a past, leaves with substitutes, and a few grids without a chief."""
    rng, today = Random("roster"), timezone.localdate()
    held = Posting.objects.filter(
        area__path__startswith=county.path, valid_to=None, user__is_demo=False
    )
    workers = list(held.filter(role=Role.GRID_WORKER).select_related("area").order_by("pk"))
    chiefs = list(held.filter(role=Role.GRID_CHIEF).select_related("area").order_by("pk"))
    if len(workers) < AWAY * 4:
        return
    rng.shuffle(workers)
    # Half of what happens, happens in the town whose desk the demonstration opens.
    town = Posting.objects.get(user__username="town").area
    assert town is not None
    near = [p for p in workers if p.area and p.area.path.startswith(town.path)]
    far = [p for p in workers if not (p.area and p.area.path.startswith(town.path))]
    pairs = list(zip(near, far, strict=False))
    workers = [p for pair in pairs for p in pair] + far[len(pairs) :] + near[len(pairs) :]
    # Who served elsewhere before: two neighbours of the list change places.
    before = [
        Posting(
            user_id=worker.user_id,
            role=worker.role,
            worker_kind=worker.worker_kind,
            area_id=other.area_id,
            valid_from=worker.valid_from - 400 * DAY,
            valid_to=worker.valid_from,
        )
        for worker, other in pairwise(workers[2 * AWAY : 2 * AWAY + LEFT + 1])
        if worker.area_id != other.area_id
    ]
    Posting.objects.bulk_create(before)
    for n in range(AWAY):
        first = today + (rng.randint(-60, 10)) * DAY
        _leave(rng, workers[n], workers[AWAY + n], first, chain=workers[-n - 1])
    here = [p for p in chiefs if p.area and p.area.path.startswith(town.path)]
    for chief in [*here[:1], *rng.sample(chiefs, min(CHIEFLESS, len(chiefs) // 20))]:
        if chief.valid_to is not None or chief.area is None:
            continue
        GridWithoutChief.objects.create(grid=chief.area, reason=rng.choice(_WHY))
        chief.valid_to = today - rng.randint(5, 40) * DAY
        chief.save(update_fields=["valid_to"])
    users = [worker.user_id for worker in workers[-NUMBERED:]]
    _number(rng, sorted(set(users)), county.code)
    progress(len(before) + AWAY + CHIEFLESS + len(users))


def _leave(rng: Random, posting: Posting, other: Posting, first: date, *, chain: Posting) -> None:
    """Let somebody be away and another stand in; every fifth substitute goes away as well."""
    if len({posting.area_id, other.area_id, chain.area_id}) < 3:
        return
    last = first + rng.randint(14, 90) * DAY
    cover = _cover(posting, other, first, last)
    if rng.random() < 0.2:
        _cover(cover, chain, first + 5 * DAY, last - 4 * DAY)


def _cover(posting: Posting, other: Posting, first: date, last: date) -> Posting:
    cover = Posting.objects.create(
        user_id=other.user_id,
        role=posting.role,
        worker_kind=posting.worker_kind,
        area_id=posting.area_id,
        valid_from=first,
        valid_to=last,
    )
    reason = _REASONS[posting.user_id % len(_REASONS)]
    Leave.objects.create(
        posting=posting, cover=cover, away_from=first, away_until=last, reason=reason
    )
    return cover


def _number(rng: Random, user_ids: list[int], code: str) -> None:
    users = list(User.objects.filter(pk__in=user_ids).only("pk"))
    for n, user in enumerate(users):
        born = f"{rng.randint(1965, 2001)}{rng.randint(1, 12):02}{rng.randint(1, 28):02}"
        digits = f"{code}{born}{n % 1000:03}"
        number = digits + check_character(digits)
        User.objects.filter(pk=user.pk).update(id_number=number, id_index=blind_index(number))
