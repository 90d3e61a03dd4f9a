"""The invented county's map keeps its promises: exact counts, no gap, no overlap, one piece."""

import random
from collections import Counter, defaultdict

import numpy as np
import pytest
import shapely

from governance.demo.geometry import TRUE_SIZE, point_in, tile_county

SMALL = {
    "towns": 3,
    "urban_towns": 1,
    "villages": 20,
    "rural": 98,
    "community": 12,
    "dedicated": 10,
    "unit_grids": 5,
    "units": 49,
}


@pytest.fixture(scope="module")
def small():
    return tile_county(seed=1, shape=SMALL)


@pytest.fixture(scope="module")
def true_size():
    return tile_county(seed=1, shape=TRUE_SIZE)


@pytest.fixture(scope="module", params=[1, 2, 3, "true size"])
def county(request):
    if request.param == "true size":
        return request.getfixturevalue("true_size")
    return tile_county(seed=request.param, shape=SMALL)


def levels(county):
    """(parents, children, index of each child's parent) for each level below the county."""
    return [
        ([county], county.towns, [0] * len(county.towns)),
        (county.towns, county.villages, [v.town_index for v in county.villages]),
        (county.villages, county.grids, [g.village_index for g in county.grids]),
    ]


def shapes(areas):
    return np.array([area.polygon for area in areas])


def corners(polygon):
    return {tuple(point) for point in shapely.get_coordinates(polygon.exterior)}


def assert_children_tile(parent, children):
    union = shapely.union_all(children)
    assert shapely.symmetric_difference(union, parent).area < 1e-12
    assert shapely.area(children).sum() == pytest.approx(parent.area, rel=1e-9)
    assert shapely.coverage_is_valid(children)
    assert corners(parent) <= set().union(*map(corners, children))


def test_small_county_has_exactly_the_counts_asked_for(small):
    assert len(small.towns) == 3
    assert len(small.villages) == 20
    assert Counter(g.kind for g in small.grids) == {"rural": 98, "community": 12, "dedicated": 10}
    assert len(small.units) == 49
    assert len({u.grid_index for u in small.units}) == 5


def test_true_size_county_has_exactly_the_counts_asked_for(true_size):
    assert len(true_size.towns) == 22
    assert sum(town.urban for town in true_size.towns) == 2
    assert len(true_size.villages) == 531
    assert Counter(g.kind for g in true_size.grids) == {
        "rural": 3145,
        "community": 282,
        "dedicated": 382,
    }
    assert len(true_size.units) == 127
    assert len({u.grid_index for u in true_size.units}) == 13


def test_true_size_county_lies_in_the_plain_with_its_true_area(true_size):
    lon, lat = true_size.polygon.centroid.coords[0]
    assert (lon, lat) == pytest.approx((115.2, 33.6), abs=0.1)
    km2 = true_size.polygon.area * 111.2**2 * np.cos(np.radians(33.6))
    assert km2 == pytest.approx(1500, rel=0.03)


def test_every_area_is_one_valid_piece_without_holes(county):
    for areas in ([county], county.towns, county.villages, county.grids, county.units):
        for area in areas:
            assert area.polygon.geom_type == "Polygon"
            assert area.polygon.is_valid
            assert area.polygon.is_simple
            assert not area.polygon.interiors


def test_children_cover_their_parent_with_no_gap_and_no_overlap(county):
    for parents, children, parent_of in levels(county):
        own = defaultdict(list)
        for child, index in zip(children, parent_of, strict=True):
            own[index].append(child.polygon)
        assert sorted(own) == list(range(len(parents)))
        for index, parent in enumerate(parents):
            assert_children_tile(parent.polygon, np.array(own[index]))


def test_all_grids_of_the_county_share_their_borders_vertex_for_vertex(true_size):
    assert shapely.coverage_is_valid(shapes(true_size.grids))
    assert shapely.coverage_is_valid(shapes(true_size.villages))
    assert shapely.coverage_is_valid(shapes(true_size.towns))


def test_ten_household_units_cover_their_grid(county):
    own = defaultdict(list)
    for unit in county.units:
        own[unit.grid_index].append(unit.polygon)
    for grid_index, parts in own.items():
        assert_children_tile(county.grids[grid_index].polygon, np.array(parts))


def test_units_lie_in_whole_villages_of_one_town_and_never_in_dedicated_grids(true_size):
    divided = {u.grid_index for u in true_size.units}
    villages = {true_size.grids[g].village_index for g in divided}
    ordinary = {
        i
        for i, g in enumerate(true_size.grids)
        if g.village_index in villages and g.kind != "dedicated"
    }
    assert divided == ordinary
    assert len({true_size.villages[v].town_index for v in villages}) == 1


def test_coordinates_have_six_decimals(small):
    for areas in (small.towns, small.villages, small.grids, small.units):
        points = shapely.get_coordinates(shapes(areas))
        assert np.array_equal(points, np.round(points, 6))


def test_community_grids_lie_in_urban_sub_districts_and_fill_their_villages(true_size):
    for grid in true_size.grids:
        village = true_size.villages[grid.village_index]
        if grid.kind == "community":
            assert true_size.towns[village.town_index].urban
        if grid.kind != "dedicated":
            assert grid.kind == village.kind


def test_town_centre_lies_in_its_town(true_size):
    for index, town in enumerate(true_size.towns):
        assert town.index == index
        assert town.polygon.contains(shapely.Point(town.centre))


def test_dedicated_and_urban_grids_are_smaller_than_rural_ones(true_size):
    def middle(kind):
        return np.median([g.polygon.area for g in true_size.grids if g.kind == kind])

    assert middle("dedicated") < middle("community") < middle("rural")


def test_grids_are_cheap_to_draw(true_size):
    points = shapely.get_num_coordinates(shapes(true_size.grids))
    assert np.median(points) < 30
    assert points.max() < 70


def test_same_seed_gives_the_same_map_and_another_seed_another():
    first, again, other = (tile_county(seed=seed, shape=SMALL) for seed in (5, 5, 6))
    assert first == again
    assert first.polygon != other.polygon


def test_areas_are_ordered_by_their_parents(small):
    for _, _, parent_of in levels(small):
        assert parent_of == sorted(parent_of)


@pytest.mark.parametrize(
    "wrong",
    [
        {"villages": 2000, "rural": 90},
        {"towns": 2, "urban_towns": 1},
        {"dedicated": 10_000},
        {"unit_grids": 13, "units": 12},
        {"community": 0},
        {"colour": "red"},
    ],
)
def test_a_shape_that_cannot_be_drawn_is_refused(wrong):
    with pytest.raises(ValueError):
        tile_county(seed=1, shape={**SMALL, **wrong})


@pytest.mark.parametrize("rng", [random.Random(4), np.random.default_rng(4)])
def test_random_point_lies_inside(small, rng):
    for grid in small.grids:
        assert grid.polygon.contains(shapely.Point(point_in(rng, grid.polygon)))


def test_random_point_in_a_sliver_is_still_inside():
    sliver = shapely.Polygon([(115, 33), (116, 34), (115.9999999, 34)])
    assert sliver.intersects(shapely.Point(point_in(random.Random(1), sliver)))
