"""What the file of a dispute holds: sessions, agreement, follow-ups.

What lives here: the rows and what is always true of them. What must not: the steps.
"""

from datetime import date, timedelta

import pgtrigger
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from core.fields import EncryptedTextField
from grids.models import User
from mediation.models.choices import (
    NOT_CONFIRMABLE,
    AgreementForm,
    Kind,
    Performance,
    StepOutcome,
)
from mediation.models.dispute import Dispute

# Parties may ask a court to confirm the agreement jointly within these days of its date
# (People's Mediation Law, art. 33).
COURT_CONFIRMATION_DAYS = 30


class StepRecord(models.Model):
    """One session of one of the four steps. Append-only; ``record`` is part of the file."""

    dispute = models.ForeignKey(Dispute, models.PROTECT, related_name="step_records")
    step = models.PositiveSmallIntegerField(_("step"))
    held_at = models.DateTimeField(_("held at"))
    place = models.CharField(_("place"), max_length=100)
    mediator_names = EncryptedTextField(_("who mediated"))
    record = EncryptedTextField(_("record"))
    outcome = models.CharField(_("outcome"), max_length=8, choices=StepOutcome.choices)
    recorded_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    recorded_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name = _("session record")
        verbose_name_plural = _("session records")
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(
                name="step_record_one_of_four", condition=Q(step__gte=1, step__lte=4)
            ),
            models.CheckConstraint(
                name="step_record_no_step_after_the_fourth",
                condition=~Q(step=4, outcome="next"),
            ),
        ]
        triggers = [
            pgtrigger.Protect(
                name="step_record_is_append_only", operation=pgtrigger.Update | pgtrigger.Delete
            )
        ]

    def __str__(self) -> str:
        return f"{self.dispute_id}/{self.step}"


class Agreement(models.Model):
    """What the parties agreed (People's Mediation Law, art. 28–29).

    ``parties`` is who signed, as they were on that day. A written agreement stands only
    with both signatures, the mediator's and the committee's seal; an oral one is recorded.
    ``kind`` repeats the dispute's, so that the database refuses what a court may not confirm.
    """

    dispute = models.OneToOneField(Dispute, models.PROTECT, related_name="agreement")
    form = models.CharField(_("form"), max_length=7, choices=AgreementForm.choices)
    kind = models.CharField(max_length=12, choices=Kind.choices)
    parties = EncryptedTextField(_("parties"))
    facts = EncryptedTextField(_("main facts"))
    responsibilities = EncryptedTextField(_("disputes and responsibilities"))
    content = EncryptedTextField(_("content of the agreement"))
    manner = EncryptedTextField(_("manner of performance"))
    performance_due = models.DateField(_("term of performance"))
    signed_on = models.DateField(_("date of the agreement"))
    party_a_signed = models.BooleanField(_("party A has signed"), default=False)
    party_b_signed = models.BooleanField(_("party B has signed"), default=False)
    mediator_signature = models.CharField(_("signature of the mediator"), max_length=50)
    sealed = models.BooleanField(_("sealed by the committee"), default=False)
    court_confirmation_asked_on = models.DateField(
        _("both parties asked the court to confirm it on"), null=True, blank=True
    )
    recorded_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    recorded_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name = _("mediation agreement")
        verbose_name_plural = _("mediation agreements")
        constraints = [
            models.CheckConstraint(
                name="agreement_written_is_signed_and_sealed",
                condition=Q(form="oral")
                | (
                    Q(party_a_signed=True, party_b_signed=True, sealed=True)
                    & ~Q(mediator_signature="")
                ),
                violation_error_message=_(
                    "A written agreement needs both parties' signatures, "
                    "the mediator's and the committee's seal."
                ),
            ),
            models.CheckConstraint(
                name="agreement_performed_after_signing",
                condition=Q(performance_due__gte=F("signed_on")),
                violation_error_message=_("The term of performance ends after the signing."),
            ),
            models.CheckConstraint(
                name="agreement_court_within_thirty_days",
                condition=Q(court_confirmation_asked_on__isnull=True)
                | Q(
                    court_confirmation_asked_on__gte=F("signed_on"),
                    court_confirmation_asked_on__lte=F("signed_on")
                    + timedelta(days=COURT_CONFIRMATION_DAYS),
                ),
                violation_error_message=_("A court is asked within 30 days of the agreement."),
            ),
            models.CheckConstraint(
                name="agreement_court_not_for_personal_status",
                condition=Q(court_confirmation_asked_on__isnull=True)
                | ~Q(kind__in=sorted(NOT_CONFIRMABLE)),
                violation_error_message=_(
                    "A court does not confirm agreements on identity, adoption or marriage."
                ),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.dispute_id}"

    @property
    def court_until(self) -> date | None:
        """The last day on which the parties may ask a court, or None for excluded kinds."""
        if self.kind in NOT_CONFIRMABLE:
            return None
        return self.signed_on + timedelta(days=COURT_CONFIRMATION_DAYS)


class FollowUp(models.Model):
    """One look at how far the agreement is performed. Append-only."""

    dispute = models.ForeignKey(Dispute, models.PROTECT, related_name="follow_ups")
    day = models.DateField(_("day of the visit"))
    performed = models.CharField(_("performance"), max_length=6, choices=Performance.choices)
    note = EncryptedTextField(_("note"), blank=True, default="")
    next_on = models.DateField(_("next visit on"), null=True, blank=True)
    recorded_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    recorded_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name = _("follow-up visit")
        verbose_name_plural = _("follow-up visits")
        ordering = ["id"]
        triggers = [
            pgtrigger.Protect(
                name="follow_up_is_append_only", operation=pgtrigger.Update | pgtrigger.Delete
            )
        ]

    def __str__(self) -> str:
        return f"{self.dispute_id} {self.day}"
