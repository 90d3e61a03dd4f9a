"""Who did or saw what, and the chain that shows nobody changed it since.

Entries are written by core.services.audit and never change; seals by core.services.sealing.
What must not live here: what the bytes of an entry are (core.sealing).
"""

import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

# Actions by which somebody saw personal data in full begin with this.
REVEAL = "reveal."
_LOOKS = Q(action__startswith=REVEAL)


def _append_only() -> pgtrigger.Protect:
    return pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete)


class AuditEntry(models.Model):
    """One act, by a person or (``actor`` null) by the system or the public.

    ``town_id``, ``village_id`` and ``grid_id`` say where its subject was at that moment; this
    floor knows no areas, so they are plain numbers.
    """

    at = models.DateTimeField(_("at"), auto_now_add=True)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("actor"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        db_index=False,
    )
    action = models.CharField(_("action"), max_length=60)
    subject_type = models.CharField(_("subject type"), max_length=20)
    subject_id = models.BigIntegerField(_("subject id"), null=True, blank=True)
    data = models.JSONField(_("data"), default=dict, blank=True)
    ip = models.GenericIPAddressField(_("IP address"), null=True, blank=True)
    town_id = models.BigIntegerField(_("town"), null=True, blank=True)
    village_id = models.BigIntegerField(_("village"), null=True, blank=True)
    grid_id = models.BigIntegerField(_("grid"), null=True, blank=True)

    class Meta:
        verbose_name = _("audit entry")
        verbose_name_plural = _("audit entries")
        indexes = [
            models.Index(fields=["subject_type", "subject_id", "id"], name="audit_subject"),
            models.Index(fields=["actor", "id"], name="audit_actor"),
            models.Index(fields=["action", "id"], name="audit_action"),
            models.Index(
                fields=["town_id", "id"], name="audit_town", condition=Q(town_id__isnull=False)
            ),
            models.Index(fields=["id"], name="audit_looks", condition=_LOOKS),
            models.Index(fields=["town_id", "id"], name="audit_looks_town", condition=_LOOKS),
            models.Index(fields=["village_id", "id"], name="audit_looks_village", condition=_LOOKS),
            models.Index(fields=["grid_id", "id"], name="audit_looks_grid", condition=_LOOKS),
        ]
        triggers = [_append_only()]

    def __str__(self) -> str:
        return f"{self.action} {self.subject_type} {self.subject_id or ''}".rstrip()


class AuditSeal(models.Model):
    """A link of the chain: the entry at ``position`` (from 1) and the digest up to it.

    ``digest`` is SHA-256 over the digest before and the bytes of the entry. The entry is a plain
    number, so that one that was removed leaves its seal behind.
    """

    position = models.BigIntegerField(_("position"), primary_key=True)
    entry_id = models.BigIntegerField(_("audit entry"), unique=True)
    digest = models.BinaryField(_("digest"), max_length=32)

    class Meta:
        verbose_name = _("audit seal")
        verbose_name_plural = _("audit seals")
        triggers = [_append_only()]

    def __str__(self) -> str:
        return f"{self.position} {bytes(self.digest).hex()}"


class AuditChain(models.Model):
    """How far the chain has come: one row.

    Every entry up to ``settled_id`` that will ever be there is sealed. ``anchored_at`` is when
    the digest was last told outside the database.
    """

    id = models.SmallIntegerField(primary_key=True, default=1)
    settled_id = models.BigIntegerField(_("settled entry"), default=0)
    position = models.BigIntegerField(_("position"), default=0)
    digest = models.BinaryField(_("digest"), max_length=32, default=bytes(32))
    anchored_at = models.DateTimeField(_("told outside at"), null=True, blank=True)

    class Meta:
        verbose_name = _("audit chain")
        verbose_name_plural = _("audit chains")
        constraints = [models.CheckConstraint(condition=Q(id=1), name="audit_chain_is_one")]

    def __str__(self) -> str:
        return f"{self.position}"


class AuditVerification(models.Model):
    """One run over the chain and what it found; ``fault`` is empty when all was well."""

    at = models.DateTimeField(_("at"), auto_now_add=True)
    from_position = models.BigIntegerField(_("from position"))
    to_position = models.BigIntegerField(_("to position"))
    fault = models.CharField(_("fault"), max_length=20, blank=True)
    entry_id = models.BigIntegerField(_("audit entry"), null=True, blank=True)

    class Meta:
        verbose_name = _("audit verification")
        verbose_name_plural = _("audit verifications")

    def __str__(self) -> str:
        return f"{self.at} {self.fault or 'ok'}"
