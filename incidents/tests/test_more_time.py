"""How much more time a case gets altogether, who is told by which channel, and what lists say."""

from datetime import date, datetime, timedelta

import pytest
import time_machine
from django.utils import timezone

from core.errors import Invalid
from core.models import CalendarYear, Channel, OutboxMessage
from core.services import outbox, timers
from core.working_calendar import WorkingCalendar
from grids.models import Role
from incidents.factories import World, actor, as_, ladder
from incidents.models import DeadlineVersion, Incident, Notice, StageClock, SupervisionNotice
from incidents.services import calendar_warning, handling, verification
from incidents.services.catalogue import Term, set_deadlines
from incidents.services.ladders import RungTerm, set_ladder
from incidents.views.times import due


def ask(world, incident, amount, unit="calendar_days"):
    return handling.request_extension(
        incident_id=incident.pk,
        actor=actor(world.city_handler),
        amount=amount,
        unit=unit,
        reason="等配件",
    )


def grant(world, incident, amount, unit="calendar_days"):
    ask(world, incident, amount, unit)
    handling.decide_extension(incident_id=incident.pk, actor=actor(world.command), approve=True)


def test_all_extensions_together_add_the_term_once_more_at_most(world):
    incident = world.accepted()  # five calendar days to resolve
    grant(world, incident, 3)
    with pytest.raises(Invalid) as refused:
        ask(world, incident, 3)
    assert "3" in str(refused.value.errors["amount"][0])
    grant(world, incident, 2)
    with pytest.raises(Invalid):
        ask(world, incident, 1, "calendar_hours")


def test_a_dated_rule_of_the_item_counts_before_the_county_s_and_is_named(world):
    county = DeadlineVersion.objects.get(category=None)
    DeadlineVersion.objects.filter(pk=county.pk).update(more_amount=1, more_unit="calendar_days")
    incident = world.accepted()
    with pytest.raises(Invalid):
        ask(world, incident, 2)
    set_deadlines(
        category=world.rubbish,
        terms=[Term("resolve", 60, "calendar_days")],
        actor=None,
        valid_from=date(2026, 1, 1),
        more=(30, "calendar_days"),
    )
    petition = world.accepted()
    with pytest.raises(Invalid) as refused:
        ask(world, petition, 30, "working_days")
    assert world.rubbish.label in str(refused.value.errors["amount"][0])
    grant(world, petition, 30)


def test_the_form_says_how_much_is_left_before_anybody_types(world):
    incident = world.accepted()
    grant(world, incident, 3)
    page = as_(world.city_handler).get(f"/incidents/{incident.tracking_code}/do/request_extension/")
    assert "最多再延一个原时限" in page.content.decode()


def test_a_rung_is_told_by_its_own_channels_and_versions_keep_them(world):
    sms = Channel.objects.create(kind=Channel.Kind.SMS, name="短信", active=True)
    ladder(version=7, chief={"channels": ["sms"]})
    incident = world.accepted(world.grid, world.worker)
    clock = StageClock.objects.get(incident=incident, stage="resolve", finished_at=None)
    timers.sweep(now=clock.due_at + timedelta(minutes=1))
    outbox.deliver_due()
    letters = OutboxMessage.objects.filter(channel=sms, event="notice.escalate")
    assert {letter.payload["to"]["id"] for letter in letters} == {world.chief.pk}
    with pytest.raises(Invalid):
        set_ladder(
            category=None, tier="", rungs=[RungTerm(4, channels=["pigeon"])], actor=world.command
        )
    sent = {"ladder-tier": "", "ladder-command": "on", "ladder-command_channels": ["sms", "mail"]}
    for rung in ("chief", "village", "town", "command", "leader"):
        sent |= {f"ladder-{rung}_amount": "1", f"ladder-{rung}_unit": "working_days"}
    assert as_(world.command).post("/deadlines/county/ladder/", sent).status_code == 302
    page = as_(world.command).get("/deadlines/county/").content.decode()
    assert page.count("checked") >= 3


FRIDAY = datetime(2026, 12, 4, 9, 0, tzinfo=timezone.get_default_timezone())


def test_lists_say_what_is_left_in_the_unit_of_the_rule(world):
    set_deadlines(
        category=world.rubbish,
        terms=[Term(stage, 3, "working_days") for stage in ("accept", "respond", "resolve")],
        actor=None,
        valid_from=date(2026, 1, 1),
    )
    with time_machine.travel(FRIDAY, tick=False):
        incident = Incident.objects.get(pk=world.dispatched().pk)
        assert incident.due_unit == "working_days"
        # Five days by the calendar, three to work: a weekend lies between.
        assert "3 " in due(incident, timezone.now()).text
        CalendarYear.objects.all().delete()
        WorkingCalendar.forget()
        assert "5 " in due(incident, timezone.now()).text
    WorkingCalendar.forget()


def test_the_coming_year_is_asked_for_from_november_once_a_week_by_those_who_import_it(db):
    october = datetime(2026, 10, 31, 12, tzinfo=timezone.get_default_timezone())
    november = datetime(2026, 11, 22, 12, tzinfo=timezone.get_default_timezone())
    with time_machine.travel(october, tick=False) as clock:
        world = World()
        CalendarYear.objects.filter(year=2027).delete()
        WorkingCalendar.forget()
        assert calendar_warning.warn(now=october) == 0
        clock.move_to(november)
        assert calendar_warning.warn(now=november) == 1
        calendar_warning.warn(now=november)
        outbox.deliver_due()
        told = Notice.objects.filter(kind="calendar_wanted")
        assert sorted(told.values_list("role", flat=True)) == [Role.COMMAND, Role.SYSTEM_ADMIN]
        assert "2027" in as_(world.command).get("/deadlines/").content.decode()
        assert "2027" in as_(world.command).get("/command/").content.decode()


def test_a_supervision_notice_is_answered_by_whoever_was_late(world):
    responded = world.responded()
    verify = StageClock.objects.get(incident=responded, stage="verify", finished_at=None)
    timers.sweep(now=verify.due_at + timedelta(minutes=1))
    own = SupervisionNotice.objects.get(clock=verify)
    assert own.number.startswith("DB-")
    verification.reply_supervision(
        incident_id=responded.pk, actor=actor(world.command), reply="今日核查"
    )
    own.refresh_from_db()
    assert own.replied_by == world.command
    # One for the owner is not the command centre's to answer.
    verification.supervise(
        incident_id=responded.pk, actor=actor(world.command), text="请说明为何返工"
    )
    page = as_(world.command).get(f"/incidents/{responded.tracking_code}/").content.decode()
    assert "do/reply_supervision/" not in page
    verification.reply_supervision(
        incident_id=responded.pk, actor=actor(world.city_handler), reply="已整改"
    )
    assert not SupervisionNotice.objects.filter(incident=responded, replied_at=None).exists()
