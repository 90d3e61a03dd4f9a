"""Reads over territory and people: scope, point to grid, place names in a text.

What must not live here: anything that changes a row.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from time import monotonic
from typing import NamedTuple

from django.contrib.auth.models import AnonymousUser
from django.db import connection
from django.utils import timezone

from core import prepared
from core.rows import Table, read
from grids.models import SHAPES, Area, Department, Level, Posting, Role, User
from grids.models.posting import KEEPERS

# A point further than this from every grid is outside the county, in metres.
NEAREST_GRID_LIMIT = 3000

# A person's postings in force, with their places; read by every request of somebody signed in.
_POSTING_TABLES = (
    Table(Posting, "p"),
    Table(Area, "a", without=SHAPES),
    Table(Department, "d"),
    Table(Area, "c", without=SHAPES),
)
_POSTINGS = f"""
    SELECT {", ".join(table.columns for table in _POSTING_TABLES)}
      FROM grids_posting p
      LEFT JOIN grids_area a ON a.id = p.area_id
      LEFT JOIN grids_department d ON d.id = p.department_id
      LEFT JOIN grids_area c ON c.id = d.county_id
     WHERE p.user_id = %s AND p.valid_from <= %s AND (p.valid_to IS NULL OR p.valid_to > %s)
     ORDER BY p.id
"""  # noqa: S608  only names of columns

COUNTY_WIDE_ROLES = frozenset({Role.COMMAND, Role.COUNTY_LEADER})


@dataclass(frozen=True)
class Scope:
    """What one person may see, as it follows from the postings in force on a day.

    ``postings`` holds everything; the rest is derived. A posting at an area
    opens the area and everything below it; a posting at a department opens
    what that department handles.
    """

    postings: tuple[Posting, ...] = field(default=())

    @classmethod
    def for_user(cls, user: User | AnonymousUser, *, on: date | None = None) -> "Scope":
        """Return the scope of ``user`` (1 query; none for an anonymous user)."""
        if not user.is_authenticated or not user.is_active:
            return cls()
        day = on or timezone.localdate()
        postings = []
        rows = read(_POSTINGS, [user.pk, day, day], *_POSTING_TABLES)
        for posting, area, department, county in rows:
            posting.area, posting.department = area, department
            if department is not None:
                department.county = county
            postings.append(posting)
        return cls(tuple(postings))

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


def names_of(area_ids: Iterable[int | None]) -> dict[int, str]:
    """Return {id: name} of the areas (1 query; none for no area)."""
    ids = list({pk for pk in area_ids if pk is not None})
    if not ids:
        return {}
    with prepared.cursor() as cursor:
        # One array instead of hundreds of parameters.
        cursor.execute("SELECT id, name FROM grids_area WHERE id = ANY(%s)", [ids])
        return dict(cursor.fetchall())


@dataclass(frozen=True)
class Place:
    """Where something is: ids by fixed level, the deepest area, and how it was found.

    ``found_by`` is ``polygon``, ``nearest``, ``address``, ``given`` or ``county``
    (nothing better than the county itself).
    """

    area_id: int
    county_id: int
    found_by: str
    town_id: int | None = None
    village_id: int | None = None
    grid_id: int | None = None
    unit_id: int | None = None


_LINEAGE_OF_POINT = """
    WITH spot AS (SELECT ST_SetSRID(ST_MakePoint(%s, %s), 4326) AS point),
    hit AS (
        (SELECT path, 0 AS far FROM grids_area, spot
          WHERE level = 'grid' AND closed_on IS NULL AND ST_Covers(boundary, point)
          ORDER BY id LIMIT 1)
        UNION ALL
        (SELECT path, 1 AS far FROM grids_area, spot
          WHERE level = 'grid' AND closed_on IS NULL
            AND ST_DWithin(boundary, point, 0.05)
            AND ST_Distance(boundary::geography, point::geography) <= %s
          ORDER BY boundary <-> point, id LIMIT 1)
        LIMIT 1
    )
    SELECT hit.far, above.level, above.id
      FROM hit JOIN grids_area above ON above.path = ANY (ARRAY(
           SELECT left(hit.path, n * {step})
             FROM generate_series(1, length(hit.path) / {step}) AS n))
"""


def place_of_point(*, longitude: float, latitude: float) -> Place | None:
    """Return the grid that covers a WGS-84 point, else the nearest within 3 km, else None.

    One query. On a shared border the older grid wins, so the answer is stable.
    """
    with prepared.cursor() as cursor:
        cursor.execute(
            _LINEAGE_OF_POINT.format(step=Area.steplen), [longitude, latitude, NEAREST_GRID_LIMIT]
        )
        rows = cursor.fetchall()
    if not rows:
        return None
    ids = {level: pk for _far, level, pk in rows}
    return Place(
        area_id=ids[Level.GRID],
        county_id=ids[Level.COUNTY],
        town_id=ids.get(Level.TOWN),
        village_id=ids.get(Level.VILLAGE),
        grid_id=ids[Level.GRID],
        found_by="nearest" if rows[0][0] else "polygon",
    )


def place_of_area(area: Area, *, found_by: str = "given") -> Place:
    """Return the place that is ``area`` itself (1 query)."""
    lineage = Area.objects.filter(path__in=area.lineage_paths).values_list("level", "pk")
    ids = dict(lineage)
    return Place(
        area_id=area.pk,
        county_id=ids[Level.COUNTY],
        town_id=ids.get(Level.TOWN),
        village_id=ids.get(Level.VILLAGE),
        grid_id=ids.get(Level.GRID),
        unit_id=ids.get(Level.UNIT),
        found_by=found_by,
    )


# Endings people leave out when they say where something is.
_SPOKEN_ENDINGS = ("村民委员会", "居民委员会", "社区居委会", "街道办事处", "村委会", "居委会")


def spoken_names(name: str) -> list[str]:
    """Return the ways people say an area's name.

    >>> spoken_names("大史庄村民委员会")
    ['大史庄村民委员会', '大史庄村', '大史庄']
    """
    for ending in _SPOKEN_ENDINGS:
        if name.endswith(ending) and len(name) - len(ending) >= 2:
            stem = name.removesuffix(ending)
            return [name, f"{stem}社区" if ending.startswith("社区") else f"{stem}村", stem]
    return [name]


class _Named(NamedTuple):
    """A town or village that can be named in a text."""

    pk: int
    path: str
    level: str
    names: tuple[str, ...]


# Names change by import, seldom; each process reads them again after so many seconds.
NAMES_KEPT = 60
_names: dict[int, tuple[float, list[_Named]]] = {}


def _named_areas(county: Area) -> list[_Named]:
    until, rows = _names.get(county.pk, (0.0, []))
    if monotonic() < until:
        return rows
    found = (
        Area.objects.open()
        .filter(path__startswith=county.path, level__in=[Level.TOWN, Level.VILLAGE])
        .values_list("pk", "path", "level", "name")
    )
    rows = [_Named(pk, path, level, tuple(spoken_names(name))) for pk, path, level, name in found]
    _names[county.pk] = (monotonic() + NAMES_KEPT, rows)
    return rows


def forget_names() -> None:
    """Make the next :func:`place_of_text` of this process read the names again."""
    _names.clear()


def place_of_text(text: str, *, county: Area) -> Place | None:
    """Return the most precise area of ``county`` that ``text`` names without doubt, else None.

    Towns are looked for first; a village name counts when it is unique inside
    the towns named, or unique in the whole county. Two candidates are no answer:
    names repeat, and a wrong village is worse than the town alone. Names may be
    up to a minute old.
    """
    if len(text.strip()) < 2:
        return None
    named = [
        (row, size)
        for row in _named_areas(county)
        if (size := max((len(name) for name in row.names if name in text), default=0))
    ]
    towns = [row for row, _size in named if row.level == Level.TOWN]
    villages = [(row, size) for row, size in named if row.level == Level.VILLAGE]
    if towns:
        villages = [(v, s) for v, s in villages if any(v.path.startswith(t.path) for t in towns)]
    longest = max((size for _village, size in villages), default=0)
    best = [village for village, size in villages if size == longest]
    if len(best) == 1:
        return _place_of_named(best[0])
    if len(towns) == 1:
        return _place_of_named(towns[0])
    return None


def _place_of_named(row: _Named) -> Place | None:
    area = Area.objects.filter(pk=row.pk).only("pk", "path").first()
    return place_of_area(area, found_by="address") if area else None


def the_county() -> Area | None:
    """Return the county this deployment serves (the first one; 1 query)."""
    return Area.objects.filter(level=Level.COUNTY).first()


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


def unsound_shapes(shapes: Sequence[bytes]) -> list[tuple[int, str, float, float]]:
    """Return (index, reason, longitude, latitude) of each WKB that PostGIS calls invalid (1 query).

    The reason is PostGIS's own English wording.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT number - 1, reason(fault), ST_X(location(fault)), ST_Y(location(fault))
              FROM unnest(%s::bytea[]) WITH ORDINALITY AS given (wkb, number),
                   LATERAL ST_IsValidDetail(ST_GeomFromWKB(wkb)) AS fault
             WHERE NOT valid(fault)
             ORDER BY number
            """,
            [list(shapes)],
        )
        return cursor.fetchall()


def all_codes() -> set[str]:
    """Return the codes of all areas (1 query)."""
    return set(Area.objects.order_by().values_list("code", flat=True))
