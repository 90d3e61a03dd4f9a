"""manage.py import_boundaries FILE [--crs …] [--code-property …]"""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand
from tqdm import tqdm

from core.errors import Invalid
from core.places import SYSTEMS
from grids.management.commands._reporting import read_file, refuse, tell
from grids.queries import all_codes
from grids.services.boundary_file import count_features, read_boundaries
from grids.services.boundary_formats import as_geojson
from grids.services.territory import set_boundaries


class Command(BaseCommand):
    """Import boundaries, whole or not at all; again changes nothing."""

    help = "Imports the boundaries of known areas from GeoJSON, a zipped Shapefile or KML."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--crs", choices=SYSTEMS, default="wgs84")
        parser.add_argument("--code-property", default="")

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["file"]
        quiet = options["verbosity"] == 0
        try:
            data = as_geojson(read_file(path))
            # Each feature is checked once and written once.
            with tqdm(total=2 * count_features(data), desc=path.name, disable=quiet) as bar:
                rows = read_boundaries(
                    data,
                    known=all_codes(),
                    system=options["crs"],
                    code_property=options["code_property"],
                    progress=bar.update,
                )
                counts = set_boundaries(
                    rows, source=path.name[:100], actor=None, progress=bar.update
                )
        except Invalid as error:
            refuse(error, where="%(line)s")
        tell(self, counts)
