"""What Celery runs for the incidents: each task calls one service."""

from celery import shared_task

from incidents.services import (
    asking,
    assessments,
    calendar_warning,
    drafts,
    figures,
    hook_sending,
    retention,
    scores,
    topics,
    training,
    triage,
)

# A task ends after this many rounds, so that one worker process is never held for long.
ROUNDS = 10
TRIAGE_BATCH = 50
FOLD_BATCH = 20_000
# Of 10,000 deliveries each: in a busy county a few listeners are told of a million rows a day.
FORGET_ROUNDS = 200


@shared_task
def triage_new() -> None:
    """Triage reports nobody has looked at."""
    for _round in range(ROUNDS):
        if triage.triage_new(batch=TRIAGE_BATCH) < TRIAGE_BATCH:
            break


@shared_task
def ask_outside() -> None:
    """Ask a model outside about a question that waits for a person, if one is set up."""
    asking.ask()


@shared_task
def fold_figures() -> None:
    """Fold the figures' deltas."""
    for _round in range(ROUNDS):
        if figures.fold(batch=FOLD_BATCH) < FOLD_BATCH:
            break


@shared_task
def fold_scores() -> None:
    """Bring the scores up to the cases that went on."""
    for _round in range(ROUNDS):
        if scores.fold() < scores.BATCH:
            break


@shared_task
def refresh_topics() -> None:
    """Count the newest reports, warn of surges, bring hot topics up to date."""
    topics.refresh()


@shared_task
def recount_topics() -> None:
    """The same from all days that count, for what was corrected later than usual."""
    topics.refresh(whole=True)


@shared_task
def assess_month() -> None:
    """Write last month into the files of those who work on the grids, once it is not there yet."""
    assessments.assess_last_month()


@shared_task
def warn_of_calendar() -> None:
    """Remind those who can import it of a missing year of the working calendar."""
    calendar_warning.warn()


@shared_task
def sweep_drafts() -> None:
    """Throw away photos that never became part of a report."""
    for _round in range(ROUNDS):
        if not drafts.sweep_drafts():
            break


@shared_task
def send_hooks() -> None:
    """Tell connected systems what is due, deliveries of dead processes too."""
    hook_sending.send_due()


@shared_task
def forget_hooks() -> None:
    """Forget what connected systems were told long ago."""
    for _round in range(FORGET_ROUNDS):
        if not hook_sending.forget_old():
            break


@shared_task
def forget_by_rule() -> None:
    """Forget personal data past its time."""
    retention.apply_rules()


@shared_task
def retrain_triage() -> None:
    """Train the triage anew from what people have decided, if that is enough."""
    training.retrain()
