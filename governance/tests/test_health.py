"""What /healthz and /metrics tell, and when they call the house unwell."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from core.models import Heartbeat, OutboxMessage, Timer


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
def test_a_redis_that_is_away_is_named(client, settings):
    alive()
    settings.REDIS_URL = "unix:///nowhere/redis.sock"

    assert client.get(reverse("healthz")).json()["wrong"] == ["redis"]
