"""What everybody may know of cases: which are public, and how much of each.

A case is public while its item of the catalogue is published, it has been triaged or was sent in
for the public, nobody is in danger and no confidential road was taken. Of it are public the item,
the state, the office, the times, and the place as exactly as the item says; words only if they
were sent in for the public and the triage is done. Never a reporter, a tracking code, a photo or
an internal step (docs/decisions/0030). What must not live here: XML and JSON.
"""

from collections.abc import Collection
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from itertools import starmap
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import connection
from django.db.models import (
    BigIntegerField,
    BooleanField,
    Case,
    Exists,
    F,
    FloatField,
    Func,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    TextField,
    Value,
    When,
)
from django.db.models.functions import Coalesce, Left

from core import prepared
from core.kept import remembered
from core.prepared import planned_by_value
from grids.models import Area, Level
from incidents.models import (
    Category,
    Event,
    Incident,
    Publication,
    Road,
    SentCase,
    Stage,
    State,
    System,
    Urgency,
)
from incidents.models.incident import IncidentQuerySet
from incidents.queries.listing import NAMES_KEPT, catalogue_names, looked_at

MOST_ROWS = 1000
# Pages are counted from the newest row on, so what is read before the last one is bounded.
DEEPEST = 10_000
# Cases walked in order before all matches of the time are picked by the index of facets.
STRETCH = 20_000
FIRST = datetime(1, 1, 2, tzinfo=UTC)
WORDS_LIMIT = 4000
# Digits of a degree that are told of a place: about ten metres.
DEGREE_DIGITS = 4

# Roads on which the law or somebody's safety asks for silence, and questions put to the AI.
CONFIDENTIAL = (State.EMERGENCY, State.STATUTORY, State.ANSWERED)
# Public rows of the timeline that are the reporter's own words about us.
SILENT = ("report", "rate", "record_callback", "not_solved", "answer_kept")


@dataclass(slots=True)
class PublicCase:
    """One case as everybody may see it; ``_add`` gives it the last five.

    ``words`` is "" unless they may be read; ``lat`` and ``lon`` are WGS-84 degrees or
    None. ``place`` are names from the nearest area to the county, ``area_code`` of the nearest.
    """

    id: int
    category_id: int | None
    state: str
    county_id: int
    town_id: int | None
    village_id: int | None
    grid_id: int | None
    owner_department_id: int | None
    owner_area_id: int | None
    suspended_until: datetime | None
    reported_at: datetime
    triaged_at: datetime | None
    dispatched_at: datetime | None
    accepted_at: datetime | None
    arrived_at: datetime | None
    responded_at: datetime | None
    verified_at: datetime | None
    ended_at: datetime | None
    lon: float | None
    lat: float | None
    words: str
    category: Any = None
    place: Any = ()
    area_code: str = ""
    owner: str = ""
    expected_at: datetime | None = None

    @property
    def updated_at(self) -> datetime:
        """When the public last saw it move; of a closed case when it closed."""
        milestones = (
            *(self.triaged_at, self.dispatched_at, self.accepted_at, self.arrived_at),
            *(self.responded_at, self.verified_at),
        )
        return self.ended_at or max(at for at in (self.reported_at, *milestones) if at)


_ADDED = {"category", "place", "area_code", "owner", "expected_at"}
_COLUMNS = [field.name for field in fields(PublicCase) if field.name not in _ADDED]


def published_items() -> dict[int, Category]:
    """Return the published items of the catalogue by id, in order of code (1 query)."""
    rows = Category.objects.exclude(publication=Publication.NONE)
    rows = rows.filter(road=Road.NORMAL, is_question=False)
    return {row.pk: row for row in rows.order_by("code")}


def find_public(
    ids: Collection[int], *, items: dict[int, Category], system: System | None = None
) -> list[PublicCase]:
    """Return those of the cases that are public, newest first (≤ 4 queries).

    A ``system`` also finds the cases it sent itself, whatever became of them.
    """
    wanted = is_public(items)
    if system is not None:
        wanted |= Q(Exists(SentCase.objects.filter(pk=OuterRef("pk"), system=system)))
    rows = Incident.objects.filter(pk__in=ids).filter(wanted)
    return _add(_read(rows.order_by("-reported_at", "-id"), system), items)


def public_page(
    *,
    since: datetime,
    until: datetime,
    items: dict[int, Category],
    only: Collection[int],
    is_open: bool = True,
    closed: bool = True,
    page: int = 1,
    size: int = MOST_ROWS,
) -> list[PublicCase]:
    """Return a page of the public cases reported in a time, newest first (≤ 5 queries).

    ``only`` are ids of items; ``page`` counts from 1. Where few of many cases match it takes two
    queries to find them, else one; the others name places, offices and days.
    """
    if not only:
        return []
    first, last = (page - 1) * size, page * size
    wanted = is_public(only)
    if not (is_open and closed):
        wanted &= Q(ended_at__isnull=is_open)
    rows = Incident.objects.filter(
        county_id=_county_id(), reported_at__gte=since, reported_at__lte=until
    )
    newest = ("-reported_at", "-id")
    end = Subquery(rows.order_by(*newest).values("reported_at")[STRETCH : STRETCH + 1])
    near = rows.filter(looked_at(wanted), reported_at__gte=Coalesce(end, Value(FIRST)))
    found = _read(near.order_by(*newest)[first:last])
    if len(found) < size:
        found = _read(Incident.objects.filter(pk__in=_pick(rows.filter(wanted), first, last)))
        found.sort(key=lambda row: (row.reported_at, row.id), reverse=True)
    return _add(found, items)


def _county_id() -> int | None:
    counties = Area.objects.filter(level=Level.COUNTY).values_list("pk", flat=True)
    return remembered("published:county", counties.first, NAMES_KEPT)


def public_steps(
    *,
    since: datetime,
    until: datetime,
    items: dict[int, Category],
    cases: Collection[int] | None = None,
    system: System | None = None,
    page: int = 1,
    size: int = MOST_ROWS,
) -> list[dict[str, Any]]:
    """Return what happened to public cases in a time, oldest first (1 query).

    Rows: id, incident_id, at, action, to_state. With ``cases`` only to these, and to those that
    ``system`` sent. A time is found by the rows' own order, so keep it short without ``cases``.
    """
    wanted = is_public(items, "incident__")
    if system is not None:
        own = SentCase.objects.filter(pk=OuterRef("incident_id"), system=system)
        wanted |= Q(Exists(own))
    rows = Event.objects.filter(at__gte=since, at__lte=until, public=True).exclude(
        action__in=SILENT
    )
    if cases is not None:
        rows = rows.filter(incident_id__in=cases)
    rows = rows.filter(wanted).order_by("at", "id")
    with planned_by_value():
        columns = ("id", "incident_id", "at", "action", "to_state")
        return list(rows.values(*columns)[(page - 1) * size : page * size])


class _Among(Func):
    """A column being one of a list: the index of facets compares numbers of its own type only."""

    template = "%(expressions)s)"
    arg_joiner = " = ANY("
    output_field = BooleanField()


def is_public(items: Collection[int], prefix: str = "") -> Q:
    """Return what makes a case public as a condition, on rows that reach theirs by ``prefix``."""
    sent = Exists(SentCase.objects.filter(pk=OuterRef(f"{prefix}pk"), for_public=True))
    return (
        Q(_Among(F(f"{prefix}category_id"), Value(list(items), ArrayField(BigIntegerField()))))
        & ~Q(**{f"{prefix}state__in": CONFIDENTIAL})
        & Q(**{f"{prefix}urgency__lt": Urgency.EMERGENCY, f"{prefix}parent__isnull": True})
        & (~Q(**{f"{prefix}state": State.REPORTED}) | Q(sent))
    )


def _read(rows: IncidentQuerySet, system: System | None = None) -> list[PublicCase]:
    mine = SentCase.objects.filter(pk=OuterRef("pk"))
    told = Q(Exists(mine.filter(for_public=True))) & ~Q(state=State.REPORTED)
    if system is not None:
        told |= Q(Exists(mine.filter(system=system)))
    found: Any = rows
    listed: QuerySet[Any] = found.annotate(
        lon=Func("location", function="ST_X", output_field=FloatField()),
        lat=Func("location", function="ST_Y", output_field=FloatField()),
        words=Case(
            When(told, then=Left("text", WORDS_LIMIT)), default=Value(""), output_field=TextField()
        ),
    )
    with planned_by_value():
        return list(starmap(PublicCase, listed.values_list(*_COLUMNS)))


def _pick(rows: IncidentQuerySet, first: int, last: int) -> list[int]:
    """Return the ids of a page out of all matches; the fence keeps the planner from walking."""
    found, params = rows.order_by().values("pk", "reported_at").query.sql_with_params()
    with planned_by_value(), connection.cursor() as cursor:
        cursor.execute(
            f"WITH found (id, reported_at) AS MATERIALIZED ({found}) SELECT id FROM found "  # noqa: S608
            "ORDER BY reported_at DESC, id DESC LIMIT %s OFFSET %s",
            [*params, last - first, first],
        )
        return [row[0] for row in cursor.fetchall()]


_AREAS = "SELECT id, name, code, ST_X(centre), ST_Y(centre) FROM grids_area WHERE id = ANY(%s)"
_EXPECTED = (
    "SELECT incident_id, min(due_at) FROM incidents_stageclock"
    " WHERE incident_id = ANY(%s) AND stage = %s AND finished_at IS NULL AND party_id IS NULL"
    " GROUP BY incident_id"
)


def _add(rows: list[PublicCase], items: dict[int, Category]) -> list[PublicCase]:
    """Give the rows their names, their item and when they should be done (2 queries, mostly)."""
    if not rows:
        return rows
    wanted = {
        pk
        for row in rows
        for pk in (row.county_id, row.town_id, row.village_id, row.grid_id, row.owner_area_id)
        if pk
    }
    with prepared.cursor() as cursor:
        cursor.execute(_AREAS, [list(wanted)])
        areas = {pk: rest for pk, *rest in cursor.fetchall()}
        cursor.execute(_EXPECTED, [[row.id for row in rows], Stage.RESOLVE])
        expected = dict(cursor.fetchall())
    departments = catalogue_names()["departments"]
    for row in rows:
        lineage = [row.grid_id, row.village_id, row.town_id, row.county_id]
        here = [areas[pk] for pk in lineage if pk]
        row.category = items.get(row.category_id or 0)
        row.place = [name for name, *_rest in here]
        row.area_code = here[0][1]
        row.expected_at = expected.get(row.id)
        if row.owner_department_id:
            row.owner = departments.get(row.owner_department_id, "")
        elif row.owner_area_id:
            row.owner = areas[row.owner_area_id][0]
        _blur(row, centre=here[0][2:])
    return rows


def _blur(row: PublicCase, *, centre: Any) -> None:
    exact = row.category is not None and row.category.publication == Publication.PLACE
    lon, lat = (row.lon, row.lat) if exact and row.lon is not None else centre
    row.lon = None if lon is None else round(lon, DEGREE_DIGITS)
    row.lat = None if lat is None else round(lat, DEGREE_DIGITS)
