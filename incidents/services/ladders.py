"""The one way ladders change: as a new version.

What must not live here: what climbing does to a case (lateness.py).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from core.errors import Invalid
from core.models import Channel
from core.services import audit
from core.working_calendar import Unit
from grids.models import User
from incidents.models import Category, Ladder, LadderRung
from incidents.models.ladder import Rung


@dataclass(frozen=True)
class RungTerm:
    """One rung: reached ``amount`` of ``unit`` after the rung before it was told.

    ``channels`` carry its notice; none means what each person chose.
    """

    rung: int
    amount: int = 1
    unit: str = Unit.WORKING_DAYS
    takes_over: bool = False
    channels: Sequence[str] = ()


def set_ladder(
    *,
    category: Category | None,
    tier: str,
    rungs: Iterable[RungTerm],
    actor: User | None,
    valid_from: date | None = None,
) -> Ladder:
    """Write a new version of a ladder (no category, no tier: the county's own).

    Clocks already running keep the ladder they started under. Raises Invalid for a ladder
    that does not reach the command centre, a rung twice, or a leader who takes over.
    """
    rungs = sorted(rungs, key=lambda term: term.rung)
    _check(rungs)
    with transaction.atomic():
        # Serialises two administrators: the version number is the next one for both.
        before = list(
            Ladder.objects.select_for_update(of=("self",))
            .filter(category=category, tier=tier)
            .order_by("-version")
        )
        ladder = Ladder.objects.create(
            category=category,
            tier=tier,
            version=before[0].version + 1 if before else 1,
            valid_from=valid_from or timezone.localdate(),
        )
        LadderRung.objects.bulk_create(
            LadderRung(ladder=ladder, **{**vars(term), "channels": list(term.channels)})
            for term in rungs
        )
        audit.record(
            actor=actor,
            action="catalogue.ladder",
            subject_type="category",
            subject_id=category.pk if category else None,
            data={"version": ladder.version, "tier": tier},
        )
    return ladder


def _check(rungs: list[RungTerm]) -> None:
    names = [term.rung for term in rungs]
    if not {Rung.COMMAND, Rung.LEADER} & set(names):
        raise Invalid(_("A ladder ends at the command centre or the county leader."), field="rungs")
    if len(set(names)) != len(names) or not set(names) <= set(Rung.values):
        raise Invalid(_("Each rung stands on the ladder once."), field="rungs")
    if any(term.amount < 1 or term.unit not in Unit.values for term in rungs):
        raise Invalid(_("Give each rung a time of at least one."), field="rungs")
    if any(set(term.channels) - set(Channel.Kind.values) for term in rungs):
        raise Invalid(_("Choose channels from the list."), field="rungs")
    if any(term.takes_over and term.rung == Rung.LEADER for term in rungs):
        raise Invalid(_("The county leader is told, and takes no case over."), field="rungs")
