"""Cross-links of the territory: alliance grids of villages, and the themes merged into a grid.

What lives here: who is linked with what, and from when until when. What must not: the tree
itself (area.py) and postings, which are rights (posting.py); a duty opens nothing.
"""

from datetime import date

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import RangeOperators
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from core.language import told
from grids.models.area import Area, DateRange
from grids.models.user import User


class AllianceQuerySet(models.QuerySet["AllianceGrid"]):
    """Reads over alliances."""

    def open(self) -> "AllianceQuerySet":
        """Return alliances that have not ended."""
        return self.filter(Q(valid_to__isnull=True) | Q(valid_to__gt=timezone.localdate()))

    def touching(self, areas: models.QuerySet[Area]) -> "AllianceQuerySet":
        """Return alliances with at least one village among ``areas``."""
        villages = AllianceVillage.objects.filter(village__in=areas.values("pk"))
        return self.filter(pk__in=villages.values("alliance"))


class AllianceGrid(models.Model):
    """An alliance grid 联村网格: several villages that work as one; a cross-link, not a level.

    ``lead`` is one of its villages, until ``valid_to`` (not including).
    """

    name = models.CharField(_("name"), max_length=100)
    purpose = models.CharField(_("what it does together"), max_length=300, blank=True)
    lead = models.ForeignKey(
        Area, models.PROTECT, related_name="led_alliances", verbose_name=_("leading village")
    )
    villages = models.ManyToManyField(
        Area, through="AllianceVillage", related_name="alliances", verbose_name=_("villages")
    )
    valid_from = models.DateField(_("from"), default=timezone.localdate)
    valid_to = models.DateField(_("until"), null=True, blank=True)
    version = models.PositiveIntegerField(default=1, editable=False)

    objects = AllianceQuerySet.as_manager()

    class Meta:
        verbose_name = _("alliance grid")
        verbose_name_plural = _("alliance grids")
        ordering = ["name", "pk"]
        constraints = [
            models.CheckConstraint(
                name="alliance_ends_after_it_begins",
                condition=Q(valid_to__isnull=True) | Q(valid_to__gte=models.F("valid_from")),
                violation_error_message=_("An alliance cannot end before it begins."),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def ended(self) -> bool:
        """Whether its last day has passed."""
        return self.valid_to is not None and self.valid_to <= timezone.localdate()


class AllianceVillage(models.Model):
    """One village of an alliance."""

    alliance = models.ForeignKey(AllianceGrid, models.CASCADE, related_name="members")
    village = models.ForeignKey(Area, models.PROTECT, related_name="+")

    class Meta:
        verbose_name = _("village of an alliance")
        verbose_name_plural = _("villages of alliances")
        constraints = [
            models.UniqueConstraint(
                fields=["alliance", "village"], name="alliance_has_a_village_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.alliance} · {self.village}"


class GridTheme(models.Model):
    """One of the networks merged into the grid 多网合一: party building, public order …"""

    code = models.SlugField(_("code"), max_length=20, unique=True)
    name = models.CharField(_("name"), max_length=30, unique=True)
    name_en = models.CharField(_("English name"), max_length=60, blank=True)
    position = models.PositiveSmallIntegerField(_("position"), default=100)
    active = models.BooleanField(_("active"), default=True)

    class Meta:
        verbose_name = _("theme")
        verbose_name_plural = _("themes")
        ordering = ["position", "pk"]

    def __str__(self) -> str:
        return self.label

    @property
    def label(self) -> str:
        """The name in the reader's language."""
        return told(self.name, self.name_en)


class ThemeDutyQuerySet(models.QuerySet["ThemeDuty"]):
    """Reads over duties."""

    def on(self, day: date) -> "ThemeDutyQuerySet":
        """Return duties in force on ``day``."""
        return self.filter(Q(valid_to__isnull=True) | Q(valid_to__gt=day), valid_from__lte=day)

    def current(self) -> "ThemeDutyQuerySet":
        """Return duties in force today."""
        return self.on(timezone.localdate())


class ThemeDuty(models.Model):
    """Who answers for one theme in one grid, from a day until (not including) another.

    It says whom to turn to and opens nothing; what the person may see follows from postings.
    """

    grid = models.ForeignKey(
        Area, models.PROTECT, related_name="theme_duties", verbose_name=_("grid")
    )
    theme = models.ForeignKey(
        GridTheme, models.PROTECT, related_name="duties", verbose_name=_("theme")
    )
    user = models.ForeignKey(
        User, models.PROTECT, related_name="theme_duties", verbose_name=_("person")
    )
    valid_from = models.DateField(_("from"), default=timezone.localdate)
    valid_to = models.DateField(_("until"), null=True, blank=True)

    objects = ThemeDutyQuerySet.as_manager()

    class Meta:
        verbose_name = _("duty for a theme")
        verbose_name_plural = _("duties for themes")
        ordering = ["theme__position", "pk"]
        constraints = [
            models.CheckConstraint(
                name="duty_ends_after_it_begins",
                condition=Q(valid_to__isnull=True) | Q(valid_to__gte=models.F("valid_from")),
                violation_error_message=_("A duty cannot end before it begins."),
            ),
            ExclusionConstraint(
                name="duty_once_per_person_theme_and_grid",
                expressions=[
                    ("grid", RangeOperators.EQUAL),
                    ("theme", RangeOperators.EQUAL),
                    ("user", RangeOperators.EQUAL),
                    (DateRange("valid_from", "valid_to"), RangeOperators.OVERLAPS),
                ],
                violation_error_message=_("This person already has this theme here."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.grid} · {self.theme} · {self.user}"
