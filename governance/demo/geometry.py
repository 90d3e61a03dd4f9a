"""The invented county's map: outline, towns, villages, grids and ten-household units as polygons.

Pure geometry (numpy, scipy, shapely): no names, codes, people or Django models live here.

How exact tiling is had: sites are scattered and joined into Delaunay triangles. Every triangle
gets one inner point and every side one point between its two sites; each site's cell winds
through those points only, so two neighbours own the very same vertices and no rounding can part
them. Villages and towns are unions of whole cells, grown along the triangles' sides, hence
connected. Small dedicated grids are notches cut out of one cell along an edge it already has.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import shapely
from scipy.sparse import coo_matrix, csr_matrix
from scipy.sparse.csgraph import connected_components, dijkstra
from scipy.spatial import Delaunay, cKDTree
from shapely.geometry import Polygon

RURAL, COMMUNITY, DEDICATED = "rural", "community", "dedicated"

TRUE_SIZE = {
    "centre": (115.2, 33.6),
    "area_km2": 1500,
    "towns": 22,
    "urban_towns": 2,
    "villages": 531,
    "rural": 3145,
    "community": 282,
    "dedicated": 382,
    "unit_grids": 13,
    "units": 127,
}

DECIMALS = 6
KM_PER_DEGREE = 111.2
URBAN_RADIUS = 0.13  # in county radii, as are all lengths before `_to_degrees`
SEAT_RADIUS = 0.05
CLOUD = 24  # sample points to a site
ATTEMPTS = 20


@dataclass(frozen=True)
class Town:
    """`index` is the position in `County.towns`; `centre` (lon, lat) lies inside the polygon."""

    index: int
    polygon: Polygon
    centre: tuple[float, float]
    urban: bool


@dataclass(frozen=True)
class Village:
    """`kind` is "community" where all ordinary grids are, else "rural"."""

    town_index: int
    polygon: Polygon
    kind: str


@dataclass(frozen=True)
class Grid:
    """`kind` is "rural", "community" or "dedicated"."""

    village_index: int
    polygon: Polygon
    kind: str


@dataclass(frozen=True)
class Unit:
    grid_index: int
    polygon: Polygon


@dataclass(frozen=True)
class County:
    """Polygons in WGS 84 lon/lat. Lists are ordered by parent, urban towns first, then from
    north to south; indexes point into the list one level up."""

    polygon: Polygon
    towns: list[Town] = field(default_factory=list)
    villages: list[Village] = field(default_factory=list)
    grids: list[Grid] = field(default_factory=list)
    units: list[Unit] = field(default_factory=list)


class Uniform(Protocol):
    """What `random.Random` and `numpy.random.Generator` have in common here."""

    def uniform(self, low: float, high: float, /) -> float: ...


class _UnusableDraw(Exception):
    """This draw breaks a promise (a hole, a count that cannot be met); the next one may not."""


def tile_county(*, seed: int, shape: dict[str, Any]) -> County:
    """Draw the county described by `shape` (keys as in `TRUE_SIZE`, which fills missing ones).

    Counts are met exactly. The same seed and shape give the same map. Raises ValueError for a
    shape that cannot be drawn.
    """
    shape = {**TRUE_SIZE, **shape}
    _check_shape(shape)
    for attempt in range(ATTEMPTS):
        try:
            return _draw(np.random.default_rng([seed, attempt]), shape)
        except _UnusableDraw as reason:
            last = reason
    raise ValueError(f"no usable map for this shape: {last}")


def point_in(rng: Uniform, polygon: Polygon) -> tuple[float, float]:
    """A random (lon, lat) strictly inside the polygon, rounded to 6 decimals."""
    west, south, east, north = polygon.bounds
    for _ in range(1000):
        lon = round(float(rng.uniform(west, east)), DECIMALS)
        lat = round(float(rng.uniform(south, north)), DECIMALS)
        if shapely.contains_xy(polygon, lon, lat):
            return lon, lat
    inner = polygon.representative_point()
    return inner.x, inner.y


def _check_shape(shape: dict[str, Any]) -> None:
    unknown = set(shape) - set(TRUE_SIZE)
    if unknown:
        raise ValueError(f"unknown keys: {', '.join(sorted(unknown))}")
    cells = shape["rural"] + shape["community"]
    if not 1 <= shape["urban_towns"] <= shape["towns"] - 2:
        raise ValueError("a county needs an urban sub-district and at least two other towns")
    if not shape["towns"] * 3 <= shape["villages"] <= cells // 3:
        raise ValueError("a town needs about three villages and a village about three grids")
    if shape["dedicated"] > cells:
        raise ValueError("at most one dedicated grid to an ordinary one")
    if shape["dedicated"] < 0 or shape["community"] < 1 or shape["area_km2"] <= 0:
        raise ValueError("counts and area must be positive")
    if 0 < shape["units"] < shape["unit_grids"]:
        raise ValueError("fewer units than grids to divide")


def _draw(rng: np.random.Generator, shape: dict[str, Any]) -> County:
    cells = shape["rural"] + shape["community"]
    sites, town_points, urban_point, inside = _scatter(rng, shape, cells)
    triangles = Delaunay(sites).simplices
    graph = _neighbours(rng, sites, triangles, inside)
    sites = _to_degrees(sites, triangles, inside, shape)
    town_points, urban_point = (sites[i] for i in (town_points, urban_point))

    village_of = _grow_villages(rng, graph, sites[:cells], shape["villages"])
    town_of, seats, community = _group_towns(
        graph, sites[:cells], village_of, town_points, urban_point, shape
    )
    rings = _cell_rings(rng, sites, triangles, cells)
    hosts = _choose_hosts(rng, sites[:cells], village_of, community, town_points, shape)
    parcels = [_cut_parcel(rng, rings, sites, host) for host in hosts]

    polygons = shapely.polygons([shapely.linearrings(r) for r in [*rings, *parcels]])
    village_of = np.concatenate([village_of, village_of[hosts]])
    county = _assemble(rng, polygons, village_of, town_of, seats, community, shape)
    _check_map(county)
    return county


def _scatter(
    rng: np.random.Generator, shape: dict[str, Any], cells: int
) -> tuple[np.ndarray, np.ndarray, int, np.ndarray]:
    """Sites in county radii: the first `cells` lie inside, the rest surround them.

    Also gives the sites nearest to the rural towns' seats, the one in the middle of the urban
    area, and the mask of sites inside.
    """
    waves = np.arange(2, 40)
    angles = np.linspace(-np.pi, np.pi, 2000)
    height = rng.uniform(0.3, 1.0, len(waves)) * 0.45 / waves**1.2
    phase = rng.uniform(0, 2 * np.pi, len(waves))
    edge = 1 + (height * np.cos(np.outer(angles, waves) + phase)).sum(axis=1)

    def level(points: np.ndarray) -> np.ndarray:
        angle = np.arctan2(points[:, 1], points[:, 0])
        return np.hypot(points[:, 0], points[:, 1]) / np.interp(angle, angles, edge)

    rim = 1 + 3.2 * np.sqrt(np.pi / cells)
    side = rim * edge.max()
    spread = round(CLOUD * cells * (2 * side) ** 2 / np.pi)
    country = rng.uniform(-side, side, (spread, 2))
    urban = rng.uniform(-0.12, 0.12, 2)

    rural_towns = shape["towns"] - shape["urban_towns"]
    outskirts = np.hypot(*(country - urban).T) > 1.5 * URBAN_RADIUS
    apart = country[outskirts & (level(country) < 1)]
    seats = _relax(apart[: rural_towns * 1000], rural_towns, rounds=8)

    dense = 1.15 * shape["community"]
    city = rng.normal(urban, URBAN_RADIUS / np.sqrt(2), (round(CLOUD * dense), 2))
    crowd = round(CLOUD * cells * 1.5 * SEAT_RADIUS**2)
    around = rng.normal(seats, SEAT_RADIUS / np.sqrt(2), (crowd, *seats.shape)).reshape(-1, 2)
    cloud = rng.permutation(np.concatenate([country, city, around]))
    cloud = cloud[level(cloud) < rim]

    inner_share = np.mean(level(cloud) < 1)
    sites = _relax(cloud, round(cells / inner_share), rounds=2)
    sites = sites[np.argsort(level(sites), kind="stable")]
    tree = cKDTree(sites[:cells])
    return sites, tree.query(seats)[1], int(tree.query(urban)[1]), np.arange(len(sites)) < cells


def _relax(cloud: np.ndarray, count: int, *, rounds: int) -> np.ndarray:
    """`count` points spread as the cloud is, evened out by a few rounds of Lloyd's method."""
    points = cloud[:count]
    for _ in range(rounds):
        nearest = cKDTree(points).query(cloud)[1]
        size = np.bincount(nearest, minlength=count)
        total = [np.bincount(nearest, cloud[:, axis], count) for axis in (0, 1)]
        middle = np.column_stack(total) / np.maximum(size, 1)[:, None]
        points = np.where(size[:, None] > 0, middle, points)
    return points


def _neighbours(
    rng: np.random.Generator, sites: np.ndarray, triangles: np.ndarray, inside: np.ndarray
) -> csr_matrix:
    """Who borders whom inside the county, weighted by distance.

    Two invented rivers from north-west to south-east are dear to cross, so that the borders grown
    later tend to follow them, as they do in the real plain.
    """
    sides = np.sort(triangles[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
    sides = np.unique(sides[inside[sides].all(axis=1)], axis=0)
    first, second = sites[sides[:, 0]], sites[sides[:, 1]]
    cost = np.hypot(*(first - second).T) * rng.uniform(0.75, 1.4, len(sides))
    for offset in (-0.5, 0.4):
        bend, phase = rng.uniform(0.06, 0.14), rng.uniform(0, 6)
        banks = [
            p[:, 0] * 0.6 + p[:, 1] + bend * np.sin(5 * p[:, 0] + phase) > offset
            for p in (first, second)
        ]
        cost[banks[0] != banks[1]] *= 2.2
    count = int(inside.sum())
    graph = coo_matrix((cost, (sides[:, 0], sides[:, 1])), shape=(count, count)).tocsr()
    return graph + graph.T


def _to_degrees(
    sites: np.ndarray, triangles: np.ndarray, inside: np.ndarray, shape: dict[str, Any]
) -> np.ndarray:
    a, b, c = (sites[triangles[inside[triangles].all(axis=1)][:, i]] for i in range(3))
    area = np.abs((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]).sum() / 2
    # The triangles between inner sites miss the outer half of the rim's cells.
    rim = 1 + 0.75 * np.sqrt(np.pi / inside.sum())
    degrees = sites * np.sqrt(shape["area_km2"] / area) / rim / KM_PER_DEGREE
    lon, lat = shape["centre"]
    return np.column_stack([lon + degrees[:, 0] / np.cos(np.radians(lat)), lat + degrees[:, 1]])


def _grow(graph: csr_matrix, seeds: np.ndarray) -> np.ndarray:
    """The number of the seed each node is nearest to; a seed's nodes are always connected."""
    source = dijkstra(graph, indices=seeds, return_predecessors=True, min_only=True)[2]
    number = np.full(graph.shape[0], -1)
    number[seeds] = np.arange(len(seeds))
    return np.where(source < 0, -1, number[source])


def _means(points: np.ndarray, group: np.ndarray, count: int) -> np.ndarray:
    size = np.bincount(group, minlength=count)
    total = [np.bincount(group, points[:, axis], count) for axis in (0, 1)]
    return np.column_stack(total) / size[:, None]


def _grow_villages(
    rng: np.random.Generator, graph: csr_matrix, sites: np.ndarray, villages: int
) -> np.ndarray:
    seeds = rng.choice(len(sites), villages, replace=False)
    tree = cKDTree(sites)
    for _ in range(3):
        group = _grow(graph, seeds)
        middle = tree.query(_means(sites, group, villages))[1]
        own = group[middle] == np.arange(villages)
        seeds = np.where(own, middle, seeds)
    return _grow(graph, seeds)


def _group_towns(
    graph: csr_matrix,
    sites: np.ndarray,
    village_of: np.ndarray,
    town_points: np.ndarray,
    urban_point: np.ndarray,
    shape: dict[str, Any],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Town of each village (urban ones first), each town's seat village, and the mask of urban
    community villages."""
    villages, urban_towns = shape["villages"], shape["urban_towns"]
    middle = _means(sites, village_of, villages)
    size = np.bincount(village_of, minlength=villages)
    borders = _village_graph(graph, village_of, villages, middle)

    heart = int(cKDTree(middle).query(urban_point)[1])
    order = np.argsort(dijkstra(borders, indices=heart), kind="stable")
    picked = _pick_exactly(size[order], shape["community"])
    community = np.zeros(villages, dtype=bool)
    community[order[picked]] = True
    urban = np.zeros(villages, dtype=bool)
    urban[order[: max(picked[-1] + 1, urban_towns)]] = True
    rest = np.flatnonzero(~urban)
    piece = connected_components(borders[rest][:, rest], directed=False)[1]
    urban[rest[piece != np.bincount(piece).argmax()]] = True

    town_of = np.full(villages, -1)
    core = np.flatnonzero(urban)
    east_west = core[np.argsort(middle[core, 0], kind="stable")]
    steps = np.linspace(0, len(core) - 1, 2 * urban_towns + 1)[1::2].astype(int)
    urban_seats = east_west[steps]
    town_of[core] = _grow(borders[core][:, core], np.searchsorted(core, urban_seats))

    rest = np.flatnonzero(~urban)
    rural, nearest = borders[rest][:, rest], cKDTree(middle[rest])
    rural_seats = _distinct(nearest.query(town_points)[1])
    # A seat moves half-way to its town's middle, so that no town is left with a few villages.
    balanced = _means(middle[rest], _grow(rural, rural_seats), len(rural_seats))
    rural_seats = _distinct(nearest.query((middle[rest[rural_seats]] + balanced) / 2)[1])
    town_of[rest] = _grow(rural, rural_seats) + urban_towns
    return town_of, np.concatenate([urban_seats, rest[rural_seats]]), community


def _distinct(seats: np.ndarray) -> np.ndarray:
    if len(set(seats)) < len(seats):
        raise _UnusableDraw("two towns share one seat")
    return seats


def _village_graph(
    graph: csr_matrix, village_of: np.ndarray, villages: int, middle: np.ndarray
) -> csr_matrix:
    """Which villages touch, weighted by distance; a river between them makes it longer."""
    edges = graph.tocoo()
    first, second = village_of[edges.row], village_of[edges.col]
    apart = first != second
    first, second, cost = first[apart], second[apart], edges.data[apart]
    pairs, where = np.unique(first * villages + second, return_inverse=True)
    mean_cost = np.bincount(where, cost) / np.bincount(where)
    first, second = np.divmod(pairs, villages)
    length = np.hypot(*(middle[first] - middle[second]).T)
    weight = length * (0.4 + mean_cost / np.median(mean_cost))
    return coo_matrix((weight, (first, second)), shape=(villages, villages)).tocsr()


def _pick_exactly(sizes: Iterable[int], target: int) -> list[int]:
    """Positions, early ones first, whose sizes add up to the target."""
    reached: dict[int, tuple[int, int]] = {0: (0, -1)}
    for position, size in enumerate(sizes):
        for total in list(reached):
            if total + size <= target:
                reached.setdefault(total + int(size), (total, position))
        if target in reached:
            break
    else:
        raise _UnusableDraw(f"no set of villages has exactly {target} grids")
    picked = []
    while target:
        target, position = reached[target]
        picked.append(position)
    return picked[::-1]


def _cell_rings(
    rng: np.random.Generator, sites: np.ndarray, triangles: np.ndarray, cells: int
) -> list[np.ndarray]:
    """Each inner site's ring, counter-clockwise, four points to a triangle around it.

    Per triangle: the point on the side it shares with the one before, a bend, the triangle's
    inner point, a bend. Bends stay in the strip between side and inner point, and advance
    towards it, so rings cannot cross however they are drawn.
    """
    pulls = rng.uniform(0.55, 1.45, (len(triangles), 3, 1))
    corners = sites[triangles]
    inner = (corners * pulls).sum(axis=1) / pulls.sum(axis=1)

    low, high = np.sort([triangles, np.roll(triangles, -1, axis=1)], axis=0)
    sides, where = np.unique(low * len(sites) + high, return_inverse=True)
    share = rng.uniform(0.38, 0.62, len(sides))[where.reshape(low.shape)][..., None]
    middles = sites[low] * share + sites[high] * (1 - share)

    along = np.roll(corners, -1, axis=1) - corners
    sway = rng.uniform(-0.17, 0.17, (*low.shape, 1))
    rise = rng.uniform(0.35, 0.6, (*low.shape, 1))
    bends = (middles + along * sway) * (1 - rise) + inner[:, None] * rise

    inner3 = np.broadcast_to(inner[:, None], corners.shape)
    paths = np.stack([middles, bends, inner3, np.roll(bends, 1, axis=1)], axis=2)
    offset = (inner3 - corners).reshape(-1, 2)
    owner = triangles.ravel()
    order = np.lexsort((np.arctan2(offset[:, 1], offset[:, 0]), owner))
    order = order[owner[order] < cells]
    points = np.round(paths.reshape(-1, 4, 2)[order], DECIMALS).reshape(-1, 2)
    ends = np.cumsum(np.bincount(owner[order], minlength=cells)) * 4
    return np.split(points, ends[:-1])


def _choose_hosts(
    rng: np.random.Generator,
    sites: np.ndarray,
    village_of: np.ndarray,
    community: np.ndarray,
    town_points: np.ndarray,
    shape: dict[str, Any],
) -> np.ndarray:
    """Cells that give land to a dedicated grid: mostly in the city and near the towns' seats."""
    to_seat = cKDTree(town_points).query(sites)[0] * KM_PER_DEGREE
    likely = 1 + 4 * community[village_of] + 4 * np.exp(-((to_seat / 2) ** 2))
    return rng.choice(len(sites), shape["dedicated"], replace=False, p=likely / likely.sum())


def _cut_parcel(
    rng: np.random.Generator, rings: list[np.ndarray], sites: np.ndarray, host: int
) -> np.ndarray:
    """Move a strip along one edge out of the host's ring; gives the strip's ring."""
    ring = rings[host]
    start = 4 * int(rng.integers(len(ring) // 4)) - 1
    ring = np.roll(ring, -start, axis=0)
    outer = ring[:3]
    depth = rng.uniform(0.35, 0.55)
    cut = np.round(outer + (sites[host] - outer) * depth, DECIMALS)
    rings[host] = np.concatenate([outer[:1], cut, outer[2:], ring[3:]])
    return np.concatenate([outer, cut[::-1]])


def _assemble(
    rng: np.random.Generator,
    polygons: np.ndarray,
    village_of: np.ndarray,
    town_of: np.ndarray,
    seats: np.ndarray,
    community: np.ndarray,
    shape: dict[str, Any],
) -> County:
    dedicated = np.arange(len(polygons)) >= len(polygons) - shape["dedicated"]
    merged = np.array(_merge(polygons, village_of, shape["villages"]))
    town_polygons = _merge(merged, town_of, shape["towns"])

    north = -shapely.get_y(shapely.centroid(town_polygons))
    town_order = np.lexsort((north, np.arange(shape["towns"]) >= shape["urban_towns"]))
    town_rank = np.argsort(town_order)
    north = -shapely.get_y(shapely.centroid(merged))
    village_order = np.lexsort((north, town_rank[town_of]))
    village_rank = np.argsort(village_order)
    north = -shapely.get_y(shapely.centroid(polygons))
    grid_order = np.lexsort((north, dedicated, village_rank[village_of]))

    kind = np.where(dedicated, DEDICATED, np.where(community[village_of], COMMUNITY, RURAL))
    towns = []
    for index, old in enumerate(town_order):
        inner = merged[seats[old]].representative_point()
        centre = (round(inner.x, DECIMALS), round(inner.y, DECIMALS))
        towns.append(Town(index, town_polygons[old], centre, bool(old < shape["urban_towns"])))
    villages = [
        Village(int(town_rank[town_of[v]]), merged[v], COMMUNITY if community[v] else RURAL)
        for v in village_order
    ]
    grids = [Grid(int(village_rank[village_of[g]]), polygons[g], str(kind[g])) for g in grid_order]
    units = _divide_one_town(rng, towns, villages, grids, shape)
    return County(shapely.coverage_union_all(town_polygons), towns, villages, grids, units)


def _merge(polygons: np.ndarray, group: np.ndarray, count: int) -> list[Polygon]:
    order = np.argsort(group, kind="stable")
    ends = np.cumsum(np.bincount(group, minlength=count))
    merged = [shapely.coverage_union_all(p) for p in np.split(polygons[order], ends[:-1])]
    return [shape.geoms[0] if len(getattr(shape, "geoms", [])) == 1 else shape for shape in merged]


def _divide_one_town(
    rng: np.random.Generator,
    towns: list[Town],
    villages: list[Village],
    grids: list[Grid],
    shape: dict[str, Any],
) -> list[Unit]:
    """Ten-household units in whole villages around the seat of the first rural town."""
    if not shape["units"]:
        return []
    town = towns[shape["urban_towns"]]
    seat = shapely.Point(town.centre)
    here = [i for i, v in enumerate(villages) if v.town_index == town.index]
    here.sort(key=lambda i: villages[i].polygon.centroid.distance(seat))
    grids_of: dict[int, list[int]] = {i: [] for i in here}
    for index, grid in enumerate(grids):
        if grid.village_index in grids_of and grid.kind != DEDICATED:
            grids_of[grid.village_index].append(index)
    picked = _pick_exactly([len(grids_of[i]) for i in here], shape["unit_grids"])
    chosen = [g for position in picked for g in grids_of[here[position]]]

    extra = rng.multinomial(
        shape["units"] - shape["units"] // len(chosen) * len(chosen),
        np.full(len(chosen), 1 / len(chosen)),
    )
    counts = extra + shape["units"] // len(chosen)
    return [
        Unit(grid, part)
        for grid, count in zip(chosen, counts, strict=True)
        for part in _divide(rng, grids[grid].polygon, int(count))
    ]


def _divide(rng: np.random.Generator, polygon: Polygon, count: int) -> list[Polygon]:
    """Halve until there are `count` parts of about equal area.

    Cuts run between corners the polygon already has, so the neighbours' borders stay as they are.
    """
    if count == 1:
        return [polygon]
    share = (count // 2) / count
    ring = shapely.get_coordinates(polygon.exterior)[:-1]
    first, second = np.triu_indices(len(ring), 2)
    ends = np.stack([ring[first], ring[second]], axis=1)
    core = ends + (ends[:, ::-1] - ends) * 0.03
    shapely.prepare(polygon)
    fits = np.flatnonzero(shapely.contains_properly(polygon, shapely.linestrings(core)))
    length = np.hypot(*(ends[fits, 0] - ends[fits, 1]).T)
    x, y = ring.T
    twice = np.concatenate([[0], np.cumsum(x * np.roll(y, -1) - np.roll(x, -1) * y)])
    i, j = first[fits], second[fits]
    part = np.abs(twice[j] - twice[i] + x[j] * y[i] - x[i] * y[j]) / 2 / polygon.area
    miss = np.minimum(np.abs(part - share), np.abs(1 - part - share))
    for best in np.argsort(4 * miss + length / np.sqrt(polygon.area), kind="stable"):
        parts = _cut(rng, ring, i[best], j[best])
        if all(p.is_valid and p.area > 0 for p in parts):
            small, large = sorted(parts, key=lambda p: p.area)
            return [
                *_divide(rng, small, count // 2),
                *_divide(rng, large, count - count // 2),
            ]
    raise _UnusableDraw("a grid cannot be divided into units")


def _cut(rng: np.random.Generator, ring: np.ndarray, i: int, j: int) -> list[Polygon]:
    steps = np.array([0.28, 0.5, 0.72])[:, None]
    across = (ring[j] - ring[i])[::-1] * [-1, 1]
    line = ring[i] + (ring[j] - ring[i]) * steps + across * rng.uniform(-0.04, 0.04, (3, 1))
    line = np.round(line, DECIMALS)
    one = np.concatenate([ring[i : j + 1], line[::-1]])
    other = np.concatenate([ring[j:], ring[: i + 1], line])
    return [Polygon(one), Polygon(other)]


def _check_map(county: County) -> None:
    for level in (county.towns, county.villages, county.grids, county.units):
        shapes = np.array([area.polygon for area in level])
        single = shapely.get_type_id(shapes) == shapely.GeometryType.POLYGON
        whole = single & (shapely.get_num_interior_rings(shapes) == 0) & shapely.is_valid(shapes)
        if not whole.all():
            raise _UnusableDraw("an area is in two pieces, has a hole or crosses itself")
    if not shapely.coverage_is_valid([grid.polygon for grid in county.grids]):
        raise _UnusableDraw("two grids overlap or do not share their border's vertices")
    if county.polygon.geom_type != "Polygon" or county.polygon.interiors:
        raise _UnusableDraw("the county is in two pieces or has a hole")
