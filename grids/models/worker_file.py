"""A worker's file: selection, training, negative list, awards, reserve cadre, assessment, card.

What lives here: entries about people in post, each by somebody, each withdrawn with a reason and
never deleted. What must not: how a month is scored (the floor that has the cases), and anything
about residents.
"""

import uuid
from typing import Any

import pgtrigger
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from core.fields import EncryptedTextField
from core.language import told
from grids.models.area import Area
from grids.models.posting import Posting, Role
from grids.models.user import User

# Whose work a file is kept about.
FILE_ROLES = frozenset({Role.UNIT_HEAD, Role.GRID_WORKER, Role.GRID_CHIEF, Role.GRID_GUIDE})


def kept(name: str) -> pgtrigger.Protect:
    """Return the trigger that keeps rows from being deleted."""
    return pgtrigger.Protect(name=name, operation=pgtrigger.Delete)


class EntryQuerySet(models.QuerySet[Any]):
    """Reads over entries of files."""

    def standing(self) -> "EntryQuerySet":
        """Return entries that have not been withdrawn."""
        return self.filter(withdrawn_at__isnull=True)


class Entry(models.Model):
    """One entry of a file: who wrote it, and who took it back and why."""

    recorded_by = models.ForeignKey(
        User, models.PROTECT, null=True, related_name="+", verbose_name=_("recorded by")
    )
    recorded_at = models.DateTimeField(_("recorded at"), default=timezone.now)
    withdrawn_by = models.ForeignKey(
        User, models.PROTECT, null=True, related_name="+", verbose_name=_("withdrawn by")
    )
    withdrawn_at = models.DateTimeField(_("withdrawn at"), null=True)
    withdrawn_because = models.CharField(_("withdrawn because"), max_length=300, blank=True)

    objects = EntryQuerySet.as_manager()

    class Meta:
        abstract = True
        constraints = [
            models.CheckConstraint(
                name="%(class)s_withdrawn_with_a_reason",
                condition=Q(withdrawn_at__isnull=True, withdrawn_because="")
                | (Q(withdrawn_at__isnull=False) & ~Q(withdrawn_because="")),
            )
        ]
        triggers = [kept("kept")]


class Body(models.TextChoices):
    """Who recommends a candidate: the three recommendations 三推荐."""

    MASSES = "masses", _("Residents")
    PARTY_BRANCH = "party_branch", _("Party branch")
    VILLAGE = "village", _("Village or community committee")


class Inspection(models.TextChoices):
    """What the town's inspection 一考察 came to."""

    PASSED = "passed", _("Fit for the post")
    FAILED = "failed", _("Not fit for the post")


class Selection(Entry):
    """How somebody came to a grid: three recommendations, then one inspection by the town.

    ``posting`` is the full-time posting the selection led to.
    """

    person = models.ForeignKey(User, models.PROTECT, related_name="selections")
    grid = models.ForeignKey(Area, models.PROTECT, related_name="+", verbose_name=_("grid"))
    posting = models.OneToOneField(
        Posting, models.PROTECT, null=True, related_name="selection", verbose_name=_("posting")
    )
    inspected_on = models.DateField(_("inspected on"), null=True, blank=True)
    inspection = models.CharField(
        _("result of the inspection"), max_length=10, choices=Inspection.choices, blank=True
    )
    note = models.CharField(_("note"), max_length=300, blank=True)

    class Meta(Entry.Meta):
        verbose_name = _("selection")
        verbose_name_plural = _("selections")
        constraints = [
            *Entry.Meta.constraints,
            models.CheckConstraint(
                name="selection_inspection_has_day_and_result",
                condition=Q(inspected_on__isnull=True, inspection="")
                | (Q(inspected_on__isnull=False) & ~Q(inspection="")),
            ),
            models.UniqueConstraint(
                fields=["person", "grid"],
                condition=Q(inspection="", withdrawn_at__isnull=True),
                name="selection_one_under_way",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.person} · {self.grid}"


class Recommendation(models.Model):
    """One of the three recommendations of a selection."""

    selection = models.ForeignKey(Selection, models.PROTECT, related_name="recommendations")
    by = models.CharField(_("recommended by"), max_length=15, choices=Body.choices)
    on = models.DateField(_("recommended on"))
    note = models.CharField(_("note"), max_length=200, blank=True)

    class Meta:
        verbose_name = _("recommendation")
        verbose_name_plural = _("recommendations")
        constraints = [
            models.UniqueConstraint(fields=["selection", "by"], name="recommendation_once_each")
        ]
        triggers = [kept("kept")]

    def __str__(self) -> str:
        return f"{self.get_by_display()} · {self.on}"


class Training(models.Model):
    """A course held by a town."""

    town = models.ForeignKey(Area, models.PROTECT, related_name="+", verbose_name=_("town"))
    course = models.CharField(_("course"), max_length=100)
    held_on = models.DateField(_("held on"))
    hours = models.DecimalField(_("hours"), max_digits=4, decimal_places=1)
    place = models.CharField(_("place"), max_length=100, blank=True)

    class Meta:
        verbose_name = _("training")
        verbose_name_plural = _("trainings")
        indexes = [models.Index(fields=["town", "-held_on", "-id"], name="training_of_town")]
        constraints = [
            models.UniqueConstraint(
                fields=["town", "course", "held_on"], name="training_once_a_day"
            ),
            models.CheckConstraint(
                name="training_hours_of_days", condition=Q(hours__gt=0, hours__lte=200)
            ),
        ]
        triggers = [kept("kept")]

    def __str__(self) -> str:
        return f"{self.course} · {self.held_on}"


class Attendance(Entry):
    """Somebody at a training."""

    training = models.ForeignKey(Training, models.PROTECT, related_name="attendances")
    person = models.ForeignKey(User, models.PROTECT, related_name="attendances")

    class Meta(Entry.Meta):
        verbose_name = _("attendance")
        verbose_name_plural = _("attendances")
        constraints = [
            *Entry.Meta.constraints,
            models.UniqueConstraint(
                fields=["training", "person"],
                condition=Q(withdrawn_at__isnull=True),
                name="attendance_once",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.person} · {self.training}"


class NegativeItem(models.Model):
    """One thing of the county's negative list that nobody in post may do; ``code`` is its key."""

    code = models.CharField(_("code"), max_length=30, unique=True)
    name = models.CharField(_("name"), max_length=100)
    name_en = models.CharField(_("English name"), max_length=150, blank=True)
    rank = models.PositiveSmallIntegerField(_("order"), default=100)
    active = models.BooleanField(_("active"), default=True)

    class Meta:
        verbose_name = _("item of the negative list")
        verbose_name_plural = _("negative list")
        ordering = ["rank", "code"]
        triggers = [kept("kept")]

    def __str__(self) -> str:
        return self.label

    @property
    def label(self) -> str:
        """The name in the reader's language."""
        return told(self.name, self.name_en)


class NegativeEntry(Entry):
    """An item of the negative list stated about somebody, with that person's own statement."""

    person = models.ForeignKey(User, models.PROTECT, related_name="negative_entries")
    item = models.ForeignKey(NegativeItem, models.PROTECT, verbose_name=_("item"))
    happened_on = models.DateField(_("happened on"))
    facts = models.CharField(_("what happened"), max_length=500)
    statement = models.CharField(_("the person's statement"), max_length=1000, blank=True)
    stated_at = models.DateTimeField(_("stated at"), null=True)

    class Meta(Entry.Meta):
        verbose_name = _("negative entry")
        verbose_name_plural = _("negative entries")
        constraints = [
            *Entry.Meta.constraints,
            models.UniqueConstraint(
                fields=["person", "item", "happened_on"],
                condition=Q(withdrawn_at__isnull=True),
                name="negative_entry_once_a_day",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.person} · {self.item}"


class Award(Entry):
    """An honour somebody was given."""

    person = models.ForeignKey(User, models.PROTECT, related_name="awards")
    title = models.CharField(_("award"), max_length=100)
    given_by = models.CharField(_("given by"), max_length=100)
    awarded_on = models.DateField(_("awarded on"))

    class Meta(Entry.Meta):
        verbose_name = _("award")
        verbose_name_plural = _("awards")
        constraints = [
            *Entry.Meta.constraints,
            models.UniqueConstraint(
                fields=["person", "title", "awarded_on"],
                condition=Q(withdrawn_at__isnull=True),
                name="award_once",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.person} · {self.title}"


class ReserveState(models.TextChoices):
    """What became of a recommendation as reserve cadre."""

    PROPOSED = "proposed", _("Recommended")
    LISTED = "listed", _("On the reserve list")
    DECLINED = "declined", _("Not taken")


class ReserveRecommendation(Entry):
    """A recommendation as reserve cadre 后备干部, and what became of it."""

    person = models.ForeignKey(User, models.PROTECT, related_name="reserve_recommendations")
    recommended_on = models.DateField(_("recommended on"))
    reason = models.CharField(_("reason"), max_length=500)
    state = models.CharField(
        _("state"), max_length=10, choices=ReserveState.choices, default=ReserveState.PROPOSED
    )
    decided_on = models.DateField(_("decided on"), null=True, blank=True)

    class Meta(Entry.Meta):
        verbose_name = _("reserve recommendation")
        verbose_name_plural = _("reserve recommendations")
        constraints = [
            *Entry.Meta.constraints,
            models.CheckConstraint(
                name="reserve_decided_with_a_day",
                condition=Q(state="proposed", decided_on__isnull=True)
                | (~Q(state="proposed") & Q(decided_on__gte=F("recommended_on"))),
            ),
            models.UniqueConstraint(
                fields=["person"],
                condition=Q(state="proposed", withdrawn_at__isnull=True),
                name="reserve_one_under_way",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.person} · {self.get_state_display()}"


class MonthlyAssessment(models.Model):
    """What a month of somebody's work came to by one version of the formula.

    ``parts`` is [{"label": English msgid, "score": 0–100 or null, "weight": percent}, …]; a part
    or a ``total`` that is null had nothing to divide by: "no data", never zero.
    """

    person = models.ForeignKey(User, models.PROTECT, related_name="assessments")
    month = models.DateField(_("month"))
    version = models.CharField(_("version of the formula"), max_length=20)
    total = models.DecimalField(_("score"), max_digits=5, decimal_places=2, null=True)
    parts = models.JSONField(_("parts"), default=list)
    computed_at = models.DateTimeField(_("computed at"), default=timezone.now)

    class Meta:
        verbose_name = _("monthly assessment")
        verbose_name_plural = _("monthly assessments")
        constraints = [
            models.UniqueConstraint(
                fields=["person", "month", "version"], name="assessment_once_per_version"
            ),
            models.CheckConstraint(
                name="assessment_month_is_its_first_day", condition=Q(month__day=1)
            ),
            models.CheckConstraint(
                name="assessment_total_of_a_hundred",
                condition=Q(total__isnull=True) | Q(total__gte=0, total__lte=100),
            ),
        ]
        triggers = [kept("kept")]

    def __str__(self) -> str:
        return f"{self.person} · {self.month:%Y-%m}"


def stored_name(_instance: "CardProfile", _filename: str) -> str:
    """Return a path that nothing about the person can guess."""
    name = uuid.uuid4().hex
    return f"cards/{name[:2]}/{name}.jpg"


class CardProfile(models.Model):
    """What a contact card shows beside the posting: a photo, and a phone meant for every door.

    ``photo_key`` is the photo's address; a new photo has a new one. A photo taken off is gone.
    """

    person = models.OneToOneField(
        User, models.PROTECT, primary_key=True, related_name="card", verbose_name=_("person")
    )
    duty_phone = EncryptedTextField(_("duty phone"), blank=True, default="")
    photo = models.FileField(_("photo"), upload_to=stored_name, blank=True)
    photo_key = models.UUIDField(null=True, unique=True, editable=False)

    class Meta:
        verbose_name = _("contact card")
        verbose_name_plural = _("contact cards")
        constraints = [
            models.CheckConstraint(
                name="card_photo_has_an_address",
                condition=Q(photo="", photo_key__isnull=True)
                | (~Q(photo="") & Q(photo_key__isnull=False)),
            )
        ]

    def __str__(self) -> str:
        return str(self.person)
