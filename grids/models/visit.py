"""Visits to households: how often they are due, and what each one found.

What lives here: rules as dated data, and visits with their photos. What must not: due dates
(kept on the household by services/visit_rules.py).
"""

import uuid

from django.contrib.gis.db import models
from django.contrib.postgres.indexes import BrinIndex
from django.db.models import Q
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from core.fields import EncryptedTextField
from grids.models.area import Area
from grids.models.household import CareTag, Household
from grids.models.user import User

LONGEST_INTERVAL = 366


class VisitRule(models.Model):
    """From ``valid_from`` on, households of ``area`` (with ``tag``) are visited every ``days``.

    Of all rules that fit a household the shortest wins. A newer row for the same area and tag
    takes the place of the older one; without ``days`` it ends it. The row is also the queue of
    its own application: ``applied_up_to`` is the last household looked at.
    """

    area = models.ForeignKey(
        Area, models.PROTECT, related_name="visit_rules", verbose_name=_("area")
    )
    tag = models.ForeignKey(
        CareTag,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="visit_rules",
        verbose_name=_("care tag"),
    )
    days = models.PositiveSmallIntegerField(_("every so many days"), null=True, blank=True)
    valid_from = models.DateField(_("from"), default=timezone.localdate)
    made_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    applied_up_to = models.BigIntegerField(default=0, editable=False)
    applied_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        verbose_name = _("visit rule")
        verbose_name_plural = _("visit rules")
        ordering = ["-valid_from", "-id"]
        constraints = [
            models.UniqueConstraint(
                "area",
                Coalesce("tag", 0),
                "valid_from",
                name="visit_rule_one_from_a_day",
                violation_error_message=_("There is a rule for this from that day already."),
            ),
            models.CheckConstraint(
                name="visit_rule_days_in_a_year",
                condition=Q(days__isnull=True) | Q(days__gte=1, days__lte=LONGEST_INTERVAL),
                violation_error_message=_("Between 1 and 366 days."),
            ),
        ]
        indexes = [
            models.Index(
                fields=["valid_from"],
                name="visit_rule_to_apply",
                condition=Q(applied_at__isnull=True),
            )
        ]

    def __str__(self) -> str:
        return f"{self.area} · {self.tag or ''} · {self.days or '–'}"


class Visit(models.Model):
    """One knock at a door. ``key`` is the phone's own UUID: the same key is the same visit.

    ``due_on`` is the household's due date as it stood before, so that coverage of a past period
    can be told. ``point`` is where the phone was, to ``accuracy`` metres, thinned after a set
    time; ``distance`` (metres to the household) stays. ``case_code`` is the case a need became.
    """

    key = models.UUIDField(unique=True, default=uuid.uuid4)
    household = models.ForeignKey(Household, models.PROTECT, related_name="visits", db_index=False)
    county = models.ForeignKey(Area, models.PROTECT, related_name="+", db_index=False)
    by = models.ForeignKey(User, models.PROTECT, related_name="visits", verbose_name=_("visitor"))
    at = models.DateTimeField(_("at"))
    received_at = models.DateTimeField(auto_now_add=True)
    met = models.BooleanField(_("somebody was at home"), default=True)
    due_on = models.DateField()
    point = models.PointField(null=True, spatial_index=False)
    accuracy = models.PositiveIntegerField(null=True)
    distance = models.PositiveIntegerField(null=True)
    diary = EncryptedTextField(_("diary"), blank=True, default="")
    case_code = models.CharField(max_length=20, blank=True)

    class Meta:
        verbose_name = _("visit")
        verbose_name_plural = _("visits")
        indexes = [
            models.Index(fields=["household", "-at", "-id"], name="visit_of_household"),
            BrinIndex(fields=["at"], name="visit_at", autosummarize=True),
            models.Index(fields=["at"], name="visit_with_point", condition=Q(point__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.household} · {self.at:%Y-%m-%d}"


def stored_name(_instance: "VisitPhoto", _filename: str) -> str:
    """Return a path that nothing about the household or the visitor can guess."""
    name = uuid.uuid4().hex
    return f"visits/{name[:2]}/{name}.jpg"


class VisitPhoto(models.Model):
    """A photo of a visit, re-encoded, handed out to the household's line only."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    visit = models.ForeignKey(Visit, models.PROTECT, related_name="photos")
    file = models.FileField(upload_to=stored_name)
    sha256 = models.CharField(max_length=64)
    width = models.PositiveIntegerField()
    height = models.PositiveIntegerField()

    class Meta:
        verbose_name = _("photo of a visit")
        verbose_name_plural = _("photos of visits")

    def __str__(self) -> str:
        return str(self.pk)
