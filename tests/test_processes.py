"""The processes beside the web come up, survive being killed, and need nothing Redis held."""

import pytest

from core.models import Heartbeat

pytestmark = pytest.mark.stack


def last_sign(name: str) -> object:
    return Heartbeat.objects.filter(name=name).values_list("at", flat=True).first()


def test_worker_goes_on_after_a_kill_and_an_emptied_redis(stack):
    stack.start("beat")
    stack.start("worker")
    before = stack.wait_for(lambda: last_sign("worker"))
    stack.kill9("worker")
    stack.flush_redis()
    stack.start("worker")
    assert stack.wait_for(lambda: last_sign("worker") > before)


def test_beat_that_was_killed_is_followed_by_the_next(stack):
    stack.start("worker")
    stack.start("beat")
    before = stack.wait_for(lambda: last_sign("beat"))
    stack.kill9("beat")
    stack.start("beat")
    assert stack.wait_for(lambda: last_sign("beat") > before)
