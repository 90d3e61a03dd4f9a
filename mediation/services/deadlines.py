"""The month of a mediation and the visits after it: timers set, cancelled and fired.

What must not live here: how timers fire (core.services.timers).
"""

from datetime import date, datetime, time, timedelta

from dateutil.relativedelta import relativedelta
from django.utils import timezone

from core.models import Timer
from core.services.timers import TimerSpec, cancel_timers, set_timers
from grids.models import Role
from incidents.workflow import SYSTEM
from mediation.models import MEDIATING_STATES, Dispute, DisputeState
from mediation.services.step import background_row

SUBJECT = "dispute"
DEADLINE, FOLLOW_UP = "dispute_deadline", "dispute_follow_up"
WARN, DUE = "warn", "due"
WARN_BEFORE = timedelta(days=7)
# When somebody is reminded on the day after the term of performance.
MORNING = time(9)


def a_month_after(moment: datetime) -> datetime:
    """Return the same local day and time of the next month (31 January → end of February).

    A dispute is normally settled within one month (people's mediation practice rules).
    """
    return timezone.localtime(moment) + relativedelta(months=1)


def run_the_month(dispute: Dispute) -> None:
    """Set the warning and the deadline of the running month in place of any earlier ones."""
    cancel_timers(SUBJECT, dispute.pk, kinds=[DEADLINE])
    cycle = dispute.extensions + 1
    set_timers(
        TimerSpec(
            subject_type=SUBJECT,
            subject_id=dispute.pk,
            kind=DEADLINE,
            stage=stage,
            cycle=cycle,
            due_at=due_at,
        )
        for stage, due_at in ((WARN, dispute.due_at - WARN_BEFORE), (DUE, dispute.due_at))
    )


def stop_the_month(dispute: Dispute) -> None:
    """Cancel what the running month would still fire."""
    cancel_timers(SUBJECT, dispute.pk, kinds=[DEADLINE])


def expect_visit(dispute: Dispute, *, day: date) -> None:
    """Remind the mediators on the morning of ``day`` that a follow-up is due."""
    cancel_timers(SUBJECT, dispute.pk, kinds=[FOLLOW_UP])
    set_timers(
        [
            TimerSpec(
                subject_type=SUBJECT,
                subject_id=dispute.pk,
                kind=FOLLOW_UP,
                stage=DUE,
                cycle=dispute.last_seq + 1,
                due_at=timezone.make_aware(datetime.combine(day, MORNING)),
            )
        ]
    )


def expect_no_visit(dispute: Dispute) -> None:
    """Cancel a follow-up that nobody waits for any more."""
    cancel_timers(SUBJECT, dispute.pk, kinds=[FOLLOW_UP])


def month_is_over(timers: list[Timer], now: datetime) -> list[Timer]:
    """Warn before, or record that the month is over; return the timers whose dispute was busy."""
    disputes = _lock(timers)
    for timer in timers:
        dispute = disputes.get(timer.subject_id)
        if dispute is None or dispute.state not in MEDIATING_STATES:
            continue
        if timer.cycle != dispute.extensions + 1:
            continue
        action = "warn" if timer.stage == WARN else "overdue"
        with background_row(dispute=dispute, action=action, actor=SYSTEM, now=now) as case:
            case.tell_mediators(f"dispute_{action}")
            if action == "overdue":
                dispute.overdue_at = dispute.overdue_at or timer.due_at
                if dispute.village_id:
                    role, area_id = Role.VILLAGE_OFFICE, dispute.village_id
                    case.tell("dispute_overdue", role=role, area_id=area_id)
                if dispute.town_id:
                    case.tell("dispute_overdue", role=Role.TOWN_ADMIN, area_id=dispute.town_id)
    return _busy(timers, disputes)


def visit_is_due(timers: list[Timer], now: datetime) -> list[Timer]:
    """Remind of a follow-up; return the timers whose dispute was busy."""
    disputes = _lock(timers)
    for timer in timers:
        dispute = disputes.get(timer.subject_id)
        waiting = {DisputeState.AGREED, DisputeState.FOLLOWING_UP}
        if dispute is None or dispute.state not in waiting:
            continue
        row = background_row(dispute=dispute, action="follow_up_due", actor=SYSTEM, now=now)
        with row as case:
            case.tell_mediators("dispute_follow_up_due")
    return _busy(timers, disputes)


def _lock(timers: list[Timer]) -> dict[int, Dispute]:
    ids = sorted({timer.subject_id for timer in timers})
    rows = Dispute.objects.select_for_update(skip_locked=True).filter(pk__in=ids).order_by("pk")
    return {dispute.pk: dispute for dispute in rows}


def _busy(timers: list[Timer], locked: dict[int, Dispute]) -> list[Timer]:
    return [timer for timer in timers if timer.subject_id not in locked]
