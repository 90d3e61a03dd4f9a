"""Cases turned into the rows of a list: every word ready, so that a template only places them.

What must not live here: queries; the cases come light and named (queries.listing).
"""

from collections.abc import Iterable
from dataclasses import dataclass

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from core.choices import labels
from incidents.models import Source, State, Tier, Urgency
from incidents.queries.listing import Listed
from incidents.views.times import Due, due

# Stands for a tracking code in the address that all rows share.
_CODE = "CODE"


@dataclass(slots=True)
class Row:
    """What a list shows of one case. ``level`` is calm, warn, over, paused or done.

    Labels are "" where there is nothing to say; ``lon`` and ``lat`` are degrees.
    """

    id: int
    code: str
    url: str
    version: int
    head: str
    urgency: str
    round: str
    task: str
    rework: str
    place: str
    lon: float | None
    lat: float | None
    category: str
    tier: str
    owner: str
    state: str
    state_label: str
    level: str
    clock: Due
    reported: str
    reported_short: str
    reported_iso: str
    ended: str
    # Where to accept at once, for whoever may.
    accept_url: str = ""


def list_rows(incidents: Iterable[Listed]) -> list[Row]:
    """Return what a list shows of each case, which must be light and named."""
    words = _Words()
    return [_row(incident, words) for incident in incidents]


class _Words:
    """What all rows of one list share, looked up once."""

    def __init__(self) -> None:
        self.now = timezone.now()
        self.states, self.tiers, self.urgencies = labels(State), labels(Tier), labels(Urgency)
        self.url = reverse("incident", args=[_CODE])


def _row(incident: Listed, words: _Words) -> Row:
    clock = due(incident, words.now)
    reported = timezone.localtime(incident.reported_at)
    rework = incident.rework_count
    return Row(
        id=incident.pk,
        code=incident.tracking_code,
        url=words.url.replace(_CODE, incident.tracking_code),
        version=incident.version,
        head=incident.head.strip().split("\n", 1)[0],
        urgency=words.urgencies[incident.urgency] if incident.urgency else "",
        round=_("Round %(n)s") % {"n": incident.round} if incident.round > 1 else "",
        task=_("Task") if incident.source == Source.SPLIT else "",
        rework=_("Reworked %(n)s times") % {"n": rework} if rework else "",
        place=incident.place,
        lon=incident.lon,
        lat=incident.lat,
        category=incident.category_label,
        tier=words.tiers[incident.tier],
        owner=incident.owner_label,
        state=incident.state,
        state_label=words.states[incident.state],
        level=_level(incident, clock),
        clock=clock,
        reported=f"{reported:%Y-%m-%d %H:%M}",
        reported_short=f"{reported:%m-%d %H:%M}",
        reported_iso=reported.isoformat(timespec="seconds"),
        ended=f"{timezone.localtime(incident.ended_at):%m-%d %H:%M}" if incident.ended_at else "",
    )


def _level(incident: Listed, clock: Due) -> str:
    if incident.ended_at is not None:
        return "done"
    late = incident.overdue_at is not None and incident.state != State.SUSPENDED
    return "over" if late else clock.level
