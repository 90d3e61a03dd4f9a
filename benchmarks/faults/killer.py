"""Who is killed when: a shuffled deck of every kind of fault, drawn again and again.

What lives here: the faults and their order, the same for the same seed. What must not: how a
process is killed (house.py) and what may come of it (oracle.py).
"""

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from benchmarks.faults import clock
from benchmarks.faults.house import House

# Seconds the clock is put on or back, and how long both beats stay away.
AHEAD, BACK, AWAY = 90.0, 20.0, 8.0


@dataclass
class Killer:
    """Breaks the house every ``gap`` seconds or so, and writes down what it did."""

    house: House
    seed: int
    gap: float
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
            "both workers": lambda: (house.kill("worker-1"), house.kill("worker-2")),
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

    def run(self, seconds: float, over: threading.Event) -> None:
        """Break things for so long, or until ``over``."""
        deck: list[str] = []
        end = time.monotonic() + seconds
        while not over.wait(self.rng.uniform(0.5, 1.5) * self.gap) and time.monotonic() < end:
            if not deck:
                deck = sorted(self.faults)
                self.rng.shuffle(deck)
            name = deck.pop()
            at, off = time.time(), clock.offset()
            self.faults[name]()
            self.done.append(
                {"fault": name, "at": at, "took": round(time.time() - at, 2), "off": off}
            )

    def _beats_away(self) -> None:
        beats = {"beat-1", "beat-2"}
        self.house.resting |= beats
        for name in beats:
            self.house.kill(name)
        time.sleep(AWAY)
        self.house.resting -= beats
