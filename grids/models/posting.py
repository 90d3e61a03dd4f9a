"""A posting is person × role × place × from/to: the roster and the permission in one."""

import pgtrigger
from django.conf import settings
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import RangeOperators
from django.db import models
from django.db.models import Q
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from grids.models.area import Area, DateRange, Level
from grids.models.department import Department
from grids.models.user import User


class Role(models.TextChoices):
    """What a person is at a place. ``Rank`` order of the escalation ladder is in incidents."""

    UNIT_HEAD = "unit_head", _("Ten-household head")
    GRID_WORKER = "grid_worker", _("Grid worker")
    GRID_CHIEF = "grid_chief", _("Grid chief")
    GRID_GUIDE = "grid_guide", _("Grid guide")
    VILLAGE_OFFICE = "village_office", _("Village office")
    TOWN_ADMIN = "town_admin", _("Town admin")
    DEPARTMENT_HANDLER = "department_handler", _("Department handler")
    COMMAND = "command", _("Command centre")
    COUNTY_LEADER = "county_leader", _("County leader")
    MEDIATOR = "mediator", _("Mediator")
    SYSTEM_ADMIN = "system_admin", _("System administrator")
    AUDIT_ADMIN = "audit_admin", _("Audit administrator")
    SECURITY_ADMIN = "security_admin", _("Security administrator")


# Roles that look after the system and see no incident: three people, never one in two of them
# (the separation of duties of GB/T 22239, level two and up).
KEEPERS = frozenset({Role.SYSTEM_ADMIN, Role.AUDIT_ADMIN, Role.SECURITY_ADMIN})


class WorkerKind(models.TextChoices):
    """Kinds of grid worker."""

    FULL_TIME = "full_time", _("Full-time")
    PART_TIME = "part_time", _("Part-time")
    DEDICATED = "dedicated", _("Dedicated")
    AUXILIARY = "auxiliary", _("Auxiliary")


# Where each role may be held; a department handler is posted to a department instead.
ROLE_LEVELS: dict[str, frozenset[str]] = {
    Role.UNIT_HEAD: frozenset({Level.UNIT}),
    Role.GRID_WORKER: frozenset({Level.GRID}),
    Role.GRID_CHIEF: frozenset({Level.GRID}),
    Role.GRID_GUIDE: frozenset({Level.GRID, Level.VILLAGE}),
    Role.VILLAGE_OFFICE: frozenset({Level.VILLAGE}),
    Role.TOWN_ADMIN: frozenset({Level.TOWN}),
    Role.COMMAND: frozenset({Level.COUNTY}),
    Role.COUNTY_LEADER: frozenset({Level.COUNTY}),
    Role.MEDIATOR: frozenset({Level.COUNTY, Level.TOWN, Level.VILLAGE, Level.GRID}),
    Role.SYSTEM_ADMIN: frozenset({Level.COUNTY}),
    Role.AUDIT_ADMIN: frozenset({Level.COUNTY}),
    Role.SECURITY_ADMIN: frozenset({Level.COUNTY}),
}


# A grid must not be left without a chief unless it is marked so (GridWithoutChief). Looked at when
# the transaction ends, so that one act may take a chief away and put another there; the grid's row
# is locked, so that two who each take one of two chiefs away do not both succeed.
CHIEF_RULE = """
    PERFORM 1 FROM grids_area
      WHERE id = place AND (closed_on IS NULL OR closed_on > day) FOR NO KEY UPDATE;
    IF FOUND AND NOT EXISTS (
        SELECT 1 FROM grids_posting
         WHERE area_id = place AND role = 'grid_chief'
           AND valid_from <= day AND (valid_to IS NULL OR valid_to > day)
    ) AND NOT EXISTS (
        SELECT 1 FROM grids_gridwithoutchief WHERE grid_id = place AND lifted_on IS NULL
    ) THEN
        RAISE EXCEPTION 'grid % would be left without a chief', place
              USING ERRCODE = 'check_violation', CONSTRAINT = 'grid_keeps_a_chief';
    END IF;
    RETURN NULL;
"""
_TODAY = f"(now() AT TIME ZONE '{settings.TIME_ZONE}')::date"
_PLACE_AND_DAY = [("place", "bigint"), ("day", "date")]


class PostingQuerySet(models.QuerySet["Posting"]):
    """Reads over postings."""

    def on(self, day) -> "PostingQuerySet":
        """Return postings in force on ``day``."""
        return self.filter(Q(valid_to__isnull=True) | Q(valid_to__gt=day), valid_from__lte=day)

    def current(self) -> "PostingQuerySet":
        """Return postings in force today."""
        return self.on(timezone.localdate())


class Posting(models.Model):
    """One person in one role at one place, from a day until (not including) another."""

    user = models.ForeignKey(User, models.PROTECT, related_name="postings", verbose_name=_("user"))
    role = models.CharField(_("role"), max_length=20, choices=Role.choices)
    worker_kind = models.CharField(
        _("kind of worker"), max_length=10, choices=WorkerKind.choices, blank=True
    )
    area = models.ForeignKey(
        Area, models.PROTECT, null=True, blank=True, related_name="postings", verbose_name=_("area")
    )
    department = models.ForeignKey(
        Department,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="postings",
        verbose_name=_("department"),
    )
    valid_from = models.DateField(_("from"), default=timezone.localdate)
    valid_to = models.DateField(_("until"), null=True, blank=True)

    objects = PostingQuerySet.as_manager()

    class Meta:
        verbose_name = _("posting")
        verbose_name_plural = _("postings")
        indexes = [
            models.Index(fields=["area", "role"]),
            models.Index(fields=["department", "role"]),
        ]
        constraints = [
            models.CheckConstraint(
                name="posting_at_one_place",
                condition=(
                    Q(role="department_handler", department__isnull=False, area__isnull=True)
                    | (
                        ~Q(role="department_handler")
                        & Q(department__isnull=True, area__isnull=False)
                    )
                ),
                violation_error_message=_(
                    "A department handler is posted to a department, everybody else to an area."
                ),
            ),
            models.CheckConstraint(
                name="posting_ends_after_it_begins",
                condition=Q(valid_to__isnull=True) | Q(valid_to__gte=models.F("valid_from")),
                violation_error_message=_("A posting cannot end before it begins."),
            ),
            models.CheckConstraint(
                name="posting_worker_kind_only_on_workers",
                condition=Q(role="grid_worker") | Q(worker_kind=""),
            ),
            ExclusionConstraint(
                name="posting_administrators_are_three_people",
                expressions=[
                    ("user", RangeOperators.EQUAL),
                    ("role", RangeOperators.NOT_EQUAL),
                    (DateRange("valid_from", "valid_to"), RangeOperators.OVERLAPS),
                ],
                condition=Q(role__in=sorted(KEEPERS)),
                violation_error_message=_(
                    "System, audit and security administrator must be different people."
                ),
            ),
            ExclusionConstraint(
                name="posting_once_per_person_role_and_place",
                expressions=[
                    ("user", RangeOperators.EQUAL),
                    ("role", RangeOperators.EQUAL),
                    (Coalesce("area", 0), RangeOperators.EQUAL),
                    (Coalesce("department", 0), RangeOperators.EQUAL),
                    (DateRange("valid_from", "valid_to"), RangeOperators.OVERLAPS),
                ],
            ),
        ]

        triggers = [
            pgtrigger.Protect(name="kept", operation=pgtrigger.Delete),
            pgtrigger.Trigger(
                name="chief_taken_away",
                level=pgtrigger.Row,
                when=pgtrigger.After,
                operation=pgtrigger.Update,
                timing=pgtrigger.Deferred,
                declare=_PLACE_AND_DAY,
                condition=pgtrigger.Condition("OLD.role = 'grid_chief'"),
                func=f"""
                    place := OLD.area_id;
                    day := greatest({_TODAY}, OLD.valid_from);
                    -- Who was chief long ago leaves nothing behind today.
                    IF OLD.valid_to <= {_TODAY} THEN
                        RETURN NULL;
                    END IF;
                    IF NEW.role = OLD.role AND NEW.area_id = OLD.area_id THEN
                        IF NEW.valid_to IS NULL AND NEW.valid_from <= OLD.valid_from THEN
                            RETURN NULL;
                        END IF;
                        day := greatest({_TODAY}, NEW.valid_to);
                    END IF;
                    {CHIEF_RULE}
                """,
            ),
            pgtrigger.Trigger(
                name="chief_for_a_time",
                level=pgtrigger.Row,
                when=pgtrigger.After,
                operation=pgtrigger.Insert,
                timing=pgtrigger.Deferred,
                declare=_PLACE_AND_DAY,
                condition=pgtrigger.Condition(
                    "NEW.role = 'grid_chief' AND NEW.valid_to IS NOT NULL"
                ),
                func=f"""
                    place := NEW.area_id;
                    day := NEW.valid_to;
                    IF day <= {_TODAY} THEN
                        RETURN NULL;
                    END IF;
                    {CHIEF_RULE}
                """,
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user} · {self.get_role_display()} · {self.place}"

    @property
    def place(self) -> Area | Department:
        """The area or department of the posting."""
        return self.area or self.department  # type: ignore[return-value]  # one is always there
