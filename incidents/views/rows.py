"""Cases turned into the rows of a list: every word ready, so that a template only places them.

What must not live here: queries; the cases come light and named (queries.listing).
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from core.choices import labels
from incidents.models import Incident, State, Tier, Urgency
from incidents.views.times import due


def list_rows(incidents: Iterable[Incident]) -> list[dict[str, Any]]:
    """Return what a list shows of each case; ``level`` is calm, warn, over, paused or done."""
    now = timezone.now()
    states, tiers, urgencies = labels(State), labels(Tier), labels(Urgency)
    return [_row(incident, now, states, tiers, urgencies) for incident in incidents]


def _row(
    incident: Incident,
    now: datetime,
    states: dict[object, str],
    tiers: dict[object, str],
    urgencies: dict[object, str],
) -> dict[str, Any]:
    reported = timezone.localtime(incident.reported_at)
    clock = due(incident, now)
    return {
        "id": incident.pk,
        "code": incident.tracking_code,
        "url": reverse("incident", args=[incident.tracking_code]),
        "version": incident.version,
        "head": incident.head.strip().split("\n", 1)[0],
        "urgency": urgencies[incident.urgency] if incident.urgency else "",
        "round": _("Round %(n)s") % {"n": incident.round} if incident.round > 1 else "",
        "rework": _("Reworked %(n)s times") % {"n": incident.rework_count}
        if incident.rework_count
        else "",
        "place": incident.place,
        "lon": incident.lon,
        "lat": incident.lat,
        "category": incident.category_label,
        "tier": tiers[incident.tier],
        "owner": incident.owner_label,
        "state": incident.state,
        "state_label": states[incident.state],
        "level": _level(incident, clock["level"]),
        "clock": clock,
        "reported": f"{reported:%Y-%m-%d %H:%M}",
        "reported_iso": reported.isoformat(timespec="seconds"),
        "ended": _day_and_hour(incident.ended_at),
        "reported_short": f"{reported:%m-%d %H:%M}",
    }


def _level(incident: Incident, level: str) -> str:
    if incident.ended_at is not None:
        return "done"
    late = incident.overdue_at is not None and incident.state != State.SUSPENDED
    return "over" if late else level


def _day_and_hour(moment: datetime | None) -> str:
    return f"{timezone.localtime(moment):%m-%d %H:%M}" if moment else ""
