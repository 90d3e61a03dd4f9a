"""Throwing away photos that never became part of a report.

What must not live here: taking photos in; that is the upload's business.
"""

from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from incidents.models import Attachment

DRAFT_HOURS = 24


def sweep_drafts(*, now: datetime | None = None, batch: int = 500) -> int:
    """Delete photos without a case older than 24 hours, row and file; return how many.

    The row goes first: a file without a row is unreachable, a row without a file is a fault.
    """
    before = (now or timezone.now()) - timedelta(hours=DRAFT_HOURS)
    with transaction.atomic():
        old = list(
            Attachment.objects.select_for_update(skip_locked=True)
            .filter(incident__isnull=True, created_at__lt=before)
            .order_by("created_at")[:batch]
        )
        Attachment.objects.filter(pk__in=[photo.pk for photo in old]).delete()
    for photo in old:
        photo.file.delete(save=False)
    return len(old)
