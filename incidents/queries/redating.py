"""Which open cases and clocks changed deadlines would reach, and how far that has come.

What must not live here: changing them (services/redating.py).
"""

from collections.abc import Iterator

from django.db.models import Exists, OuterRef, QuerySet

from core.models import Timer
from incidents.models import Category, Deadline, Incident, StageClock


def open_cases(category: Category | None, *, after: int = 0) -> QuerySet[Incident]:
    """Return open cases of an item (None: of all items), oldest first, from an id on."""
    cases = Incident.objects.filter(ended_at__isnull=True, pk__gt=after)
    return (cases.filter(category=category) if category else cases).order_by("pk")


def running_clocks(category: Category | None) -> Iterator[StageClock]:
    """Yield unfinished clocks of open cases that deadlines of an item would time, in pieces.

    The county's own (None) time only stages which the item's version leaves open.
    """
    clocks = StageClock.objects.filter(
        finished_at__isnull=True, incident__ended_at__isnull=True
    ).select_related("incident")
    if category is not None:
        clocks = clocks.filter(incident__category=category)
    else:
        own = Deadline.objects.filter(
            version=OuterRef("incident__deadline_version"),
            version__category__isnull=False,
            stage=OuterRef("stage"),
        )
        clocks = clocks.filter(~Exists(own))
    return clocks.order_by("pk").iterator(chunk_size=2_000)


def cases_left(category: Category | None, version_id: int) -> int | None:
    """Return how many cases still wait for a version; None where it reached all (≤ 2 queries)."""
    timer = Timer.objects.filter(
        subject_type="deadlines", subject_id=version_id, fired_at__isnull=True
    ).first()
    return open_cases(category, after=int(timer.stage)).count() if timer else None
