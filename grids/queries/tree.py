"""The tree as people browse it: children, the way up, what is searched, facts of one area.

What lives here: reads for the territory pages. What must not: rights to change (reach.py).
"""

import re
from dataclasses import dataclass
from typing import Any

from django.db.models import Exists, OuterRef, Q
from django.utils import timezone
from django.utils.translation import ngettext

from grids.models import (
    SHAPES,
    AllianceGrid,
    Area,
    DutyShift,
    Level,
    Posting,
    Role,
    ThemeDuty,
)
from grids.models.area import AreaQuerySet
from grids.queries.reach import TERRITORY_ROLES
from grids.queries.scope import Scope

# The village office looks at what others keep.
LOOKERS = TERRITORY_ROLES | {Role.VILLAGE_OFFICE}
FOUND_LIMIT = 30


def seen_areas(scope: Scope) -> AreaQuerySet:
    """Return the areas a person may look at on the territory pages, without shapes."""
    held = [p.area for p in scope.postings if p.area and p.role in LOOKERS]
    return Area.objects.inside(*held).defer(*SHAPES)


def roots_of(scope: Scope) -> list[Area]:
    """Return the areas the tree begins with for a person, top ones only (no query)."""
    held = {p.area for p in scope.postings if p.area and p.role in LOOKERS}
    roots: list[Area] = []
    for area in sorted(held, key=lambda area: area.path):
        if not roots or not area.path.startswith(roots[-1].path):
            roots.append(area)
    return roots


def children_of(area: Area) -> list[Area]:
    """Return all children, closed ones last, in order of code (1 query).

    Digits of the codes bound them: at most 999.
    """
    below = Area.objects.filter(path__startswith=area.path, depth=area.depth + 1)
    return sorted(
        below.defer(*SHAPES).order_by("code"), key=lambda child: child.closed_on is not None
    )


def way_to(area: Area) -> list[Area]:
    """Return the areas above ``area``, top first, without shapes (1 query)."""
    return list(Area.objects.filter(path__in=area.lineage_paths[:-1]).defer(*SHAPES))


def search(scope: Scope, text: str) -> list[Area]:
    """Return areas of the scope by part of a name, or by a code they have or had.

    At most FOUND_LIMIT, open ones first (≤ 2 queries).
    """
    text = re.sub(r"\s+", "", text.replace("\x00", ""))[:50]
    if not text:
        return []
    reach = Q(name__icontains=text)
    if text.isascii() and text.isdigit():
        reach |= Q(code__startswith=text) | Q(codes__code=text)
    found = seen_areas(scope).filter(reach).distinct()
    return list(found.order_by("closed_on", "code")[:FOUND_LIMIT].defer(*SHAPES))


@dataclass(frozen=True)
class Facts:
    """What a page says of one area beside itself."""

    codes: list[Any]
    postings: list[Posting]
    duties: list[ThemeDuty]
    alliances: list[AllianceGrid]
    merged: list[Area]


def facts_of(area: Area) -> Facts:
    """Return code history, people in post, duties, alliances and what was merged (5 queries).

    Each posting says whether its holder is ``on_duty`` now.
    """
    on_duty = Exists(DutyShift.objects.running(timezone.now()).filter(user=OuterRef("user")))
    posts = Posting.objects.current().filter(area=area)
    people = posts.select_related("user").annotate(on_duty=on_duty)
    duties = ThemeDuty.objects.current().filter(grid=area).select_related("theme", "user")
    alliances = AllianceGrid.objects.open().filter(members__village=area)
    return Facts(
        codes=list(area.codes.order_by("-pk")),
        postings=sorted(people, key=lambda posting: (_rank(posting.role), posting.pk)),
        duties=list(duties),
        alliances=list(alliances.select_related("lead").defer(*_lead_shapes())),
        merged=list(area.merged.defer(*SHAPES)),
    )


def _rank(role: str) -> int:
    return -list(Role.values).index(role)


def _lead_shapes() -> list[str]:
    return [f"lead__{shape}" for shape in SHAPES]


def obstacles(area: Area) -> list[str]:
    """Return the open children and the people in post at an area, in words (2 queries)."""
    children = Area.objects.open().filter(path__startswith=area.path, depth=area.depth + 1).count()
    now = Q(valid_to__isnull=True) | Q(valid_to__gt=timezone.localdate())
    posts = Posting.objects.filter(now, area=area).count()
    said = []
    if children:
        said.append(ngettext("%(n)s area below it", "%(n)s areas below it", children))
        said[-1] %= {"n": children}
    if posts:
        said.append(ngettext("%(n)s person in post", "%(n)s people in post", posts) % {"n": posts})
    return said


def persons_near(grid: Area) -> list[Posting]:
    """Return who may answer for a theme in a grid: people in post in it, its village, its town.

    One posting each, the nearest (1 query).
    """
    above = Area.objects.filter(path__in=grid.lineage_paths, level__in=[Level.VILLAGE, Level.TOWN])
    near = Q(area__path__startswith=grid.path) | Q(area__in=above)
    rows = Posting.objects.current().filter(near, user__is_active=True)
    nearest: dict[int, Posting] = {}
    for posting in rows.select_related("user", "area").order_by("-area__depth", "pk"):
        nearest.setdefault(posting.user_id, posting)
    return list(nearest.values())
