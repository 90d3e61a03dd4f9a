"""Training the triage model on the county's own examples and cases, and judging it.

A model is judged on texts that neither it nor the one in force has learnt from, before it may
replace it. What must not live here: using a model on a case (triage.py). Imports scikit-learn:
only commands and workers may import this.
"""

import csv
import re
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Any

import numpy as np
from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone
from django.utils.translation import gettext as _

from core.errors import Invalid
from core.masking import mask_text
from core.services import audit
from grids.models import User
from incidents import classifier
from incidents.models import (
    ActorKind,
    Category,
    Event,
    Incident,
    State,
    TriageExample,
    TriageModel,
)
from incidents.services.knowledge import activate_model

HEADER = ["text", "category"]
LATEST_CASES = 20_000
LINES_NAMED = 20
PRECISION = 0.98
# So many texts neither model has learnt from are the least that two models are compared on.
LEAST_HELD_OUT = 30
MOST_HELD_OUT = 2_000
# So many cases decided by people since the last training are worth another one.
ENOUGH_NEW_CASES = 100


@dataclass(frozen=True)
class Judged:
    """What a model made of texts it had not learnt from.

    ``handled`` is the share it would have acted on alone, ``handled_right`` the share of these
    that were right; None when there are none.
    """

    accuracy: float
    macro_f1: float
    handled: float
    handled_right: float | None

    def as_json(self) -> dict[str, float | None]:
        """Return the figures as they are stored."""
        return {
            "accuracy": self.accuracy,
            "macro_f1": self.macro_f1,
            "handled": self.handled,
            "handled_right": self.handled_right,
        }


def retrain(*, now: datetime | None = None) -> TriageModel | None:
    """Train from what people have decided since the last time, if that is enough; else None.

    Run on a schedule. The new version replaces the one in force only if it does better on texts
    both have not learnt from; it is kept, with the comparison, either way.
    """
    last = TriageModel.objects.order_by("-version").only("trained_at").first()
    if last is None or taught_cases().filter(ended_at__gt=last.trained_at).count() < (
        ENOUGH_NEW_CASES
    ):
        return None
    return train(actor=None, now=now)


def train(
    *,
    actor: User | None = None,
    precision: float = PRECISION,
    now: datetime | None = None,
    cases: int = LATEST_CASES,
    activate: bool = False,
) -> TriageModel:
    """Train a new version and keep it with its figures.

    The first is put in force; a later one if it does better than the one in force on texts
    neither has learnt from, or if ``activate`` says so (its comparison is kept all the same).
    Its ``threshold`` is the confidence from which at least ``precision`` of unseen texts were
    right; above 1 it never acts alone. Raises Invalid with fewer than two categories.
    """
    texts, labels = training_set(cases=cases)
    present = _in_force()
    held_out = _held_out(texts, present)
    keep = [i for i in range(len(texts)) if i not in held_out]
    learn_texts, learn_labels = [texts[i] for i in keep], [labels[i] for i in keep]
    if len(set(learn_labels)) < 2:
        raise Invalid(_("Training needs examples of at least two categories."))
    trained, report = classifier.learn(learn_texts, learn_labels, hints=catalogue_words())
    threshold = report.threshold(precision)
    comparison = {}
    if present is not None:
        comparison = _compare(
            trained,
            threshold,
            present,
            [texts[i] for i in sorted(held_out)],
            [labels[i] for i in sorted(held_out)],
            precision,
        )
    with transaction.atomic():
        newest = TriageModel.objects.select_for_update().order_by("-version").first()
        model = TriageModel.objects.create(
            version=newest.version + 1 if newest else 1,
            blob=trained.dumps(),
            learnt=_keys(learn_texts).tobytes(),
            threshold=threshold,
            precision_asked=precision,
            report=summary(report, precision) | {"examples": len(learn_texts)},
            comparison=comparison,
            trained_at=now or timezone.now(),
        )
        audit.record(
            actor=actor,
            action="triage_model.train",
            subject_type="triage_model",
            subject_id=model.pk,
            data={"version": model.version, "macro_f1": report.macro_f1, "comparison": comparison},
        )
        # Somebody may have put another version in force meanwhile: then they have decided.
        unchanged = present is None or _still_in_force(present.row)
        if activate or (unchanged and (present is None or comparison["better"])):
            activate_model(model=model, actor=actor)
    return model


@dataclass(frozen=True)
class _Present:
    row: TriageModel
    trained: classifier.Trained


def _in_force() -> _Present | None:
    """Return the model in force; None as well when it cannot be read any more."""
    row = TriageModel.objects.filter(active=True).first()
    if row is None:
        return None
    try:
        return _Present(row, classifier.Trained.loads(bytes(row.blob)))
    except ValueError:
        return None


def _still_in_force(row: TriageModel) -> bool:
    return TriageModel.objects.filter(pk=row.pk, active=True).exists()


def _held_out(texts: list[str], present: _Present | None) -> set[int]:
    """Return half of the texts the model in force has not learnt from: neither will the new one."""
    if present is None:
        return set()
    keys = _keys(texts)
    learnt = np.frombuffer(bytes(present.row.learnt), dtype=np.uint64)
    unseen = np.flatnonzero(~np.isin(keys, learnt))
    # By key: any half is as good, and it is the same half for whoever asks again.
    chosen = unseen[np.argsort(keys[unseen])][::2][:MOST_HELD_OUT]
    return set(chosen.tolist()) if len(chosen) >= LEAST_HELD_OUT else set()


def _keys(texts: list[str]) -> np.ndarray:
    """Return an unsigned 64-bit key of each text."""
    digests = b"".join(blake2b(text.encode(), digest_size=8).digest() for text in texts)
    return np.frombuffer(digests, dtype=np.uint64)


def _compare(
    trained: classifier.Trained,
    threshold: float,
    present: _Present,
    texts: list[str],
    labels: list[str],
    precision: float,
) -> dict[str, Any]:
    """Return the figures of both on the same texts, and whether the new one may replace the old.

    It may when its macro-F1 is no worse and what it would do alone is as often right as was asked
    for, or at least as often as what the other would have done.
    """
    found: dict[str, Any] = {"against": present.row.version, "texts": len(texts), "better": False}
    if not texts:
        return found
    new = judge(trained, threshold, texts, labels)
    old = judge(present.trained, present.row.threshold, texts, labels)
    enough = min(precision, 1.0 if old.handled_right is None else old.handled_right)
    safe = new.handled_right is None or new.handled_right >= enough
    return found | {
        "candidate": new.as_json(),
        "present": old.as_json(),
        "better": bool(safe and new.macro_f1 >= old.macro_f1),
    }


def judge(
    trained: classifier.Trained, threshold: float, texts: list[str], labels: list[str]
) -> Judged:
    """Return how a model does on texts it has not learnt from."""
    predictions = trained.predict(texts, words=0)
    right = [p.label == label for p, label in zip(predictions, labels, strict=True)]
    alone = [ok for p, ok in zip(predictions, right, strict=True) if p.confidence >= threshold]
    return Judged(
        accuracy=sum(right) / len(right),
        macro_f1=classifier.macro_f1(labels, [p.label for p in predictions]),
        handled=len(alone) / len(right),
        handled_right=sum(alone) / len(alone) if alone else None,
    )


def training_set(*, cases: int = LATEST_CASES) -> tuple[list[str], list[str]]:
    """Return masked texts and category codes: the examples, then the latest cases (2 queries)."""
    decided = taught_cases().order_by("-pk").values_list("text", "category__code")
    rows = [
        *TriageExample.objects.order_by("pk").values_list("text", "category__code"),
        *decided[:cases],
    ]
    # A text given twice would sit on both sides of the cross-validation.
    once = {kept_text(text): code for text, code in rows}
    return list(once), list(once.values())


def taught_cases() -> Any:
    """Return the closed cases whose category a person confirmed, changed or chose.

    What the machine decided alone and nobody looked at teaches nothing: it would only learn to
    agree with itself.
    """
    chosen = Event.objects.filter(
        incident=OuterRef("pk"), action="triage", actor_kind=ActorKind.USER
    )
    return Incident.objects.filter(
        Exists(chosen), state=State.CLOSED, category__isnull=False
    ).exclude(text="")


_MAIL = re.compile(r"[\w.+-]+@[\w-]+\.[\w.]+", re.ASCII)
_LONG_NUMBER = re.compile(r"[0-9A-Za-z_*-]*\d[0-9*]{5,}[0-9A-Za-z_*-]*", re.ASCII)
_PLATE = re.compile(
    r"[京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼][A-Z]·?[A-Z0-9]{5,6}"
)
_NAME = re.compile(
    r"(我叫|姓名[:：]?|名叫|联系人[:：]?|本人)\s?(?!是|在|不|家|的)[\u4e00-\u9fff]{2,3}(?=[，。、,;；\s]|$)"
)


def kept_text(text: str) -> str:
    """Return a text as it may be kept for training: numbers, plates, mail and names masked.

    >>> kept_text("我叫张小明，电话19900001234，车牌豫A12345")
    '我叫某，电话*，车牌某'
    """
    text = mask_text(text)
    text = _MAIL.sub("*", text)
    text = _PLATE.sub("某", text)
    text = _LONG_NUMBER.sub("*", text)
    return _NAME.sub(r"\1某", text)


def catalogue_words() -> dict[str, list[str]]:
    """Return category code → what the catalogue itself says of the item (1 query)."""
    return {
        category.code: [category.name, category.description, *category.keywords]
        for category in Category.objects.filter(active=True)
    }


def measure(
    texts: list[str],
    labels: list[str],
    *,
    folds: int,
    precision: float,
    hints: dict[str, list[str]] | None = None,
) -> dict[str, Any]:
    """Return the :func:`summary` of a cross-validation. Raises Invalid when it cannot be done."""
    try:
        report = classifier.cross_validate(texts, labels, folds, hints=hints)
    except ValueError as error:
        raise Invalid(_("Training needs examples of at least two categories.")) from error
    return summary(report, precision)


def summary(report: classifier.Report, precision: float) -> dict[str, Any]:
    """Return a report as JSON.

    tested, accuracy, macro_f1, threshold, coverage and kept ({precision: share}), per_class,
    too_few, calibration_error, reliability ([{from, to, count, confidence, right}]).
    """
    return {
        "tested": report.tested,
        "accuracy": report.accuracy,
        "macro_f1": report.macro_f1,
        "precision": precision,
        "threshold": report.threshold(precision),
        "coverage": {str(asked): share for asked, share in report.coverage.items()},
        "kept": {
            str(asked): {"share": share, "right": right}
            for asked, (share, right) in report.kept.items()
        },
        "per_class": report.per_class,
        "too_few": report.too_few,
        "calibration_error": report.calibration_error,
        "reliability": report.reliability,
    }


def read_examples(data: bytes) -> list[tuple[str, str]]:
    """Read a CSV file with the columns text and category, in UTF-8 or GBK.

    Raises Invalid whose ``errors`` name the bad lines, as {"line 3": [reason]}.
    """
    reader = csv.reader(_decode(data).splitlines(keepends=True))
    header = [cell.strip().lower() for cell in next(reader, [])]
    if not set(HEADER) <= set(header):
        raise Invalid(
            _("The first line must name the columns: %(names)s") % {"names": "text,category"}
        )
    text_at, label_at = header.index("text"), header.index("category")
    rows: list[tuple[str, str]] = []
    errors: dict[str, list[str]] = {}
    for cells in reader:
        if not any(cell.strip() for cell in cells):
            continue
        row = [cells[at].strip() if at < len(cells) else "" for at in (text_at, label_at)]
        if all(row):
            rows.append((row[0], row[1]))
        elif len(errors) < LINES_NAMED:
            errors[_("line %(number)s") % {"number": reader.line_num}] = [
                _("text and category are both needed")
            ]
    if errors:
        raise Invalid(_("The examples were not read: some lines are wrong."), errors=errors)
    if not rows:
        raise Invalid(_("The file holds no examples."))
    return rows


def add_examples(*, rows: list[tuple[str, str]], source: str, actor: User | None) -> int:
    """Replace the examples of ``source`` by these; categories by code or name.

    Raises Invalid, naming the unknown categories; nothing is written then.
    """
    known = {}
    for category in Category.objects.all():
        known[category.name] = known[category.code] = category
    unknown = sorted({label for _text, label in rows if label not in known})
    if unknown:
        raise Invalid(
            _("The examples were not read: these categories are not in the catalogue."),
            errors={label: [_("unknown category")] for label in unknown[:LINES_NAMED]},
        )
    with transaction.atomic():
        TriageExample.objects.filter(source=source).delete()
        TriageExample.objects.bulk_create(
            TriageExample(text=kept_text(text), category=known[label], source=source)
            for text, label in rows
        )
        audit.record(
            actor=actor,
            action="triage_examples.import",
            subject_type="triage_example",
            data={"source": source, "rows": len(rows)},
        )
    return len(rows)


def _decode(data: bytes) -> str:
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise Invalid(_("The file is neither UTF-8 nor GBK text."))
