"""What timers of this floor are about, as long as they may still be set.

What must not live here: timers themselves (core.services).
"""

from collections.abc import Collection, Iterable

from incidents.models import EmergencyCall, Incident, StageClock


def open_incidents(ids: Collection[int]) -> Iterable[int]:
    """Return those of the cases that have not ended (1 query).

    A case that is opened again counts on: its timers carry the round, or the row of its timeline.
    """
    return Incident.objects.filter(pk__in=ids, ended_at=None).values_list("pk", flat=True)


def clocks_of_open(ids: Collection[int]) -> Iterable[int]:
    """Return those of the clocks whose case has not ended (1 query).

    A case that is opened again gets new clocks.
    """
    clocks = StageClock.objects.filter(pk__in=ids, incident__ended_at=None)
    return clocks.values_list("pk", flat=True)


def calls_of_open(ids: Collection[int]) -> Iterable[int]:
    """Return those of the emergency calls whose case has not ended (1 query).

    Each is made once, and waited for once.
    """
    calls = EmergencyCall.objects.filter(pk__in=ids, incident__ended_at=None)
    return calls.values_list("pk", flat=True)
