"""The small county of the tests is itself a true county."""

import pytest

from grids.factories import person, small_county
from grids.models import Area, AreaCode, Role
from grids.queries import Scope, place_of_point

pytestmark = pytest.mark.django_db


def test_the_small_county_has_a_sound_tree_with_boundaries_and_codes():
    county = small_county()
    assert [len(x) for x in (county.towns, county.villages, county.grids)] == [2, 4, 8]
    assert Area.objects.find_problems() == ([], [], [], [], [])
    assert Area.objects.filter(boundary=None).count() == 1  # the unit
    assert AreaCode.objects.count() == Area.objects.count() == 16
    for area in (county.county, *county.towns, *county.villages, *county.grids):
        assert area.boundary.valid
        assert area.boundary.contains(area.centre)


def test_the_middle_of_each_grid_is_found_in_it():
    county = small_county()
    for grid in county.grids:
        longitude, latitude = county.point_in(grid)
        assert place_of_point(longitude=longitude, latitude=latitude).grid_id == grid.pk


def test_a_person_in_post_has_the_scope_of_the_post():
    county = small_county()
    worker = person(Role.GRID_WORKER, county.grids[0])
    assert Scope.for_user(worker).areas == (county.grids[0],)
