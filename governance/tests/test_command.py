"""The command centre: who may open it, what it shows, what it asks while it stands open."""

import threading
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from core.models import CalendarYear
from incidents.factories import World, actor
from incidents.models import CallBack, Event, Incident, State
from incidents.services import handling, verification


@pytest.fixture
def world(db) -> World:
    return World()


@pytest.fixture
def desk(client, world):
    client.force_login(world.command)
    return client


@pytest.fixture
def newest(world):
    return lambda: Event.objects.order_by("-pk").values_list("pk", flat=True).first() or 0


def test_the_board_is_for_the_centre_and_the_leaders(client, world):
    for person, status in [
        (world.command, 200),
        (world.leader, 200),
        (world.town_admin, 403),
        (world.city_handler, 403),
        (world.worker, 403),
    ]:
        client.force_login(person)
        assert client.get(reverse("command")).status_code == status
        assert client.get(reverse("command_queue")).status_code == status


def test_an_empty_county_has_a_board_without_figures(desk):
    page = desk.get(reverse("command")).content.decode()

    assert "这里没有待办" in page
    assert "无数据" in page


def test_the_board_shows_what_waits(desk, world):
    case = world.report("村口路灯坏了没人修")
    world.responded()

    page = desk.get(reverse("command"))

    assert case.tracking_code in page.content.decode()
    counts = {str(tab["label"]): tab["count"] for tab in page.context["tabs"]}
    assert counts["待受理派遣"] == 1
    assert counts["待核查"] == 1


def test_words_of_a_resident_never_become_markup(desk, world):
    world.report("<script>alert(1)</script>村口路灯坏了")

    for name in ("command", "command_queue"):
        assert "<script>alert" not in desk.get(reverse(name)).content.decode()


@pytest.mark.parametrize("params", [{"reporter__password": "x"}, {"state": "x"}, {"cursor": "x"}])
def test_a_filter_that_is_not_on_the_list_is_refused(desk, params):
    assert desk.get(reverse("command_queue"), params).status_code == 400


def test_a_code_typed_whole_opens_its_case(desk, world):
    case = world.report()

    answer = desk.get(reverse("command_queue"), {"text": case.tracking_code.lower()})

    assert answer.url == reverse("incident", args=[case.tracking_code])


def test_the_address_holds_only_what_was_asked(desk, world):
    answer = desk.get(
        reverse("command_queue"),
        {"state": "", "text": "路灯", "show": ""},
        headers={"hx-request": "true", "hx-target": "queue"},
    )

    assert answer["HX-Push-Url"].endswith("/command/queue/?text=%E8%B7%AF%E7%81%AF")
    assert "<html" not in answer.content.decode()


def test_of_town_and_village_the_village_counts(desk, world):
    case = world.report()
    town, village = world.town.pk, world.places.villages[1].pk

    answer = desk.get(f"{reverse('command_queue')}?area={town}&area={village}&area=")

    assert [row.id for row in answer.context["rows"]] == []
    answer = desk.get(f"{reverse('command_queue')}?area={town}&area=")
    assert [row.id for row in answer.context["rows"]] == [case.pk]


def test_a_full_queue_page_costs_at_most_ten_queries(desk, world):
    for _n in range(3):
        world.dispatched()
        world.report()
    address = f"{reverse('command_queue')}?area={world.grid.pk}&text=垃圾"

    with CaptureQueriesContext(connection) as cold:
        desk.get(address)
    with CaptureQueriesContext(connection) as warm:
        desk.get(address)

    assert len(cold) <= 16
    assert len(warm) <= 10


def test_a_board_with_nothing_new_is_told_so(desk, world, newest):
    world.report()

    answer = desk.get(reverse("command_feed"), {"after": newest()})

    assert answer.status_code == 204


def test_the_feed_brings_only_what_is_new(desk, world, newest):
    world.report("以前的事，路灯坏了")
    seen = newest()
    world.report("刚刚发生，井盖丢了")

    answer = desk.get(reverse("command_feed"), {"after": seen})

    assert "井盖丢了" in answer.content.decode()
    assert "路灯坏了" not in answer.content.decode()
    assert int(answer["X-Newest"]) == newest()


@pytest.mark.django_db(transaction=True)
def test_a_row_that_commits_after_a_later_one_still_comes(desk, world, newest):
    slow, quick = world.dispatched(), world.dispatched(world.water)
    shown = newest()
    written, go_on = threading.Event(), threading.Event()

    def accept_slowly():
        with transaction.atomic():
            accept(slow, world.city_handler)
            written.set()
            go_on.wait(20)
        connection.close()

    somebody = threading.Thread(target=accept_slowly)
    somebody.start()
    written.wait(20)
    accept(quick, world.water_handler)
    first = desk.get(reverse("command_feed"), {"after": shown})
    board = desk.get(reverse("command")).context["newest"]
    go_on.set()
    somebody.join()

    assert quick.tracking_code in first.content.decode()
    assert slow.tracking_code not in first.content.decode()
    for after in (first["X-Newest"], board):
        later = desk.get(reverse("command_feed"), {"after": after})
        assert slow.tracking_code in later.content.decode()
        assert int(later["X-Newest"]) == newest()


def accept(incident, person):
    handling.accept(incident_id=incident.pk, actor=actor(person))


def test_the_feed_of_a_town_is_its_own(client, world):
    longitude, latitude = world.places.point_in(world.places.grids[4])
    world.report("别的乡镇的事情", longitude=longitude, latitude=latitude)
    world.report("自己乡镇的事情")
    client.force_login(world.town_admin)

    told = client.get(reverse("command_feed"), {"after": 0}).content.decode()

    assert "自己乡镇的事情" in told
    assert "别的乡镇的事情" not in told


def test_a_case_opened_again_stands_out_in_the_feed(desk, world):
    link = CallBack.objects.get(incident=world.called_back())
    verification.rate(token=link.token, score="dissatisfied", solved=False)

    first, *_rest = desk.get(reverse("command")).context["events"]

    assert (str(first["what"]), first["level"]) == ("重新交办", "over")


@pytest.mark.parametrize("after", ["", "-1", "x", "9" * 30])
def test_a_feed_after_nonsense_is_refused(desk, after):
    assert desk.get(reverse("command_feed"), {"after": after}).status_code == 400


def test_the_slowest_stand_first(desk, world):
    late, calm = world.dispatched(world.water), world.dispatched(world.city)
    Incident.objects.filter(pk=late.pk).update(overdue_at=timezone.now() - timedelta(hours=1))

    slow = desk.get(reverse("command_figures")).context["slow_departments"]

    assert [(load.pk, load.overdue) for load in slow] == [(world.water.pk, 1), (world.city.pk, 0)]
    assert calm.owner_department_id == world.city.pk


def test_a_suspended_case_is_not_overdue(desk, world):
    case = world.dispatched()
    now = timezone.now()
    Incident.objects.filter(pk=case.pk).update(
        overdue_at=now, state=State.SUSPENDED, suspended_until=now + timedelta(days=3)
    )

    page = desk.get(reverse("command"))

    counts = {str(tab["label"]): tab["count"] for tab in page.context["tabs"]}
    assert counts["已超期"] == 0


def test_a_missing_calendar_and_dead_processes_are_said_on_top(desk, world):
    CalendarYear.objects.all().delete()

    page = desk.get(reverse("command")).content.decode()

    assert f"缺少 {timezone.localdate().year}" in page
    assert "未运行" in page
