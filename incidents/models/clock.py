"""Clocks, extensions and supervision notices of a case."""

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from core.working_calendar import Unit
from grids.models import User
from incidents.models.catalogue import Stage
from incidents.models.incident import Incident


class StageClock(models.Model):
    """One running, paused or finished deadline.

    While running ``due_at`` is exact; while paused ``remaining`` holds the seconds
    left in the clock's own unit (negative when already late) and ``due_at`` is
    empty. A finished clock keeps both times, which is what scores are made of.
    ``cycle`` counts how often its time was set anew; ``rung`` is the highest rung told.
    """

    incident = models.ForeignKey(Incident, models.PROTECT, related_name="clocks")
    party = models.ForeignKey(
        "incidents.WhistleParty", models.PROTECT, null=True, blank=True, related_name="clocks"
    )
    stage = models.CharField(_("stage"), max_length=10, choices=Stage.choices)
    name = models.CharField(_("sub-stage"), max_length=40, blank=True)
    round = models.PositiveSmallIntegerField()
    amount = models.PositiveIntegerField()
    unit = models.CharField(_("unit"), max_length=15, choices=Unit.choices)
    started_at = models.DateTimeField()
    due_at = models.DateTimeField(null=True, blank=True)
    remaining = models.BigIntegerField(null=True, blank=True)
    cycle = models.PositiveSmallIntegerField(default=1)
    rung = models.PositiveSmallIntegerField(null=True, blank=True)
    warned_at = models.DateTimeField(null=True, blank=True)
    breached_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("clock")
        verbose_name_plural = _("clocks")
        constraints = [
            models.UniqueConstraint(
                fields=["incident", "stage", "name", "party"],
                condition=Q(finished_at__isnull=True),
                name="clock_one_running_per_stage",
                nulls_distinct=False,
            ),
            models.CheckConstraint(
                name="clock_runs_or_is_paused",
                condition=Q(due_at__isnull=False, remaining__isnull=True)
                | Q(due_at__isnull=True, remaining__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_stage_display()} {self.amount} {self.get_unit_display()}"


class Extension(models.Model):
    """A request for more time, its reason and the decision."""

    class Decision(models.TextChoices):
        PENDING = "pending", _("Waiting for approval")
        APPROVED = "approved", _("Approved")
        REFUSED = "refused", _("Refused")

    incident = models.ForeignKey(Incident, models.PROTECT, related_name="extensions")
    reason = models.TextField(_("reason"))
    amount = models.PositiveIntegerField(_("amount"))
    unit = models.CharField(_("unit"), max_length=15, choices=Unit.choices)
    requested_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    requested_at = models.DateTimeField()
    decision = models.CharField(max_length=10, choices=Decision.choices, default=Decision.PENDING)
    decided_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    decided_at = models.DateTimeField(null=True, blank=True)
    note = models.TextField(blank=True)

    class Meta:
        verbose_name = _("extension")
        verbose_name_plural = _("extensions")
        constraints = [
            models.UniqueConstraint(
                fields=["incident"],
                condition=Q(decision="pending"),
                name="extension_one_pending_per_case",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.incident_id} +{self.amount} {self.get_unit_display()}"


class SupervisionNotice(models.Model):
    """A numbered demand to act, issued by the clock's ladder or by the command centre."""

    incident = models.ForeignKey(Incident, models.PROTECT, related_name="supervision_notices")
    clock = models.ForeignKey(
        StageClock,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="supervision_notices",
        db_index=False,
    )
    cycle = models.PositiveSmallIntegerField(default=1, editable=False)
    rung = models.PositiveSmallIntegerField(_("rung of the ladder"))
    text = models.TextField(_("what is demanded"), blank=True)
    issued_by = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    issued_at = models.DateTimeField()
    reply = models.TextField(_("reply"), blank=True)
    replied_by = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    replied_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("supervision notice")
        verbose_name_plural = _("supervision notices")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["clock", "cycle", "rung"],
                name="supervision_once_per_clock_and_rung",
            ),
        ]

    def __str__(self) -> str:
        return self.number

    @property
    def number(self) -> str:
        """The number people quote: year of issue and running number."""
        return f"DB-{timezone.localtime(self.issued_at):%Y}-{self.pk:06d}"
