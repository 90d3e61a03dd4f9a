"""Counting time in the four units of a deadline.

What lives here: the units, and arithmetic on clocks that only run at certain times.
What must not: what a deadline is for. Importing years is core.services.calendar.

A calendar clock always runs. A working-day clock runs during the 24 civil hours of each
working day, a working-hour clock during its work hours; both in China Standard Time, with the
holidays and make-up days of the State Council's yearly notice.
"""

import time
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from datetime import time as clock_time
from decimal import Decimal
from typing import ClassVar
from zoneinfo import ZoneInfo

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from core.errors import CalendarMissing
from core.models import CalendarDay, CalendarYear

CHINA = ZoneInfo("Asia/Shanghai")
CACHE_SECONDS = 30
_EPOCH = datetime(2000, 1, 1, tzinfo=CHINA)
_MICROSECOND = timedelta(microseconds=1)
_SECOND = 1_000_000


class Unit(TextChoices):
    CALENDAR_HOURS = "calendar_hours", _("hours")
    CALENDAR_DAYS = "calendar_days", _("days")
    WORKING_DAYS = "working_days", _("working days")
    WORKING_HOURS = "working_hours", _("working hours")


_SECONDS = {
    Unit.CALENDAR_HOURS: 3600,
    Unit.CALENDAR_DAYS: 86400,
    Unit.WORKING_DAYS: 86400,
    Unit.WORKING_HOURS: 3600,
}
_ALWAYS_RUNNING = {Unit.CALENDAR_HOURS, Unit.CALENDAR_DAYS}


def seconds_of(amount: int | float | Decimal, unit: str) -> int:
    """Return how many running seconds ``amount`` of ``unit`` is (a working day is 24 hours)."""
    return round(amount * _SECONDS[Unit(unit)])


class WorkingCalendar:
    """The known years, ready for arithmetic. Get one from ``load()``; it never changes."""

    _loaded: ClassVar["WorkingCalendar | None"] = None
    _loaded_at: ClassVar[float] = 0.0

    def __init__(
        self, years: Mapping[int, list[list[str]]], exceptions: Mapping[date, str]
    ) -> None:
        """``years`` is {year: work hours}, ``exceptions`` is {date: "off" or "work"}."""
        self._years = set(years)
        self._working = {
            day: years[day.year]
            for year in sorted(years)
            for day in _days_of(year)
            if _works(day, exceptions.get(day))
        }
        self._tracks = {
            Unit.WORKING_DAYS: _Track((_midnight(d), _midnight(d, 1)) for d in self._working),
            Unit.WORKING_HOURS: _Track(
                (_at(d, start), _at(d, end))
                for d, hours in self._working.items()
                for start, end in hours
            ),
        }

    @classmethod
    def load(cls) -> "WorkingCalendar":
        """Return the calendar of every imported year, at most 30 s old in this process."""
        now = time.monotonic()
        calendar = cls._loaded
        if calendar is None or now - cls._loaded_at > CACHE_SECONDS:
            calendar = cls(
                dict(CalendarYear.objects.values_list("year", "work_hours")),
                dict(CalendarDay.objects.values_list("date", "kind")),
            )
            cls._loaded, cls._loaded_at = calendar, now
        return calendar

    @classmethod
    def forget(cls) -> None:
        """Make the next ``load()`` in this process read the database."""
        cls._loaded = None

    def is_working_day(self, day: date) -> bool:
        """Return whether ``day`` is worked; raises CalendarMissing for an unknown year."""
        self._need(day.year, day.year)
        return day in self._working

    def add(self, start: datetime, seconds: int, unit: str) -> datetime:
        """Return the first moment at which a clock started at ``start`` shows ``seconds``.

        ``start`` is aware and its time zone is kept. Raises CalendarMissing when a working
        unit needs a year nobody has imported.
        """
        if seconds < 0:
            raise ValueError("a clock does not run backwards")
        if seconds == 0 or Unit(unit) in _ALWAYS_RUNNING:
            return start + timedelta(seconds=seconds)
        first = start.astimezone(CHINA).year
        self._need(first, first)
        track = self._tracks[Unit(unit)]
        end = track.moment(track.shown(_micros(start)) + seconds * _SECOND)
        if end is None:
            raise CalendarMissing(self._first_missing_from(first))
        self._need(first, _year_before(end))
        return (_EPOCH + end * _MICROSECOND).astimezone(start.tzinfo)

    def elapsed(self, start: datetime, end: datetime, unit: str) -> int:
        """Return the whole seconds the clock ran from ``start`` to ``end``; negative backwards."""
        if end < start:
            return -self.elapsed(end, start, unit)
        if Unit(unit) in _ALWAYS_RUNNING:
            return (end - start) // timedelta(seconds=1)
        if start == end:
            return 0
        self._need(start.astimezone(CHINA).year, _year_before(_micros(end)))
        track = self._tracks[Unit(unit)]
        return (track.shown(_micros(end)) - track.shown(_micros(start))) // _SECOND

    def _need(self, first: int, last: int) -> None:
        for year in range(first, last + 1):
            if year not in self._years:
                raise CalendarMissing(year)

    def _first_missing_from(self, year: int) -> int:
        while year in self._years:
            year += 1
        return year


class _Track:
    """The stretches during which a clock runs, in order, in microseconds since _EPOCH."""

    def __init__(self, stretches: Iterable[tuple[int, int]]) -> None:
        self.starts: list[int] = []
        self.ends: list[int] = []
        self.shown_at_end: list[int] = []
        total = 0
        for start, end in stretches:
            total += end - start
            self.starts.append(start)
            self.ends.append(end)
            self.shown_at_end.append(total)

    def shown(self, moment: int) -> int:
        """Return what a clock that never stopped being watched shows at ``moment``."""
        i = bisect_right(self.starts, moment) - 1
        if i < 0:
            return 0
        return self.shown_at_end[i] - max(0, self.ends[i] - moment)

    def moment(self, shown: int) -> int | None:
        """Return the first moment at which the clock shows ``shown`` > 0; None past the data."""
        i = bisect_left(self.shown_at_end, shown)
        if i == len(self.ends):
            return None
        return self.ends[i] - (self.shown_at_end[i] - shown)


def _days_of(year: int) -> Iterable[date]:
    first = date(year, 1, 1)
    return (first + timedelta(days=n) for n in range((date(year + 1, 1, 1) - first).days))


def _works(day: date, kind: str | None) -> bool:
    return kind == CalendarDay.Kind.WORK or (kind is None and day.weekday() < 5)


def _midnight(day: date, days_later: int = 0) -> int:
    return _micros(datetime.combine(day + timedelta(days=days_later), clock_time(), CHINA))


def _at(day: date, clock: str) -> int:
    return _micros(datetime.combine(day, clock_time.fromisoformat(clock), CHINA))


def _micros(moment: datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND


def _year_before(micros: int) -> int:
    """Return the year a clock was still running in just before ``micros``."""
    return (_EPOCH + (micros - 1) * _MICROSECOND).year
