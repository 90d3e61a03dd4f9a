"""Rows written by one statement are what ``create`` and ``save`` would have written."""

from datetime import UTC, datetime

import pytest
from django.db import DataError

from core.family import insert_rows, update_rows
from core.models import OutboxMessage, Timer

pytestmark = pytest.mark.django_db
AT = datetime(2026, 9, 28, 9, 0, 0, 123456, tzinfo=UTC)
PAYLOAD = {"text": "“引号”与 \"quotes\", \\ 和 'single'", "n": [1, None, 2.5]}


def message(key, **more):
    return OutboxMessage(topic="sms", key=key, next_attempt_at=AT, **more)


def test_what_was_inserted_reads_as_it_was():
    insert_rows([message("a", payload=PAYLOAD, claimed_at=AT), message("b", urgent=True)])
    first, second = OutboxMessage.objects.order_by("key")
    assert (first.payload, first.claimed_at, first.urgent) == (PAYLOAD, AT, False)
    assert (second.payload, second.claimed_at, second.urgent) == ({}, None, True)
    assert first.next_attempt_at == AT
    assert first.state == OutboxMessage.State.QUEUED


def test_nothing_is_inserted_for_no_rows(django_assert_num_queries):
    with django_assert_num_queries(0):
        insert_rows([])


def test_a_text_that_is_too_long_is_refused_and_not_cut():
    with pytest.raises(DataError):
        insert_rows([message("k" * 201)])


def test_only_the_named_columns_of_the_rows_are_written():
    timers = [
        Timer.objects.create(subject_type="t", subject_id=n, kind="k", due_at=AT) for n in range(3)
    ]
    for n, timer in enumerate(timers[:2]):
        timer.fired_at, timer.last_error, timer.kind = (AT if n else None), f"e{n}", "not written"
    fields = tuple(
        field for field in Timer._meta.concrete_fields if field.name in {"fired_at", "last_error"}
    )
    update_rows(timers[:2], fields)
    rows = Timer.objects.order_by("subject_id").values_list("fired_at", "last_error", "kind")
    assert list(rows) == [(None, "e0", "k"), (AT, "e1", "k"), (None, "", "k")]
