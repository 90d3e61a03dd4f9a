"""Reads of the ground floor."""

from datetime import datetime

from core.models import AuditChain, AuditEntry, CalendarYear
from core.working_calendar import CHINA


def missing_calendar_years(now: datetime) -> list[int]:
    """Return the years an administrator must import: this one, and from 1 November the next.

    The State Council publishes the next year's notice in the first days of November.
    """
    today = now.astimezone(CHINA)
    needed = [today.year] + ([today.year + 1] if today.month >= 11 else [])
    known = set(CalendarYear.objects.filter(year__in=needed).values_list("year", flat=True))
    return [year for year in needed if year not in known]


def seal_lag(now: datetime) -> float | None:
    """Return how old the oldest unsealed entry is, in seconds; None when all are sealed.

    Two queries, over what the chain has not settled yet.
    """
    chain = AuditChain.objects.filter(pk=1).values_list("settled_id", flat=True).first() or 0
    entries = AuditEntry.objects.raw(
        "SELECT id, at FROM core_auditentry e WHERE id > %s AND NOT EXISTS "
        "(SELECT FROM core_auditseal s WHERE s.entry_id = e.id) ORDER BY id LIMIT 1",
        [chain],
    )
    for entry in entries:
        return max(0.0, (now - entry.at).total_seconds())
    return None
