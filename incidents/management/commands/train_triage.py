"""manage.py train_triage [FILE.csv] [--cross-validate 5] [--precision 0.98] [--back-to VERSION]"""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from core.errors import GeshiError, Invalid
from incidents.models import TriageModel
from incidents.services import training
from incidents.services.knowledge import activate_model


class Command(BaseCommand):
    """Train a new version, measure with ``--cross-validate``, or go back with ``--back-to``.

    A file (columns text,category; UTF-8 or GBK) is added to the examples before training.
    When only measuring it is used alone, and its categories may be any names.
    """

    help = "Trains the model that suggests categories, measures it, or goes back to an older one."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, nargs="?")
        parser.add_argument("--cross-validate", type=int, metavar="FOLDS")
        parser.add_argument("--precision", type=float, default=training.PRECISION)
        parser.add_argument("--activate", action="store_true", help="whatever the comparison says")
        parser.add_argument("--back-to", type=int, metavar="VERSION")

    def handle(self, *args: Any, **options: Any) -> None:
        precision, folds = options["precision"], options["cross_validate"]
        if not 0.5 <= precision <= 1:
            raise CommandError(_("The precision is between 0.5 and 1."))
        if folds is not None and folds < 2:
            raise CommandError(_("Cross-validation needs at least 2 folds."))
        try:
            if options["back_to"] is not None:
                self._go_back(options["back_to"])
                return
            rows = training.read_examples(_read(options["file"])) if options["file"] else None
            if folds:
                self._measure(rows, folds, precision)
            else:
                self._train(options["file"], rows, precision, options["activate"])
        except Invalid as error:
            lines = [f"{where}: {'; '.join(map(str, why))}" for where, why in error.errors.items()]
            raise CommandError("\n".join([str(error.message), *lines])) from error
        except GeshiError as error:
            raise CommandError(str(error)) from error

    def _go_back(self, version: int) -> None:
        model = TriageModel.objects.filter(version=version).defer("blob", "learnt").first()
        if model is None:
            raise CommandError(_("There is no version %(version)s.") % {"version": version})
        activate_model(model=model, actor=None)
        self.stdout.write(_("Version %(version)s is in force.") % {"version": version})

    def _measure(self, rows: list[tuple[str, str]] | None, folds: int, precision: float) -> None:
        if rows is None:
            texts, labels = training.training_set()
            hints = training.catalogue_words()
        else:
            hints = {}
            texts, labels = [text for text, _label in rows], [label for _text, label in rows]
        figures = training.measure(texts, labels, folds=folds, precision=precision, hints=hints)
        self._print(figures)
        self._print_held(figures)
        self._print_classes(figures)

    def _train(
        self, file: Path | None, rows: list[tuple[str, str]] | None, precision: float, force: bool
    ) -> None:
        if file is not None and rows is not None:
            training.add_examples(rows=rows, source=file.stem[:20], actor=None)
        model = training.train(actor=None, precision=precision, activate=force)
        self._print(model.report)
        self._print_comparison(model.comparison)
        said = {"version": model.version}
        if model.active:
            self.stdout.write(_("Version %(version)s is in force.") % said)
        else:
            self.stdout.write(_("Version %(version)s is kept and not put in force.") % said)

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
        self._print_calibration(figures)

    def _print_calibration(self, figures: dict[str, Any]) -> None:
        self.stdout.write(
            _("Calibration: confidence is off by %(error).1f%% on average.")
            % {"error": 100 * figures["calibration_error"]}
        )
        for one in figures["reliability"]:
            self.stdout.write(
                _(
                    "  %(from).2f–%(to).2f: %(count)5d texts, "
                    "said %(confidence).3f, right %(right).3f"
                )
                % one
            )

    def _print_held(self, figures: dict[str, Any]) -> None:
        for asked, one in figures["kept"].items():
            if one["right"] is not None:
                self.stdout.write(
                    _(
                        "Asked for %(asked)s with the threshold set in training alone: "
                        "%(share).1f%% of unseen texts, right %(right).2f%%."
                    )
                    % {"asked": asked, "share": 100 * one["share"], "right": 100 * one["right"]}
                )

    def _print_classes(self, figures: dict[str, Any]) -> None:
        for label, one in sorted(figures["per_class"].items(), key=lambda item: item[1]["f1"]):
            self.stdout.write(
                f"  F1 {one['f1']:.3f}  P {one['precision']:.3f}  R {one['recall']:.3f}  "
                f"{one['count']:>5.0f}  {label}"
            )

    def _print_comparison(self, comparison: dict[str, Any]) -> None:
        if not comparison:
            return
        if not comparison["texts"]:
            self.stdout.write(
                _(
                    "Not compared with version %(against)s: too few texts that it has not learnt "
                    "from. --activate puts the new one in force all the same."
                )
                % comparison
            )
            return
        self.stdout.write(
            _(
                "On %(texts)s texts unseen by both: macro-F1 %(new).3f, "
                "version %(against)s %(old).3f."
            )
            % {
                "texts": comparison["texts"],
                "against": comparison["against"],
                "new": comparison["candidate"]["macro_f1"],
                "old": comparison["present"]["macro_f1"],
            }
        )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}") from error
