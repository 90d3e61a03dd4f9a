"""What happened to a dispute, and who opened its file: both append-only."""

import pgtrigger
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from core.fields import EncryptedTextField
from grids.models import User
from mediation.models.choices import DisputeState
from mediation.models.dispute import Dispute


class DisputeEvent(models.Model):
    """One thing that happened: who, when, what, why. ``actor`` is null for the system.

    ``data`` holds what the step decided and must name no party.
    """

    dispute = models.ForeignKey(Dispute, models.PROTECT, related_name="events", db_index=False)
    seq = models.PositiveIntegerField()
    at = models.DateTimeField(default=timezone.now)
    action = models.CharField(max_length=30)
    actor = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    actor_place = models.CharField(max_length=100, blank=True)
    from_state = models.CharField(max_length=12, choices=DisputeState.choices, blank=True)
    to_state = models.CharField(max_length=12, choices=DisputeState.choices, blank=True)
    note = EncryptedTextField(blank=True, default="")
    data = models.JSONField(default=dict, blank=True)

    class Meta:
        verbose_name = _("timeline row of a dispute")
        verbose_name_plural = _("timeline of disputes")
        constraints = [
            models.UniqueConstraint(fields=["dispute", "seq"], name="dispute_event_once_per_seq"),
        ]
        triggers = [
            pgtrigger.Protect(
                name="dispute_event_is_append_only", operation=pgtrigger.Update | pgtrigger.Delete
            )
        ]

    def __str__(self) -> str:
        return f"{self.dispute_id}/{self.seq} {self.action}"


class FileOpening(models.Model):
    """Somebody opened the confidential file, or had a party's contact shown in full."""

    class What(models.TextChoices):
        FILE = "file", _("Opened the file")
        CONTACT = "contact", _("Saw the parties in full")
        PRINT = "print", _("Opened the agreement for printing")

    dispute = models.ForeignKey(Dispute, models.PROTECT, related_name="openings")
    user = models.ForeignKey(User, models.PROTECT, related_name="+")
    what = models.CharField(_("what"), max_length=7, choices=What.choices)
    at = models.DateTimeField(_("at"), default=timezone.now)
    reason = models.CharField(_("reason"), max_length=200, blank=True)

    class Meta:
        verbose_name = _("opening of a file")
        verbose_name_plural = _("openings of files")
        ordering = ["-id"]
        triggers = [
            pgtrigger.Protect(
                name="file_opening_is_append_only", operation=pgtrigger.Update | pgtrigger.Delete
            )
        ]

    def __str__(self) -> str:
        return f"{self.dispute_id} {self.user_id} {self.at}"
