"""Reads of workers' files: who may open whose, and what stands in one.

What must not live here: writing an entry (services/worker_file.py), cards (cards.py).
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from django.db.models import Count, Prefetch, Q, QuerySet

from grids.models import (
    FILE_ROLES,
    SHAPES,
    Area,
    Attendance,
    Award,
    Level,
    MonthlyAssessment,
    NegativeEntry,
    NegativeItem,
    Posting,
    Recommendation,
    ReserveRecommendation,
    Role,
    Selection,
    Training,
    User,
    WorkerKind,
    shapes_of,
)
from grids.queries.roster import place_words
from grids.queries.scope import Scope

# Who reads the files of those who work below them, and who writes in them. Everybody reads their
# own; nobody writes in it.
FILE_READERS = frozenset({Role.TOWN_ADMIN, Role.VILLAGE_OFFICE, Role.COMMAND})
FILE_KEEPERS = frozenset({Role.TOWN_ADMIN})
MONTHS_SHOWN = 24


def held_paths(scope: Scope, roles: Collection[str]) -> tuple[str, ...]:
    """Return the paths of the areas where one of ``roles`` is held."""
    return tuple(p.area.path for p in scope.postings if p.area and p.role in roles)


def work_postings(person_id: int) -> list[Posting]:
    """Return the posts somebody works in today, else the one that ended last (≤ 2 queries).

    A file moves with its person: the town somebody left reads it no longer once another has it.
    """
    rows = Posting.objects.filter(user=person_id, role__in=FILE_ROLES).select_related("area")
    postings = list(rows.defer(*shapes_of("area")).order_by("-valid_from", "-pk"))
    today = set(rows.current().values_list("pk", flat=True)) if postings else set()
    current = [posting for posting in postings if posting.pk in today]
    ended = sorted(postings, key=lambda p: (p.valid_to or date.max, p.pk), reverse=True)
    return current or ended[:1]


def works_inside(person_id: int, paths: tuple[str, ...]) -> bool:
    """Return whether the person works at or below one of ``paths`` (≤ 2 queries)."""
    if not paths:
        return False
    return any(p.area and p.area.path.startswith(paths) for p in work_postings(person_id))


def worker_for(person_id: int, scope: Scope, roles: Collection[str] = FILE_READERS) -> User | None:
    """Return somebody who works where one of ``roles`` is held, else None (≤ 3 queries)."""
    if not works_inside(person_id, held_paths(scope, roles)):
        return None
    return User.objects.filter(pk=person_id).first()


def may_keep_file(user: User, scope: Scope, person: User) -> bool:
    """Return whether ``user`` writes in the file of ``person`` (≤ 2 queries)."""
    return person.pk != user.pk and works_inside(person.pk, held_paths(scope, FILE_KEEPERS))


@dataclass
class WorkerFile:
    """Everything in one file, newest first; withdrawn entries are there and say so."""

    person: User
    postings: list[Posting]
    places: dict[int, str]
    selections: list[Selection]
    attendances: list[Attendance]
    negatives: list[NegativeEntry]
    awards: list[Award]
    reserves: list[ReserveRecommendation]
    assessments: list[MonthlyAssessment]
    hours: Any = field(default=0)


def file_of(person: User) -> WorkerFile:
    """Return the file of ``person`` (10 queries, however much stands in it)."""
    by = ("recorded_by", "withdrawn_by")
    postings = work_postings(person.pk)
    steps = Prefetch("recommendations", queryset=Recommendation.objects.order_by("on", "pk"))
    selections = list(
        Selection.objects.filter(person=person)
        .select_related("grid", "posting", *by)
        .defer(*shapes_of("grid"))
        .prefetch_related(steps)
        .order_by("-recorded_at", "-pk")
    )
    attendances = list(
        Attendance.objects.filter(person=person)
        .select_related("training", *by)
        .order_by("-training__held_on", "-pk")
    )
    return WorkerFile(
        person=person,
        postings=postings,
        places=place_words([p.area for p in postings] + [s.grid for s in selections]),
        selections=selections,
        attendances=attendances,
        negatives=list(
            NegativeEntry.objects.filter(person=person)
            .select_related("item", *by)
            .order_by("-happened_on", "-pk")
        ),
        awards=list(
            Award.objects.filter(person=person).select_related(*by).order_by("-awarded_on", "-pk")
        ),
        reserves=list(
            ReserveRecommendation.objects.filter(person=person)
            .select_related(*by)
            .order_by("-recommended_on", "-pk")
        ),
        assessments=list(
            MonthlyAssessment.objects.filter(person=person).order_by(
                "-month", "-computed_at", "-pk"
            )[:MONTHS_SHOWN]
        ),
        hours=sum(a.training.hours for a in attendances if a.withdrawn_at is None),
    )


ENTRIES = {
    "selection": Selection,
    "attendance": Attendance,
    "negative": NegativeEntry,
    "award": Award,
    "reserve": ReserveRecommendation,
}


def entry_of(kind: str, entry_id: int, person: User) -> Any | None:
    """Return one entry of the person's file, withdrawn or not, else None (1 query)."""
    model: Any = ENTRIES.get(kind)
    return model.objects.filter(pk=entry_id, person=person).first() if model else None


def negative_items() -> QuerySet[NegativeItem]:
    """Return the items of the negative list in use."""
    return NegativeItem.objects.filter(active=True)


def grids_of(person: User) -> QuerySet[Area]:
    """Return the grids somebody is or was posted at, without shapes."""
    ids = Posting.objects.filter(user=person, area__level=Level.GRID).values("area")
    return Area.objects.filter(pk__in=ids).defer(*SHAPES)


def postings_without_selection(person: User, grid: Area) -> QuerySet[Posting]:
    """Return the person's full-time postings at a grid that point to no selection yet."""
    return Posting.objects.filter(
        user=person,
        area=grid,
        role=Role.GRID_WORKER,
        worker_kind=WorkerKind.FULL_TIME,
        selection__isnull=True,
    ).order_by("-valid_from")


def trainings_of(towns: Collection[Area]) -> QuerySet[Training]:
    """Return the trainings of these towns with ``people``, how many attended; page by -held_on."""
    standing = Count("attendances", filter=Q(attendances__withdrawn_at__isnull=True))
    return (
        Training.objects.filter(town__in=[town.pk for town in towns])
        .select_related("town")
        .defer(*shapes_of("town"))
        .annotate(people=standing)
    )


TRAININGS_ORDER = ("-held_on", "-id")


def workers_of(town: Area) -> list[Posting]:
    """Return who works in a town today, each person once, by place (2 queries).

    The posting carries ``user`` and ``area``, and ``village`` with the village's name.
    """
    rows = (
        Posting.objects.current()
        .filter(role__in=FILE_ROLES, area__path__startswith=town.path, user__is_active=True)
        .select_related("user", "area")
        .defer(*shapes_of("area"))
        .order_by("area__path", "pk")
    )
    first: dict[int, Posting] = {}
    for posting in rows:
        first.setdefault(posting.user_id, posting)
    villages = Area.objects.filter(path__startswith=town.path, level=Level.VILLAGE)
    names = dict(villages.values_list("path", "name"))
    step = Area.steplen
    depth = len(town.path) + step
    for posting in first.values():
        assert posting.area is not None
        posting.village = names.get(posting.area.path[:depth], "")  # type: ignore[attr-defined]
    return list(first.values())


def towns_kept(scope: Scope) -> list[Area]:
    """Return the towns whose files the person of ``scope`` keeps."""
    held = {p.area for p in scope.postings if p.area and p.role in FILE_KEEPERS}
    return sorted(held, key=lambda area: area.path)
