"""manage.py import_areas FILE.csv"""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand
from django.utils.translation import gettext as _
from tqdm import tqdm

from core.errors import Invalid
from grids.management.commands._reporting import read_file, refuse, tell
from grids.services.division_list import read_areas
from grids.services.territory import add_areas


class Command(BaseCommand):
    """Import a division list, whole or not at all; again changes nothing."""

    help = "Imports areas from CSV: code,name,level,parent_code[,grid_kind,organisation]."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["file"]
        data = read_file(path)
        try:
            rows = read_areas(data)
            with tqdm(total=len(rows), desc=path.name, disable=options["verbosity"] == 0) as bar:
                counts = add_areas(rows, source=path.name[:100], actor=None, progress=bar.update)
        except Invalid as error:
            refuse(error, where=_("line %(line)s"))
        tell(self, counts)
