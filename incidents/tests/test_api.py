"""The API: reports exactly once, staff within their scope, every step by the pages' own rules."""

import json
import uuid

import pytest
from django.core.management import call_command

from core.text import search_terms
from grids.factories import person
from grids.models import Role
from incidents.api import shapes
from incidents.factories import actor
from incidents.models import FigureDelta, Incident, Source, State
from incidents.services import handling
from incidents.tests.test_files import picture

pytestmark = pytest.mark.django_db
REPORTS = "/api/v1/reports/"


def send(client, body, **headers):
    return client.post(REPORTS, json.dumps(body), content_type="application/json", **headers)


def signed_in(client, user):
    other = client.__class__()
    other.force_login(user)
    return other


def take(client, incident, step, body=None):
    return client.post(
        f"/api/v1/incidents/{incident.tracking_code}/{step}/",
        json.dumps(body or {}),
        content_type="application/json",
    )


def test_a_report_is_answered_with_its_code_and_link(client, world):
    longitude, latitude = world.places.point_in(world.grid)
    answer = send(client, {"text": "路灯不亮", "lat": latitude, "lon": longitude, "name": "李"})
    incident = Incident.objects.get()
    assert answer.status_code == 201
    assert answer.json() == {
        "tracking_code": incident.tracking_code,
        "track_url": f"http://testserver/track/?code={incident.tracking_code}",
    }
    assert (incident.grid, incident.town, incident.source) == (
        world.grid, world.town, Source.RESIDENT,
    )  # fmt: skip
    assert incident.contact.name == "李"
    assert list(incident.events.values_list("action", "public")) == [("report", True)]
    assert dict(FigureDelta.objects.values_list("metric", "n")) == {
        "reported": 1,
        "state:reported": 1,
    }


def test_the_same_key_is_one_report_in_the_body_or_the_header(client, world):
    key = str(uuid.uuid4())
    first = send(client, {"text": "路灯不亮", "report_key": key})
    again = send(client, {"text": "路灯不亮", "report_key": key})
    header = send(client, {"text": "路灯不亮"}, HTTP_IDEMPOTENCY_KEY=key)
    assert [first.status_code, again.status_code, header.status_code] == [201, 200, 200]
    assert first.json() == again.json() == header.json()
    assert Incident.objects.count() == FigureDelta.objects.filter(metric="reported").count() == 1


def test_a_word_without_end_is_taken_and_found_by_its_beginning(client, world):
    answer = send(client, {"text": "见网址 " + "a" * 300})
    assert answer.status_code == 201
    assert Incident.objects.filter(bigrams__contains=search_terms("a" * 200)).count() == 1


def test_a_key_others_could_hit_on_is_refused(client, world):
    answer = send(client, {"text": "路灯不亮"}, HTTP_IDEMPOTENCY_KEY="1")
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["Idempotency-Key"])


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "text"),
        ({"text": " "}, "text"),
        ({"text": "长" * 5001}, "text"),
        ({"text": "路灯", "lat": "north", "lon": 115}, "lat"),
        ({"text": "路灯", "lat": 33.6}, "lat"),
        ({"text": "路灯", "lat": "nan", "lon": 115.2}, "lat"),
        ({"text": "路灯", "lat": False, "lon": 115.2}, "lat"),
        ({"text": "路灯", "lat": "1e400", "lon": 115.2}, "lat"),
        ({"text": "路灯", "lat": 39.9, "lon": 116.4}, "lat"),
        ({"text": "路灯", "coordinate_system": "mars"}, "coordinate_system"),
        ({"text": "路灯", "category": "none"}, "category"),
        ({"text": "路灯", "photos": ["x"]}, "photos"),
        ({"text": "路灯", "photos": [str(uuid.uuid4())]}, "photos"),
        ({"text": "路灯", "report_key": "x"}, "report_key"),
        ({"text": "路灯", "report_key": 1}, "report_key"),
        ({"text": "路灯", "phone": 19900001234}, "phone"),
        ({"text": "路灯", "draft_key": "forged"}, "draft_key"),
        ({"text": ["a"]}, "text"),
    ],
)
def test_bad_input_is_told_by_field_and_stores_nothing(client, world, body, field):
    answer = send(client, body)
    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == [field]
    assert answer.json()["errors"][field][0]
    assert not Incident.objects.exists()


@pytest.mark.parametrize("body", ["", "{", "[]", "null", '"text"', '{"text": NaN}', "\xff"])
def test_what_is_no_object_is_a_bad_request(client, world, body):
    answer = client.post(REPORTS, body, content_type="application/json")
    assert answer.status_code == 400
    assert answer.json()["request_id"]


def test_only_what_a_reporter_may_say_is_taken(client, world):
    send(
        client,
        {
            "text": "路灯不亮",
            "state": "closed",
            "source": "hotline",
            "reporter": world.command.pk,
            "reporter_id": world.command.pk,
            "tracking_code": "AAAA",
            "owner_department": world.city.pk,
            "urgency": 2,
            "round": 9,
        },
    )
    incident = Incident.objects.get()
    assert (incident.state, incident.source, incident.reporter, incident.urgency) == (
        State.REPORTED, Source.RESIDENT, None, 0,
    )  # fmt: skip
    assert (incident.owner, incident.round) == (None, 1)
    assert incident.tracking_code != "AAAA"


def test_a_chinese_maps_coordinates_are_turned_back(client, world):
    longitude, latitude = world.places.point_in(world.grid)
    # GCJ-02 shifts this place by some 550 m; taken as it stands it would be another grid's edge.
    body = {"text": "路灯不亮", "lat": latitude, "lon": longitude, "coordinate_system": "gcj02"}
    send(client, body)
    shifted = Incident.objects.get().location
    assert 0.003 < abs(shifted.x - longitude) < 0.01
    assert 0.0005 < abs(shifted.y - latitude) < 0.01


def test_reports_are_limited_by_address(client, world, settings):
    settings.RATE_LIMITS = {**settings.RATE_LIMITS, "report": (1, 60)}
    assert send(client, {"text": "路灯不亮"}).status_code == 201
    again = send(client, {"text": "路灯不亮"})
    assert (again.status_code, again.json()["code"]) == (429, "too_many")
    assert again.headers["Retry-After"]


def test_no_session_is_needed_and_none_is_used(client, world):
    strict = client.__class__(enforce_csrf_checks=True)
    strict.force_login(world.command)
    answer = send(strict, {"text": "路灯不亮"})
    assert answer.status_code == 201
    assert Incident.objects.get().reporter is None
    assert not send(client, {"text": "路灯不亮"}).cookies


def test_photos_go_ahead_of_their_report(client, world):
    photo = client.post("/api/v1/photos/", {"photo": picture()}).json()
    body = {"text": "路灯不亮", "photos": [photo["id"]], "draft_key": photo["draft_key"]}
    assert send(client.__class__(), {**body, "draft_key": ""}).status_code == 400
    assert not Incident.objects.exists()
    assert send(client.__class__(), body).status_code == 201
    assert Incident.objects.get().photos.count() == 1


def test_a_report_costs_two_queries(client, world, django_assert_num_queries):
    longitude, latitude = world.places.point_in(world.grid)
    # Whether a system listens is asked once in some seconds.
    send(client, {"text": "井盖松动"})
    with django_assert_num_queries(2):
        send(client, {"text": "路灯不亮", "lat": latitude, "lon": longitude})


def test_staff_see_the_cases_of_their_place_alone(client, world):
    incident = world.report()
    row = signed_in(client, world.command).get("/api/v1/incidents/").json()["results"][0]
    assert row["tracking_code"] == incident.tracking_code
    assert row["due_at"] is None
    elsewhere = signed_in(client, person(Role.GRID_WORKER, world.places.grids[-1]))
    assert elsewhere.get("/api/v1/incidents/").json()["results"] == []
    code = incident.tracking_code
    assert elsewhere.get(f"/api/v1/incidents/{code}/").status_code == 404
    assert take(elsewhere, incident, "handle_on_spot").status_code == 404
    assert client.get("/api/v1/incidents/").status_code == 403
    keeper = signed_in(client, person(Role.SYSTEM_ADMIN, world.county))
    assert keeper.get("/api/v1/incidents/").status_code == 403


@pytest.mark.parametrize(
    "query",
    [
        "reporter__password__startswith=a",
        "contact__phone=19900001234",
        "state__in=closed",
        "state=closed'--",
        "order=id;drop table",
        "ordering=-reporter__password",
        "urgency=x",
        "area=99999999",
        "cursor=abc",
        "since=2026-13-01",
    ],
)
def test_a_filter_that_is_not_on_the_list_is_refused(client, world, query):
    answer = signed_in(client, world.command).get(f"/api/v1/incidents/?{query}")
    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == [query.partition("=")[0]]


def test_one_case_is_shown_whole_but_for_its_reporter(client, world):
    sent = {"text": "路灯不亮，电话19900001234", "name": "李小明", "phone": "19900001234"}
    send(client, sent)
    incident = Incident.objects.get()
    answer = signed_in(client, world.command).get(f"/api/v1/incidents/{incident.tracking_code}/")
    shown = answer.json()
    assert shown["version"] == incident.version
    assert [row["action"] for row in shown["timeline"]] == ["report"]
    assert "triage" in [row["action"] for row in shown["actions"]]
    assert "19900001234" not in answer.content.decode()
    assert "李小明" not in answer.content.decode()


def test_answers_have_the_fields_the_schema_tells(client, world):
    incident = world.whistled()
    handler = signed_in(client, world.city_handler)
    shown = handler.get(f"/api/v1/incidents/{incident.tracking_code}/").json()
    listed = handler.get("/api/v1/incidents/").json()
    assert list(shown) == list(shapes.IncidentDetail().fields)
    assert list(shown["timeline"][0]) == list(shapes.EventRow().fields)
    assert list(shown["actions"][0]) == list(shapes.ActionRow().fields)
    assert list(shown["clocks"][0]) == list(shapes.ClockRow().fields)
    assert "城管局" in [clock["department"] for clock in shown["clocks"]]
    assert list(listed) == list(shapes.IncidentPage().fields)
    assert list(listed["results"][0]) == list(shapes.IncidentRow().fields)
    assert listed["results"][0].items() <= shown.items()


def test_a_step_is_taken_and_the_case_told_in_few_queries(
    client, world, django_assert_max_num_queries
):
    incident = world.dispatched()
    handler = signed_in(client, world.city_handler)
    handler.get("/api/v1/incidents/")
    # Session, person, postings; the case, its lock, clocks, deadlines; what is written in one
    # transaction; the case told.
    with django_assert_max_num_queries(18):
        assert take(handler, incident, "accept", {"seen": incident.version}).status_code == 200


def test_a_step_is_taken_by_the_pages_rules(client, world):
    incident = world.dispatched()
    handler = signed_in(client, world.city_handler)
    answer = take(handler, incident, "accept", {"seen": incident.version})
    assert answer.status_code == 200, answer.content
    assert answer.json()["state"] == "accepted"
    empty = take(handler, incident, "respond", {})
    assert (empty.status_code, list(empty.json()["errors"])) == (400, ["result"])
    assert take(handler, incident, "respond", {"result": "已清运完毕"}).status_code == 200
    assert Incident.objects.get().state == State.RESPONDED


def test_refusals_of_a_step_have_their_status(client, world):
    incident = world.dispatched()
    handler = signed_in(client, world.city_handler)
    assert take(handler, incident, "triage", {}).status_code == 403
    assert take(handler, incident, "delete", {}).status_code == 404
    assert take(handler, incident, "rate", {}).status_code == 404
    assert take(handler, incident, "respond", {"result": "已清运"}).status_code == 409
    handling.accept(incident_id=incident.pk, actor=actor(world.city_handler))
    late = take(handler, incident, "arrive", {"seen": incident.version})
    assert (late.status_code, late.json()["code"]) == (409, "conflict")
    assert take(handler, incident, "arrive", {"note": {"a": 1}}).status_code == 400
    nothing = handler.post(
        f"/api/v1/incidents/{incident.tracking_code}/arrive/", "[]", content_type="application/json"
    )
    assert nothing.status_code == 400


def test_a_step_of_a_session_needs_the_csrf_token(client, world):
    incident = world.dispatched()
    strict = client.__class__(enforce_csrf_checks=True)
    strict.force_login(world.city_handler)
    assert take(strict, incident, "accept").status_code == 403
    assert Incident.objects.get().state == State.DISPATCHED


def test_the_catalogue_is_public_and_the_tree_is_not(client, world):
    codes = [row["code"] for row in client.get("/api/v1/categories/").json()]
    assert codes == [world.rubbish.code, world.road.code]
    assert client.get("/api/v1/areas/").status_code == 403
    staff = signed_in(client, world.worker)
    assert [row["code"] for row in staff.get("/api/v1/areas/").json()] == [world.county.code]
    below = staff.get(f"/api/v1/areas/?parent={world.county.code}").json()
    assert [row["name"] for row in below] == [town.name for town in world.places.towns]
    assert staff.get("/api/v1/areas/999999/").status_code == 404
    me = staff.get("/api/v1/me/").json()
    assert me["postings"][0]["role"] == "grid_worker"
    assert "password" not in me


def test_the_schema_is_whole_and_its_page_opens(client, world, tmp_path):
    call_command("spectacular", "--validate", "--fail-on-warn", "--file", str(tmp_path / "s.yml"))
    assert client.get("/api/v1/schema/").status_code == 200
    page = client.get("/api/v1/docs/")
    assert page.status_code == 200
    assert REPORTS in page.content.decode()
