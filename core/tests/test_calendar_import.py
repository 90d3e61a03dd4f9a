"""Importing a year of holidays, and knowing which year is missing."""

from datetime import UTC, date, datetime

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command

from core.errors import CalendarMissing, Invalid
from core.models import AuditEntry, CalendarDay, CalendarYear
from core.models.calendar import check_work_hours
from core.queries import missing_calendar_years
from core.services.calendar import import_year, set_work_hours
from core.working_calendar import WorkingCalendar

pytestmark = pytest.mark.django_db


def test_the_published_year_keeps_only_exceptions_to_monday_to_friday():
    import_year(year=2026)
    days = dict(CalendarDay.objects.values_list("date", "kind"))
    assert days[date(2026, 10, 1)] == "off"
    assert days[date(2026, 10, 10)] == "work"
    assert date(2026, 10, 3) not in days  # a Saturday is off anyway
    assert AuditEntry.objects.filter(action="calendar.import", subject_id=2026).exists()


def test_importing_again_replaces_the_days_and_keeps_the_work_hours():
    import_year(year=2026)
    set_work_hours(year=2026, work_hours=[["09:00", "17:00"]], actor=None)
    import_year(year=2026, source=[(date(2026, 6, 1), "off", "Village day")])
    assert CalendarDay.objects.get().name == "Village day"
    assert CalendarYear.objects.get().work_hours == [["09:00", "17:00"]]


def test_an_import_is_counted_with_at_once():
    with pytest.raises(CalendarMissing):
        WorkingCalendar.load().is_working_day(date(2026, 10, 1))
    import_year(year=2026)
    assert not WorkingCalendar.load().is_working_day(date(2026, 10, 1))


def test_a_second_load_asks_the_database_nothing(django_assert_num_queries):
    WorkingCalendar.forget()
    with django_assert_num_queries(2):
        WorkingCalendar.load()
        WorkingCalendar.load()


def test_a_year_the_package_does_not_hold_is_refused():
    with pytest.raises(Invalid, match="2099"):
        import_year(year=2099)
    assert not CalendarYear.objects.exists()


def test_a_csv_file_is_imported(tmp_path):
    file = tmp_path / "year.csv"
    file.write_text("\ufeffdate,kind,name\n2027-10-01,off,国庆节\n2027-10-09,work,\n", "utf-8")
    call_command("import_calendar", 2027, file=file)
    assert CalendarYear.objects.get().source == "file"
    assert CalendarDay.objects.count() == 2


def test_a_csv_file_as_a_chinese_spreadsheet_saves_it_is_imported(tmp_path):
    file = tmp_path / "year.csv"
    file.write_bytes("date,kind,name\r\n2027-10-01,off,国庆节\r\n".encode("gb18030"))
    call_command("import_calendar", 2027, file=file)
    assert CalendarDay.objects.get().name == "国庆节"


def test_a_bad_csv_file_is_refused_whole_and_every_bad_line_is_named(tmp_path):
    file = tmp_path / "year.csv"
    file.write_text("date,kind,name\n2027-10-01,off,x\n2027-13-01,off,x\n\n2027-10-02,half,x\n1\n")
    with pytest.raises(CommandError) as caught:
        call_command("import_calendar", 2027, file=file)
    message = str(caught.value)
    assert "3" in message
    assert "2027-13-01" in message
    assert "half" in message
    assert "6" in message
    assert not CalendarYear.objects.exists()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "day,kind\n",
        "date,kind,name\n",
        "date,kind,name\n2026-10-01,off,x\n",
        "date,kind,name\n2027-10-01,off,x\n2027-10-01,work,x\n",
    ],
    ids=["empty", "header", "no days", "other year", "twice"],
)
def test_a_csv_file_that_is_not_the_year_is_refused(tmp_path, text):
    file = tmp_path / "year.csv"
    file.write_text(text)
    with pytest.raises(CommandError):
        call_command("import_calendar", 2027, file=file)
    assert not CalendarYear.objects.exists()


@pytest.mark.parametrize(
    "raw",
    [b"date,kind,name\n2027-10-01,off,\xff\xff\n", b"date,kind,name\n2027-10-01,off,\0\n", None],
)
def test_a_file_that_cannot_be_read_is_a_clear_error(tmp_path, raw):
    file = tmp_path / "year.csv"
    if raw:
        file.write_bytes(raw)
    with pytest.raises(CommandError, match=r"year\.csv"):
        call_command("import_calendar", 2027, file=file)


@pytest.mark.parametrize(
    "hours",
    [
        [],
        [["9"]],
        [["12:00", "08:30"]],
        [["08:00", "12:00"], ["11:00", "18:00"]],
        "x",
        3,
        [["08:30+08:00", "12:00"]],
    ],
)
def test_impossible_work_hours_are_refused(hours):
    with pytest.raises(ValidationError):
        check_work_hours(hours)


def test_the_next_year_is_missed_from_november_on():
    import_year(year=2026)
    assert missing_calendar_years(datetime(2026, 10, 31, 15, tzinfo=UTC)) == []
    assert missing_calendar_years(datetime(2026, 10, 31, 16, tzinfo=UTC)) == [2027]
    assert missing_calendar_years(datetime(2028, 12, 1, tzinfo=UTC)) == [2028, 2029]
