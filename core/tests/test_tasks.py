"""What beat wakes, and the signs of life it leaves."""

from datetime import UTC, datetime, timedelta

import pytest
from celery import current_app
from django.utils import timezone

from core.models import Heartbeat
from core.schedule import BEAT_SCHEDULE
from core.services.heartbeat import beat
from core.tasks import beat_tick, deliver_outbox, sweep_timers

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)


def at(name: str) -> datetime:
    return Heartbeat.objects.get(name=name).at


def test_every_scheduled_task_exists_and_drops_old_ticks():
    for entry in BEAT_SCHEDULE.values():
        assert entry["task"] in current_app.tasks
        if isinstance(entry["schedule"], float):
            assert entry["options"]["expires"] > entry["schedule"]


def test_a_sweep_shows_that_the_worker_works():
    before = timezone.now()
    sweep_timers()
    deliver_outbox()
    assert at("worker") >= before


def test_a_heartbeat_is_written_no_more_often_than_asked():
    every = timedelta(seconds=5)
    beat(name="worker", at=NOW, every=every)
    beat(name="worker", at=NOW + timedelta(seconds=4), every=every)
    assert at("worker") == NOW
    beat(name="worker", at=NOW + timedelta(seconds=6), every=every)
    assert at("worker") == NOW + timedelta(seconds=6)


def test_beat_is_as_alive_as_the_tick_it_sent():
    beat_tick.apply(headers={"published_at": NOW.timestamp()})
    assert at("beat") == NOW
    beat_tick.apply(headers={"published_at": NOW.timestamp() - 60})
    assert at("beat") == NOW


def test_a_tick_that_beat_did_not_send_proves_nothing():
    beat_tick.apply()
    assert not Heartbeat.objects.exists()


def test_a_tick_carries_the_time_it_was_sent():
    channel = current_app.connection_for_write().channel()
    queue = "test-beat-tick"
    before = timezone.now().timestamp()
    beat_tick.apply_async(queue=queue)
    message = channel.basic_get(queue, no_ack=True)
    channel.queue_delete(queue)
    assert before <= message.headers["published_at"] <= timezone.now().timestamp()
