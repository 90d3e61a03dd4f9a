"""Messages that leave the database. Posting and delivering them is core.services.outbox."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from core.models.channel import Channel


class OutboxMessage(models.Model):
    """One message, written by the transaction it tells about; ``key`` makes it effective once.

    With a ``channel`` it leaves the house and tells of ``event``; without, it goes to another part
    of it. An urgent one does not wait for the morning.
    """

    class State(models.TextChoices):
        QUEUED = "queued", _("Queued")
        IN_FLIGHT = "in_flight", _("In flight")
        AWAITING_RETRY = "awaiting_retry", _("Awaiting retry")
        DELIVERED = "delivered", _("Delivered")
        DEAD = "dead", _("Dead")
        DROPPED = "dropped", _("No longer needed")

    topic = models.CharField(_("topic"), max_length=50)
    key = models.CharField(_("key"), max_length=200)
    payload = models.JSONField(_("payload"), default=dict)
    channel = models.ForeignKey(
        Channel,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        verbose_name=_("channel"),
    )
    event = models.CharField(_("event"), max_length=60, blank=True, default="")
    urgent = models.BooleanField(_("urgent"), default=False)
    state = models.CharField(_("state"), max_length=15, choices=State, default=State.QUEUED)
    attempts = models.IntegerField(_("attempts"), default=0)
    next_attempt_at = models.DateTimeField(_("next attempt at"), default=timezone.now)
    claimed_at = models.DateTimeField(_("claimed at"), null=True, blank=True)
    delivered_at = models.DateTimeField(_("delivered at"), null=True, blank=True)
    last_error = models.TextField(_("last error"), blank=True, default="")
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)

    class Meta:
        verbose_name = _("outgoing message")
        verbose_name_plural = _("outgoing messages")
        constraints = [
            models.UniqueConstraint(fields=["key"], name="outbox_once_per_key"),
            models.CheckConstraint(
                condition=models.Q(
                    state__in=[
                        "queued",
                        "in_flight",
                        "awaiting_retry",
                        "delivered",
                        "dead",
                        "dropped",
                    ]
                ),
                name="outbox_state_known",
            ),
        ]
        indexes = [
            models.Index(
                fields=["next_attempt_at", "id"],
                condition=models.Q(state__in=["queued", "awaiting_retry"], channel__isnull=True),
                name="outbox_pending",
            ),
            models.Index(
                fields=["channel", "next_attempt_at", "id"],
                condition=models.Q(state__in=["queued", "awaiting_retry"], channel__isnull=False),
                name="outbox_to_send",
            ),
            models.Index(
                fields=["state", "-id"],
                condition=models.Q(channel__isnull=False),
                name="outbox_letters",
            ),
            models.Index(
                fields=["channel", "-id"],
                condition=models.Q(event="trial"),
                name="outbox_trials",
            ),
            models.Index(
                fields=["claimed_at"],
                condition=models.Q(state="in_flight"),
                name="outbox_in_flight",
            ),
            models.Index(
                fields=["-id"], condition=models.Q(state="dead"), name="outbox_dead_letters"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.topic} {self.key}"
