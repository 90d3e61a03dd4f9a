"""Builders of territory and people for tests: a small county, departments, people in post.

What lives here: the least that stands on its own. What must not: the demo county, which is
data with a story (governance.demo).
"""

from dataclasses import dataclass, field
from typing import Any

import factory
from django.contrib.gis.geos import MultiPolygon, Polygon
from factory.django import DjangoModelFactory

from grids.models import Area, Department, GridKind, Level, Posting, Role, User
from grids.services.territory import (
    NewArea,
    NewBoundary,
    add_areas,
    derive_boundaries,
    set_boundaries,
)

PASSWORD = "lantern-Field-27"  # noqa: S105
COUNTY_CODE = "419901"
# South-west corner of the first grid and the side of each square, in degrees.
CORNER = (115.2, 33.6)
SIDE = 0.01


class UserFactory(DjangoModelFactory):
    """A person with an account, without any posting; the password is ``PASSWORD``."""

    class Meta:
        model = User
        skip_postgeneration_save = True

    username = factory.Sequence(lambda n: f"user{n}")
    display_name = factory.Sequence(lambda n: f"测试人员{n}")
    password = factory.django.Password(PASSWORD)


class DepartmentFactory(DjangoModelFactory):
    """A department of the (only) county; the county must be there."""

    class Meta:
        model = Department

    code = factory.Sequence(lambda n: f"dep{n}")
    name = factory.Sequence(lambda n: f"测试{n}局")
    name_en = factory.Sequence(lambda n: f"Test office {n}")
    county = factory.LazyFunction(lambda: Area.objects.get(level=Level.COUNTY))


@dataclass(frozen=True)
class SmallCounty:
    """A county of 2 towns × 2 villages × 2 grids, one unit in the first grid.

    The grids are adjoining squares of 0.01°: columns by grid (west to east in code order of
    village and grid), one row for each town. Lists are in code order.
    """

    county: Area
    towns: list[Area] = field(default_factory=list)
    villages: list[Area] = field(default_factory=list)
    grids: list[Area] = field(default_factory=list)
    unit: Area | None = None

    def point_in(self, grid: Area) -> tuple[float, float]:
        """Return (longitude, latitude) of the middle of a grid."""
        row, column = divmod(self.grids.index(grid), 4)
        return CORNER[0] + (column + 0.5) * SIDE, CORNER[1] + (row + 0.5) * SIDE


def small_county(code: str = COUNTY_CODE) -> SmallCounty:
    """Build the small county with boundaries on every level down to the grids."""
    rows = [NewArea(code, "青禾县", "county")]
    squares = []
    for town, town_name in enumerate(["东关镇", "柳河乡"], 1):
        town_code = f"{code}{town:03}"
        rows.append(NewArea(town_code, town_name, "town", code))
        for village in (1, 2):
            village_code = f"{town_code}{village:03}"
            # 大王庄 stands in both towns: names repeat.
            name = "大王庄村民委员会" if village == 1 else f"{town_name[:2]}新村村民委员会"
            rows.append(NewArea(village_code, name, "village", town_code))
            for grid in (1, 2):
                grid_code = f"{village_code}{grid:03}"
                name = f"第{grid}网格"
                rows.append(NewArea(grid_code, name, "grid", village_code, GridKind.RURAL))
                column = (village - 1) * 2 + grid - 1
                squares.append(NewBoundary(grid_code, _square(column, town - 1)))
    unit_code = f"{code}00100100101"
    rows.append(NewArea(unit_code, "十户一组", "unit", unit_code[:-2]))
    add_areas(rows, source="test")
    set_boundaries(squares, source="test")
    for level in (Level.VILLAGE, Level.TOWN, Level.COUNTY):
        derive_boundaries(level)
    areas = list(Area.objects.filter(code__startswith=code).order_by("code"))

    def of(level: str) -> list[Area]:
        return [area for area in areas if area.level == level]

    return SmallCounty(
        county=of("county")[0],
        towns=of("town"),
        villages=of("village"),
        grids=of("grid"),
        unit=of("unit")[0],
    )


def _square(column: int, row: int) -> bytes:
    west, south = CORNER[0] + column * SIDE, CORNER[1] + row * SIDE
    box = Polygon.from_bbox((west, south, west + SIDE, south + SIDE))
    return bytes(MultiPolygon(box).wkb)


def person(role: str, place: Area | Department, **posting: Any) -> User:
    """Make a user posted as ``role`` at ``place``; keywords go to the posting (dates, kind)."""
    user = UserFactory()
    post(user, role, place, **posting)
    return user


def post(user: User, role: str, place: Area | Department, **posting: Any) -> Posting:
    """Give ``user`` one more posting."""
    where = "department" if role == Role.DEPARTMENT_HANDLER else "area"
    return Posting.objects.create(user=user, role=role, **{where: place}, **posting)
