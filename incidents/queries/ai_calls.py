"""What was asked of a model outside, for those who may read it.

What must not live here: asking (services/asking.py).
"""

from datetime import date, datetime, time, timedelta

from django.db.models import QuerySet
from django.utils import timezone

from grids.models import Role
from grids.queries import Scope
from incidents.models import AiCall

READERS = frozenset({Role.COMMAND, Role.AUDIT_ADMIN})
ORDER = ("-at", "-id")


def calls(scope: Scope, *, outcome: str | None, day: date | None) -> list[QuerySet[AiCall]]:
    """Return the questions of the reader's counties, a branch each, for a keyset page in ORDER."""
    areas = {p.area_id for p in scope.postings if p.area and p.role in READERS}
    rows = AiCall.objects.select_related("incident").only(
        *(field.name for field in AiCall._meta.concrete_fields), "incident__tracking_code"
    )
    if outcome is not None:
        rows = rows.filter(outcome=outcome)
    if day is not None:
        rows = rows.filter(at__gte=_start_of(day), at__lt=_start_of(day + timedelta(days=1)))
    return [rows.filter(county=area) for area in areas]


def _start_of(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))
