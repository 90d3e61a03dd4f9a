"""The working calendar as data; counting with it is core.working_calendar."""

from datetime import time
from itertools import pairwise
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _


def default_work_hours() -> list[list[str]]:
    """Return the office hours a new year starts with, as [["HH:MM", "HH:MM"], …]."""
    return [["08:30", "12:00"], ["14:30", "18:00"]]


def check_work_hours(value: Any) -> None:
    """Accept only pairs of clock times that follow one another without overlap."""
    try:
        clock = [time.fromisoformat(t) for start, end in value for t in (start, end)]
        in_order = all(a < b for a, b in pairwise(clock))
    except (TypeError, ValueError) as error:
        raise ValidationError(
            _('Write work hours as [["08:30", "12:00"], ["14:30", "18:00"]].')
        ) from error
    if not clock or not in_order:
        raise ValidationError(_("Work hours must follow one another without overlap."))


class CalendarYear(models.Model):
    """A year whose holidays and make-up days are known (the State Council's yearly notice)."""

    year = models.IntegerField(_("year"), primary_key=True)
    source = models.CharField(_("source"), max_length=100)
    work_hours = models.JSONField(
        _("work hours"), default=default_work_hours, validators=[check_work_hours]
    )
    imported_at = models.DateTimeField(_("imported at"))

    class Meta:
        verbose_name = _("calendar year")
        verbose_name_plural = _("calendar years")

    def __str__(self) -> str:
        return str(self.year)


class CalendarDay(models.Model):
    """An exception to Monday–Friday: a weekday off, or a weekend day worked."""

    class Kind(models.TextChoices):
        OFF = "off", _("Day off")
        WORK = "work", _("Make-up working day")

    date = models.DateField(_("date"), primary_key=True)
    year = models.ForeignKey(
        CalendarYear, verbose_name=_("year"), on_delete=models.CASCADE, related_name="days"
    )
    kind = models.CharField(_("kind"), max_length=4, choices=Kind)
    name = models.CharField(_("name"), max_length=50, blank=True, default="")

    class Meta:
        verbose_name = _("calendar day")
        verbose_name_plural = _("calendar days")
        constraints = [
            models.CheckConstraint(
                condition=models.Q(date__year=models.F("year")), name="calendar_day_in_its_year"
            ),
            models.CheckConstraint(
                condition=models.Q(kind__in=["off", "work"]), name="calendar_day_kind_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.date} {self.get_kind_display()}"
