"""What the roster knows beside postings: leaves with their substitutes, grids without a chief.

What must not live here: the postings themselves (posting.py).
"""

import pgtrigger
from django.conf import settings
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import RangeOperators
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from grids.models.area import Area, DateRange
from grids.models.posting import CHIEF_RULE, Posting
from grids.models.user import User


class LeaveQuerySet(models.QuerySet["Leave"]):
    """Reads over leaves."""

    def on(self, day) -> "LeaveQuerySet":
        """Return leaves that somebody is on that day."""
        return self.filter(away_from__lte=day, away_until__gt=day)


class Leave(models.Model):
    """A person away from a posting, from a day until (not including) another.

    ``cover`` is the substitute's own posting, in the same role at the same place for these days;
    a substitute who goes away has a leave of that posting, and so on. It ends by itself.
    """

    posting = models.ForeignKey(
        Posting, models.PROTECT, related_name="leaves", verbose_name=_("posting")
    )
    away_from = models.DateField(_("away from"))
    away_until = models.DateField(_("away until"))
    cover = models.OneToOneField(
        Posting, models.PROTECT, related_name="covers", verbose_name=_("substitute's posting")
    )
    reason = models.CharField(_("reason"), max_length=100, blank=True)
    made_at = models.DateTimeField(_("made at"), auto_now_add=True)

    objects = LeaveQuerySet.as_manager()

    class Meta:
        verbose_name = _("leave")
        verbose_name_plural = _("leaves")
        indexes = [models.Index(fields=["away_until"], name="leave_until")]
        constraints = [
            models.CheckConstraint(
                name="leave_ends_after_it_begins",
                condition=Q(away_until__gte=models.F("away_from")),
            ),
            models.CheckConstraint(
                name="leave_is_covered_by_another_posting",
                condition=~Q(cover=models.F("posting")),
            ),
            ExclusionConstraint(
                name="leave_once_at_a_time",
                expressions=[
                    ("posting", RangeOperators.EQUAL),
                    (DateRange("away_from", "away_until"), RangeOperators.OVERLAPS),
                ],
            ),
        ]

    def __str__(self) -> str:
        return f"{self.posting} · {self.away_from} – {self.away_until}"


class GridWithoutChief(models.Model):
    """A grid that may be without a chief for now, and why; ``lifted_on`` ends the mark."""

    grid = models.ForeignKey(
        Area, models.PROTECT, related_name="without_chief", verbose_name=_("grid")
    )
    reason = models.CharField(_("reason"), max_length=100)
    marked_on = models.DateField(_("marked on"), default=timezone.localdate)
    marked_by = models.ForeignKey(
        User, models.PROTECT, null=True, related_name="+", verbose_name=_("marked by")
    )
    lifted_on = models.DateField(_("lifted on"), null=True, blank=True)

    class Meta:
        verbose_name = _("grid without a chief")
        verbose_name_plural = _("grids without a chief")
        constraints = [
            models.UniqueConstraint(
                fields=["grid"],
                condition=Q(lifted_on__isnull=True),
                name="grid_marked_without_chief_once",
            )
        ]
        triggers = [
            pgtrigger.Trigger(
                name="mark_lifted_only_with_a_chief",
                level=pgtrigger.Row,
                when=pgtrigger.After,
                operation=pgtrigger.Update | pgtrigger.Delete,
                timing=pgtrigger.Deferred,
                declare=[("place", "bigint"), ("day", "date")],
                func=f"""
                    place := OLD.grid_id;
                    day := (now() AT TIME ZONE '{settings.TIME_ZONE}')::date;
                    {CHIEF_RULE}
                """,
            )
        ]

    def __str__(self) -> str:
        return f"{self.grid} · {self.reason}"
