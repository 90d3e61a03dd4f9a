"""What the import commands share: reading the file, telling what is wrong, a progress bar."""

from pathlib import Path
from typing import NoReturn

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from core.errors import Invalid
from grids.services.territory import Counts

# So many bad lines are shown; somebody who has more has one mistake many times.
SHOWN = 200


def read_file(path: Path) -> bytes:
    """Return the bytes of ``path``; raises CommandError in plain words."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise CommandError(
            _("“%(path)s” cannot be read: %(why)s") % {"path": path, "why": error.strerror}
        ) from error


def refuse(error: Invalid, *, where: str) -> NoReturn:
    """Raise CommandError with each bad line; ``where`` is a pattern around ``%(line)s``."""
    lines = [
        f"{where % {'line': place}}: {why}"
        for place, all_why in error.errors.items()
        for why in all_why
    ]
    more = len(lines) - SHOWN
    if more > 0:
        lines[SHOWN:] = [ngettext("… and %(n)s more", "… and %(n)s more", more) % {"n": more}]
    raise CommandError("\n".join([str(error), *lines])) from error


def tell(command: BaseCommand, counts: Counts) -> None:
    """Print what an import did."""
    command.stdout.write(
        _("Added %(added)s, changed %(changed)s, unchanged %(unchanged)s.")
        % {"added": counts.added, "changed": counts.changed, "unchanged": counts.unchanged}
    )
