"""Routing rules: ordered data, first match wins; and every table of them that was in force.

What must not live here: what a rule does to a case (services/routing.py) and how the table
changes (services/rule_table.py).
"""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from grids.models import Area, Department, User
from incidents.models.catalogue import Category, Tier
from incidents.models.incident import Source


class OwnerKind(models.TextChoices):
    """Whom a rule sends a case to."""

    CATEGORY_OWNER = "category_owner", _("The category's department")
    DEPARTMENT = "department", _("A named department")
    GRID = "grid", _("The grid")
    VILLAGE = "village", _("The village or community")
    TOWN = "town", _("The town")
    PERSON = "person", _("A dispatcher decides")


class RoutingRule(models.Model):
    """One line of the routing table. An empty condition matches everything.

    ``weekdays`` holds ISO weekday digits, e.g. ``"67"``; ``from_time``/``to_time``
    is a local time span that may cross midnight; of ``words`` one must stand in the text.
    ``version`` counts what the rule said over time. ``examples`` are its own tests, each
    {"text", "category": id, "area": id, "time": "HH:MM", "target"}; None or "" is what the rule
    itself says, the target is "department:<id>", "grid", "village", "town" or "person".
    """

    position = models.PositiveIntegerField(_("position"), unique=True)
    name = models.CharField(_("name"), max_length=100)
    version = models.PositiveIntegerField(_("version"), default=1)
    active = models.BooleanField(_("active"), default=True)
    valid_from = models.DateField(_("from"), null=True, blank=True)
    valid_to = models.DateField(_("until"), null=True, blank=True)
    category = models.ForeignKey(
        Category,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="rules",
        verbose_name=_("category"),
    )
    major = models.CharField(_("major class"), max_length=60, blank=True)
    area = models.ForeignKey(
        Area, models.CASCADE, null=True, blank=True, related_name="+", verbose_name=_("area")
    )
    tier = models.CharField(_("tier"), max_length=10, choices=Tier.choices, blank=True)
    source = models.CharField(_("source"), max_length=10, choices=Source.choices, blank=True)
    weekdays = models.CharField(_("weekdays"), max_length=7, blank=True)
    from_time = models.TimeField(_("from time"), null=True, blank=True)
    to_time = models.TimeField(_("to time"), null=True, blank=True)
    words = ArrayField(
        models.CharField(max_length=20), verbose_name=_("words"), default=list, blank=True
    )
    owner_kind = models.CharField(_("goes to"), max_length=15, choices=OwnerKind.choices)
    department = models.ForeignKey(
        Department,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="rules",
        verbose_name=_("department"),
    )
    examples = models.JSONField(_("examples"), default=list, blank=True)
    last_error = models.CharField(_("last error"), max_length=300, blank=True, editable=False)
    last_error_at = models.DateTimeField(_("last error at"), null=True, blank=True, editable=False)

    # What a rule is called while it is drawn up: its id, or a word of its own before it has one.
    key: str

    class Meta:
        verbose_name = _("routing rule")
        verbose_name_plural = _("routing rules")
        ordering = ["position"]
        constraints = [
            models.CheckConstraint(
                name="rule_names_its_department",
                condition=(
                    Q(owner_kind="department", department__isnull=False)
                    | (~Q(owner_kind="department") & Q(department__isnull=True))
                ),
                violation_error_message=_("Name the department, and only for that kind of rule."),
            ),
            models.CheckConstraint(
                name="rule_time_span_is_whole",
                condition=Q(from_time__isnull=True, to_time__isnull=True)
                | Q(from_time__isnull=False, to_time__isnull=False),
                violation_error_message=_("Give both times or neither."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.position}. {self.name}"


class RuleTable(models.Model):
    """The whole table as it was put in force once; the one row without a number is the draft.

    ``rules`` are the rules in order, each as ``queries.rules.as_data`` writes it.
    ``based_on`` is the number of the table the draft was begun from.
    """

    number = models.PositiveIntegerField(_("number"), null=True)
    rules = models.JSONField(_("rules"), default=list)
    based_on = models.PositiveIntegerField(default=0)
    made_at = models.DateTimeField(_("made at"))
    made_by = models.ForeignKey(
        User, models.PROTECT, null=True, related_name="+", verbose_name=_("made by")
    )

    class Meta:
        verbose_name = _("table of routing rules")
        verbose_name_plural = _("tables of routing rules")
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(
                fields=["number"], name="rule_table_once_and_one_draft", nulls_distinct=False
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.number or '-'}"
