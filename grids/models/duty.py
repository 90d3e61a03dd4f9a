"""Who is at work now: shifts people begin and end themselves on their phones.

What must not live here: where anybody is. A shift says from when until when and nothing else.
"""

from datetime import datetime, timedelta

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from grids.models.posting import Role
from grids.models.user import User

# Those who work cases from a phone.
DUTY_ROLES = frozenset({Role.UNIT_HEAD, Role.GRID_WORKER, Role.GRID_CHIEF})
# A shift nobody ends counts no longer than this.
LONGEST_SHIFT = timedelta(hours=14)


class DutyShiftQuerySet(models.QuerySet["DutyShift"]):
    """Reads over shifts."""

    def running(self, now: datetime) -> "DutyShiftQuerySet":
        """Return the shifts that count at this moment: neither ended nor forgotten."""
        return self.filter(ended_at__isnull=True, began_at__gt=now - LONGEST_SHIFT)


class DutyShift(models.Model):
    """One person on duty, from a moment until another; at most one shift is open."""

    user = models.ForeignKey(User, models.PROTECT, related_name="shifts", verbose_name=_("person"))
    began_at = models.DateTimeField(_("began"))
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)

    objects = DutyShiftQuerySet.as_manager()

    class Meta:
        verbose_name = _("shift")
        verbose_name_plural = _("shifts")
        constraints = [
            models.UniqueConstraint(
                fields=["user"],
                condition=Q(ended_at__isnull=True),
                name="duty_shift_one_open_a_person",
            ),
            models.CheckConstraint(
                name="duty_shift_ends_after_it_begins",
                condition=Q(ended_at__isnull=True) | Q(ended_at__gte=models.F("began_at")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user} · {self.began_at:%Y-%m-%d %H:%M}"
