"""Which ladder a late clock climbs.

What must not live here: climbing (services/lateness.py) and changing ladders (services/ladders.py).
"""

from datetime import date, datetime
from functools import cached_property

from django.utils import timezone

from incidents.models import Incident, Ladder, LadderRung
from incidents.models.ladder import Rung


class Ladders:
    """The ladders as they stand, read once when first asked for (2 queries).

    For one batch of clocks: which ladder one climbs hangs on its case and on the day it started.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[int | None, str, date], Ladder | None] = {}

    @cached_property
    def _all(self) -> list[Ladder]:
        return list(Ladder.objects.prefetch_related("rungs"))

    def in_force(self, category_id: int | None, tier: str, *, on: datetime) -> Ladder | None:
        """Return the ladder of a category and tier on a day.

        The category counts before the tier: of several that fit, the one that says most.
        """
        key = (category_id, tier, timezone.localdate(on))
        if key not in self._known:
            self._known[key] = self._find(*key)
        return self._known[key]

    def _find(self, category_id: int | None, tier: str, day: date) -> Ladder | None:
        fitting = [
            ladder
            for ladder in self._all
            if ladder.category_id in {None, category_id}
            and ladder.tier in {"", tier}
            and ladder.valid_from <= day
        ]
        return max(
            fitting,
            key=lambda one: (one.category_id is not None, one.tier != "", one.version),
            default=None,
        )

    def rungs_above(self, incident: Incident, rung: int, *, on: datetime) -> list[LadderRung]:
        """Return the rungs above ``rung`` for a clock that started ``on``, lowest first.

        A county that has no ladder climbs every rung, each after the model's own default.
        """
        ladder = self.in_force(incident.category_id, incident.tier, on=on)
        if ladder is None:
            return [LadderRung(rung=above) for above in Rung.values if above > rung]
        return [one for one in ladder.rungs.all() if one.rung > rung]
