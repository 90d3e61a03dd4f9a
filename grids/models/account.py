"""What an account signs in with besides its password, and where it is signed in.

What must not live here: checking any of it (services/second_factor.py, services/sessions.py).
"""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from core.fields import EncryptedTextField
from grids.models.user import User


class Authenticator(models.Model):
    """A second factor: an app that counts codes (TOTP, RFC 6238) or a passkey (WebAuthn).

    ``secret`` is the app's key in base32, or the passkey's attested data in base64.
    ``last_used`` never goes down, so nothing is taken twice: the app's last time step, or the
    passkey's signature counter.
    """

    class Kind(models.TextChoices):
        TOTP = "totp", _("Authenticator app")
        PASSKEY = "passkey", _("Passkey")

    user = models.ForeignKey(
        User, models.CASCADE, related_name="authenticators", verbose_name=_("user")
    )
    kind = models.CharField(_("kind"), max_length=10, choices=Kind.choices)
    name = models.CharField(_("name"), max_length=50)
    secret = EncryptedTextField(_("secret"))
    credential_id = models.CharField(_("credential"), max_length=1400, blank=True, default="")
    last_used = models.BigIntegerField(_("last used"), default=0)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    used_at = models.DateTimeField(_("used at"), null=True, blank=True)

    class Meta:
        verbose_name = _("authenticator")
        verbose_name_plural = _("authenticators")
        constraints = [
            models.UniqueConstraint(
                fields=["user"], condition=Q(kind="totp"), name="authenticator_one_app"
            ),
            models.UniqueConstraint(
                fields=["credential_id"],
                condition=Q(kind="passkey"),
                name="authenticator_passkey_once",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class RecoveryCode(models.Model):
    """A code that stands in for a second factor once; only its keyed digest is kept."""

    user = models.ForeignKey(
        User, models.CASCADE, related_name="recovery_codes", verbose_name=_("user")
    )
    digest = models.CharField(_("digest"), max_length=64)
    used_at = models.DateTimeField(_("used at"), null=True, blank=True)

    class Meta:
        verbose_name = _("recovery code")
        verbose_name_plural = _("recovery codes")
        constraints = [
            models.UniqueConstraint(fields=["user", "digest"], name="recovery_code_once")
        ]

    def __str__(self) -> str:
        return f"{self.user_id}"


class UserSession(models.Model):
    """Where somebody is signed in. The session itself is Django's; without it this row is void."""

    session_key = models.CharField(_("session"), max_length=40, primary_key=True)
    user = models.ForeignKey(User, models.CASCADE, related_name="sessions", verbose_name=_("user"))
    began_at = models.DateTimeField(_("began at"), auto_now_add=True)
    seen_at = models.DateTimeField(_("seen at"), db_index=True)
    ip = models.GenericIPAddressField(_("IP address"), null=True, blank=True)
    device = models.CharField(_("device"), max_length=200, blank=True)

    class Meta:
        verbose_name = _("signed-in session")
        verbose_name_plural = _("signed-in sessions")

    def __str__(self) -> str:
        return f"{self.user_id} {self.device}"
