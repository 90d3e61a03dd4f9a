"""A sheet somebody uploaded, kept between its preview and its confirmation.

What must not live here: reading, planning and applying it (core.services.sheets).
"""

import uuid

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from core.fields import EncryptedTextField


class SheetUpload(models.Model):
    """One uploaded file. ``payload`` is the file in base64 until it was read, then empty.

    Only its owner opens it; the id cannot be guessed. ``problem`` says why the whole file was
    refused, or why nothing was saved. ``settings`` are what the owner chose for this file, where
    its kind asks; until then it is being matched.
    """

    class State(models.TextChoices):
        MATCHING = "matching", _("Columns to be matched")
        WAITING = "waiting", _("Waiting to be read")
        READING = "reading", _("Being read")
        READY = "ready", _("Ready to confirm")
        UNREADABLE = "unreadable", _("Not readable")
        CONFIRMED = "confirmed", _("Being saved")
        STALE = "stale", _("Overtaken")
        SAVED = "saved", _("Saved")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(_("kind"), max_length=30)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("owner")
    )
    file_name = models.CharField(_("file name"), max_length=200)
    language = models.CharField(_("language"), max_length=10)
    settings = models.JSONField(default=dict)
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.WAITING)
    payload = EncryptedTextField(blank=True, default="")
    letters = models.JSONField(default=dict)
    notices = models.JSONField(default=list)
    counts = models.JSONField(default=dict)
    result = models.JSONField(default=dict)
    problem = models.TextField(_("problem"), blank=True, default="")
    total = models.IntegerField(_("rows"), default=0)
    done = models.IntegerField(_("rows done"), default=0)
    attempts = models.IntegerField(_("attempts"), default=0)
    claimed_at = models.DateTimeField(_("claimed at"), null=True, blank=True)
    made_at = models.DateTimeField(_("made at"), auto_now_add=True)

    class Meta:
        verbose_name = _("uploaded sheet")
        verbose_name_plural = _("uploaded sheets")
        constraints = [
            models.CheckConstraint(
                condition=models.Q(
                    state__in=[
                        "matching",
                        "waiting",
                        "reading",
                        "ready",
                        "unreadable",
                        "confirmed",
                        "stale",
                        "saved",
                    ]
                ),
                name="sheet_state_known",
            )
        ]
        indexes = [
            models.Index(fields=["owner", "kind", "-made_at"], name="sheet_owner"),
            models.Index(
                fields=["made_at"],
                condition=models.Q(state__in=["waiting", "reading", "confirmed"]),
                name="sheet_to_do",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.file_name}"

    @property
    def busy(self) -> bool:
        """Whether the background is at work on it, or will be."""
        return self.state in (self.State.WAITING, self.State.READING, self.State.CONFIRMED)


class SheetLine(models.Model):
    """What would be done with one row of an upload; ``content`` is core.sheets.plan.Line."""

    upload = models.ForeignKey(SheetUpload, models.CASCADE, related_name="lines", db_index=False)
    number = models.IntegerField(_("row"))
    outcome = models.CharField(_("outcome"), max_length=10)
    overtaken = models.BooleanField(_("overtaken"), default=False)
    content = EncryptedTextField()

    class Meta:
        verbose_name = _("planned line")
        verbose_name_plural = _("planned lines")
        constraints = [
            models.UniqueConstraint(fields=["upload", "number"], name="sheet_line_once"),
        ]
        indexes = [
            models.Index(fields=["upload", "outcome", "number"], name="sheet_line_outcome"),
        ]

    def __str__(self) -> str:
        return f"{self.upload_id} {self.number} {self.outcome}"
