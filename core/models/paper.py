"""Something to print that takes longer than a page may: ordered, drawn by a worker, fetched.

What must not live here: drawing it (whoever registers a kind), and the verbs (services/papers.py).
"""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


def stored_name(_instance: "Paper", _filename: str) -> str:
    """Return a path that nothing can guess."""
    return f"papers/{uuid.uuid4().hex}"


class Paper(models.Model):
    """One PDF in the making; only its owner opens it, and its id cannot be guessed.

    ``order`` is what the kind draws, ids only; ``file`` is encrypted, and gone at ``expires_at``.
    ``problem`` says why there is none.
    """

    class State(models.TextChoices):
        WAITING = "waiting", _("Waiting for its turn")
        DRAWING = "drawing", _("Being drawn")
        READY = "ready", _("Ready to print")
        FAILED = "failed", _("Not printed")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(_("kind"), max_length=30)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("owner")
    )
    title = models.CharField(_("title"), max_length=200)
    order = models.JSONField(default=dict)
    language = models.CharField(_("language"), max_length=10)
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.WAITING)
    problem = models.TextField(_("problem"), blank=True, default="")
    total = models.IntegerField(default=0)
    done = models.IntegerField(default=0)
    attempts = models.IntegerField(_("attempts"), default=0)
    claimed_at = models.DateTimeField(_("claimed at"), null=True, blank=True)
    made_at = models.DateTimeField(_("made at"), auto_now_add=True)
    file = models.FileField(upload_to=stored_name, blank=True)
    expires_at = models.DateTimeField(_("kept until"), null=True, blank=True)

    class Meta:
        verbose_name = _("paper")
        verbose_name_plural = _("papers")
        constraints = [
            models.CheckConstraint(
                name="paper_ready_with_a_file_for_a_time",
                condition=Q(state="ready", expires_at__isnull=False) & ~Q(file="")
                | Q(state__in=["waiting", "drawing", "failed"], expires_at__isnull=True, file=""),
            )
        ]
        indexes = [
            models.Index(fields=["owner", "kind", "-made_at"], name="paper_owner"),
            models.Index(
                fields=["made_at"],
                condition=Q(state__in=["waiting", "drawing"]),
                name="paper_to_do",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.title}"

    @property
    def busy(self) -> bool:
        """Whether the background is at work on it, or will be."""
        return self.state in (self.State.WAITING, self.State.DRAWING)
