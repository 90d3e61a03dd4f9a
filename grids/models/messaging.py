"""Who receives what by which channel, beyond the bell.

What must not live here: channels themselves (core) and the telling (services/telling.py).
"""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from core.channels.events import Group
from core.fields import EncryptedTextField
from core.models import Channel
from grids.models.area import Area
from grids.models.department import Department
from grids.models.posting import Role
from grids.models.user import User


class MessageSettings(models.Model):
    """Where and in which language a person reads messages; the phone is the roster's."""

    user = models.OneToOneField(
        User, models.CASCADE, primary_key=True, related_name="message_settings"
    )
    language = models.CharField(_("language"), max_length=10, blank=True, default="")
    email = EncryptedTextField(_("e-mail"), blank=True, default="")

    class Meta:
        verbose_name = _("message settings")
        verbose_name_plural = _("message settings")

    def __str__(self) -> str:
        return f"#{self.pk}"


class Subscription(models.Model):
    """A group of events goes by a channel to a person, or into a group chat.

    A person is told what the bell tells them. A group chat is told what the bell tells everybody
    of a role in an area, at any place below it, or a department.
    """

    channel = models.ForeignKey(Channel, models.CASCADE, related_name="subscriptions")
    group = models.CharField(_("kind of message"), max_length=10, choices=Group)
    user = models.ForeignKey(
        User, models.CASCADE, null=True, blank=True, related_name="subscriptions"
    )
    role = models.CharField(_("role"), max_length=20, choices=Role, blank=True, default="")
    area = models.ForeignKey(Area, models.CASCADE, null=True, blank=True, related_name="+")
    department = models.ForeignKey(
        Department, models.CASCADE, null=True, blank=True, related_name="+"
    )

    class Meta:
        verbose_name = _("subscription")
        verbose_name_plural = _("subscriptions")
        constraints = [
            models.CheckConstraint(
                name="subscription_is_of_a_person_a_role_or_a_department",
                condition=(
                    Q(user__isnull=False, role="", area__isnull=True, department__isnull=True)
                    | (
                        Q(user__isnull=True, area__isnull=False, department__isnull=True)
                        & ~Q(role="")
                    )
                    | Q(user__isnull=True, role="", area__isnull=True, department__isnull=False)
                ),
            ),
            models.UniqueConstraint(
                name="subscription_once",
                fields=["channel", "group", "user", "role", "area", "department"],
                nulls_distinct=False,
            ),
        ]
        indexes = [models.Index(fields=["user"], name="subscription_user")]

    def __str__(self) -> str:
        return f"{self.channel_id} {self.group}"
