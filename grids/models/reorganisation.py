"""Acts that change the order of the territory on a day, and their steps.

What lives here: the rows and what is always true of them. What must not: what a step does to the
tree (services/reorganisation_plan.py), carrying an act out (services/reorganisation.py), and what
became of an area (``Area.merged_into``).
"""

from typing import Any

from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from grids.models.area import Area
from grids.models.user import User


class ActState(models.TextChoices):
    """Where an act stands. A decided act waits for its day."""

    DRAFT = "draft", _("Draft")
    SUBMITTED = "submitted", _("Waiting for the decision")
    DECIDED = "decided", _("Decided, waits for its day")
    CARRIED_OUT = "carried_out", _("Carried out")
    WITHDRAWN = "withdrawn", _("Withdrawn")


# States in which nothing was changed yet and something still may be.
PENDING_ACTS = frozenset({ActState.DRAFT, ActState.SUBMITTED, ActState.DECIDED})


class StepKind(models.TextChoices):
    """What one step of an act does."""

    MERGE_VILLAGES = "merge_villages", _("Merge a village into another")
    MOVE_VILLAGE = "move_village", _("Move a village to another town")
    MERGE_TOWNS = "merge_towns", _("Merge a town into another")
    RENAME = "rename", _("Give a new name")
    RECODE_VILLAGE = "recode_village", _("Give a village a new code")
    RECODE_TOWN = "recode_town", _("Give a town a new code")


# Steps that need another area, and those that need a new code.
WITH_TARGET = frozenset({StepKind.MERGE_VILLAGES, StepKind.MOVE_VILLAGE, StepKind.MERGE_TOWNS})
WITH_CODE = frozenset({StepKind.RECODE_VILLAGE, StepKind.RECODE_TOWN})


class ActQuerySet(models.QuerySet["Reorganisation"]):
    """Reads over acts."""

    def pending(self) -> "ActQuerySet":
        """Return acts that may still be carried out."""
        return self.filter(state__in=PENDING_ACTS)

    def due(self, day: Any) -> "ActQuerySet":
        """Return decided acts whose day has come and which did not stumble."""
        return self.filter(state=ActState.DECIDED, effective_on__lte=day, obstacle="")


class Reorganisation(models.Model):
    """One act: a document of the authorities, the day it takes effect, and its steps.

    Who drafts it does not decide it. ``towns`` are the towns it touches; whoever has the county
    or one of them may read it. ``outcome`` says what changed once it is carried out: ``changes``
    (rows as ``Plan.told`` gives them), numbers of ``codes`` and ``postings``, and ``followed``
    ({"name:kind": n}). ``obstacle`` is why it could not be carried out on its day.
    """

    title = models.CharField(_("title"), max_length=100)
    document = models.CharField(_("number of the document"), max_length=60, blank=True)
    reason = models.TextField(_("reason"), blank=True)
    effective_on = models.DateField(_("takes effect on"))
    county = models.ForeignKey(Area, models.PROTECT, related_name="+", verbose_name=_("county"))
    towns = models.ManyToManyField(Area, related_name="+", verbose_name=_("towns"))
    state = models.CharField(
        _("state"), max_length=12, choices=ActState.choices, default=ActState.DRAFT
    )
    version = models.PositiveIntegerField(default=1)

    drafted_by = models.ForeignKey(
        User, models.PROTECT, related_name="+", verbose_name=_("drafted by")
    )
    drafted_at = models.DateTimeField(_("drafted at"), default=timezone.now)
    submitted_at = models.DateTimeField(_("submitted at"), null=True, blank=True)
    decided_by = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("decided by")
    )
    decided_at = models.DateTimeField(_("decided at"), null=True, blank=True)
    note = models.TextField(_("note"), blank=True)
    carried_out_at = models.DateTimeField(_("carried out at"), null=True, blank=True)
    obstacle = models.TextField(_("what stood in the way"), blank=True)
    outcome = models.JSONField(_("what changed"), default=dict, blank=True)

    objects = ActQuerySet.as_manager()

    class Meta:
        verbose_name = _("reorganisation")
        verbose_name_plural = _("reorganisations")
        indexes = [
            models.Index(
                fields=["effective_on"],
                condition=Q(state="decided"),
                name="reorganisation_to_carry_out",
            ),
        ]
        constraints = [
            models.CheckConstraint(
                name="reorganisation_decided_by_another",
                condition=Q(decided_by__isnull=True) | ~Q(decided_by=F("drafted_by")),
                violation_error_message=_("Who drafted an act does not decide it."),
            ),
            models.CheckConstraint(
                name="reorganisation_decided_before_carried_out",
                condition=~Q(state__in=["decided", "carried_out"])
                | Q(decided_by__isnull=False, decided_at__isnull=False),
            ),
            models.CheckConstraint(
                name="reorganisation_carried_out_exactly_when_state_says_so",
                condition=(
                    Q(state="carried_out", carried_out_at__isnull=False)
                    | (~Q(state="carried_out") & Q(carried_out_at__isnull=True))
                ),
            ),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def is_pending(self) -> bool:
        """Whether the act may still be carried out."""
        return self.state in PENDING_ACTS

    @property
    def is_due(self) -> bool:
        """Whether it is the sweep's turn: decided, its day has come, nothing stood in the way."""
        decided = self.state == ActState.DECIDED and not self.obstacle
        return decided and self.effective_on <= timezone.localdate()


class ReorganisationStep(models.Model):
    """One step of an act. ``subject`` goes into or under ``target``, or gets a new code or name.

    A village moved to another town keeps its last three digits where they are free, unless
    ``new_code`` says otherwise.
    """

    act = models.ForeignKey(Reorganisation, models.CASCADE, related_name="steps")
    position = models.PositiveSmallIntegerField(_("order"))
    kind = models.CharField(_("kind"), max_length=15, choices=StepKind.choices)
    subject = models.ForeignKey(Area, models.PROTECT, related_name="+", verbose_name=_("area"))
    target = models.ForeignKey(
        Area, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("goes to")
    )
    new_code = models.CharField(_("new code"), max_length=12, blank=True)
    new_name = models.CharField(_("new name"), max_length=100, blank=True)

    class Meta:
        verbose_name = _("step of a reorganisation")
        verbose_name_plural = _("steps of a reorganisation")
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(
                fields=["act", "position"], name="reorganisation_step_once_per_position"
            ),
            models.CheckConstraint(
                name="reorganisation_step_is_whole",
                condition=(
                    Q(kind__in=sorted(WITH_TARGET), target__isnull=False, new_name="")
                    | Q(
                        Q(kind__in=sorted(WITH_CODE), target__isnull=True, new_name=""),
                        ~Q(new_code=""),
                    )
                    | (Q(kind="rename", target__isnull=True, new_code="") & ~Q(new_name=""))
                ),
            ),
            models.CheckConstraint(
                name="reorganisation_step_of_two_areas",
                condition=Q(target__isnull=True) | ~Q(target=F("subject")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.act_id}/{self.position} {self.kind}"


class TrailingArea(models.Model):
    """An area that an act moved or merged, until all that bears its key has followed.

    Rows that were being written meanwhile, and ended ones too many to follow at once, still bear
    the keys of before. ``heir`` stands for the area now (itself where it only moved), ``left`` is
    the area right above that it left (None if it left none). Readers that look at such rows read
    them under the heir and not under ``left``: ``Scope.trailing``.
    """

    area = models.ForeignKey(Area, models.PROTECT, related_name="+")
    level = models.CharField(max_length=10)
    heir = models.ForeignKey(Area, models.PROTECT, related_name="+")
    left = models.ForeignKey(Area, models.PROTECT, null=True, related_name="+")
    act = models.ForeignKey(
        Reorganisation, models.PROTECT, null=True, related_name="trailing", verbose_name=_("act")
    )
    since = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name = _("trailing area")
        verbose_name_plural = _("trailing areas")

    def __str__(self) -> str:
        return f"{self.area_id} → {self.heir_id}"

    def came_to(self, area: Area) -> bool:
        """Return whether rows of it are to be read under ``area``, whose key they do not bear."""
        if self.area_id != self.heir_id == area.pk:
            return True
        return self.left_id is not None and self.heir.path[: -Area.steplen] == area.path
