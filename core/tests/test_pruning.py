"""What background work has done with goes after its time; what is still needed stays."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from core.models import OutboxMessage, Timer
from core.services import outbox, pruning, timers
from core.services.outbox import Message, deliver_due, post
from core.services.pruning import MESSAGES_KEPT, TIMERS_KEPT, prune_messages, prune_timers
from core.services.timers import TimerSpec, set_timers
from core.tasks import prune

State = OutboxMessage.State
NOW = datetime(2026, 11, 20, 3, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def open_things(monkeypatch):
    """Ids of the things that have not ended; the registries are the test's own."""
    open_ids: set[int] = set()
    monkeypatch.setattr(pruning, "_open", {})
    monkeypatch.setattr(outbox, "_topics", {})
    monkeypatch.setattr(timers, "_handlers", {})
    pruning.register("thing", lambda ids: open_ids & set(ids))
    return open_ids


def spec(subject_id: int, **more) -> TimerSpec:
    given = {"subject_type": "thing", "kind": "warn", "due_at": NOW}
    return TimerSpec(subject_id=subject_id, **(given | more))


def fired(*ids: int, days: float = 31, **more) -> None:
    """Have timers of these things that fired so many days ago."""
    set_timers(spec(pk, **more) for pk in ids)
    moment = NOW - timedelta(days=days)
    mine = Timer.objects.filter(subject_id__in=ids)
    mine.update(fired_at=moment, created_at=moment - DAY)


def delivered(*keys: str, days: float = 91, state: str = State.DELIVERED) -> None:
    """Have messages that were delivered, or came into another state, so many days ago."""
    post(Message("sms", key) for key in keys)
    moment = NOW - timedelta(days=days)
    OutboxMessage.objects.filter(key__in=keys).update(
        state=state,
        delivered_at=moment if state == State.DELIVERED else None,
        claimed_at=moment,
        created_at=moment - DAY,
    )


def things() -> list[int]:
    return sorted(Timer.objects.values_list("subject_id", flat=True))


def keys() -> list[str]:
    return sorted(OutboxMessage.objects.values_list("key", flat=True))


@pytest.mark.django_db
class TestTimers:
    def test_those_of_things_that_ended_go_thirty_days_after_they_fired(self):
        fired(1, days=30.1)
        fired(2, days=29.9)
        assert prune_timers(now=NOW) == 1
        assert things() == [2]

    def test_those_of_open_things_stay_however_old(self, open_things):
        open_things.add(1)
        fired(1, 2, days=900)
        assert prune_timers(now=NOW) == 1
        assert things() == [1]

    def test_those_that_never_fired_stay(self):
        set_timers([spec(1), spec(2)])
        Timer.objects.update(created_at=NOW - 900 * DAY, due_at=NOW - 900 * DAY)
        Timer.objects.filter(subject_id=2).update(failures=9, last_error="E: x")
        assert prune_timers(now=NOW) == 0
        assert things() == [1, 2]

    def test_those_nobody_answers_for_stay(self):
        fired(1, subject_type="other", days=900)
        assert prune_timers(now=NOW) == 0

    def test_a_timer_that_fired_is_not_set_again_while_it_is_kept(self):
        fired(1, days=29)
        prune_timers(now=NOW)
        set_timers([spec(1)])
        assert Timer.objects.get().fired_at is not None

    def test_many_go_piece_by_piece_and_a_run_ends_at_the_number_asked_for(self, open_things):
        open_things.update({3, 4})
        fired(*range(10))
        assert prune_timers(now=NOW, batch=3, at_most=4) == 4
        assert prune_timers(now=NOW, batch=3) == 4
        assert things() == [3, 4]
        assert prune_timers(now=NOW, batch=3) == 0

    def test_a_run_looks_no_further_than_what_is_old_enough(self, django_assert_num_queries):
        fired(*range(6))
        fired(*range(6, 30), days=1)
        # A piece is looked at, read and deleted in its transaction; the next one is young.
        with django_assert_num_queries(1 + 2 + 2 + 1):
            assert prune_timers(now=NOW, batch=6) == 6


@pytest.mark.django_db
class TestMessages:
    def test_those_delivered_go_after_ninety_days(self):
        delivered("old", days=90.1)
        delivered("new", days=89.9)
        assert prune_messages(now=NOW) == 1
        assert keys() == ["new"]

    def test_whatever_was_not_delivered_stays_however_old(self):
        for state in set(State) - {State.DELIVERED}:
            delivered(state, days=900, state=state)
        assert prune_messages(now=NOW) == 0
        assert len(keys()) == 5

    def test_one_delivered_late_is_kept_from_its_delivery_on(self):
        delivered("late", days=10)
        OutboxMessage.objects.update(created_at=NOW - 200 * DAY)
        assert prune_messages(now=NOW) == 0

    def test_within_its_time_a_key_still_refuses_a_second_delivery(self):
        sent: list[str] = []
        outbox.register("sms", lambda messages: sent.extend(one.key for one in messages))
        post([Message("sms", "k")])
        deliver_due()
        later = timezone.now() + MESSAGES_KEPT - DAY
        assert prune_messages(now=later) == 0
        post([Message("sms", "k")])
        assert deliver_due(now=later) == 0
        assert sent == ["k"]


@pytest.mark.django_db
def test_the_nightly_task_prunes_both(time_machine):
    fired(1)
    delivered("k")
    time_machine.move_to(NOW)
    prune()
    assert not Timer.objects.exists()
    assert not OutboxMessage.objects.exists()


@pytest.mark.django_db
def test_what_a_killed_run_had_done_is_done_and_the_next_does_the_rest(monkeypatch):
    fired(*range(9))
    asked = []

    def die(ids):
        asked.append(ids)
        if len(asked) == 2:
            raise SystemExit
        return ()

    pruning.register("thing", die)
    with pytest.raises(SystemExit):
        prune_timers(now=NOW, batch=3)
    assert things() == list(range(3, 9))
    assert prune_timers(now=NOW, batch=3) == 6


@pytest.mark.django_db(transaction=True)
def test_two_runs_at_once_delete_each_row_once_and_wait_for_nobody():
    delivered(*(f"k{n}" for n in range(40)))
    fired(*range(40))
    found: list[int] = []

    def run() -> None:
        found.append(prune_timers(now=NOW, batch=7) + prune_messages(now=NOW, batch=7))
        connection.close()

    with transaction.atomic():
        # Somebody holds two rows: they are left to the next night.
        list(Timer.objects.select_for_update().filter(subject_id=3))
        list(OutboxMessage.objects.select_for_update().filter(key="k9"))
        threads = [threading.Thread(target=run) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sum(found) == 78
    assert (things(), keys()) == ([3], ["k9"])


def test_as_much_of_the_past_is_kept_as_the_pages_promise():
    assert (TIMERS_KEPT.days, MESSAGES_KEPT.days) == (30, 90)
