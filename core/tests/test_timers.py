"""Timers fire once, whatever their handlers do."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, transaction

from core.models import Heartbeat, Timer
from core.services import timers
from core.services.timers import TimerSpec, cancel_timers, set_timers, sweep

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _own_handlers(monkeypatch):
    monkeypatch.setattr(timers, "_handlers", {})


@pytest.fixture
def fired():
    """Ids of the subjects whose "warn" timers fired, in order."""
    ids: list[int] = []
    timers.register("warn", lambda due, now: ids.extend(t.subject_id for t in due))
    return ids


def spec(subject_id: int, kind: str = "warn", minutes: int = 0, **more) -> TimerSpec:
    due_at = NOW + timedelta(minutes=minutes)
    return TimerSpec(subject_type="thing", subject_id=subject_id, kind=kind, due_at=due_at, **more)


@pytest.mark.django_db
class TestOneSweep:
    def test_fires_what_is_due_once_and_in_order(self, fired):
        set_timers(
            [spec(3, minutes=-1), spec(2, minutes=-2), spec(1, minutes=-3), spec(4, minutes=1)]
        )
        assert sweep(now=NOW) == timers.SweepResult(fired=3, failed=0)
        assert sweep(now=NOW).fired == 0
        assert fired == [1, 2, 3]

    def test_goes_on_until_nothing_is_due(self, fired):
        set_timers(spec(i) for i in range(25))
        assert sweep(now=NOW, batch=4).fired == 25
        assert sorted(fired) == list(range(25))

    def test_stops_at_the_number_asked_for(self, fired):
        set_timers(spec(i) for i in range(10))
        assert sweep(now=NOW, batch=2, at_most=4).fired == 4

    def test_calls_the_handler_once_for_a_whole_group(self):
        calls = []
        timers.register("warn", lambda due, now: calls.append(len(due)))
        set_timers(spec(i) for i in range(10))
        sweep(now=NOW)
        assert calls == [10]

    def test_calls_a_handler_of_two_kinds_once_for_both_of_a_batch(self):
        calls = []

        def handler(due, now):
            calls.append({timer.kind for timer in due})

        timers.register("warn", handler)
        timers.register("due", handler)
        set_timers([spec(1, kind="warn"), spec(1, kind="due")])
        assert sweep(now=NOW).fired == 2
        assert calls == [{"warn", "due"}]

    def test_fires_what_a_handler_set_and_is_due_already(self, fired):
        @timers.on("first")
        def first(due, now):
            set_timers([spec(t.subject_id, minutes=-60) for t in due])

        set_timers([spec(7, kind="first")])
        assert sweep(now=NOW).fired == 2
        assert fired == [7]

    def test_setting_a_timer_again_changes_nothing(self, fired):
        set_timers([spec(1)])
        set_timers([spec(1, minutes=50), spec(1, stage="accept")])
        assert sweep(now=NOW).fired == 2
        set_timers([spec(1)])
        assert sweep(now=NOW).fired == 0
        set_timers([spec(1, cycle=2)])
        assert sweep(now=NOW).fired == 1

    def test_cancelled_timers_do_not_fire(self, fired):
        set_timers([spec(1), spec(1, kind="climb"), spec(1, stage="accept"), spec(2)])
        assert cancel_timers("thing", 1, kinds=["warn"], stages=["accept"]) == 1
        assert cancel_timers("thing", 1, kinds={"climb"}) == 1
        assert cancel_timers("thing", 1) == 1
        assert cancel_timers("thing", 1) == 0
        sweep(now=NOW)
        assert fired == [2]
        assert cancel_timers("thing", 2) == 0  # it has fired, and that stays on record


@pytest.mark.django_db
class TestATimerThatRaises:
    @pytest.fixture(autouse=True)
    def _three_is_broken(self):
        def handler(due, now):
            for timer in due:
                Heartbeat.objects.create(name=f"fired {timer.subject_id}", at=now)
                if timer.subject_id == 3:
                    raise RuntimeError("three is broken")

        timers.register("warn", handler)

    def test_costs_no_other_timer(self):
        set_timers(spec(i) for i in range(1, 6))
        assert sweep(now=NOW) == timers.SweepResult(fired=4, failed=1)
        names = set(Heartbeat.objects.values_list("name", flat=True))
        assert names == {"fired 1", "fired 2", "fired 4", "fired 5"}

    def test_is_counted_and_pushed_forward_ever_further(self):
        set_timers([spec(3)])
        waits = []
        now = NOW
        for _attempt in range(8):
            assert sweep(now=now).failed == 1
            timer = Timer.objects.get()
            waits.append((timer.due_at - now) // timedelta(minutes=1))
            now = timer.due_at
        assert waits == [1, 2, 4, 8, 16, 32, 60, 60]
        assert timer.failures == 8
        assert timer.last_error == "RuntimeError: three is broken"
        assert timer.fired_at is None

    def test_leaves_the_transaction_usable_after_a_database_error(self):
        @timers.on("sql")
        def broken(due, now):
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1/0")

        set_timers([spec(1, kind="sql"), spec(2)])
        assert sweep(now=NOW) == timers.SweepResult(fired=1, failed=1)

    def test_a_kind_nobody_handles_is_a_failure_that_says_so(self):
        set_timers([spec(1, kind="unknown"), spec(2)])
        assert sweep(now=NOW) == timers.SweepResult(fired=1, failed=1)
        assert "unknown" in Timer.objects.get(subject_id=1).last_error


@pytest.mark.django_db
def test_timers_of_a_busy_subject_wait_for_the_next_sweep():
    busy = {2}
    timers.register("warn", lambda due, now: [t for t in due if t.subject_id in busy])
    set_timers(spec(i) for i in range(1, 4))
    assert sweep(now=NOW, batch=1) == timers.SweepResult(fired=2, failed=0)
    waiting = Timer.objects.get(fired_at__isnull=True)
    assert (waiting.subject_id, waiting.failures) == (2, 0)
    busy.clear()
    assert sweep(now=NOW).fired == 1


def in_thread(work) -> threading.Thread:
    def run():
        try:
            work()
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


@pytest.mark.django_db(transaction=True)
def test_sweeps_at_the_same_time_fire_each_of_two_thousand_timers_once():
    @timers.on("warn")
    def handler(due, now):
        Heartbeat.objects.bulk_create(Heartbeat(name=f"{t.subject_id}", at=now) for t in due)

    set_timers(spec(i) for i in range(2000))
    results = []
    threads = [in_thread(lambda: results.append(sweep(now=NOW, batch=50))) for _ in range(2)]
    for thread in threads:
        thread.join()
    assert sum(result.fired for result in results) == Heartbeat.objects.count() == 2000
    assert not any(result.failed for result in results)


@pytest.mark.django_db(transaction=True)
def test_a_sweep_that_dies_leaves_its_timers_due(fired):
    set_timers([spec(1)])
    with transaction.atomic():
        sweep(now=NOW)
        transaction.set_rollback(True)  # as when its process is killed before the commit
    assert sweep(now=NOW).fired == 1


@pytest.mark.django_db(transaction=True)
def test_a_lock_not_available_is_no_failure_of_the_timer():
    Heartbeat.objects.create(name="subject", at=NOW)

    @timers.on("warn")
    def handler(due, now):
        Heartbeat.objects.select_for_update(nowait=True).get(name="subject")

    set_timers([spec(1)])
    results = []
    with transaction.atomic():
        Heartbeat.objects.select_for_update().get(name="subject")
        in_thread(lambda: results.append(sweep(now=NOW))).join()
    assert results == [timers.SweepResult(fired=0, failed=0)]
    assert sweep(now=NOW).fired == 1
