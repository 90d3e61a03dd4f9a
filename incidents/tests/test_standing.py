"""Standing orders of an emergency: called one after another until somebody has it."""

import threading
from datetime import date, timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from core.errors import Conflict, Invalid, NotAllowed
from core.models import AuditEntry, Channel, OutboxMessage, Timer
from core.services import outbox, timers
from grids.factories import person
from grids.models import Role, Subscription
from incidents.factories import World, actor, as_
from incidents.models import EmergencyCall, EmergencyKind, Event, Notice, StandingOrder
from incidents.queries import standing as queries
from incidents.services import dispatching, standing
from incidents.services.standing import CallTerm
from incidents.services.triage import triage_new

FIRE = "楼下着火了，浓烟很大"


def order(world, *steps, kind=EmergencyKind.FIRE, area=None, **more):
    values = {"valid_from": date(2026, 1, 1), "valid_to": None, "actor": world.command}
    return standing.put_order(
        kind=kind,
        area=area or world.county,
        steps=steps
        or (
            CallTerm(60, role=Role.GRID_WORKER),
            CallTerm(120, role=Role.VILLAGE_OFFICE),
            CallTerm(300, department=world.city),
        ),
        **(values | more),
    )


def emergency(world, text=FIRE):
    """A report with words of an emergency, triaged: the calls have begun."""
    incident = world.report(text)
    triage_new()
    return incident


def turn(incident):
    """Whose turn it is or was, in order: (position, vacant, acknowledged)."""
    rows = EmergencyCall.objects.filter(incident=incident, called_at__isnull=False)
    return [(row.position, row.nobody, bool(row.acknowledged_at)) for row in rows]


def later(incident, seconds):
    begun = EmergencyCall.objects.filter(incident=incident).earliest("called_at").called_at
    timers.sweep(now=begun + timedelta(seconds=seconds))
    outbox.deliver_due()


def test_an_emergency_calls_the_first_at_once_and_the_next_when_nobody_has_it(world):
    order(world)
    incident = emergency(world)
    assert turn(incident) == [(1, False, False)]
    outbox.deliver_due()
    assert Notice.objects.get(incident=incident, kind="standing_call").area == world.grid
    later(incident, 59)
    assert turn(incident) == [(1, False, False)]
    later(incident, 61)
    assert turn(incident) == [(1, False, False), (2, False, False)]
    later(incident, 61)  # the same timer a second time, and another sweep
    assert len(turn(incident)) == 2


def test_whoever_has_it_stops_the_calls_and_pressing_twice_harms_nothing(world):
    order(world)
    incident = emergency(world)
    first = EmergencyCall.objects.get(incident=incident, position=1)
    standing.acknowledge(call_id=first.pk, actor=actor(world.worker))
    again = standing.acknowledge(call_id=first.pk, actor=actor(world.worker))
    assert again.acknowledged_by == world.worker
    assert not Timer.objects.filter(kind=standing.UNANSWERED, fired_at=None).exists()
    later(incident, 4000)
    assert turn(incident) == [(1, False, True)]
    assert Event.objects.filter(incident=incident, action="call_acknowledged").count() == 1


def test_only_whoever_is_called_or_the_command_centre_says_so(world):
    order(world)
    incident = emergency(world)
    first, second = EmergencyCall.objects.filter(incident=incident)[:2]
    for stranger in (world.office, world.water_handler, world.town_admin):
        with pytest.raises(NotAllowed):
            standing.acknowledge(call_id=first.pk, actor=actor(stranger))
    with pytest.raises(Conflict):
        standing.acknowledge(call_id=second.pk, actor=actor(world.office))
    standing.acknowledge(call_id=first.pk, actor=actor(world.command))


def test_a_vacant_post_is_passed_over_and_past_the_last_the_county_hears(world):
    order(
        world,
        CallTerm(60, role=Role.GRID_CHIEF),
        CallTerm(60, role=Role.TOWN_ADMIN),
        area=world.county,
    )
    elsewhere = world.places.grids[-1]  # nobody is posted there
    longitude, latitude = world.places.point_in(elsewhere)
    incident = world.report(FIRE, longitude=longitude, latitude=latitude)
    triage_new()
    # The chief's and perhaps the town's post are vacant: the command centre comes last, always.
    assert [row[0] for row in turn(incident)][-1] in {2, 3}
    assert all(vacant for _n, vacant, _has in turn(incident)[:-1])
    for _round in range(4):
        later(incident, 100_000)
    told = Notice.objects.filter(incident=incident, kind="call_unanswered")
    assert set(told.values_list("role", flat=True)) == {Role.COMMAND, Role.COUNTY_LEADER}
    assert told.count() == 2


def test_calls_go_by_the_channels_of_the_order_and_wait_for_no_morning(world):
    sms = Channel.objects.create(
        kind=Channel.Kind.SMS,
        name="短信",
        active=True,
        quiet_from="00:00",
        quiet_until="23:59",
    )
    order(world, CallTerm(60, role=Role.GRID_WORKER, channels=["sms"]))
    incident = emergency(world)
    outbox.deliver_due()
    letter = OutboxMessage.objects.get(channel=sms, event="notice.standing_call")
    assert letter.urgent
    assert letter.next_attempt_at <= timezone.now()
    assert letter.payload["to"]["id"] == world.worker.pk
    assert not Subscription.objects.exists()
    assert incident.pk == letter.payload["facts"]["incident"]


def test_the_nearest_order_of_the_kind_counts_and_any_other_stands_in(world):
    day = timezone.localdate()
    place = [world.county, world.town, world.village]
    county = order(world)
    other = order(world, kind=EmergencyKind.OTHER)
    assert queries.order_for("fire", place, on=day) == county
    assert queries.order_for("police", place, on=day) == other
    town = order(world, area=world.town)
    assert queries.order_for("fire", place, on=day) == town
    standing.put_order(
        order=town,
        kind="fire",
        area=world.town,
        valid_from=date(2026, 1, 1),
        valid_to=day,
        steps=[CallTerm(60, role=Role.COMMAND)],
        actor=world.command,
    )
    assert queries.order_for("fire", place, on=day) == county


def test_two_kinds_at_once_are_called_for_side_by_side_and_no_kind_twice(world):
    order(world)
    order(world, CallTerm(60, role=Role.TOWN_ADMIN), kind=EmergencyKind.MEDICAL)
    incident = emergency(world, "着火了，有人昏迷")
    assert set(EmergencyCall.objects.filter(incident=incident).values_list("kind", flat=True)) == {
        "fire",
        "medical",
    }
    before = EmergencyCall.objects.count()
    dispatching.leave(
        incident_id=incident.pk, actor=actor(world.command), road="emergency", note="已拨119"
    )
    assert EmergencyCall.objects.count() == before


def test_a_case_handed_to_emergency_services_by_a_person_is_called_for_too(world):
    order(world, CallTerm(60, role=Role.VILLAGE_OFFICE), kind=EmergencyKind.OTHER)
    incident = world.report("有人一直敲门")
    dispatching.leave(
        incident_id=incident.pk, actor=actor(world.command), road="emergency", note="已转110"
    )
    assert turn(incident) == [(1, False, False)]


def test_a_worker_marks_an_emergency_that_no_word_shows(world):
    order(world, CallTerm(60, role=Role.VILLAGE_OFFICE), kind=EmergencyKind.OTHER)
    sent = {"text": "快来，情况不好", "emergency": "on", "area": str(world.grid.pk)}
    assert as_(world.worker).post("/worker/report/", sent).status_code == 302
    triage_new()
    assert EmergencyCall.objects.get(position=1).called_at is not None


def test_what_a_killed_process_had_not_finished_is_not_there_at_all(world):
    """Calls, notices and the timer of the next one are one transaction."""
    order(world)
    incident = world.report(FIRE)

    class Killed(Exception):
        pass

    def start_and_die():
        with transaction.atomic():
            standing.start(incident_id=incident.pk, numbers=["119"], now=timezone.now())
            raise Killed

    with pytest.raises(Killed):
        start_and_die()
    assert not EmergencyCall.objects.exists()
    assert not OutboxMessage.objects.filter(key__startswith="emergency_call").exists()
    triage_new()
    assert turn(incident) == [(1, False, False)]


@pytest.mark.django_db(transaction=True)
def test_two_who_take_it_at_once_make_one_and_the_same_of_it():
    world = World()
    order(world, CallTerm(60, department=world.city))
    incident = emergency(world)
    call = EmergencyCall.objects.get(incident=incident, position=1)
    people = [world.city_handler, person(Role.DEPARTMENT_HANDLER, world.city)]
    barrier, has = threading.Barrier(2), []

    def take(who):
        barrier.wait()
        has.append(standing.acknowledge(call_id=call.pk, actor=actor(who)).acknowledged_by_id)
        connection.close()

    threads = [threading.Thread(target=take, args=[who]) for who in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(has) == 2
    assert len(set(has)) == 1
    assert Event.objects.filter(incident=incident, action="call_acknowledged").count() == 1


def test_one_order_a_kind_and_area_at_a_time(world):
    first = order(world, valid_to=date(2027, 1, 1))
    with pytest.raises(Invalid):
        order(world, valid_from=date(2026, 6, 1))
    order(world, valid_from=date(2027, 1, 1))
    with pytest.raises(IntegrityError), transaction.atomic():
        StandingOrder.objects.create(kind="fire", area=world.county, valid_from=date(2026, 5, 1))
    assert AuditEntry.objects.filter(action="standing_order.put").count() == 2
    with pytest.raises(Conflict):
        standing.put_order(
            order=first,
            kind="fire",
            area=world.county,
            valid_from=date(2026, 1, 1),
            valid_to=date(2027, 1, 1),
            steps=[CallTerm(60, role=Role.COMMAND)],
            actor=world.command,
            seen=first.version + 1,
        )


@pytest.mark.parametrize(
    "steps",
    [
        [],
        [CallTerm(60)],
        [CallTerm(5, role=Role.COMMAND)],
        [CallTerm(60, role=Role.AUDIT_ADMIN)],
        [CallTerm(60, role=Role.COMMAND, channels=["pigeon"])],
    ],
)
def test_an_order_without_sense_is_refused(world, steps):
    with pytest.raises(Invalid):
        standing.put_order(
            kind="fire",
            area=world.county,
            valid_from=date(2026, 1, 1),
            valid_to=None,
            steps=steps,
            actor=world.command,
        )


def test_orders_are_written_tried_and_read_on_their_pages(world):
    browser = as_(world.command)
    assert browser.get("/standing-orders/").status_code == 200
    sent = {
        "kind": "fire", "area": str(world.county.pk), "valid_from": "2026-01-01",
        "to_0": "grid_worker", "seconds_0": "60", "to_1": "person", "account_1": "nobody-here",
        "seconds_1": "60",
    }  # fmt: skip
    refused = browser.post("/standing-orders/new/", sent)
    assert refused.status_code == 422
    assert "nobody-here" in refused.content.decode()
    sent["account_1"] = world.leader.username
    assert browser.post("/standing-orders/new/", sent).status_code == 302
    there = {"kind": "fire", "place": str(world.village.pk)}
    tried = browser.get("/standing-orders/", there).content.decode()
    assert str(world.leader) in tried
    assert str(world.command) in tried
    assert not EmergencyCall.objects.exists()
    made = StandingOrder.objects.get()
    page = browser.get(f"/standing-orders/{made.pk}/")
    assert world.leader.username in page.content.decode()
    assert as_(world.town_admin).get("/standing-orders/").status_code == 403


def test_the_call_is_read_and_taken_on_a_phone_and_seen_on_the_board(world):
    order(world)
    incident = emergency(world)
    call = EmergencyCall.objects.get(incident=incident, position=1)
    there = f"/calls/{call.pk}/"
    page = as_(world.worker).get(there).content.decode()
    assert FIRE in page
    outsider = person(Role.TOWN_ADMIN, world.places.towns[1])
    assert as_(outsider).get(there).status_code == 404
    assert as_(world.office).post(there).status_code == 403
    assert as_(world.worker).post(there).status_code == 302
    board = as_(world.command).get("/command/").content.decode()
    assert str(world.worker) in board
    case = as_(world.command).get(f"/incidents/{incident.tracking_code}/").content.decode()
    assert f"/incidents/{incident.tracking_code}/calls/" in case
    live = as_(world.command).get(f"/incidents/{incident.tracking_code}/calls/").content.decode()
    assert str(world.worker) in live
