"""Call-back and rating."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from grids.models import User
from incidents.models.incident import Incident


class Score(models.TextChoices):
    """The three ratings."""

    SATISFIED = "satisfied", _("Satisfied")
    BASIC = "basic", _("Basically satisfied")
    DISSATISFIED = "dissatisfied", _("Dissatisfied")


class CallBack(models.Model):
    """One request for a rating, with the token of its link.

    With a ``twin`` it was made to the reporter of that case, which was merged into this one.
    ``score`` empty means nobody answered, which is not satisfaction.
    """

    incident = models.ForeignKey(Incident, models.PROTECT, related_name="callbacks", db_index=False)
    twin = models.ForeignKey(
        Incident, models.PROTECT, null=True, blank=True, related_name="asked_as_twin"
    )
    round = models.PositiveSmallIntegerField()
    token = models.CharField(max_length=43)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    score = models.CharField(_("rating"), max_length=12, choices=Score.choices, blank=True)
    solved = models.BooleanField(_("solved"), null=True, blank=True)
    comment = models.TextField(_("comment"), blank=True)
    answered_at = models.DateTimeField(null=True, blank=True)
    recorded_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")

    class Meta:
        verbose_name = _("call-back")
        verbose_name_plural = _("call-backs")
        constraints = [
            models.UniqueConstraint(fields=["token"], name="callback_once_per_token"),
            models.UniqueConstraint(
                fields=["incident", "round", "twin"],
                name="callback_once_per_round_and_reporter",
                nulls_distinct=False,
            ),
            models.CheckConstraint(
                name="callback_answered_whole",
                condition=Q(answered_at__isnull=True, score="", solved__isnull=True)
                | (Q(answered_at__isnull=False, solved__isnull=False) & ~Q(score="")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.incident_id}/{self.round}"

    @property
    def is_good(self) -> bool:
        """Whether the reporter accepts the result."""
        return self.score in {Score.SATISFIED, Score.BASIC} and self.solved is True
