"""Forgetting what visits and households no longer need, as the dated rules say.

What must not live here: how long anything is kept (RetentionRule of the incidents floor, which
calls these). Each has the shape of ``Forget`` there.
"""

from datetime import datetime
from functools import partial

from django.db import transaction
from django.utils import timezone

from core.services import audit
from grids.models import Household, HouseholdCare, Visit, VisitPhoto


def forget_contacts(
    *, before: datetime, after: int, batch: int, days: int, now: datetime
) -> tuple[list[int], int | None]:
    """Erase name, phone and why care was needed, of households that moved out before ``before``."""
    # Encrypted columns cannot be filtered by the ORM; whether something is there can be seen.
    left = Household.objects.filter(
        pk__gt=after, moved_out_on__lt=timezone.localdate(before)
    ).extra(
        where=[
            "contact <> '' OR phone <> '' OR EXISTS (SELECT 1 FROM grids_householdcare c"
            " WHERE c.household_id = grids_household.id AND c.reason <> '')"
        ]
    )
    ids = list(
        left.select_for_update(skip_locked=True).order_by("pk").values_list("pk", flat=True)[:batch]
    )
    Household.objects.filter(pk__in=ids).update(contact="", phone="", phone_index="")
    HouseholdCare.objects.filter(household__in=ids).update(reason="")
    return ids, ids[-1] if ids else None


def thin_points(
    *, before: datetime, after: int, batch: int, days: int, now: datetime
) -> tuple[list[int], int | None]:
    """Forget where the phone was at visits before ``before``; how far from the door stays.

    One audit entry for a batch: a county makes tens of thousands of visits a day.
    """
    ids = list(
        Visit.objects.filter(pk__gt=after, at__lt=before, point__isnull=False)
        .order_by("pk")
        .values_list("pk", flat=True)[:batch]
    )
    Visit.objects.filter(pk__in=ids).update(point=None, accuracy=None)
    _record("visit.thin_points", len(ids), days)
    return [], ids[-1] if ids else None


def forget_diaries(
    *, before: datetime, after: int, batch: int, days: int, now: datetime
) -> tuple[list[int], int | None]:
    """Erase diary and photos of visits before ``before``; that there was a visit stays."""
    ids = list(
        Visit.objects.filter(pk__gt=after, at__lt=before)
        .extra(
            where=[
                "diary <> '' OR EXISTS (SELECT 1 FROM grids_visitphoto p"
                " WHERE p.visit_id = grids_visit.id)"
            ]
        )
        .order_by("pk")
        .values_list("pk", flat=True)[:batch]
    )
    photos = list(VisitPhoto.objects.filter(visit_id__in=ids))
    VisitPhoto.objects.filter(pk__in=[photo.pk for photo in photos]).delete()
    Visit.objects.filter(pk__in=ids).update(diary="")
    _record("visit.forget_diaries", len(ids), days)
    for photo in photos:
        transaction.on_commit(partial(photo.file.delete, save=False))
    return [], ids[-1] if ids else None


def _record(action: str, n: int, days: int) -> None:
    if n:
        audit.record(actor=None, action=action, subject_type="visit", data={"n": n, "days": days})
