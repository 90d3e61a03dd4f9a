"""Where connected systems are told what happens to cases, and what became of each telling.

What must not live here: bodies, signatures and sending (services/hook_sending.py).
"""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from core.fields import EncryptedTextField
from core.models import OutboxMessage
from incidents.models.incident import Incident
from incidents.models.system import System


class HookEvent(models.TextChoices):
    """What a system may be told of a case."""

    REPORTED = "case.reported", _("Reported")
    STATE_CHANGED = "case.state_changed", _("State changed")
    CLOSED = "case.closed", _("Closed")
    RATED = "case.rated", _("Rated")
    REOPENED = "case.reopened", _("Opened again")


# Asked for by a person to see whether it arrives; about no case.
TRIAL = "test"


class Webhook(models.Model):
    """The address a system is told at.

    ``secret`` signs; ``old_secret`` signs beside it until ``old_secret_until``, so that the other
    side can change over. ``address`` may hold a token. ``failures`` counts deliveries in a row that
    did not arrive, ``paused_until`` is the back-off they cause; with ``stopped_at`` nothing is sent
    until a person lets it go on. ``own_only``: only cases the system sent itself.
    """

    system = models.OneToOneField(
        System, models.CASCADE, primary_key=True, related_name="webhook", verbose_name=_("system")
    )
    address = EncryptedTextField(_("address"))
    events = ArrayField(models.CharField(max_length=20, choices=HookEvent.choices), default=list)
    own_only = models.BooleanField(_("only cases it sent itself"), default=True)
    active = models.BooleanField(_("active"), default=True)
    secret = EncryptedTextField(editable=False)
    old_secret = EncryptedTextField(blank=True, default="", editable=False)
    old_secret_until = models.DateTimeField(null=True, editable=False)
    failures = models.PositiveIntegerField(default=0, editable=False)
    paused_until = models.DateTimeField(null=True, editable=False)
    stopped_at = models.DateTimeField(null=True, editable=False)
    last_problem = models.CharField(max_length=200, blank=True, editable=False)
    last_sent_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        verbose_name = _("webhook")
        verbose_name_plural = _("webhooks")

    def __str__(self) -> str:
        return str(self.system)


class HookDelivery(models.Model):
    """One event to be told at one webhook: ids only, the body is made when it goes.

    ``event_id`` is the same however often it is sent. ``seq`` is the timeline row told of; both
    it and ``incident`` are empty for a trial.
    """

    State = OutboxMessage.State

    webhook = models.ForeignKey(
        Webhook,
        models.CASCADE,
        related_name="deliveries",
        db_index=False,
        verbose_name=_("webhook"),
    )
    event_id = models.UUIDField()
    event = models.CharField(_("event"), max_length=20)
    incident = models.ForeignKey(
        Incident,
        models.PROTECT,
        null=True,
        related_name="+",
        db_index=False,
        verbose_name=_("incident"),
    )
    seq = models.PositiveIntegerField(null=True)
    state = models.CharField(
        _("state"), max_length=15, choices=OutboxMessage.State, default=OutboxMessage.State.QUEUED
    )
    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    next_attempt_at = models.DateTimeField(_("next attempt at"), default=timezone.now)
    claimed_at = models.DateTimeField(null=True)
    delivered_at = models.DateTimeField(_("delivered at"), null=True)
    made_at = models.DateTimeField(_("made at"), default=timezone.now)

    class Meta:
        verbose_name = _("delivery")
        verbose_name_plural = _("deliveries")
        constraints = [
            models.UniqueConstraint(fields=["webhook", "event_id"], name="hook_delivery_once"),
            models.CheckConstraint(
                name="hook_delivery_state_known",
                condition=Q(
                    state__in=[
                        "queued",
                        "in_flight",
                        "awaiting_retry",
                        "delivered",
                        "dead",
                        "dropped",
                    ]
                ),
            ),
        ]
        indexes = [
            models.Index(
                fields=["webhook", "next_attempt_at", "id"],
                condition=Q(state__in=["queued", "awaiting_retry"]),
                name="hook_delivery_due",
            ),
            models.Index(
                fields=["claimed_at"],
                condition=Q(state="in_flight"),
                name="hook_delivery_in_flight",
            ),
            models.Index(fields=["webhook", "-id"], name="hook_delivery_new"),
            models.Index(fields=["webhook", "state", "-id"], name="hook_delivery_state"),
            models.Index(fields=["made_at"], name="hook_delivery_made"),
        ]

    def __str__(self) -> str:
        return f"{self.event} {self.event_id}"


class HookAttempt(models.Model):
    """One try: the status that came back, if any, how long it took, the answer's beginning."""

    delivery = models.ForeignKey(HookDelivery, models.CASCADE, related_name="tries")
    at = models.DateTimeField(_("time"))
    status = models.PositiveSmallIntegerField(_("status"), null=True)
    ms = models.PositiveIntegerField(_("milliseconds"))
    problem = models.CharField(max_length=200, blank=True)
    answer = models.CharField(_("answer"), max_length=500, blank=True)

    class Meta:
        verbose_name = _("attempt")
        verbose_name_plural = _("attempts")

    def __str__(self) -> str:
        return f"{self.delivery_id} {self.status}"
