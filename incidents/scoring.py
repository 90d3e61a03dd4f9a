"""What every score is: its numerator, its denominator and its weights, over marks of facts.

What lives here: the measures and scores as data, and adding them up, without a query. What must
not: how facts come about (services/scores.py) and how they are read (queries/scores.py). Each
measure in plain words with an example: docs/scores.md. Sources: the list of scores kept with the
county's rules, the way GB/T 30428.4 counts what is due and closed in a period.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from django.utils.translation import gettext_lazy as _
from django.utils.translation import override

from incidents.models import FactKind, Mark, ScoreFormula

# (kind, marks) → how many facts.
Counts = Counter[tuple[str, int]]
NOTHING = Mark(0)


@dataclass
class Sums:
    """What one subject has in a period: facts by kind and marks, and minutes by kind."""

    counts: Counts
    minutes: Counter[str]

    @classmethod
    def empty(cls) -> "Sums":
        """Return sums of nothing."""
        return cls(Counter(), Counter())

    def n(self, kind: str, need: "Need") -> int:
        """Return how many facts of ``kind`` have what is needed."""
        return sum(n for (of, marks), n in self.counts.items() if of == kind and need.met_by(marks))


@dataclass(frozen=True)
class Need:
    """Marks a fact must have, and marks it must not have."""

    has: Mark = NOTHING
    lacks: Mark = NOTHING

    def met_by(self, marks: int) -> bool:
        """Return whether a fact with ``marks`` is one."""
        return marks & self.has == self.has and not marks & self.lacks

    def also(self, mark: Mark) -> "Need":
        """Return this need and one mark more."""
        return Need(self.has | mark, self.lacks)


@dataclass(frozen=True)
class Part:
    """A part of a numerator; ``weight`` names the formula's percent it counts, "" for 100."""

    key: str
    label: Any
    need: Need
    weight: str = ""


@dataclass(frozen=True)
class Measure:
    """One number: parts ÷ whole over facts of one kind.

    ``unit`` is share (0–1), minutes (an average) or count (of the whole alone). ``low`` says that
    less is better. ``words`` is the formula as people read it.
    """

    key: str
    label: Any
    kind: FactKind
    whole: Need
    parts: tuple[Part, ...]
    words: Any
    unit: str = "share"
    low: bool = False

    def need(self, of: str) -> Need | None:
        """Return what a fact needs to be in the ``whole`` or in a part; None: no such part."""
        if of == "whole":
            return self.whole
        return next((part.need for part in self.parts if part.key == of), None)


@dataclass(frozen=True)
class Value:
    """What a measure came to. ``value`` is None where there was nothing to divide by: no data."""

    measure: Measure
    value: float | None
    whole: int
    parts: tuple[tuple[Part, int], ...]


def _measure(
    key: str,
    label: Any,
    kind: FactKind,
    whole: Need,
    mark: Mark,
    words: Any,
    *,
    low: bool = False,
) -> Measure:
    """Return the share of facts that have ``mark`` as well."""
    parts = (Part("part", label, whole.also(mark)),)
    return Measure(key, label, kind, whole, parts, words, low=low)


_DUE = Need(lacks=Mark.SUSPENDED)
_CHECKED = Need(has=Mark.CHECKED, lacks=Mark.SUSPENDED)
_RATED = Need(has=Mark.RATED, lacks=Mark.SUSPENDED)
_ANY = Need()
CASE = FactKind.CASE

DUE = Measure(
    "due",
    _("Due to close"),
    CASE,
    _DUE,
    (),
    _("Cases whose deadline to close lies in the period, without suspended ones."),
    unit="count",
)
CLOSING = _measure(
    "closing", _("Closure rate"), CASE, _DUE, Mark.CLOSED,
    _("Closed ÷ (due to close − suspended)"),
)  # fmt: skip
ON_TIME = _measure(
    "on_time", _("On-time closure rate"), CASE, _DUE, Mark.CLOSED | Mark.IN_TIME,
    _("Closed in time ÷ (due to close − suspended)"),
)  # fmt: skip
REWORK = _measure(
    "rework", _("Rework rate"), CASE, _CHECKED, Mark.REWORK,
    _("Cases sent back by a check ÷ cases checked"), low=True,
)  # fmt: skip
EXTENDED = _measure(
    "extended", _("Extension rate"), CASE, _DUE, Mark.EXTENDED,
    _("Cases given more time ÷ (due to close − suspended)"), low=True,
)  # fmt: skip
REPEATED = _measure(
    "repeated", _("Repeated complaints"), CASE, _DUE, Mark.REPEATED,
    _("Cases the reporter had opened again ÷ (due to close − suspended)"), low=True,
)  # fmt: skip
RESPONSE = _measure(
    "response", _("Response rate"), CASE, _RATED, Mark.RESPONDED,
    _("Taken on in time ÷ valid call-backs"),
)  # fmt: skip
SOLVED = _measure(
    "solved", _("Solution rate"), CASE, _RATED, Mark.SOLVED,
    _("Said to be solved ÷ valid call-backs"),
)  # fmt: skip
SATISFIED = Measure(
    "satisfied",
    _("Satisfaction rate"),
    CASE,
    _RATED,
    (
        Part("satisfied", _("Satisfied"), _RATED.also(Mark.SATISFIED)),
        Part("basic", _("Basically satisfied"), _RATED.also(Mark.BASIC), "basic"),
    ),
    _("(Satisfied + weight × basically satisfied) ÷ valid call-backs"),
)
CAME = _measure(
    "came", _("Came when called"), FactKind.CALL, _ANY, Mark.CAME,
    _("Calls somebody came to ÷ calls"),
)  # fmt: skip
CAME_IN_TIME = _measure(
    "came_in_time", _("Came in time"), FactKind.CALL, _ANY, Mark.CAME | Mark.IN_TIME,
    _("Calls somebody came to within the deadlines to accept and arrive ÷ calls"),
)  # fmt: skip
COMING = Measure(
    "coming",
    _("Time to come"),
    FactKind.CALL,
    Need(has=Mark.CAME),
    (),
    _("Minutes from the whistle to the arrival ÷ calls somebody came to"),
    unit="minutes",
    low=True,
)
NEEDED = _measure(
    "needed", _("Whistles that were needed"), FactKind.BLOW, _ANY, Mark.NEEDED,
    _("Ended whistles not judged needless ÷ ended whistles"),
)  # fmt: skip
DISPATCHED = Measure(
    "dispatched",
    _("Cases dispatched"),
    FactKind.DISPATCH,
    _ANY,
    (),
    _("First dispatches this person decided; the average of all dispatchers is full marks"),
    unit="count",
)
DISPATCHED_IN_TIME = _measure(
    "dispatched_in_time", _("Dispatched in time"), FactKind.DISPATCH, _ANY, Mark.IN_TIME,
    _("First dispatches within the deadline of triage ÷ first dispatches"),
)  # fmt: skip
RIGHT_FIRST = _measure(
    "right_first", _("Right the first time"), FactKind.DISPATCH, _ANY, Mark.RIGHT,
    _("First dispatches nobody had to correct ÷ first dispatches"),
)  # fmt: skip
VALID = _measure(
    "valid", _("Valid reports"), FactKind.REPORT, _ANY, Mark.VALID,
    _("Own reports that were taken up ÷ own reports decided"),
)  # fmt: skip
ATTENDED = _measure(
    "attended", _("Verified in time"), FactKind.ATTEND, _ANY, Mark.IN_TIME,
    _("Cases looked at on site in time ÷ cases looked at on site"),
)  # fmt: skip
CHECKED = _measure(
    "checked", _("Checked in time"), FactKind.CHECK, _ANY, Mark.IN_TIME,
    _("Results checked in time ÷ results checked"),
)  # fmt: skip
# Its whole is made of two kinds of facts, so it is added up by itself (see value_of).
MISSED = Measure(
    "missed",
    _("Misses"),
    FactKind.MISS,
    _ANY,
    (Part("part", _("Found by others"), _ANY),),
    _(
        "Matters of the village list that others reported from the person's grid ÷ "
        "(those + own valid reports)"
    ),
    low=True,
)

# How the AI did. Its page reads these by item and model; they are in no score.
AI_ALONE = _measure(
    "ai_alone", _("Handled alone"), FactKind.AI, _ANY, Mark.ALONE,
    _("Reports the AI answered or dispatched alone ÷ reports it read and that are decided"),
)  # fmt: skip
AI_OVERRULED = _measure(
    "ai_overruled", _("Overruled"), FactKind.AI, Need(has=Mark.OPINION), Mark.OVERRULED,
    _(
        "Reports a person gave another category, or took back from where the AI had sent them ÷ "
        "reports the AI had an opinion on"
    ), low=True,
)  # fmt: skip
AI_UNSOLVED = _measure(
    "ai_unsolved", _("Answers that did not help"), FactKind.AI, Need(has=Mark.ANSWERED),
    Mark.UNSOLVED, _("Answers of the AI the reporter called “not solved” ÷ its answers"), low=True,
)  # fmt: skip
AI_MEASURES = {measure.key: measure for measure in (AI_ALONE, AI_OVERRULED, AI_UNSOLVED)}

MEASURES: dict[str, Measure] = {
    measure.key: measure
    for measure in (
        DUE, CLOSING, ON_TIME, REWORK, EXTENDED, REPEATED, RESPONSE, SOLVED, SATISFIED, CAME,
        CAME_IN_TIME, COMING, NEEDED, DISPATCHED, DISPATCHED_IN_TIME, RIGHT_FIRST, VALID, MISSED,
        ATTENDED, CHECKED,
    )
}  # fmt: skip


@dataclass(frozen=True)
class Weighted:
    """One part of a score: a measure and the formula's field with its percent."""

    measure: Measure
    field: str


@dataclass(frozen=True)
class Score:
    """Several measures in one number of 0–100, by weights of the formula."""

    key: str
    label: Any
    parts: tuple[Weighted, ...]
    words: Any


THREE_RATES = Score(
    "three_rates",
    _("Three rates"),
    (
        Weighted(RESPONSE, "response"),
        Weighted(SOLVED, "solved"),
        Weighted(SATISFIED, "satisfied"),
    ),
    _("Response, solution and satisfaction rate by their weights"),
)
DISPATCHER = Score(
    "dispatcher",
    _("Score of the dispatcher"),
    (
        Weighted(DISPATCHED, "dispatch_count"),
        Weighted(DISPATCHED_IN_TIME, "dispatch_on_time"),
        Weighted(RIGHT_FIRST, "dispatch_right"),
    ),
    _("Count, on time and right the first time by their weights"),
)
WORKER = Score(
    "worker",
    _("Score of the worker"),
    (
        Weighted(VALID, "valid_reports"),
        Weighted(MISSED, "misses"),
        Weighted(ATTENDED, "attended"),
        Weighted(CHECKED, "checked"),
    ),
    _(
        "Valid reports, misses, verified and checked in time by their weights; "
        "a part without data leaves its weight to the others"
    ),
)
SCORES: dict[str, Score] = {score.key: score for score in (THREE_RATES, DISPATCHER, WORKER)}


def value_of(measure: Measure, sums: Sums, formula: ScoreFormula) -> Value:
    """Return what ``measure`` comes to over ``sums``."""
    whole = sums.n(measure.kind, measure.whole)
    parts = tuple((part, sums.n(measure.kind, part.need)) for part in measure.parts)
    if measure is MISSED:
        whole += sums.n(FactKind.REPORT, VALID.parts[0].need)
    if measure.unit == "count":
        return Value(measure, float(whole), whole, parts)
    if not whole:
        return Value(measure, None, whole, parts)
    if measure.unit == "minutes":
        return Value(measure, sums.minutes[measure.kind] / whole, whole, parts)
    weighed = sum(n * (getattr(formula, part.weight) if part.weight else 100) for part, n in parts)
    return Value(measure, weighed / 100 / whole, whole, parts)


@dataclass(frozen=True)
class Scored:
    """A score with what it is made of: (measure, 0–100 or None, percent)."""

    score: Score
    total: float | None
    parts: tuple[tuple[Measure, float | None, int], ...]


def score_of(
    score: Score, sums: Sums, formula: ScoreFormula, *, full_count: float | None = None
) -> Scored:
    """Return ``score`` over ``sums``.

    A part without data leaves its weight to the others; without any it is no data.
    ``full_count`` is how many dispatches are full marks: the average of all dispatchers.
    """
    parts = []
    for weighted in score.parts:
        value = value_of(weighted.measure, sums, formula)
        parts.append(
            (weighted.measure, _points(value, full_count), getattr(formula, weighted.field))
        )
    known = [(points, weight) for _m, points, weight in parts if points is not None]
    weights = sum(weight for _points, weight in known)
    total = sum(points * weight for points, weight in known) / weights if weights else None
    return Scored(score, total, tuple(parts))


def _points(value: Value, full_count: float | None) -> float | None:
    if value.value is None:
        return None
    if value.measure.unit == "count":
        return min(100.0, 100 * value.whole / full_count) if full_count and value.whole else None
    share = 1 - value.value if value.measure.low else value.value
    return 100 * share


def msgid(label: Any) -> str:
    """Return the English text of a lazy translation, for what is stored and read later."""
    with override("en"):
        return str(label)


def average_of(everybody: Mapping[int, Sums]) -> float | None:
    """Return how many cases a dispatcher dispatched on average, of those who did at all."""
    counts = [sums.n(DISPATCHED.kind, DISPATCHED.whole) for sums in everybody.values()]
    counts = [n for n in counts if n]
    return sum(counts) / len(counts) if counts else None


def add_up(everything: Iterable[Sums]) -> Sums:
    """Return the sums of several subjects together."""
    total = Sums.empty()
    for sums in everything:
        total.counts.update(sums.counts)
        total.minutes.update(sums.minutes)
    return total


def percent(share: float | None, *, places: int = 2) -> str:
    """Return a share of 0–1 in percent without the sign, "" for no data.

    Rounded, but never to 100 or 0 what is not: one case left over must be seen.

    >>> percent(1090 / 1091), percent(0.99999), percent(1), percent(0.000001), percent(None)
    ('99.91', '99.99', '100.00', '0.01', '')
    """
    if share is None:
        return ""
    step = Decimal(1).scaleb(-places)
    rounded = (Decimal(repr(share)) * 100).quantize(step, rounding=ROUND_HALF_UP)
    if share < 1:
        rounded = min(rounded, 100 - step)
    if share > 0:
        rounded = max(rounded, step)
    return str(rounded)
