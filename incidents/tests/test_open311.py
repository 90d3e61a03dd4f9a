"""Open311 GeoReport v2: the standard's own words, and nothing of a case that is not public."""

import json
import re
from datetime import timedelta
from typing import Any

import pytest
from defusedxml.ElementTree import fromstring
from django.test import Client
from django.utils import timezone

from core.models import OutboxMessage
from incidents.factories import World, actor, draft_photo
from incidents.models import (
    Category,
    Event,
    Incident,
    Publication,
    ReporterContact,
    SentCase,
    Source,
    State,
    System,
    SystemDay,
)
from incidents.services import dispatching, systems
from incidents.services.intake import Report, report

pytestmark = pytest.mark.django_db
ROOT = "/open311/v2/"
W3C = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d")


@pytest.fixture
def open_world(world: World) -> World:
    """A county that publishes one item with its place, and one with its grid."""
    world.rubbish.publication = Publication.PLACE
    world.rubbish.keywords = ["垃圾", "发臭"]
    world.rubbish.save()
    Category.objects.filter(pk=world.road.pk).update(publication=Publication.AREA)
    return world


def connect(world: World, *scopes: str, name: str = "市热线", quota: int = 1000) -> str:
    """Connect a system and return its key."""
    system = System.objects.create(name=name, scopes=list(scopes), daily_quota=quota)
    key = f"gs_{name}"
    System.objects.filter(pk=system.pk).update(key_hash=systems.hashed(key))
    return key


def get(path: str, **asked: Any) -> Any:
    return Client().get(ROOT + path, asked)


def rows(path: str, **asked: Any) -> Any:
    answer = get(path, **asked)
    assert answer.status_code == 200, answer.content
    return answer.json()


def ids(path: str = "requests.json", **asked: Any) -> set[str]:
    return {row["service_request_id"] for row in rows(path, **asked)}


def post(path: str = "requests.json", **form: Any) -> Any:
    return Client().post(ROOT + path, form)


def told(world: World, **more: Any) -> dict[str, Any]:
    """A form that can be taken, without the key."""
    longitude, latitude = world.places.point_in(world.grid)
    form = {
        "service_code": world.rubbish.code,
        "lat": latitude,
        "long": longitude,
        "description": "桥头的垃圾没人清",
    }
    return form | more


# ---------- what is offered


def test_discovery_names_this_endpoint_in_both_formats(open_world):
    found = rows("discovery.json")
    (endpoint,) = found["endpoints"]
    assert endpoint["url"] == "http://testserver/open311/v2"
    assert endpoint["specification"] == "http://wiki.open311.org/GeoReport_v2"
    assert endpoint["formats"] == ["text/xml", "application/json"]
    tree = fromstring(get("discovery.xml").content)
    assert tree.findtext("endpoints/endpoint/url") == endpoint["url"]
    assert [row.text for row in tree.iter("format")] == endpoint["formats"]


def test_services_are_the_published_items_and_only_those_still_used(open_world):
    private = Category.objects.create(
        code="P-1", name="家庭纠纷", major="纠纷", owner=open_world.city, tier="local"
    )
    closed = Category.objects.create(
        code="P-2",
        name="旧项",
        major="旧",
        owner=open_world.city,
        tier="local",
        publication=Publication.PLACE,
        active=False,
    )
    found = {row["service_code"]: row for row in rows("services.json")}
    assert set(found) == {open_world.rubbish.code, open_world.road.code}
    assert private.code not in found
    assert closed.code not in found
    assert found[open_world.rubbish.code] == {
        "service_code": open_world.rubbish.code,
        "service_name": "暴露垃圾",
        "description": "",
        "metadata": True,
        "type": "realtime",
        "keywords": "垃圾,发臭",
        "group": "测试大类",
    }


def test_services_in_xml_say_the_same_with_their_encoding(open_world):
    answer = get("services.xml")
    assert answer.headers["Content-Type"] == "text/xml; charset=utf-8"
    assert answer.content.startswith(b'<?xml version="1.0" encoding="utf-8"?>')
    tree = fromstring(answer.content)
    assert tree.tag == "services"
    named = {row.findtext("service_code"): row.findtext("service_name") for row in tree}
    assert named == {r["service_code"]: r["service_name"] for r in rows("services.json")}
    assert tree.findtext("service/metadata") == "true"


def test_a_service_says_what_else_may_be_told(open_world):
    Category.objects.filter(pk=open_world.rubbish.pk).update(urgent=True)
    found = rows(f"services/{open_world.rubbish.code}.json")
    assert found["service_code"] == open_world.rubbish.code
    by_code = {row["code"]: row for row in found["attributes"]}
    assert list(by_code) == ["coordinate_system", "external_id", "notice"]
    choice = by_code["coordinate_system"]
    assert (choice["datatype"], choice["variable"]) == ("singlevaluelist", True)
    assert {row["key"] for row in choice["values"]} == {"wgs84", "cgcs2000", "gcj02", "bd09"}
    assert by_code["notice"]["variable"] is False
    tree = fromstring(get(f"services/{open_world.rubbish.code}.xml").content)
    assert tree.tag == "service_definition"
    assert len(tree.findall("attributes/attribute")) == 3
    assert len(tree.findall("attributes/attribute/values/value/key")) == 4


def test_words_are_told_in_the_language_asked_for(open_world):
    answer = Client(headers={"accept-language": "en"}).get(f"{ROOT}services.json")
    assert "Exposed rubbish" in {row["service_name"] for row in answer.json()}


# ---------- what is public


def test_a_case_stands_with_all_its_fields_and_no_empty_dates(open_world):
    incident = open_world.accepted()
    (row,) = rows("requests.json")
    longitude, latitude = open_world.places.point_in(open_world.grid)
    assert row["service_request_id"] == str(incident.pk)
    assert (row["status"], row["service_code"]) == ("open", open_world.rubbish.code)
    assert row["service_name"] == "暴露垃圾"
    assert row["agency_responsible"] == "城管局"
    assert row["address_id"] == open_world.grid.code
    assert row["address"].startswith(open_world.grid.name)
    assert row["address"].endswith(open_world.county.name)
    assert row["lat"] == pytest.approx(latitude, abs=1e-4)
    assert row["long"] == pytest.approx(longitude, abs=1e-4)
    for name in ("requested_datetime", "updated_datetime", "expected_datetime"):
        assert W3C.fullmatch(row[name]), name
    Incident.objects.filter(pk=incident.pk).update(state=State.CLOSED, ended_at=timezone.now())
    incident.clocks.update(finished_at=timezone.now())
    (row,) = rows("requests.json")
    assert row["status"] == "closed"
    assert "expected_datetime" not in row
    tree = fromstring(get("requests.xml").content)
    assert tree.tag == "service_requests"
    assert tree.find("request/expected_datetime") is None
    assert tree.findtext("request/status") == "closed"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"category": None}, "nobody has said what it is about"),
        ({"urgency": 2}, "somebody may be in danger there"),
        ({"state": State.REPORTED}, "nobody has looked at it"),
        ({"state": State.EMERGENCY, "ended_at": timezone.now}, "emergency services are on it"),
        ({"state": State.STATUTORY, "ended_at": timezone.now}, "petition, court or mediation"),
        ({"state": State.ANSWERED}, "a question of a person"),
    ],
)
def test_what_is_not_public_is_nowhere(open_world, changes, why):
    incident = open_world.pending()
    number = str(incident.pk)
    assert ids() == {number}
    values = {name: value() if callable(value) else value for name, value in changes.items()}
    Incident.objects.filter(pk=incident.pk).update(**values)
    assert ids() == set(), why
    assert ids(service_request_id=number) == set()
    assert get(f"requests/{number}.json").status_code == 404
    assert get(f"tokens/{number}.json").status_code == 404
    assert ids("servicerequestupdates.json") == set()
    assert ids("servicerequestupdates.json", service_request_id=number) == set()


def test_an_item_that_is_withdrawn_takes_its_cases_along_at_once(open_world):
    open_world.pending()
    assert len(ids()) == 1
    Category.objects.filter(pk=open_world.rubbish.pk).update(publication=Publication.NONE)
    assert ids() == set()


def test_no_answer_holds_the_reporter_their_words_or_the_way_to_follow(open_world):
    longitude, latitude = open_world.places.point_in(open_world.grid)
    incident, _new = report(
        Report(
            text="我是张小明，住3号楼，电话19900001234，门口垃圾",
            source=Source.RESIDENT,
            latitude=latitude,
            longitude=longitude,
            address="张小明家门口",
            name="张小明",
            phone="19900001234",
        )
    )
    dispatching.triage(
        incident_id=incident.pk,
        actor=actor(open_world.command),
        category=open_world.rubbish,
        send=False,
    )
    photo = draft_photo(open_world.worker, incident=incident)
    number = incident.pk
    said = b"".join(
        get(path, **asked).content
        for form in ("xml", "json")
        for path, asked in (
            (f"requests.{form}", {}),
            (f"requests/{number}.{form}", {}),
            (f"tokens/{number}.{form}", {}),
            (f"servicerequestupdates.{form}", {}),
        )
    ).decode()
    assert str(number) in said
    for secret in ("张", "1990000", "1234", "门口", incident.tracking_code, str(photo.pk)):
        assert secret not in said
    assert str(incident.report_key) not in said


def test_where_it_is_is_told_as_exactly_as_the_item_says(open_world):
    longitude, latitude = open_world.places.point_in(open_world.grid)
    incident = open_world.pending(category=open_world.road)
    Incident.objects.filter(pk=incident.pk).update(
        location=f"SRID=4326;POINT({longitude + 0.001} {latitude + 0.001})"
    )
    (row,) = rows("requests.json")
    middle = open_world.grid.boundary.centroid
    assert (row["long"], row["lat"]) == pytest.approx((middle.x, middle.y), abs=2e-4)
    Category.objects.filter(pk=open_world.road.pk).update(publication=Publication.PLACE)
    (row,) = rows("requests.json")
    assert (row["long"], row["lat"]) == (round(longitude + 0.001, 4), round(latitude + 0.001, 4))


# ---------- asking for some


def test_status_service_and_time_narrow_what_is_listed(open_world):
    old, new = open_world.pending(), open_world.pending(category=open_world.road)
    done = open_world.pending()
    Incident.objects.filter(pk=old.pk).update(reported_at=timezone.now() - timedelta(days=100))
    Incident.objects.filter(pk=done.pk).update(state=State.CLOSED, ended_at=timezone.now())
    assert ids() == {str(new.pk), str(done.pk)}
    assert ids(status="open") == {str(new.pk)}
    assert ids(status="closed") == {str(done.pk)}
    assert ids(status="open,closed") == {str(new.pk), str(done.pk)}
    assert ids(service_code=open_world.road.code) == {str(new.pk)}
    both = f"{open_world.road.code},{open_world.rubbish.code}"
    assert ids(service_code=both) == {str(new.pk), str(done.pk)}
    ago = timezone.localdate() - timedelta(days=110)
    assert ids(start_date=f"{ago}T00:00:00Z", end_date=f"{ago + timedelta(days=20)}") == {
        str(old.pk)
    }
    assert ids(end_date=f"{ago + timedelta(days=20)}T00:00:00+08:00") == {str(old.pk)}
    assert ids(service_request_id=f"{old.pk},{new.pk},x", status="closed") == {
        str(old.pk),
        str(new.pk),
    }


def test_pages_are_newest_first_without_gap_or_repeat(open_world):
    wanted = [str(open_world.pending().pk) for _n in range(5)][::-1]
    pages = [
        [row["service_request_id"] for row in rows("requests.json", page=n, page_size=2)]
        for n in (1, 2, 3, 4)
    ]
    assert pages == [wanted[:2], wanted[2:4], wanted[4:], []]
    assert len(ids(page_size=5000)) == 5


@pytest.mark.parametrize(
    "asked",
    [
        {"start_date": "yesterday"},
        {"start_date": "2026-01-01T00:00:00"},
        {"start_date": "2026-02-31"},
        {"start_date": "2026-01-01T00:00:00Z", "end_date": "2026-04-03T00:00:00Z"},
        {"start_date": "2026-02-01", "end_date": "2026-01-01"},
        {"end_date": "0001-01-01T00:00:00Z"},
        {"status": "new"},
        {"page": "0"},
        {"page": "-1"},
        {"page": "x"},
        {"page_size": "0"},
        {"page": "11", "page_size": "1000"},
        {"service_request_id": ",".join(["1"] * 1001)},
    ],
)
def test_what_cannot_be_understood_is_a_list_of_errors(open_world, asked):
    answer = get("requests.json", **asked)
    assert answer.status_code == 400
    (error,) = answer.json()
    assert error["code"] == 400
    assert error["description"]
    tree = fromstring(get("requests.xml", **asked).content)
    assert (tree.tag, tree.findtext("error/code")) == ("errors", "400")
    assert tree.findtext("error/description") == error["description"]


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("services/none.json", {}),
        ("requests.json", {"service_code": "none"}),
        ("requests/1.json", {}),
        ("requests/x.json", {}),
        (f"requests/{'9' * 40}.json", {}),
        ("tokens/none.json", {}),
        ("tokens/1.json", {}),
        ("tokens/%00.json", {}),
        ("services/%00.json", {}),
    ],
)
def test_what_is_not_here_is_told_in_the_format_asked_for(open_world, path, asked):
    answer = get(path, **asked)
    assert (answer.status_code, answer.json()[0]["code"]) == (404, 404)
    tree = fromstring(get(path.replace(".json", ".xml"), **asked).content)
    assert tree.findtext("error/code") == "404"


def test_a_body_that_is_no_form_is_refused_in_the_words_of_the_protocol(open_world):
    kinds = ("multipart/form-data; boundary=x", "multipart/form-data", "application/json")
    for kind in kinds:
        answer = Client().post(f"{ROOT}requests.json", b"--x\r\n{", content_type=kind)
        assert answer.json()[0]["code"] == answer.status_code
        assert answer.status_code in {400, 403}
    many = "&".join(f"a{n}=1" for n in range(1200))
    answer = Client().post(
        f"{ROOT}requests.json", many, content_type="application/x-www-form-urlencoded"
    )
    assert (answer.status_code, answer.json()[0]["code"]) == (400, 400)


def test_a_county_that_publishes_nothing_lists_nothing(world):
    world.pending()
    assert rows("services.json") == rows("requests.json") == []
    assert rows("servicerequestupdates.json") == []
    assert fromstring(get("requests.xml").content).tag == "service_requests"


@pytest.mark.parametrize("path", ["none.json", "services", "requests.pdf", "requests/1", "v1/x"])
def test_an_address_the_protocol_does_not_know_is_told_in_its_words(open_world, path):
    for answer in (get(path), post(path)):
        assert answer.status_code == 404
        assert fromstring(answer.content).findtext("error/code") == "404"


def test_a_method_an_address_does_not_know_is_told(open_world):
    answer = post("services.json")
    assert (answer.status_code, answer.json()[0]["code"]) == (405, 405)
    assert answer.headers["Allow"] == "GET"


def test_what_xml_cannot_hold_breaks_no_answer(open_world):
    key = connect(open_world, "report")
    sent = post(api_key=key, **told(open_world, description="坏\x0b字<&>]]>符 🛣"))
    assert sent.status_code == 201
    number = sent.json()[0]["service_request_id"]
    Incident.objects.update(state=State.PENDING)
    tree = fromstring(get(f"requests/{number}.xml").content)
    assert tree.findtext("request/description") == "坏字<&>]]>符 🛣"


def test_a_list_costs_the_same_however_many_it_holds(open_world, django_assert_num_queries):
    incident = open_world.accepted()
    rows("requests.json")  # the county and the names of offices are remembered from here on
    for _n in range(3):
        open_world.accepted()
    with django_assert_num_queries(6):
        assert len(rows("requests.json")) == 4
    with django_assert_num_queries(4):
        assert len(rows("requests.json", page_size=4)) == 4
    with django_assert_num_queries(4):
        rows(f"requests/{incident.pk}.json")
    with django_assert_num_queries(1):
        rows("services.json")
    with django_assert_num_queries(2):
        rows("servicerequestupdates.json")


# ---------- sending


def test_a_report_is_answered_with_its_number_and_becomes_a_case(open_world):
    key = connect(open_world, "report")
    answer = post(
        api_key=key,
        **told(
            open_world,
            last_name="张",
            first_name="小明",
            phone="19900001234",
            email="x@example.org",
            media_url="https://example.org/p.jpg",
            jurisdiction_id="any.gov",
        ),
    )
    assert answer.status_code == 201
    (row,) = answer.json()
    incident = Incident.objects.get()
    assert row["service_request_id"] == str(incident.pk)
    assert incident.tracking_code in row["service_notice"]
    assert row["account_id"] is None
    assert (incident.source, incident.category) == (Source.SYSTEM, open_world.rubbish)
    assert incident.grid == open_world.grid
    assert incident.text == "桥头的垃圾没人清\nhttps://example.org/p.jpg"
    contact = ReporterContact.objects.get()
    assert (contact.name, contact.phone) == ("张小明", "19900001234")
    assert incident.sent.system.name == "市热线"
    assert Event.objects.get().data["system"] == "市热线"
    tree = fromstring(post("requests.xml", api_key=key, **told(open_world)).content)
    assert tree.tag == "service_requests"
    assert tree.findtext("request/service_request_id") == str(Incident.objects.last().pk)


def test_a_sent_report_is_public_at_once_and_its_words_after_the_triage(open_world):
    key = connect(open_world, "report")
    number = post(api_key=key, **told(open_world)).json()[0]["service_request_id"]
    (row,) = rows(f"requests/{number}.json")
    assert (row["status"], row["description"]) == ("open", None)
    assert rows(f"requests/{number}.json", api_key=key)[0]["description"] == "桥头的垃圾没人清"
    dispatching.triage(
        incident_id=int(number),
        actor=actor(open_world.command),
        category=open_world.rubbish,
        send=False,
    )
    assert rows(f"requests/{number}.json")[0]["description"] == "桥头的垃圾没人清"


def test_phones_and_numbers_of_persons_in_the_words_are_masked(open_world):
    key = connect(open_world, "report")
    post(api_key=key, **told(open_world, description="找 19900001234 或 410000199001010000"))
    Incident.objects.update(state=State.PENDING)
    (row,) = rows("requests.json")
    assert row["description"] == "找 199****1234 或 41**************00"


def test_whoever_sent_it_still_finds_it_when_it_is_no_longer_public(open_world):
    key, other = connect(open_world, "report"), connect(open_world, "report", name="别的")
    number = post(api_key=key, **told(open_world)).json()[0]["service_request_id"]
    Incident.objects.update(state=State.STATUTORY, ended_at=timezone.now())
    assert get(f"requests/{number}.json").status_code == 404
    assert get(f"requests/{number}.json", api_key=other).status_code == 404
    (row,) = rows(f"requests/{number}.json", api_key=key)
    assert row["status"] == "closed"
    assert get(f"requests/{number}.json", api_key="gs_wrong").status_code == 403


def test_the_same_number_of_the_sender_is_one_report(open_world):
    key, other = connect(open_world, "report"), connect(open_world, "report", name="别的")
    form = told(open_world, **{"attribute[external_id]": "A-1"})
    first, again = post(api_key=key, **form), post(api_key=key, **form)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert post(api_key=other, **form).json() != first.json()
    assert (Incident.objects.count(), SentCase.objects.count()) == (2, 2)
    number = first.json()[0]["service_request_id"]
    wanted = [{"service_request_id": number, "token": "A-1"}]
    assert rows("tokens/A-1.json", api_key=key) == wanted
    assert get("tokens/A-1.json").status_code == 404
    assert rows(f"tokens/{number}.json") == [{"service_request_id": number, "token": number}]
    tree = fromstring(get(f"tokens/{number}.xml").content)
    assert tree.findtext("request/service_request_id") == number


def test_coordinates_may_be_given_as_chinese_maps_show_them(open_world):
    key = connect(open_world, "report")
    form = told(open_world, **{"attribute[coordinate_system]": "gcj02"})
    number = post(api_key=key, **form).json()[0]["service_request_id"]
    incident = Incident.objects.get(pk=number)
    assert abs(incident.location.x - float(form["long"])) > 0.003


def test_the_code_of_an_area_or_words_say_where_too(open_world):
    key = connect(open_world, "report")
    form = told(open_world)
    del form["lat"], form["long"]
    by_code = post(api_key=key, **form, address_id=open_world.village.code)
    assert by_code.status_code == 201
    assert Incident.objects.last().village == open_world.village
    by_words = post(api_key=key, **form, address_string=open_world.village.name)
    assert by_words.status_code == 201


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"service_code": ""}, 400),
        ({"service_code": "none"}, 404),
        ({"lat": "", "long": ""}, 400),
        ({"lat": "north"}, 400),
        ({"lat": "39.9", "long": "116.4"}, 400),
        ({"lat": "nan"}, 400),
        ({"long": ""}, 400),
        ({"description": "长" * 4001}, 400),
        ({"media_url": "javascript:alert(1)"}, 400),
        ({"media_url": "file:///etc/passwd"}, 400),
        ({"address_id": "1"}, 400),
        ({"attribute[coordinate_system]": "mars"}, 400),
        ({"first_name": "a\x00b"}, 400),
    ],
)
def test_a_report_that_cannot_be_taken_is_refused_by_name(open_world, changes, status):
    key = connect(open_world, "report")
    answer = post(api_key=key, **told(open_world, **changes))
    assert answer.status_code == status, answer.content
    assert {row["code"] for row in answer.json()} == {status}
    assert not Incident.objects.exists()


@pytest.mark.parametrize("key", ["", "gs_wrong", "\x00", "长" * 500])
def test_without_a_known_key_nothing_is_taken(open_world, key):
    answer = post(api_key=key, **told(open_world))
    assert (answer.status_code, answer.json()[0]["code"]) == (403, 403)
    assert not Incident.objects.exists()


def test_a_key_opens_only_what_it_was_given(open_world):
    reads = connect(open_world, name="只读")
    assert post(api_key=reads, **told(open_world)).status_code == 403
    sends = connect(open_world, "report")
    number = post(api_key=sends, **told(open_world)).json()[0]["service_request_id"]
    form = {"service_request_id": number, "description": "又有了"}
    assert post("servicerequestupdates.json", api_key=sends, **form).status_code == 403
    System.objects.update(active=False)
    assert post(api_key=sends, **told(open_world)).status_code == 403


def test_a_day_has_its_quota(open_world):
    key = connect(open_world, "report", quota=2)
    answers = [post(api_key=key, **told(open_world)) for _n in range(3)]
    assert [answer.status_code for answer in answers] == [201, 201, 429]
    assert 0 < int(answers[2].headers["Retry-After"]) <= 86400
    assert answers[2].json()[0]["code"] == 429
    day = SystemDay.objects.get()
    assert (day.calls, day.refused) == (2, 1)


def test_one_address_has_its_pace(open_world, settings):
    settings.RATE_LIMITS = settings.RATE_LIMITS | {"open311": (2, 60)}
    assert [get("services.json").status_code for _n in range(3)] == [200, 200, 429]


def test_one_key_has_its_pace(open_world, settings):
    settings.RATE_LIMITS = settings.RATE_LIMITS | {"system": (1, 60)}
    key = connect(open_world, "report")
    answers = [post(api_key=key, **told(open_world)).status_code for _n in range(2)]
    assert answers == [201, 429]


# ---------- updates


def test_steps_of_public_cases_are_listed_without_who_and_why(open_world):
    incident = open_world.responded()
    found = rows("servicerequestupdates.json")
    assert {row["service_request_id"] for row in found} == {str(incident.pk)}
    assert len(found) == 4
    assert all(W3C.fullmatch(row["updated_datetime"]) for row in found)
    assert {row["status"] for row in found} == {"open"}
    assert "已清运完毕" not in json.dumps(found, ensure_ascii=False)
    hidden = set(Event.objects.filter(incident=incident, public=False).values_list("pk", flat=True))
    assert not hidden & {int(row["update_id"]) for row in found}
    tree = fromstring(get("servicerequestupdates.xml").content)
    assert tree.tag == "service_request_updates"
    assert len(tree.findall("request_update")) == len(found)


def test_updates_are_asked_for_by_time_or_by_request(open_world):
    one, other = open_world.accepted(), open_world.accepted()
    later = (timezone.now() + timedelta(hours=1)).isoformat()
    assert rows("servicerequestupdates.json", start_date=later) == []
    assert ids("servicerequestupdates.json", service_request_id=str(one.pk)) == {str(one.pk)}
    assert ids("servicerequestupdates.json") == {str(one.pk), str(other.pk)}
    assert len(rows("servicerequestupdates.json", page_size=1)) == 1
    refused = get("servicerequestupdates.json", start_date="2026-01-01", end_date="2026-01-31")
    assert refused.status_code == 400


def test_a_system_tells_more_about_its_own_report_once(open_world):
    key = connect(open_world, "report", "update")
    number = post(api_key=key, **told(open_world)).json()[0]["service_request_id"]
    form = {
        "service_request_id": number,
        "update_id": "u-1",
        "status": "CLOSED",
        "updated_datetime": timezone.now().isoformat(),
        "description": "居民说已经好了，电话19900001234",
    }
    first = post("servicerequestupdates.json", api_key=key, **form)
    again = post("servicerequestupdates.json", api_key=key, **form)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    event = Event.objects.get(action="system_update")
    assert first.json() == [{"update_id": str(event.pk)}]
    assert event.note == "居民说已经好了，电话199****1234"
    assert event.public is False
    assert event.data["says_closed"] is True
    assert Incident.objects.get().state == State.REPORTED
    assert OutboxMessage.objects.filter(payload__kind="system_update").count() == 1


def test_nobody_tells_about_the_report_of_another(open_world):
    key = connect(open_world, "update")
    incident = open_world.pending()
    form = {"description": "x", "service_request_id": str(incident.pk)}
    assert post("servicerequestupdates.json", api_key=key, **form).status_code == 404
    form["service_request_id"] = "999999999"
    assert post("servicerequestupdates.json", api_key=key, **form).status_code == 404
    form["service_request_id"] = ""
    assert post("servicerequestupdates.json", api_key=key, **form).status_code == 400
    assert not Event.objects.filter(action="system_update").exists()
