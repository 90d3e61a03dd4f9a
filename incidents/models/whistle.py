"""The whistle: one lead and several co-handlers called in to one case."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from grids.models import Department, User
from incidents.models.incident import Incident


class Whistle(models.Model):
    """One blowing of the whistle. ``needless`` is judged when it is closed."""

    incident = models.ForeignKey(Incident, models.PROTECT, related_name="whistles")
    round = models.PositiveSmallIntegerField()
    ask = models.TextField(_("what is asked"))
    meet_at = models.DateTimeField(_("meet at"), null=True, blank=True)
    meet_place = models.CharField(_("meeting place"), max_length=200, blank=True)
    blown_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    blown_at = models.DateTimeField()
    ruling = models.TextField(_("ruling"), blank=True)
    ruled_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    closed_at = models.DateTimeField(null=True, blank=True)
    needless = models.BooleanField(_("was not needed"), null=True, blank=True)

    class Meta:
        verbose_name = _("whistle")
        verbose_name_plural = _("whistles")
        constraints = [
            models.UniqueConstraint(
                fields=["incident"],
                condition=Q(closed_at__isnull=True),
                name="whistle_one_open_per_case",
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"


class PartyState(models.TextChoices):
    """How far a called department has come."""

    CALLED = "called", _("Called")
    ACCEPTED = "accepted", _("Accepted")
    ARRIVED = "arrived", _("Arrived")
    ANSWERED = "answered", _("Answered")
    SIGNED = "signed", _("Signed")
    DISSENTED = "dissented", _("Dissents")


class WhistleParty(models.Model):
    """One department called in, accepting, arriving and answering for itself."""

    whistle = models.ForeignKey(Whistle, models.PROTECT, related_name="parties")
    department = models.ForeignKey(Department, models.PROTECT, related_name="whistle_parties")
    is_lead = models.BooleanField(_("lead"))
    ask = models.TextField(_("what is asked of it"), blank=True)
    state = models.CharField(
        _("state"), max_length=10, choices=PartyState.choices, default=PartyState.CALLED
    )
    accepted_at = models.DateTimeField(null=True, blank=True)
    arrived_at = models.DateTimeField(null=True, blank=True)
    answered_at = models.DateTimeField(null=True, blank=True)
    signed_at = models.DateTimeField(null=True, blank=True)
    opinion = models.TextField(_("opinion"), blank=True)
    dissent = models.TextField(_("dissent"), blank=True)
    handler = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        verbose_name = _("whistle party")
        verbose_name_plural = _("whistle parties")
        ordering = ["-is_lead", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["whistle", "department"], name="party_once_per_whistle"
            ),
            models.UniqueConstraint(
                fields=["whistle"], condition=Q(is_lead=True), name="whistle_has_one_lead"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.department} {self.get_state_display()}"
