"""Visits over the API: the same round, the same rights, one visit however often it is sent."""

import json
import uuid
from datetime import timedelta

import pytest
from django.contrib.gis.geos import Point
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from core.places import to_wgs84
from grids import needs
from grids.factories import person
from grids.models import Household, Role, Visit
from grids.tests.households import NAME, PHONE, Ledger, client_of, today
from grids.tests.test_visits import picture

pytestmark = pytest.mark.django_db

ROUND, VISITS, OVERDUE = "/api/v1/visits/round/", "/api/v1/visits/", "/api/v1/households/overdue/"


@pytest.fixture
def world(db):
    ledger = Ledger()
    ledger.rule(7)
    return ledger


@pytest.fixture
def taken(monkeypatch):
    """What was passed on as a case, instead of the floor above."""
    calls = []

    def take(**need):
        calls.append(need)
        return f"CASE{len(calls)}"

    monkeypatch.setattr(needs, "_takers", [take])
    return calls


def due(household, days):
    """Let a visit be due so many days from today."""
    Household.objects.filter(pk=household.pk).update(next_due_on=today() + timedelta(days=days))
    return household


def send(world, body, *, by=None, **headers):
    return client_of(by or world.worker).post(
        VISITS, json.dumps(body), content_type="application/json", headers=headers
    )


# ---------- today's round


def test_the_round_holds_who_is_due_the_longest_overdue_first(world):
    later, sooner = due(world.household(), -1), due(world.household(), -9)
    due(world.household(), 3)
    answer = client_of(world.worker).get(ROUND).json()
    assert (answer["due"], answer["overdue"], answer["done"]) == (2, 2, 0)
    assert [row["id"] for row in answer["results"]] == [sooner.pk, later.pk]
    assert answer["results"][0] == {
        "id": sooner.pk,
        "address": sooner.address,
        "place": f"{world.village.name} · {world.grid.name} · {world.unit.name}",
        "contact": "周**",
        "people": 3,
        "tags": [],
        "last_visited_on": None,
        "due_on": str(today() - timedelta(days=9)),
        "overdue": True,
        "lat": None,
        "lon": None,
        "away": None,
    }


def test_a_position_sent_along_puts_the_nearest_first(world):
    longitude, latitude = world.county.point_in(world.grid)
    far, near = due(world.household(), -9), due(world.household(), -1)
    for household, shift in ((far, 0.004), (near, 0.0001)):
        place = Point(longitude + shift, latitude, srid=4326)
        Household.objects.filter(pk=household.pk).update(location=place)
    here = {"lat": latitude, "lon": longitude}
    answer = client_of(world.worker).post(ROUND, here, content_type="application/json").json()
    assert [row["id"] for row in answer["results"]] == [near.pk, far.pk]
    assert answer["results"][0]["away"] < 20
    wrong = client_of(world.worker).post(ROUND, {"lat": 91, "lon": 0})
    assert (wrong.status_code, set(wrong.json()["errors"])) == (400, {"lat"})


def test_the_round_costs_the_same_for_one_and_for_many(world, django_assert_max_num_queries):
    for _ in range(5):
        due(world.household(), -1)
    client = client_of(world.worker)
    client.get(ROUND)
    with django_assert_max_num_queries(9):
        assert len(client.get(ROUND).json()["results"]) == 5


# ---------- a visit


def test_a_visit_is_stored_once_with_place_time_and_need(world, taken):
    household = due(world.household(), -2)
    longitude, latitude = world.county.point_in(world.grid)
    at = timezone.now() - timedelta(hours=2)
    body = {
        "household": household.pk, "met": True, "at": at.isoformat(), "lat": latitude,
        "lon": longitude, "accuracy": 12.4, "diary": "身体硬朗", "need": "门口路灯不亮",
    }  # fmt: skip
    key = {"Idempotency-Key": str(uuid.uuid4())}
    first, again = send(world, body, **key), send(world, body, **key)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    visit = Visit.objects.get()
    assert (visit.by, visit.at, visit.accuracy, visit.diary) == (world.worker, at, 12, "身体硬朗")
    assert (visit.point.x, visit.point.y) == pytest.approx((longitude, latitude))
    assert len(taken) == 1
    answer = first.json()
    assert (answer["id"], answer["case"]) == (visit.pk, "CASE1")
    assert answer["due_on"] == str(timezone.localdate(at) + timedelta(days=7))


def test_the_key_may_stand_in_the_body(world):
    body = {"household": world.household().pk, "met": True, "visit_key": str(uuid.uuid4())}
    assert [send(world, body).status_code for _ in range(2)] == [201, 200]
    wrong = send(world, body | {"visit_key": None}, **{"Idempotency-Key": "mine"})
    assert wrong.json()["errors"].keys() == {"Idempotency-Key"}


def test_photos_come_in_the_same_request(world):
    household = world.household()
    body = {"household": household.pk, "met": "true", "photos": [picture(), picture()]}
    assert client_of(world.worker).post(VISITS, body).status_code == 201
    assert Visit.objects.get().photos.count() == 2
    body["photos"] = [SimpleUploadedFile("x.jpg", b"no picture", "image/jpeg")]
    refused = client_of(world.worker).post(VISITS, body)
    assert refused.status_code == 400
    assert Visit.objects.count() == 1


def test_chinese_map_coordinates_are_converted(world):
    body = {"household": world.household().pk, "met": True, "lat": 33.7, "lon": 115.3}
    assert send(world, body | {"coordinate_system": "gcj02"}).status_code == 201
    point = Visit.objects.get().point
    assert (point.y, point.x) == pytest.approx(to_wgs84(33.7, 115.3, "gcj02"))


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"met": None}, "met"),
        ({"household": 0}, "household"),
        ({"household": "x"}, "household"),
        ({"lat": 200, "lon": 100}, "lat"),
        ({"at": "gestern"}, "at"),
        ({"at": "2020-01-01T00:00:00+08:00"}, "at"),
        ({"diary": "长" * 2001}, "diary"),
        ({"accuracy": -1}, "accuracy"),
        ({"photos": ["x"]}, "photos"),
        ({"visit_key": "mine"}, "visit_key"),
    ],
)
def test_what_cannot_be_is_refused_by_the_field(world, wrong, field):
    answer = send(world, {"household": world.household().pk, "met": True} | wrong)
    assert (answer.status_code, set(answer.json()["errors"])) == (400, {field})


def test_whether_somebody_was_met_is_said_in_so_many_words(world):
    household = world.household()
    for answer in (
        send(world, {"household": household.pk}),
        client_of(world.worker).post(VISITS, {"household": household.pk}),
    ):
        assert (answer.status_code, set(answer.json()["errors"])) == (400, {"met"})


@pytest.mark.parametrize("body", ["[]", "7", '"x"', "{", ""])
def test_a_body_that_is_no_object_is_refused(world, body):
    client = client_of(world.worker)
    assert client.post(VISITS, body, content_type="application/json").status_code == 400


def test_a_key_used_for_another_door_is_a_conflict(world):
    key = {"Idempotency-Key": str(uuid.uuid4())}
    first, other = world.household(), world.household()
    assert send(world, {"household": first.pk, "met": True}, **key).status_code == 201
    assert send(world, {"household": other.pk, "met": True}, **key).status_code == 409


# ---------- a need told afterwards


def test_a_need_told_afterwards_becomes_one_case(world, taken):
    visit = send(world, {"household": world.household().pk, "met": True}).json()
    there = f"/api/v1/visits/{visit['id']}/need/"
    worker = client_of(world.worker)
    assert worker.post(there, {"need": " "}).status_code == 400
    assert worker.post(there, {"need": "代取药品"}).json()["case"] == "CASE1"
    assert worker.post(there, {"need": "代取药品"}).status_code == 409
    assert client_of(world.stranger).post(there, {"need": "代取药品"}).status_code == 404


# ---------- who is overdue


def test_overdue_households_come_the_longest_first_fifty_a_page(world):
    late = [due(world.household(), -n).pk for n in range(1, 53)]
    due(world.household(), 0)
    office = client_of(world.office)
    first = office.get(OVERDUE).json()
    second = office.get(OVERDUE, {"cursor": first["next"]}).json()
    rows = first["results"] + second["results"]
    assert [row["id"] for row in rows] == late[::-1]
    assert second["next"] is None
    text = json.dumps(first, ensure_ascii=False)
    assert NAME not in text
    assert PHONE not in text


def test_the_overdue_list_is_narrowed_to_an_area_of_one_s_own(world):
    due(world.household(), -1)
    admin = client_of(world.admin)
    for area, found in ((world.unit, 1), (world.grid, 1), (world.county.grids[1], 0)):
        assert len(admin.get(OVERDUE, {"area": area.pk}).json()["results"]) == found
    for outside in (world.other_town.pk, world.county.county.pk, 10**17, "x"):
        assert admin.get(OVERDUE, {"area": outside}).status_code == 404
    assert admin.get(OVERDUE, {"cursor": "x"}).status_code == 400


# ---------- whose it is


def test_the_line_next_door_visits_and_sees_nothing(world):
    household = due(world.household(), -1)
    elsewhere = person(Role.GRID_WORKER, world.county.grids[1])
    for user in (elsewhere, person(Role.GRID_CHIEF, world.county.grids[4])):
        body = {"household": household.pk, "met": True}
        assert send(world, body, by=user).status_code == 404
        assert client_of(user).get(ROUND).json()["results"] == []
        assert client_of(user).get(OVERDUE).json()["results"] == []
    assert not Visit.objects.exists()


@pytest.mark.parametrize("who", ["office", "admin", "command", "leader", "mediator"])
def test_only_who_goes_from_door_to_door_checks_in(world, who):
    user = getattr(world, who)
    assert send(world, {"household": world.household().pk, "met": True}, by=user).status_code == 403
    assert client_of(user).get(ROUND).status_code == 403
    sees = {"office": 200, "admin": 200, "command": 200, "leader": 403, "mediator": 403}
    assert client_of(user).get(OVERDUE).status_code == sees[who]
