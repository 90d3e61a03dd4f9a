"""Rolled-up figures: deltas appended by each step, folded by a job.

A reader adds both, so a figure is right at every moment. ``day`` is the local
day of the thing counted; gauges (how many cases are in a state) use GAUGE_DAY.
What was counted is never rewritten when a village goes to another town; shifts
beside it say what the new map counts there instead.
"""

from datetime import date

from django.db import models

from grids.models import Area

GAUGE_DAY = date(1970, 1, 1)


class FigureDelta(models.Model):
    """One change to one figure, not folded yet."""

    county = models.ForeignKey(Area, models.PROTECT, related_name="+", db_index=False)
    town = models.ForeignKey(Area, models.PROTECT, null=True, related_name="+", db_index=False)
    day = models.DateField()
    metric = models.CharField(max_length=30)
    n = models.IntegerField()

    def __str__(self) -> str:
        return f"{self.day} {self.metric} {self.n:+}"


class Figure(models.Model):
    """One figure of one town on one day."""

    county = models.ForeignKey(Area, models.PROTECT, related_name="+", db_index=False)
    town = models.ForeignKey(Area, models.PROTECT, null=True, related_name="+", db_index=False)
    day = models.DateField()
    metric = models.CharField(max_length=30)
    n = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["county", "day", "town", "metric"],
                name="figure_once_per_town_day_and_metric",
                nulls_distinct=False,
            ),
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.metric} {self.n}"


class FigureShift(models.Model):
    """What a town gains or loses of a past day's figure when the map of today is laid over it.

    Written once, when cases follow their area to another town; the sum over all towns is 0.
    """

    county = models.ForeignKey(Area, models.PROTECT, related_name="+", db_index=False)
    town = models.ForeignKey(Area, models.PROTECT, null=True, related_name="+", db_index=False)
    day = models.DateField()
    metric = models.CharField(max_length=30)
    n = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["county", "day", "town", "metric"],
                name="shift_once_per_town_day_and_metric",
                nulls_distinct=False,
            ),
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.metric} {self.n:+}"
