"""Keyset pages walk every row once, in both directions."""

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest

from core.errors import Invalid
from core.models import Timer
from core.paging import keyset_page

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 2, 9, 0, 0, 123456, tzinfo=UTC)
ORDERS = [("-id",), ("id",), ("due_at", "id"), ("-due_at", "-id"), ("stage", "-due_at", "id")]


@pytest.fixture(autouse=True)
def _rows():
    Timer.objects.bulk_create(
        Timer(
            subject_type="thing",
            subject_id=i,
            kind="warn",
            stage=("accept", "路段", "")[i % 3] or "x",
            due_at=NOW + timedelta(microseconds=i // 4),
        )
        for i in range(23)
    )


def walk(querysets, order, size=5):
    """Return the pages from the first to the last, and again back to the first."""
    pages = [keyset_page(querysets, order=order, size=size)]
    while pages[-1].next:
        pages.append(keyset_page(querysets, order=order, size=size, cursor=pages[-1].next))
    back = [pages[-1]]
    while back[0].previous:
        back.insert(0, keyset_page(querysets, order=order, size=size, cursor=back[0].previous))
    return pages, back


@pytest.mark.parametrize("order", ORDERS)
def test_forward_and_back_show_every_row_once(order):
    pages, back = walk(Timer.objects.all(), order)
    assert [t for page in pages for t in page.items] == list(Timer.objects.order_by(*order))
    assert [p.items for p in back] == [p.items for p in pages]
    assert pages[0].previous is None


@pytest.mark.parametrize("order", ORDERS)
def test_branches_are_merged_without_doubles(order):
    branches = [
        Timer.objects.filter(stage="accept"),
        Timer.objects.filter(stage="路段"),
        Timer.objects.filter(subject_id__lt=5),
    ]
    pages, back = walk(branches, order, size=3)
    expected = [t for t in Timer.objects.order_by(*order) if t.stage != "x" or t.subject_id < 5]
    assert [t for page in pages for t in page.items] == expected
    assert [p.items for p in back] == [p.items for p in pages]


def test_a_page_is_one_query_and_counts_nothing(django_assert_num_queries):
    with django_assert_num_queries(1):
        keyset_page(Timer.objects.all(), order=("-id",), size=5)


def test_nothing_at_all_is_one_empty_page():
    for querysets in (Timer.objects.none(), []):
        page = keyset_page(querysets, order=("-id",))
        assert (page.items, page.next, page.previous) == ([], None, None)


def test_an_exact_fit_has_no_next_page():
    assert keyset_page(Timer.objects.all(), order=("-id",), size=23).next is None


def cursor_of(value) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode()


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "路灯",
        "%%%",
        cursor_of(1),
        cursor_of([]),
        cursor_of(["n"]),
        cursor_of(["z", "2026-03-02T09:00:00+00:00", "1"]),
        cursor_of(["n", "yesterday", "1"]),
        cursor_of(["n", "2026-03-02T09:00:00+00:00", "1; DROP TABLE"]),
        cursor_of(["n", {"a": 1}, "1"]),
        cursor_of(["n", "2026-03-02T09:00:00+00:00", "1\x00"]),
        cursor_of({"n": 1}),
        "W" * 5000,
    ],
)
def test_a_cursor_that_is_not_ours_is_refused(cursor):
    with pytest.raises(Invalid):
        keyset_page(Timer.objects.all(), order=("due_at", "id"), cursor=cursor)


def test_a_number_beyond_the_column_is_only_an_empty_page():
    cursor = cursor_of(["n", "9" * 30])
    assert keyset_page(Timer.objects.all(), order=("id",), cursor=cursor).items == []
