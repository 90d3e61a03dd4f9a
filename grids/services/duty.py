"""Checking in for duty and out again, each person for themselves.

What must not live here: what being on duty is good for (incidents/services/assigning.py), and
how long shifts are kept (RetentionRule of the incidents floor).
"""

from datetime import datetime

from django.db import transaction
from django.db.models import F, Value
from django.db.models.functions import Greatest, Least
from django.utils import timezone

from core.errors import NotAllowed
from core.services import audit
from grids.models import DUTY_ROLES, LONGEST_SHIFT, DutyShift, User
from grids.queries import Scope

_LATEST_END = F("began_at") + Value(LONGEST_SHIFT)


def begin_duty(*, actor: User) -> None:
    """Put ``actor`` on duty; whoever is on duty already stays so, from when they began.

    A shift they forgot to end is closed where it stopped counting. Raises NotAllowed for
    somebody without a post that works cases from a phone.
    """
    if not Scope.for_user(actor).has(*DUTY_ROLES):
        raise NotAllowed
    now = timezone.now()
    with transaction.atomic():
        forgotten = DutyShift.objects.filter(
            user=actor, ended_at__isnull=True, began_at__lte=now - LONGEST_SHIFT
        )
        forgotten.update(ended_at=_LATEST_END)
        # Of two presses at once the table lets one in, and the other has what it wanted.
        DutyShift.objects.bulk_create([DutyShift(user=actor, began_at=now)], ignore_conflicts=True)


def end_duty(*, actor: User) -> None:
    """Take ``actor`` off duty; nothing happens to whoever is not on duty."""
    # Of two servers one's clock may be a little behind.
    end = Least(Greatest(Value(timezone.now()), F("began_at")), _LATEST_END)
    DutyShift.objects.filter(user=actor, ended_at__isnull=True).update(ended_at=end)


def forget_shifts(
    *, before: datetime, after: int, batch: int, days: int, now: datetime
) -> tuple[list[int], int | None]:
    """Delete shifts that began before ``before``; see ``Forget`` of the incidents floor.

    A rule is a day at least, so they have all ended. One audit entry for a batch.
    """
    old = DutyShift.objects.filter(pk__gt=after, began_at__lt=before).order_by("pk")
    ids = list(old.values_list("pk", flat=True)[:batch])
    if not ids:
        return [], None
    DutyShift.objects.filter(pk__in=ids).delete()
    audit.record(
        actor=None,
        action="duty_shift.forget",
        subject_type="duty_shift",
        data={"n": len(ids), "days": days},
    )
    return [], ids[-1]
