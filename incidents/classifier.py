"""Suggests a category for a report's text, says how sure it is and which words decided.

Pure: no models, no settings, no clock. Texts and labels come in, a `Trained` comes out, and
`dumps` / `loads` turn it into bytes without pickle, so a stored model cannot run code. Which
categories may be handled without a person, and from what confidence, is decided elsewhere.

The method: character 1–3-grams (and words, where the text comes already cut into words) with
TF-IDF weights, one linear SVM per category, and a logistic curve from the lead of the first
category over the second to the chance that the first is right. The curve and the thresholds
are fitted on texts the SVM had not seen. Texts that repeat each other almost word for word fall
on both sides of that line and make the figures look better than they are.
"""

import io
import json
import re
from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.svm import LinearSVC
from threadpoolctl import threadpool_limits

FORMAT = 1
MAX_FEATURES = 60_000
MAX_CHARACTERS = 4_000
MIN_ACCEPTED = 30
MANY = 5_000  # from here on an n-gram seen once is noise and only makes the model large
NEVER = 1.01
PRECISIONS = (0.97, 0.98, 0.99)
_CJK = r"[\u3400-\u9fff]"
_GAP = re.compile(rf"(?<={_CJK})\s+(?={_CJK})")
_SPACE = re.compile(r"\s+")
_PUNCTUATION = re.compile(r"[\s，。！？、；：“”‘’（）《》,.!?;:()\"'|]")

Hints = dict[str, list[str]]


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
    """How a model does on texts it has not seen, by k-fold cross-validation.

    per_class: label → precision, recall, f1, count. coverage: precision → share of the texts
    that could be left to the model at that precision. thresholds: precision → the confidence
    from which that holds, NEVER if no confidence is enough. too_few: labels with fewer than k
    examples; they are learnt from but not tested on.
    """

    tested: int
    accuracy: float
    macro_f1: float
    per_class: dict[str, dict[str, float]]
    coverage: dict[float, float]
    thresholds: dict[float, float]
    too_few: list[str]
    _leads: NDArray[Any] = field(repr=False)
    _right: NDArray[Any] = field(repr=False)
    _curve: tuple[float, float] = field(repr=False)

    def threshold(self, precision: float) -> float:
        """The lowest confidence from which at least `precision` were right, or NEVER."""
        _, lead = _coverage(self._leads, self._right, precision)
        return NEVER if lead is None else float(_confidence(lead, self._curve))


def normalise(text: str) -> str:
    """Lower case, one space where there was any, none between Chinese characters."""
    return _GAP.sub("", _SPACE.sub(" ", text[:MAX_CHARACTERS]).strip().lower())


def ngrams(text: str) -> list[str]:
    """The features of a text: character 1–3-grams, and "w:" words if it comes cut into words."""
    flat = normalise(text)
    grams = [flat[i : i + n] for n in (1, 2, 3) for i in range(len(flat) - n + 1)]
    words = text[:MAX_CHARACTERS].lower().split()
    if len(words) * 6 > len(flat):
        grams += ["w:" + word for word in words]
        grams += [f"w:{a} {b}" for a, b in pairwise(words)]
    return grams


@dataclass(frozen=True)
class Trained:
    """A model ready to predict. Made by `train` or `loads`; never changed afterwards.

    thresholds: precision → confidence, measured while training (see Report).
    """

    labels: list[str]
    thresholds: dict[float, float]
    macro_f1: float
    coverage: dict[float, float]
    _vectoriser: TfidfVectorizer = field(repr=False)
    _weights: NDArray[np.float32] = field(repr=False)  # features × labels
    _intercepts: NDArray[np.float32] = field(repr=False)
    _curve: tuple[float, float] = field(repr=False)
    _names: NDArray[Any] = field(repr=False)

    def predict(
        self, texts: list[str], *, alternatives: int = 3, words: int = 6
    ) -> list[Prediction]:
        """One Prediction for each text, in order. An empty text gets the least confident one."""
        if not texts:
            return []
        rows = self._vectoriser.transform(texts).tocsr()
        scores = rows @ self._weights + self._intercepts
        return [self._explain(rows[i], scores[i], alternatives, words) for i in range(len(texts))]

    def _explain(
        self,
        row: sparse.csr_matrix,
        scores: NDArray[Any],
        alternatives: int,
        words: int,
    ) -> Prediction:
        order = np.argsort(-scores)
        first, second = order[0], order[1]
        confidence = float(_confidence(scores[first] - scores[second], self._curve))
        if row.nnz == 0:
            confidence = 0.0
        difference = self._weights[row.indices, first] - self._weights[row.indices, second]
        shares = np.exp(4 * (scores[order[1:]] - scores[second]))
        shares = shares / shares.sum() * (1 - confidence)
        return Prediction(
            label=self.labels[first],
            confidence=confidence,
            words=_deciding(self._names[row.indices], row.data * difference, words),
            alternatives=[
                (self.labels[k], float(share))
                for k, share in zip(order[1 : alternatives + 1], shares, strict=False)
            ],
        )

    def dumps(self) -> bytes:
        """The model as bytes: a compressed NumPy archive of plain numbers and JSON."""
        head = {
            "format": FORMAT,
            "labels": self.labels,
            "curve": self._curve,
            "macro_f1": self.macro_f1,
            "thresholds": list(self.thresholds.items()),
            "coverage": list(self.coverage.items()),
            "features": list(self._names),
        }
        buffer = io.BytesIO()
        np.savez_compressed(
            buffer,
            head=np.frombuffer(json.dumps(head, ensure_ascii=False).encode(), dtype=np.uint8),
            weights=self._weights.astype(np.float16),
            intercepts=self._intercepts,
            idf=self._vectoriser.idf_.astype(np.float32),
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
    if head["format"] != FORMAT:
        raise ValueError(f"model format {head['format']} is not {FORMAT}")
    vectoriser = _vectoriser(vocabulary=head["features"])
    vectoriser.idf_ = archive["idf"]
    return Trained(
        labels=head["labels"],
        thresholds=dict(head["thresholds"]),
        macro_f1=head["macro_f1"],
        coverage=dict(head["coverage"]),
        _vectoriser=vectoriser,
        _weights=archive["weights"].astype(np.float32),
        _intercepts=archive["intercepts"],
        _curve=tuple(head["curve"]),
        _names=np.array(head["features"], dtype=object),
    )


def train(
    texts: list[str],
    labels: list[str],
    *,
    seed: int = 0,
    k: int = 3,
    hints: Hints | None = None,
    report: Report | None = None,
) -> Trained:
    """Learn from labelled texts. ValueError with fewer than two labels.

    The same texts, labels and seed give the same model. k is the number of folds the
    confidence is fitted on. hints (label → the catalogue's keywords) are learnt like texts of
    their own and never tested on; they help while a county has few examples. report is what
    `cross_validate` told of the same texts, when it was asked already.
    """
    report = report or cross_validate(texts, labels, k=k, seed=seed, hints=hints)
    hint_texts, hint_labels = _flatten(hints)
    vectoriser, weights, intercepts, classes = _fit(
        texts + hint_texts, np.array(labels + hint_labels), seed
    )
    return Trained(
        labels=[str(label) for label in classes],
        thresholds=report.thresholds,
        macro_f1=report.macro_f1,
        coverage=report.coverage,
        _vectoriser=vectoriser,
        _weights=weights,
        _intercepts=intercepts,
        _curve=report._curve,
        _names=vectoriser.get_feature_names_out(),
    )


def cross_validate(
    texts: list[str],
    labels: list[str],
    k: int = 5,
    *,
    seed: int = 0,
    hints: Hints | None = None,
) -> Report:
    """Train on k−1 parts, test on the last, k times. ValueError with fewer than two labels."""
    if len(set(labels)) < 2:
        raise ValueError("at least two labels are needed")
    truth = np.array(labels)
    folds = _folds(truth, k, seed)
    hint_texts, hint_labels = _flatten(hints)
    predicted = truth.copy()
    leads = np.zeros(len(texts))
    for fold in range(k):
        learn, test = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        if not len(test):
            continue
        vectoriser, weights, intercepts, classes = _fit(
            [texts[i] for i in learn] + hint_texts,
            np.array(truth[learn].tolist() + hint_labels),
            seed,
        )
        scores = vectoriser.transform([texts[i] for i in test]) @ weights + intercepts
        predicted[test] = classes[scores.argmax(axis=1)]
        ordered = np.sort(scores, axis=1)
        leads[test] = ordered[:, -1] - ordered[:, -2]
    return _report(truth, predicted, leads, folds >= 0)


def threshold_for_precision(
    texts: list[str], labels: list[str], precision: float = 0.98, *, k: int = 5, seed: int = 0
) -> float:
    """The confidence from which unseen texts were right at least this often, or NEVER."""
    return cross_validate(texts, labels, k, seed=seed).threshold(precision)


def _flatten(hints: Hints | None) -> tuple[list[str], list[str]]:
    pairs = [(word, label) for label, words in (hints or {}).items() for word in words]
    return [word for word, _ in pairs], [label for _, label in pairs]


def _vectoriser(**options: Any) -> TfidfVectorizer:
    return TfidfVectorizer(
        analyzer=ngrams, sublinear_tf=True, dtype=np.float32, lowercase=False, **options
    )


def _fit(
    texts: list[str], truth: NDArray[Any], seed: int
) -> tuple[TfidfVectorizer, NDArray[np.float32], NDArray[np.float32], NDArray[Any]]:
    vectoriser = _vectoriser(min_df=2 if len(texts) >= MANY else 1, max_features=MAX_FEATURES)
    rows = vectoriser.fit_transform(texts)
    with threadpool_limits(1):  # many threads on small vectors only wait for each other
        svm = LinearSVC(C=2, random_state=seed).fit(rows, truth)
    weights, intercepts = svm.coef_, svm.intercept_
    if len(svm.classes_) == 2:
        weights, intercepts = np.vstack([-weights, weights]), np.r_[-intercepts, intercepts]
    return (
        vectoriser,
        np.ascontiguousarray(weights.T, dtype=np.float32),
        intercepts.astype(np.float32),
        svm.classes_,
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


def _report(
    truth: NDArray[Any], predicted: NDArray[Any], leads: NDArray[Any], tested: NDArray[Any]
) -> Report:
    """Figures over the tested texts. With none tested every confidence stays low."""
    too_few = sorted(set(truth[~tested].tolist()))
    truth, predicted, leads = truth[tested], predicted[tested], leads[tested]
    right = truth == predicted
    curve = _fit_curve(leads, right)
    found = {precision: _coverage(leads, right, precision) for precision in PRECISIONS}
    return Report(
        tested=len(truth),
        accuracy=float(right.mean()) if len(truth) else 0.0,
        macro_f1=float(f1_score(truth, predicted, average="macro")) if len(truth) else 0.0,
        per_class={
            str(label): _class_figures(truth, predicted, label) for label in np.unique(truth)
        },
        coverage={precision: share for precision, (share, _) in found.items()},
        thresholds={
            precision: NEVER if lead is None else float(_confidence(lead, curve))
            for precision, (_, lead) in found.items()
        },
        too_few=too_few,
        _leads=leads,
        _right=right,
        _curve=curve,
    )


def _class_figures(truth: NDArray[Any], predicted: NDArray[Any], label: str) -> dict[str, float]:
    hits = int(((truth == label) & (predicted == label)).sum())
    named, count = int((predicted == label).sum()), int((truth == label).sum())
    return {
        "precision": hits / named if named else 0.0,
        "recall": hits / count,
        "f1": 2 * hits / (named + count),
        "count": count,
    }


def _fit_curve(leads: NDArray[Any], right: NDArray[Any]) -> tuple[float, float]:
    """Slope and intercept of the logistic curve from lead to the chance of being right.

    One wrong answer with no lead and one right answer with a large lead are always added, so
    that few or flawless texts still give a rising curve.
    """
    leads = np.r_[leads, 0.0, max(2.0, leads.max(initial=0.0))].reshape(-1, 1)
    with threadpool_limits(1):
        curve = LogisticRegression(C=100).fit(leads, np.r_[right, False, True])
    return max(float(curve.coef_[0, 0]), 0.1), float(curve.intercept_[0])


def _confidence(lead: Any, curve: tuple[float, float]) -> Any:
    return 1 / (1 + np.exp(-(curve[0] * lead + curve[1])))


def _coverage(
    leads: NDArray[Any], right: NDArray[Any], precision: float
) -> tuple[float, float | None]:
    """The largest share that can be accepted by lead at this precision, and its lowest lead."""
    order = np.argsort(-leads, kind="stable")
    good = np.cumsum(right[order]) / np.arange(1, len(order) + 1) >= precision
    good[: MIN_ACCEPTED - 1] = False
    reached = np.flatnonzero(good)
    if not len(reached):
        return 0.0, None
    return float((reached[-1] + 1) / len(order)), float(leads[order[reached[-1]]])


def _deciding(names: NDArray[Any], weights: NDArray[Any], limit: int) -> list[str]:
    """The strongest n-grams of two characters or more, none inside another already taken."""
    taken: list[str] = []
    for i in np.argsort(-weights):
        if weights[i] <= 0 or len(taken) == limit:
            break
        word = names[i].removeprefix("w:").strip()
        if len(word) < 2 or _PUNCTUATION.search(word):
            continue
        if not any(word in other or other in word for other in taken):
            taken.append(word)
    return taken
