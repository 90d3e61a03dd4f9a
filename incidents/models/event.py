"""The timeline: append-only, guarded by a trigger."""

from uuid import UUID

import pgtrigger
from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.utils.translation import gettext_lazy as _

from grids.models import User
from incidents.models.incident import Incident, State


class ActorKind(models.TextChoices):
    """Who acted."""

    USER = "user", _("Staff")
    RESIDENT = "resident", _("Resident")
    SYSTEM = "system", _("System")
    AI = "ai", _("AI")


class Event(models.Model):
    """One thing that happened to a case: who, when, what, why.

    ``public`` rows are shown to the reporter (without names of staff).
    ``data`` holds what the step decided, in a shape its action documents.
    """

    incident = models.ForeignKey(
        Incident, models.PROTECT, related_name="events", db_index=False, verbose_name=_("incident")
    )
    seq = models.PositiveIntegerField(_("row number"))
    at = models.DateTimeField(_("time"))
    action = models.CharField(_("step"), max_length=30)
    actor_kind = models.CharField(_("kind of actor"), max_length=10, choices=ActorKind.choices)
    actor = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("actor")
    )
    actor_place = models.CharField(_("post of the actor"), max_length=100, blank=True)
    from_state = models.CharField(
        _("state before"), max_length=12, choices=State.choices, blank=True
    )
    to_state = models.CharField(_("state after"), max_length=12, choices=State.choices, blank=True)
    note = models.TextField(_("note"), blank=True)
    data = models.JSONField(_("details"), default=dict, blank=True)
    public = models.BooleanField(_("shown to the reporter"), default=False)

    # What queries.timeline adds.
    photo_ids: list[UUID]

    class Meta:
        verbose_name = _("timeline row")
        verbose_name_plural = _("timeline")
        constraints = [
            models.UniqueConstraint(fields=["incident", "seq"], name="event_once_per_seq"),
        ]
        # What happened in a time, over all cases; rows come in order of time.
        indexes = [BrinIndex(fields=["at"], name="event_by_time", autosummarize=True)]
        triggers = [
            pgtrigger.Protect(
                name="timeline_is_append_only", operation=pgtrigger.Update | pgtrigger.Delete
            )
        ]

    def __str__(self) -> str:
        return f"{self.incident_id}/{self.seq} {self.action}"
