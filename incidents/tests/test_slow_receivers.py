"""Whoever takes what we send slowly keeps nobody else waiting."""

import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from core.kept import forget_remembered
from core.models import Channel, OutboxMessage
from core.services import outbox, sending
from core.tests.gateways import Gateway
from grids.factories import person
from grids.models import Role, Subscription
from incidents.factories import actor
from incidents.models import HookDelivery, HookEvent, Notice, System
from incidents.models.webhook import TRIAL
from incidents.services import hook_sending, webhooks
from incidents.services.webhooks import HookFields

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def sides(settings):
    """A receiver of a connected system and an SMS gateway."""
    settings.OUTBOUND_PLAIN_HOSTS = ["127.0.0.1"]
    settings.OUTBOUND_NETWORKS = ["127.0.0.0/8"]
    forget_remembered()
    both = Gateway(), Gateway()
    yield both
    for side in both:
        side.close()
    forget_remembered()


def listen(world, address):
    """Have a system with something to be told."""
    system = System.objects.create(name="市平台", scopes=["read_own"])
    fields = HookFields(address=address, events=HookEvent.values)
    admin = person(Role.SYSTEM_ADMIN, world.county)
    webhooks.put_webhook(system_id=system.pk, fields=fields, actor=actor(admin))
    HookDelivery.objects.create(webhook=system.webhook, event=TRIAL, event_id=system.namespace)
    forget_remembered()


def test_a_receiver_that_hangs_holds_up_neither_notices_nor_sms(world, sides):
    receiver, gateway = sides
    sms = Channel(name="短信", kind=Channel.Kind.SMS, active=True, address=gateway.address)
    sms.secrets = {"key": "k"}
    sms.save()
    world.city_handler.phone = "19900001234"
    world.city_handler.save()
    Subscription.objects.create(channel=sms, group="work", user=world.city_handler)
    listen(world, receiver.address)
    receiver.hold.clear()
    soon = timezone.now() + timedelta(seconds=1)

    def send() -> None:
        hook_sending.send_due(now=soon)
        connection.close()

    hanging = threading.Thread(target=send)
    hanging.start()
    try:
        while not receiver.asked:
            hanging.join(0.01)
        incident = world.dispatched()
        later = timezone.now() + timedelta(seconds=1)
        assert outbox.deliver_due(now=later) > 0
        assert sending.send_due(now=later) == 1
        assert hanging.is_alive()
    finally:
        receiver.hold.set()
        hanging.join()
    assert Notice.objects.filter(incident=incident).exists()
    assert incident.tracking_code in gateway.asked[0].fields["text"]
    assert not OutboxMessage.objects.exclude(state="delivered").exists()
