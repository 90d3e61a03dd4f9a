"""A boundary file between its upload and its confirmation.

What lives here: the file while it waits to be read, and what was read of it. What must not:
reading (services/boundary_file.py) and saving (services/boundary_import.py).
"""

from uuid import uuid4

from django.contrib.gis.db import models
from django.utils.translation import gettext_lazy as _

from grids.models.area import Area
from grids.models.user import User


class ImportState(models.TextChoices):
    """How far an import is; only ``read`` waits for a person."""

    UPLOADED = "uploaded", _("Being read")
    READ = "read", _("To be confirmed")
    CONFIRMED = "confirmed", _("Being saved")
    SAVED = "saved", _("Saved")
    FAILED = "failed", _("Refused")
    DROPPED = "dropped", _("Thrown away")


class BoundaryImport(models.Model):
    """One uploaded file of boundaries for ``area`` and what lies below it.

    ``file`` is private, and gone once it has been read; the rows are gone once the import is
    saved or thrown away.
    """

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    area = models.ForeignKey(Area, models.CASCADE, related_name="+", verbose_name=_("area"))
    uploaded_by = models.ForeignKey(User, models.PROTECT, verbose_name=_("uploaded by"))
    filename = models.CharField(_("file name"), max_length=100)
    file = models.FileField(upload_to="boundaries", blank=True)
    system = models.CharField(_("coordinate system"), max_length=10)
    state = models.CharField(
        _("state"), max_length=10, choices=ImportState.choices, default=ImportState.UPLOADED
    )
    error = models.TextField(blank=True)
    warning = models.TextField(blank=True)
    total = models.PositiveIntegerField(default=0)
    changed = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(_("uploaded at"), auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("boundary import")
        verbose_name_plural = _("boundary imports")
        indexes = [models.Index(fields=["state", "created_at"])]

    def __str__(self) -> str:
        return self.filename


class Verdict(models.TextChoices):
    """What became of one feature of the file."""

    CODE = "code", _("Matched by code")
    NAME = "name", _("Matched by name")
    SAME = "same", _("Unchanged")
    AMBIGUOUS = "ambiguous", _("Ambiguous")
    UNKNOWN = "unknown", _("Unknown")
    INVALID = "invalid", _("Invalid")


class BoundaryRow(models.Model):
    """One feature of the file; ``chosen`` rows are what a confirmation saves.

    ``before`` is the digest of the boundary the area had when the file was read, so that a
    confirmation notices what somebody drew meanwhile; ``lon`` and ``lat`` (WGS-84) tell where
    an unsound polygon breaks.
    """

    source = models.ForeignKey(BoundaryImport, models.CASCADE, related_name="rows")
    number = models.PositiveIntegerField()
    code = models.CharField(_("code"), max_length=30, blank=True)
    name = models.CharField(_("name"), max_length=100, blank=True)
    area = models.ForeignKey(Area, models.CASCADE, null=True, blank=True, related_name="+")
    verdict = models.CharField(_("result"), max_length=10, choices=Verdict.choices)
    reason = models.TextField(blank=True)
    lon = models.FloatField(null=True, blank=True)
    lat = models.FloatField(null=True, blank=True)
    shape = models.MultiPolygonField(null=True, blank=True, srid=4326)
    before = models.CharField(max_length=32, blank=True)
    chosen = models.BooleanField(default=False)

    class Meta:
        verbose_name = _("boundary row")
        verbose_name_plural = _("boundary rows")
        constraints = [
            models.UniqueConstraint(fields=["source", "number"], name="boundary_row_once_a_feature")
        ]

    def __str__(self) -> str:
        return f"{self.number} {self.code} {self.name}"
