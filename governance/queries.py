"""Reads for those who watch the whole: signs of life, the live feed, figures of the day.

What must not live here: anything that changes a row, and how it looks.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

import redis
from django.conf import settings
from django.db import DatabaseError
from django.db.models import Min

from core.models import Heartbeat, OutboxMessage, Timer

# Beat ticks every 5 s and a worker shows itself as often; four missed are one too many.
DEAD_AFTER = timedelta(seconds=20)
# A timer or message later than this is not waiting its turn, it is stuck.
STUCK_AFTER = timedelta(seconds=60)
REDIS_TIMEOUT = 2
_SENT = ("delivered", "dead")


@dataclass(frozen=True)
class Health:
    """What lives and how old the oldest work is; ages in seconds, None: nothing known or due."""

    database: bool
    redis: bool
    worker_age: float | None = None
    beat_age: float | None = None
    timer_lag: float | None = None
    outbox_age: float | None = None

    @property
    def wrong(self) -> list[str]:
        """Names of what is not well, none when all is."""
        dead, stuck = DEAD_AFTER.total_seconds(), STUCK_AFTER.total_seconds()
        found = {
            "database": not self.database,
            "redis": not self.redis,
            "worker": self.worker_age is None or self.worker_age > dead,
            "beat": self.beat_age is None or self.beat_age > dead,
            "timers": (self.timer_lag or 0) > stuck,
            "outbox": (self.outbox_age or 0) > stuck,
        }
        return [name for name, bad in found.items() if bad]


def health(now: datetime) -> Health:
    """Ask the database (3 queries) and Redis how they are; neither being away raises."""
    answers = _redis_answers()
    try:
        beats = dict(Heartbeat.objects.values_list("name", "at"))
        due = Timer.objects.filter(fired_at__isnull=True).aggregate(oldest=Min("due_at"))["oldest"]
        waits = OutboxMessage.objects.filter(state__in=["queued", "awaiting_retry"]).aggregate(
            oldest=Min("next_attempt_at")
        )["oldest"]
    except DatabaseError:
        return Health(database=False, redis=answers)
    return Health(
        database=True,
        redis=answers,
        worker_age=_age(beats.get("worker"), now),
        beat_age=_age(beats.get("beat"), now),
        timer_lag=_late(due, now),
        outbox_age=_late(waits, now),
    )


def dead_processes(now: datetime) -> list[str]:
    """Return which of worker and beat gave no sign of life lately (1 query)."""
    fresh = Heartbeat.objects.filter(at__gte=now - DEAD_AFTER).values_list("name", flat=True)
    alive = set(fresh)
    return [name for name in ("worker", "beat") if name not in alive]


def _redis_answers() -> bool:
    try:
        with redis.Redis.from_url(
            settings.REDIS_URL, socket_timeout=REDIS_TIMEOUT, socket_connect_timeout=REDIS_TIMEOUT
        ) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False


def _age(at: datetime | None, now: datetime) -> float | None:
    return None if at is None else max(0.0, round((now - at).total_seconds(), 1))


def _late(due: datetime | None, now: datetime) -> float | None:
    return None if due is None or due > now else round((now - due).total_seconds(), 1)
