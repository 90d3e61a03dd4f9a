"""What Celery runs for the territory: each task calls one service."""

from celery import shared_task

from grids.services import coverage

# A task ends after this many batches, so that one worker process is never held for long.
BATCHES = 20


@shared_task
def audit_coverage() -> None:
    """Measure on where the oldest run of the coverage audit stands."""
    coverage.work(at_most=BATCHES)
