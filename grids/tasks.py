"""What Celery runs for the territory: each task calls one service."""

from celery import shared_task

from grids.services import (
    boundary_import,
    coverage,
    following,
    reorganisation,
    sessions,
    visit_rules,
)

# A task ends after this many batches, so that one worker process is never held for long.
BATCHES = 20


@shared_task
def audit_coverage() -> None:
    """Measure on where the oldest run of the coverage audit stands."""
    coverage.work(at_most=BATCHES)


@shared_task
def import_boundaries() -> None:
    """Read uploaded boundary files, save those that were confirmed."""
    for _round in range(BATCHES):
        if not boundary_import.work():
            break


@shared_task
def forget_boundary_files() -> None:
    """Forget boundary files nobody confirmed."""
    boundary_import.forget_old()


@shared_task
def reorganise() -> None:
    """Carry out the acts whose day has come."""
    reorganisation.carry_out_due()


@shared_task
def follow_areas() -> None:
    """Bring along what could not follow an act at once."""
    following.bring_along(batches=BATCHES)
    following.settle_due()


@shared_task
def apply_visit_rules() -> None:
    """Bring due dates up to date with rules that have begun."""
    for _round in range(BATCHES):
        if not visit_rules.apply_rules():
            break


@shared_task
def tidy_sessions() -> None:
    """Forget sessions that ran out."""
    sessions.tidy()
