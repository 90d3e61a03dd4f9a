"""A real worker and a real beat prove that they are alive."""

import pytest
from django.utils import timezone

from core.models import Heartbeat


def alive_since(moment):
    """Return a condition: worker and beat have both shown themselves after ``moment``."""
    names = {"worker", "beat"}
    return lambda: (
        set(Heartbeat.objects.filter(at__gt=moment).values_list("name", flat=True)) == names
    )


@pytest.mark.stack
def test_worker_and_beat_show_themselves_again_after_redis_lost_everything(stack):
    stack.start("worker")
    stack.start("beat")
    stack.wait_for(alive_since(timezone.now()))
    stack.flush_redis()
    stack.wait_for(alive_since(timezone.now()))
    stack.kill9("worker")
    stack.start("worker-2")
    stack.wait_for(alive_since(timezone.now()))
