"""Other systems that send to us or hear from us: their keys, what these open, how much they use.

What must not live here: a key in clear. It is shown once when it is made; the row keeps its hash.
"""

import uuid

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from core.fields import EncryptedTextField
from grids.models import Area
from incidents.models.catalogue import Category
from incidents.models.incident import Incident


class SystemRight(models.TextChoices):
    """What a key opens beyond what is public anyway."""

    REPORT = "report", _("Send reports")
    UPDATE = "update", _("Send updates about its own reports")
    READ_OWN = "read_own", _("Read what became of its own reports")
    READ = "read", _("Read public cases of its areas and items")


class System(models.Model):
    """A system outside the house that calls in with a key of its own.

    ``key_hash`` is the SHA-256 of the key (256 random bits, so no salt and no slow hash), empty
    until one is made; ``key_hint`` its first characters. Every call of the API counts for both
    quotas, of Open311 those that write. ``areas`` and ``items`` bound what it hears of cases it
    did not send: none of one means the whole county, or all published items. ``namespace`` makes
    the system's own numbers unlike those of any other.
    """

    name = models.CharField(_("name"), max_length=60, unique=True)
    contact = EncryptedTextField(
        _("contact"), blank=True, default="", help_text=_("Who looks after it over there.")
    )
    scopes = ArrayField(
        models.CharField(max_length=10, choices=SystemRight.choices),
        verbose_name=_("rights"),
        default=list,
        blank=True,
    )
    daily_quota = models.PositiveIntegerField(_("calls a day"), default=1000)
    minute_quota = models.PositiveIntegerField(_("calls a minute"), default=600)
    areas = models.ManyToManyField(Area, verbose_name=_("areas"), related_name="+", blank=True)
    items = models.ManyToManyField(Category, verbose_name=_("items"), related_name="+", blank=True)
    active = models.BooleanField(_("active"), default=True)
    key_hash = models.CharField(max_length=64, unique=True, null=True, editable=False)
    key_hint = models.CharField(max_length=8, blank=True, editable=False)
    key_made_at = models.DateTimeField(_("key made at"), null=True, editable=False)
    namespace = models.UUIDField(default=uuid.uuid4, editable=False)
    created_at = models.DateTimeField(_("added at"), default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("connected system")
        verbose_name_plural = _("connected systems")
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                name="system_quota_positive", condition=Q(daily_quota__gt=0, minute_quota__gt=0)
            ),
        ]

    def __str__(self) -> str:
        return self.name


class SystemDay(models.Model):
    """How much a system called in on a day; ``refused`` are the calls past its quota."""

    system = models.ForeignKey(System, models.CASCADE, related_name="days")
    day = models.DateField(_("day"))
    calls = models.PositiveIntegerField(_("calls"), default=0)
    refused = models.PositiveIntegerField(_("refused"), default=0)
    last_at = models.DateTimeField(_("last call"), default=timezone.now)

    class Meta:
        verbose_name = _("day of a system")
        verbose_name_plural = _("days of systems")
        constraints = [
            models.UniqueConstraint(fields=["system", "day"], name="system_day_once"),
        ]

    def __str__(self) -> str:
        return f"{self.system_id} {self.day} {self.calls}"


class SentCase(models.Model):
    """A case another system sent, by its own number ``external_id`` if it gave one.

    ``for_public``: it came by a door whose words everybody may read. ``called_at`` is when somebody
    called there, ``due_at`` until when they want it resolved, if they say so.
    """

    incident = models.OneToOneField(Incident, models.PROTECT, primary_key=True, related_name="sent")
    system = models.ForeignKey(
        System, models.PROTECT, related_name="sent", verbose_name=_("connected system")
    )
    external_id = models.CharField(_("number over there"), max_length=64, blank=True)
    for_public = models.BooleanField(default=False)
    called_at = models.DateTimeField(_("called at"), null=True, blank=True)
    due_at = models.DateTimeField(_("wanted by"), null=True, blank=True)

    class Meta:
        verbose_name = _("case of another system")
        verbose_name_plural = _("cases of other systems")
        constraints = [
            models.UniqueConstraint(
                fields=["system", "external_id"],
                condition=~Q(external_id=""),
                name="sent_case_once_per_number",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.system_id} {self.external_id}"
