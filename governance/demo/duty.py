"""Who is on duty in the demo county today.

What must not live here: checking in and out (grids/services/duty.py).
"""

from datetime import timedelta
from random import Random

from django.db.models import Exists, OuterRef
from django.utils import timezone

from grids.models import Area, DutyShift, Leave, Posting, Role

# Of a hundred workers so many are at work; more where the demonstration accounts sit.
SHARE, SHARE_SHOWN = 25, 60


def build_duty(county: Area) -> int:
    """Put some workers on duty since a few hours ago; return how many.

    The demonstration's own worker is not: checking in is for whoever tries it.
    """
    rng, now = Random("duty"), timezone.now()
    town = Posting.objects.get(user__username="town").area
    assert town is not None
    away = Leave.objects.on(timezone.localdate()).filter(posting=OuterRef("pk"))
    workers = (
        Posting.objects.current()
        .filter(~Exists(away), role=Role.GRID_WORKER, area__path__startswith=county.path)
        .filter(user__is_demo=False)
        .order_by("user_id", "pk")
        .distinct("user_id")
    )
    shifts = [
        DutyShift(user_id=user_id, began_at=now - timedelta(minutes=rng.randint(10, 300)))
        for user_id, path in workers.values_list("user_id", "area__path")
        if rng.randrange(100) < (SHARE_SHOWN if path.startswith(town.path) else SHARE)
    ]
    return len(DutyShift.objects.bulk_create(shifts))
