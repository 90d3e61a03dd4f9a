"""Hot topics, early warnings, and the counts of days both are made of.

What must not live here: how reports are grouped (incidents/topics.py) and when a count is a
surge (incidents/surges.py). Counts and topics are derived and can be made again from the cases.
"""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from grids.models import Area, User
from incidents.models.catalogue import Category


class ReportDay(models.Model):
    """How many reports of one item a village had on one local day; merged ones count too.

    Derived, hence ids without foreign keys. What lies in no village counts for its town alone.
    """

    county_id = models.BigIntegerField()
    town_id = models.BigIntegerField()
    village_id = models.BigIntegerField(null=True)
    category_id = models.BigIntegerField()
    day = models.DateField()
    n = models.IntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["day", "town_id", "village_id", "category_id"],
                name="report_day_once",
                nulls_distinct=False,
            ),
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.n}"


class Trend(models.TextChoices):
    """Which way a topic goes: this week beside the one before."""

    RISING = "rising", _("Rising")
    STEADY = "steady", _("Steady")
    FALLING = "falling", _("Falling")


class OfArea(models.Model):
    """Something about one item in a village, or, without a village, in a whole town."""

    county = models.ForeignKey(Area, models.PROTECT, related_name="+", db_index=False)
    town = models.ForeignKey(Area, models.PROTECT, related_name="+", db_index=False)
    village = models.ForeignKey(
        Area, models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    category = models.ForeignKey(Category, models.PROTECT, related_name="+", db_index=False)

    class Meta:
        abstract = True

    @property
    def area(self) -> Area:
        """The village, else the town."""
        return self.village or self.town


class HotTopic(OfArea):
    """Reports of one item that share words, in one area, over days.

    ``heat`` counts them, each for less the older it is. ``days`` are the counts of the last days,
    oldest first, the last of them ``counted_on``; ``sample`` are ids of its newest cases.
    """

    words = ArrayField(models.CharField(max_length=40), verbose_name=_("shared words"))
    heat = models.FloatField(_("heat"))
    trend = models.CharField(_("trend"), max_length=8, choices=Trend.choices)
    days = ArrayField(models.IntegerField())
    sample = ArrayField(models.BigIntegerField())
    first_seen = models.DateTimeField(_("first seen"))
    last_seen = models.DateTimeField(_("last seen"))
    counted_on = models.DateField()
    ended_on = models.DateField(null=True, blank=True)

    class Meta:
        verbose_name = _("hot topic")
        verbose_name_plural = _("hot topics")
        indexes = [
            models.Index(
                fields=["county", "-heat", "id"],
                name="topic_of_county",
                condition=Q(ended_on__isnull=True),
            ),
            models.Index(
                fields=["town", "village", "category"],
                name="topic_of_place",
                condition=Q(ended_on__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.category} {'、'.join(self.words)}"


class EarlyWarning(OfArea):
    """More reports of one item in an area than its own past explains.

    ``n`` and ``expected`` are of the window when it was raised, ``chance`` how likely such a count
    is without a cause. One surge is one row until it has been over for days.
    """

    raised_at = models.DateTimeField(_("raised at"))
    n = models.IntegerField(_("reports"))
    expected = models.FloatField(_("usual"))
    chance = models.FloatField()
    last_over_on = models.DateField()
    ended_at = models.DateTimeField(null=True, blank=True)
    acknowledged_by = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("by")
    )
    acknowledged_at = models.DateTimeField(null=True, blank=True)
    word = models.CharField(_("what is being done"), max_length=300, blank=True)

    class Meta:
        verbose_name = _("early warning")
        verbose_name_plural = _("early warnings")
        constraints = [
            models.UniqueConstraint(
                fields=["town", "village", "category"],
                condition=Q(ended_at__isnull=True),
                name="warning_once_per_surge",
                nulls_distinct=False,
            ),
            models.CheckConstraint(
                name="warning_acknowledged_with_a_word",
                condition=Q(acknowledged_at__isnull=True, acknowledged_by__isnull=True, word="")
                | (Q(acknowledged_at__isnull=False, acknowledged_by__isnull=False) & ~Q(word="")),
            ),
        ]
        indexes = [models.Index(fields=["county", "-raised_at", "-id"], name="warning_of_county")]

    def __str__(self) -> str:
        return f"{self.area} {self.category}"
