"""Channels by which messages leave, and the words an administrator gave them.

What must not live here: speaking to a channel (core.channels) and who receives what.
"""

import json
from datetime import datetime, time, timedelta
from typing import Any

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from core.fields import EncryptedTextField


class Channel(models.Model):
    """One way out, off until an administrator switches it on.

    ``address`` is a URL (of a robot with its token in it) or a mail server's name; ``options`` hold
    what is no secret, ``secrets`` what is: ``key`` to sign or sign in with, ``extra`` for what a
    gateway wants beside phone and text. Between ``quiet_from`` and ``quiet_until`` only urgent
    messages go. ``paused_until`` is set while the other side takes nothing.
    """

    class Kind(models.TextChoices):
        SMS = "sms", _("SMS gateway")
        WECOM = "wecom", _("WeCom group robot")
        DINGTALK = "dingtalk", _("DingTalk group robot")
        FEISHU = "feishu", _("Feishu group robot")
        MAIL = "mail", _("E-mail")

    # One address of their own for each person; the others speak into one group.
    PERSONAL = frozenset({Kind.SMS, Kind.MAIL})

    kind = models.CharField(_("kind"), max_length=10, choices=Kind)
    name = models.CharField(_("name"), max_length=40, unique=True)
    active = models.BooleanField(_("switched on"), default=False)
    address = EncryptedTextField(_("address"), blank=True, default="")
    secret = EncryptedTextField(_("secret"), blank=True, default="")
    options = models.JSONField(_("options"), default=dict, blank=True)
    quiet_from = models.TimeField(_("quiet from"), null=True, blank=True)
    quiet_until = models.TimeField(_("quiet until"), null=True, blank=True)
    version = models.IntegerField(default=0)
    failures = models.IntegerField(default=0)
    paused_until = models.DateTimeField(null=True, blank=True)
    last_error = models.CharField(max_length=200, blank=True, default="")
    last_sent_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("channel")
        verbose_name_plural = _("channels")
        constraints = [
            models.CheckConstraint(
                name="channel_quiet_hours_have_two_ends",
                condition=Q(quiet_from__isnull=True, quiet_until__isnull=True)
                | (
                    Q(quiet_from__isnull=False, quiet_until__isnull=False)
                    & ~Q(quiet_from=models.F("quiet_until"))
                ),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def secrets(self) -> dict[str, Any]:
        """What stands encrypted in ``secret``."""
        return json.loads(self.secret) if self.secret else {}

    @secrets.setter
    def secrets(self, values: dict[str, Any]) -> None:
        self.secret = json.dumps(values, ensure_ascii=False) if values else ""

    @property
    def is_personal(self) -> bool:
        """Whether each person has an address of their own on it."""
        return self.kind in self.PERSONAL

    def open_from(self, at: datetime) -> datetime:
        """Return the first moment, ``at`` or later, outside the quiet hours."""
        start, end = self.quiet_from, self.quiet_until
        if start is None or end is None:
            return at
        local = timezone.localtime(at)
        if not _within(local.time(), start, end):
            return at
        day = local.date()
        if start > end and local.time() >= start:
            day += timedelta(days=1)
        return timezone.make_aware(datetime.combine(day, end))


def _within(moment: time, start: time, end: time) -> bool:
    return start <= moment < end if start < end else moment >= start or moment < end


class MessageTemplate(models.Model):
    """Words that stand in place of the shipped ones, for an event and a language."""

    kind = models.CharField(max_length=60)
    language = models.CharField(max_length=10)
    subject = models.CharField(max_length=100)
    text = models.CharField(max_length=500)
    version = models.IntegerField(default=0)
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name = _("message template")
        verbose_name_plural = _("message templates")
        constraints = [
            models.UniqueConstraint(fields=["kind", "language"], name="template_once"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.language}"
