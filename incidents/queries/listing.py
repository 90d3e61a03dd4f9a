"""The light cases that lists are made of: few columns, no joins, names looked up once a page."""

from collections.abc import Collection
from typing import Any

from django.db.models import BooleanField, Case, FloatField, Func, Q, When
from django.db.models.functions import Left
from django.utils.translation import get_language

from core.kept import remembered
from grids.models import Department
from grids.queries import names_of
from incidents.models import Category, Incident
from incidents.models.incident import IncidentQuerySet

HEAD_LENGTH = 120
# Names of the catalogue change by hand, seldom.
NAMES_KEPT = 60

_COLUMNS = (
    "tracking_code", "state", "urgency", "source", "tier", "county_id", "town_id", "village_id",
    "grid_id", "category_id", "owner_department_id", "owner_area_id", "round", "rework_count",
    "suspended_until", "reported_at", "ended_at", "due_at", "overdue_at", "version",
)  # fmt: skip


def light(rows: IncidentQuerySet) -> IncidentQuerySet:
    """Leave all but the columns of a list in the database.

    ``head`` is the beginning of the text, ``lon`` and ``lat`` degrees or None; names come from
    :func:`give_names`.
    """
    return rows.annotate(  # type: ignore[no-redef]
        head=Left("text", HEAD_LENGTH),
        lon=Func("location", function="ST_X", output_field=FloatField()),
        lat=Func("location", function="ST_Y", output_field=FloatField()),
    ).only(*_COLUMNS)


def looked_at(wanted: Q) -> Case:
    """Return the condition in a form no index answers: rows are walked in order, not gathered.

    For what many rows next in order meet, though the planner believes them few.
    """
    return Case(When(wanted, then=True), default=False, output_field=BooleanField())


def give_names(incidents: Collection[Incident]) -> None:
    """Give each row ``place``, ``category_label`` and ``owner_label`` (≤ 3 queries, mostly 1)."""
    areas = names_of(
        pk
        for row in incidents
        for pk in (row.town_id, row.village_id, row.grid_id, row.owner_area_id)
    )
    names = catalogue_names()
    for row in incidents:
        lineage = (row.town_id, row.village_id, row.grid_id)
        row.place = " · ".join(areas[pk] for pk in lineage if pk)
        row.category_label = names["categories"].get(row.category_id, "")
        department, area = row.owner_department_id or 0, row.owner_area_id or 0
        row.owner_label = names["departments"].get(department) or areas.get(area, "")


def catalogue_names() -> dict[str, dict[Any, str]]:
    """Return labels of categories by id and code, of majors and of departments, ≤ 1 minute old."""
    chinese = (get_language() or "").startswith("zh")

    def read() -> dict[str, dict[Any, str]]:
        items = list(Category.objects.order_by("code"))
        return {
            "categories": {item.pk: item.label for item in items},
            "codes": {item.code: item.label for item in items},
            "majors": {item.major: item.major_label for item in items},
            "departments": {row.pk: row.label for row in Department.objects.order_by("code")},
        }

    return remembered(f"queue:names:{'zh' if chinese else 'en'}", read, NAMES_KEPT)
