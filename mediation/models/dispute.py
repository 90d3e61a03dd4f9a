"""The dispute, its parties and those who may open its file.

What lives here: the rows, what is always true of them, and which rows a scope opens.
What must not: steps (services) and who may take them (workflow).
"""

import uuid
from datetime import datetime

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from core.fields import EncryptedTextField
from grids.models import Area, Level, Role, User
from grids.queries import Scope
from incidents.models import Incident
from mediation.models.choices import (
    ENDED_STATES,
    MEDIATING_STATES,
    SETTLED_STATES,
    STEP_STATES,
    ClueSource,
    Colour,
    DisputeState,
    Kind,
    OtherRoad,
    Side,
)

# Whose postings open the list rows of their area.
LIST_ROLES = frozenset(
    {
        Role.GRID_WORKER,
        Role.GRID_CHIEF,
        Role.GRID_GUIDE,
        Role.VILLAGE_OFFICE,
        Role.TOWN_ADMIN,
        Role.COMMAND,
        Role.COUNTY_LEADER,
        Role.MEDIATOR,
    }
)
LIST_LEVELS = frozenset({Level.COUNTY, Level.TOWN, Level.VILLAGE, Level.GRID})


class DisputeQuerySet(models.QuerySet["Dispute"]):
    """Reads about disputes as rows."""

    def visible_to(self, user: User, scope: Scope | None = None) -> "DisputeQuerySet":
        """Return the disputes whose list row ``user`` may see; their file is another right."""
        scope = scope or Scope.for_user(user)
        if not scope.postings:
            return self.none()
        reach = Q(pk__in=DisputeMediator.objects.filter(user=user, until=None).values("dispute"))
        reach |= Q(leader=user)
        for posting in scope.postings:
            if posting.role in LIST_ROLES and posting.area and posting.area.level in LIST_LEVELS:
                reach |= Q(**{f"{posting.area.level}_id": posting.area_id})
        return self.filter(reach)

    def mediating(self) -> "DisputeQuerySet":
        """Return disputes before agreement or failure, where the month runs."""
        return self.filter(state__in=MEDIATING_STATES)

    def overdue(self, now: datetime | None = None) -> "DisputeQuerySet":
        """Return disputes still being mediated past their month."""
        return self.mediating().filter(due_at__lt=now or timezone.now())


class Dispute(models.Model):
    """One dispute between parties, from the clue to performance.

    ``request_key`` is the sender's own UUID: the same form sent twice is one row. ``step``
    is 0 before the first of the four, else the step reached. The month runs to ``due_at``;
    ``settled_at`` is when the agreement was reached, ``ended_at`` when nothing is left to do.
    ``title`` and ``facts`` are part of the confidential file and in no list.
    """

    request_key = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    number = models.CharField(_("number"), max_length=20, unique=True)
    title = EncryptedTextField(_("title"))
    facts = EncryptedTextField(_("facts"), blank=True, default="")
    kind = models.CharField(_("kind of dispute"), max_length=12, choices=Kind.choices)
    source = models.CharField(_("source of the clue"), max_length=15, choices=ClueSource.choices)
    incident = models.OneToOneField(
        Incident, models.PROTECT, null=True, blank=True, related_name="dispute"
    )

    county = models.ForeignKey(Area, models.PROTECT, related_name="+", db_index=False)
    town = models.ForeignKey(
        Area, models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    village = models.ForeignKey(
        Area, models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    grid = models.ForeignKey(
        Area, models.PROTECT, null=True, blank=True, related_name="+", db_index=False
    )
    area = models.ForeignKey(Area, models.PROTECT, related_name="disputes", db_index=False)

    colour = models.CharField(
        _("colour"), max_length=6, choices=Colour.choices, default=Colour.BLUE
    )
    leader = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="led_disputes"
    )
    activation_risk = models.BooleanField(_("risk of activation"), default=False)
    reported_to_police_at = models.DateTimeField(
        _("reported to the police at"), null=True, blank=True
    )

    state = models.CharField(
        _("state"), max_length=12, choices=DisputeState.choices, default=DisputeState.REGISTERED
    )
    step = models.PositiveSmallIntegerField(_("step"), default=0)
    registered_by = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="registered_disputes"
    )
    registered_at = models.DateTimeField(_("registered at"), default=timezone.now)
    due_at = models.DateTimeField(_("due at"))
    extensions = models.PositiveSmallIntegerField(_("times extended"), default=0)
    settled_at = models.DateTimeField(_("settled at"), null=True, blank=True)
    ended_at = models.DateTimeField(_("ended at"), null=True, blank=True)
    overdue_at = models.DateTimeField(_("overdue since"), null=True, blank=True)
    roads_told = ArrayField(
        models.CharField(max_length=15, choices=OtherRoad.choices),
        verbose_name=_("other roads the parties were told of"),
        default=list,
        blank=True,
    )

    version = models.PositiveIntegerField(default=1)
    last_seq = models.PositiveIntegerField(default=0)

    objects = DisputeQuerySet.as_manager()

    class Meta:
        verbose_name = _("dispute")
        verbose_name_plural = _("disputes")
        indexes = [
            models.Index(fields=["county", "-id"], name="dispute_county"),
            models.Index(fields=["town", "-id"], name="dispute_town"),
            models.Index(fields=["village", "-id"], name="dispute_village"),
            models.Index(fields=["grid", "-id"], name="dispute_grid"),
            models.Index(
                fields=["county", "due_at"],
                name="dispute_mediating",
                condition=Q(state__in=MEDIATING_STATES),
            ),
        ]
        constraints = [
            models.CheckConstraint(name="dispute_kind_known", condition=Q(kind__in=Kind.values)),
            models.CheckConstraint(
                name="dispute_colour_known", condition=Q(colour__in=Colour.values)
            ),
            models.CheckConstraint(
                name="dispute_source_incident_names_it",
                condition=~Q(source="incident") | Q(incident__isnull=False),
            ),
            models.CheckConstraint(
                name="dispute_red_has_leader",
                condition=~Q(colour="red") | Q(leader__isnull=False),
                violation_error_message=_("A red dispute needs a leader by name."),
            ),
            models.CheckConstraint(
                name="dispute_risk_reported_to_police",
                condition=Q(activation_risk=False) | Q(reported_to_police_at__isnull=False),
                violation_error_message=_(
                    "A risk of activation is reported to the police at once."
                ),
            ),
            models.CheckConstraint(
                name="dispute_step_fits_state",
                condition=Q(
                    Q(state="registered", step=0),
                    *[Q(state=state, step=n) for n, state in enumerate(STEP_STATES, start=1)],
                    Q(state__in=SETTLED_STATES, step__gte=1, step__lte=4),
                    Q(state__in=["failed", "withdrawn"], step__gte=0, step__lte=4),
                    _connector=Q.OR,
                ),
            ),
            models.CheckConstraint(
                name="dispute_settled_exactly_when_agreed",
                condition=(
                    Q(state__in=SETTLED_STATES, settled_at__isnull=False)
                    | (~Q(state__in=SETTLED_STATES) & Q(settled_at__isnull=True))
                ),
            ),
            models.CheckConstraint(
                name="dispute_ended_exactly_when_state_says_so",
                condition=(
                    Q(state__in=ENDED_STATES, ended_at__isnull=False)
                    | (~Q(state__in=ENDED_STATES) & Q(ended_at__isnull=True))
                ),
            ),
            models.CheckConstraint(
                name="dispute_failed_only_with_other_roads_told",
                condition=~Q(state="failed") | ~Q(roads_told=[]),
                violation_error_message=_("Tell the parties which other roads they have."),
            ),
            models.CheckConstraint(
                name="dispute_due_after_registered",
                condition=Q(due_at__gt=F("registered_at")),
            ),
        ]

    def __str__(self) -> str:
        return self.number

    @property
    def is_open(self) -> bool:
        """Whether something is left to do."""
        return self.ended_at is None

    @property
    def place_ids(self) -> list[int]:
        """Ids of the areas above and at the place, county first."""
        ids = [self.county_id, self.town_id, self.village_id, self.grid_id, self.area_id]
        return list(dict.fromkeys(pk for pk in ids if pk))


class DisputeNumber(models.Model):
    """The last number given in a year. Its row lock makes numbers follow without a gap."""

    year = models.PositiveSmallIntegerField(primary_key=True)
    last = models.PositiveIntegerField()

    def __str__(self) -> str:
        return f"{self.year}/{self.last}"


class Party(models.Model):
    """One party. Name and phone are encrypted; an ID number is not collected at all."""

    dispute = models.ForeignKey(Dispute, models.PROTECT, related_name="parties")
    side = models.CharField(_("side"), max_length=5, choices=Side.choices)
    name = EncryptedTextField(_("name"))
    phone = EncryptedTextField(_("phone"), blank=True, default="")
    phone_index = models.CharField(max_length=64, blank=True, db_index=True, editable=False)
    agreed_to_mediation_at = models.DateTimeField(
        _("agreed to mediation at"), null=True, blank=True
    )
    stopped_at = models.DateTimeField(_("stopped the mediation at"), null=True, blank=True)

    class Meta:
        verbose_name = _("party")
        verbose_name_plural = _("parties")
        ordering = ["side", "id"]
        constraints = [
            models.CheckConstraint(name="party_side_known", condition=Q(side__in=Side.values)),
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"


class DisputeMediator(models.Model):
    """Somebody named to the dispute: from ``since`` on, until ``until``, they open its file."""

    dispute = models.ForeignKey(Dispute, models.PROTECT, related_name="mediators")
    user = models.ForeignKey(User, models.PROTECT, related_name="+")
    since = models.DateTimeField(_("since"), default=timezone.now)
    until = models.DateTimeField(_("until"), null=True, blank=True)

    class Meta:
        verbose_name = _("named mediator")
        verbose_name_plural = _("named mediators")
        constraints = [
            models.UniqueConstraint(
                fields=["dispute", "user"],
                condition=Q(until__isnull=True),
                name="mediator_named_once_at_a_time",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.dispute_id} {self.user_id}"
