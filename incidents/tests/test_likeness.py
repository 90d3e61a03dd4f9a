"""How like two reports are: a readable table, and what holds for any two of them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.text import bigrams
from incidents import likeness
from incidents.likeness import LIKELY, Matter

NOON = datetime(2026, 5, 6, 4, tzinfo=UTC)
LAMP, ROAD, WATER = 1, 2, 3
VILLAGE, OTHER_VILLAGE = 10, 11
# A degree of latitude is about 111 km.
METRE = 1 / likeness.METRES_PER_DEGREE


def said(text, *, item=None, metres=None, days=0, village=VILLAGE, grid=100, address=""):
    """A report; ``metres`` north of the village's shop, None without a point."""
    return Matter(
        words=frozenset(bigrams(f"{text} {address}")),
        at=NOON + timedelta(days=days),
        category_id=item,
        village_id=village,
        grid_id=grid,
        address=address,
        lon=None if metres is None else 115.2,
        lat=None if metres is None else 33.6 + metres * METRE,
    )


TABLE = [
    # what was reported, what is being written, whether it is likely one matter
    ("in other words, at the same place",
     said("村口垃圾堆了三天没人清", item=ROAD, metres=0),
     said("村口的垃圾堆成山了", metres=20), True),
    ("the same item close by a day later",
     said("卫生室门前路灯不亮", item=LAMP, metres=0),
     said("路灯坏了，晚上看不见", item=LAMP, metres=60, days=1), True),
    ("the same words without a point, in the same grid",
     said("自来水停了两天", item=WATER), said("自来水停水两天了", item=WATER), True),
    ("another matter at the same place",
     said("村口垃圾堆了三天没人清", item=ROAD, metres=0),
     said("自来水停水两天没人管", item=WATER, metres=0), False),
    ("the same words at the other end of the village",
     said("路灯不亮", item=LAMP, metres=0), said("路灯不亮", item=LAMP, metres=790), False),
    ("the same words in another village",
     said("路灯不亮", item=LAMP),
     said("路灯不亮", item=LAMP, village=OTHER_VILLAGE, grid=200), False),
    ("the same words two months later",
     said("路灯不亮", item=LAMP, metres=0), said("路灯不亮", item=LAMP, metres=0, days=59), False),
    ("words that stand in every report, and nothing else in common",
     said("希望领导尽快解决这个问题，井盖丢了", metres=0),
     said("希望领导尽快解决这个问题，施工噪声太大", metres=0), False),
]  # fmt: skip


@pytest.mark.parametrize(("_why", "one", "other", "likely"), TABLE, ids=[row[0] for row in TABLE])
def test_what_counts_as_one_matter(_why, one, other, likely):
    assert (likeness.likeness(one, other) >= LIKELY) is likely


# Drawing texts is slow on a busy machine, which says nothing about what is drawn.
patient = settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=60)
texts = st.text(alphabet="路灯不亮垃圾没人清村口水管漏了三天12ab ", min_size=0, max_size=30)
reports = st.builds(
    said,
    texts,
    item=st.sampled_from([None, LAMP, ROAD]),
    metres=st.one_of(st.none(), st.integers(-2000, 2000)),
    days=st.integers(-90, 90),
    village=st.sampled_from([None, VILLAGE, OTHER_VILLAGE]),
    grid=st.sampled_from([None, 100, 200]),
    address=st.sampled_from(["", "小学门口"]),
)


@patient
@given(reports, reports)
def test_it_is_the_same_from_both_sides_and_a_share(one, other):
    assert 0 <= likeness.likeness(one, other) <= 1
    assert likeness.likeness(one, other) == pytest.approx(likeness.likeness(other, one))


@patient
@given(reports)
def test_a_report_is_as_like_itself_as_can_be(one):
    assert likeness.likeness(one, one) == 1


@patient
@given(reports, st.integers(800, 100_000))
def test_what_is_far_away_is_not_alike_at_all(one, metres):
    here = replace(one, lon=115.2, lat=33.6)
    there = replace(here, lat=33.6 + (metres + 1) * METRE)
    assert likeness.likeness(here, there) == 0


@patient
@given(reports, st.integers(0, 700), st.integers(1, 90))
def test_farther_and_later_is_never_more_alike(one, metres, days):
    here = replace(one, lon=115.2, lat=33.6)
    near = replace(here, lat=33.6 + metres * METRE)
    farther = replace(near, lat=near.lat + 50 * METRE)
    later = replace(near, at=near.at + timedelta(days=days))
    assert likeness.likeness(here, farther) <= likeness.likeness(here, near)
    assert likeness.likeness(here, later) <= likeness.likeness(here, near)
