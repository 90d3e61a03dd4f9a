"""When a count is a surge: more than an area's own past explains. Pure.

The past are windows as long as the present one, on the same weekdays of the weeks before. Were the
flow steady, counts would be Poisson; as its rate is only known from that past, what may come next
is the Gamma-Poisson (negative binomial) that follows from it with Jeffreys' prior, which is wider
the less past there is. What must not live here: counting reports (services/topics.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, lgamma, log

# Days of the window, today among them, and how many weeks back it is compared with.
WINDOW = 3
WEEKS = 8
# With fewer weeks of past nobody can say what is usual.
ENOUGH_WEEKS = 4
# A count is a surge when a steady flow would bring it about more seldom than this, and it is not
# small: three of something that never happened are no matter for a warning.
ALARM = 1e-5
LEAST = {"village": 5, "town": 8}
# A surge has ended after so many days below the line, and below the line is a count likelier
# than this: between the two nothing begins and nothing ends.
QUIET_DAYS = 3
CALM = 1e-2


@dataclass(frozen=True)
class Reading:
    """A window's count beside what is usual, and how likely a steady flow would bring it about."""

    n: int
    expected: float
    chance: float

    def is_surge(self, level: str) -> bool:
        """Whether it is worth a warning in an area of ``level`` (village or town)."""
        return self.n >= LEAST[level] and self.chance < ALARM

    @property
    def goes_on(self) -> bool:
        """Whether a surge that was there is still there."""
        return self.chance < CALM


def read(n: int, past: Sequence[int]) -> Reading | None:
    """Return how ``n`` stands beside the counts of past windows; None without enough of them.

    >>> read(9, [1, 0, 2, 1, 0, 1, 1, 0]).chance < 1e-4
    True
    >>> read(3, [2, 4, 3, 1, 2, 5, 3, 2]).chance > 0.3
    True
    """
    if len(past) < ENOUGH_WEEKS:
        return None
    weeks, total = len(past), sum(past)
    return Reading(n, total / weeks, _at_least(n, total + 0.5, weeks / (weeks + 1)))


def _at_least(n: int, shape: float, p: float) -> float:
    """Return P(N ≥ n) of the negative binomial with ``shape`` and ``p``.

    Summed from n upwards: taken from 1 the small chances would drown in rounding.
    """
    if n <= 0:
        return 1.0
    term = exp(lgamma(n + shape) - lgamma(shape) - lgamma(n + 1) + shape * log(p) + n * log(1 - p))
    total, k = 0.0, n
    while True:
        total += term
        k += 1
        term *= (k - 1 + shape) / k * (1 - p)
        if k > shape and term <= total * 1e-12:
            return min(total, 1.0)
