"""What the bell tells reaches who chose another channel, and residents who asked for SMS."""

from datetime import UTC, datetime, time, timedelta

import pytest
from django.utils import timezone

from core.channels import events, wording
from core.models import Channel, OutboxMessage
from core.services import outbox, sending
from core.tests.gateways import Gateway
from grids.models import Subscription
from incidents.factories import actor
from incidents.models import Incident, ReporterContact, Urgency
from incidents.services import verification

pytestmark = pytest.mark.django_db
PHONE = "19900001234"
State = OutboxMessage.State


@pytest.fixture
def gateway(settings):
    settings.OUTBOUND_PLAIN_HOSTS = ["127.0.0.1"]
    settings.OUTBOUND_NETWORKS = ["127.0.0.0/8"]
    settings.PUBLIC_URL = "https://geshi.example.cn"
    server = Gateway()
    yield server
    server.close()


@pytest.fixture
def channel(gateway):
    made = Channel(name="短信", kind=Channel.Kind.SMS, active=True, address=gateway.address)
    made.secrets = {"key": "k"}
    made.save()
    return made


@pytest.fixture
def handler(world, channel):
    user = world.city_handler
    user.phone = PHONE
    user.save()
    Subscription.objects.create(channel=channel, group="work", user=user)
    return user


def go(now=None):
    now = now or timezone.now() + timedelta(seconds=1)
    outbox.deliver_due(now=now)
    sending.send_due(now=now)


def texts(gateway):
    return [asked.fields["text"] for asked in gateway.asked]


class TestStaff:
    def test_a_dispatched_case_reaches_the_handlers_phone(self, world, handler, gateway):
        incident = world.dispatched()
        go()
        (text,) = texts(gateway)
        assert incident.tracking_code in text
        assert "请接收" in text
        assert f"https://geshi.example.cn/incidents/{incident.tracking_code}/" in text
        assert world.grid.name in text

    def test_no_word_of_the_reporter_goes_out(self, world, handler, gateway):
        world.dispatched()
        go()
        assert "垃圾堆了三天" not in str(texts(gateway))

    def test_an_emergency_does_not_wait_for_the_morning(
        self, world, handler, channel, gateway, time_machine
    ):
        night = datetime(2027, 5, 6, 15, 30, tzinfo=UTC)  # half past eleven in China
        time_machine.move_to(night, tick=False)
        Channel.objects.update(quiet_from=time(21), quiet_until=time(7))
        world.dispatched()
        go(night)
        assert texts(gateway) == []
        second = world.dispatched()
        Incident.objects.filter(pk=second.pk).update(urgency=Urgency.EMERGENCY)
        go(night)
        assert [second.tracking_code in text for text in texts(gateway)] == [True]

    def test_without_anybody_to_tell_the_bell_alone_rings(self, world, gateway):
        world.dispatched()
        go()
        assert not OutboxMessage.objects.filter(topic="letter").exists()


class TestResidents:
    @pytest.fixture
    def asked(self, world, channel):
        """A case whose reporter left a phone and asked for SMS, up to its call-back."""

        def build(**more):
            world_report = world.report
            values = {"phone": PHONE, "wants_sms": True} | more
            world.report = lambda: world_report(**values)
            return world.called_back()

        return build

    def test_who_asked_gets_the_link_to_rate(self, asked, gateway):
        incident = asked()
        go()
        (text,) = texts(gateway)
        callback = incident.callbacks.get()
        assert f"https://geshi.example.cn/rate/{callback.token}/" in text
        assert gateway.asked[0].fields["phone"] == PHONE

    def test_who_did_not_ask_gets_nothing(self, asked, gateway):
        asked(wants_sms=False)
        go()
        assert texts(gateway) == []

    def test_a_number_in_the_text_is_no_wish(self, asked, gateway):
        asked(phone="", text=f"路灯坏了，请打{PHONE}")
        go()
        assert texts(gateway) == []

    def test_neither_number_nor_token_is_stored_in_the_queue(self, asked, gateway):
        incident = asked()
        go()
        stored = str(list(OutboxMessage.objects.values("key", "payload", "last_error")))
        assert PHONE not in stored
        assert incident.callbacks.get().token not in stored

    def test_a_contact_erased_meanwhile_is_not_missed(self, asked, gateway):
        asked()
        outbox.deliver_due(now=timezone.now() + timedelta(seconds=1))
        ReporterContact.objects.all().delete()
        go()
        letter = OutboxMessage.objects.get(topic="letter")
        assert (letter.state, letter.last_error) == (State.DROPPED, "forgotten:")

    def test_who_rated_already_is_not_asked_again(self, world, asked, gateway):
        incident = asked()
        verification.record_callback(
            incident_id=incident.pk, actor=actor(world.command), score="satisfied", solved=True
        )
        go()
        assert OutboxMessage.objects.get(topic="letter").last_error == "answered:"

    def test_a_case_opened_again_is_told(self, world, asked, gateway):
        incident = asked()
        go()
        verification.rate(token=incident.callbacks.get().token, score="dissatisfied", solved=False)
        go()
        assert "已提级重新办理" in texts(gateway)[-1]


class TestTheForm:
    def test_sms_is_offered_only_when_there_is_a_gateway(self, client, world):
        assert "wants_sms" not in client.get("/report/").content.decode()

    def test_it_is_offered_then_and_needs_a_phone(self, client, world, channel):
        assert "wants_sms" in client.get("/report/").content.decode()
        answer = client.post("/report/", {"text": "村口垃圾堆了三天没人清", "wants_sms": "on"})
        assert "请填写手机号" in answer.content.decode()
        assert not Incident.objects.exists()
        sent = {"text": "村口垃圾堆了三天没人清", "wants_sms": "on", "phone": PHONE}
        client.post("/report/", sent)
        assert ReporterContact.objects.get().wants_sms


@pytest.mark.parametrize("language", ["zh-hans", "en"])
def test_all_shipped_words_keep_the_rules_for_words(language):
    for event in events.events():
        subject, text = wording.shipped(event, language)
        wording.check(event, subject=subject, text=text)
        assert "{" not in "".join(wording.preview(event, subject, text, language)), event.kind


def test_every_kind_of_notice_can_be_told():
    kinds = {event.kind for event in events.events()}
    assert {"notice.dispatched", "notice.dispute_red", "resident.rate", "trial"} <= kinds
    urgent = {event.kind for event in events.events() if event.urgent}
    assert {"notice.possible_emergency", "notice.dispute_red"} <= urgent
