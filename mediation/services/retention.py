"""Forgetting the parties' phones once a dispute has long ended.

What must not live here: how long they are kept (incidents' RetentionRule) and when the rules
are applied (incidents.services.retention).
"""

from datetime import datetime

from incidents.workflow import SYSTEM
from mediation.models import ENDED_STATES, Dispute, Party
from mediation.services.step import background_row


def forget_phones(
    *, before: datetime, after: int, batch: int, days: int, now: datetime
) -> tuple[list[int], int | None]:
    """Erase the phones of disputes that ended before ``before``; see ``Forget`` of incidents.

    Names and the agreement stay: they are the file, which a committee keeps as its archive.
    """
    ids = list(
        Dispute.objects.filter(pk__gt=after, ended_at__lt=before, parties__phone_index__gt="")
        .distinct()
        .order_by("pk")
        .values_list("pk", flat=True)[:batch]
    )
    disputes = Dispute.objects.select_for_update(skip_locked=True).filter(
        pk__in=ids, state__in=ENDED_STATES, ended_at__lt=before
    )
    forgotten = []
    for dispute in disputes:
        Party.objects.filter(dispute=dispute).update(phone="", phone_index="")
        action = "forget_contact"
        with background_row(dispute=dispute, action=action, actor=SYSTEM, now=now) as case:
            case.data["days"] = days
        forgotten.append(dispute.pk)
    return forgotten, ids[-1] if ids else None
