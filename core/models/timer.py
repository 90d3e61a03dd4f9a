"""Deadlines as rows. Setting, cancelling and firing them is core.services.timers."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Timer(models.Model):
    """One thing to do once, at ``due_at``, about a subject named by type and id."""

    subject_type = models.CharField(_("subject type"), max_length=20)
    subject_id = models.BigIntegerField(_("subject id"))
    kind = models.CharField(_("kind"), max_length=30)
    stage = models.CharField(_("stage"), max_length=30, blank=True, default="")
    cycle = models.IntegerField(_("cycle"), default=1)
    due_at = models.DateTimeField(_("due at"))
    fired_at = models.DateTimeField(_("fired at"), null=True, blank=True)
    failures = models.IntegerField(_("failures"), default=0)
    last_error = models.TextField(_("last error"), blank=True, default="")
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)

    class Meta:
        verbose_name = _("timer")
        verbose_name_plural = _("timers")
        constraints = [
            models.UniqueConstraint(
                fields=["subject_type", "subject_id", "kind", "stage", "cycle"],
                name="timer_fires_once",
            )
        ]
        indexes = [
            models.Index(
                fields=["due_at", "id"],
                condition=models.Q(fired_at__isnull=True),
                name="timer_unfired",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.subject_type} {self.subject_id} {self.kind} {self.stage} #{self.cycle}"
