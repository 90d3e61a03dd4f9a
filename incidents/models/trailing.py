"""Past cases that have not followed their area yet.

What must not live here: how they follow (services/moving.py).
"""

from django.db import models
from django.utils.translation import gettext_lazy as _

from incidents.models.incident import Incident


class TrailingCase(models.Model):
    """A past case on its way to where its area went; the row is gone once it has followed.

    ``town_id`` is the town its past counts for on the map of today.
    """

    incident = models.OneToOneField(Incident, models.CASCADE, primary_key=True, related_name="+")
    town_id = models.BigIntegerField(null=True)

    class Meta:
        verbose_name = _("trailing case")
        verbose_name_plural = _("trailing cases")

    def __str__(self) -> str:
        return f"#{self.pk}"
