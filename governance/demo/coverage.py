"""The demo county's coverage, proved once: the story tiles it with no gap and no overlap.

What must not live here: measuring (grids/services/coverage.py).
"""

from collections.abc import Callable

from django.db import connection

from grids.models import Area
from grids.services import coverage


def build_coverage(county: Area, *, progress: Callable[[int], object]) -> None:
    """Run the audit over the whole county."""
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE grids_area")  # the areas were written a moment ago
    run = coverage.start(area=county, actor=None)
    told = 0

    def tell(done: int, _total: int) -> None:
        nonlocal told
        progress(done - told)
        told = done

    coverage.finish(run, progress=tell, pause=0.2)
