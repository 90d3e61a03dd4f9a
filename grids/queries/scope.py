"""What one person may see, as it follows from postings; who signs in for demonstration.

What must not live here: who may open which view (grids/access.py).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property

from django.contrib.auth.models import AnonymousUser
from django.db.models import Model
from django.utils import timezone

from core.rows import Table, read
from grids.models import SHAPES, Area, Department, Leave, Posting, Role, TrailingArea, User
from grids.models.posting import KEEPERS


def _but(model: type[Model], *kept: str) -> list[str]:
    return [field.name for field in model._meta.fields if field.name not in kept]


# A person's postings in force, with their places; read by every request of somebody signed in.
_POSTING_TABLES = (
    Table(Posting, "p"),
    Table(Area, "a", without=SHAPES),
    Table(Department, "d"),
    Table(Area, "c", without=SHAPES),
    Table(TrailingArea, "t"),
    Table(Area, "h", without=_but(Area, "id", "path")),
    Table(Leave, "l", without=_but(Leave, "id")),
)
_POSTINGS = f"""
    SELECT {", ".join(table.columns for table in _POSTING_TABLES)}
      FROM grids_posting p
      LEFT JOIN grids_area a ON a.id = p.area_id
      LEFT JOIN grids_department d ON d.id = p.department_id
      LEFT JOIN grids_area c ON c.id = d.county_id
      LEFT JOIN grids_trailingarea t ON TRUE
      LEFT JOIN grids_area h ON h.id = t.heir_id
      LEFT JOIN grids_leave l ON l.posting_id = p.id AND l.away_from <= %s AND l.away_until > %s
        AND EXISTS (
            SELECT FROM grids_posting o JOIN grids_user u ON u.id = o.user_id AND u.is_active
             WHERE o.user_id <> p.user_id AND o.role = p.role
               AND (o.area_id = p.area_id OR o.department_id = p.department_id)
               AND o.valid_from <= %s AND (o.valid_to IS NULL OR o.valid_to > %s)
               AND NOT EXISTS (
                   SELECT FROM grids_leave away
                    WHERE away.posting_id = o.id
                      AND away.away_from <= %s AND away.away_until > %s))
     WHERE p.user_id = %s AND p.valid_from <= %s AND (p.valid_to IS NULL OR p.valid_to > %s)
     ORDER BY p.id
"""  # noqa: S608  only names of columns

COUNTY_WIDE_ROLES = frozenset({Role.COMMAND, Role.COUNTY_LEADER})


@dataclass(frozen=True)
class Scope:
    """What one person may see, as it follows from the postings in force on a day.

    ``postings`` holds everything; the rest is derived. A posting at an area
    opens the area and everything below it; a posting at a department opens
    what that department handles. ``trailing`` are the areas, anywhere, whose rows have not all
    followed an act yet; it is empty but for minutes. ``covered`` are the ids of postings whose
    person is on leave while somebody else holds the same post: the person keeps what the posting
    opens, but what is told to the post is told to the others.
    """

    postings: tuple[Posting, ...] = field(default=())
    trailing: tuple[TrailingArea, ...] = field(default=())
    covered: frozenset[int] = field(default=frozenset())

    @classmethod
    def for_user(cls, user: User | AnonymousUser, *, on: date | None = None) -> "Scope":
        """Return the scope of ``user`` (1 query; none for an anonymous user)."""
        if not user.is_authenticated or not user.is_active:
            return cls()
        day = on or timezone.localdate()
        postings: dict[int, Posting] = {}
        trailing: dict[int, TrailingArea] = {}
        covered: set[int] = set()
        rows = read(_POSTINGS, [*[day] * 6, user.pk, day, day], *_POSTING_TABLES)
        for posting, area, department, county, gone, heir, leave in rows:
            if posting.pk not in postings:
                posting.area, posting.department = area, department
                if department is not None:
                    department.county = county
                postings[posting.pk] = posting
            if gone is not None and gone.pk not in trailing:
                gone.heir = heir
                trailing[gone.pk] = gone
            if leave is not None:
                covered.add(posting.pk)
        return cls(tuple(postings.values()), tuple(trailing.values()), frozenset(covered))

    @cached_property
    def roles(self) -> frozenset[str]:
        """Roles held anywhere."""
        return frozenset(posting.role for posting in self.postings)

    @cached_property
    def areas(self) -> tuple[Area, ...]:
        """Areas opened for incidents, without those already inside another."""
        held = sorted(
            {p.area for p in self.postings if p.area and p.role not in KEEPERS},
            key=lambda area: area.path,
        )
        top: list[Area] = []
        for area in held:
            if not top or not area.path.startswith(top[-1].path):
                top.append(area)
        return tuple(top)

    @cached_property
    def departments(self) -> tuple[Department, ...]:
        """Departments the person handles cases for, each once."""
        return tuple(dict.fromkeys(p.department for p in self.postings if p.department))

    @cached_property
    def department_ids(self) -> frozenset[int]:
        """Ids of :attr:`departments`."""
        return frozenset(p.department_id for p in self.postings if p.department_id)

    def has(self, *roles: str) -> bool:
        """Return whether any of ``roles`` is held anywhere."""
        return not self.roles.isdisjoint(roles)

    def holds(self, role: str, area_ids: Iterable[int | None]) -> bool:
        """Return whether ``role`` is held exactly at one of ``area_ids``."""
        ids = set(area_ids)
        return any(p.role == role and p.area_id in ids for p in self.postings)

    def covers(self, area: Area) -> bool:
        """Return whether ``area`` lies inside the scope."""
        return any(area.path.startswith(held.path) for held in self.areas)


def demo_accounts() -> list[Posting]:
    """Return the first of each demonstration account's postings, in order of role (1 query).

    Each has its user, area and department; the login page shows them in demonstration mode.
    """
    rows = Posting.objects.current().filter(user__is_demo=True, user__is_active=True)
    order = {role: place for place, role in enumerate(Role.values)}
    first: dict[int, Posting] = {}
    for posting in rows.select_related("user", "area", "department").order_by("pk"):
        first.setdefault(posting.user_id, posting)
    return sorted(
        first.values(),
        key=lambda posting: (order[posting.role], posting.user.username),
    )
