"""The processes beside the web come up, survive being killed, and need nothing Redis held."""

from datetime import datetime

import pytest
from django.utils import timezone

from core.models import Heartbeat

pytestmark = pytest.mark.stack


def last_sign(name: str) -> datetime | None:
    return Heartbeat.objects.filter(name=name).values_list("at", flat=True).first()


def newer_signs(before: datetime) -> bool:
    return all((last_sign(name) or before) > before for name in ("worker", "beat"))


def test_worker_and_beat_go_on_after_an_emptied_redis_and_after_a_kill(stack):
    stack.start("beat")
    stack.start("worker")
    stack.wait_for(lambda: last_sign("worker") and last_sign("beat"))
    stack.flush_redis()
    before = timezone.now()
    assert stack.wait_for(lambda: newer_signs(before))
    stack.kill9("worker")
    stack.flush_redis()
    stack.start("worker")
    before = timezone.now()
    assert stack.wait_for(lambda: newer_signs(before))


def test_beat_that_was_killed_is_followed_by_the_next(stack):
    stack.start("worker")
    stack.start("beat")
    before = stack.wait_for(lambda: last_sign("beat"))
    stack.kill9("beat")
    stack.start("beat")
    assert stack.wait_for(lambda: last_sign("beat") > before)
