"""Throwing away what background work has done with: fired timers and delivered messages.

What lives here: how long both are kept, and deleting them in batches. What must not: when a
timer's subject is done with, which its own floor knows, and personal data (the retention rules).
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Max, Min, QuerySet
from django.utils import timezone

from core.models import OutboxMessage, Timer

# Both serve only whoever looks into what happened. The page of messages shows as much of the past
# as that of webhooks does.
TIMERS_KEPT = timedelta(days=30)
MESSAGES_KEPT = timedelta(days=90)
BATCH = 5_000
# A run ends after so many rows, so that a worker process is not held for hours by an old county.
AT_MOST = 2_000_000

# Called with ids of subjects: returns those which timers may still be set for.
Open = Callable[[Collection[int]], Iterable[int]]
Prune = Callable[[int, int, datetime], int]
_open: dict[str, Open] = {}


def register(subject_type: str, still_open: Open) -> None:
    """Say which subjects are not done with: all their timers stay. Called from AppConfig.ready.

    A timer exists once for ever, and its fired row is what keeps it from being set again. So
    whoever registers must set none of the same kind, stage and cycle for a subject that was ended,
    even if it is opened again. Timers of types nobody registers are kept.
    """
    _open[subject_type] = still_open


def prune_timers(*, now: datetime | None = None, batch: int = BATCH, at_most: int = AT_MOST) -> int:
    """Delete timers that fired over 30 days ago and whose subject has ended; return how many.

    What has not fired stays, whatever it waits for.
    """
    before = (now or timezone.now()) - TIMERS_KEPT
    return _walk(Timer, _prune_timers, before, batch, at_most)


def prune_messages(
    *, now: datetime | None = None, batch: int = BATCH, at_most: int = AT_MOST
) -> int:
    """Delete messages delivered over 90 days ago; return how many.

    Their keys may go with them: a message is posted in the transaction of what it tells, which
    happens once. Whatever was not delivered stays: dead letters, and those no longer needed.
    """
    before = (now or timezone.now()) - MESSAGES_KEPT
    return _walk(OutboxMessage, _prune_messages, before, batch, at_most)


def _walk(
    model: type[Timer] | type[OutboxMessage],
    prune: Prune,
    before: datetime,
    batch: int,
    at_most: int,
) -> int:
    """Prune piece by piece in the order of writing, each in a transaction of its own.

    Ends where the rows are younger than ``before``: none of those can be done with for so long.
    So it needs no index beside the primary key, and reads little more than it deletes.
    """
    gone = after = 0
    while gone < at_most:
        piece = model.objects.filter(pk__gt=after).order_by("pk")[:batch]
        found = piece.aggregate(last=Max("pk"), oldest=Min("created_at"))
        if found["last"] is None or found["oldest"] >= before:
            break
        with transaction.atomic():
            gone += prune(after, found["last"], before)
        after = found["last"]
    return gone


def _prune_timers(after: int, last: int, before: datetime) -> int:
    fired = Timer.objects.filter(
        pk__gt=after, pk__lte=last, fired_at__lt=before, subject_type__in=_open
    )
    subjects: dict[str, dict[int, int]] = defaultdict(dict)
    for pk, kind, subject in _free(fired).values_list("pk", "subject_type", "subject_id"):
        subjects[kind][pk] = subject
    done: list[int] = []
    for kind, rows in subjects.items():
        still_open = set(_open[kind](set(rows.values())))
        done += [pk for pk, subject in rows.items() if subject not in still_open]
    return Timer.objects.filter(pk__in=done).delete()[0]


def _prune_messages(after: int, last: int, before: datetime) -> int:
    delivered = OutboxMessage.objects.filter(
        pk__gt=after,
        pk__lte=last,
        state=OutboxMessage.State.DELIVERED,
        delivered_at__lt=before,
    )
    done = list(_free(delivered).values_list("pk", flat=True))
    return OutboxMessage.objects.filter(pk__in=done).delete()[0]


def _free(rows: QuerySet) -> QuerySet:
    """Return the rows that no other run holds."""
    return rows.order_by("pk").select_for_update(skip_locked=True)
