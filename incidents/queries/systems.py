"""What the system administrator reads about connected systems."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db.models import Count, Max, Sum
from django.utils import timezone

from incidents.models import SentCase, System, SystemDay, SystemRight

DAYS = 30


@dataclass
class SystemRow:
    """A system with its use: today, in the last 30 days, and the time of its last call."""

    system: System
    today: int = 0
    calls: int = 0
    refused: int = 0
    last_at: datetime | None = None

    @property
    def rights(self) -> list[str]:
        """What its key opens, in words."""
        return [str(SystemRight(name).label) for name in self.system.scopes]


def system_rows() -> list[SystemRow]:
    """Return all systems with their use, by name (3 queries)."""
    today = timezone.localdate()
    recent = SystemDay.objects.filter(day__gt=today - timedelta(days=DAYS))
    rows = {system.pk: SystemRow(system) for system in System.objects.all()}
    for used in recent.values("system").annotate(
        calls=Sum("calls"), refused=Sum("refused"), last_at=Max("last_at")
    ):
        row = rows[used["system"]]
        row.calls, row.refused, row.last_at = used["calls"], used["refused"], used["last_at"]
    for system, calls in recent.filter(day=today).values_list("system", "calls"):
        rows[system].today = calls
    return list(rows.values())


def days_of(system: System) -> list[tuple[date, int, int]]:
    """Return (day, calls, refused) of the last 30 days with any, newest first (1 query)."""
    since = timezone.localdate() - timedelta(days=DAYS)
    rows = system.days.filter(day__gt=since).order_by("-day")
    return list(rows.values_list("day", "calls", "refused"))


def sent_count(system: System) -> int:
    """Return how many cases the system has sent (1 query over its own)."""
    return SentCase.objects.filter(system=system).aggregate(n=Count("pk"))["n"] or 0
