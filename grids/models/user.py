"""People who sign in. What they may do follows from postings, never from flags here."""

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.utils.translation import gettext_lazy as _

from core.fields import EncryptedTextField


class User(AbstractUser):
    """A person with an account.

    ``display_name`` is shown to colleagues; phone and ID number are encrypted at rest,
    with an index beside each for exact look-up; an ID number stands once among active people.
    A password that somebody else set must be changed; ``second_factor_due`` is the last day before
    a second factor is asked of whoever has none.
    ``is_staff`` opens the administration site only; rights come from postings.
    """

    display_name = models.CharField(_("name"), max_length=50)
    phone = EncryptedTextField(_("phone"), blank=True, default="")
    phone_index = models.CharField(max_length=64, blank=True, editable=False, db_index=True)
    id_number = EncryptedTextField(_("ID number"), blank=True, default="")
    id_index = models.CharField(max_length=64, blank=True, editable=False)
    must_change_password = models.BooleanField(_("must change the password"), default=False)
    second_factor_due = models.DateField(_("second factor due"), null=True, blank=True)
    is_demo = models.BooleanField(_("demonstration account"), default=False)

    REQUIRED_FIELDS = ["display_name"]

    class Meta(AbstractUser.Meta):  # type: ignore[name-defined]
        swappable = "AUTH_USER_MODEL"
        indexes = [models.Index(fields=["display_name", "id"], name="user_by_name")]
        constraints = [
            models.UniqueConstraint(
                fields=["id_index"],
                condition=models.Q(is_active=True) & ~models.Q(id_index=""),
                name="user_id_number_once",
                violation_error_message=_("Somebody with this ID number is on the roster already."),
            )
        ]

    def __str__(self) -> str:
        return self.display_name or self.username
