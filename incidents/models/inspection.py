"""Inspections: a campaign, who takes part, what is looked at where, and the hazards found.

What lives here: rows and what is always true of them. What must not: the life of a hazard, which
is a case like any other (incident.py), and who may inspect (queries/inspections.py).
"""

import uuid

from django.contrib.gis.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from grids.models import Area, Department, User
from incidents.models.catalogue import Category
from incidents.models.incident import Incident

# A hazard that may wait longer than this is no hazard.
DAYS_MOST = 180


class InspectedKind(models.TextChoices):
    """What a campaign looks at."""

    FIRM = "firm", _("Firms and shops")
    SITE = "site", _("Building sites")
    SCHOOL = "school", _("Schools and nurseries")
    LAMP = "lamp", _("Street lamps")
    MANHOLE = "manhole", _("Manholes")
    PARKING = "parking", _("Parking places")
    OTHER = "other", pgettext_lazy("inspected", "Other")


class PlaceState(models.TextChoices):
    """What is known of a place to be inspected."""

    TODO = "todo", _("Not yet inspected")
    CLEAN = "clean", _("No hazard")
    HAZARDS = "hazards", _("Hazards found")


class Inspection(models.Model):
    """One campaign of inspections, of a county or of one town (``area``)."""

    name = models.CharField(_("name"), max_length=60)
    kind = models.CharField(_("what is inspected"), max_length=10, choices=InspectedKind.choices)
    about = models.CharField(_("purpose"), max_length=500, blank=True)
    area = models.ForeignKey(
        Area, models.PROTECT, related_name="inspections", verbose_name=_("area")
    )
    starts_on = models.DateField(_("from"), default=timezone.localdate)
    ends_on = models.DateField(_("to"))
    made_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    made_at = models.DateTimeField(default=timezone.now)
    closed_at = models.DateTimeField(_("closed at"), null=True, blank=True)
    closed_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    version = models.PositiveIntegerField(default=1)

    class Meta:
        verbose_name = _("inspection")
        verbose_name_plural = _("inspections")
        constraints = [
            models.CheckConstraint(
                name="inspection_ends_after_it_starts",
                condition=Q(ends_on__gte=models.F("starts_on")),
            ),
            models.CheckConstraint(
                name="inspection_closed_by_somebody",
                condition=Q(closed_at__isnull=True, closed_by__isnull=True)
                | Q(closed_at__isnull=False, closed_by__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return self.name


class InspectionTeam(models.Model):
    """Who takes part: everybody posted in an area (in their own places), or in a department."""

    inspection = models.ForeignKey(Inspection, models.CASCADE, related_name="teams")
    area = models.ForeignKey(Area, models.PROTECT, null=True, blank=True, related_name="+")
    department = models.ForeignKey(
        Department, models.PROTECT, null=True, blank=True, related_name="+"
    )

    class Meta:
        verbose_name = _("team of an inspection")
        verbose_name_plural = _("teams of an inspection")
        constraints = [
            models.UniqueConstraint(
                fields=["inspection", "area", "department"],
                name="inspection_team_once",
                nulls_distinct=False,
            ),
            models.CheckConstraint(
                name="inspection_team_is_one_of_two",
                condition=Q(area__isnull=True, department__isnull=False)
                | Q(area__isnull=False, department__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return str(self.area or self.department)


class InspectionItem(models.Model):
    """One line of the checklist: what a hazard of it is filed as, and by when it must be gone.

    ``days`` are calendar days from the day it is found. Whoever owns ``category`` must see to it,
    or ``department`` where the campaign says so.
    """

    inspection = models.ForeignKey(Inspection, models.CASCADE, related_name="items")
    position = models.PositiveSmallIntegerField()
    text = models.CharField(_("what to look at"), max_length=100)
    category = models.ForeignKey(
        Category, models.PROTECT, related_name="+", verbose_name=_("category")
    )
    department = models.ForeignKey(
        Department,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("whose duty"),
    )
    days = models.PositiveSmallIntegerField(_("days to put it right"), default=7)

    class Meta:
        verbose_name = _("line of a checklist")
        verbose_name_plural = _("lines of a checklist")
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(
                fields=["inspection", "position"], name="inspection_item_once_per_position"
            ),
            models.CheckConstraint(
                name="inspection_item_days_in_reach",
                condition=Q(days__gte=1, days__lte=DAYS_MOST),
            ),
        ]

    def __str__(self) -> str:
        return self.text

    @property
    def duty(self) -> Department:
        """Whose duty a hazard of this line is."""
        return self.department or self.category.owner


class InspectionPlace(models.Model):
    """One place to be inspected: a firm, a lamp, a manhole. Its name and address, no person's.

    ``area`` is the deepest one known: whoever is posted there or above sees the place.
    """

    inspection = models.ForeignKey(
        Inspection, models.PROTECT, related_name="places", db_index=False
    )
    name = models.CharField(_("name"), max_length=100)
    address = models.CharField(_("address"), max_length=200, blank=True)
    area = models.ForeignKey(Area, models.PROTECT, related_name="+", verbose_name=_("area"))
    location = models.PointField(_("place"), null=True, blank=True, spatial_index=False)
    state = models.CharField(
        _("state"), max_length=8, choices=PlaceState.choices, default=PlaceState.TODO
    )
    checked_at = models.DateTimeField(_("inspected at"), null=True, blank=True)
    checked_by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")

    # What queries add.
    where: str
    away: int | None
    km: float | None

    class Meta:
        verbose_name = _("place to be inspected")
        verbose_name_plural = _("places to be inspected")
        indexes = [
            models.Index(fields=["inspection", "state", "id"], name="inspection_place_by_state"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["inspection", "name", "address"], name="inspection_place_once"
            ),
            models.CheckConstraint(
                name="inspection_place_checked_by_somebody",
                condition=Q(state="todo", checked_at__isnull=True, checked_by__isnull=True)
                | (~Q(state="todo") & Q(checked_at__isnull=False) & Q(checked_by__isnull=False)),
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Hazard(models.Model):
    """A hazard found at a place: the case it is, and whether it was put right there and then.

    ``due_at`` is the end of the day by which it must be gone; a hazard fixed on the spot has none.
    ``key`` is the phone's own UUID: the same key is the same hazard.
    """

    incident = models.OneToOneField(Incident, models.PROTECT, related_name="hazard")
    inspection = models.ForeignKey(
        Inspection, models.PROTECT, related_name="hazards", db_index=False
    )
    place = models.ForeignKey(InspectionPlace, models.PROTECT, related_name="hazards")
    item = models.ForeignKey(InspectionItem, models.PROTECT, related_name="hazards")
    key = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    found_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    found_at = models.DateTimeField(default=timezone.now)
    due_at = models.DateTimeField(_("to be put right by"), null=True, blank=True)

    class Meta:
        verbose_name = _("hazard")
        verbose_name_plural = _("hazards")
        indexes = [models.Index(fields=["inspection", "-id"], name="hazard_of_inspection")]

    def __str__(self) -> str:
        return f"{self.inspection_id}/{self.pk}"

    @property
    def on_spot(self) -> bool:
        """Whether it was put right there and then."""
        return self.due_at is None
