"""What scores are made of: facts of single cases, their sums, and the dated formulas over them.

A fact says what one case contributed, for whom and on which day; it is replaced when the case
goes on, so that a late reopening corrects the past. Sums and facts are derived and can be made
again from the cases (services/scores.py); hence they carry ids without foreign keys. What the
marks add up to is written in incidents/scoring.py.
"""

from datetime import date
from enum import IntFlag, StrEnum
from typing import Any

import pgtrigger
from django.db import models
from django.db.models import F, Q, Value
from django.utils.translation import gettext_lazy as _

from incidents.models.incident import Incident


class Mark(IntFlag):
    """What is true of one fact. Stored as a number; never renumber."""

    SUSPENDED = 1 << 0
    CLOSED = 1 << 1
    IN_TIME = 1 << 2
    CHECKED = 1 << 3
    REWORK = 1 << 4
    EXTENDED = 1 << 5
    REPEATED = 1 << 6
    RATED = 1 << 7
    RESPONDED = 1 << 8
    SOLVED = 1 << 9
    SATISFIED = 1 << 10
    BASIC = 1 << 11
    VALID = 1 << 12
    RIGHT = 1 << 13
    CAME = 1 << 14
    NEEDED = 1 << 15
    ALONE = 1 << 16
    ANSWERED = 1 << 17
    UNSOLVED = 1 << 18
    OPINION = 1 << 19
    OVERRULED = 1 << 20


class FactKind(StrEnum):
    """What is judged by a fact."""

    CASE = "case"  # a case due to close
    REPORT = "report"  # what a person found and sent in
    MISS = "miss"  # what others found where a worker could have
    DISPATCH = "dispatch"  # the first time a case was given to somebody
    ATTEND = "attend"  # somebody looked on site
    CHECK = "check"  # a result was checked
    CALL = "call"  # a department called in by whistle
    BLOW = "blow"  # a whistle that has ended
    AI = "ai"  # a report the AI read, once it or a person decided


class Subject(StrEnum):
    """Whose sums are kept ready; all others are few enough to be added up from facts."""

    COUNTY = "county"
    TOWN = "town"
    DEPARTMENT = "department"
    DISPATCHER = "dispatcher"
    AI_ITEM = "ai_item"  # by category, whole months only
    AI_MODEL = "ai_model"  # by version of the model, 0 for none; whole months only


class ScoreFact(models.Model):
    """One contribution of a case: kind, day, places, department and person, and marks.

    ``n`` tells facts of one kind apart: the timeline row, the whistle or the called department.
    ``minutes`` is how long a called department took to come. ``category_id`` and
    ``model_version`` stand on facts of the AI only.
    """

    incident = models.ForeignKey(
        Incident, models.CASCADE, related_name="+", db_index=False, db_constraint=False
    )
    kind = models.CharField(max_length=8)
    n = models.BigIntegerField(default=0)
    day = models.DateField()
    county_id = models.BigIntegerField()
    town_id = models.BigIntegerField(null=True)
    village_id = models.BigIntegerField(null=True)
    grid_id = models.BigIntegerField(null=True)
    department_id = models.BigIntegerField(null=True)
    person_id = models.BigIntegerField(null=True)
    marks = models.IntegerField(default=0)
    minutes = models.IntegerField(default=0)
    category_id = models.BigIntegerField(null=True)
    model_version = models.IntegerField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["incident", "kind", "n"], name="score_fact_once"),
        ]
        indexes = [
            models.Index(fields=["county_id", "kind", "day", "id"], name="score_of_county"),
            models.Index(fields=["town_id", "kind", "day", "id"], name="score_of_town"),
            models.Index(fields=["village_id", "kind", "day", "id"], name="score_of_village"),
            models.Index(fields=["grid_id", "kind", "day", "id"], name="score_of_grid"),
            models.Index(
                fields=["department_id", "kind", "day", "id"],
                name="score_of_department",
                condition=Q(department_id__isnull=False),
            ),
            models.Index(
                fields=["person_id", "kind", "day", "id"],
                name="score_of_person",
                condition=Q(person_id__isnull=False),
            ),
            models.Index(
                fields=["category_id", "county_id", "day", "id"],
                name="score_of_ai_item",
                condition=Q(category_id__isnull=False),
            ),
            models.Index(
                fields=["model_version", "county_id", "day", "id"],
                name="score_of_ai_model",
                condition=Q(model_version__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.incident_id} {self.kind} {self.day}"


class ScoreSum(models.Model):
    """How many facts with the same marks one subject has on one day, or in one whole month.

    Of a month (``whole_month``) ``day`` is the first. Both are kept: a year is twelve months, and
    only the ends of a freely chosen period are read by days.
    """

    county_id = models.BigIntegerField()
    subject = models.CharField(max_length=10)
    whole_month = models.BooleanField()
    day = models.DateField()
    subject_id = models.BigIntegerField()
    kind = models.CharField(max_length=8)
    marks = models.IntegerField()
    n = models.BigIntegerField()
    minutes = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=[
                    "county_id", "subject", "whole_month", "day", "subject_id", "kind", "marks",
                ],
                name="score_sum_once",
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.subject} {self.subject_id} {self.day} {self.kind} {self.n}"


class CaseChange(models.Model):
    """A case that went on since its facts were last made; written by every step, drained by a job.

    The same case may stand here several times: nothing waits for anything to write a row.
    """

    incident = models.ForeignKey(
        Incident, models.CASCADE, related_name="+", db_index=False, db_constraint=False
    )

    def __str__(self) -> str:
        return str(self.incident_id)


def _hundred(name: str, first: str, *others: str) -> models.CheckConstraint:
    return models.CheckConstraint(
        name=name,
        condition=Q(**{first: Value(100) - sum((F(other) for other in others), Value(0))}),
        violation_error_message=_("The weights of one score add up to 100."),
    )


def _percent(label: Any, default: int) -> models.PositiveSmallIntegerField:
    return models.PositiveSmallIntegerField(label, default=default)


class ScoreFormula(models.Model):
    """The weights in percent that hold from a day on. Without a row the defaults hold.

    A formula that was in force is never changed; another weight is another version.
    """

    version = models.CharField(_("version"), max_length=20, unique=True, default="2026-1")
    valid_from = models.DateField(_("from"), unique=True, default=date(2020, 1, 1))
    basic = _percent(_("what “basically satisfied” counts"), 90)
    response = _percent(_("three rates: response"), 10)
    solved = _percent(_("three rates: solved"), 50)
    satisfied = _percent(_("three rates: satisfied"), 40)
    dispatch_count = _percent(_("dispatcher: count"), 20)
    dispatch_on_time = _percent(_("dispatcher: on time"), 40)
    dispatch_right = _percent(_("dispatcher: right first time"), 40)
    valid_reports = _percent(_("worker: valid reports"), 40)
    misses = _percent(_("worker: misses"), 20)
    attended = _percent(_("worker: verified in time"), 20)
    checked = _percent(_("worker: checked in time"), 20)
    note = models.CharField(_("source"), max_length=200, blank=True)

    class Meta:
        verbose_name = _("score formula")
        verbose_name_plural = _("score formulas")
        ordering = ["-valid_from"]
        constraints = [
            models.CheckConstraint(
                name="formula_basic_is_a_share", condition=Q(basic__gte=0, basic__lte=100)
            ),
            _hundred("formula_three_rates", "response", "solved", "satisfied"),
            _hundred("formula_dispatcher", "dispatch_count", "dispatch_on_time", "dispatch_right"),
            _hundred("formula_worker", "valid_reports", "misses", "attended", "checked"),
        ]
        triggers = [
            pgtrigger.Protect(name="formula_is_kept", operation=pgtrigger.Update | pgtrigger.Delete)
        ]

    def __str__(self) -> str:
        return self.version

    @classmethod
    def in_force(cls, day: date) -> "ScoreFormula":
        """Return the formula that holds on ``day``, the shipped one if the county has none."""
        return cls.objects.filter(valid_from__lte=day).order_by("-valid_from").first() or cls()
