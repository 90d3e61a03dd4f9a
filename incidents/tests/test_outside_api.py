"""A connected system's key: what it opens, how often, and that it opens nobody's data."""

import uuid

import pytest
from django.test import Client

from grids.factories import person
from grids.models import Role
from incidents.factories import actor
from incidents.models import Event, Incident, Publication, SystemDay
from incidents.services import systems
from incidents.services.systems import SystemFields

pytestmark = pytest.mark.django_db
REPORTS, CASES = "/api/v1/outside/reports/", "/api/v1/outside/cases/"
PHONE = "19900001234"


class Caller:
    """A system with a key."""

    def __init__(self, world, name="市平台", **more):
        self.admin = actor(person(Role.SYSTEM_ADMIN, world.county))
        values = {"scopes": ["report", "read_own", "update"]} | more
        fields = SystemFields(name=name, **values)
        self.system = systems.add_system(fields=fields, actor=self.admin)
        self.key = systems.new_key(system_id=self.system.pk, actor=self.admin)

    def _with(self):
        return {"Authorization": f"Bearer {self.key}"}

    def get(self, url):
        return Client().get(url, headers=self._with())

    def post(self, url, body, **headers):
        asked = self._with() | headers
        return Client().post(url, body, content_type="application/json", headers=asked)


@pytest.fixture
def caller(world):
    return Caller(world)


def report(world, **more):
    longitude, latitude = world.places.point_in(world.grid)
    body = {"text": "桥头垃圾没人清", "lat": latitude, "lon": longitude}
    return body | {"name": "赵某", "phone": PHONE} | more


def test_a_report_is_taken_once_by_its_number_over_there(world, caller):
    first = caller.post(REPORTS, report(world, external_id="A-1"))
    again = caller.post(REPORTS, report(world, external_id="A-1", text="别的话"))
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert Incident.objects.count() == 1


def test_a_report_is_taken_once_by_the_callers_key(world, caller):
    key = str(uuid.uuid4())
    answers = [
        caller.post(REPORTS, report(world), **{"Idempotency-Key": key}).json() for _n in range(2)
    ]
    assert answers[0] == answers[1]
    assert Incident.objects.count() == 1


def test_the_key_of_one_system_meets_nothing_of_another(world, caller):
    other, key = Caller(world, "镇平台"), str(uuid.uuid4())
    mine = caller.post(REPORTS, report(world, report_key=key)).json()
    theirs = other.post(REPORTS, report(world, report_key=key))
    assert theirs.status_code == 201
    assert theirs.json()["number"] != mine["number"]
    assert other.get(f"{CASES}{mine['number']}/").status_code == 404
    update = {"text": "越界"}
    assert other.post(f"{CASES}{mine['number']}/updates/", update).status_code == 404


def test_no_persons_data_comes_back_not_even_of_ones_own(world, caller):
    number = caller.post(REPORTS, report(world, external_id="A-1")).json()["number"]
    one = caller.get(f"{CASES}{number}/")
    page = caller.get(CASES)
    assert one.json()["external_id"] == "A-1"
    assert one.json()["words"] == "桥头垃圾没人清"
    assert page.json()["results"] == [one.json()]
    code = Incident.objects.get().tracking_code
    for private in (PHONE, "赵某", code):
        assert private not in one.content.decode() + page.content.decode()


def test_public_cases_are_read_only_in_ones_bounds(world, caller):
    world.rubbish.publication = Publication.AREA
    world.rubbish.save()
    case = world.pending()
    assert caller.get(f"{CASES}{case.pk}/").status_code == 404
    reader = Caller(world, "读者", scopes=["read"], areas=[world.town])
    assert reader.get(f"{CASES}{case.pk}/").json()["words"] is None
    reader.system.areas.set([world.places.towns[1]])
    assert reader.get(f"{CASES}{case.pk}/").status_code == 404
    assert reader.get(CASES).status_code == 403


def test_an_update_stands_on_the_timeline_once(world, caller):
    number = caller.post(REPORTS, report(world)).json()["number"]
    body = {"text": "已电话联系", "update_id": "U-1", "closed": True}
    answers = [caller.post(f"{CASES}{number}/updates/", body).json() for _n in range(2)]
    assert answers[0] == answers[1]
    assert Event.objects.filter(action="system_update").get().note == "已电话联系"


@pytest.mark.parametrize("right", ["report", "read_own", "update"])
def test_each_right_opens_its_own_door_only(world, right):
    caller = Caller(world, scopes=[right])
    statuses = {
        "report": caller.post(REPORTS, {}).status_code,
        "read_own": caller.get(CASES).status_code,
        "update": caller.post(f"{CASES}1/updates/", {"text": "x"}).status_code,
    }
    assert {name for name, status in statuses.items() if status != 403} == {right}


def test_without_a_key_nothing_opens_and_a_revoked_one_stops_at_once(world, caller):
    assert Client().get(CASES).status_code == 403
    assert caller.get(CASES).status_code == 200
    systems.set_active(system_id=caller.system.pk, active=False, actor=caller.admin)
    assert caller.get(CASES).status_code == 403
    systems.set_active(system_id=caller.system.pk, active=True, actor=caller.admin)
    systems.new_key(system_id=caller.system.pk, actor=caller.admin)
    assert caller.get(CASES).status_code == 403


@pytest.mark.parametrize("quota", [{"daily_quota": 2}, {"minute_quota": 2}])
def test_past_a_quota_the_answer_says_when_again(world, quota):
    caller = Caller(world, **quota)
    answers = [caller.get(CASES) for _n in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert int(answers[2].headers["Retry-After"]) > 0
    assert answers[2].json()["code"] == "too_many"
    assert SystemDay.objects.get().calls == 2


def test_what_is_wrong_is_named_by_field(world, caller):
    answer = caller.post(REPORTS, report(world, text="", area_code="41"))
    assert answer.status_code == 400
    assert "text" in answer.json()["errors"]
    wrong = caller.post(REPORTS, report(world, area_code="41"))
    assert "area_code" in wrong.json()["errors"]


def test_a_page_costs_the_same_however_many(world, caller, django_assert_max_num_queries):
    for number in range(3):
        caller.post(REPORTS, report(world, external_id=f"A-{number}"))
    with django_assert_max_num_queries(10):
        assert len(caller.get(CASES).json()["results"]) == 3
