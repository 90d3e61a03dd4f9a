"""The incident itself and the person who reported it.

What lives here: the row, what is always true of it, its indexes, and which rows
a scope opens. What must not: steps (services) and who may take them (workflow).
"""

import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pgtrigger
from django.contrib.gis.db import models
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex, GistIndex
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from core.fields import EncryptedTextField
from core.working_calendar import Unit
from grids.models import Area, Department, Level, User
from grids.queries import Scope
from incidents.models.catalogue import Category, DeadlineVersion, Tier

# "Nothing is due": sorts after every real deadline.
NO_DUE = datetime(9999, 12, 31, tzinfo=UTC)


class State(models.TextChoices):
    """Where a case stands."""

    REPORTED = "reported", _("Reported")
    PENDING = "pending", _("To be dispatched")
    DISPATCHED = "dispatched", _("To be accepted")
    OBJECTED = "objected", _("Objection to be decided")
    ACCEPTED = "accepted", _("Accepted")
    ARRIVED = "arrived", _("Being handled")
    WHISTLED = "whistled", _("Whistle blown")
    RULING = "ruling", _("Dissent to be ruled on")
    RESPONDED = "responded", _("To be verified")
    CALLBACK = "callback", _("Waiting for the rating")
    ANSWERED = "answered", _("Answered by AI")
    SUSPENDED = "suspended", _("Suspended")
    SUPERVISED = "supervised", _("Supervised by the county")
    CLOSED = "closed", _("Closed")
    EMERGENCY = "emergency", _("Handed to emergency services")
    STATUTORY = "statutory", _("Sent to its statutory route")
    DUPLICATE = "duplicate", _("Merged into another case")
    OUT_OF_REMIT = "out_of_remit", _("Outside the remit")


ENDED = frozenset(
    {State.CLOSED, State.EMERGENCY, State.STATUTORY, State.DUPLICATE, State.OUT_OF_REMIT}
)


class Source(models.TextChoices):
    """Where a report came from."""

    RESIDENT = "resident", _("Resident")
    WORKER = "worker", _("Grid worker")
    HOTLINE = "hotline", _("Hotline 12345")
    SYSTEM = "system", _("Another system")
    INSPECTION = "inspection", _("Inspection")
    MEETING = "meeting", _("Joint meeting")
    SPLIT = "split", _("Task of a case")


class FoundBy(models.TextChoices):
    """How the place was found."""

    POLYGON = "polygon", _("Inside the grid")
    NEAREST = "nearest", _("Nearest grid")
    ADDRESS = "address", _("From the address")
    GIVEN = "given", _("Given by the reporter")
    COUNTY = "county", _("Not located yet")


class Urgency(models.IntegerChoices):
    """How soon a person must look."""

    NORMAL = 0, _("Normal")
    URGENT = 1, _("Urgent")
    EMERGENCY = 2, _("Possible emergency")


def lies_in(
    area: Area, scope: Scope, *, prefix: str = "", key: Callable[[int], Any] = int
) -> list[Q]:
    """Return conditions, each served by an index, one of which a case in ``area`` meets.

    Nearly always one; more while past cases follow an act (``Scope.trailing``). ``prefix`` leads
    from other rows to their case, ``key`` says how an id is put into the statement.
    """

    def bears(level: str, pk: int) -> Q:
        """The case has this key, and not only because it has not left yet."""
        found = Q(**{f"{prefix}{level}_id": key(pk)})
        for gone in scope.trailing:
            if gone.left_id == pk:
                found &= ~Q(**{f"{prefix}{gone.level}_id": key(gone.area_id)})
        return found

    came = [gone for gone in scope.trailing if gone.came_to(area)]
    return [bears(area.level, area.pk), *(bears(gone.level, gone.area_id) for gone in came)]


class IncidentQuerySet(models.QuerySet["Incident"]):
    """Reads about incidents as rows."""

    def open(self) -> "IncidentQuerySet":
        """Return cases still on their way."""
        return self.filter(ended_at__isnull=True)

    def overdue(self) -> "IncidentQuerySet":
        """Return open cases past one of their deadlines."""
        return self.open().filter(overdue_at__isnull=False)

    def branches(self, scope: Scope) -> list["IncidentQuerySet"]:
        """Return one queryset for each equality of the scope.

        Each is served by one keyset index; a list page merges them. Together they are
        :meth:`visible_to` without what the person reported themselves.
        """
        found: list[IncidentQuerySet] = [
            self.filter(inside) for area in scope.areas for inside in lies_in(area, scope)
        ]
        # A neighbour's grid may have been given the case: its owner sees it too.
        inside = [area for area in scope.areas if area.level != Level.COUNTY]
        found += [self.filter(owner_area_id=area.pk) for area in inside]
        for department in scope.departments:
            found.append(self.filter(owner_department_id=department.pk))
            called = Incident.objects.filter(whistles__parties__department_id=department.pk)
            found.append(self.filter(pk__in=called.values("pk")))
        return found

    def of_the_public(self) -> "IncidentQuerySet":
        """Return what somebody reported: without tasks, which only say how the work is divided."""
        return self.filter(parent__isnull=True)

    def visible_to(self, user: User, scope: Scope | None = None) -> "IncidentQuerySet":
        """Return the cases ``user``'s postings open; their own reports among them."""
        scope = scope or Scope.for_user(user)
        reach = Q(reporter_id=user.pk) if user.pk and scope.postings else Q(pk__in=[])
        for area in scope.areas:
            if area.level in {Level.PROVINCE, Level.CITY}:
                continue
            reach |= Q(*lies_in(area, scope), Q(owner_area_id=area.pk), _connector=Q.OR)
        if scope.department_ids:
            reach |= Q(owner_department_id__in=scope.department_ids)
            reach |= Q(
                pk__in=Incident.objects.filter(
                    whistles__parties__department_id__in=scope.department_ids
                ).values("pk")
            )
            split = Incident.objects.filter(parent__owner_department_id__in=scope.department_ids)
            reach |= Q(pk__in=split.values("pk"))
        return self.filter(reach)


class Incident(models.Model):
    """One matter, from report to closure.

    ``report_key`` is the sender's own UUID: the same report sent twice is one
    row. ``tracking_code`` is what the reporter keeps. County, town, village,
    grid and unit stand beside the deepest ``area`` so that every scope is one
    equality. ``version`` counts steps people take (compare-and-set); ``last_seq``
    counts timeline rows. ``due_at`` is the nearest running deadline, counted in ``due_unit``,
    ``overdue_at`` the first one missed in this round.

    A task is a part of a case that was split: it has a ``parent``, one level deep, the place of
    it, and ``task_amount`` of ``task_unit`` to be done in. ``task_count`` says how many tasks the
    case was ever split into.
    """

    report_key = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    tracking_code = models.CharField(_("tracking code"), max_length=16)
    source = models.CharField(_("source"), max_length=10, choices=Source.choices)
    state = models.CharField(
        _("state"), max_length=12, choices=State.choices, default=State.REPORTED
    )
    text = models.TextField(_("what is wrong"))
    address = models.CharField(_("where it is"), max_length=200, blank=True)
    urgency = models.SmallIntegerField(
        _("urgency"), choices=Urgency.choices, default=Urgency.NORMAL
    )
    bigrams = ArrayField(models.CharField(max_length=40), default=list, editable=False)

    county = models.ForeignKey(
        Area, models.PROTECT, related_name="+", db_index=False, verbose_name=_("county")
    )
    town = models.ForeignKey(
        Area,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        verbose_name=_("town"),
    )
    village = models.ForeignKey(
        Area,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        verbose_name=_("village"),
    )
    grid = models.ForeignKey(
        Area,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        verbose_name=_("grid"),
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
    area = models.ForeignKey(
        Area, models.PROTECT, related_name="incidents", db_index=False, verbose_name=_("area")
    )
    location = models.PointField(_("place"), null=True, blank=True, spatial_index=False)
    found_by = models.CharField(_("place found by"), max_length=10, choices=FoundBy.choices)

    reporter = models.ForeignKey(
        User,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="reported_incidents",
        verbose_name=_("reporter"),
    )
    category = models.ForeignKey(
        Category,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="incidents",
        db_index=False,
        verbose_name=_("category"),
    )
    tier = models.CharField(_("tier"), max_length=10, choices=Tier.choices, blank=True)
    deadline_version = models.ForeignKey(
        DeadlineVersion,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        verbose_name=_("deadline version"),
    )

    owner_department = models.ForeignKey(
        Department,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="owned",
        db_index=False,
        verbose_name=_("owning department"),
    )
    owner_area = models.ForeignKey(
        Area,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="owned",
        db_index=False,
        verbose_name=_("owning area"),
    )
    handler = models.ForeignKey(
        User,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="handled_incidents",
        verbose_name=_("handler"),
    )
    rung = models.PositiveSmallIntegerField(_("rung of the ladder"), default=0)

    round = models.PositiveSmallIntegerField(_("round"), default=1)
    rework_count = models.PositiveSmallIntegerField(_("times reworked"), default=0)
    objection_used = models.BooleanField(_("has objected"), default=False)
    suspended_from = models.CharField(
        _("suspended from"), max_length=12, choices=State.choices, blank=True
    )
    suspended_until = models.DateTimeField(_("suspended until"), null=True, blank=True)
    merged_into = models.ForeignKey(
        "self",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="merged",
        verbose_name=_("merged into"),
    )
    parent = models.ForeignKey(
        "self",
        models.PROTECT,
        null=True,
        blank=True,
        related_name="tasks",
        db_index=False,
        verbose_name=_("task of"),
    )
    task_amount = models.PositiveSmallIntegerField(_("time for the task"), null=True, blank=True)
    task_unit = models.CharField(
        _("unit"), max_length=15, choices=Unit.choices, blank=True, default="", db_default=""
    )
    task_count = models.PositiveSmallIntegerField(_("tasks"), default=0, db_default=0)

    reported_at = models.DateTimeField(_("reported at"), default=timezone.now)
    triaged_at = models.DateTimeField(_("triaged at"), null=True, blank=True)
    triage_tried_at = models.DateTimeField(_("triage tried at"), null=True, blank=True)
    dispatched_at = models.DateTimeField(_("dispatched at"), null=True, blank=True)
    accepted_at = models.DateTimeField(_("accepted at"), null=True, blank=True)
    arrived_at = models.DateTimeField(_("arrived at"), null=True, blank=True)
    responded_at = models.DateTimeField(_("responded at"), null=True, blank=True)
    verified_at = models.DateTimeField(_("verified at"), null=True, blank=True)
    ended_at = models.DateTimeField(_("ended at"), null=True, blank=True)
    due_at = models.DateTimeField(_("due at"), default=NO_DUE)
    due_unit = models.CharField(
        _("unit"), max_length=15, choices=Unit.choices, blank=True, default="", db_default=""
    )
    overdue_at = models.DateTimeField(_("overdue since"), null=True, blank=True)

    version = models.PositiveIntegerField(_("version"), default=1)
    last_seq = models.PositiveIntegerField(_("rows of the timeline"), default=0)

    objects = IncidentQuerySet.as_manager()

    # What queries add for the map and the API.
    head: str
    lon: float | None
    lat: float | None
    place: str
    category_label: str
    owner_label: str

    class Meta:
        verbose_name = _("incident")
        verbose_name_plural = _("incidents")
        indexes = [
            # Newest first, any scope or single filter and any days: an equality and the key.
            models.Index(fields=["county", "-reported_at", "-id"], name="incident_county_new"),
            models.Index(fields=["town", "-reported_at", "-id"], name="incident_town_new"),
            models.Index(fields=["village", "-reported_at", "-id"], name="incident_village_new"),
            models.Index(fields=["grid", "-reported_at", "-id"], name="incident_grid_new"),
            models.Index(
                fields=["owner_department", "-reported_at", "-id"], name="incident_department_new"
            ),
            models.Index(
                fields=["owner_area", "-reported_at", "-id"],
                name="incident_owner_area_new",
                condition=Q(owner_area__isnull=False),
            ),
            # Open work, most urgent deadline first.
            models.Index(
                fields=["county", "due_at", "id"],
                name="open_by_county",
                condition=Q(ended_at__isnull=True),
            ),
            # Open work of a whole county in order of arrival: too much of it to pick from.
            models.Index(
                fields=["county", "-reported_at", "-id"],
                name="open_county_new",
                condition=Q(ended_at__isnull=True),
            ),
            models.Index(
                fields=["town", "due_at", "id"],
                name="open_by_town",
                condition=Q(ended_at__isnull=True),
            ),
            models.Index(
                fields=["village", "due_at", "id"],
                name="open_by_village",
                condition=Q(ended_at__isnull=True),
            ),
            models.Index(
                fields=["grid", "due_at", "id"],
                name="open_by_grid",
                condition=Q(ended_at__isnull=True),
            ),
            models.Index(
                fields=["owner_area", "due_at", "id"],
                name="open_by_owner_area",
                condition=Q(ended_at__isnull=True),
            ),
            models.Index(
                fields=["owner_department", "due_at", "id"],
                name="open_by_department",
                condition=Q(ended_at__isnull=True),
            ),
            # How much each worker has in hand.
            models.Index(
                fields=["handler"],
                name="open_by_handler",
                condition=Q(ended_at__isnull=True, handler__isnull=False),
            ),
            # How much is late, counted for every board.
            models.Index(
                fields=["county", "town", "state"],
                name="open_overdue",
                include=["parent"],
                condition=Q(ended_at__isnull=True, overdue_at__isnull=False),
            ),
            models.Index(
                fields=["id"],
                name="incident_awaiting_triage",
                condition=Q(state="reported", triage_tried_at__isnull=True),
            ),
            models.Index(
                fields=["parent", "id"],
                name="incident_tasks",
                condition=Q(parent__isnull=False),
            ),
            GistIndex(
                fields=["location"],
                name="open_by_place",
                condition=Q(ended_at__isnull=True),
            ),
            # Words, and every filter that may be rare, intersected in any combination.
            GinIndex(
                fields=[
                    "bigrams",
                    "town",
                    "village",
                    "category",
                    "owner_department",
                    "state",
                    "tier",
                    "source",
                    "urgency",
                ],
                name="incident_facets",
            ),
        ]
        constraints = [
            models.UniqueConstraint(fields=["tracking_code"], name="incident_once_per_code"),
            models.CheckConstraint(
                name="incident_has_one_owner",
                condition=Q(owner_department__isnull=True) | Q(owner_area__isnull=True),
            ),
            models.CheckConstraint(
                name="incident_owned_while_handled",
                condition=(
                    ~Q(
                        state__in=[
                            State.DISPATCHED,
                            State.OBJECTED,
                            State.ACCEPTED,
                            State.ARRIVED,
                            State.WHISTLED,
                            State.RULING,
                            State.RESPONDED,
                        ]
                    )
                    | Q(owner_department__isnull=False)
                    | Q(owner_area__isnull=False)
                ),
            ),
            models.CheckConstraint(
                name="incident_ended_exactly_when_state_says_so",
                condition=(
                    Q(state__in=sorted(ENDED), ended_at__isnull=False)
                    | (~Q(state__in=sorted(ENDED)) & Q(ended_at__isnull=True))
                ),
            ),
            models.CheckConstraint(
                name="incident_suspended_until_a_day",
                condition=(
                    Q(state="suspended", suspended_until__isnull=False)
                    | (~Q(state="suspended") & Q(suspended_until__isnull=True))
                ),
            ),
            models.CheckConstraint(
                name="incident_merged_into_a_case",
                condition=(
                    Q(state="duplicate", merged_into__isnull=False)
                    | (~Q(state="duplicate") & Q(merged_into__isnull=True))
                ),
            ),
            models.CheckConstraint(
                name="incident_task_has_a_case_and_a_time",
                condition=(
                    Q(source="split", parent__isnull=False, task_count=0)
                    & Q(task_amount__isnull=False, task_amount__gt=0)
                    & ~Q(task_unit="")
                )
                | (
                    ~Q(source="split")
                    & Q(parent__isnull=True, task_amount__isnull=True, task_unit="")
                ),
            ),
        ]
        triggers = [
            pgtrigger.Trigger(
                name="task_hangs_on_a_case",
                when=pgtrigger.Before,
                operation=pgtrigger.Insert,
                condition=pgtrigger.Condition("NEW.parent_id IS NOT NULL"),
                func="""
                    IF NOT EXISTS (SELECT FROM incidents_incident p WHERE p.id = NEW.parent_id
                            AND p.parent_id IS NULL AND p.county_id = NEW.county_id) THEN
                        RAISE EXCEPTION 'a task hangs on a case of its own county, one level deep'
                            USING ERRCODE = 'check_violation';
                    END IF;
                    RETURN NEW;
                """,
            ),
            pgtrigger.Trigger(
                name="task_stays_with_its_case",
                when=pgtrigger.Before,
                operation=pgtrigger.UpdateOf("parent_id"),
                condition=pgtrigger.Condition("OLD.parent_id IS DISTINCT FROM NEW.parent_id"),
                func="""
                    RAISE EXCEPTION 'a task stays with its case'
                        USING ERRCODE = 'check_violation';
                """,
            ),
            # Deferred: a case and its tasks move with their area, row after row.
            pgtrigger.Trigger(
                name="task_moves_with_its_case",
                when=pgtrigger.After,
                timing=pgtrigger.Deferred,
                operation=pgtrigger.UpdateOf("county_id"),
                condition=pgtrigger.Condition("NEW.parent_id IS NOT NULL OR NEW.task_count > 0"),
                func="""
                    IF EXISTS (SELECT FROM incidents_incident t
                                 JOIN incidents_incident p ON p.id = t.parent_id
                                WHERE (t.id = NEW.id OR p.id = NEW.id)
                                  AND t.county_id <> p.county_id) THEN
                        RAISE EXCEPTION 'a task lies in the county of its case'
                            USING ERRCODE = 'check_violation';
                    END IF;
                    RETURN NULL;
                """,
            ),
        ]

    def __str__(self) -> str:
        return self.tracking_code

    @property
    def summary(self) -> str:
        """The first line of the text, short enough for a list."""
        first = self.text.strip().split("\n", 1)[0]
        return first if len(first) <= 60 else f"{first[:59]}…"

    @property
    def owner(self) -> Department | Area | None:
        """Who has the case now."""
        return self.owner_department or self.owner_area

    def visible_by(self, user: User, scope: Scope) -> bool:
        """Return whether ``visible_to`` finds the case (1 query for a department not the owner)."""
        places = {self.county_id, self.town_id, self.village_id, self.grid_id, self.unit_id}
        places -= {gone.left_id for gone in scope.trailing if gone.area_id in places}
        here = [gone for gone in scope.trailing if gone.area_id in places]
        for area in scope.areas:
            if area.pk in places or area.pk == self.owner_area_id:
                return True
            if any(gone.came_to(area) for gone in here):
                return True
        if self.owner_department_id in scope.department_ids:
            return True
        if scope.postings and self.reporter_id == user.pk:
            return True
        if not scope.department_ids:
            return False
        # Whoever has the case sees the tasks it was split into.
        if self.parent is not None and self.parent.owner_department_id in scope.department_ids:
            return True
        return self.whistles.filter(parties__department_id__in=scope.department_ids).exists()

    @property
    def is_open(self) -> bool:
        """Whether the case is still on its way."""
        return self.ended_at is None


class ReporterContact(models.Model):
    """How to reach the reporter. Encrypted at rest; its own table so it can be forgotten.

    ``wants_sms``: the reporter left the phone for that and asked to be told by SMS.
    """

    incident = models.OneToOneField(
        Incident, models.CASCADE, primary_key=True, related_name="contact"
    )
    name = EncryptedTextField(_("name"), blank=True, default="")
    phone = EncryptedTextField(_("phone"), blank=True, default="")
    phone_index = models.CharField(max_length=64, blank=True, db_index=True, editable=False)
    wants_sms = models.BooleanField(_("wants SMS"), default=False)

    class Meta:
        verbose_name = _("reporter's contact")
        verbose_name_plural = _("reporters' contacts")

    def __str__(self) -> str:
        return f"#{self.pk}"
