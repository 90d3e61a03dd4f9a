"""What this floor puts into the registries of the floors below, at start-up."""

from django.utils.translation import gettext_lazy as _

from core.services import timers
from grids.desks import Desk, register
from incidents.registry import register_handover
from mediation.models import LIST_ROLES
from mediation.services import deadlines, registering


def connect() -> None:
    """Register timers, the hand-over from incidents and the desk."""
    timers.register(deadlines.DEADLINE, deadlines.month_is_over)
    timers.register(deadlines.FOLLOW_UP, deadlines.visit_is_due)
    register_handover("mediation", registering.hand_over_from_incident)
    register(
        Desk(
            url_name="disputes",
            label=_("Mediation"),
            icon="heart-handshake",
            roles=LIST_ROLES,
            rank=60,
        )
    )
