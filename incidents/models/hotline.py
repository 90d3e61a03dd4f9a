"""How the sheets of a hotline are read: which of their columns is which.

What must not live here: reading a sheet (services/hotline_sheet.py).
"""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from incidents.models.system import System


class HotlineMapping(models.Model):
    """What somebody chose for sheets of a system with these headings, to be offered next time.

    ``headings`` is the SHA-256 of the headings in order; ``columns`` are {our key: their heading}.
    """

    system = models.ForeignKey(System, models.CASCADE, related_name="+", db_index=False)
    headings = models.CharField(max_length=64)
    columns = models.JSONField(default=dict)
    used_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name = _("mapping of columns")
        verbose_name_plural = _("mappings of columns")
        constraints = [
            models.UniqueConstraint(fields=["system", "headings"], name="hotline_mapping_once"),
        ]

    def __str__(self) -> str:
        return f"{self.system_id} {self.headings[:8]}"
