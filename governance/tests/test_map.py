"""The map: names for everybody, cases only for those whose scope holds them."""

import pytest
from django.urls import reverse

from incidents.factories import World
from incidents.models import Incident, State

EVERYWHERE = {"bbox": "115.1,33.5,115.4,33.8"}


@pytest.fixture
def world(db) -> World:
    return World()


def areas(client, **query) -> list[dict]:
    answer = client.get(reverse("map_areas"), EVERYWHERE | {"zoom": 11} | query)
    assert answer.status_code == 200
    return [feature["properties"] for feature in answer.json()["features"]]


def points(client, **query) -> dict:
    answer = client.get(reverse("map_points"), EVERYWHERE | {"zoom": 17} | query)
    assert answer.status_code == 200
    return answer.json()


def test_a_nearer_look_shows_smaller_areas(client, world):
    assert {area["level"] for area in areas(client, zoom=9)} == {"town"}
    assert {area["level"] for area in areas(client, zoom=12.5)} == {"village"}
    assert {area["level"] for area in areas(client, zoom=15)} == {"grid"}
    assert len(areas(client, zoom=15)) == 8
    assert {area["level"] for area in areas(client, zoom=15, level="town")} == {"town"}


def test_the_public_sees_names_but_no_figures(client, world):
    world.report()

    assert all(set(area) == {"id", "name", "level"} for area in areas(client))


def test_staff_see_the_figures_of_their_own_scope(client, world):
    world.report()
    client.force_login(world.command)
    town, other = (area["id"] for area in sorted(areas(client), key=lambda area: area["id"]))

    assert {area["id"]: area["open"] for area in areas(client)} == {town: 1, other: 0}


def test_points_are_for_staff(client, world):
    answer = client.get(reverse("map_points"), EVERYWHERE | {"zoom": 17})

    assert answer.status_code == 302


def test_ended_cases_leave_the_map(client, world):
    case = world.report()
    client.force_login(world.command)
    assert [point["id"] for point in points(client)["points"]] == [case.pk]

    Incident.objects.filter(pk=case.pk).update(state=State.CLOSED, ended_at=case.reported_at)

    assert points(client) == {"points": [], "clusters": []}


def test_a_town_sees_no_point_of_another_town(client, world):
    longitude, latitude = world.places.point_in(world.places.grids[4])
    world.report(longitude=longitude, latitude=latitude)
    client.force_login(world.town_admin)

    assert points(client) == {"points": [], "clusters": []}


def test_cases_close_together_are_one_cluster_from_afar(client, world):
    for _n in range(3):
        world.report()
    client.force_login(world.command)

    afar = points(client, zoom=9)

    assert [cluster["count"] for cluster in afar["clusters"]] == [3]
    assert afar["points"] == []
    assert len(points(client, zoom=17)["points"]) == 3


def test_the_map_follows_the_filters_of_the_queue(client, world):
    world.report("村口路灯坏了没人修")
    world.report("河堤渗水很危险")
    client.force_login(world.command)

    assert len(points(client, text="路灯")["points"]) == 1


@pytest.mark.parametrize(
    "query",
    [
        {"bbox": "1,2,3"},
        {"bbox": "nan,1,2,3"},
        {"bbox": "116,33,115,34"},
        {"zoom": "far"},
        {"zoom": "inf"},
        {"reporter": "1"},
    ],
)
def test_a_section_nobody_can_draw_is_refused(client, world, query):
    client.force_login(world.command)

    answer = client.get(reverse("map_points"), EVERYWHERE | {"zoom": 11} | query)

    assert answer.status_code == 400


def test_an_unchanged_map_is_not_sent_again(client, world):
    query = EVERYWHERE | {"zoom": 11}
    first = client.get(reverse("map_areas"), query)

    again = client.get(reverse("map_areas"), query, headers={"if-none-match": first["ETag"]})

    assert again.status_code == 304
