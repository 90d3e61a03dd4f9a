"""The light cases that lists are made of: few columns, no joins, names looked up once a page."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, fields
from datetime import datetime
from functools import cache
from itertools import starmap
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connection, connections
from django.db.models import BooleanField, Case, Q, When
from django.db.models.query import ValuesListIterable
from django.utils.translation import get_language

from core.kept import remembered
from grids.models import Department
from grids.queries import names_of
from incidents.models import Category, Incident
from incidents.models.incident import IncidentQuerySet

HEAD_LENGTH = 120
# Names of the catalogue change by hand, seldom.
NAMES_KEPT = 60


@dataclass(slots=True)
class Listed:
    """One case as lists read it: the columns of its row, and what :func:`give_names` adds.

    ``head`` is the beginning of the text; ``lon`` and ``lat`` are degrees or None. Not a model:
    building fifty of those costs more than asking the database for them.
    """

    id: int
    tracking_code: str
    state: str
    urgency: int
    source: str
    tier: str
    county_id: int
    town_id: int | None
    village_id: int | None
    grid_id: int | None
    category_id: int | None
    owner_department_id: int | None
    owner_area_id: int | None
    round: int
    rework_count: int
    suspended_until: datetime | None
    reported_at: datetime
    ended_at: datetime | None
    due_at: datetime
    due_unit: str
    overdue_at: datetime | None
    version: int
    head: str
    lon: float | None
    lat: float | None
    place: str = ""
    category_label: str = ""
    owner_label: str = ""

    @property
    def pk(self) -> int:
        """The id, by the name pages of rows know it."""
        return self.id


_NAMED = ("place", "category_label", "owner_label")


class _ListedIterable(ValuesListIterable):
    """What a queryset of :func:`light` is iterated by.

    Django writes the conditions; the columns, always the same, are put before them by hand. Having
    it resolve and convert twenty-six for each branch took a third of what a list costs.
    """

    def __iter__(self) -> Iterator[Listed]:
        try:
            asked, params = self.queryset.query.get_compiler(self.queryset.db).as_sql()
        except EmptyResultSet:
            return
        head, _from, rest = asked.partition(" FROM ")
        distinct = "DISTINCT " if head.startswith("SELECT DISTINCT ") else ""
        with connections[self.queryset.db].cursor() as cursor:
            cursor.execute(f"SELECT {distinct}{_columns()} FROM {rest}", params)  # noqa: S608
            yield from starmap(Listed, cursor)


@cache
def _columns() -> str:
    table = connection.ops.quote_name(Incident._meta.db_table)
    made = {
        "head": f"LEFT({table}.text, {HEAD_LENGTH})",
        "lon": f"ST_X({table}.location)",
        "lat": f"ST_Y({table}.location)",
    }
    names = [field.name for field in fields(Listed) if field.name not in _NAMED]
    return ", ".join(made.get(name, f"{table}.{name}") for name in names)


def light(rows: IncidentQuerySet) -> IncidentQuerySet:
    """Leave all but the columns of a list in the database; rows come as :class:`Listed`."""
    listed = rows.values_list("pk")
    listed._iterable_class = _ListedIterable
    return listed  # type: ignore[return-value]  # it filters and slices like any other


def looked_at(wanted: Q) -> Case:
    """Return the condition in a form no index answers: rows are walked in order, not gathered.

    For what many rows next in order meet, though the planner believes them few.
    """
    return Case(When(wanted, then=True), default=False, output_field=BooleanField())


def give_names(incidents: Collection[Listed | Incident]) -> None:
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
