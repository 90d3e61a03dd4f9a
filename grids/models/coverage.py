"""Runs of the coverage audit and the faults they found.

What lives here: the rows of a run and of what it measured. What must not: measuring
(services/coverage.py).
"""

from django.contrib.gis.db import models
from django.contrib.postgres.fields import ArrayField
from django.core.validators import MinValueValidator
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from grids.models.area import Area
from grids.models.user import User

# Pieces below this size are slivers, unless a run says otherwise, in square metres: what two
# people leave between them who trace the same road.
SLIVER_M2 = 100.0


class AuditState(models.TextChoices):
    """How far a run is."""

    RUNNING = "running", _("In progress")
    DONE = "done", _("Finished")
    FAILED = "failed", _("Broken off")


class CoverageAudit(models.Model):
    """One run over an area and everything below it.

    The row is also its own work queue: ``cursor`` is the tree path up to which everything is
    measured, written in the same transaction as the faults found there. ``done`` and ``total``
    count areas.
    """

    area = models.ForeignKey(Area, models.CASCADE, related_name="audits", verbose_name=_("area"))
    started_by = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, verbose_name=_("started by")
    )
    sliver_m2 = models.FloatField(
        _("size below which a piece is a sliver (m²)"),
        default=SLIVER_M2,
        validators=[MinValueValidator(0)],
    )
    state = models.CharField(
        _("state"), max_length=10, choices=AuditState.choices, default=AuditState.RUNNING
    )
    total = models.PositiveIntegerField(default=0)
    done = models.PositiveIntegerField(default=0)
    cursor = models.CharField(max_length=255, blank=True)
    failures = models.PositiveSmallIntegerField(default=0)
    error = models.TextField(blank=True)
    started_at = models.DateTimeField(_("started at"), auto_now_add=True)
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)

    class Meta:
        verbose_name = _("coverage audit")
        verbose_name_plural = _("coverage audits")
        constraints = [
            models.UniqueConstraint(
                fields=["area"],
                condition=Q(state="running"),
                name="coverage_audit_once_at_a_time_per_area",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.area} {self.started_at:%Y-%m-%d %H:%M}"


class FaultKind(models.TextChoices):
    """What can be wrong with how areas cover the one above them."""

    GAP = "gap", _("Gap")
    OVERLAP = "overlap", _("Overlap")
    OUTSIDE = "outside", _("Outside its parent")
    MISSING = "missing", _("No boundary")
    UNSOUND = "unsound", _("Boundary crosses itself")


class CoverageFault(models.Model):
    """One fault: a hole, a doubled piece, a piece outside, or an area that could not be measured.

    ``place`` is the area it is found under: the parent for a gap, the area itself for all else;
    ``other`` is the second area of an overlap. ``area_ids`` names all areas it touches. All
    slivers between the same areas are one row of ``pieces``; a real hole is a row of its own.
    """

    audit = models.ForeignKey(CoverageAudit, models.CASCADE, related_name="faults")
    kind = models.CharField(_("kind"), max_length=10, choices=FaultKind.choices)
    place = models.ForeignKey(Area, models.CASCADE, related_name="+")
    other = models.ForeignKey(Area, models.CASCADE, null=True, blank=True, related_name="+")
    area_ids = ArrayField(models.BigIntegerField(), default=list)
    size_m2 = models.FloatField(_("size (m²)"), default=0)
    pieces = models.PositiveIntegerField(_("pieces"), default=1)
    sliver = models.BooleanField(_("sliver"), default=False)
    shape = models.MultiPolygonField(null=True, blank=True, srid=4326)

    class Meta:
        verbose_name = _("coverage fault")
        verbose_name_plural = _("coverage faults")
        indexes = [models.Index(fields=["-size_m2", "id"])]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.size_m2:.2f} m²"
