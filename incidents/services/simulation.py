"""What the clocks would do over the coming days if nobody touched a case.

What lives here: letting the real sweep run ahead of time and taking everything back. What must
not: a second notion of what a timer does.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Min, QuerySet
from django.utils import timezone

from core.models import Timer
from core.services.timers import sweep
from incidents.models import Incident, StageClock


@dataclass(frozen=True)
class Firing:
    """One timer that fired, or that raised: then ``error`` says what.

    ``case`` is the tracking code, or the subject's type and number where it is none of a case;
    ``clock`` says which clock of the case, ``stage`` is the rung it climbed to.
    """

    at: datetime
    kind: str
    stage: str
    case: str
    clock: str = ""
    error: str = ""


def simulate(
    *, days: int, start: datetime | None = None, tick: Callable[[datetime], None] | None = None
) -> list[Firing]:
    """Return every firing of the ``days`` from ``start`` (now), in order of time.

    Timers fire as the sweep of the minute they are due in would find them, in one transaction
    that is taken back. The cases that fire are held until the end, as by any step, and sweeps
    elsewhere pass them over. ``tick`` is called with each moment reached.
    """
    moments = [_whole_minute(start or timezone.now())]
    end = moments[0] + timedelta(days=days)
    with transaction.atomic():
        failed_before = dict(_unfired().filter(failures__gt=0).values_list("pk", "failures"))
        sweep(now=moments[0])
        while (due := _next_due(after=moments[-1])) is not None and due <= end:
            moments.append(_whole_minute(due))
            sweep(now=moments[-1])
            if tick:
                tick(moments[-1])
        # Sweeps of the real clock never fire at a whole minute: these are ours.
        timers = list(Timer.objects.filter(fired_at__in=moments).order_by("fired_at", "pk"))
        timers += [
            timer
            for timer in _unfired().filter(failures__gt=0).order_by("pk")
            if timer.failures > failed_before.get(timer.pk, 0)
        ]
        firings = list(_told(timers))
        transaction.set_rollback(True)
    return firings


def by_day(firings: Iterable[Firing]) -> dict[str, Counter[str]]:
    """Return local day → kind → how many; what raised counts as ``failed``."""
    days: dict[str, Counter[str]] = {}
    for firing in firings:
        day = timezone.localdate(firing.at).isoformat()
        days.setdefault(day, Counter())["failed" if firing.error else firing.kind] += 1
    return days


def _unfired() -> QuerySet[Timer]:
    return Timer.objects.filter(fired_at__isnull=True)


def _next_due(*, after: datetime) -> datetime | None:
    return _unfired().filter(due_at__gt=after).aggregate(at=Min("due_at"))["at"]


def _whole_minute(moment: datetime) -> datetime:
    """Return the next whole minute."""
    return moment.replace(second=0, microsecond=0) + timedelta(minutes=1)


def _told(timers: list[Timer]) -> Iterable[Firing]:
    clocks = StageClock.objects.select_related("incident").in_bulk(
        {timer.subject_id for timer in timers if timer.subject_type == "clock"}
    )
    cases = dict(
        Incident.objects.filter(
            pk__in={timer.subject_id for timer in timers if timer.subject_type == "incident"}
        ).values_list("pk", "tracking_code")
    )
    for timer in timers:
        clock = clocks.get(timer.subject_id) if timer.subject_type == "clock" else None
        other = f"{timer.subject_type} {timer.subject_id}"
        case = cases.get(timer.subject_id, other) if timer.subject_type == "incident" else other
        yield Firing(
            at=timer.fired_at or timer.due_at,
            kind=timer.kind,
            stage=timer.stage,
            case=clock.incident.tracking_code if clock else case,
            clock=str(clock) if clock else "",
            error="" if timer.fired_at else timer.last_error,
        )
