"""The ladder: who is told, rung by rung, once a deadline has passed, and what changes hands."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from core.models import Channel
from core.working_calendar import Unit
from incidents.models.catalogue import Category, Tier


class Rung(models.IntegerChoices):
    """The rungs one can climb to. Who stands on them is ``workflow.LADDER``."""

    CHIEF = 1, _("Grid chief")
    VILLAGE = 2, _("Village or community office")
    TOWN = 3, _("Town admin")
    COMMAND = 4, _("Command centre")
    LEADER = 5, _("County leader")


class Ladder(models.Model):
    """One dated ladder, for a category, a tier or both; without either it is the county's own.

    A clock climbs the ladder that was in force on the day it started.
    """

    category = models.ForeignKey(
        Category,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="ladders",
        verbose_name=_("category"),
    )
    tier = models.CharField(_("tier"), max_length=10, choices=Tier.choices, blank=True)
    version = models.PositiveIntegerField(_("version"))
    valid_from = models.DateField(_("from"), default=timezone.localdate)

    class Meta:
        verbose_name = _("escalation ladder")
        verbose_name_plural = _("escalation ladders")
        ordering = ["category", "tier", "-version"]
        constraints = [
            models.UniqueConstraint(
                fields=["category", "tier", "version"],
                name="ladder_version_once",
                nulls_distinct=False,
            ),
        ]

    def __str__(self) -> str:
        whose = self.category or _("County default")
        return f"{whose} {self.get_tier_display()} v{self.version}"


class LadderRung(models.Model):
    """One rung of a ladder. The lowest above whoever was late is told at once.

    ``amount`` of ``unit``: how long the rung before it has until the case climbs to this one.
    ``takes_over``: the case itself changes hands when it reaches this rung. ``channels`` carry the
    notice beside the bell; none means what each person chose.
    """

    ladder = models.ForeignKey(Ladder, models.CASCADE, related_name="rungs")
    rung = models.PositiveSmallIntegerField(_("rung"), choices=Rung.choices)
    amount = models.PositiveIntegerField(_("amount"), default=1)
    unit = models.CharField(
        _("unit"), max_length=15, choices=Unit.choices, default=Unit.WORKING_DAYS
    )
    takes_over = models.BooleanField(_("takes the case over"), default=False)
    channels = ArrayField(
        models.CharField(max_length=10, choices=Channel.Kind.choices),
        verbose_name=_("channels"),
        default=list,
        db_default=[],
        blank=True,
    )

    class Meta:
        verbose_name = _("rung")
        verbose_name_plural = _("rungs")
        ordering = ["rung"]
        constraints = [
            models.UniqueConstraint(fields=["ladder", "rung"], name="ladder_rung_once"),
            models.CheckConstraint(name="ladder_rung_known", condition=Q(rung__in=[1, 2, 3, 4, 5])),
            models.CheckConstraint(name="ladder_rung_waits", condition=Q(amount__gt=0)),
            models.CheckConstraint(
                name="ladder_leader_is_only_told", condition=Q(takes_over=False) | Q(rung__lt=5)
            ),
        ]

    def __str__(self) -> str:
        return self.get_rung_display()
