"""Clocks: warned, missed, climbing one rung at a time, paused and extended to the minute."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import time_machine

from core.errors import CalendarMissing, Conflict
from core.models import CalendarYear, OutboxMessage, Timer
from core.services.calendar import import_year
from core.services.timers import sweep
from core.working_calendar import WorkingCalendar
from incidents.factories import World, actor, deadlines
from incidents.models import (
    CallBack,
    Event,
    Incident,
    Stage,
    StageClock,
    State,
    SupervisionNotice,
)
from incidents.services import dispatching, handling, verification, whistle

pytestmark = pytest.mark.django_db
CHINA = ZoneInfo("Asia/Shanghai")
START = datetime(2026, 9, 28, 9, 0, tzinfo=CHINA)


@pytest.fixture
def clock():
    with time_machine.travel(START, tick=False) as traveller:
        yield traveller


@pytest.fixture
def world(clock):
    return World()


def running(incident, stage):
    return StageClock.objects.get(incident=incident, stage=stage, finished_at=None)


def rows(incident, action):
    return Event.objects.filter(incident=incident, action=action)


def at(clock, **later):
    clock.shift(timedelta(**later))
    sweep()


def test_the_owner_is_warned_once_before_the_deadline(world, clock):
    incident = world.dispatched()
    at(clock, hours=5)
    assert not rows(incident, "warn").exists()
    at(clock, hours=1, minutes=1)
    at(clock, minutes=1)
    assert rows(incident, "warn").count() == 1


def test_a_missed_deadline_climbs_one_rung_a_day_with_a_numbered_notice_each(world, clock):
    incident = world.dispatched(world.grid)
    rungs = []
    for _day in range(7):
        at(clock, hours=24)
        fresh = Incident.objects.get(pk=incident.pk)
        rungs.append(fresh.rung)
    accept = running(incident, Stage.ACCEPT)
    notices = SupervisionNotice.objects.filter(clock=accept).order_by("rung")
    assert [n.rung for n in notices] == [1, 2, 3, 4, 5]
    assert len({n.number for n in notices}) == 5
    assert rungs[-1] == 5


def test_a_department_that_is_late_is_taken_to_the_command_centre_then_the_leader(world, clock):
    incident = world.dispatched()
    at(clock, hours=9)
    at(clock, hours=25)
    at(clock, hours=25)
    notices = SupervisionNotice.objects.filter(clock=running(incident, Stage.ACCEPT))
    assert sorted(n.rung for n in notices) == [4, 5]


def test_a_triaged_case_nobody_has_yet_keeps_its_clock(world, clock):
    incident = world.pending()
    assert running(incident, Stage.TRIAGE)
    at(clock, hours=5)
    assert Incident.objects.overdue().get() == incident
    dispatching.dispatch(incident_id=incident.pk, actor=actor(world.command), department=world.city)
    assert not StageClock.objects.filter(stage=Stage.TRIAGE, finished_at=None).exists()


def test_a_new_owner_has_the_whole_time_to_accept(world, clock):
    incident = world.dispatched()
    clock.shift(timedelta(hours=5))
    command = actor(world.command)
    dispatching.dispatch(incident_id=incident.pk, actor=command, department=world.water)
    accept = running(incident, Stage.ACCEPT)
    assert accept.due_at == START + timedelta(hours=5 + 8)
    assert Incident.objects.get(pk=incident.pk).due_at == accept.due_at


def test_whoever_gets_a_case_by_an_upheld_objection_has_the_whole_time_to_accept(world, clock):
    incident = world.dispatched()
    dispatching.object_to(incident_id=incident.pk, actor=actor(world.city_handler), reason="归水利")
    clock.shift(timedelta(hours=5))
    dispatching.uphold_objection(
        incident_id=incident.pk, actor=actor(world.command), reason="是", department=world.water
    )
    assert running(incident, Stage.ACCEPT).due_at == START + timedelta(hours=5 + 8)


def test_a_whistle_blown_while_a_case_is_handled_has_its_own_time_to_respond(world, clock):
    incident = world.accepted()
    clock.shift(timedelta(hours=5))
    whistle.blow(
        incident_id=incident.pk,
        actor=actor(world.town_admin),
        ask="请两家现场会商",
        calls=[whistle.Call(world.city, is_lead=True), whistle.Call(world.water)],
    )
    assert running(incident, Stage.RESPOND).due_at == START + timedelta(hours=5, days=3)


def test_a_case_under_supervision_has_a_clock_of_its_own(world, clock):
    incident = supervised(world)
    assert running(incident, Stage.TRIAGE).due_at == START + timedelta(hours=4)
    at(clock, hours=5)
    assert Incident.objects.overdue().get() == incident
    verification.conclude(incident_id=incident.pk, actor=actor(world.command), reason="已当面说明")
    assert not StageClock.objects.filter(incident=incident, finished_at=None).exists()


def supervised(world):
    """Return a case opened again more often than allowed."""
    incident = world.called_back()
    for _round in range(2):
        rate_badly(incident)
        command, city = actor(world.command), actor(world.city_handler)
        dispatching.dispatch(incident_id=incident.pk, actor=command, department=world.city)
        handling.accept(incident_id=incident.pk, actor=city)
        handling.respond(incident_id=incident.pk, actor=city, result="又清了一遍")
        incident = verification.verify_pass(incident_id=incident.pk, actor=command)
    rate_badly(incident)
    return Incident.objects.get(pk=incident.pk)


def rate_badly(incident):
    link = CallBack.objects.get(incident=incident, answered_at=None)
    verification.rate(token=link.token, score="dissatisfied", solved=False)


def test_the_case_says_since_when_it_is_overdue(world, clock):
    incident = world.dispatched()
    at(clock, hours=9)
    assert Incident.objects.overdue().get() == incident


def test_accepting_stops_its_clock_and_nothing_fires_later(world, clock):
    incident = world.dispatched()
    handling.accept(incident_id=incident.pk, actor=actor(world.city_handler))
    at(clock, hours=12)
    assert not rows(incident, "overdue").exists()


def test_whoever_comes_late_reads_what_the_system_did_in_words(world, clock):
    incident = world.accepted()
    at(clock, days=2)
    with pytest.raises(Conflict) as told:
        handling.accept(incident_id=incident.pk, actor=actor(world.city_handler))
    assert "超期升级" in str(told.value)


def test_suspension_stops_every_clock_and_resumes_with_what_was_left(world, clock):
    incident = world.accepted()
    before = running(incident, Stage.RESPOND).due_at
    clock.shift(timedelta(hours=10))
    handling.suspend(
        incident_id=incident.pk, actor=actor(world.command), reason="等雨停",
        until=START + timedelta(days=12),
    )  # fmt: skip
    at(clock, days=10)
    assert not rows(incident, "overdue").exists()
    handling.resume(incident_id=incident.pk, actor=actor(world.command))
    assert running(incident, Stage.RESPOND).due_at == before + timedelta(days=10)
    assert Incident.objects.get(pk=incident.pk).state == State.ACCEPTED


def test_a_suspended_case_resumes_by_itself_when_its_day_comes(world, clock):
    incident = world.accepted()
    handling.suspend(
        incident_id=incident.pk, actor=actor(world.command), reason="等雨停",
        until=START + timedelta(days=3),
    )  # fmt: skip
    at(clock, days=3, minutes=1)
    assert Incident.objects.get(pk=incident.pk).state == State.ACCEPTED


def test_working_time_pauses_and_resumes_exactly_across_national_day(world, clock):
    CalendarYear.objects.filter(year=2026).delete()
    import_year(year=2026)
    deadlines(world.rubbish, {Stage.RESPOND: (3, "working_days")})
    incident = world.accepted()
    # Mon 28 Sep 9:00 + 3 working days = Thu 1 Oct is off → next working day is Thu 8 Oct 9:00.
    assert running(incident, Stage.RESPOND).due_at == datetime(2026, 10, 8, 9, 0, tzinfo=CHINA)
    clock.move_to(datetime(2026, 9, 30, 15, 0, tzinfo=CHINA))
    handling.suspend(
        incident_id=incident.pk, actor=actor(world.command), reason="放假",
        until=datetime(2026, 11, 1, tzinfo=CHINA),
    )  # fmt: skip
    clock.move_to(datetime(2026, 10, 10, 12, 0, tzinfo=CHINA))  # a make-up Saturday
    handling.resume(incident_id=incident.pk, actor=actor(world.command))
    # 18 running hours were left: 12 on the make-up Saturday, 6 more on Monday.
    assert running(incident, Stage.RESPOND).due_at == datetime(2026, 10, 12, 6, 0, tzinfo=CHINA)


def test_a_year_without_calendar_is_an_error_where_it_must_be_fixed(world, clock):
    deadlines(world.rubbish, {Stage.ACCEPT: (90, "working_days")})
    CalendarYear.objects.filter(year__gt=2026).delete()
    WorkingCalendar.forget()
    incident = world.pending()
    with pytest.raises(CalendarMissing, match="2027"):
        dispatching.dispatch(
            incident_id=incident.pk, actor=actor(world.command), department=world.city
        )
    assert Incident.objects.get(pk=incident.pk).state == State.PENDING


def test_an_approved_extension_moves_the_deadline_and_is_told_to_the_reporter(world, clock):
    incident = world.accepted()
    before = running(incident, Stage.RESPOND).due_at
    handling.request_extension(
        incident_id=incident.pk, actor=actor(world.city_handler), amount=2,
        unit="calendar_days", reason="缺材料",
    )  # fmt: skip
    handling.decide_extension(incident_id=incident.pk, actor=actor(world.command), approve=True)
    assert running(incident, Stage.RESPOND).due_at == before + timedelta(days=2)
    assert rows(incident, "approve_extension").get().public


def test_a_worker_who_reported_is_told_of_more_time_granted(world, clock):
    incident = world.report(category=world.rubbish)
    Incident.objects.filter(pk=incident.pk).update(reporter=world.worker)
    dispatching.triage(
        incident_id=incident.pk, actor=actor(world.command), category=world.rubbish, send=False
    )
    dispatching.dispatch(incident_id=incident.pk, actor=actor(world.command), department=world.city)
    handling.accept(incident_id=incident.pk, actor=actor(world.city_handler))
    handling.request_extension(
        incident_id=incident.pk, actor=actor(world.city_handler), amount=2,
        unit="calendar_days", reason="缺材料",
    )  # fmt: skip
    handling.decide_extension(incident_id=incident.pk, actor=actor(world.command), approve=True)
    told = OutboxMessage.objects.filter(payload__kind="extension_told").get()
    assert told.payload["user"] == world.worker.pk


def test_a_request_for_more_time_lapses_when_the_case_is_answered(world, clock):
    incident = world.accepted()
    handling.request_extension(
        incident_id=incident.pk,
        actor=actor(world.city_handler),
        amount=2,
        unit="calendar_days",
        reason="缺材料",
    )
    handling.respond(incident_id=incident.pk, actor=actor(world.city_handler), result="提前办完了")
    assert incident.extensions.get().decision == "refused"


def test_a_request_for_more_time_lapses_when_the_case_takes_another_road(world, clock):
    for road in ("exit", "whistle"):
        incident = world.accepted()
        handling.request_extension(
            incident_id=incident.pk,
            actor=actor(world.city_handler),
            amount=2,
            unit="calendar_days",
            reason="缺材料",
        )
        if road == "exit":
            dispatching.leave(
                incident_id=incident.pk, actor=actor(world.command), road="statutory", note="走信访"
            )
        else:
            whistle.blow(
                incident_id=incident.pk,
                actor=actor(world.town_admin),
                ask="请两家现场会商",
                calls=[whistle.Call(world.city, is_lead=True), whistle.Call(world.water)],
            )
        assert incident.extensions.get().decision == "refused", road


def test_an_extended_clock_can_be_missed_again_and_climbs_anew(world, clock):
    incident = world.accepted()
    at(clock, days=3, minutes=1)
    assert rows(incident, "overdue").count() == 2  # arrive and respond
    handling.request_extension(
        incident_id=incident.pk, actor=actor(world.city_handler), amount=1,
        unit="calendar_days", reason="缺材料",
    )  # fmt: skip
    handling.decide_extension(incident_id=incident.pk, actor=actor(world.command), approve=True)
    at(clock, days=1, minutes=1)
    assert rows(incident, "overdue").filter(data__stage="respond").count() == 2


def test_deadlines_changed_later_leave_running_cases_alone(world, clock):
    deadlines(world.rubbish, {Stage.ACCEPT: (2, "calendar_hours")})
    incident = world.dispatched()
    due = running(incident, Stage.ACCEPT).due_at
    deadlines(world.rubbish, {Stage.ACCEPT: (9, "calendar_hours")}, version=2)
    handling.accept(incident_id=incident.pk, actor=actor(world.city_handler))
    assert StageClock.objects.get(incident=incident, stage=Stage.ACCEPT).due_at == due
    other = world.dispatched()
    assert running(other, Stage.ACCEPT).due_at == due + timedelta(hours=7)


def test_a_closed_case_has_no_clock_and_no_timer_left(world, clock):
    incident = world.called_back()
    at(clock, days=8)
    assert Incident.objects.get(pk=incident.pk).state == State.CLOSED
    assert not StageClock.objects.filter(incident=incident, finished_at=None).exists()
    assert not Timer.objects.filter(fired_at=None).exists()


def test_no_answer_closes_the_case_and_is_not_satisfaction(world, clock):
    incident = world.called_back()
    at(clock, days=8)
    callback = incident.callbacks.get()
    assert (callback.score, callback.answered_at) == ("", None)


def test_every_climb_posts_one_message_for_each_reader(world, clock):
    incident = world.dispatched(world.grid)
    at(clock, days=9)
    keys = list(OutboxMessage.objects.filter(topic="notice").values_list("key", flat=True))
    assert len(keys) == len(set(keys))
    assert any(f":{incident.pk}:" in key and "escalate" in key for key in keys)
