"""What follows from a posting, from a point on the map, from an address in words."""

from datetime import date, timedelta

import pytest
from django.contrib.auth.models import AnonymousUser
from django.utils import timezone

from core.places import to_wgs84
from grids.factories import CORNER, SIDE, DepartmentFactory, UserFactory, person, post
from grids.models import Area, Role
from grids.queries import Scope, place_of_point, place_of_text
from grids.services.territory import NewArea, add_areas

TODAY = date(2026, 5, 6)


# Scope


def test_a_posting_opens_its_area_and_everything_below(county):
    scope = Scope.for_user(person(Role.TOWN_ADMIN, county.towns[0]))
    assert scope.covers(county.towns[0])
    assert scope.covers(county.grids[3])
    assert scope.covers(county.unit)
    assert not scope.covers(county.grids[4])
    assert not scope.covers(county.county)


@pytest.mark.parametrize(
    ("begins", "ends", "opens"),
    [
        (-10, None, True),
        (0, None, True),
        (1, None, False),  # begins tomorrow
        (-10, 1, True),  # today is the last day
        (-10, 0, False),  # yesterday was the last day
        (-10, -1, False),
    ],
)
def test_a_posting_opens_from_its_first_day_until_its_last(county, begins, ends, opens):
    today = timezone.localdate()
    dates = {"valid_from": today + timedelta(begins)}
    if ends is not None:
        dates["valid_to"] = today + timedelta(ends)
    scope = Scope.for_user(person(Role.GRID_WORKER, county.grids[0], **dates))
    assert scope.covers(county.grids[0]) is opens
    assert scope.has(Role.GRID_WORKER) is opens


def test_a_posting_turns_at_midnight_in_china(county, time_machine):
    worker = person(Role.GRID_WORKER, county.grids[0], valid_from=TODAY)
    time_machine.move_to("2026-05-05 23:59+08:00", tick=False)
    assert not Scope.for_user(worker).postings
    time_machine.move_to("2026-05-06 00:00+08:00", tick=False)
    assert Scope.for_user(worker).postings


def test_two_postings_open_two_places_and_one_inside_the_other_adds_nothing(county):
    guide = person(Role.GRID_GUIDE, county.villages[0])
    post(guide, Role.GRID_WORKER, county.grids[0])
    post(guide, Role.GRID_WORKER, county.grids[7])
    scope = Scope.for_user(guide)
    assert scope.areas == (county.villages[0], county.grids[7])
    assert scope.roles == {Role.GRID_GUIDE, Role.GRID_WORKER}
    assert scope.holds(Role.GRID_WORKER, [county.grids[0].pk])
    assert not scope.holds(Role.GRID_WORKER, [county.grids[1].pk, None])


def test_a_department_posting_opens_the_department_and_no_area(county):
    department = DepartmentFactory()
    scope = Scope.for_user(person(Role.DEPARTMENT_HANDLER, department))
    assert scope.departments == (department,)
    assert scope.department_ids == {department.pk}
    assert scope.areas == ()
    assert not scope.covers(county.county)


@pytest.mark.parametrize("role", [Role.SYSTEM_ADMIN, Role.AUDIT_ADMIN, Role.SECURITY_ADMIN])
def test_who_keeps_the_system_sees_no_incident(county, role):
    scope = Scope.for_user(person(role, county.county))
    assert scope.has(role)
    assert not scope.covers(county.grids[0])


def test_strangers_and_closed_accounts_have_no_scope(county):
    closed = person(Role.COMMAND, county.county)
    closed.is_active = False
    for user in (AnonymousUser(), UserFactory(), closed):
        assert Scope.for_user(user).postings == ()


def test_scope_costs_one_query(county, django_assert_num_queries):
    handler = person(Role.DEPARTMENT_HANDLER, DepartmentFactory())
    post(handler, Role.TOWN_ADMIN, county.towns[0])
    with django_assert_num_queries(1):
        scope = Scope.for_user(handler)
        _ = scope.areas, scope.departments, scope.departments[0].county.name


# Point → grid


def test_a_point_inside_a_grid_has_its_whole_line(county):
    longitude, latitude = county.point_in(county.grids[5])
    place = place_of_point(longitude=longitude, latitude=latitude)
    assert place.found_by == "polygon"
    assert (place.county_id, place.town_id) == (county.county.pk, county.towns[1].pk)
    assert (place.village_id, place.grid_id) == (county.villages[2].pk, county.grids[5].pk)
    assert place.area_id == place.grid_id
    assert place.unit_id is None


def test_a_point_on_a_shared_border_always_belongs_to_the_older_grid(county):
    corner_of_four = {"longitude": CORNER[0] + SIDE, "latitude": CORNER[1] + SIDE}
    found = {place_of_point(**corner_of_four).grid_id for _ in range(5)}
    assert found == {county.grids[0].pk}


def test_a_point_just_outside_goes_to_the_nearest_grid_and_says_so(county):
    place = place_of_point(longitude=CORNER[0] - 0.01, latitude=CORNER[1] + SIDE / 2)
    assert place.grid_id == county.grids[0].pk
    assert place.found_by == "nearest"


@pytest.mark.parametrize(
    ("longitude", "latitude"), [(CORNER[0] - 0.04, CORNER[1]), (0.0, 0.0), (116.4, 39.9)]
)
def test_a_point_far_away_has_no_place(county, longitude, latitude):
    assert place_of_point(longitude=longitude, latitude=latitude) is None


def test_a_closed_grid_receives_nothing(county):
    longitude, latitude = county.point_in(county.grids[0])
    Area.objects.filter(pk=county.grids[0].pk).update(closed_on=TODAY)
    place = place_of_point(longitude=longitude, latitude=latitude)
    assert place.grid_id == county.grids[1].pk or place.found_by == "nearest"
    assert place.grid_id != county.grids[0].pk


def test_a_point_of_a_chinese_map_is_found_after_conversion(county):
    # The middle of the first grid as a GCJ-02 map shows it: some 500 m to the south-east.
    grid = county.grids[0]
    longitude, latitude = county.point_in(grid)
    shifted = (longitude + 0.0061, latitude - 0.0012)
    wrong = place_of_point(longitude=shifted[0], latitude=shifted[1])
    assert wrong.grid_id != grid.pk
    lat, lon = to_wgs84(shifted[1], shifted[0], "gcj02")
    assert place_of_point(longitude=lon, latitude=lat).grid_id == grid.pk


def test_finding_a_grid_costs_one_query(county, django_assert_num_queries):
    with django_assert_num_queries(1):
        place_of_point(longitude=115.201, latitude=33.601)


# Words → place


def test_a_village_whose_name_is_unique_is_found_as_people_say_it(county):
    for said in ["东关新村东头", "东关新村村委会门口", "在东关新村村民委员会旁"]:
        place = place_of_text(said, county=county.county)
        assert place.village_id == county.villages[1].pk, said
        assert place.found_by == "address"


def test_a_name_that_repeats_is_no_answer(county):
    assert place_of_text("大王庄路灯不亮", county=county.county) is None


def test_the_town_tells_which_of_two_villages_is_meant(county):
    place = place_of_text("柳河乡大王庄路灯不亮", county=county.county)
    assert place.village_id == county.villages[2].pk


def test_the_town_alone_is_better_than_a_wrong_village(county):
    place = place_of_text("柳河乡政府门前积水", county=county.county)
    assert place.town_id == county.towns[1].pk
    assert place.village_id is None


def test_two_towns_and_no_village_are_no_answer(county):
    assert place_of_text("东关镇到柳河乡的路坏了", county=county.county) is None


@pytest.mark.parametrize(
    ("text", "village"),
    [
        ("大王庄路灯不亮", 0),
        ("东关镇大王庄路灯不亮", 0),
        ("东关新村井盖丢了", 1),
        ("柳河乡大王庄路灯不亮", None),  # another town's
        ("柳河新村到大王庄的路", None),  # the longer name is another town's
        ("东关镇政府门前积水", None),  # no narrower than what is known
    ],
)
def test_inside_a_town_that_is_known_only_its_own_villages_are_an_answer(county, text, village):
    place = place_of_text(text, county=county.county, inside=county.towns[0])
    found = place and place.village_id
    assert found == (None if village is None else county.villages[village].pk)


@pytest.mark.parametrize("text", ["", " ", "路", "不知道在哪里", "\0", "王" * 10_000])
def test_words_without_a_place_have_none(county, text):
    assert place_of_text(text, county=county.county) is None


def test_names_are_read_once_and_again_after_an_import(
    county, django_assert_num_queries, django_capture_on_commit_callbacks
):
    place_of_text("大王庄", county=county.county)
    with django_assert_num_queries(0):
        place_of_text("大王庄", county=county.county)
    town = county.towns[0].code
    with django_capture_on_commit_callbacks(execute=True):
        add_areas([NewArea(f"{town}003", "马圈村", "village", town)], source="test")
    assert place_of_text("马圈村的井盖", county=county.county).village_id
