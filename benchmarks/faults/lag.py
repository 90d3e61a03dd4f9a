"""How late timers fired, in real seconds, whatever the clock was set to meanwhile.

What lives here: turning the product's time back into real time, and the spread. What must not:
whether a timer fired at all, which is the oracle's.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg


@dataclass(frozen=True)
class RealTime:
    """Real seconds of the product's: ``settings`` are (real moment, seconds off), in order."""

    settings: Sequence[tuple[float, float]]

    def of(self, shown: float) -> float | None:
        """Return the moment the clock came to ``shown``; None for what it showed twice."""
        found = None
        for n, (begun, off) in enumerate(self.settings):
            end = self.settings[n + 1][0] if n + 1 < len(self.settings) else float("inf")
            first, last = begun + off, end + off
            if first <= shown < last:
                if found is not None:
                    return None
                found = shown - off
            elif shown < first and found is None and n:
                before = self.settings[n - 1][1]
                if begun + before <= shown:
                    found = begun  # skipped by putting the clock on: due when that was done
        return found


def lags(
    dsn: str, time: RealTime, stretches: Sequence[tuple[str, float]], *, until: float
) -> dict[str, dict[str, float]]:
    """Return {name: {n, p50, p99, max}} of timers by the stretch they were due in.

    ``stretches`` are (name, real moment it begins), in order; what is due after ``until`` is left
    out.
    """
    begins = [moment for _name, moment in stretches]
    found: dict[str, list[float]] = {}
    with psycopg.connect(dsn) as database:
        rows = database.execute(
            "SELECT extract(epoch FROM due_at)::float8, extract(epoch FROM fired_at)::float8"
            " FROM core_timer WHERE fired_at IS NOT NULL AND failures = 0"
        ).fetchall()
    for shown_due, shown_fired in rows:
        due, fired = time.of(shown_due), time.of(shown_fired)
        place = bisect_right(begins, due) - 1 if due is not None else -1
        if due is None or fired is None or place < 0 or due >= until:
            continue
        found.setdefault(stretches[place][0], []).append(fired - due)
    return {name: spread(sorted(values)) for name, values in found.items()}


def spread(ordered: Sequence[float]) -> dict[str, Any]:
    """Return the number, the middle, the 99th of a hundred and the last of sorted seconds."""
    last = len(ordered) - 1
    return {
        "n": len(ordered),
        "p50": round(ordered[last // 2], 2),
        "p99": round(ordered[int(last * 0.99)], 2),
        "max": round(ordered[last], 2),
    }
