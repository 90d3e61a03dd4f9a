"""The catalogue: what can be reported, who owns it, which road it takes, by when.

All of it is data an administrator edits. Deadlines are versioned: a case keeps
the version it was dispatched under.
"""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from core.language import told
from core.working_calendar import Unit
from grids.models import Department


class Tier(models.TextChoices):
    """Who settles it: AI, the place itself, or several departments by whistle."""

    AI = "ai", _("Simple, by AI")
    LOCAL = "local", _("Ordinary, on the spot")
    WHISTLE = "whistle", _("Complex, by whistle")


class Road(models.TextChoices):
    """Roads that leave the normal one."""

    NORMAL = "", _("Normal road")
    EMERGENCY = "emergency", _("Emergency services")
    STATUTORY = "statutory", _("Statutory route")
    OUT_OF_REMIT = "out_of_remit", _("Outside the county's remit")


class Publication(models.TextChoices):
    """How exactly the public may see where such cases are, if it may see them at all."""

    NONE = "", _("Not published")
    AREA = "area", _("With its grid")
    PLACE = "place", _("With its place")


class Stage(models.TextChoices):
    """Stages a clock can run on."""

    TRIAGE = "triage", _("Triage")
    ACCEPT = "accept", _("Accept")
    ARRIVE = "arrive", _("Arrive")
    RESPOND = "respond", _("Respond")
    RESOLVE = "resolve", _("Resolve")
    VERIFY = "verify", _("Verify")
    CALLBACK = "callback", _("Call-back")


class Category(models.Model):
    """One item of the catalogue, with its major class in ``major``."""

    code = models.CharField(_("code"), max_length=20, unique=True)
    name = models.CharField(_("name"), max_length=60)
    name_en = models.CharField(_("English name"), max_length=100, blank=True)
    major = models.CharField(_("major class"), max_length=60)
    major_en = models.CharField(_("English major class"), max_length=100, blank=True)
    description = models.CharField(_("description"), max_length=300, blank=True)
    owner = models.ForeignKey(
        Department, models.PROTECT, related_name="categories", verbose_name=_("owner")
    )
    tier = models.CharField(_("usual tier"), max_length=10, choices=Tier.choices)
    village_allowed = models.BooleanField(
        _("on the list of what villages do"),
        default=False,
        help_text=_("Only these may be sent to a village, grid or unit."),
    )
    ai_allowed = models.BooleanField(_("AI may dispatch it alone"), default=False)
    is_question = models.BooleanField(_("question answered from the knowledge base"), default=False)
    urgent = models.BooleanField(_("urgent"), default=False)
    photo_on_answer = models.BooleanField(
        _("asks for a photo of the result"),
        default=False,
        help_text=_("An answer without one is refused."),
    )
    road = models.CharField(
        _("road"), max_length=12, choices=Road.choices, blank=True, default=Road.NORMAL
    )
    road_note = models.CharField(_("what the resident is told"), max_length=300, blank=True)
    publication = models.CharField(
        _("shown to the public"),
        max_length=5,
        choices=Publication.choices,
        blank=True,
        default=Publication.NONE,
        help_text=_("Only for things in public space. Residents' words are never published."),
    )
    keywords = ArrayField(
        models.CharField(max_length=20), verbose_name=_("keywords"), default=list, blank=True
    )
    active = models.BooleanField(_("active"), default=True)

    class Meta:
        verbose_name = _("category")
        verbose_name_plural = _("categories")
        ordering = ["code"]

    def __str__(self) -> str:
        return self.label

    @property
    def label(self) -> str:
        """The name in the reader's language."""
        return told(self.name, self.name_en)

    @property
    def major_label(self) -> str:
        """The major class in the reader's language."""
        return told(self.major, self.major_en)


class DeadlineVersion(models.Model):
    """One dated set of deadlines. Without a category it is the county's default.

    All extensions of a case together add at most ``more_amount`` of ``more_unit``; where neither
    the item nor the county says how much, the term itself once more.
    """

    category = models.ForeignKey(
        Category,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="deadline_versions",
        verbose_name=_("category"),
    )
    version = models.PositiveIntegerField(_("version"))
    valid_from = models.DateField(_("from"), default=timezone.localdate)
    more_amount = models.PositiveSmallIntegerField(
        _("extensions together at most"), null=True, blank=True
    )
    more_unit = models.CharField(
        _("unit"), max_length=15, choices=Unit.choices, blank=True, default="", db_default=""
    )

    class Meta:
        verbose_name = _("deadline version")
        verbose_name_plural = _("deadline versions")
        ordering = ["category", "-version"]
        constraints = [
            models.UniqueConstraint(
                fields=["category", "version"],
                name="deadline_version_once_per_category",
                nulls_distinct=False,
            ),
            models.CheckConstraint(
                name="deadline_more_time_has_a_unit",
                condition=Q(more_amount__isnull=True, more_unit="")
                | (Q(more_amount__isnull=False, more_amount__gt=0) & ~Q(more_unit="")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.category or _('County default')} v{self.version}"


class Deadline(models.Model):
    """How long one stage may take. ``name`` is set on sub-stages only (stop, penalty, …)."""

    version = models.ForeignKey(DeadlineVersion, models.CASCADE, related_name="deadlines")
    stage = models.CharField(_("stage"), max_length=10, choices=Stage.choices)
    name = models.CharField(_("sub-stage"), max_length=40, blank=True)
    amount = models.PositiveIntegerField(_("amount"))
    unit = models.CharField(_("unit"), max_length=15, choices=Unit.choices)

    class Meta:
        verbose_name = _("deadline")
        verbose_name_plural = _("deadlines")
        constraints = [
            models.UniqueConstraint(
                fields=["version", "stage", "name"], name="deadline_once_per_stage"
            ),
            models.CheckConstraint(name="deadline_is_positive", condition=Q(amount__gt=0)),
        ]

    def __str__(self) -> str:
        return f"{self.get_stage_display()} {self.amount} {self.get_unit_display()}"
