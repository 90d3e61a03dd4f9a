"""A lookup by an array finds what a list of values finds, by one statement for any number."""

import pytest
from django.utils import timezone

from core.models import Heartbeat

pytestmark = pytest.mark.django_db


@pytest.fixture
def beats():
    return [Heartbeat.objects.create(name=name, at=timezone.now()) for name in ("a", "b", "c'")]


@pytest.mark.parametrize("names", [[], ["a"], ["a", "c'", "z"], {"b"}])
def test_finds_what_a_list_finds(beats, names):
    found = Heartbeat.objects.filter(name__any_of=names)
    assert set(found) == set(Heartbeat.objects.filter(name__in=names))


def test_leaves_out_what_a_list_leaves_out(beats):
    assert list(Heartbeat.objects.exclude(pk__any_of=["a", "b"])) == [beats[2]]


def test_is_the_same_statement_for_any_number(beats, django_assert_num_queries):
    with django_assert_num_queries(2) as asked:
        list(Heartbeat.objects.filter(pk__any_of=["a"]))
        list(Heartbeat.objects.filter(pk__any_of=["a", "b", "c'"]))
    shapes = {query["sql"].partition("ANY")[0] for query in asked.captured_queries}
    assert len(shapes) == 1
