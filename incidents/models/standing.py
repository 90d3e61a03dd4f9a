"""Standing orders of an emergency, and the calls made by them.

What lives here: who is to be called in which order, and who was. What must not: choosing an
order and calling (services/standing.py).
"""

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import ArrayField, RangeOperators
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from core.models import Channel
from grids.models import Area, Department, Role, User
from grids.models.area import DateRange
from incidents.models.incident import Incident


class EmergencyKind(models.TextChoices):
    """What is on fire: by the service that is called, and whatever none of them names."""

    POLICE = "police", _("Police 110")
    FIRE = "fire", _("Fire 119")
    MEDICAL = "medical", _("Ambulance 120")
    OTHER = "other", _("Any other emergency")


# Who can be called by their post: one place of the case each, see services/standing.py.
CALLED_ROLES = (
    Role.GRID_WORKER,
    Role.GRID_CHIEF,
    Role.VILLAGE_OFFICE,
    Role.TOWN_ADMIN,
    Role.COMMAND,
    Role.COUNTY_LEADER,
)


def _whom() -> Q:
    """Return the condition that exactly one of a post, a department and a person is named."""
    no_role, no_department, no_user = (
        Q(role=""),
        Q(department__isnull=True),
        Q(user__isnull=True),
    )
    return (
        (~no_role & no_department & no_user)
        | (no_role & ~no_department & no_user)
        | (no_role & no_department & ~no_user)
    )


class StandingOrder(models.Model):
    """Who is called in an emergency of a kind, in an area and below it, from a day to a day.

    Of several areas the nearest counts. ``version`` counts changes (compare-and-set).
    """

    kind = models.CharField(_("kind"), max_length=8, choices=EmergencyKind.choices)
    area = models.ForeignKey(
        Area, models.PROTECT, related_name="standing_orders", verbose_name=_("area")
    )
    valid_from = models.DateField(_("from"), default=timezone.localdate)
    valid_to = models.DateField(
        _("to"), null=True, blank=True, help_text=_("The first day it does not hold any more.")
    )
    version = models.PositiveIntegerField(default=1)

    class Meta:
        verbose_name = _("standing order")
        verbose_name_plural = _("standing orders")
        ordering = ["kind", "area__path", "-valid_from"]
        constraints = [
            models.CheckConstraint(
                name="standing_order_ends_after_it_begins",
                condition=Q(valid_to__isnull=True) | Q(valid_to__gt=models.F("valid_from")),
            ),
            ExclusionConstraint(
                name="standing_order_one_at_a_time",
                expressions=[
                    ("kind", RangeOperators.EQUAL),
                    ("area", RangeOperators.EQUAL),
                    (DateRange("valid_from", "valid_to"), RangeOperators.OVERLAPS),
                ],
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} · {self.area.name}"


class StandingStep(models.Model):
    """One call of an order: a post of the case's place, a department or a person.

    ``seconds`` until the next one is called, unless somebody has it by then. ``channels`` carry
    the call beside the bell; none means what each person chose.
    """

    order = models.ForeignKey(StandingOrder, models.CASCADE, related_name="steps")
    position = models.PositiveSmallIntegerField(_("order of calling"))
    role = models.CharField(_("post"), max_length=20, choices=Role.choices, blank=True)
    department = models.ForeignKey(
        Department, models.PROTECT, null=True, blank=True, related_name="+"
    )
    user = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    channels = ArrayField(
        models.CharField(max_length=10, choices=Channel.Kind.choices),
        verbose_name=_("channels"),
        default=list,
        blank=True,
    )
    seconds = models.PositiveIntegerField(_("seconds until the next is called"), default=180)

    class Meta:
        verbose_name = _("step of a standing order")
        verbose_name_plural = _("steps of standing orders")
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["order", "position"], name="standing_step_once"),
            models.CheckConstraint(name="standing_step_calls_one", condition=_whom()),
            models.CheckConstraint(
                name="standing_step_waits", condition=Q(seconds__gte=10, seconds__lte=86400)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.position}. {self.role or self.department or self.user}"


class EmergencyCall(models.Model):
    """One call of one emergency, as the order stood when it began; see services/standing.py.

    ``called_at`` is empty until its turn comes. ``nobody``: the post was vacant at its turn, so
    the next one was called at once. Rows are only ever filled in.
    """

    incident = models.ForeignKey(Incident, models.PROTECT, related_name="calls")
    kind = models.CharField(_("kind"), max_length=8, choices=EmergencyKind.choices)
    position = models.PositiveSmallIntegerField(_("order of calling"))
    order = models.ForeignKey(
        StandingOrder, models.PROTECT, null=True, blank=True, related_name="calls"
    )
    role = models.CharField(_("post"), max_length=20, choices=Role.choices, blank=True)
    area = models.ForeignKey(Area, models.PROTECT, null=True, blank=True, related_name="+")
    department = models.ForeignKey(
        Department, models.PROTECT, null=True, blank=True, related_name="+"
    )
    user = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="+")
    channels = ArrayField(models.CharField(max_length=10), default=list, blank=True)
    seconds = models.PositiveIntegerField()
    called_at = models.DateTimeField(_("called at"), null=True, blank=True)
    nobody = models.BooleanField(_("nobody held the post"), default=False)
    acknowledged_at = models.DateTimeField(_("acknowledged at"), null=True, blank=True)
    acknowledged_by = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="+"
    )

    class Meta:
        verbose_name = _("emergency call")
        verbose_name_plural = _("emergency calls")
        ordering = ["kind", "position"]
        indexes = [
            models.Index(fields=["-called_at"], name="emergency_calls_newest"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["incident", "kind", "position"], name="emergency_call_once"
            ),
            models.CheckConstraint(name="emergency_call_is_to_one", condition=_whom()),
            models.CheckConstraint(
                name="emergency_call_acknowledged_once_called",
                condition=Q(acknowledged_at__isnull=True, acknowledged_by__isnull=True)
                | Q(
                    acknowledged_at__isnull=False,
                    acknowledged_by__isnull=False,
                    called_at__isnull=False,
                ),
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.incident_id} {self.kind} {self.position}"
