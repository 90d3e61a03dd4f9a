"""How long personal data outlives what it was collected for: dated rules, kept as data."""

from datetime import date

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class RetentionRule(models.Model):
    """From ``valid_from`` on, ``what`` is erased ``days`` days after its case has ended.

    Of a household that is when it moved out, of a visit or a shift on duty its own day, of a
    question to a model outside the day it was asked.

    The shortest time the purpose allows (Personal Information Protection Law, art. 19). A new
    rule is a new row; what has none is kept.
    """

    class What(models.TextChoices):
        REPORTER_CONTACT = "reporter_contact", _("Name and phone of the reporter")
        PARTY_PHONE = "party_phone", _("Phones of the parties to a dispute")
        HOUSEHOLD_CONTACT = "household_contact", _("Contact of a household that moved out")
        VISIT_POINT = "visit_point", _("Where the phone was at a visit")
        VISIT_DIARY = "visit_diary", _("Diary and photos of a visit")
        AI_CALL = "ai_call", _("Question to a model outside and its reply")
        DUTY_SHIFT = "duty_shift", _("When somebody was on duty")

    what = models.CharField(_("what is erased"), max_length=20, choices=What.choices)
    days = models.PositiveSmallIntegerField(_("days after the end"))
    valid_from = models.DateField(_("from"), default=timezone.localdate)
    reason = models.CharField(_("reason"), max_length=200)

    class Meta:
        verbose_name = _("retention rule")
        verbose_name_plural = _("retention rules")
        ordering = ["what", "-valid_from"]
        constraints = [
            models.UniqueConstraint(
                fields=["what", "valid_from"], name="retention_one_rule_from_a_day"
            ),
            models.CheckConstraint(
                name="retention_what_known",
                condition=Q(
                    what__in=[
                        "reporter_contact",
                        "party_phone",
                        "household_contact",
                        "visit_point",
                        "visit_diary",
                        "ai_call",
                        "duty_shift",
                    ]
                ),
            ),
            models.CheckConstraint(
                name="retention_at_least_a_day",
                condition=Q(days__gte=1),
                violation_error_message=_("Give at least one day."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_what_display()} · {self.days}"

    @classmethod
    def in_force(cls, what: str, *, on: date) -> "RetentionRule | None":
        """Return the rule for ``what`` that holds on a day, if there is one (1 query)."""
        return cls.objects.filter(what=what, valid_from__lte=on).order_by("-valid_from").first()
