"""What this floor puts into the registries of the floors below, at start-up."""

from core.services import outbox, timers
from incidents.registry import register_handover
from mediation.services import deadlines, delivery, people, registering
from mediation.services.step import NOTICE


def connect() -> None:
    """Register timers, outbox topics and the hand-over from incidents."""
    timers.register(deadlines.DEADLINE, deadlines.month_is_over)
    timers.register(deadlines.FOLLOW_UP, deadlines.visit_is_due)
    outbox.register(NOTICE, delivery.deliver_notice)
    outbox.register(people.POLICE, delivery.deliver_to_police)
    register_handover("mediation", registering.hand_over_from_incident)
