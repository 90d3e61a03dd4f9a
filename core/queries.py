"""Reads of the ground floor."""

from datetime import datetime

from core.models import CalendarYear
from core.working_calendar import CHINA


def missing_calendar_years(now: datetime) -> list[int]:
    """Return the years an administrator must import: this one, and from 1 November the next.

    The State Council publishes the next year's notice in the first days of November.
    """
    today = now.astimezone(CHINA)
    needed = [today.year] + ([today.year + 1] if today.month >= 11 else [])
    known = set(CalendarYear.objects.filter(year__in=needed).values_list("year", flat=True))
    return [year for year in needed if year not in known]
