"""How late timers fired, in real seconds, whatever the clock was set to meanwhile.

What lives here: turning the product's time back into real time, and the spread. What must not:
whether a timer fired at all, which is the oracle's.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg


@dataclass(frozen=True)
class RealTime:
    """Real seconds of the product's: ``settings`` are (real moment, seconds off), in order."""

    settings: Sequence[tuple[float, float]]

    def reached(self, shown: float, *, since: float) -> float:
        """Return the first moment from ``since`` on at which the clock showed ``shown`` or more.

        >>> RealTime([(0, 0), (100, -20), (110, 50)]).reached(95, since=105)
        110
        """
        for begun, end, off in self._stretches(since):
            if end + off > shown:
                return max(begun, shown - off)
        raise AssertionError("the last setting has no end")

    def of(self, shown: float, *, since: float) -> float | None:
        """Return the moment from ``since`` on at which the clock showed it; None for several.

        >>> RealTime([(0, 0), (100, -20)]).of(90, since=0) is None
        True
        """
        found = [
            shown - off
            for begun, end, off in self._stretches(since)
            if begun + off <= shown < end + off
        ]
        return found[0] if len(found) == 1 else None

    def _stretches(self, since: float) -> Iterator[tuple[float, float, float]]:
        """Yield (begin, end, seconds off) of the settings that ``since`` leaves over."""
        for n, (begun, off) in enumerate(self.settings):
            end = self.settings[n + 1][0] if n + 1 < len(self.settings) else float("inf")
            if end > since:
                yield max(begun, since), end, off


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
            # When it was made is PostgreSQL's own time, which nobody sets.
            "SELECT extract(epoch FROM due_at)::float8, extract(epoch FROM fired_at)::float8,"
            " extract(epoch FROM created_at)::float8"
            " FROM core_timer WHERE fired_at IS NOT NULL AND failures = 0"
        ).fetchall()
    for shown_due, shown_fired, made in rows:
        due = time.reached(shown_due, since=made)
        fired = time.of(shown_fired, since=due)
        place = bisect_right(begins, due) - 1
        if fired is None or place < 0 or due >= until:
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
