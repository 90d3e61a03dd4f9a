"""Messages are delivered at least once, or visibly dead."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, transaction

from core.models import AuditEntry, Heartbeat, OutboxMessage
from core.services import outbox
from core.services.outbox import Message, deliver_due, free_stuck, post, resend

State = OutboxMessage.State


@pytest.fixture(autouse=True)
def _own_topics(monkeypatch):
    monkeypatch.setattr(outbox, "_topics", {})


@pytest.fixture
def sent():
    keys: list[str] = []
    outbox.register("sms", lambda messages: keys.extend(message.key for message in messages))
    return keys


@pytest.fixture
def now():
    return datetime.now(UTC) + timedelta(seconds=1)


@pytest.mark.django_db
class TestDelivery:
    def test_every_message_is_delivered_once(self, sent, now):
        post(Message("sms", f"k{i}", {"n": i}) for i in range(7))
        assert deliver_due(now=now, batch=3) == 7
        assert deliver_due(now=now) == 0
        assert sorted(sent) == [f"k{i}" for i in range(7)]
        assert set(OutboxMessage.objects.values_list("state", flat=True)) == {State.DELIVERED}

    def test_a_key_posted_twice_is_sent_once(self, sent, now):
        post([Message("sms", "same")])
        post([Message("sms", "same"), Message("sms", "other")])
        assert deliver_due(now=now) == 2

    def test_a_message_of_a_transaction_rolled_back_is_never_sent(self, sent, now):
        with transaction.atomic():
            post([Message("sms", "k")])
            transaction.set_rollback(True)
        assert deliver_due(now=now) == 0

    def test_a_failing_message_is_retried_ever_later_and_then_dead(self, now):
        def refuse(messages):
            Heartbeat.objects.create(name="half done", at=now)
            raise ConnectionError("gateway down")

        outbox.register("sms", refuse)
        post([Message("sms", "k")])
        waits = []
        for _attempt in range(8):
            deliver_due(now=now)
            message = OutboxMessage.objects.get()
            waits.append((message.next_attempt_at - now) // timedelta(minutes=1))
            now = message.next_attempt_at
        assert all(2**n <= wait <= 2**n * 1.2 for n, wait in enumerate(waits[:7]))
        assert (message.state, message.attempts) == (State.DEAD, 8)
        assert message.last_error == "ConnectionError: gateway down"
        assert not Heartbeat.objects.exists()
        assert deliver_due(now=now + timedelta(days=9)) == 0

    def test_one_failing_message_does_not_hold_up_the_others(self, sent, now):
        post([Message("nobody", "a"), Message("sms", "b")])
        assert deliver_due(now=now) == 1
        assert "nobody" in OutboxMessage.objects.get(key="a").last_error

    def test_a_message_that_fails_among_many_costs_only_itself(self, now):
        delivered = []

        def refuse_one(messages):
            if any(message.key == "k3" for message in messages):
                raise ConnectionError("not this one")
            delivered.extend(message.key for message in messages)

        outbox.register("sms", refuse_one)
        post(Message("sms", f"k{n}") for n in range(5))
        assert deliver_due(now=now) == 4
        assert sorted(delivered) == ["k0", "k1", "k2", "k4"]
        assert OutboxMessage.objects.get(state=State.AWAITING_RETRY).key == "k3"

    def test_a_dead_message_can_be_sent_again(self, sent, now):
        post([Message("sms", "k")])
        OutboxMessage.objects.update(state=State.DEAD, attempts=8)
        assert resend(actor=None, messages=[OutboxMessage.objects.get().pk]) == 1
        assert deliver_due(now=now) == 1
        assert AuditEntry.objects.filter(action="outbox.resend").exists()


@pytest.mark.django_db
class TestStuckMessages:
    @pytest.fixture
    def stuck(self, now):
        post([Message("sms", "k")])
        OutboxMessage.objects.update(state=State.IN_FLIGHT, claimed_at=now, attempts=1)
        return now

    def test_a_delivery_begun_just_now_is_left_alone(self, sent, stuck):
        assert free_stuck(stuck + timedelta(minutes=4)) == 0

    def test_a_delivery_whose_process_died_is_taken_up_again(self, sent, stuck):
        later = stuck + timedelta(minutes=6)
        assert free_stuck(later) == 1
        assert deliver_due(now=later) == 1

    def test_a_message_that_keeps_killing_its_process_dies(self, stuck):
        OutboxMessage.objects.update(attempts=8)
        free_stuck(stuck + timedelta(minutes=6))
        assert OutboxMessage.objects.get().state == State.DEAD


@pytest.mark.django_db(transaction=True)
def test_two_workers_do_not_send_the_same_message(sent, now):
    post(Message("sms", f"k{i}") for i in range(60))

    def run():
        try:
            deliver_due(now=now, batch=5)
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(sent) == sorted(f"k{i}" for i in range(60))
