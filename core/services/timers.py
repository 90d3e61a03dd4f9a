"""Setting, cancelling and firing timers.

What lives here: the sweep, and the registry in which upper floors say what each kind does.
What must not: what a deadline means; that is the handler's business.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from logging import getLogger

from django.db import OperationalError, transaction
from django.db.models import Q
from django.utils import timezone
from psycopg.errors import DeadlockDetected, LockNotAvailable

from core import prepared
from core.models import Timer

Handler = Callable[[list[Timer], datetime], Iterable[Timer] | None]

logger = getLogger(__name__)
_handlers: dict[str, Handler] = {}
_LONGEST_DELAY_MINUTES = 60


@dataclass(frozen=True, kw_only=True, slots=True)
class TimerSpec:
    """A timer to set. Subject, kind, stage and cycle together exist at most once, for ever."""

    subject_type: str
    subject_id: int
    kind: str
    due_at: datetime
    stage: str = ""
    cycle: int = 1


@dataclass(frozen=True, slots=True)
class SweepResult:
    """How many timers fired, and how many raised and were pushed forward."""

    fired: int
    failed: int


def register(kind: str, handler: Handler) -> None:
    """Say what happens when timers of ``kind`` are due. Called from AppConfig.ready.

    ``handler(timers, now)`` gets claimed timers of its kinds and runs inside the sweep's
    transaction. It must look at its subjects again under their row locks, because a timer may
    come a moment after the thing it waited for was done.

    Take those locks with ``select_for_update(skip_locked=True)`` and return the timers whose
    subject was busy (or use ``nowait`` and let it raise): they stay due for the next sweep.
    Waiting instead could deadlock with a transaction that holds the subject and cancels
    its timers.
    """
    _handlers[kind] = handler


def on(kind: str) -> Callable[[Handler], Handler]:
    """Decorate a handler; see ``register``."""

    def decorate(handler: Handler) -> Handler:
        register(kind, handler)
        return handler

    return decorate


_SET = """
    INSERT INTO core_timer (subject_type, subject_id, kind, stage, cycle, due_at,
        failures, last_error, created_at)
    SELECT *, 0, '', now()
      FROM unnest(%(subject_type)s::text[], %(subject_id)s::bigint[], %(kind)s::text[],
                  %(stage)s::text[], %(cycle)s::int[], %(due_at)s::timestamptz[])
        ON CONFLICT DO NOTHING
"""


def set_timers(specs: Iterable[TimerSpec]) -> None:
    """Write the timers in the caller's transaction; those that exist already stay as they are."""
    rows = list(specs)
    if not rows:
        return
    names = ("subject_type", "subject_id", "kind", "stage", "cycle", "due_at")
    with prepared.cursor() as cursor:
        cursor.execute(_SET, {name: [getattr(row, name) for row in rows] for name in names})


_CANCEL = """
    DELETE FROM core_timer
     WHERE subject_type = %(type)s AND subject_id = ANY(%(ids)s::bigint[]) AND fired_at IS NULL
       AND (%(kinds)s::text[] IS NULL OR kind = ANY(%(kinds)s::text[]))
       AND (%(stages)s::text[] IS NULL OR stage = ANY(%(stages)s::text[]))
"""


def cancel_timers(
    subject_type: str,
    subject_id: int | Collection[int],
    *,
    kinds: Collection[str] | None = None,
    stages: Collection[str] | None = None,
) -> int:
    """Delete the subjects' unfired timers, or only those of the kinds and stages; return how many.

    A timer a sweep is firing right now is waited for, and is gone or fired afterwards.
    """
    ids = [subject_id] if isinstance(subject_id, int) else list(subject_id)
    named = [None if names is None else list(names) for names in (kinds, stages)]
    with prepared.cursor() as cursor:
        cursor.execute(
            _CANCEL, {"type": subject_type, "ids": ids, "kinds": named[0], "stages": named[1]}
        )
        return cursor.rowcount


def sweep(
    *, now: datetime | None = None, batch: int = 200, at_most: int | None = None
) -> SweepResult:
    """Fire what is due, in batches of one transaction each, until nothing is left.

    Any number of sweeps may run at once. A handler that raises costs only the timers that
    raise alone: those are counted, pushed forward (1, 2, 4 … 60 minutes) and tried again.
    ``at_most`` ends the sweep once that many timers were claimed.
    """
    fired = failed = 0
    left: set[int] = set()
    after: Timer | None = None
    while at_most is None or fired + failed + len(left) < at_most:
        moment = now or timezone.now()
        with transaction.atomic():
            timers = _claim(now=moment, batch=batch, after=after, left=left)
            done, errors = _fire(timers, moment)
            Timer.objects.filter(pk__any_of=done).update(fired_at=moment)
            for timer, error in errors:
                _push_forward(timer, error, moment)
        fired += len(done)
        failed += len(errors)
        left.update({t.pk for t in timers} - set(done) - {t.pk for t, _ in errors})
        if not timers and after is None:
            break
        # Start behind the rows just fired: while any old snapshot is open, their index entries
        # stay and every batch would walk over all of them. Then once more from the beginning.
        after = timers[-1] if timers else None
    return SweepResult(fired, failed)


def _claim(*, now: datetime, batch: int, after: Timer | None, left: set[int]) -> list[Timer]:
    due = Timer.objects.filter(fired_at__isnull=True, due_at__lte=now)
    if after is not None:
        due = due.filter(Q(due_at__gt=after.due_at) | Q(pk__gt=after.pk), due_at__gte=after.due_at)
    if left:
        due = due.exclude(pk__any_of=left)
    return list(due.order_by("due_at", "pk").select_for_update(skip_locked=True)[:batch])


def _fire(timers: list[Timer], now: datetime) -> tuple[list[int], list[tuple[Timer, Exception]]]:
    """Call the handlers; return the ids that fired, and the timers that raised with their error."""
    groups: dict[Handler, list[Timer]] = defaultdict(list)
    for timer in timers:
        groups[_handlers.get(timer.kind, _unknown)].append(timer)
    done: list[int] = []
    errors: list[tuple[Timer, Exception]] = []
    for handler, group in groups.items():
        try:
            done += _call(handler, group, now)
        except Exception:
            for timer in group:
                try:
                    done += _call(handler, [timer], now)
                except Exception as error:
                    if not _busy(error):
                        errors.append((timer, error))
    return done, errors


def _unknown(timers: list[Timer], now: datetime) -> None:
    raise LookupError(f"no handler is registered for timers of kind {timers[0].kind!r}")


def _call(handler: Handler, timers: list[Timer], now: datetime) -> list[int]:
    """Run the handler in a savepoint; return the ids of the timers that fired."""
    with transaction.atomic():
        later = {timer.pk for timer in handler(timers, now) or ()}
    return [timer.pk for timer in timers if timer.pk not in later]


def _busy(error: Exception) -> bool:
    """Return whether the subject was merely held by another transaction."""
    return isinstance(error, OperationalError) and isinstance(
        error.__cause__, LockNotAvailable | DeadlockDetected
    )


def _push_forward(timer: Timer, error: Exception, now: datetime) -> None:
    logger.error("timer %s failed: %s", timer.pk, error, exc_info=error)
    minutes = min(2**timer.failures, _LONGEST_DELAY_MINUTES)
    Timer.objects.filter(pk=timer.pk).update(
        failures=timer.failures + 1,
        last_error=f"{type(error).__name__}: {error}"[:2000],
        due_at=now + timedelta(minutes=minutes),
    )
