"""manage.py train_triage [FILE.csv] [--cross-validate 5] [--precision 0.98]"""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from core.errors import Invalid
from incidents.services import training


class Command(BaseCommand):
    """Train a new version, or only measure with ``--cross-validate``.

    A file (columns text,category; UTF-8 or GBK) is added to the examples before training.
    When only measuring it is used alone, and its categories may be any names.
    """

    help = "Trains the model that suggests categories, or measures it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, nargs="?")
        parser.add_argument("--cross-validate", type=int, metavar="FOLDS")
        parser.add_argument("--precision", type=float, default=0.98)

    def handle(self, *args: Any, **options: Any) -> None:
        precision, folds = options["precision"], options["cross_validate"]
        if not 0.5 <= precision <= 1:
            raise CommandError(_("The precision is between 0.5 and 1."))
        if folds is not None and folds < 2:
            raise CommandError(_("Cross-validation needs at least 2 folds."))
        try:
            rows = training.read_examples(_read(options["file"])) if options["file"] else None
            if folds:
                self._measure(rows, folds, precision)
            else:
                self._train(options["file"], rows, precision)
        except Invalid as error:
            lines = [f"{where}: {'; '.join(map(str, why))}" for where, why in error.errors.items()]
            raise CommandError("\n".join([str(error.message), *lines])) from error

    def _measure(self, rows: list[tuple[str, str]] | None, folds: int, precision: float) -> None:
        if rows is None:
            texts, labels = training.training_set()
            hints = training.catalogue_words()
        else:
            hints = {}
            texts, labels = [text for text, _label in rows], [label for _text, label in rows]
        figures = training.measure(texts, labels, folds=folds, precision=precision, hints=hints)
        self._print(figures)
        for label, one in sorted(figures["per_class"].items(), key=lambda item: item[1]["f1"]):
            self.stdout.write(
                f"  {one['f1']:.3f}  P {one['precision']:.3f}  R {one['recall']:.3f}  "
                f"{one['count']:>5.0f}  {label}"
            )

    def _train(
        self, file: Path | None, rows: list[tuple[str, str]] | None, precision: float
    ) -> None:
        if file is not None and rows is not None:
            training.add_examples(rows=rows, source=file.stem[:20], actor=None)
        model = training.train(precision=precision)
        self._print(model.report)
        self.stdout.write(
            _("Version %(version)s is in force.") % {"version": model.version}
            if model.active
            else _("Version %(version)s is worse than the one in force and only stored.")
            % {"version": model.version}
        )

    def _print(self, figures: dict[str, Any]) -> None:
        threshold = figures["threshold"]
        self.stdout.write(
            _(
                "Tested on %(tested)s unseen texts: accuracy %(accuracy).3f, "
                "macro-F1 %(macro_f1).3f."
            )
            % figures
        )
        for asked, share in figures["coverage"].items():
            self.stdout.write(
                _("At precision %(asked)s: %(share).1f%% of texts could be left to the model.")
                % {"asked": asked, "share": 100 * share}
            )
        self.stdout.write(
            _("It acts alone from confidence %(threshold).3f.") % {"threshold": threshold}
            if threshold <= 1
            else _("It never acts alone: the precision asked for was not reached.")
        )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}") from error
