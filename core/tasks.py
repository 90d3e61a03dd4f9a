"""What Celery runs for the ground floor: each task calls one service."""

from datetime import UTC, datetime, timedelta
from typing import Any

from celery import Task, shared_task
from celery.signals import before_task_publish
from django.utils import timezone

from core.services import heartbeat, outbox, papers, pruning, sealing, sending, sheets, timers

# A sweep ends after this many timers, so that one worker process is never held for long.
SWEEP_AT_MOST = 5000


@shared_task
def sweep_timers() -> None:
    """Fire due timers, and show that a worker works."""
    heartbeat.beat(name="worker", at=timezone.now(), every=timedelta(seconds=5))
    timers.sweep(at_most=SWEEP_AT_MOST)


@shared_task
def deliver_outbox() -> None:
    """Deliver due messages, those of dead processes too."""
    outbox.free_stuck(timezone.now())
    outbox.deliver_due()


@shared_task
def send_letters() -> None:
    """Send the letters that are due by their channels."""
    sending.send_due()


@shared_task
def work_sheets() -> None:
    """Read and save uploaded sheets that wait."""
    sheets.work_due()


@shared_task
def forget_sheets() -> None:
    """Forget uploaded sheets past their time."""
    sheets.forget_old()


@shared_task
def draw_papers() -> None:
    """Draw the paper that waits longest, and erase those whose time is over."""
    papers.forget_old()
    papers.work_due()


@shared_task
def prune() -> None:
    """Throw away fired timers and delivered messages past their time."""
    pruning.prune_timers()
    pruning.prune_messages()


@shared_task
def seal_audit() -> None:
    """Seal new audit entries into the chain."""
    sealing.seal()


@shared_task
def verify_audit() -> None:
    """Count the chain of the audit trail again; the audit page shows the result."""
    sealing.verify()


@shared_task(bind=True)
def beat_tick(self: Task) -> None:
    """Record when beat sent this, which may be long before a worker reads it."""
    published_at = (self.request.headers or {}).get("published_at")
    if published_at:
        heartbeat.beat(name="beat", at=datetime.fromtimestamp(published_at, UTC))


@before_task_publish.connect(sender="core.tasks.beat_tick")
def _stamp(headers: dict[str, Any] | None = None, **kwargs: Any) -> None:
    if headers is not None:
        headers["published_at"] = timezone.now().timestamp()
