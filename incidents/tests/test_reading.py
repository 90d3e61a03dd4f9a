"""What is read in a report stands beside the triage form, ready to be taken with one tap."""

import pytest

from core.kept import forget_remembered
from incidents import emergencies
from incidents.factories import World, actor, as_, category
from incidents.models import Event, Incident, Urgency
from incidents.queries.reading import read
from incidents.services import dispatching, triage

pytestmark = pytest.mark.django_db

TEXT = "昨天下午三点柳河乡大王庄老戏台前面电线垂下来了，随时会砸到人，请打19900001234"


@pytest.fixture
def world():
    forget_remembered()
    return World()


def told(world, text=TEXT, **more):
    """A report nobody put a place to, looked at by the triage."""
    incident = world.report(text, latitude=None, longitude=None, **more)
    triage.triage_new()
    return Incident.objects.get(pk=incident.pk)


def data(incident):
    return Event.objects.get(incident=incident, action="suggest").data


def test_what_was_read_is_kept_with_the_suggestion(world):
    incident = told(world, text=TEXT.replace("柳河乡", ""))
    found = data(incident)["read"]
    assert [place["names"] for place in found["places"]] == [
        ["东关镇", "大王庄村民委员会"],
        ["柳河乡", "大王庄村民委员会"],
    ]
    assert found["spot"] == "老戏台前面"
    assert found["times"][0]["words"] == "昨天下午三点"
    assert found["times"][0]["at"].endswith("15:00:00+08:00")
    assert found["urgent"] == ["电线垂", "随时会", "砸到"]


def test_the_phone_goes_to_the_contact_and_nowhere_else(world):
    incident = told(world, text="请打 199 0000 1234 找我，水管爆了")
    assert incident.contact.phone == "19900001234"
    assert "199****1234" in incident.text
    assert "0000" not in str(data(incident))


def test_the_reporters_point_decides_between_places_of_one_name(world):
    longitude, latitude = world.places.point_in(world.places.grids[4])
    incident = world.report("大王庄路灯不亮", longitude=longitude, latitude=latitude)
    first = read(incident)["places"][0]
    assert first["names"][0] == "柳河乡"


def test_a_place_the_case_already_has_is_not_suggested(world):
    incident = told(world, text="柳河乡大王庄路灯不亮")
    assert "places" not in read(incident)


def test_a_plain_text_leaves_nothing(world):
    incident = world.report("路灯不亮")
    assert read(incident) == {}
    triage.triage_new()
    assert "read" not in data(incident)


def test_a_matter_with_a_road_of_its_own_is_named(world):
    category(world.city, code="LAW", road="statutory", keywords=["劳动仲裁", "开庭"])
    found = read(world.report("老板欠薪，我想申请劳动仲裁"))
    assert found["roads"] == [{"category": "LAW", "road": "statutory", "words": ["劳动仲裁"]}]
    assert "roads" not in read(world.report("一开庭前的大树倒了"))


def test_reading_costs_no_query_once_the_names_are_known(world, django_assert_num_queries):
    incident = world.report(TEXT)
    read(incident)
    with django_assert_num_queries(0):
        read(incident)


# What the dispatcher sees and takes.


def test_what_was_read_stands_above_the_triage_form(world):
    incident = told(world, text=TEXT.replace("柳河乡", ""))
    page = as_(world.command).get(f"/incidents/{incident.tracking_code}/").content.decode()
    assert "从文字中读到，点一下即可采用" in page
    assert "柳河乡 · 大王庄村民委员会" in page
    assert "老戏台前面" in page
    assert "15:00" in page
    assert "电线垂、随时会、砸到" in page


def test_one_tap_takes_the_place_without_scripts_too(world):
    incident = told(world, text="大王庄路灯不亮")
    village = world.places.villages[2]
    town = world.places.towns[1]
    client = as_(world.command)
    there = f"/incidents/{incident.tracking_code}/do/triage/"
    form = client.get(there, {"town": town.pk, "village": village.pk}).context["form"]
    assert form["village"].value() == village.pk
    client.post(
        there,
        {
            "category": world.rubbish.pk,
            "town": town.pk,
            "village": village.pk,
            "address": "老戏台前面",
            "urgent": "on",
            "seen": incident.version,
        },
    )
    incident.refresh_from_db()
    assert (incident.village_id, incident.address) == (village.pk, "老戏台前面")
    assert incident.urgency == Urgency.URGENT
    assert "戏台" in incident.bigrams


def test_a_place_out_of_the_readers_reach_is_not_opened(world):
    incident = told(world, text="柳河乡大王庄路灯不亮")
    dispatching.triage(
        incident_id=incident.pk, actor=actor(world.command), category=world.rubbish, send=False
    )
    response = as_(world.town_admin).get(
        f"/incidents/{incident.tracking_code}/places/", {"town": world.places.towns[1].pk}
    )
    assert response.status_code == 404


def test_an_address_corrected_by_a_dispatcher_is_masked(world):
    incident = told(world, text="路灯不亮")
    dispatching.triage(
        incident_id=incident.pk,
        actor=actor(world.command),
        category=world.rubbish,
        address="找19900001234",
        send=False,
    )
    incident.refresh_from_db()
    assert incident.address == "找199****1234"


# Emergencies.


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("变压器着火了，浓烟很大", ["119"]),
        ("有人掉进河里了", ["119"]),
        ("老人晕倒在路边，流血不止", ["120"]),
        ("一群人拿刀打起来了", ["110"]),
        ("着火了，有人昏迷", ["119", "120"]),
        ("可能着火了", ["119"]),
        ("路口发生火灾事故，快来人", ["119"]),
    ],
)
def test_an_emergency_names_whom_to_call(text, numbers):
    assert [service.number for service in emergencies.find(text)] == numbers


@pytest.mark.parametrize(
    "text",
    [
        "消防通道堵着，万一着火怎么跑",
        "飞线充电容易起火",
        "水坑没护栏，怕孩子溺水",
        "这里火灾隐患很大",
        "请加强防溺水宣传",
        "乱拉电线，要防止火灾事故",
        "路灯不亮",
    ],
)
def test_a_hazard_is_no_emergency(text):
    assert emergencies.find(text) == []
