"""Forgetting personal data that is no longer needed, as the dated rules say.

What lives here: the rules' one executor, and the forgetting of reporters. What must not: how
long anything is kept (RetentionRule), and the data of upper floors, which register their own.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from core.services import audit
from incidents.models import ENDED, Incident, ReporterContact, RetentionRule
from incidents.services.step import background_row
from incidents.workflow import SYSTEM

# Called with before, after, batch, days and now: forgets what ended before ``before``, looking at
# no more than ``batch`` subjects behind the id ``after``, and says so on each one's timeline.
# Returns the subjects' ids, and the last id it looked at; None when none is left to look at.
Forget = Callable[..., tuple[list[int], int | None]]

BATCH = 200
_forgetters: dict[str, tuple[str, Forget]] = {}


def register(what: str, forget: Forget, *, subject_type: str) -> None:
    """Say how ``what`` of RetentionRule is forgotten. Called from AppConfig.ready."""
    _forgetters[what] = subject_type, forget


def apply_rules(*, now: datetime | None = None, batch: int = BATCH) -> dict[str, int]:
    """Forget what the rules in force no longer allow to be kept; return {what: how many}.

    In batches of one transaction each, so that whoever kills it loses nothing; running it again
    finds nothing. What has no rule is kept.
    """
    now = now or timezone.now()
    forgotten: dict[str, int] = {}
    for what, (subject_type, forget) in _forgetters.items():
        rule = RetentionRule.in_force(what, on=timezone.localdate(now))
        if rule is None:
            continue
        forgotten[what] = 0
        after: int | None = 0
        while after is not None:
            with transaction.atomic():
                before = now - timedelta(days=rule.days)
                ids, after = forget(
                    before=before, after=after, batch=batch, days=rule.days, now=now
                )
                for subject_id in ids:
                    audit.record(
                        actor=None,
                        action=f"{subject_type}.forget_contact",
                        subject_type=subject_type,
                        subject_id=subject_id,
                        data={"rule": rule.pk, "days": rule.days},
                    )
            forgotten[what] += len(ids)
    return forgotten


def forget_reporters(
    *, before: datetime, after: int, batch: int, days: int, now: datetime
) -> tuple[list[int], int | None]:
    """Erase contacts of cases that ended before ``before``; see ``Forget``.

    A case merged into another is needed until that one has ended as well. The row lock is the
    one reopening takes, so a case that opens again at this moment keeps its reporter.
    """
    ids = list(
        ReporterContact.objects.filter(
            Q(incident__merged_into=None) | Q(incident__merged_into__ended_at__lt=before),
            pk__gt=after,
            incident__ended_at__lt=before,
        )
        .order_by("pk")
        .values_list("pk", flat=True)[:batch]
    )
    cases = Incident.objects.select_for_update(of=("self",), skip_locked=True).filter(
        pk__in=ids, state__in=ENDED, ended_at__lt=before
    )
    forgotten = []
    for incident in cases:
        ReporterContact.objects.filter(incident=incident).delete()
        action = "forget_contact"
        with background_row(incident=incident, action=action, actor=SYSTEM, now=now) as case:
            case.data["days"] = days
        forgotten.append(incident.pk)
    return forgotten, ids[-1] if ids else None
