"""Which ladder a late clock climbs.

What must not live here: climbing (services/lateness.py) and changing ladders (services/ladders.py).
"""

from datetime import datetime

from django.db.models import F, Q
from django.utils import timezone

from incidents.models import Incident, Ladder, LadderRung
from incidents.models.ladder import Rung


def current_ladder(category_id: int | None, tier: str, *, on: datetime) -> Ladder | None:
    """Return the ladder in force for a category and tier on a day (1 query).

    The category counts before the tier: of several that fit, the one that says most.
    """
    return (
        Ladder.objects.filter(
            Q(category=category_id) | Q(category=None),
            Q(tier=tier) | Q(tier=""),
            valid_from__lte=timezone.localdate(on),
        )
        .order_by(F("category_id").asc(nulls_last=True), "-tier", "-version")
        .first()
    )


def rungs_above(incident: Incident, rung: int, *, on: datetime) -> list[LadderRung]:
    """Return the rungs above ``rung`` for a clock that started ``on``, lowest first (≤ 2 queries).

    A county that has no ladder climbs every rung, each after the model's own default.
    """
    ladder = current_ladder(incident.category_id, incident.tier, on=on)
    if ladder is None:
        return [LadderRung(rung=above) for above in Rung.values if above > rung]
    return list(ladder.rungs.filter(rung__gt=rung))
