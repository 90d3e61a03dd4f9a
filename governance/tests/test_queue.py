"""The queue: whose cases, which filters, page by page, at a fixed price."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from core.errors import Invalid
from grids.factories import person
from grids.models import Role
from grids.queries import Scope
from incidents.factories import World, actor
from incidents.models import Incident, Source, State
from incidents.queries.listing import give_names
from incidents.queries.queue import (
    QueueFilters,
    code_of,
    queue_page,
    read_filters,
    waiting_counts,
)
from incidents.services import handling


@pytest.fixture
def world(db) -> World:
    return World()


def codes(user, **filters) -> set[str]:
    scope = Scope.for_user(user)
    chosen = read_filters(filters, scope=scope)
    return {row.tracking_code for row in queue_page(user=user, scope=scope, filters=chosen).items}


def report_in(world: World, grid: int, text: str = "村口路灯坏了没人修", **more) -> Incident:
    longitude, latitude = world.places.point_in(world.places.grids[grid])
    return world.report(text, longitude=longitude, latitude=latitude, **more)


def test_a_town_admin_never_sees_another_town(world):
    mine, other = report_in(world, 0), report_in(world, 4)

    assert codes(world.town_admin) == {mine.tracking_code}
    assert codes(world.command) == {mine.tracking_code, other.tracking_code}


def test_a_place_outside_the_scope_is_no_filter(world):
    with pytest.raises(Invalid) as refused:
        codes(world.town_admin, area=str(world.places.towns[1].pk))

    assert "area" in refused.value.errors


def test_a_department_sees_what_it_owns_and_what_it_was_called_to(world):
    owned, called, other = world.dispatched(), world.whistled(), world.pending()

    assert codes(world.city_handler) == {owned.tracking_code, called.tracking_code}
    assert codes(world.water_handler) == {called.tracking_code}
    assert other.tracking_code in codes(world.command)


@pytest.mark.parametrize(
    "params",
    [
        {"creator__password__startswith": "a"},
        {"reporter_id": "1"},
        {"order": "-contact__phone"},
        {"state": "nowhere"},
        {"category": "999999999999999999999"},
        {"area": "1 OR 1=1"},
        {"urgency": "7"},
        {"since": "2026-02-30"},
        {"since": "2026-03-02", "until": "2026-03-01"},
        {"text": "好" * 101},
        {"overdue": "yes"},
    ],
)
def test_only_listed_filters_and_values_are_taken(world, params):
    with pytest.raises(Invalid):
        codes(world.command, **params)


def test_filters_narrow_the_queue(world):
    lamp = report_in(world, 0, "村口路灯坏了没人修")
    flood = report_in(world, 7, "河堤渗水，很危险", source=Source.HOTLINE)
    sent = world.dispatched()

    assert codes(world.command, text="路灯") == {lamp.tracking_code}
    assert codes(world.command, text="灯") == set()
    assert codes(world.command, area=str(world.places.grids[7].pk)) == {flood.tracking_code}
    assert codes(world.command, source="hotline") == {flood.tracking_code}
    assert codes(world.command, department=str(world.city.pk)) == {sent.tracking_code}
    assert codes(world.command, category=str(world.rubbish.pk)) == {sent.tracking_code}
    assert codes(world.command, major="测试大类") == {sent.tracking_code}
    assert codes(world.command, waiting="triage") == {lamp.tracking_code, flood.tracking_code}
    assert codes(world.command, overdue="1") == set()
    assert codes(world.command, until="2020-01-01", show="all") == set()


def test_ended_cases_are_shown_only_when_asked_for(world):
    case = world.report()
    Incident.objects.filter(pk=case.pk).update(state=State.CLOSED, ended_at=case.reported_at)

    assert codes(world.command) == set()
    assert codes(world.command, show="all") == {case.tracking_code}
    assert codes(world.command, show="all", state="closed") == {case.tracking_code}


def test_the_most_urgent_deadline_stands_first(world):
    calm, hurried = world.report(), world.report()
    Incident.objects.filter(pk=hurried.pk).update(due_at="2020-01-01T00:00Z")
    scope = Scope.for_user(world.command)

    page = queue_page(user=world.command, scope=scope, filters=QueueFilters(order="due"))

    assert [row.pk for row in page.items] == [hurried.pk, calm.pk]


@pytest.mark.parametrize("order", ["new", "due"])
def test_paging_on_and_back_loses_and_repeats_nothing_while_cases_arrive(world, order):
    old = [world.report() for _n in range(7)]
    scope, filters = Scope.for_user(world.command), QueueFilters(order=order)

    def page(cursor=None):
        return queue_page(user=world.command, scope=scope, filters=filters, cursor=cursor, size=3)

    first = page()
    second = page(first.next)
    world.report()
    third = page(second.next)
    seen = [row.pk for part in (first, second, third) for row in part.items]

    assert [pk for pk in seen if pk in {case.pk for case in old}] == list(dict.fromkeys(seen))[:7]
    back = page(third.previous)
    assert [row.pk for row in back.items] == [row.pk for row in second.items]


def test_a_page_costs_the_same_however_many_rows_it_has(world):
    person(Role.COMMAND, world.county)

    def price() -> int:
        scope = Scope.for_user(world.command)
        with CaptureQueriesContext(
            connection,
        ) as told:
            page = queue_page(user=world.command, scope=scope, filters=QueueFilters())
            give_names(page.items)
            waiting_counts(scope)
        return len(told)

    world.dispatched()
    price()
    few = price()
    for _n in range(4):
        world.dispatched()
        report_in(world, 5)

    assert price() == few <= 5


def test_what_waits_for_command_is_counted_by_its_tab(world):
    world.report()
    world.pending()
    world.responded()
    case = world.accepted()
    handling.request_extension(
        incident_id=case.pk,
        actor=actor(world.city_handler),
        reason="需要等配件",
        amount=2,
        unit="calendar_days",
    )

    counts = waiting_counts(Scope.for_user(world.command))

    assert counts["triage"] == 2
    assert counts["verify"] == counts["extension"] == 1
    assert counts["objection"] == counts["overdue"] == 0
    assert counts["open"] == 4
    assert codes(world.command, waiting="extension") == {case.tracking_code}


def test_a_code_typed_whole_leads_to_its_case_only_inside_the_scope(world):
    case = report_in(world, 4)
    inside, outside = world.command, world.town_admin

    typed = f" {case.tracking_code.lower()} "

    assert code_of(typed, user=inside, scope=Scope.for_user(inside)) == case.tracking_code
    assert code_of(typed, user=outside, scope=Scope.for_user(outside)) is None
