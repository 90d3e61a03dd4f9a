"""What /healthz and /metrics tell, and when they call the house unwell."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone
from prometheus_client import REGISTRY

from core.models import Heartbeat, OutboxMessage, Timer
from core.services.audit import record
from core.services.sealing import seal


def alive(**late: timedelta) -> None:
    now = timezone.now()
    for name in ("worker", "beat"):
        Heartbeat.objects.update_or_create(
            name=name, defaults={"at": now - late.get(name, timedelta(0))}
        )


@pytest.mark.django_db
def test_all_is_well(client):
    alive()

    answer = client.get(reverse("healthz"))

    assert answer.status_code == 200
    assert answer.json()["status"] == "ok"
    assert answer.json()["wrong"] == []
    assert answer.json()["oldest_due_timer_age"] is None


@pytest.mark.django_db
def test_a_beat_that_is_silent_for_a_minute_is_named(client):
    alive(beat=timedelta(minutes=1))

    answer = client.get(reverse("healthz"))

    assert answer.status_code == 503
    assert answer.json()["wrong"] == ["beat"]


@pytest.mark.django_db
def test_processes_that_never_ran_are_named(client):
    assert client.get(reverse("healthz")).json()["wrong"] == ["worker", "beat"]


@pytest.mark.django_db
def test_work_nobody_does_is_named(client):
    alive()
    late = timezone.now() - timedelta(minutes=10)
    Timer.objects.create(subject_type="case", subject_id=1, kind="warn", due_at=late)
    OutboxMessage.objects.create(topic="notice", key="a", next_attempt_at=late)

    answer = client.get(reverse("healthz"))

    assert answer.status_code == 503
    assert answer.json()["wrong"] == ["timers", "outbox"]
    assert answer.json()["oldest_due_timer_age"] >= 600


@pytest.mark.django_db
def test_an_audit_trail_nobody_seals_is_named(client, time_machine):
    record(actor=None, action="case.open", subject_type="case")
    time_machine.move_to(timezone.now() + timedelta(minutes=10), tick=False)
    alive()

    assert client.get(reverse("healthz")).json()["wrong"] == ["audit"]
    assert "geshi_audit_seal_lag_seconds 6" in client.get(reverse("metrics")).content.decode()

    seal()
    assert client.get(reverse("healthz")).json()["wrong"] == []


@pytest.mark.django_db
def test_a_redis_that_is_away_is_named(client, settings):
    alive()
    settings.REDIS_URL = "unix:///nowhere/redis.sock"

    assert client.get(reverse("healthz")).json()["wrong"] == ["redis"]


@pytest.mark.django_db
def test_metrics_tell_requests_and_what_waits(client):
    alive()
    Timer.objects.create(subject_type="case", subject_id=1, kind="warn", due_at=timezone.now())
    client.get(reverse("healthz"))

    told = client.get(reverse("metrics")).content.decode()

    assert 'geshi_requests_total{method="GET",status="200",view="healthz"}' in told
    assert 'geshi_queue_depth{queue="timers"} 1.0' in told
    assert 'geshi_up{part="redis"} 1.0' in told


@pytest.mark.django_db
def test_a_refused_login_is_counted(client):
    def count() -> float:
        return (
            REGISTRY.get_sample_value("geshi_rejected_logins_total", {"reason": "credentials"}) or 0
        )

    before = count()

    client.post(reverse("login"), {"username": "nobody", "password": "wrong"})

    assert count() == before + 1


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("headers", "address", "status"),
    [
        ({}, "127.0.0.1", 200),
        ({}, "10.0.0.9", 403),
        ({"x-forwarded-for": "10.0.0.9"}, "127.0.0.1", 403),
        ({"authorization": "Bearer right"}, "10.0.0.9", 200),
        ({"authorization": "Bearer wrong"}, "10.0.0.9", 403),
    ],
)
def test_metrics_are_for_this_machine_or_the_bearer(client, settings, headers, address, status):
    settings.METRICS_TOKEN = "right"

    answer = client.get(reverse("metrics"), headers=headers, REMOTE_ADDR=address)

    assert answer.status_code == status


@pytest.mark.django_db
def test_without_a_token_set_an_empty_one_opens_nothing(client, settings):
    settings.METRICS_TOKEN = ""

    answer = client.get(
        reverse("metrics"), headers={"authorization": "Bearer "}, REMOTE_ADDR="10.0.0.9"
    )

    assert answer.status_code == 403
