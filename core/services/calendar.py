"""Importing a year of the working calendar.

What lives here: reading and checking the State Council's yearly notice as data.
What must not: counting with it (core.working_calendar).
"""

import csv
from collections.abc import Iterable
from datetime import date
from typing import Any, Literal

from chinese_calendar import constants as published
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.errors import Invalid
from core.models import CalendarDay, CalendarYear
from core.models.calendar import check_work_hours
from core.services import audit
from core.working_calendar import WorkingCalendar

Row = tuple[date, str, str]  # date, "off" or "work", name
PACKAGE: Literal["chinesecalendar"] = "chinesecalendar"
HEADER = ["date", "kind", "name"]


def import_year(
    *, year: int, actor: Any = None, source: Literal["chinesecalendar"] | Iterable[Row] = PACKAGE
) -> CalendarYear:
    """Replace what is known about ``year``; work hours already set are kept.

    ``source`` is the chinesecalendar package or rows (date, "off"|"work", name); a row that
    says of a day what its weekday says already is not kept. Raises Invalid for a year the
    package does not hold, or for rows outside the year or given twice.
    """
    rows = published_rows(year) if source == PACKAGE else list(source)
    check_rows(rows, year)
    with transaction.atomic():
        calendar_year, _created = CalendarYear.objects.update_or_create(
            year=year,
            defaults={
                "source": PACKAGE if source == PACKAGE else "file",
                "imported_at": timezone.now(),
            },
        )
        calendar_year.days.all().delete()
        CalendarDay.objects.bulk_create(
            CalendarDay(date=day, year=calendar_year, kind=kind, name=name)
            for day, kind, name in rows
            if (day.weekday() < 5) == (kind == CalendarDay.Kind.OFF)
        )
        audit.record(
            actor=actor,
            action="calendar.import",
            subject_type="calendar_year",
            subject_id=year,
            data={"source": calendar_year.source, "days": len(rows)},
        )
        transaction.on_commit(WorkingCalendar.forget)
    WorkingCalendar.forget()
    return calendar_year


def set_work_hours(*, year: int, work_hours: list[list[str]], actor: Any) -> None:
    """Change the work hours of an imported year; deadlines already set keep their moments."""
    check_work_hours(work_hours)
    with transaction.atomic():
        CalendarYear.objects.filter(year=year).update(work_hours=work_hours)
        audit.record(
            actor=actor,
            action="calendar.work_hours",
            subject_type="calendar_year",
            subject_id=year,
            data={"work_hours": work_hours},
        )
        transaction.on_commit(WorkingCalendar.forget)


def read_rows(text: str) -> list[Row]:
    """Read CSV text with the columns date, kind and name.

    Raises Invalid whose ``errors`` name every bad line, as {"line 3": [reason, …]}.
    """
    reader = csv.reader(text.splitlines())
    header = [cell.strip().lower() for cell in next(reader, [])]
    if header != HEADER:
        raise Invalid(gettext_lazy("The first line must be: %(header)s"), header=",".join(HEADER))
    rows: list[Row] = []
    errors: dict[str, list[str]] = {}
    for cells in reader:
        if not any(cell.strip() for cell in cells):
            continue
        try:
            rows.append(_row(cells))
        except ValueError as error:
            errors[_("line %(number)s") % {"number": reader.line_num}] = [str(error)]
    if errors:
        raise Invalid(
            gettext_lazy("The calendar was not imported: some lines are wrong."), errors=errors
        )
    return rows


def published_rows(year: int) -> list[Row]:
    """Return what the chinesecalendar package holds of ``year``; raises Invalid for nothing."""
    # A bare look-up of the package's tables: its functions guess for years without data.
    off = [(day, "off", name) for day, name in published.holidays.items() if day.year == year]
    work = [(day, "work", name) for day, name in published.workdays.items() if day.year == year]
    if not off:
        raise Invalid(
            gettext_lazy(
                "The installed calendar package does not hold %(year)s. "
                "Update it, or import the notice from a CSV file."
            ),
            year=year,
        )
    return sorted(off + work)


def check_rows(rows: list[Row], year: int) -> None:
    """Raise Invalid, naming each day, unless the rows are distinct days of ``year``."""
    errors: dict[str, list[str]] = {}
    seen: set[date] = set()
    for day, _kind, _name in rows:
        if day.year != year:
            errors.setdefault(str(day), []).append(_("is not in %(year)s") % {"year": year})
        if day in seen:
            errors.setdefault(str(day), []).append(_("is given twice"))
        seen.add(day)
    if not rows:
        raise Invalid(gettext_lazy("The file holds no days."))
    if errors:
        raise Invalid(
            gettext_lazy("The calendar was not imported: some lines are wrong."), errors=errors
        )


def _row(cells: list[str]) -> Row:
    if len(cells) != len(HEADER):
        raise ValueError(_("three columns are needed"))
    day, kind, name = (cell.strip() for cell in cells)
    try:
        parsed = date.fromisoformat(day)
    except ValueError as error:
        raise ValueError(_("“%(value)s” is not a date like 2026-10-01") % {"value": day}) from error
    if kind not in CalendarDay.Kind.values:
        raise ValueError(_("kind must be off or work, not “%(value)s”") % {"value": kind})
    if len(name) > 50:
        raise ValueError(_("the name is longer than 50 characters"))
    return parsed, kind, name
