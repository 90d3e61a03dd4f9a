"""Counting deadlines across the holidays and make-up days of 2026."""

from datetime import date, datetime, timedelta

import pytest
from chinese_calendar import constants as published
from hypothesis import given
from hypothesis import strategies as st

from core.errors import CalendarMissing
from core.models.calendar import default_work_hours
from core.working_calendar import CHINA, Unit, WorkingCalendar, seconds_of

HOUR, DAY = 3600, 86400
YEARS = (2025, 2026)
CALENDAR = WorkingCalendar(
    {year: default_work_hours() for year in YEARS},
    {d: "off" for d in published.holidays if d.year in YEARS}
    | {d: "work" for d in published.workdays if d.year in YEARS},
)
units = st.sampled_from(list(Unit))
moments = st.datetimes(datetime(2025, 1, 1), datetime(2026, 6, 30)).map(  # noqa: DTZ001
    lambda naive: naive.replace(tzinfo=CHINA)
)
spans = st.integers(0, 20 * DAY)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=CHINA)


@given(moments, spans, spans, units)
def test_adding_in_two_steps_is_adding_at_once(start, a, b, unit):
    whole = CALENDAR.add(start, a + b, unit)
    assert CALENDAR.add(CALENDAR.add(start, a, unit), b, unit) == whole


@given(moments, spans, units)
def test_what_was_added_has_elapsed(start, seconds, unit):
    assert CALENDAR.elapsed(start, CALENDAR.add(start, seconds, unit), unit) == seconds


@given(moments, moments, units)
def test_elapsed_backwards_is_negative(one, other, unit):
    assert CALENDAR.elapsed(one, other, unit) == -CALENDAR.elapsed(other, one, unit)


@pytest.mark.parametrize(
    ("day", "worked"),
    [
        ("2026-09-20", True),  # a Sunday made up for National Day
        ("2026-10-10", True),  # a Saturday made up for National Day
        ("2026-10-01", False),
        ("2026-10-07", False),
        ("2026-10-08", True),
        ("2026-10-11", False),
    ],
)
def test_national_day_2026(day, worked):
    assert CALENDAR.is_working_day(date.fromisoformat(day)) is worked


@pytest.mark.parametrize(
    ("start", "amount", "unit", "due"),
    [
        ("2026-09-30 10:00", 1, Unit.WORKING_DAYS, "2026-10-08 10:00"),
        ("2026-10-09 10:00", 1, Unit.WORKING_DAYS, "2026-10-10 10:00"),
        ("2026-10-10 10:00", 1, Unit.WORKING_DAYS, "2026-10-12 10:00"),
        ("2026-10-03 10:00", 1, Unit.WORKING_DAYS, "2026-10-09 00:00"),
        ("2026-09-30 17:00", 5, Unit.WORKING_HOURS, "2026-10-08 15:00"),
        ("2026-10-09 17:30", 1, Unit.WORKING_HOURS, "2026-10-10 09:00"),
        ("2026-09-30 10:00", 1, Unit.CALENDAR_DAYS, "2026-10-01 10:00"),
        ("2026-09-30 10:00", 36, Unit.CALENDAR_HOURS, "2026-10-01 22:00"),
        ("2026-09-30 11:59:59", 1, Unit.WORKING_HOURS, "2026-09-30 15:29:59"),
    ],
)
def test_deadlines_across_the_holiday(start, amount, unit, due):
    assert CALENDAR.add(at(start), seconds_of(amount, unit), unit) == at(due)


def test_the_clock_stands_still_over_lunch():
    assert CALENDAR.elapsed(at("2026-03-02 12:00"), at("2026-03-02 14:30"), "working_hours") == 0


def test_the_answer_keeps_the_time_zone_of_the_question():
    start = datetime.fromisoformat("2026-09-30T02:00:00+00:00")
    due = CALENDAR.add(start, DAY, Unit.WORKING_DAYS)
    assert due == at("2026-10-08 10:00")
    assert due.utcoffset() == timedelta(0)


@pytest.mark.parametrize("unit", [Unit.WORKING_DAYS, Unit.WORKING_HOURS])
def test_a_deadline_in_a_year_nobody_imported_fails_loudly(unit):
    with pytest.raises(CalendarMissing) as caught:
        CALENDAR.add(at("2026-12-28 09:00"), seconds_of(40, unit), unit)
    assert caught.value.year == 2027
    assert "2027" in str(caught.value)


def test_the_last_moment_of_the_year_needs_no_next_year():
    assert CALENDAR.add(at("2026-12-31 00:00"), DAY, "working_days") == at("2027-01-01 00:00")
    assert CALENDAR.elapsed(at("2026-12-31 00:00"), at("2027-01-01 00:00"), "working_days") == DAY


def test_a_missing_year_in_between_is_not_skipped():
    hours = default_work_hours()
    gap = WorkingCalendar({2025: hours, 2027: hours}, {})
    with pytest.raises(CalendarMissing) as caught:
        gap.add(at("2025-12-31 09:00"), 3 * DAY, Unit.WORKING_DAYS)
    assert caught.value.year == 2026


@pytest.mark.parametrize("unit", [Unit.CALENDAR_HOURS, Unit.CALENDAR_DAYS])
def test_calendar_units_need_no_data(unit):
    empty = WorkingCalendar({}, {})
    assert empty.add(at("2030-01-01 00:00"), DAY, unit) == at("2030-01-02 00:00")
    assert empty.elapsed(at("2030-01-01 00:00"), at("2030-01-02 00:00"), unit) == DAY


def test_no_year_at_all_names_the_year_needed():
    with pytest.raises(CalendarMissing) as caught:
        WorkingCalendar({}, {}).elapsed(
            at("2030-01-01 00:00"), at("2030-01-02 00:00"), "working_days"
        )
    assert caught.value.year == 2030
