"""Photos: re-encoded, without metadata, handed out only after asking who looks."""

import uuid

from django.db import models
from django.utils.translation import gettext_lazy as _

from grids.models import User
from incidents.models.event import Event
from incidents.models.incident import Incident


def stored_name(instance: "Attachment", _filename: str) -> str:
    """Return a path that nothing about the case or the sender can guess."""
    name = uuid.uuid4().hex
    return f"photos/{name[:2]}/{name}.jpg"


class Attachment(models.Model):
    """A photo. Without an incident it is a draft that only its uploader's key opens."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    incident = models.ForeignKey(
        Incident, models.PROTECT, null=True, blank=True, related_name="photos"
    )
    event = models.ForeignKey(Event, models.PROTECT, null=True, blank=True, related_name="photos")
    draft_key = models.CharField(max_length=64, blank=True)
    file = models.FileField(upload_to=stored_name)
    sha256 = models.CharField(max_length=64)
    width = models.PositiveIntegerField()
    height = models.PositiveIntegerField()
    uploaded_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("photo")
        verbose_name_plural = _("photos")

    def __str__(self) -> str:
        return str(self.pk)
