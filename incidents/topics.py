"""How reports become hot topics: grouped by shared words, with heat and trend. Pure.

What must not live here: reading reports and keeping topics (services/topics.py).
"""

from collections import Counter
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from datetime import datetime

from incidents.likeness import COMMON
from incidents.models import Trend

# Days a topic is made of; the chart shows as many.
DAYS = 14
# So many reports make a topic in a village, and in a town.
LEAST = {"village": 3, "town": 5}
# After so many days a report warms half as much.
HALF_LIFE_DAYS = 3
# A word is shared when this part of the reports of a topic have it.
SHARED = 0.3
WORDS = 4
SAMPLE = 5
# This week beside the one before, each with one more so that nothing is infinitely more than none.
RISING, FALLING = 1.5, 1 / 1.5


@dataclass(frozen=True)
class Said:
    """One report: its id, when it came and its bigrams."""

    id: int
    at: datetime
    words: Set[str]


@dataclass(frozen=True)
class Topic:
    """Reports that share words, oldest first."""

    words: tuple[str, ...]
    reports: tuple[Said, ...]


def topics(reports: Iterable[Said], *, least: int, dull: Set[str] = frozenset()) -> list[Topic]:
    """Group reports of one item in one area by the words they share, the largest group first.

    The word that most have makes the first group, those without it the next; words of ``dull``
    (names of the place) make none. Reports without a shared word make the last group, so that a
    topic is not lost because everybody says it in other words.
    """
    rest = sorted(reports, key=lambda report: (report.at, report.id))
    found: list[Topic] = []
    while len(rest) >= least:
        word = _most_shared(rest, least, dull)
        if word is None:
            found.append(Topic((), tuple(rest)))
            break
        group = [report for report in rest if word in report.words]
        found.append(Topic(_shared(group, dull), tuple(group)))
        rest = [report for report in rest if word not in report.words]
    return found


def _counts(reports: Sequence[Said], dull: Set[str]) -> Counter[str]:
    skip = COMMON | dull
    return Counter(word for report in reports for word in report.words - skip if not word.isascii())


def _most_shared(reports: Sequence[Said], least: int, dull: Set[str]) -> str | None:
    counts = _counts(reports, dull)
    if not counts:
        return None
    word, n = min(counts.items(), key=lambda one: (-one[1], one[0]))
    return word if n >= least else None


def _shared(reports: Sequence[Said], dull: Set[str]) -> tuple[str, ...]:
    counts = _counts(reports, dull)
    often = [word for word, n in counts.items() if n >= max(2, SHARED * len(reports))]
    often.sort(key=lambda word: (-counts[word], word))
    return tuple(joined(often[: 2 * WORDS])[:WORDS])


def joined(words: Sequence[str]) -> list[str]:
    """Return bigrams put together where one goes on in the other, the commonest first.

    >>> joined(["路灯", "灯不", "不亮", "井盖"])
    ['路灯不亮', '井盖']
    """
    left, found = list(words), []
    while left:
        word = left.pop(0)
        grown = True
        while grown:
            grown = False
            for other in left:
                if word[-1] == other[0] and len(word) < 6:
                    word, grown = word + other[1:], True
                elif word[0] == other[-1] and len(word) < 6:
                    word, grown = other + word[1:], True
                if grown:
                    left.remove(other)
                    break
        found.append(word)
    return found


def heat(days: Sequence[int]) -> float:
    """Return the counts of days added up, each day worth less the older it is; the last is today.

    >>> heat([0, 0, 0, 2])
    2.0
    >>> heat([2, 0, 0, 0])
    1.0
    """
    return sum(n * 0.5 ** (age / HALF_LIFE_DAYS) for age, n in enumerate(reversed(days)))


def trend(days: Sequence[int]) -> Trend:
    """Return which way the counts of two weeks go.

    >>> str(trend([0] * 7 + [1] * 7)), str(trend([1] * 14)), str(trend([2] * 7 + [0] * 7))
    ('rising', 'steady', 'falling')
    """
    before, now = sum(days[-14:-7]) + 1, sum(days[-7:]) + 1
    if now / before >= RISING:
        return Trend.RISING
    return Trend.FALLING if now / before <= FALLING else Trend.STEADY
