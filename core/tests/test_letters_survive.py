"""A worker killed while a gateway holds its letters loses none; the gateway tells them by key."""

from datetime import timedelta

import pytest
from django.utils import timezone

from core.channels import events
from core.channels.letters import public_key
from core.models import Channel, OutboxMessage
from core.services import outbox, sending
from core.services.sending import Told
from core.tests.gateways import Gateway

pytestmark = pytest.mark.stack
LETTERS = 60
State = OutboxMessage.State


@pytest.fixture
def gateway(monkeypatch, settings):
    # The processes read the environment, this one its settings.
    monkeypatch.setenv("GESHI_OUTBOUND_PLAIN_HOSTS", "127.0.0.1")
    monkeypatch.setenv("GESHI_OUTBOUND_NETWORKS", "127.0.0.0/8")
    settings.OUTBOUND_PLAIN_HOSTS = ["127.0.0.1"]
    settings.OUTBOUND_NETWORKS = ["127.0.0.0/8"]
    server = Gateway()
    yield server
    server.close()


@pytest.fixture
def channel(transactional_db, gateway):
    made = Channel(name="短信", kind=Channel.Kind.SMS, active=True, address=gateway.address)
    made.secrets = {"key": "k"}
    made.save()
    return made


def test_a_worker_killed_between_sending_and_recording_loses_nothing(gateway, channel, stack):
    keys = [f"letter:{n}" for n in range(LETTERS)]
    whom = {"who": "group_chat"}
    sending.post(Told(channel, events.TRIAL, key, whom, {}) for key in keys)
    gateway.hold.clear()
    stack.start("worker")
    stack.start("beat")
    # It has taken letters and heard no answer yet: the worst moment there is.
    stack.wait_for(lambda: len(gateway.asked) >= sending.SENDERS, timeout=180)
    stack.kill9("worker")
    in_its_hands = set(gateway.keys)
    gateway.hold.set()
    stack.flush_redis()
    stack.start("worker-2")
    # What the dead worker held is freed after a while; here that while is over.
    long_ago = timezone.now() - outbox.STUCK_AFTER - timedelta(seconds=1)
    OutboxMessage.objects.filter(state=State.IN_FLIGHT).update(claimed_at=long_ago)
    stack.wait_for(lambda: not open_letters(), timeout=180)

    assert set(OutboxMessage.objects.values_list("state", flat=True)) == {State.DELIVERED}
    assert set(gateway.keys) == {public_key(key) for key in keys}, "none is missing"
    assert all(gateway.keys[key] == 2 for key in in_its_hands), "and these came again"


def open_letters():
    return OutboxMessage.objects.exclude(state=State.DELIVERED).exists()
