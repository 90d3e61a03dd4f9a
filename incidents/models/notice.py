"""What a person reads on their desk: something now waits for their role."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from grids.models import Area, Department, User
from incidents.models.incident import Incident


class Notice(models.Model):
    """One line for whoever holds ``role`` at ``area``, works in ``department``, or is ``user``.

    ``key`` makes delivery effective once, however often the outbox repeats it.
    """

    key = models.CharField(max_length=120)
    incident = models.ForeignKey(
        Incident, models.CASCADE, null=True, blank=True, related_name="notices"
    )
    kind = models.CharField(max_length=30)
    role = models.CharField(max_length=20, blank=True)
    area = models.ForeignKey(
        Area, models.CASCADE, null=True, blank=True, related_name="+", db_index=False
    )
    department = models.ForeignKey(
        Department, models.CASCADE, null=True, blank=True, related_name="+", db_index=False
    )
    user = models.ForeignKey(
        User, models.CASCADE, null=True, blank=True, related_name="+", db_index=False
    )
    data = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField()
    read_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("notice")
        verbose_name_plural = _("notices")
        constraints = [models.UniqueConstraint(fields=["key"], name="notice_once_per_key")]
        indexes = [
            models.Index(fields=["area", "role", "-id"]),
            models.Index(fields=["department", "-id"]),
            models.Index(fields=["user", "-id"]),
        ]

    def __str__(self) -> str:
        return self.key
