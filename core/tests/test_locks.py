"""Locks by name."""

import psycopg
import pytest
from django.db import connection

from core.locks import Lock

pytestmark = pytest.mark.django_db


@pytest.fixture
def elsewhere():
    """Another session of the same database."""
    params = connection.get_connection_params()
    names = ("dbname", "user", "host", "port", "password")
    with psycopg.connect(**{name: params[name] for name in names if params.get(name)}) as other:
        yield other


def is_free(other, lock):
    found = other.execute("SELECT pg_try_advisory_xact_lock(%s)", [lock.number]).fetchone()[0]
    other.rollback()
    return found


def test_who_holds_a_lock_keeps_everybody_else_from_holding_it(elsewhere):
    lock = Lock("a test's own")
    assert is_free(elsewhere, lock)
    lock.hold()
    assert not is_free(elsewhere, lock)
    assert lock.try_hold()


def test_a_lock_that_is_shared_cannot_be_held_elsewhere(elsewhere):
    lock = Lock("a test's own, shared")
    lock.share()
    assert not is_free(elsewhere, lock)


def test_locks_of_two_names_do_not_stand_in_each_others_way(elsewhere):
    Lock("one").hold()
    assert is_free(elsewhere, Lock("two"))
