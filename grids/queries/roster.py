"""Reads of the roster: who is on it, where, who is away, which grids have no chief.

What lives here: who may keep which posting, and the lists. What must not: changing any of it
(services/people.py).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from django.db.models import Exists, OuterRef, Prefetch, Q, QuerySet
from django.utils import timezone

from core.crypto import blind_index
from core.phone import PhoneError, plain_phone
from grids.models import (
    SHAPES,
    Area,
    Department,
    GridWithoutChief,
    Leave,
    Level,
    Posting,
    Role,
    User,
    shapes_of,
)
from grids.queries.reach import TERRITORY_ROLES, Reach
from grids.queries.scope import Scope

# Who opens the roster; the system administrator looks after accounts only.
ROSTER_ROLES = TERRITORY_ROLES
_OF_A_TOWN = frozenset(
    {
        Role.UNIT_HEAD,
        Role.GRID_WORKER,
        Role.GRID_CHIEF,
        Role.GRID_GUIDE,
        Role.VILLAGE_OFFICE,
        Role.MEDIATOR,
    }
)
# Which postings each role gives and ends below its own place. Nobody gives their own; command
# centre and the three administrators are posted in the administration site.
KEEPS: dict[str, frozenset[str]] = {
    Role.TOWN_ADMIN: _OF_A_TOWN,
    Role.COMMAND: _OF_A_TOWN | {Role.TOWN_ADMIN, Role.DEPARTMENT_HANDLER, Role.COUNTY_LEADER},
}
KEEPING_ROLES = frozenset(KEEPS)

STANDINGS = ("current", "leave", "ended")


@dataclass(frozen=True)
class RosterFilter:
    """What a list of people is narrowed to; "" and None for everything.

    ``standing`` is one of STANDINGS; ``search`` a name, an account, a whole phone or ID number.
    """

    role: str = ""
    worker_kind: str = ""
    place: Area | None = None
    standing: str = "current"
    search: str = ""


def kept_roles(scope: Scope) -> list[str]:
    """Return the roles somebody may give anywhere, in the order people know."""
    kept = {role for posting in scope.postings for role in KEEPS.get(posting.role, ())}
    return [role for role in Role.values if role in kept]


def path_of(place: Area | Department) -> str:
    """Return where a place lies in the tree, a department in its county (≤ 1 query)."""
    return place.path if isinstance(place, Area) else place.county.path


def may_post(scope: Scope, role: str, place: Area | Department) -> bool:
    """Return whether the person of ``scope`` may give or end ``role`` at ``place`` (≤ 1 query)."""
    path = path_of(place)
    return any(
        role in KEEPS.get(posting.role, ()) and posting.area and path.startswith(posting.area.path)
        for posting in scope.postings
    )


def keeps_all(scope: Scope, postings: Iterable[Posting]) -> bool:
    """Return whether every post of one person that is open, else any, is one to give.

    Who also serves elsewhere is looked after by whoever keeps both places; a town does not change
    the phone, or the password, of somebody with a post in the county.
    """
    held = list(postings)
    today = timezone.localdate()
    if open_now := [p for p in held if p.valid_to is None or p.valid_to > today]:
        return all(may_post(scope, p.role, p.place) for p in open_now)
    return any(may_post(scope, p.role, p.place) for p in held)


def may_keep(scope: Scope, person: User) -> bool:
    """Return whether the person of ``scope`` keeps all of ``person``'s posts (1 query)."""
    return person.pk in kept_people(scope, [person.pk])


def kept_people(scope: Scope, ids: Iterable[int]) -> set[int]:
    """Return those people whose posts the person of ``scope`` keeps all (1 query)."""
    held: dict[int, list[Posting]] = {}
    rows = Posting.objects.filter(user__in=list(ids)).select_related("area", "department__county")
    for posting in rows.defer(*shapes_of("area", "department__county")):
        held.setdefault(posting.user_id, []).append(posting)
    return {pk for pk, mine in held.items() if keeps_all(scope, mine)}


def is_seen(areas: Sequence[Area], postings: Iterable[Posting]) -> bool:
    """Return whether somebody with these posts is on the roster of ``areas``, or on nobody's now.

    Whoever is in post somewhere else is for the county to transfer.
    """
    held = list(postings)
    paths = tuple(area.path for area in areas)
    today = timezone.localdate()
    return any(path_of(p.place).startswith(paths) for p in held) or all(
        p.valid_to is not None and p.valid_to <= today for p in held
    )


def postings_within(areas: Iterable[Area]) -> QuerySet[Posting]:
    """Return all postings at or below these areas, those at the departments of a county too."""
    reach = Q(pk__in=[])
    for area in areas:
        reach |= Q(area__path__startswith=area.path)
        if area.level == Level.COUNTY:
            reach |= Q(department__county=area.pk)
    return Posting.objects.filter(reach)


def wanted_postings(areas: Sequence[Area], wanted: RosterFilter) -> QuerySet[Posting]:
    """Return the postings at or below ``areas`` that a list is narrowed to."""
    today = timezone.localdate()
    postings = postings_within(areas)
    if wanted.place is not None:
        postings = postings.filter(area__path__startswith=wanted.place.path)
    if wanted.role:
        postings = postings.filter(role=wanted.role)
    if wanted.worker_kind:
        postings = postings.filter(worker_kind=wanted.worker_kind)
    if wanted.standing == "current":
        postings = postings.filter(Q(valid_to__isnull=True) | Q(valid_to__gt=today))
    elif wanted.standing == "ended":
        postings = postings.filter(valid_to__lte=today)
    elif wanted.standing == "leave":
        postings = postings.filter(Exists(Leave.objects.on(today).filter(posting=OuterRef("pk"))))
    return postings


def people(areas: Sequence[Area], wanted: RosterFilter) -> QuerySet[User]:
    """Return the people with a posting at or below ``areas``, by name; page by PEOPLE_ORDER.

    Outside of ``areas`` nothing is found, whatever the filter says.
    """
    found = User.objects.filter(pk__in=wanted_postings(areas, wanted).values("user_id"))
    return found.filter(_search(wanted.search)) if wanted.search.strip() else found


def listed_postings(areas: Sequence[Area], wanted: RosterFilter) -> QuerySet[Posting]:
    """Return the postings of the list ``people`` gives, with person and place, by name.

    A person's newest posting comes first.
    """
    postings = wanted_postings(areas, wanted)
    if wanted.search.strip():
        postings = postings.filter(user__in=User.objects.filter(_search(wanted.search)))
    rows = postings.select_related("user", "area", "department").defer(*shapes_of("area"))
    return rows.order_by("user__display_name", "user", "-valid_from", "-pk")


PEOPLE_ORDER = ("display_name", "id")


def _search(text: str) -> Q:
    """Return who is meant: by phone, ID number or account exactly, by a part of the name."""
    text = text.strip()
    try:
        phone = plain_phone(text)
    except PhoneError:
        phone = text
    return (
        Q(display_name__icontains=text)
        | Q(username=text)
        | Q(phone_index=blind_index(phone))
        | Q(id_index=blind_index(text.upper()))
    )


def postings_of(users: Iterable[User], areas: Sequence[Area]) -> dict[int, list[Posting]]:
    """Return {user id: postings inside ``areas``, newest first} with their places (2 queries).

    Each posting has ``leaves`` with their substitutes prefetched, and ``covers`` where it stands
    in for somebody.
    """
    leaves = Leave.objects.order_by("away_from").select_related("cover__user")
    rows = (
        postings_within(areas)
        .filter(user__in=[user.pk for user in users])
        .select_related("area", "department", "covers__posting__user")
        .defer(*shapes_of("area"))
        .prefetch_related(Prefetch("leaves", queryset=leaves))
        .order_by("-valid_from", "-pk")
    )
    found: dict[int, list[Posting]] = {}
    for posting in rows:
        found.setdefault(posting.user_id, []).append(posting)
    return found


def person_of(person_id: int, areas: Sequence[Area]) -> User | None:
    """Return somebody with a posting, past ones too, inside ``areas``; None otherwise (1 query)."""
    inside = postings_within(areas).values("user_id")
    return User.objects.filter(pk=person_id, pk__in=inside).first()


def place_of_code(code: str, areas: Sequence[Area]) -> Area | None:
    """Return the area of this code inside ``areas`` (1 query)."""
    return Area.objects.inside(*areas).filter(code=code).defer(*SHAPES).first()


def named_places(text: str, areas: Sequence[Area], *, levels: Iterable[str] = ()) -> list[Area]:
    """Return at most six open areas inside ``areas`` that a code or whole name means (1 query)."""
    found = Area.objects.open().inside(*areas).filter(Q(code=text) | Q(name=text))
    if levels:
        found = found.filter(level__in=levels)
    return list(found.defer(*SHAPES)[:6])


def named_people(text: str, areas: Sequence[Area]) -> list[User]:
    """Return at most six active people of the roster whom a name or an account means (1 query)."""
    inside = postings_within(areas).values("user_id")
    found = User.objects.filter(Q(username=text) | Q(display_name=text), pk__in=inside)
    return list(found.filter(is_active=True).order_by("pk")[:6])


def posting_of(posting_id: int, areas: Sequence[Area]) -> Posting | None:
    """Return a posting inside ``areas`` with its person and place (1 query)."""
    rows = postings_within(areas).select_related("user", "area", "department__county")
    return rows.defer(*shapes_of("area", "department__county")).filter(pk=posting_id).first()


def place_words(areas: Iterable[Area | None]) -> dict[int, str]:
    """Return {area id: "town · village · grid"} below the county (1 query)."""
    wanted = {area.pk: area for area in areas if area is not None}
    paths = {path for area in wanted.values() for path in area.lineage_paths}
    rows = Area.objects.filter(path__in=paths).values_list("path", "name", "level")
    names = {path: (name, level) for path, name, level in rows}
    words = {}
    for pk, area in wanted.items():
        line = [names[path] for path in area.lineage_paths if path in names]
        below = [name for name, level in line if level not in _ABOVE_TOWNS]
        words[pk] = " · ".join(below) or area.name
    return words


_ABOVE_TOWNS = frozenset({Level.PROVINCE, Level.CITY, Level.COUNTY})


def chiefless(areas: Sequence[Area], *, on: date | None = None) -> QuerySet[Area]:
    """Return the open grids inside ``areas`` without a chief that day, by path, without shapes."""
    chiefs = Posting.objects.on(on or timezone.localdate()).filter(
        area=OuterRef("pk"), role=Role.GRID_CHIEF
    )
    grids = Area.objects.open().inside(*areas).filter(level=Level.GRID)
    return grids.filter(~Exists(chiefs)).defer(*SHAPES)


def marks_of(grids: Iterable[Area]) -> dict[int, GridWithoutChief]:
    """Return {grid id: why it may be without a chief} (1 query)."""
    rows = GridWithoutChief.objects.filter(grid__in=[g.pk for g in grids], lifted_on__isnull=True)
    return {mark.grid_id: mark for mark in rows.select_related("marked_by")}


def bare_without(posting: Posting, *, on: date) -> bool:
    """Return whether its grid would have neither chief nor mark without ``posting`` (2 queries).

    A substitute is none to be left with: that posting ends with the leave.
    """
    if posting.role != Role.GRID_CHIEF or posting.area is None or posting.area.closed_on:
        return False
    others = Posting.objects.on(on).filter(
        area=posting.area_id, role=Role.GRID_CHIEF, covers__isnull=True
    )
    if others.exclude(pk=posting.pk).exists():
        return False
    marked = GridWithoutChief.objects.filter(grid=posting.area_id, lifted_on__isnull=True)
    return not marked.exists()


def areas_of(scope: Scope) -> tuple[Area, ...]:
    """Return where the roster is open to the person of ``scope`` (no query)."""
    return Reach.of(scope).areas
