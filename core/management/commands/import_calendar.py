"""manage.py import_calendar YEAR [--file CSV]"""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from core.errors import Invalid
from core.reading import decode
from core.services.calendar import PACKAGE, import_year, read_rows


class Command(BaseCommand):
    """Import one year of holidays and make-up working days, whole or not at all."""

    help = "Imports the holidays and make-up working days of a year."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("year", type=int)
        parser.add_argument("--file", type=Path, help="CSV with date,kind,name (off or work)")

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path | None = options["file"]
        try:
            source = read_rows(decode(_read(path))) if path else PACKAGE
            year = import_year(year=options["year"], source=source)
        except Invalid as error:
            lines = [f"{where}: {'; '.join(map(str, why))}" for where, why in error.errors.items()]
            told = f"{path}: {error}" if path else str(error)
            raise CommandError("\n".join([told, *lines])) from error
        self.stdout.write(
            _("Imported %(year)s: %(days)s exceptions to Monday–Friday.")
            % {"year": year.year, "days": year.days.count()}
        )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}") from error
