"""Reads about hot topics and early warnings, always inside the areas somebody answers for.

What must not live here: making them (services/topics.py) and how they look (views/topics.py).
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Any, TypeVar

from django.db.models import F, Q, QuerySet

from core.text import bigrams
from grids.models import SHAPES, Area, Level, User
from grids.queries import Scope
from incidents.models import EarlyWarning, HotTopic, Incident
from incidents.models.incident import IncidentQuerySet
from incidents.queries.listing import Listed, light

MOST_TOPICS = 60
MOST_WARNINGS = 30
_LEVELS = (Level.COUNTY, Level.TOWN, Level.VILLAGE)
_PLACES = ("town", "village")
Row = TypeVar("Row", HotTopic, EarlyWarning)
_LIGHT = [f"{place}__{shape}" for place in _PLACES for shape in SHAPES]


def _inside(areas: Iterable[Area]) -> Q:
    """Return what lies in one of the areas; nothing for areas below a village."""
    reach = Q(pk__in=[])
    for area in areas:
        if area.level in _LEVELS:
            reach |= Q(**{f"{area.level}_id": area.pk})
    return reach


def hot_topics(areas: Sequence[Area], *, level: str = "") -> list[HotTopic]:
    """Return the hottest topics inside the areas, of villages or towns alone if asked (1 query)."""
    rows = HotTopic.objects.filter(_inside(areas), ended_on=None)
    if level:
        rows = rows.filter(village__isnull=level == Level.TOWN)
    return list(_named(rows).order_by("-heat", "id")[:MOST_TOPICS])


def warnings(areas: Sequence[Area]) -> list[EarlyWarning]:
    """Return the newest warnings inside the areas, those still going on first (1 query)."""
    rows = EarlyWarning.objects.filter(_inside(areas)).select_related("acknowledged_by")
    order = (F("ended_at").desc(nulls_first=True), "-raised_at", "-id")
    return list(_named(rows).order_by(*order)[:MOST_WARNINGS])


def _named(rows: QuerySet[Row]) -> QuerySet[Row]:
    return rows.select_related(*_PLACES, "category").defer(*_LIGHT)


def topic(pk: int, areas: Sequence[Area]) -> HotTopic | None:
    """Return a topic inside the areas, also one that has ended, else None (1 query)."""
    return _named(HotTopic.objects.filter(_inside(areas), pk=pk)).first()


def warning(pk: int, areas: Sequence[Area]) -> EarlyWarning | None:
    """Return a warning inside the areas, else None (1 query)."""
    return _named(EarlyWarning.objects.filter(_inside(areas), pk=pk)).first()


def cases_of(topic: HotTopic, *, user: User, scope: Scope) -> IncidentQuerySet:
    """Return the cases of a topic that ``user`` may open, unread."""
    rows = Incident.objects.visible_to(user, scope).filter(
        Q(category_id=topic.category_id) | Q(merged_into__category_id=topic.category_id),
        town_id=topic.town_id,
        reported_at__gte=topic.first_seen,
        reported_at__lte=topic.last_seen,
    )
    if topic.village_id is not None:
        rows = rows.filter(village_id=topic.village_id)
    if topic.words:
        rows = rows.filter(bigrams__overlap=bigrams(" ".join(topic.words)))
    return light(rows)


def samples(topics: Iterable[HotTopic], *, user: User, scope: Scope) -> dict[int, Listed]:
    """Return {id: case} of the topics' samples that ``user`` may open (1 query)."""
    ids: Collection[int] = {pk for row in topics for pk in row.sample}
    if not ids:
        return {}
    seen = Incident.objects.visible_to(user, scope).filter(pk__in=ids)
    cases: Iterable[Any] = light(seen)
    return {case.pk: case for case in cases}
