"""Who is killed when: a shuffled deck of every kind of fault, drawn again and again.

What lives here: the faults and their order, the same for the same seed. What must not: how a
process is killed (house.py) and what may come of it (oracle.py).
"""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.faults import clock
from benchmarks.faults.house import House

# Seconds the clock is put on or back.
AHEAD, BACK = 90.0, 20.0
# How long the right moment is waited for.
PATIENCE = 45.0
FIRED = "SELECT count(*) FROM core_timer WHERE fired_at IS NOT NULL"


@dataclass
class Killer:
    """Breaks the house every ``gap`` seconds or so, and writes down what it did.

    ``away`` is how many seconds both beats stay away when it is their turn; ``received`` is what
    the other side of the channels writes down.
    """

    house: House
    seed: int
    gap: float
    away: float
    dsn: str
    received: Path
    only: frozenset[str] = frozenset()
    done: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        house, rng = self.house, self.rng
        faults: dict[str, Callable[[], object]] = {
            "web": lambda: house.kill("web"),
            "web child": lambda: house.kill_child("web", rng),
            "worker": lambda: house.kill(rng.choice(["worker-1", "worker-2"])),
            "worker child": lambda: house.kill_child(rng.choice(["worker-1", "worker-2"]), rng),
            "in a sweep": self._in_a_sweep,
            "in a delivery": self._in_a_delivery,
            "beat": lambda: house.kill(rng.choice(["beat-1", "beat-2"])),
            "beats away": self._beats_away,
            "redis": house.kill_redis,
            "flush": house.flush_redis,
            "postgres": house.kill_postgres,
            "backend": lambda: house.kill_backend(rng),
            "clock ahead": lambda: clock.set_offset(clock.offset() + AHEAD),
            "clock back": lambda: clock.set_offset(clock.offset() - BACK),
        }
        self.faults = {
            name: act for name, act in faults.items() if not self.only or name in self.only
        }

    def run(self, seconds: float, *, least: int) -> None:
        """Break things for so long, and until so many faults were made."""
        deck: list[str] = []
        end = time.monotonic() + seconds
        while time.monotonic() < end or len(self.done) < least:
            time.sleep(self.rng.uniform(0.5, 1.5) * self.gap)
            if not deck:
                deck = sorted(self.faults)
                self.rng.shuffle(deck)
            name = deck.pop()
            at, off = time.time(), clock.offset()
            self.faults[name]()
            self.done.append(
                {"fault": name, "at": at, "took": round(time.time() - at, 2), "off": off}
            )

    def _in_a_sweep(self) -> None:
        """Kill both workers just when a timer was marked fired."""
        with psycopg.connect(self.dsn, autocommit=True) as database:
            self._once_more(lambda: database.execute(FIRED).fetchone()[0])  # type: ignore[index]
        self._both_workers()

    def _in_a_delivery(self) -> None:
        """Kill both workers just when a letter came to the other side, and is not recorded yet."""
        self._once_more(lambda: self.received.stat().st_size if self.received.exists() else 0)
        self._both_workers()

    def _both_workers(self) -> None:
        for name in ("worker-1", "worker-2"):
            self.house.kill(name)

    def _once_more(self, grown: Callable[[], int]) -> None:
        """Return when the number grows, or after PATIENCE seconds."""
        before, end = grown(), time.monotonic() + PATIENCE
        while grown() == before and time.monotonic() < end:
            time.sleep(0.005)

    def _beats_away(self) -> None:
        beats = {"beat-1", "beat-2"}
        self.house.resting |= beats
        for name in beats:
            self.house.kill(name)
        time.sleep(self.away)
        self.house.resting -= beats
