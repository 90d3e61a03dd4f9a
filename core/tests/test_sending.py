"""Letters go out at least once, wait when they must, and are visibly dead or dropped in the end."""

import logging
import threading
from datetime import UTC, datetime, time, timedelta

import pytest
from django.core.cache import cache
from django.db import connection
from django.utils import timezone

from core.channels import events
from core.channels.events import Address, Event
from core.channels.letters import NoLongerNeeded, Refused
from core.models import Channel, OutboxMessage
from core.services import outbox, sending
from core.services.sending import Told
from core.tests.gateways import Gateway

State = OutboxMessage.State
PHONE = "19900001234"


@pytest.fixture
def gateway(settings):
    settings.OUTBOUND_PLAIN_HOSTS = ["127.0.0.1"]
    settings.OUTBOUND_NETWORKS = ["127.0.0.0/8"]
    server = Gateway()
    yield server
    server.close()


@pytest.fixture(autouse=True)
def _told(monkeypatch):
    """One event to tell, one that is urgent, and somebody to tell it to."""
    monkeypatch.setattr(events, "_events", dict(events._all()))
    monkeypatch.setattr(events, "_addresses", dict(events._addresses))
    for kind, urgent in (("plain", False), ("alarm", True)):
        events.register(
            Event(
                kind=kind,
                label=kind,
                subject="s",
                text="案件{code}",
                placeholders={"code": "number"},
                urgent=urgent,
                values=lambda facts: {"code": str(facts["code"])},
            )
        )
    events.register_addressees("somebody", lambda whom, channel: Address(PHONE))
    events.register_addressees("gone", _gone)
    events.register_addressees("without_phone", _without_phone)


def _gone(whom, channel):
    raise NoLongerNeeded("left")


def _without_phone(whom, channel):
    raise Refused("no_phone")


@pytest.fixture
def now():
    return timezone.now() + timedelta(seconds=1)


@pytest.fixture
def channel(db, gateway):
    made = Channel(name="短信", kind=Channel.Kind.SMS, active=True, address=gateway.address)
    made.secrets = {"key": "k"}
    made.save()
    return made


def post(channel, n=1, *, event="plain", who="somebody", first=0):
    sending.post(
        Told(channel, event, f"k{i}", {"who": who}, {"code": i}) for i in range(first, first + n)
    )


def states():
    return sorted(OutboxMessage.objects.values_list("state", flat=True))


class TestDelivery:
    def test_every_letter_goes_once_with_its_own_key(self, channel, gateway, now):
        post(channel, 70)
        assert sending.send_due(now=now) == 70
        assert sending.send_due(now=now) == 0
        assert set(gateway.keys.values()) == {1}
        assert len(gateway.keys) == 70
        assert set(states()) == {State.DELIVERED}

    def test_neither_number_nor_text_is_stored_or_logged(self, channel, gateway, now, caplog):
        gateway.next = [500, 422]
        post(channel, 2)
        with caplog.at_level(logging.DEBUG):
            sending.send_due(now=now)
        stored = str(list(OutboxMessage.objects.values()))
        assert PHONE not in stored + caplog.text
        assert "案件" not in stored + caplog.text

    def test_the_bells_queue_leaves_letters_alone(self, channel, now):
        post(channel)
        assert outbox.deliver_due(now=now) == 0
        assert states() == [State.QUEUED]

    def test_a_letter_nobody_needs_any_more_is_dropped(self, channel, gateway, now):
        post(channel, who="gone")
        sending.send_due(now=now)
        (message,) = OutboxMessage.objects.all()
        assert (message.state, message.last_error) == (State.DROPPED, "left:")
        assert gateway.asked == []

    def test_a_letter_without_an_address_is_dead_at_once(self, channel, now):
        post(channel, who="without_phone")
        sending.send_due(now=now)
        (message,) = OutboxMessage.objects.all()
        assert (message.state, message.last_error) == (State.DEAD, "no_phone:")

    def test_what_waits_for_a_channel_switched_off_is_dropped(self, channel, gateway, now):
        post(channel)
        Channel.objects.update(active=False)
        sending.send_due(now=now)
        assert states() == [State.DROPPED]
        assert gateway.asked == []

    def test_a_trial_goes_though_the_channel_is_off(self, channel, gateway, now):
        Channel.objects.update(active=False)
        sending.post_trial(channel, {"who": "somebody"})
        assert sending.send_due(now=now) == 1

    def test_a_fault_of_one_letter_does_not_hold_up_the_others(self, channel, now):
        sending.post([Told(channel, "plain", "broken", {"who": "somebody"}, {})])
        post(channel, 3)
        assert sending.send_due(now=now) == 3
        broken = OutboxMessage.objects.get(key="broken")
        assert (broken.state, broken.last_error) == (State.AWAITING_RETRY, "internal:KeyError")


class TestAGatewayInTrouble:
    def test_the_channel_is_paused_and_tried_with_one_letter(self, channel, gateway, now):
        post(channel, 40)
        gateway.status = 503
        assert sending.send_due(now=now) == 0
        first = len(gateway.asked)
        assert first == sending.BATCH
        assert sending.send_due(now=now) == 0, "paused"
        later = Channel.objects.get().paused_until + timedelta(seconds=1)
        assert sending.send_due(now=later) == 0
        assert len(gateway.asked) == first + 1

    def test_when_it_answers_again_everything_goes(self, channel, gateway, now):
        post(channel, 40)
        gateway.status = 503
        sending.send_due(now=now)
        gateway.status = 200
        later = now + timedelta(hours=3)
        assert sending.send_due(now=later) == 40
        channel.refresh_from_db()
        assert (channel.failures, channel.paused_until) == (0, None)

    def test_it_is_left_alone_as_long_as_it_asks(self, channel, gateway, now):
        post(channel)
        gateway.status, gateway.headers = 429, {"Retry-After": "600"}
        sending.send_due(now=now)
        pause = Channel.objects.get().paused_until - now
        assert timedelta(seconds=600) <= pause <= timedelta(seconds=720)

    def test_after_eight_attempts_a_letter_is_dead(self, channel, gateway, now):
        post(channel)
        gateway.status = 500
        for _attempt in range(outbox.MAX_ATTEMPTS):
            sending.send_due(now=now)
            now += timedelta(hours=4)
        (message,) = OutboxMessage.objects.all()
        assert (message.state, message.attempts) == (State.DEAD, 8)
        assert message.last_error == "status:500"
        assert sending.send_due(now=now) == 0

    def test_another_channel_goes_on(self, channel, gateway, now):
        other = Gateway()
        second = Channel(name="b", kind=Channel.Kind.SMS, active=True, address=other.address)
        second.secrets = {"key": "k"}
        second.save()
        gateway.status = 500
        post(channel, 3)
        post(second, 3, first=10)
        assert sending.send_due(now=now) == 3
        other.close()

    def test_a_channel_no_key_opens_does_not_hold_up_the_others(self, channel, gateway, now):
        broken = Channel.objects.create(name="b", kind=Channel.Kind.SMS, active=True)
        post(broken)
        post(channel, first=5)
        with connection.cursor() as cursor:
            cursor.execute("UPDATE core_channel SET secret = 'x' WHERE id = %s", [broken.pk])
        assert sending.send_due(now=now) == 1
        assert Channel.objects.defer("secret").get(pk=broken.pk).last_error == "bad_settings:"

    def test_a_dead_letter_sent_again_keeps_its_key(self, channel, gateway, now):
        post(channel)
        gateway.status = 422
        sending.send_due(now=now)
        assert states() == [State.DEAD]
        gateway.status = 200
        assert outbox.resend(actor=None, messages=OutboxMessage.objects.all()) == 1
        assert sending.send_due(now=now + timedelta(minutes=1)) == 1
        assert list(gateway.keys.values()) == [2]


class TestQuietHours:
    @pytest.fixture
    def quiet(self, channel):
        channel.quiet_from, channel.quiet_until = time(21), time(7)
        channel.save()
        return channel

    def at(self, day, hour, minute=0):
        """A moment in China."""
        return datetime(2026, 5, day, hour, minute, tzinfo=UTC) - timedelta(hours=8)

    def test_what_is_due_at_night_waits_for_the_morning(self, quiet, gateway, time_machine):
        time_machine.move_to(self.at(6, 23, 30), tick=False)
        post(quiet)
        assert OutboxMessage.objects.get().next_attempt_at == self.at(7, 7)
        assert sending.send_due(now=self.at(7, 6, 59)) == 0
        assert sending.send_due(now=self.at(7, 7)) == 1

    def test_an_alarm_goes_at_once(self, quiet, gateway, time_machine):
        time_machine.move_to(self.at(6, 23, 30), tick=False)
        post(quiet, event="alarm")
        assert sending.send_due(now=self.at(6, 23, 30)) == 1

    def test_so_does_whatever_is_told_of_an_emergency(self, quiet, gateway, time_machine):
        time_machine.move_to(self.at(6, 23, 30), tick=False)
        sending.post([Told(quiet, "plain", "k", {"who": "somebody"}, {"code": 1}, urgent=True)])
        assert sending.send_due(now=self.at(6, 23, 30)) == 1

    def test_what_comes_due_while_nobody_sends_waits_too(self, quiet, gateway, time_machine):
        time_machine.move_to(self.at(6, 20), tick=False)
        post(quiet)
        post(quiet, event="alarm", first=9)
        assert sending.send_due(now=self.at(6, 22)) == 1
        assert OutboxMessage.objects.get(event="plain").next_attempt_at == self.at(7, 7)

    @pytest.mark.parametrize(
        ("asked", "opens"),
        [((6, 20, 59), (6, 20, 59)), ((6, 21), (7, 7)), ((7, 0), (7, 7)), ((7, 7), (7, 7))],
    )
    def test_the_night_ends_on_the_right_day(self, quiet, asked, opens):
        assert quiet.open_from(self.at(*asked)) == self.at(*opens)

    def test_quiet_hours_within_one_day(self, channel):
        channel.quiet_from, channel.quiet_until = time(12), time(14)
        assert channel.open_from(self.at(6, 13)) == self.at(6, 14)
        assert channel.open_from(self.at(6, 15)) == self.at(6, 15)


class TestAProcessThatDies:
    def test_a_letter_in_flight_is_sent_again_under_its_key(self, channel, gateway, now):
        post(channel)
        sending.send_due(now=now)
        # As if it had died after sending and before recording.
        OutboxMessage.objects.update(state=State.IN_FLIGHT, claimed_at=now)
        later = now + outbox.STUCK_AFTER + timedelta(seconds=1)
        assert outbox.free_stuck(later) == 1
        assert sending.send_due(now=later) == 1
        assert list(gateway.keys.values()) == [2]

    def test_who_comes_too_late_records_nothing(self, channel, now):
        post(channel)
        (late,) = sending._claim(channel, now)
        later = now + timedelta(minutes=6)
        outbox.free_stuck(later)
        sending._claim(channel, later)
        sending._record(late, None, later)
        assert states() == [State.IN_FLIGHT]


@pytest.mark.django_db(transaction=True)
class TestTwoAtOnce:
    def test_one_process_sends_at_a_time(self, channel, now):
        post(channel)
        cache.add(sending.TURN, 1, 30)
        assert sending.send_due(now=now) == 0
        cache.delete(sending.TURN)
        assert sending.send_due(now=now) == 1

    def test_without_taking_turns_each_letter_still_goes_once(self, channel, gateway, now):
        post(channel, 120)

        def run():
            try:
                sending._send_all(now)
            finally:
                connection.close()

        threads = [threading.Thread(target=run) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert set(gateway.keys.values()) == {1}
        assert len(gateway.keys) == 120
        assert set(states()) == {State.DELIVERED}
