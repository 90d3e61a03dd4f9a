"""manage.py audit_coverage [CODE] [--sliver M2]"""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _
from tqdm import tqdm

from core.errors import GeshiError
from grids.models import Area, AuditState
from grids.models.coverage import SLIVER_M2
from grids.queries import the_county
from grids.queries.coverage import counts_by_kind, covered_share
from grids.services import coverage


class Command(BaseCommand):
    """Measure whether the areas below an area cover it, and keep what was found."""

    help = "Looks for gaps and overlaps between the grids of an area (the county without a code)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("code", nargs="?", default="")
        parser.add_argument("--sliver", type=float, default=SLIVER_M2, metavar="M2")

    def handle(self, *args: Any, **options: Any) -> None:
        code = options["code"]
        area = Area.objects.filter(code=code).first() if code else the_county()
        if area is None:
            raise CommandError(_("Unknown code “%(code)s”.") % {"code": code})
        try:
            run = coverage.start(area=area, actor=None, sliver_m2=options["sliver"])
        except GeshiError as error:
            raise CommandError(str(error)) from error
        with tqdm(total=run.total, desc=area.name, disable=options["verbosity"] == 0) as bar:
            coverage.finish(run, progress=lambda done, _total: bar.update(done - bar.n), pause=0.2)
        if run.state == AuditState.FAILED:
            raise CommandError(run.error)
        for line in counts_by_kind(area):
            self.stdout.write(
                _("%(kind)s: %(real)s, and %(slivers)s slivers")
                % {"kind": line.label, "real": line.real, "slivers": line.slivers}
            )
        share = covered_share(area)
        if share is not None:
            self.stdout.write(_("Covered: %(share)s %%") % {"share": f"{share:.4f}"})
