"""Statements of every request are planned once for a connection, whatever their values."""

import pytest
from django.db import IntegrityError, connection

from core import prepared

pytestmark = pytest.mark.django_db
STATEMENT = "SELECT %s + 1 AS kept_plan"


def ask(value):
    with prepared.cursor() as cursor:
        cursor.execute(STATEMENT, [value])
        return cursor.fetchone()[0]


def test_numbers_of_any_size_share_one_plan():
    for value in (1, 40_000, 3_000_000_000) * 3:
        assert ask(value) == value + 1
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%% AS kept_plan'"
        )
        assert cursor.fetchone() == (1,)


def test_its_statements_are_counted_like_all_others(django_assert_num_queries):
    with django_assert_num_queries(1):
        ask(1)


def test_its_errors_are_djangos():
    with pytest.raises(IntegrityError), prepared.cursor() as cursor:
        cursor.execute("INSERT INTO core_heartbeat (name) VALUES (%s)", [None])


def kept_plans():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%%by_hand%%'"
        )
        return cursor.fetchone()[0]


def test_a_block_planned_by_value_keeps_no_plan_and_gives_the_habit_back():
    for _time in range(5):
        with prepared.planned_by_value(), connection.cursor() as cursor:
            cursor.execute("SELECT 1 AS by_hand WHERE 1 = %s", [1])
    assert kept_plans() == 0
    for _time in range(5):
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 AS by_hand WHERE 1 = %s", [1])
    assert kept_plans() == 1
