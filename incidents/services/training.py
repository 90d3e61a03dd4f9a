"""Training the triage model on the county's own examples, and measuring it.

What must not live here: using a model on a case (triage.py). Imports scikit-learn: only
commands and workers may import this.
"""

import csv
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from core.errors import Invalid
from core.services import audit
from grids.models import User
from incidents import classifier
from incidents.models import Category, Incident, TriageExample, TriageModel
from incidents.services.knowledge import activate_model

HEADER = ["text", "category"]
FOLDS = 3
LATEST_CASES = 20_000
LINES_NAMED = 20


@transaction.atomic
def train(
    *,
    actor: User | None = None,
    precision: float = 0.98,
    now: datetime | None = None,
    cases: int = LATEST_CASES,
) -> TriageModel:
    """Train a new version on the examples, the latest verified cases and the catalogue's words.

    It is put in force unless its macro-F1 is worse than that of the model in force. Its
    ``threshold`` is the confidence from which at least ``precision`` of unseen texts were
    right; above 1 it never acts alone. Raises Invalid with fewer than two categories.
    """
    texts, labels = training_set(cases=cases)
    if len(set(labels)) < 2:
        raise Invalid(_("Training needs examples of at least two categories."))
    hints = catalogue_words()
    report = classifier.cross_validate(texts, labels, FOLDS, hints=hints)
    trained = classifier.train(texts, labels, hints=hints, report=report)
    newest = TriageModel.objects.select_for_update().order_by("-version").first()
    active = TriageModel.objects.filter(active=True).first()
    model = TriageModel.objects.create(
        version=newest.version + 1 if newest else 1,
        blob=trained.dumps(),
        threshold=report.threshold(precision),
        precision_asked=precision,
        report=summary(report, precision) | {"examples": len(texts)},
        trained_at=now or timezone.now(),
    )
    audit.record(
        actor=actor,
        action="triage_model.train",
        subject_type="triage_model",
        subject_id=model.pk,
        data={"version": model.version, "macro_f1": report.macro_f1},
    )
    if active is None or report.macro_f1 >= active.report.get("macro_f1", 0):
        activate_model(model=model, actor=actor)
        model.active = True
    return model


def training_set(*, cases: int = LATEST_CASES) -> tuple[list[str], list[str]]:
    """Return texts and category codes: the examples, then cases (2 queries).

    A case teaches when somebody verified it under its category.
    """
    verified = (
        Incident.objects.filter(verified_at__isnull=False, category__isnull=False)
        .order_by("-pk")
        .values_list("text", "category__code")
    )
    rows = [
        *TriageExample.objects.order_by("pk").values_list("text", "category__code"),
        *verified[:cases],
    ]
    # A text given twice would sit on both sides of the cross-validation.
    once = dict(rows)
    return list(once), list(once.values())


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
    """Return a report as JSON: tested, accuracy, macro_f1, threshold, per_class, too_few."""
    return {
        "tested": report.tested,
        "accuracy": report.accuracy,
        "macro_f1": report.macro_f1,
        "precision": precision,
        "threshold": report.threshold(precision),
        "coverage": {str(asked): share for asked, share in report.coverage.items()},
        "per_class": report.per_class,
        "too_few": report.too_few,
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
            TriageExample(text=text, category=known[label], source=source) for text, label in rows
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
