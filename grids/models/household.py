"""Households, the care some of them need, and the members who link them.

What lives here: the least a visit needs to know: where, whom to ask for, how many people, why to
come more often. What must not: lists of a household's members, their ID numbers, anything that
scores or watches a resident (decision "Households are served, not profiled").
"""

from collections.abc import Iterable
from datetime import date

from django.contrib.gis.db import models
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import RangeOperators
from django.db.models import Q
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from core.fields import EncryptedTextField
from core.language import told
from grids.models.area import Area, DateRange
from grids.models.posting import Role
from grids.models.user import User

# Those who look after a household, from next door to the town; they read its diary.
LINE = frozenset(
    {Role.UNIT_HEAD, Role.GRID_WORKER, Role.GRID_CHIEF, Role.VILLAGE_OFFICE, Role.TOWN_ADMIN}
)
# The line and the county's desk, which sees that visits are made, not what was said at the door.
READERS = LINE | {Role.COMMAND}
# Who keeps the ledger true.
KEEPERS_OF_LEDGER = frozenset({Role.GRID_CHIEF, Role.VILLAGE_OFFICE, Role.TOWN_ADMIN})
# Who opens the ledger's pages.
LEDGER_READERS = KEEPERS_OF_LEDGER | {Role.COMMAND}
# Who goes from door to door.
VISITORS = frozenset({Role.UNIT_HEAD, Role.GRID_WORKER, Role.GRID_CHIEF})

# The day of a household that is not visited: no rule asks for it, or it has moved out.
NEVER = date(9999, 12, 31)
PEOPLE_MOST = 60
LINKS_LEAST, LINKS_MOST = 5, 8
# Words of lists that watch residents instead of serving them; a care tag has none of them.
PROFILING = (
    "重点人|重点对象|管控|稳控|上访|信访|涉稳|涉访|前科|刑满|吸毒|邪教|失信|黑名单"
    "|key person|petition|blacklist"
)


def reach_of(areas: Iterable[Area]) -> Q:
    """Return what is true of the households of these areas, whatever their levels."""
    by_level: dict[str, list[int]] = {}
    for area in areas:
        by_level.setdefault(area.level, []).append(area.pk)
    reach = Q(pk__in=[])
    for level, ids in by_level.items():
        reach |= Q(**{f"{level}_id__in": ids})
    return reach


class HouseholdQuerySet(models.QuerySet["Household"]):
    """Reads over households."""

    def living(self) -> "HouseholdQuerySet":
        """Return households that have not moved out."""
        return self.filter(moved_out_on__isnull=True)

    def within(self, areas: Iterable[Area]) -> "HouseholdQuerySet":
        """Return the households of these areas, whatever their levels."""
        return self.filter(reach_of(areas))


class Household(models.Model):
    """A door to knock at, with its place at every level of the tree.

    ``people`` is a plain count. ``visit_every`` (days) is the shortest rule in force for it, kept
    with ``next_due_on`` by services/visit_rules.py. ``version`` is for compare-and-set.
    """

    county = models.ForeignKey(Area, models.PROTECT, related_name="+", db_index=False)
    town = models.ForeignKey(Area, models.PROTECT, related_name="+", db_index=False)
    village = models.ForeignKey(Area, models.PROTECT, related_name="+", db_index=False)
    grid = models.ForeignKey(
        Area, models.PROTECT, related_name="+", db_index=False, verbose_name=_("grid")
    )
    unit = models.ForeignKey(
        Area,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        verbose_name=_("ten-household unit"),
    )
    address = models.CharField(_("door or address"), max_length=100)
    location = models.PointField(_("place"), null=True, blank=True, spatial_index=False)
    contact = EncryptedTextField(_("contact person"), blank=True, default="")
    phone = EncryptedTextField(_("phone"), blank=True, default="")
    phone_index = models.CharField(max_length=64, blank=True, editable=False, db_index=True)
    people = models.PositiveSmallIntegerField(_("number of people"), default=1)
    since = models.DateField(_("known since"), default=timezone.localdate)
    moved_out_on = models.DateField(_("moved out on"), null=True, blank=True)

    visit_every = models.PositiveSmallIntegerField(_("visit every (days)"), null=True)
    last_visited_on = models.DateField(_("last visited on"), null=True)
    last_tried_on = models.DateField(_("last tried on"), null=True)
    next_due_on = models.DateField(_("visit due on"), default=NEVER)
    version = models.PositiveIntegerField(default=1)

    objects = HouseholdQuerySet.as_manager()

    class Meta:
        verbose_name = _("household")
        verbose_name_plural = _("households")
        indexes = [
            *(
                models.Index(fields=[level, "id"], name=f"household_{level}")
                for level in ("county", "town", "village", "grid", "unit")
            ),
            *(
                models.Index(
                    fields=[level, "next_due_on", "id"],
                    name=f"household_due_{level}",
                    condition=Q(moved_out_on__isnull=True),
                )
                for level in ("county", "town", "village", "grid")
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                "grid",
                Coalesce("unit", 0),
                "address",
                name="household_one_at_a_door",
                condition=Q(moved_out_on__isnull=True),
                violation_error_message=_("A household at this door is on the list already."),
            ),
            models.CheckConstraint(
                name="household_people_at_least_one",
                condition=Q(people__gte=1, people__lte=PEOPLE_MOST),
            ),
            models.CheckConstraint(
                name="household_moved_out_is_never_due",
                condition=Q(moved_out_on__isnull=True) | Q(next_due_on=NEVER),
            ),
        ]

    def __str__(self) -> str:
        return self.address

    @property
    def area_ids(self) -> set[int]:
        """Ids of all areas the household lies in."""
        ids = {self.county_id, self.town_id, self.village_id, self.grid_id, self.unit_id}
        return {pk for pk in ids if pk is not None}

    @property
    def place_id(self) -> int:
        """Id of the deepest area."""
        return self.unit_id or self.grid_id


class CareTag(models.Model):
    """A reason to come more often, such as an old person living alone: a list the county keeps.

    It names a need, never a suspicion. How often is a VisitRule; after ``review_months`` somebody
    must look again whether the reason still holds, and ``hint`` says what to write as the reason.
    """

    code = models.SlugField(_("code"), max_length=30, unique=True)
    name = models.CharField(_("name"), max_length=20)
    name_en = models.CharField(_("English name"), max_length=60, blank=True)
    hint = models.CharField(_("what to give as the reason"), max_length=100, blank=True)
    review_months = models.PositiveSmallIntegerField(_("review after (months)"), default=12)
    active = models.BooleanField(_("active"), default=True)
    rank = models.PositiveSmallIntegerField(_("order"), default=50)

    class Meta:
        verbose_name = _("care tag")
        verbose_name_plural = _("care tags")
        ordering = ["rank", "id"]
        constraints = [
            models.CheckConstraint(
                name="care_tag_serves_and_does_not_watch",
                condition=~Q(name__iregex=PROFILING)
                & ~Q(name_en__iregex=PROFILING)
                & ~Q(hint__iregex=PROFILING),
                violation_error_message=_(
                    "A care tag names help somebody needs; lists that watch people are not kept."
                ),
            ),
            models.CheckConstraint(
                name="care_tag_is_reviewed",
                condition=Q(review_months__gte=1, review_months__lte=36),
                violation_error_message=_("Review between 1 and 36 months."),
            ),
        ]

    def __str__(self) -> str:
        return self.label

    @property
    def label(self) -> str:
        """The name in the reader's language."""
        return told(self.name, self.name_en)


class HouseholdCare(models.Model):
    """A care tag on a household, why, and when somebody looks at it again."""

    household = models.ForeignKey(Household, models.CASCADE, related_name="care")
    tag = models.ForeignKey(CareTag, models.PROTECT, related_name="+", verbose_name=_("care tag"))
    reason = EncryptedTextField(_("reason"))
    since = models.DateField(_("from"), default=timezone.localdate)
    review_on = models.DateField(_("review on"))
    ended_on = models.DateField(_("ended on"), null=True, blank=True)

    class Meta:
        verbose_name = _("care of a household")
        verbose_name_plural = _("care of households")
        constraints = [
            models.UniqueConstraint(
                fields=["household", "tag"],
                condition=Q(ended_on__isnull=True),
                name="care_once_at_a_time",
                violation_error_message=_("The household has this tag already."),
            )
        ]

    def __str__(self) -> str:
        return self.tag.label


class LinkQuerySet(models.QuerySet["HouseholdLink"]):
    """Reads over links."""

    def on(self, day: date) -> "LinkQuerySet":
        """Return links in force on ``day``."""
        return self.filter(Q(valid_to__isnull=True) | Q(valid_to__gt=day), valid_from__lte=day)


class HouseholdLink(models.Model):
    """A member who looks in on a household, from a day until (not including) another.

    A member links five to eight households: ``slot`` 1 to 8 is held by one of them at a time, so
    a ninth finds no room however many people press at once.
    """

    member = models.ForeignKey(
        User, models.PROTECT, related_name="household_links", verbose_name=_("member")
    )
    household = models.ForeignKey(Household, models.CASCADE, related_name="links")
    slot = models.PositiveSmallIntegerField(editable=False)
    valid_from = models.DateField(_("from"), default=timezone.localdate)
    valid_to = models.DateField(_("until"), null=True, blank=True)

    objects = LinkQuerySet.as_manager()

    class Meta:
        verbose_name = _("household link")
        verbose_name_plural = _("household links")
        constraints = [
            models.CheckConstraint(
                name="link_slots_are_eight", condition=Q(slot__gte=1, slot__lte=LINKS_MOST)
            ),
            models.CheckConstraint(
                name="link_ends_after_it_begins",
                condition=Q(valid_to__isnull=True) | Q(valid_to__gte=models.F("valid_from")),
            ),
            ExclusionConstraint(
                name="link_slot_holds_one_household",
                expressions=[
                    ("member", RangeOperators.EQUAL),
                    ("slot", RangeOperators.EQUAL),
                    (DateRange("valid_from", "valid_to"), RangeOperators.OVERLAPS),
                ],
            ),
            ExclusionConstraint(
                name="link_once_per_member_and_household",
                expressions=[
                    ("member", RangeOperators.EQUAL),
                    ("household", RangeOperators.EQUAL),
                    (DateRange("valid_from", "valid_to"), RangeOperators.OVERLAPS),
                ],
                violation_error_message=_("This member links the household already."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.member} · {self.household}"
