"""manage.py verify_audit [--from POSITION] [--anchor FILE] [--progress]"""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _

from core.errors import Invalid
from core.services import sealing


class Command(BaseCommand):
    """Count the chain again; ends with an error that names the first fault."""

    help = (
        "Verifies that no audit entry was altered, deleted, inserted or moved since it was sealed."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--from", dest="start", type=int, default=1, help="position to start at"
        )
        parser.add_argument(
            "--anchor",
            type=Path,
            help="file of digests kept outside the database (GESHI_AUDIT_ANCHOR)",
        )
        parser.add_argument("--progress", action="store_true", help="tell how far it has come")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            text = options["anchor"].read_text() if options["anchor"] else ""
            finding = sealing.verify(
                from_position=options["start"],
                anchors=sealing.read_anchors(text),
                progress=self._tell if options["progress"] else None,
            )
        except (OSError, Invalid) as error:
            raise CommandError(str(error)) from error
        if finding.fault:
            raise CommandError(finding.words)
        self.stdout.write(
            _(
                "The audit trail is unaltered: positions %(start)s to %(end)s, "
                "last digest %(digest)s"
            )
            % {
                "start": finding.from_position,
                "end": finding.to_position,
                "digest": finding.digest.hex(),
            }
        )

    def _tell(self, position: int, last: int) -> None:
        self.stderr.write(f"{position} / {last}")
