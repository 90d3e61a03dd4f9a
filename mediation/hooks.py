"""What this floor puts into the registries of the floors below, at start-up."""

from collections.abc import Mapping
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from core.channels.events import Group
from core.services import pruning, timers
from grids import closing, moves
from grids.desks import Desk, register
from incidents.registry import register_handover, register_notice
from incidents.services import retention
from mediation import audit_words
from mediation.models import LIST_ROLES
from mediation.queries import timed_disputes
from mediation.services import deadlines, moving, registering
from mediation.services.retention import forget_phones
from mediation.workflow import NOTICE_KINDS

URGENT_KINDS = frozenset(
    {"dispute_risk", "dispute_police_told", "dispute_call_police", "dispute_overdue"}
)
# Those that may not wait for the morning.
ALARMS = frozenset({"dispute_red", "dispute_risk", "dispute_police_told", "dispute_call_police"})
DEADLINES = frozenset({"dispute_warn", "dispute_overdue", "dispute_follow_up_due"})
# Told to a department, which has no part in mediation: there is no page for it to open.
WITHOUT_PAGE = frozenset({"dispute_risk"})


def connect() -> None:
    """Register timers, the hand-over from incidents, what is forgotten, and the desk."""
    timers.register(deadlines.DEADLINE, deadlines.month_is_over)
    timers.register(deadlines.FOLLOW_UP, deadlines.visit_is_due)
    pruning.register(deadlines.SUBJECT, timed_disputes)
    retention.register("party_phone", forget_phones, subject_type="dispute")
    moves.register(
        "mediation",
        labels=moving.LABELS,
        count=moving.count,
        follow=moving.follow,
        rows=moving.rows,
    )
    closing.register("mediation", moving.obstacles)
    audit_words.connect()
    register_handover("mediation", registering.hand_over_from_incident)
    for kind, text in NOTICE_KINDS.items():
        level = "over" if kind in URGENT_KINDS else "calm"
        url = None if kind in WITHOUT_PAGE else _file_url
        alarm = kind in ALARMS
        group = Group.ALARM if alarm else Group.DEADLINE if kind in DEADLINES else Group.WORK
        register_notice(kind, text, level=level, url=url, group=group, urgent=alarm)
    register(
        Desk(
            url_name="disputes",
            label=_("Mediation"),
            icon="heart-handshake",
            roles=LIST_ROLES,
            rank=60,
        )
    )


def _file_url(data: Mapping[str, Any]) -> str:
    return reverse("dispute", args=[data["dispute"]])
