"""Connected systems are told what happens: signed, without persons, at least once, in bounds."""

import hashlib
import hmac
import json
import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.core.cache import cache
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from core.errors import Invalid, NotAllowed
from core.kept import forget_remembered
from core.models import AuditEntry, OutboxMessage
from core.services import outbox
from core.tests.gateways import Gateway
from grids.factories import person
from grids.models import Role
from incidents.factories import World, actor, as_
from incidents.models import (
    HookAttempt,
    HookDelivery,
    HookEvent,
    Incident,
    Notice,
    Publication,
    Source,
    System,
    Urgency,
    Webhook,
)
from incidents.services import dispatching, hook_sending, sent_cases, verification, webhooks
from incidents.services.intake import Report
from incidents.services.webhooks import HookFields

pytestmark = pytest.mark.django_db
State = HookDelivery.State
PHONE = "19900001234"
ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def fresh():
    forget_remembered()
    yield
    forget_remembered()


@pytest.fixture
def receiver(settings):
    settings.OUTBOUND_PLAIN_HOSTS = ["127.0.0.1"]
    settings.OUTBOUND_NETWORKS = ["127.0.0.0/8"]
    server = Gateway()
    yield server
    server.close()


@pytest.fixture
def admin(world):
    return person(Role.SYSTEM_ADMIN, world.county)


@pytest.fixture
def system(world):
    return System.objects.create(name="市平台", scopes=["read_own", "report"])


@pytest.fixture
def secret(system, receiver, admin):
    return put(system, receiver.address, admin)


def put(system: System, address: str, admin: Any, **more: Any) -> str:
    fields = HookFields(**({"address": address, "events": HookEvent.values} | more))
    made = webhooks.put_webhook(system_id=system.pk, fields=fields, actor=actor(admin))
    forget_remembered()
    return made


def send_in(world: World, system: System, number: str = "A-1", **more: Any) -> Incident:
    longitude, latitude = world.places.point_in(world.grid)
    report = Report(
        text=f"桥头垃圾没人清，联系 {PHONE}",
        source=Source.SYSTEM,
        latitude=latitude,
        longitude=longitude,
        name="赵某",
        phone=PHONE,
        **more,
    )
    return sent_cases.send_report(sent=report, system=system, external_id=number, for_public=False)[
        0
    ]


def triage(world: World, incident: Incident, **more: Any) -> Incident:
    values = {"category": world.rubbish, "send": False} | more
    return dispatching.triage(incident_id=incident.pk, actor=actor(world.command), **values)


def go(now=None) -> None:
    now = now or timezone.now() + timedelta(seconds=1)
    outbox.deliver_due(now=now)
    hook_sending.send_due(now=now)


def bodies(receiver: Gateway) -> list[dict[str, Any]]:
    return [json.loads(asked.body) for asked in receiver.asked]


def types(receiver: Gateway) -> list[str]:
    return sorted(body["type"] for body in bodies(receiver))


class TestWhatIsTold:
    def test_a_system_hears_of_its_own_case_signed_by_its_secret(
        self, world, system, secret, receiver
    ):
        incident = send_in(world, system)
        go()
        (asked,) = receiver.asked
        at, mark = asked.headers["Geshi-Signature"].split(",")
        signed = f"{at.removeprefix('t=')}.".encode() + asked.body
        expected = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
        assert mark == f"v1={expected}"
        assert abs(int(at.removeprefix("t=")) - timezone.now().timestamp()) < 60
        told = json.loads(asked.body)
        assert (told["type"], told["case"]["external_id"]) == ("case.reported", "A-1")
        assert told["case"]["number"] == str(incident.pk)
        assert told["change"]["to"] == "reported"
        assert asked.headers["Geshi-Event-Id"] == told["id"]

    def test_no_person_and_no_tracking_code_goes_out(self, world, system, secret, receiver):
        incident = send_in(world, system)
        triage(world, incident)
        go()
        said = b"".join(asked.body for asked in receiver.asked).decode()
        assert len(receiver.asked) == 2
        for private in (PHONE, "赵某", incident.tracking_code, str(world.command)):
            assert private not in said

    def test_the_road_to_closure_and_back_is_told_by_its_events(
        self, world, system, secret, receiver
    ):
        incident = world.called_back()
        system.sent.create(incident=incident, external_id="")
        go()
        receiver.asked.clear()
        token = incident.callbacks.get().token
        verification.rate(token=token, score="satisfied", solved=True, comment="谢谢")
        go()
        assert types(receiver) == ["case.closed", "case.rated", "case.state_changed"]
        (rated,) = [body for body in bodies(receiver) if body["type"] == "case.rated"]
        assert rated["rating"] == {"score": "satisfied", "solved": True}
        assert "谢谢" not in str(bodies(receiver))

    def test_a_bad_rating_is_told_as_opened_again(self, world, system, secret, receiver):
        incident = world.called_back()
        system.sent.create(incident=incident, external_id="")
        go()
        receiver.asked.clear()
        token = incident.callbacks.get().token
        verification.rate(token=token, score="dissatisfied", solved=False)
        go()
        assert set(types(receiver)) == {"case.rated", "case.reopened", "case.state_changed"}
        assert types(receiver).count("case.reopened") == 1

    def test_only_events_asked_for_are_told(self, world, system, receiver, admin):
        put(system, receiver.address, admin, events=["case.closed"])
        send_in(world, system)
        go()
        assert receiver.asked == []
        assert not OutboxMessage.objects.filter(topic="webhook").exists()


class TestWhoHears:
    def test_without_the_right_to_read_nothing_is_told(self, world, system, secret, receiver):
        System.objects.update(scopes=["report"])
        send_in(world, system)
        go()
        assert receiver.asked == []

    @pytest.fixture
    def listener(self, world, receiver, admin):
        world.rubbish.publication = Publication.AREA
        world.rubbish.save()
        other = System.objects.create(name="镇平台", scopes=["read"])
        put(other, receiver.address, admin, own_only=False)
        return other

    def test_of_others_cases_one_hears_after_the_triage_and_without_words(
        self, world, listener, receiver
    ):
        incident = world.report()
        go()
        assert receiver.asked == []
        triage(world, incident)
        go()
        assert types(receiver) == ["case.reported", "case.state_changed"]
        assert "垃圾堆了三天" not in str(bodies(receiver))

    def test_what_is_not_published_or_dangerous_is_not_told(self, world, listener, receiver):
        triage(world, world.report(), category=world.road)
        dangerous = world.report()
        Incident.objects.filter(pk=dangerous.pk).update(urgency=Urgency.EMERGENCY)
        triage(world, dangerous)
        go()
        assert receiver.asked == []

    def test_a_system_hears_nothing_of_areas_that_are_not_its_own(self, world, listener, receiver):
        listener.areas.set([world.places.towns[1]])
        triage(world, world.report())
        go()
        assert receiver.asked == []
        listener.areas.set([world.town])
        triage(world, world.report("又有一处垃圾"))
        go()
        assert len(receiver.asked) == 2

    def test_an_item_named_is_heard_of_though_it_is_not_shown_to_the_public(
        self, world, listener, receiver
    ):
        listener.items.set([world.road])
        triage(world, world.report(), category=world.road)
        triage(world, world.report("又有一处垃圾"))
        go()
        assert {body["case"]["item"] for body in bodies(receiver)} == {world.road.code}

    def test_what_may_no_longer_be_heard_when_it_goes_is_dropped(
        self, world, system, secret, receiver
    ):
        send_in(world, system)
        outbox.deliver_due()
        System.objects.update(scopes=[])
        hook_sending.send_due()
        assert receiver.asked == []
        assert HookDelivery.objects.get().state == State.DROPPED


class TestDelivery:
    def test_a_refusal_is_tried_again_under_the_same_id(self, world, system, secret, receiver):
        receiver.status, receiver.body = 500, b"oops"
        send_in(world, system)
        go()
        receiver.status = 200
        go(timezone.now() + timedelta(minutes=10))
        ids = [asked.headers["Geshi-Event-Id"] for asked in receiver.asked]
        assert len(ids) == 2
        assert len(set(ids)) == 1
        delivery = HookDelivery.objects.get()
        assert (delivery.state, delivery.attempts) == (State.DELIVERED, 2)
        tries = HookAttempt.objects.order_by("pk").values_list("status", "problem", "answer")
        assert list(tries) == [(500, "status:500", "oops"), (200, "", "oops")]
        assert Webhook.objects.get().failures == 0

    def test_a_receiver_that_takes_nothing_is_paused_then_stopped_with_a_warning(
        self, world, system, secret, receiver, admin
    ):
        receiver.status = 503
        for number in range(3):
            send_in(world, system, f"A-{number}")
        now = timezone.now() + timedelta(seconds=1)
        go(now)
        assert Webhook.objects.get().paused_until > now
        first = len(receiver.asked)
        go(now + timedelta(seconds=30))
        assert len(receiver.asked) == first, "nothing is tried while it is paused"
        for hours in range(1, hook_sending.STOP_AFTER):
            go(now + timedelta(hours=hours))
        assert len(receiver.asked) == first + hook_sending.STOP_AFTER - 1, "one probe each"
        assert Webhook.objects.get().stopped_at
        outbox.deliver_due(now=now + timedelta(days=1))
        assert Notice.objects.get(kind="hook_stopped").role == Role.SYSTEM_ADMIN
        receiver.status = 200
        webhooks.go_on(system_id=system.pk, actor=actor(admin))
        go(now + timedelta(days=1))
        states = set(HookDelivery.objects.values_list("state", flat=True))
        assert State.DELIVERED in states
        assert Webhook.objects.get().stopped_at is None

    def test_gone_for_good_stops_at_once(self, world, system, secret, receiver):
        receiver.status = 410
        send_in(world, system)
        go()
        assert Webhook.objects.get().stopped_at

    def test_after_so_many_tries_it_is_dead_and_a_person_sends_it_again(
        self, world, system, secret, receiver, admin
    ):
        receiver.status = 500
        send_in(world, system)
        outbox.deliver_due()
        HookDelivery.objects.update(attempts=outbox.MAX_ATTEMPTS - 1)
        hook_sending.send_due()
        dead = HookDelivery.objects.get()
        assert dead.state == State.DEAD
        receiver.status = 200
        page = as_(admin)
        page.post(f"/systems/{system.pk}/webhook/do/replay/", {"delivery": dead.pk})
        Webhook.objects.update(paused_until=None)
        hook_sending.send_due()
        assert HookDelivery.objects.get().state == State.DELIVERED
        assert len({asked.headers["Geshi-Event-Id"] for asked in receiver.asked}) == 1

    def test_a_redirect_is_not_followed(self, world, system, secret, receiver):
        receiver.status, receiver.headers = 302, {"Location": f"{receiver.address}/elsewhere"}
        send_in(world, system)
        go()
        assert [asked.path for asked in receiver.asked] == ["/"]
        assert HookAttempt.objects.get().problem == "status:302"

    def test_an_address_in_our_own_network_is_refused_when_typed_and_when_sent(
        self, world, system, secret, receiver, admin, settings
    ):
        send_in(world, system)
        settings.OUTBOUND_NETWORKS = []
        for address in (receiver.address, "https://169.254.169.254/", "http://example.com/"):
            with pytest.raises(Invalid):
                put(system, address, admin)
        go()
        assert receiver.asked == []
        assert HookAttempt.objects.get().problem.startswith("forbidden_address")

    def test_both_secrets_sign_while_the_other_side_changes_over(
        self, world, system, secret, receiver, admin
    ):
        new = webhooks.new_secret(system_id=system.pk, actor=actor(admin))
        body, now = b"{}", timezone.now()
        both = hook_sending.secrets_of(Webhook.objects.get(), now)
        assert both == [new, secret]
        assert hook_sending.signature(both, body, at=1).count("v1=") == 2
        later = now + webhooks.OVERLAP + timedelta(seconds=1)
        assert hook_sending.secrets_of(Webhook.objects.get(), later) == [new]
        last = webhooks.new_secret(system_id=system.pk, actor=actor(admin), at_once=True)
        assert hook_sending.secrets_of(Webhook.objects.get(), now) == [last]


class TestCost:
    def test_a_step_costs_no_more_for_it(
        self, world, system, receiver, admin, django_assert_num_queries
    ):
        first, second, third = (world.report(text) for text in ("垃圾一处", "垃圾两处", "垃圾三处"))
        triage(world, first)
        with_nobody = queries_of(lambda: triage(world, second))
        assert not OutboxMessage.objects.filter(topic="webhook").exists()
        put(system, receiver.address, admin)
        System.objects.update(scopes=["read_own", "read"])
        world.report("先问一次谁在听")
        with django_assert_num_queries(with_nobody):
            triage(world, third)
        assert OutboxMessage.objects.filter(topic="webhook").count() == 2

    def test_telling_costs_the_same_however_many_cases(
        self, world, system, secret, receiver, django_assert_max_num_queries
    ):
        for number in range(5):
            send_in(world, system, f"A-{number}")
        for message in OutboxMessage.objects.filter(topic="webhook")[:1]:
            with django_assert_max_num_queries(12):
                outbox._topics["webhook"]([message])
        outbox.deliver_due()
        webhook = Webhook.objects.select_related("system").get()
        rows = list(HookDelivery.objects.all())
        with django_assert_max_num_queries(9):
            assert len(hook_sending.bodies_of(webhook, rows)) == 5


def queries_of(act: Any) -> int:
    with CaptureQueriesContext(connection) as caught:
        act()
    return len(caught)


class TestPages:
    def test_the_secret_is_shown_once_and_kept_encrypted(self, system, receiver, admin):
        page = as_(admin)
        form = {"address": receiver.address, "events": ["case.closed"], "active": "on"}
        made = page.post(f"/systems/{system.pk}/webhook/", form).content.decode()
        secret = made.partition("data-secret>")[2].partition("<")[0]
        assert secret.startswith("whs_")
        assert Webhook.objects.get().secret == secret
        assert secret not in page.get(f"/systems/{system.pk}/webhook/").content.decode()
        told = str(list(AuditEntry.objects.values_list("data", flat=True)))
        assert secret not in told
        assert receiver.address not in told

    def test_what_is_typed_wrong_comes_back(self, system, receiver, admin):
        page = as_(admin)
        wrong = {"address": "https://10.0.0.7/hook", "events": ["case.closed"]}
        answer = page.post(f"/systems/{system.pk}/webhook/", wrong)
        assert answer.status_code == 422
        assert "https://10.0.0.7/hook" in answer.content.decode()
        assert not Webhook.objects.exists()

    def test_a_trial_arrives_and_its_try_can_be_read(self, system, secret, receiver, admin):
        page = as_(admin)
        receiver.body = f"<b>{PHONE}</b>".encode()
        page.post(f"/systems/{system.pk}/webhook/do/trial/")
        hook_sending.send_due()
        assert types(receiver) == ["test"]
        delivery = HookDelivery.objects.get()
        shown = page.get(f"/systems/{system.pk}/webhook/{delivery.pk}/").content.decode()
        assert "&lt;b&gt;199****1234" in shown
        assert "200" in shown
        other = System.objects.create(name="别的")
        assert page.get(f"/systems/{other.pk}/webhook/{delivery.pk}/").status_code == 404

    def test_all_of_a_time_is_sent_again(self, world, system, secret, receiver, admin):
        for number in range(3):
            send_in(world, system, f"A-{number}")
        go()
        page, here = as_(admin), f"/systems/{system.pk}/webhook/"
        day = timezone.localtime()
        form = {
            "since": f"{day - timedelta(hours=1):%Y-%m-%dT%H:%M}",
            "until": f"{day + timedelta(hours=1):%Y-%m-%dT%H:%M}",
        }
        turned = {"since": form["until"], "until": form["since"]}
        assert page.post(f"{here}do/replay-range/", turned).status_code == 422
        assert page.post(f"{here}do/replay-range/", form).status_code == 302
        go()
        ids = [asked.headers["Geshi-Event-Id"] for asked in receiver.asked]
        assert (len(ids), len(set(ids))) == (6, 3)
        assert AuditEntry.objects.filter(action="webhook.replay").get().data["count"] == 3

    def test_the_list_costs_the_same_however_long(
        self, system, secret, admin, django_assert_max_num_queries
    ):
        webhook = Webhook.objects.get()
        HookDelivery.objects.bulk_create(
            HookDelivery(webhook=webhook, event_id=uuid4(), event="test") for _n in range(60)
        )
        page = as_(admin)
        page.get(f"/systems/{system.pk}/webhook/")
        with django_assert_max_num_queries(14):
            shown = page.get(f"/systems/{system.pk}/webhook/").content.decode()
        assert shown.count("g-main-cell") == 40

    @pytest.mark.parametrize("role", [Role.COMMAND, Role.SECURITY_ADMIN])
    def test_nobody_else_keeps_webhooks(self, world, system, secret, receiver, role):
        by = actor(person(role, world.county))
        for act in (
            lambda: webhooks.put_webhook(
                system_id=system.pk, fields=HookFields(receiver.address, ["case.closed"]), actor=by
            ),
            lambda: webhooks.new_secret(system_id=system.pk, actor=by),
            lambda: webhooks.go_on(system_id=system.pk, actor=by),
            lambda: webhooks.send_trial(system_id=system.pk, actor=by),
            lambda: webhooks.replay(system_id=system.pk, actor=by, ids=[1]),
        ):
            with pytest.raises(NotAllowed):
                act()


def test_what_was_told_long_ago_is_forgotten(system, secret):
    webhook = Webhook.objects.get()
    old = timezone.now() - hook_sending.KEPT - timedelta(days=1)
    for made in (old, timezone.now()):
        HookDelivery.objects.create(webhook=webhook, event_id=uuid4(), event="test", made_at=made)
    with transaction.atomic():
        assert hook_sending.forget_old() == 1
    assert HookDelivery.objects.count() == 1


KILLED_BEFORE_RECORDING = """
import os, signal
import django
django.setup()
from incidents.services import hook_sending
hook_sending._record = lambda *_results: os.kill(os.getpid(), signal.SIGKILL)
hook_sending.send_due()
"""


@pytest.mark.stack
@pytest.mark.django_db(transaction=True)
def test_a_worker_killed_between_sending_and_recording_sends_again_under_the_same_id(
    world, system, secret, receiver
):
    send_in(world, system)
    outbox.deliver_due()
    environment = os.environ | {
        "GESHI_TEST_DATABASE": connection.settings_dict["NAME"],
        "GESHI_OUTBOUND_PLAIN_HOSTS": "127.0.0.1",
        "GESHI_OUTBOUND_NETWORKS": "127.0.0.0/8",
    }
    killed = subprocess.run(
        [sys.executable, "-c", KILLED_BEFORE_RECORDING], env=environment, check=False, cwd=ROOT
    )
    assert killed.returncode == -signal.SIGKILL
    assert HookDelivery.objects.get().state == State.IN_FLIGHT
    cache.clear()
    hook_sending.send_due(now=timezone.now() + outbox.STUCK_AFTER + timedelta(seconds=1))
    assert HookDelivery.objects.get().state == State.DELIVERED
    ids = [asked.headers["Geshi-Event-Id"] for asked in receiver.asked]
    assert (len(ids), len(set(ids))) == (2, 1)
