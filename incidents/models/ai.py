"""What the AI may do with each item, and every word exchanged with a model outside this house.

What must not live here: what it thought of a case (knowledge.py), and figures (scores.py).
"""

import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from grids.models import Area, User
from incidents.models.catalogue import Category
from incidents.models.incident import Incident


class AiMode(models.TextChoices):
    """How far the AI may go with an item."""

    ALONE = "alone", _("May act alone")
    SUGGEST = "suggest", _("Only suggests")
    OFF = "off", _("Off")


class AiSwitch(models.Model):
    """From ``valid_from`` on the AI goes no further than ``mode`` with the item.

    Never changed: another mode is another version, and the newest whose day has come holds.
    An item without one is as the catalogue was shipped.
    """

    category = models.ForeignKey(
        Category, models.PROTECT, related_name="ai_switches", verbose_name=_("category")
    )
    version = models.PositiveIntegerField(_("version"))
    mode = models.CharField(_("what the AI may do"), max_length=7, choices=AiMode.choices)
    valid_from = models.DateField(_("from"), default=timezone.localdate)
    reason = models.CharField(_("reason"), max_length=200)
    made_at = models.DateTimeField(_("made at"), default=timezone.now, editable=False)
    made_by = models.ForeignKey(
        User, models.PROTECT, null=True, editable=False, related_name="+", verbose_name=_("made by")
    )

    class Meta:
        verbose_name = _("AI switch")
        verbose_name_plural = _("AI switches")
        ordering = ["category", "-version"]
        constraints = [
            models.UniqueConstraint(fields=["category", "version"], name="ai_switch_version_once"),
            models.CheckConstraint(
                name="ai_switch_mode_known", condition=Q(mode__in=["alone", "suggest", "off"])
            ),
        ]
        triggers = [
            pgtrigger.Protect(
                name="ai_switch_is_kept", operation=pgtrigger.Update | pgtrigger.Delete
            )
        ]

    def __str__(self) -> str:
        return f"{self.category} v{self.version} {self.get_mode_display()}"


class CallOutcome(models.TextChoices):
    """What became of a question put to a model outside."""

    UNDER_WAY = "", _("No reply recorded")
    USED = "used", _("Shown to a person")
    NONE = "none", _("Says that no article fits")
    LATE = "late", _("Came when a person had decided")
    DISCARDED = "discarded", _("Reply thrown away")
    FAILED = "failed", _("No usable reply")


# What is said when the question leaves, and may never read otherwise afterwards.
_SAID = ("incident_id", "county_id", "at", "host", "model", "version", "question", "offered")
_BEFORE, _AFTER = (", ".join(f"{row}.{name}" for name in _SAID) for row in ("OLD", "NEW"))
_TODAY = f"(now() AT TIME ZONE '{settings.TIME_ZONE}')::date"


class AiCall(models.Model):
    """One question to the model outside: written before it leaves, finished once by its reply.

    ``question`` is the text as it left, masked; ``offered`` the codes of the articles that went
    with it. ``reason`` says in a word why a reply was not used. ``ms`` is how long it took. Rows
    live as long as the retention rule says, which the database itself watches.
    """

    incident = models.ForeignKey(Incident, models.PROTECT, related_name="ai_calls")
    county = models.ForeignKey(Area, models.PROTECT, related_name="+", db_index=False)
    at = models.DateTimeField(_("time"))
    host = models.CharField(_("sent to"), max_length=253)
    model = models.CharField(_("model"), max_length=100)
    version = models.CharField(_("wording"), max_length=20)
    question = models.TextField(_("as it left, masked"))
    offered = models.JSONField(_("articles offered"), default=list)
    outcome = models.CharField(
        _("what became of it"),
        max_length=10,
        choices=CallOutcome.choices,
        blank=True,
        default=CallOutcome.UNDER_WAY,
    )
    reason = models.CharField(_("why"), max_length=20, blank=True, default="")
    article = models.CharField(_("article chosen"), max_length=20, blank=True, default="")
    answer = models.TextField(_("what came back"), blank=True, default="")
    ms = models.PositiveIntegerField(_("milliseconds"), null=True)

    class Meta:
        verbose_name = _("question to a model outside")
        verbose_name_plural = _("questions to a model outside")
        indexes = [
            models.Index(fields=["county", "-at", "-id"], name="ai_call_of_county"),
            # The newest answered ones, which say whether asking makes sense just now.
            models.Index(fields=["-id"], name="ai_call_ended", condition=~Q(outcome="")),
            models.Index(fields=["at", "id"], name="ai_call_by_time"),
        ]
        triggers = [
            pgtrigger.Protect(
                name="ai_call_ends_once",
                operation=pgtrigger.Update,
                condition=pgtrigger.Condition(
                    f"OLD.outcome <> '' OR NEW.outcome = ''"
                    f" OR ({_BEFORE}) IS DISTINCT FROM ({_AFTER})"
                ),
            ),
            pgtrigger.Trigger(
                name="ai_call_kept_by_rule",
                level=pgtrigger.Row,
                when=pgtrigger.Before,
                operation=pgtrigger.Delete,
                declare=[("kept", "integer")],
                func=f"""
                    SELECT days INTO kept FROM incidents_retentionrule
                     WHERE what = 'ai_call' AND valid_from <= {_TODAY}
                     ORDER BY valid_from DESC LIMIT 1;
                    IF kept IS NULL OR OLD.at > now() - make_interval(days => kept) THEN
                        RAISE EXCEPTION 'ai_call % is kept by rule', OLD.id;
                    END IF;
                    RETURN OLD;
                """,  # noqa: S608  only a constant of ours
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.pk} {self.at:%Y-%m-%d %H:%M}"
