"""Departments of the county that incidents are sent to."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from core.language import told
from grids.models.area import Area


class Department(models.Model):
    """A county department: a handler of incidents, never an area."""

    code = models.CharField(_("code"), max_length=20, unique=True)
    name = models.CharField(_("name"), max_length=60)
    name_en = models.CharField(_("English name"), max_length=100, blank=True)
    short_name = models.CharField(_("short name"), max_length=20, blank=True)
    county = models.ForeignKey(
        Area, models.PROTECT, related_name="departments", verbose_name=_("county")
    )
    active = models.BooleanField(_("active"), default=True)

    class Meta:
        verbose_name = _("department")
        verbose_name_plural = _("departments")
        ordering = ["code"]

    def __str__(self) -> str:
        return self.label

    @property
    def label(self) -> str:
        """The name in the reader's language."""
        return told(self.name, self.name_en)
