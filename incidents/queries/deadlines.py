"""The deadlines and ladders in force, as the page that changes them lists them.

What must not live here: changing them (services/catalogue.py, services/ladders.py).
"""

from dataclasses import dataclass, field
from datetime import date

from django.db.models import F, Q

from incidents.models import Category, DeadlineVersion, Ladder


@dataclass
class Row:
    """One item of the catalogue; ``category`` None is the county's own line.

    ``version`` None: the county's own hold for it; ``ladder`` likewise.
    """

    category: Category | None
    version: DeadlineVersion | None = None
    coming: DeadlineVersion | None = None
    ladders: list[Ladder] = field(default_factory=list)


def deadline_rows(*, today: date, text: str = "") -> list[Row]:
    """Return the county's own line and every active item by class (5 queries).

    ``text`` narrows the items by code, name or class.
    """
    found = Category.objects.filter(active=True).order_by("major", "code")
    if text:
        found = found.filter(
            Q(code__icontains=text) | Q(name__icontains=text) | Q(major__icontains=text)
        )
    rows = {None: Row(None)} | {category.pk: Row(category) for category in found}
    versions = DeadlineVersion.objects.order_by("version").prefetch_related("deadlines")
    for version in versions:
        row = rows.get(version.category_id)
        if row is None:
            continue
        if version.valid_from <= today:
            row.version, row.coming = version, None
        else:
            row.coming = version
    for ladder in current_ladders(today=today):
        if ladder.category_id in rows:
            rows[ladder.category_id].ladders.append(ladder)
    return list(rows.values())


def current_ladders(*, today: date) -> list[Ladder]:
    """Return the ladder in force of each item and tier that has one, with its rungs (2 queries)."""
    return list(
        Ladder.objects.filter(valid_from__lte=today)
        .order_by(F("category_id").asc(nulls_first=True), "tier", "-version")
        .distinct("category_id", "tier")
        .prefetch_related("rungs")
    )
