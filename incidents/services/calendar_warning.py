"""Telling those who can import it that a year of the working calendar is missing.

From 1 November the coming year is wanted (core.queries); once a week each is reminded until it is
there. What must not live here: importing (core/services/calendar.py).
"""

from datetime import datetime

from django.utils import timezone

from core.queries import missing_calendar_years
from core.services import outbox
from grids.models import Role
from grids.queries import the_county

KIND = "calendar_wanted"
TOLD = (Role.SYSTEM_ADMIN, Role.COMMAND)


def warn(*, now: datetime | None = None) -> int:
    """Queue a notice for each missing year and each who is told; return how many years there are.

    The key holds the week, so any number of runs in it tell once.
    """
    now = now or timezone.now()
    years, county = missing_calendar_years(now), the_county()
    if county is None:
        return 0
    week = timezone.localdate(now).strftime("%G-%V")
    outbox.post(
        outbox.Message(
            topic="notice",
            key=f"calendar:{year}:{week}:{role}@{county.pk}",
            payload={"kind": KIND, "role": role, "area": county.pk, "data": {"year": year}},
        )
        for year in years
        for role in TOLD
    )
    return len(years)
