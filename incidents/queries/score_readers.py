"""Whose scores somebody may read: areas and departments of their post, people of their own line.

What must not live here: the scores themselves (queries/scores.py). A person's score is read by
the person, by whoever stands above at the same place or higher up, and by the command centre.
"""

from collections.abc import Collection

from grids.models import (
    SHAPES,
    Area,
    Department,
    Level,
    Posting,
    Role,
    User,
    shapes_of,
)
from grids.queries import Scope
from incidents.queries.scores import Whose

# Who reads the scores of an area and of what lies below it.
AREA_READERS = frozenset({Role.COMMAND, Role.COUNTY_LEADER, Role.TOWN_ADMIN, Role.VILLAGE_OFFICE})
COUNTY_READERS = frozenset({Role.COMMAND, Role.COUNTY_LEADER})
LEVELS = frozenset({Level.COUNTY, Level.TOWN, Level.VILLAGE, Level.GRID})
# Who is assessed by the month for work on the grids.
ASSESSED = frozenset({Role.GRID_WORKER, Role.GRID_CHIEF})
# The line, from below; who reads somebody's score stands higher.
_RANK: dict[str, int] = {
    Role.UNIT_HEAD: 0,
    Role.GRID_WORKER: 1,
    Role.GRID_CHIEF: 2,
    Role.GRID_GUIDE: 2,
    Role.MEDIATOR: 2,
    Role.DEPARTMENT_HANDLER: 2,
    Role.VILLAGE_OFFICE: 3,
    Role.TOWN_ADMIN: 4,
    Role.COMMAND: 5,
    Role.COUNTY_LEADER: 6,
}
_READS = _RANK | {Role.COMMAND: 7, Role.MEDIATOR: 0, Role.DEPARTMENT_HANDLER: 0}


def areas_read(scope: Scope) -> list[Area]:
    """Return the areas whose scores are open to ``scope``, top ones only (no query)."""
    held = {p.area for p in scope.postings if p.area and p.role in AREA_READERS}
    top: list[Area] = []
    for area in sorted(held, key=lambda area: area.path):
        if not top or not area.path.startswith(top[-1].path):
            top.append(area)
    return top


def area_read(scope: Scope, area_id: int) -> Area | None:
    """Return an area whose scores are open to ``scope``, else None (≤ 1 query)."""
    held = areas_read(scope)
    if not held:
        return None
    area = Area.objects.filter(pk=area_id, level__in=LEVELS).defer(*SHAPES).first()
    inside = area is not None and any(area.path.startswith(top.path) for top in held)
    return area if inside else None


def counties_read(scope: Scope) -> list[Area]:
    """Return the counties the person of ``scope`` watches as a whole (no query)."""
    return [p.area for p in scope.postings if p.area and p.role in COUNTY_READERS]


def departments_read(scope: Scope) -> list[Department]:
    """Return the departments whose scores are open to ``scope`` (≤ 1 query)."""
    counties = counties_read(scope)
    if not counties:
        return list(scope.departments)
    return list(Department.objects.filter(county__in=counties).order_by("code"))


def areas_below(area: Area) -> list[Area]:
    """Return the areas right below that count today, without units (1 query)."""
    rows = Area.objects.open().filter(path__startswith=area.path, depth=area.depth + 1)
    return list(rows.filter(level__in=LEVELS).defer(*SHAPES).order_by("code"))


def grid_people_at(scope: Scope, area: Area) -> list[Posting]:
    """Return who works on the grids of ``area`` below the reader, each once (≤ 1 query).

    The posting carries ``user`` and ``area``.
    """
    roles = [role for role in ASSESSED if _reads_from(scope, area) > _RANK[role]]
    rows = (
        Posting.objects.current()
        .filter(role__in=roles, area__path__startswith=area.path, user__is_active=True)
        .select_related("user", "area")
        .defer(*shapes_of("area"))
        .order_by("area__path", "pk")
    )
    return _each_once(rows)


def handlers_of(department: Department) -> list[Posting]:
    """Return who works in the department today, each once (1 query)."""
    rows = Posting.objects.current().filter(department=department, user__is_active=True)
    return _each_once(rows.select_related("user").order_by("pk"))


def person_read(user: User, scope: Scope, person_id: int) -> User | None:
    """Return somebody whose scores ``user`` may read, else None (≤ 2 queries).

    Somebody without a post today is read by the line of the last one.
    """
    if person_id == user.pk:
        return user
    rows = Posting.objects.filter(user=person_id)
    held = rows.select_related("user", "area", "department__county").order_by("-valid_from")
    postings = list(held.defer(*shapes_of("area", "department__county")))
    today = set(rows.current().values_list("pk", flat=True)) if postings else set()
    posts = [posting for posting in postings if posting.pk in today] or postings[:1]
    if any(_reads_from(scope, _place(posting)) > _RANK.get(posting.role, 9) for posting in posts):
        return posts[0].user
    return None


def whose_read(user: User, scope: Scope, kind: str, pk: int) -> tuple[Whose, str] | None:
    """Return whose number an address names, and the name to show; None outside (≤ 2 queries)."""
    if kind == "area":
        area = area_read(scope, pk)
        return (Whose.area(area), area.name) if area else None
    if kind == "department":
        department = next((row for row in departments_read(scope) if row.pk == pk), None)
        return (Whose("department_id", pk), department.label) if department else None
    person = person_read(user, scope, pk) if kind == "person" else None
    return (Whose("person_id", pk), str(person)) if person else None


def _place(posting: Posting) -> Area:
    return posting.area or posting.department.county  # type: ignore[union-attr]  # one is there


def _reads_from(scope: Scope, area: Area) -> int:
    """Return how high the reader stands above ``area``, -1 outside."""
    ranks = [
        _READS.get(p.role, -1)
        for p in scope.postings
        if p.area and area.path.startswith(p.area.path)
    ]
    return max(ranks, default=-1)


def _each_once(rows: Collection[Posting]) -> list[Posting]:
    first: dict[int, Posting] = {}
    for posting in rows:
        first.setdefault(posting.user_id, posting)
    return list(first.values())
