"""The demo county's areas: 22 towns, 531 villages, 3,809 grids, units in one town.

What lives here: turning geometry and names into the tree. What must not: people.
"""

from collections.abc import Callable
from random import Random

import shapely
from shapely.geometry import MultiPolygon, Polygon

from governance.demo import names
from governance.demo.geometry import County, tile_county
from grids.models import Area, GridKind, Level
from grids.services.territory import (
    NewArea,
    NewBoundary,
    add_areas,
    set_boundaries,
)

SEED = 2026
SOURCE = "demonstration"
# Every ordinary grid of the first rural town is divided, about ten units to a grid.
WHOLE_TOWN = {"unit_grids": 186, "units": 1817}
ORGANISATION_KINDS = ("hospital", "school", "market", "fish_farm", "agency")


def build_territory(*, shape: dict, progress: Callable[[int], object]) -> Area:
    """Write the whole tree with its boundaries and return the county.

    ``shape`` are the sizes of :func:`tile_county`; {} is the true size with one town divided
    into units.
    """
    rng = Random(SEED)
    county = tile_county(seed=SEED, shape=shape or WHOLE_TOWN)
    rows, boundaries = _rows(county, rng)
    add_areas(rows, source=SOURCE, progress=progress)
    set_boundaries(boundaries, source=SOURCE, progress=progress)
    return Area.objects.get(code=names.COUNTY_CODE)


def _rows(county: County, rng: Random) -> tuple[list[NewArea], list[NewBoundary]]:
    rows = [NewArea(names.COUNTY_CODE, names.COUNTY_NAME, Level.COUNTY)]
    boundaries = [NewBoundary(names.COUNTY_CODE, _wkb(county.polygon))]
    towns = _codes(names.COUNTY_CODE, 3, [0] * len(county.towns))
    town_names = names.town_names()
    rows += [
        NewArea(code, town_names[n], Level.TOWN, names.COUNTY_CODE) for n, code in enumerate(towns)
    ]
    boundaries += [
        NewBoundary(code, _wkb(town.polygon))
        for town, code in zip(county.towns, towns, strict=True)
    ]
    villages = [
        towns[village.town_index] + number
        for village, number in zip(
            county.villages, _numbers([v.town_index for v in county.villages], 3), strict=True
        )
    ]
    village_names = iter(names.village_names(rng, len(county.villages)))
    for village, code in zip(county.villages, villages, strict=True):
        name = next(village_names)
        if village.kind == "community":
            name = f"{names.community_name(rng)}居民委员会"
        elif not name.endswith("委员会"):
            name = f"{name}村民委员会"
        rows.append(NewArea(code, name, Level.VILLAGE, towns[village.town_index]))
        boundaries.append(NewBoundary(code, _wkb(village.polygon)))
    grids = [
        villages[grid.village_index] + number
        for grid, number in zip(
            county.grids, _numbers([g.village_index for g in county.grids], 3), strict=True
        )
    ]
    for grid, code in zip(county.grids, grids, strict=True):
        name, organisation = _grid_name(rng, grid.kind, int(code[-3:]))
        rows.append(
            NewArea(code, name, Level.GRID, villages[grid.village_index], grid.kind, organisation)
        )
        boundaries.append(NewBoundary(code, _wkb(grid.polygon)))
    for unit, number in zip(
        county.units, _numbers([u.grid_index for u in county.units], 2), strict=True
    ):
        code = grids[unit.grid_index] + number
        rows.append(NewArea(code, f"十户第{int(number)}组", Level.UNIT, grids[unit.grid_index]))
        boundaries.append(NewBoundary(code, _wkb(unit.polygon)))
    return rows, boundaries


def _codes(prefix: str, digits: int, parents: list[int]) -> list[str]:
    return [prefix + number for number in _numbers(parents, digits)]


def _numbers(parents: list[int], digits: int) -> list[str]:
    """Number children from 1 within each parent."""
    seen: dict[int, int] = {}
    found = []
    for parent in parents:
        seen[parent] = seen.get(parent, 0) + 1
        found.append(f"{seen[parent]:0{digits}}")
    return found


def _grid_name(rng: Random, kind: str, number: int) -> tuple[str, str]:
    if kind == GridKind.DEDICATED:
        organisation = names.organisation_name(rng, rng.choice(ORGANISATION_KINDS))
        return f"{organisation}专属网格", organisation
    if kind == GridKind.COMMUNITY:
        return f"{names.estate_name(rng)}网格", ""
    return f"第{number}网格（{names.natural_village_name(rng)}）", ""


def _wkb(polygon: Polygon) -> bytes:
    return shapely.to_wkb(MultiPolygon([polygon]))
