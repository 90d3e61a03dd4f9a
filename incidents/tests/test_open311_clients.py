"""GeoReport as two published clients speak it, over real HTTP: georeport and civicbot.

georeport only reads, in both formats; civicbot reads and writes JSON.
"""

import pytest
from civicbot.http import HttpError, HttpTransport, RateLimiter
from civicbot.open311 import Open311Client, ValidationError
from civicbot.registry import Endpoint
from georeport import GeoReport

from incidents.factories import World, actor
from incidents.models import Incident, Publication, System
from incidents.services import dispatching, systems

pytestmark = pytest.mark.django_db(transaction=True)
KEY = "gs_clients"


@pytest.fixture
def world(transactional_db):
    world = World()
    world.rubbish.publication = Publication.PLACE
    world.rubbish.save()
    System.objects.create(name="城市机器人", scopes=["report"], key_hash=systems.hashed(KEY))
    return world


def robot(live_server) -> Open311Client:
    endpoint = Endpoint("here", "Here", f"{live_server.url}/open311/v2", write=True)
    return Open311Client(endpoint, HttpTransport(rate_limiter=RateLimiter(min_interval=0)))


def sent(client: Open311Client, world: World, **more):
    longitude, latitude = world.places.point_in(world.grid)
    told = {"lat": latitude, "lng": longitude, "description": "桥头的垃圾没人清"}
    return client.create_request(
        world.rubbish.code,
        dry_run=False,
        confirm="SEND",
        validate_remote=True,
        **({"api_key": KEY} | told | more),
    )


def test_civicbot_reports_and_follows_its_report(live_server, world):
    client = robot(live_server)
    (service,) = client.list_services()
    definition = client.get_service_definition(service["service_code"])
    assert definition["service_code"] == world.rubbish.code
    told = {"first_name": "小明", "phone": "19900001234", "attributes": {"external_id": "bot-1"}}
    (answer,) = sent(client, world, **told).response
    (again,) = sent(client, world, **told).response
    number = answer["service_request_id"]
    assert again == answer
    incident = Incident.objects.get()
    assert (str(incident.pk), incident.text) == (number, "桥头的垃圾没人清")
    assert client.get_token(number)[0]["service_request_id"] == number
    assert client.get_request(number)["status"] == "open"
    dispatching.triage(
        incident_id=incident.pk, actor=actor(world.command), category=world.rubbish, send=False
    )
    assert client.get_request(number)["description"] == "桥头的垃圾没人清"
    listed = client.list_requests(service_code=world.rubbish.code, status="open", page_size=10)
    assert [row["service_request_id"] for row in listed] == [number]
    assert client.list_requests(service_request_ids=[number, "0"])[0] == listed[0]
    assert client.list_requests(start_date="2020-01-01T00:00:00Z", end_date="2020-02-01") == []


def test_civicbot_is_told_why_a_report_is_not_taken(live_server, world):
    client = robot(live_server)
    with pytest.raises(HttpError) as refused:
        sent(client, world, api_key="gs_wrong")
    assert refused.value.status == 403
    assert '"code": 403' in refused.value.body
    with pytest.raises(HttpError) as elsewhere:
        sent(client, world, lat=39.9, lng=116.4)
    assert elsewhere.value.status == 400
    with pytest.raises(ValidationError):
        sent(client, world, attributes={"coordinate_system": "mars"})
    assert not Incident.objects.exists()


@pytest.mark.parametrize("form", ["json", "xml"])
def test_georeport_reads_services_and_requests(live_server, world, form):
    one, other = world.pending(), world.accepted()
    client = GeoReport(f"{live_server.url}/open311/v2", jurisdiction="any", output_format=form)
    services = client.get_service_list()
    (service,) = services if isinstance(services, list) else [services]
    assert service["service_name"] == "暴露垃圾"
    definition = client.get_service_definition(service["service_code"])
    assert definition["service_code"] == world.rubbish.code
    found = client.get_service_requests(service_code=world.rubbish.code, status="open")
    assert [row["service_request_id"] for row in found] == [str(other.pk), str(one.pk)]
    only = client.get_service_request(str(other.pk))
    assert (only["status"], only["agency_responsible"]) == ("open", "城管局")
    assert float(only["lat"]) == pytest.approx(33.6, abs=1)
