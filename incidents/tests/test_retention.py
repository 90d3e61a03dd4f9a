"""What is forgotten after its time, and what is still needed."""

from datetime import date, timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from core.models import AuditEntry
from core.services import timers
from incidents.factories import actor
from incidents.models import CallBack, Event, Incident, ReporterContact, RetentionRule, State
from incidents.services import twins, verification
from incidents.services.catalogue import load_catalogue
from incidents.services.retention import apply_rules, forget_reporters
from incidents.tasks import forget_by_rule

pytestmark = pytest.mark.django_db

PHONE, NAME, DAYS = "19900001234", "周小禾", 90
CONTACT = {"name": NAME, "phone": PHONE}


@pytest.fixture
def rule(world):
    return RetentionRule.objects.create(
        what="reporter_contact", days=DAYS, valid_from=date(2020, 1, 1), reason="办结后不再需要"
    )


def after(days):
    return timezone.now() + timedelta(days=days)


def reported(world):
    return world.report(**CONTACT)


def closed(world):
    """A case with a contact that was handled, verified, rated well and closed."""
    incident = world.called_back()
    rate(incident, "satisfied", solved=True)
    return with_contact(incident)


def with_contact(incident):
    ReporterContact.objects.create(incident=incident, **CONTACT, phone_index="f" * 64)
    return Incident.objects.get(pk=incident.pk)


def rate(incident, score, *, solved):
    token = CallBack.objects.get(incident=incident, round=incident.round, twin=None).token
    verification.rate(token=token, score=score, solved=solved)


def has_contact(incident):
    return ReporterContact.objects.filter(incident=incident).exists()


def test_the_contact_goes_when_its_days_are_over_and_not_a_day_before(world, rule):
    incident = closed(world)
    assert apply_rules(now=after(DAYS - 1))["reporter_contact"] == 0
    assert has_contact(incident)
    assert apply_rules(now=after(DAYS + 1))["reporter_contact"] == 1
    assert not has_contact(incident)


def test_neither_cipher_nor_blind_index_is_left_in_the_table(world, rule):
    closed(world)
    apply_rules(now=after(DAYS + 1))
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM incidents_reportercontact")
        assert cursor.fetchone() == (0,)


def test_the_timeline_and_the_audit_say_so_without_what_was_forgotten(world, rule):
    incident = closed(world)
    apply_rules(now=after(DAYS + 1))
    row = Event.objects.filter(incident=incident).latest("seq")
    assert (row.action, row.actor_kind, row.to_state) == ("forget_contact", "system", "closed")
    assert not row.public
    entry = AuditEntry.objects.get(action="incident.forget_contact", subject_id=incident.pk)
    assert entry.actor is None
    assert entry.data == {"rule": rule.pk, "days": DAYS}
    with connection.cursor() as cursor:
        for table in ("incidents_event", "core_auditentry", "core_outboxmessage"):
            cursor.execute(f"SELECT t::text FROM {table} t")
            stored = "".join(line for (line,) in cursor.fetchall())
            assert PHONE not in stored
            assert NAME not in stored


def test_the_second_night_finds_nothing(world, rule):
    incident = closed(world)
    apply_rules(now=after(DAYS + 1))
    before = Incident.objects.get(pk=incident.pk)
    assert apply_rules(now=after(DAYS + 2))["reporter_contact"] == 0
    assert Incident.objects.get(pk=incident.pk).last_seq == before.last_seq
    assert AuditEntry.objects.filter(action="incident.forget_contact").count() == 1


def test_open_cases_keep_their_reporter_however_old(world, rule):
    waiting, whistled = reported(world), with_contact(world.whistled())
    apply_rules(now=after(10 * DAYS))
    assert has_contact(waiting)
    assert has_contact(whistled)


def test_a_case_opened_again_after_it_was_closed_keeps_its_reporter(world, rule):
    incident = with_contact(world.called_back())
    timers.sweep(now=after(8))  # nobody answered the call-back
    assert Incident.objects.get(pk=incident.pk).state == State.CLOSED
    rate(Incident.objects.get(pk=incident.pk), "dissatisfied", solved=False)
    assert Incident.objects.get(pk=incident.pk).ended_at is None
    apply_rules(now=after(10 * DAYS))
    assert has_contact(incident)


def test_the_reporter_of_a_repeat_is_kept_until_the_case_it_was_merged_into_has_ended(world, rule):
    repeat, taker = reported(world), world.called_back()
    twins.merge(incident_id=repeat.pk, actor=actor(world.command), into=taker)
    apply_rules(now=after(10 * DAYS))
    assert has_contact(repeat)
    rate(taker, "satisfied", solved=True)
    apply_rules(now=after(10 * DAYS))
    assert not has_contact(repeat)


def test_a_case_that_opens_while_the_list_is_read_is_left_alone(world, rule):
    incident = closed(world)
    ended = Incident.objects.filter(pk=incident.pk)
    ended.update(state=State.SUPERVISED, ended_at=None)
    answer = {"before": after(1), "after": 0, "batch": 10, "days": 1, "now": after(2)}
    assert forget_reporters(**answer) == ([], None)
    assert has_contact(incident)


def test_many_are_forgotten_batch_by_batch(world, rule):
    cases = [closed(world) for _ in range(3)]
    assert apply_rules(now=after(DAYS + 1), batch=1)["reporter_contact"] == 3
    assert not any(has_contact(incident) for incident in cases)


def test_without_a_rule_nothing_is_forgotten(world):
    incident = closed(world)
    assert "reporter_contact" not in apply_rules(now=after(10 * DAYS))
    assert has_contact(incident)


def test_the_newest_rule_in_force_holds_and_a_later_one_waits_for_its_day(world, rule):
    today = timezone.localdate()
    newer = RetentionRule.objects.create(
        what="reporter_contact", days=30, valid_from=today, reason="缩短"
    )
    RetentionRule.objects.create(
        what="reporter_contact", days=1, valid_from=today + timedelta(days=900), reason="再缩短"
    )
    assert RetentionRule.in_force("reporter_contact", on=today) == newer
    incident = closed(world)
    apply_rules(now=after(31))
    assert not has_contact(incident)


def test_a_rule_of_no_days_is_refused_by_the_database(world):
    with pytest.raises(IntegrityError), transaction.atomic():
        RetentionRule.objects.create(what="reporter_contact", days=0, reason="立即")


def test_the_shipped_rules_fill_an_empty_table_and_never_change_a_county_s_own(world):
    load_catalogue(county=world.county)
    assert set(RetentionRule.objects.values_list("what", flat=True)) == set(
        RetentionRule.What.values
    )
    RetentionRule.objects.update(days=45)
    load_catalogue(county=world.county)
    assert set(RetentionRule.objects.values_list("days", flat=True)) == {45}


def test_the_nightly_task_applies_the_rules(world, rule, time_machine):
    incident = closed(world)
    time_machine.move_to(after(DAYS + 1))
    forget_by_rule()
    assert not has_contact(incident)
