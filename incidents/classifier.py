"""Suggests a category for a report's text, says how sure it is and which words decided.

Pure: no models, no settings, no clock. Texts and labels come in, a `Trained` comes out, and
`dumps` / `loads` turn it into bytes without pickle, so a stored model cannot run code. Which
categories may be handled without a person, and from what confidence, is decided elsewhere.

The method: n-grams of characters, of the text's head once more, and words where the text comes cut
into words, with TF-IDF weights; two linear learners added up, and corrected by which labels they
mistake for which, which still is one matrix of weights; and a logistic curve to the chance that
the first category is right, from its lead over the second and from how much of the text speaks for
the second: a lead that outweighs much is wrong more often than the same lead against little.
Correction, curve and thresholds are fitted on texts the learners had not seen. Texts that repeat
each other almost word for word fall on both sides of that line and make the figures look better
than they are.

Only learning takes scikit-learn, which is imported there: every process that starts would wait a
second for it.
"""

import io
import json
import re
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from threadpoolctl import threadpool_limits

FORMAT = 3
READABLE = (2, FORMAT)  # 2 knew no caution and reads as 0 of it
# How many features of each view are kept at most, and how much the view counts.
MOST_FEATURES = (80_000, 20_000, 40_000)
WEIGHTS = (1.0, 0.6, 0.8)
SMOOTHING = 0.005
MOST_RATIO = 5.0
# A label with fewer texts says little of how much likelier a feature is under it.
ENOUGH_FOR_RATIOS = 30
# So many tested texts of every label tell which labels are mistaken for which.
ENOUGH_TO_BLEND = 30
BLEND_FOLDS = 5
MAX_CHARACTERS = 4_000
HEAD = 40
MIN_ACCEPTED = 30
MANY = 2_000  # from here on an n-gram seen once is noise and only makes the model large
NEVER = 1.01
PRECISIONS = (0.97, 0.98, 0.99)
INNER_FOLDS = 3
_CJK = r"[\u3400-\u9fff]"
_GAP = re.compile(rf"(?<={_CJK})\s+(?={_CJK})")
_SPACE = re.compile(r"\s+")
_PUNCTUATION = re.compile(r"[\s，。！？、；：“”‘’（）《》,.!?;:()\"'|]")
# Where a title ends: a line, or the run of blanks some systems leave between title and text.
_TITLE_END = re.compile(r"\n|[ \t\u3000]{4,}")

Hints = dict[str, list[str]]
Rows = NDArray[np.int_]


@dataclass(frozen=True)
class Prediction:
    """label with the chance (0–1) that it is right, why, and what else it might be.

    words: the n-grams that set label apart from the runner-up, strongest first; may be empty.
    alternatives: the next labels with their share of what is left, likeliest first.
    """

    label: str
    confidence: float
    words: list[str]
    alternatives: list[tuple[str, float]]


@dataclass(frozen=True)
class Report:
    """How a model does on texts it has not seen.

    per_class: label → precision, recall, f1, count. coverage: precision → the largest share of
    the texts, surest first, that were right at that precision. kept: precision → (share, share
    of it that was right) where the threshold was set without these texts; only measured by
    `cross_validate`. reliability: rows of from, to, count, confidence (mean), right (share), and
    calibration_error the mean distance of the last two over all texts. too_few: labels with
    fewer examples than folds; they are learnt from but not tested on.
    """

    tested: int
    accuracy: float
    macro_f1: float
    per_class: dict[str, dict[str, float]]
    coverage: dict[float, float]
    kept: dict[float, tuple[float, float | None]]
    calibration_error: float
    reliability: list[dict[str, float]]
    too_few: list[str]
    _confidence: NDArray[Any] = field(repr=False)
    _right: NDArray[Any] = field(repr=False)

    def threshold(self, precision: float) -> float:
        """The lowest confidence from which at least `precision` were right, or NEVER."""
        return _threshold(self._confidence, self._right, precision)[1]


# ---------- texts into numbers


def normalise(text: str) -> str:
    """Lower case, one space where there was any, none between Chinese characters."""
    return _GAP.sub("", _SPACE.sub(" ", text[:MAX_CHARACTERS]).strip().lower())


def head(text: str) -> str:
    """How a text begins, normalised: its title, else its first characters."""
    first = _TITLE_END.split(text.strip(), maxsplit=1)[0]
    return normalise(first if len(first) >= 4 else text)[:HEAD]


def _grams(text: str, sizes: tuple[int, ...]) -> list[str]:
    return [text[i : i + n] for n in sizes for i in range(len(text) - n + 1)]


def views(text: str) -> list[list[str]]:
    """The features of a text, in views that are weighed each by itself.

    Characters of the whole, characters of its head, and words if it comes cut into words; those
    of the second begin with "^", those of the third with "_".
    """
    flat = normalise(text)
    words = text[:MAX_CHARACTERS].lower().split()
    cut = len(words) * 6 > len(flat)
    return [
        _grams(flat, (1, 2, 3)),
        ["^" + gram for gram in _grams(head(text), (1, 2, 3))],
        ["_" + word for word in [*words, *(f"{a} {b}" for a, b in pairwise(words))] if cut],
    ]


VIEWS = 3
"""How many views there are."""


class _Counts:
    """How often each feature stands in each text: one sparse matrix for each view."""

    def __init__(self, texts: list[str]) -> None:
        known: list[dict[str, int]] = [{} for _ in range(VIEWS)]
        at: list[list[int]] = [[0] for _ in range(VIEWS)]
        columns: list[list[int]] = [[] for _ in range(VIEWS)]
        values: list[list[int]] = [[] for _ in range(VIEWS)]
        for text in texts:
            for v, grams in enumerate(views(text)):
                index = known[v]
                for gram, count in Counter(grams).items():
                    columns[v].append(index.setdefault(gram, len(index)))
                    values[v].append(count)
                at[v].append(len(columns[v]))
        self.names = [np.array(list(index), dtype=object) for index in known]
        self.rows = [
            sparse.csr_matrix(
                (
                    1 + np.log(np.array(values[v], dtype=np.float32)),
                    np.array(columns[v], dtype=np.int32),
                    np.array(at[v], dtype=np.int64),
                ),
                shape=(len(texts), len(known[v])),
            )
            for v in range(VIEWS)
        ]


# ---------- learning


@dataclass(frozen=True)
class _Linear:
    """What was learnt from some of the texts: scores are rows @ weights + intercepts."""

    kept: list[NDArray[Any]]  # columns of each view
    idf: list[NDArray[np.float32]]
    weights: NDArray[np.float32]  # features × labels
    intercepts: NDArray[np.float32]

    def scores(self, counts: _Counts, rows: Rows) -> NDArray[Any]:
        """Scores of these texts, texts × labels."""
        return _weighed(counts, rows, self.kept, self.idf) @ self.weights + self.intercepts

    def against(self, counts: _Counts, asked: "_Tested", blend: "_Blend") -> NDArray[Any]:
        """How much speaks for the second label of each text rather than the first (`_against`).

        Their scores are blended already, this model's weights are not.
        """
        first, second = np.argsort(-asked.scores, axis=1, kind="stable")[:, :2].T
        weights = (self.weights @ blend.matrix).astype(np.float32)
        rows = _weighed(counts, asked.rows, self.kept, self.idf)
        text = np.repeat(np.arange(len(asked.rows)), np.diff(rows.indptr))
        apart = weights[rows.indices, first[text]] - weights[rows.indices, second[text]]
        return _against(rows.data * apart, text, len(asked.rows))


def _weighed(
    counts: _Counts, rows: Rows, kept: list[NDArray[Any]], idf: list[NDArray[np.float32]]
) -> sparse.csr_matrix:
    """The texts as rows of weights, each view of length 1 before it is given its own weight."""
    parts = []
    for v in range(VIEWS):
        part = counts.rows[v][rows][:, kept[v]].tocsr()
        part.data *= idf[v][part.indices]
        squares = np.bincount(
            np.repeat(np.arange(len(rows)), np.diff(part.indptr)),
            weights=part.data**2,
            minlength=len(rows),
        )
        length = np.sqrt(np.maximum(squares, 1e-12))
        part.data *= np.repeat(WEIGHTS[v] / length, np.diff(part.indptr)).astype(np.float32)
        parts.append(part)
    return sparse.hstack(parts, format="csr", dtype=np.float32)


def _fit(counts: _Counts, rows: Rows, truth: NDArray[Any]) -> _Linear:
    least = 2 if len(rows) >= MANY else 1
    kept, idf = [], []
    for v in range(VIEWS):
        seen = np.bincount(counts.rows[v][rows].indices, minlength=len(counts.names[v]))
        columns = np.flatnonzero(seen >= least)
        if len(columns) > MOST_FEATURES[v]:
            often = np.argsort(-seen[columns], kind="stable")[: MOST_FEATURES[v]]
            columns = np.sort(columns[often])
        kept.append(columns)
        idf.append((np.log((1 + len(rows)) / (1 + seen[columns])) + 1).astype(np.float32))
    weights, intercepts = _learn(_weighed(counts, rows, kept, idf), truth[rows])
    return _Linear(kept, idf, weights, intercepts)


def _learn(
    rows: sparse.csr_matrix, truth: NDArray[Any]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Weights (features × labels) and intercepts of two learners added up.

    One support vector machine for each label against the rest, on the features as they are; and
    another on the features times the logarithm of how much likelier they are under the label
    (NB-SVM, Wang and Manning 2012). They err on different texts, and both are linear.
    """
    labels = np.unique(truth)
    weights = np.zeros((rows.shape[1], len(labels)), dtype=np.float32)
    intercepts = np.zeros(len(labels), dtype=np.float32)
    sums = np.vstack([np.asarray(rows[truth == label].sum(axis=0)).ravel() for label in labels])
    whole, each = sums.sum(axis=0), range(len(labels))
    # One after the other: liblinear draws from one generator for all threads.
    with threadpool_limits(1):
        for k in each:
            weights[:, k], intercepts[k] = _one_label(rows, truth == labels[k], sums[k], whole)
    return weights, intercepts


def _one_label(
    rows: sparse.csr_matrix, is_it: NDArray[Any], under: NDArray[Any], whole: NDArray[Any]
) -> tuple[NDArray[Any], float]:
    from sklearn.svm import LinearSVC  # noqa: PLC0415

    ratio = _ratio(under, whole - under)
    if is_it.sum() < ENOUGH_FOR_RATIOS:
        ratio = np.ones_like(ratio)
    weights, intercept = np.zeros(rows.shape[1]), 0.0
    for scale, c in ((np.ones_like(ratio), 1.0), (ratio, 0.5)):
        scaled = sparse.csr_matrix(
            (rows.data * scale[rows.indices], rows.indices, rows.indptr), shape=rows.shape
        )
        svm = LinearSVC(C=c, tol=0.01, random_state=0).fit(scaled, is_it)
        weights += svm.coef_[0] * scale
        intercept += svm.intercept_[0]
    return weights, intercept


def _ratio(under: NDArray[Any], elsewhere: NDArray[Any]) -> NDArray[np.float32]:
    """The logarithm of how much likelier each feature is under a label than elsewhere, cut off."""
    here, there = under + SMOOTHING, elsewhere + SMOOTHING
    ratio = np.log((here / here.sum()) / (there / there.sum()))
    return np.clip(ratio, -MOST_RATIO, MOST_RATIO).astype(np.float32)


# ---------- how sure


@dataclass(frozen=True)
class _Blend:
    """What the scores of a text under all labels together say: scores @ matrix + intercepts."""

    matrix: NDArray[Any]  # labels × labels
    intercepts: NDArray[Any]

    def __call__(self, scores: NDArray[Any]) -> NDArray[Any]:
        return scores @ self.matrix + self.intercepts


def _fit_blend(scores: NDArray[Any], truth: NDArray[Any], labels: NDArray[Any]) -> _Blend:
    """Learn which labels are mistaken for which; nothing is changed where texts are few."""
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415

    known, counts = np.unique(truth, return_counts=True)
    if len(labels) < 3 or len(known) < len(labels) or counts.min() < ENOUGH_TO_BLEND:
        return _Blend(np.eye(len(labels)), np.zeros(len(labels)))
    with threadpool_limits(1):
        blend = LogisticRegression(C=0.3, max_iter=300).fit(scores, truth)
    return _Blend(blend.coef_.T, blend.intercept_)


def _blended(asked: "_Tested", truth: NDArray[Any], labels: NDArray[Any], seed: int) -> "_Tested":
    """The same texts with scores blended by what was learnt from the others of them."""
    answers = truth[asked.rows]
    folds = _folds(answers, BLEND_FOLDS, seed)
    scores = _fit_blend(asked.scores, answers, labels)(asked.scores)
    for fold in range(BLEND_FOLDS):
        here, rest = folds == fold, folds != fold
        if here.any():
            blend = _fit_blend(asked.scores[rest], answers[rest], labels)
            scores[here] = blend(asked.scores[here])
    return _Tested.of(asked.rows, scores, labels)


@dataclass(frozen=True)
class _Curve:
    """To the chance that the first label is right, from its lead and from what speaks against it.

    What speaks against it is in the lead already; caution is how much more than that it counts.
    """

    slope: float
    caution: float
    intercept: float

    def __call__(self, scores: NDArray[Any], against: NDArray[Any]) -> NDArray[Any]:
        rise = self.slope * _lead(scores) - self.caution * against + self.intercept
        return 1 / (1 + np.exp(-rise))


def _against(pulls: NDArray[Any], text: Rows, count: int) -> NDArray[Any]:
    """For each of count texts the sum of its pulls towards its second label.

    A pull is a feature's weight times how far it sets the first label apart. Rows all have the
    same length, so such sums grow with the root of how many features share it: they are divided
    by that, or a short text would pass for one that little speaks against.
    """
    total = np.bincount(text, weights=-np.minimum(pulls, 0), minlength=count)
    return total / np.sqrt(np.maximum(np.bincount(text, minlength=count), 1))


def _lead(scores: NDArray[Any]) -> NDArray[Any]:
    ordered = np.sort(scores, axis=1)
    return ordered[:, -1] - ordered[:, -2]


def _fit_curve(scores: NDArray[Any], against: NDArray[Any], right: NDArray[Any]) -> _Curve:
    """The curve from the scores of unseen texts.

    One wrong answer with no lead and one right answer with a large one are always added, so that
    few or flawless texts still give a rising curve. Nor may what speaks against a label ever make
    it surer: where few texts say so, it is left out.
    """
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415

    leads = _lead(scores) if len(scores) else np.zeros(0)
    usual = against.mean() if len(against) else 0.0
    leads = np.r_[leads, 0.0, max(4.0, leads.max(initial=0.0))]
    against = np.r_[against, usual, usual]
    with threadpool_limits(1):
        for known in (against, np.zeros_like(against)):
            curve = LogisticRegression(C=100).fit(np.c_[leads, known], np.r_[right, False, True])
            slope, caution = float(curve.coef_[0, 0]), -float(curve.coef_[0, 1])
            if caution >= 0:
                break
    return _Curve(max(slope, 0.1), caution, float(curve.intercept_[0]))


# ---------- measuring


@dataclass(frozen=True)
class _Tested:
    """Scores of texts by models that had not learnt from them. ``rows`` are the texts' numbers."""

    rows: Rows
    scores: NDArray[Any]
    predicted: NDArray[Any]

    @classmethod
    def of(cls, rows: Rows, scores: NDArray[Any], labels: NDArray[Any]) -> "_Tested":
        """Texts with their scores; the first label is the predicted one."""
        return cls(rows, scores, labels[scores.argmax(axis=1)] if len(rows) else labels[:0])

    def only(self, these: NDArray[Any]) -> "_Tested":
        """These of the texts."""
        return _Tested(self.rows[these], self.scores[these], self.predicted[these])


def _tested(
    counts: _Counts, rows: Rows, always: Rows, truth: NDArray[Any], k: int, seed: int
) -> tuple[_Tested, list[tuple[_Linear, Rows]]]:
    """Learn from k−1 parts of ``rows`` (and from ``always``), ask the last part; k times.

    Labels with fewer than k texts are learnt from and not asked, so every part knows all labels.
    The models come with the rows each was asked.
    """
    labels = np.unique(truth)
    folds = _folds(truth[rows], k, seed)
    parts, models = [], []
    for fold in range(k):
        test = rows[folds == fold]
        if not len(test):
            continue
        linear = _fit(counts, np.r_[rows[folds != fold], always], truth)
        parts.append(_Tested.of(test, linear.scores(counts, test), labels))
        models.append((linear, test))
    if not parts:
        return _Tested.of(rows[:0], np.zeros((0, len(labels))), labels), models
    return _join(parts), models


def _join(parts: list[_Tested]) -> _Tested:
    rows = np.concatenate([part.rows for part in parts])
    order = np.argsort(rows)
    return _Tested(
        rows[order],
        np.concatenate([part.scores for part in parts])[order],
        np.concatenate([part.predicted for part in parts])[order],
    )


def _folds(truth: NDArray[Any], k: int, seed: int) -> NDArray[np.int_]:
    """A fold for each text, spread evenly over every label; −1: always learnt from."""
    folds = np.full(len(truth), -1)
    draw = np.random.default_rng(seed)
    for label, count in sorted(Counter(truth.tolist()).items()):
        if count >= k:
            where = np.flatnonzero(truth == label)
            folds[draw.permutation(where)] = (np.arange(count) + draw.integers(k)) % k
    return folds


def cross_validate(
    texts: list[str],
    labels: list[str],
    k: int = 5,
    *,
    seed: int = 0,
    hints: Hints | None = None,
) -> Report:
    """Train on k−1 parts, test on the last, k times. ValueError with fewer than two labels.

    Everything is fitted on the k−1 parts alone: weights, the curve of confidence and the
    thresholds, the last two by a cross-validation inside them.
    """
    counts, truth, rows, always = _prepare(texts, labels, hints)
    folds = _folds(truth[rows], k, seed)
    tested: list[_Tested] = []
    confidences: list[NDArray[Any]] = []
    kept: dict[float, list[NDArray[Any]]] = {precision: [] for precision in PRECISIONS}
    names = np.unique(truth)
    for fold in range(k):
        test, learn = rows[folds == fold], rows[folds != fold]
        if not len(test):
            continue
        blend, curve, inside, sure = _certainty(counts, learn, always, truth, seed)
        linear = _fit(counts, np.r_[learn, always], truth)
        found = _Tested.of(test, blend(linear.scores(counts, test)), names)
        confidence = curve(found.scores, linear.against(counts, found, blend))
        tested.append(found)
        confidences.append(confidence)
        for precision in PRECISIONS:
            right = inside.predicted == truth[inside.rows]
            threshold = _threshold(sure, right, precision)[1]
            kept[precision].append(confidence >= threshold)
    return _report(truth, rows[folds < 0], tested, confidences, kept)


def _certainty(
    counts: _Counts, rows: Rows, always: Rows, truth: NDArray[Any], seed: int
) -> tuple[_Blend, _Curve, _Tested, NDArray[Any]]:
    """Blend and curve for a model that learns from ``rows``.

    With them what it says of unseen texts, and how sure it is of each.
    """
    labels = np.unique(truth)
    asked, models = _tested(counts, rows, always, truth, INNER_FOLDS, seed + 1)
    blend = _fit_blend(asked.scores, truth[asked.rows], labels)
    asked = _blended(asked, truth, labels, seed)
    against = np.zeros(len(asked.rows))
    for linear, test in models:
        here = np.isin(asked.rows, test)
        against[here] = linear.against(counts, asked.only(here), blend)
    curve = _fit_curve(asked.scores, against, asked.predicted == truth[asked.rows])
    return blend, curve, asked, curve(asked.scores, against)


def _prepare(
    texts: list[str], labels: list[str], hints: Hints | None
) -> tuple[_Counts, NDArray[Any], Rows, Rows]:
    """Return counts and labels of texts and hints, the texts' rows and the hints' rows."""
    if len(set(labels)) < 2:
        raise ValueError("at least two labels are needed")
    pairs = [(word, label) for label, words in (hints or {}).items() for word in words if word]
    counts = _Counts([*texts, *(word for word, _label in pairs)])
    truth = np.array([*labels, *(label for _word, label in pairs)])
    rows = np.arange(len(truth))
    return counts, truth, rows[: len(texts)], rows[len(texts) :]


def _report(
    truth: NDArray[Any],
    untested: Rows,
    tested: list[_Tested],
    confidences: list[NDArray[Any]],
    kept: dict[float, list[NDArray[Any]]],
) -> Report:
    """Figures over the tested texts. With none tested every confidence stays low."""
    rows = np.concatenate([part.rows for part in tested]) if tested else untested[:0]
    predicted = np.concatenate([part.predicted for part in tested]) if tested else truth[:0]
    confidence = np.concatenate(confidences) if confidences else np.zeros(0)
    asked, right = truth[rows], predicted == truth[rows]
    reliability = _reliability(confidence, right)
    return Report(
        tested=len(rows),
        accuracy=float(right.mean()) if len(rows) else 0.0,
        macro_f1=macro_f1(asked, predicted),
        per_class={
            str(label): _class_figures(asked, predicted, label) for label in np.unique(asked)
        },
        coverage={p: _threshold(confidence, right, p)[0] for p in PRECISIONS},
        kept={p: _shares(np.concatenate(parts), right) for p, parts in kept.items() if parts},
        calibration_error=sum(
            one["count"] * abs(one["confidence"] - one["right"]) for one in reliability
        )
        / max(len(rows), 1),
        reliability=reliability,
        too_few=sorted(set(truth[untested].tolist())),
        _confidence=confidence,
        _right=right,
    )


def macro_f1(truth: Any, predicted: Any) -> float:
    """The mean over all labels of their F1, 0 without texts."""
    from sklearn.metrics import f1_score  # noqa: PLC0415

    return float(f1_score(truth, predicted, average="macro")) if len(truth) else 0.0


def _class_figures(truth: NDArray[Any], predicted: NDArray[Any], label: str) -> dict[str, float]:
    hits = int(((truth == label) & (predicted == label)).sum())
    named, count = int((predicted == label).sum()), int((truth == label).sum())
    return {
        "precision": hits / named if named else 0.0,
        "recall": hits / count,
        "f1": 2 * hits / (named + count),
        "count": count,
    }


def _reliability(confidence: NDArray[Any], right: NDArray[Any]) -> list[dict[str, float]]:
    """Steps of confidence: from, to, count, mean confidence, share right; empty ones left out."""
    step = np.minimum((confidence * 10).astype(int), 9)
    return [
        {
            "from": s / 10,
            "to": (s + 1) / 10,
            "count": int((step == s).sum()),
            "confidence": float(confidence[step == s].mean()),
            "right": float(right[step == s].mean()),
        }
        for s in range(10)
        if (step == s).any()
    ]


def _shares(kept: NDArray[Any], right: NDArray[Any]) -> tuple[float, float | None]:
    return float(kept.mean()), float(right[kept].mean()) if kept.any() else None


def _threshold(
    confidence: NDArray[Any], right: NDArray[Any], precision: float
) -> tuple[float, float]:
    """The largest share that can be accepted at this precision, and its lowest confidence."""
    order = np.argsort(-confidence, kind="stable")
    good = np.cumsum(right[order]) / np.arange(1, len(order) + 1) >= precision
    good[: MIN_ACCEPTED - 1] = False
    reached = np.flatnonzero(good)
    if not len(reached):
        return 0.0, NEVER
    return float((reached[-1] + 1) / len(order)), float(confidence[order[reached[-1]]])


# ---------- the model


def learn(
    texts: list[str], labels: list[str], *, seed: int = 0, hints: Hints | None = None
) -> tuple["Trained", Report]:
    """Learn from labelled texts; ValueError with fewer than two labels.

    The same texts, labels and seed give the same model. hints (label → the catalogue's keywords)
    are learnt like texts of their own and never tested on; they help while a county has few
    examples. The report is measured by a cross-validation; its confidences come from a curve
    fitted on the same texts, so only `cross_validate` tells what thresholds are worth.
    """
    counts, truth, rows, always = _prepare(texts, labels, hints)
    blend, curve, asked, sure = _certainty(counts, rows, always, truth, seed)
    untested = np.setdiff1d(rows, asked.rows)
    report = _report(truth, untested, [asked], [sure], {})
    linear = _fit(counts, np.arange(len(truth)), truth)
    names_kept = [counts.names[v][linear.kept[v]] for v in range(VIEWS)]
    trained = Trained(
        labels=[str(label) for label in np.unique(truth)],
        _names=np.concatenate(names_kept),
        _starts=(0, *np.cumsum([len(one) for one in names_kept]).tolist()),
        _idf=np.concatenate(linear.idf),
        _weights=(linear.weights @ blend.matrix).astype(np.float32),
        _intercepts=blend(linear.intercepts).astype(np.float32),
        _curve=curve,
    )
    return trained, report


@dataclass(frozen=True)
class Trained:
    """A model ready to predict. Made by `learn` or `loads`; never changed afterwards."""

    labels: list[str]
    _names: NDArray[Any] = field(repr=False)
    _starts: tuple[int, ...] = field(repr=False)  # of each view in names, and the end
    _idf: NDArray[np.float32] = field(repr=False)
    _weights: NDArray[np.float32] = field(repr=False)  # features × labels
    _intercepts: NDArray[np.float32] = field(repr=False)
    _curve: _Curve = field(repr=False)

    @cached_property
    def _index(self) -> list[dict[str, int]]:
        """Column of each feature, a dictionary for each view."""
        return [
            {name: column for column, name in enumerate(self._names[a:b].tolist(), a)}
            for a, b in pairwise(self._starts)
        ]

    def predict(
        self, texts: list[str], *, alternatives: int = 3, words: int = 6
    ) -> list[Prediction]:
        """One Prediction for each text, in order. An empty text gets the least confident one."""
        return [self._predict(text, alternatives, words) for text in texts]

    def _predict(self, text: str, alternatives: int, words: int) -> Prediction:
        columns, row = self._row(text)
        scores = row @ self._weights[columns] + self._intercepts
        order = np.argsort(-scores, kind="stable")
        first, second = order[0], order[1]
        pulls = row * (self._weights[columns, first] - self._weights[columns, second])
        against = _against(pulls, np.zeros(len(pulls), dtype=np.int64), 1)
        sure = self._curve(scores[np.newaxis], against)[0]
        confidence = float(sure) if len(columns) else 0.0
        shares = np.exp(self._curve.slope * (scores[order[1:]] - scores[second]))
        shares = shares / shares.sum() * (1 - confidence)
        return Prediction(
            label=self.labels[first],
            confidence=confidence,
            words=_deciding(normalise(text), self._names[columns], pulls, words) if words else [],
            alternatives=[
                (self.labels[k], float(share))
                for k, share in zip(order[1 : alternatives + 1], shares, strict=False)
            ],
        )

    def _row(self, text: str) -> tuple[NDArray[Any], NDArray[Any]]:
        """Columns and weights of a text, as `_weighed` makes them."""
        columns, weights = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.float32)]
        for v, grams in enumerate(views(text)):
            known = self._index[v]
            found = Counter(known[gram] for gram in grams if gram in known)
            if not found:
                continue
            at = np.fromiter(found.keys(), dtype=np.int64, count=len(found))
            counts = np.fromiter(found.values(), dtype=np.float32, count=len(found))
            part = (1 + np.log(counts)) * self._idf[at]
            columns.append(at)
            weights.append(part * (WEIGHTS[v] / np.sqrt(part @ part)))
        return np.concatenate(columns), np.concatenate(weights)

    def dumps(self) -> bytes:
        """The model as bytes: a compressed NumPy archive of plain numbers and JSON."""
        head = {
            "format": FORMAT,
            "labels": self.labels,
            "starts": self._starts,
            "slope": self._curve.slope,
            "caution": self._curve.caution,
            "intercept": self._curve.intercept,
            "features": list(self._names),
        }
        buffer = io.BytesIO()
        np.savez_compressed(
            buffer,
            head=np.frombuffer(json.dumps(head, ensure_ascii=False).encode(), dtype=np.uint8),
            weights=self._weights.astype(np.float16),
            intercepts=self._intercepts,
            idf=self._idf.astype(np.float16),
        )
        return buffer.getvalue()

    @staticmethod
    def loads(data: bytes) -> "Trained":
        """The model that `dumps` wrote. ValueError if the bytes are not such a model."""
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as archive:
                return _restore(json.loads(archive["head"].tobytes()), archive)
        except (KeyError, TypeError, EOFError, OSError, BadZipFile) as error:
            raise ValueError("these bytes are not a stored model") from error


def _restore(head: dict[str, Any], archive: Any) -> Trained:
    if head["format"] not in READABLE:
        raise ValueError(f"model format {head['format']} is not one of {READABLE}")
    return Trained(
        labels=head["labels"],
        _names=np.array(head["features"], dtype=object),
        _starts=tuple(head["starts"]),
        _idf=archive["idf"].astype(np.float32),
        _weights=archive["weights"].astype(np.float32),
        _intercepts=archive["intercepts"],
        _curve=_Curve(head["slope"], head.get("caution", 0.0), head["intercept"]),
    )


def _deciding(text: str, names: NDArray[Any], weights: NDArray[Any], limit: int) -> list[str]:
    """The strongest n-grams, those that overlap in the (normalised) text joined to one phrase.

    What a text says in its head and again below counts together.
    """
    summed: dict[str, float] = {}
    leading = np.argsort(-weights, kind="stable")[: 20 * limit]
    for name, weight in zip(names[leading].tolist(), weights[leading].tolist(), strict=True):
        word = normalise(name.lstrip("^_"))
        if len(word) >= 2 and not _PUNCTUATION.search(word):
            summed[word] = summed.get(word, 0.0) + weight
    strongest = sorted(summed.items(), key=lambda item: -item[1])[: 2 * limit]
    spans = sorted(
        (at, at + len(word), weight)
        for word, weight in strongest
        if weight > 0 and (at := text.find(word)) >= 0
    )
    phrases: list[tuple[int, int, float]] = []
    for start, end, weight in spans:
        if phrases and start < phrases[-1][1]:
            first, last, before = phrases[-1]
            phrases[-1] = (first, max(last, end), before + weight)
        else:
            phrases.append((start, end, weight))
    phrases.sort(key=lambda phrase: -phrase[2])
    return [text[start:end] for start, end, _weight in phrases[:limit]]
