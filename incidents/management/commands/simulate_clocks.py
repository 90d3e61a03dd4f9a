"""manage.py simulate_clocks [--days 30] [--list]"""

from argparse import ArgumentParser
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.translation import gettext as _
from tqdm import tqdm

from incidents.services.simulation import Firing, by_day, simulate
from incidents.workflow import LADDER

KINDS = ("clock_warn", "clock_due", "clock_climb")


class Command(BaseCommand):
    """Say day by day what would fire if nobody touched a case; nothing is changed.

    ``--list`` tells each firing: when, which case, which clock, which rung.
    """

    help = "Lets the clocks of all open cases run ahead and reports every firing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--days", type=int, default=30)
        parser.add_argument("--list", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        days = options["days"]
        if not 1 <= days <= 366:
            raise CommandError(_("Give 1 to 366 days."))
        start = timezone.now()
        with tqdm(total=days, unit=_("days"), disable=None) as bar:

            def reached(moment: datetime) -> None:
                bar.update(min((moment - start).days, days) - bar.n)

            firings = simulate(days=days, start=start, tick=reached)
        if options["list"]:
            for firing in firings:
                self.stdout.write(_line(firing))
        self._table(firings)

    def _table(self, firings: list[Firing]) -> None:
        days = by_day(firings)
        others = sorted({kind for day in days.values() for kind in day} - set(KINDS))
        kinds = [*KINDS, *others]
        self.stdout.write("  ".join(["day".ljust(10), *kinds]))
        for day, found in sorted(days.items()):
            cells = [str(found[kind]).rjust(len(kind)) for kind in kinds]
            self.stdout.write("  ".join([day, *cells]))
        failed = sum(1 for firing in firings if firing.error)
        self.stdout.write(
            _("%(fired)s timers fired, %(failed)s failed.")
            % {"fired": len(firings) - failed, "failed": failed}
        )


def _line(firing: Firing) -> str:
    rung = str(LADDER[int(firing.stage)].label) if firing.kind == "clock_climb" else firing.stage
    when = f"{timezone.localtime(firing.at):%Y-%m-%d %H:%M}"
    words = [when, firing.kind, firing.case, firing.clock, rung, firing.error]
    return "  ".join(word for word in words if word)
