"""A simulated month: every firing is told, and nothing stays behind."""

from datetime import datetime, timedelta
from io import StringIO
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.core.management import CommandError, call_command

from core.models import OutboxMessage, Timer
from core.services.timers import sweep
from incidents.factories import World
from incidents.models import Event, Incident, SupervisionNotice
from incidents.services.simulation import by_day, simulate

pytestmark = pytest.mark.django_db
START = datetime(2026, 9, 28, 9, 0, tzinfo=ZoneInfo("Asia/Shanghai"))


@pytest.fixture
def clock():
    with time_machine.travel(START, tick=False) as traveller:
        yield traveller


@pytest.fixture
def world(clock):
    return World()


def test_what_was_told_is_what_the_sweep_then_does(world, clock):
    incident = world.dispatched(world.grid)
    world.called_back()
    ahead = simulate(days=8)
    for moment in sorted({firing.at for firing in ahead}):
        clock.move_to(moment)
        sweep()
    fired = Timer.objects.filter(fired_at__isnull=False)
    happened = sorted(fired.values_list("fired_at", "kind", "stage"))
    assert sorted((one.at, one.kind, one.stage) for one in ahead) == happened
    assert {"clock_warn", "clock_due", "clock_climb", "callback_over"} <= {f.kind for f in ahead}
    assert incident.tracking_code in {firing.case for firing in ahead}


def test_nothing_of_it_stays(world):
    incident = world.dispatched(world.grid)
    kept = [
        list(model.objects.order_by("pk").values())
        for model in (Timer, Event, OutboxMessage, SupervisionNotice)
    ]
    assert simulate(days=30)
    assert kept == [
        list(model.objects.order_by("pk").values())
        for model in (Timer, Event, OutboxMessage, SupervisionNotice)
    ]
    assert Incident.objects.get(pk=incident.pk).overdue_at is None


def test_each_timer_is_told_at_the_minute_it_is_due(world):
    world.dispatched(world.grid)
    first = simulate(days=1)[0]
    assert (first.kind, first.at) == ("clock_warn", START + timedelta(hours=6, minutes=1))


def test_a_timer_that_raises_is_told_with_its_error(world):
    Timer.objects.create(
        subject_type="clock", subject_id=0, kind="nobody_knows", due_at=START + timedelta(hours=1)
    )
    (failed,) = {firing for firing in simulate(days=1) if firing.error}
    assert "nobody_knows" in failed.error
    assert [day["failed"] for day in by_day([failed]).values()] == [1]


def test_the_command_tells_each_firing_and_the_days(world):
    incident = world.dispatched(world.grid)
    out = StringIO()
    call_command("simulate_clocks", days=3, list=True, stdout=out)
    assert incident.tracking_code in out.getvalue()
    assert "2026-09-29" in out.getvalue()


def test_the_command_refuses_no_days():
    with pytest.raises(CommandError):
        call_command("simulate_clocks", days=0)
