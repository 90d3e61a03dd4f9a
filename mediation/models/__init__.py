"""Tables of mediation."""

from mediation.models.choices import (
    ENDED_STATES,
    MEDIATING_STATES,
    NOT_CONFIRMABLE,
    SETTLED_STATES,
    STEP_STATES,
    AgreementForm,
    ClueSource,
    Colour,
    DisputeState,
    Kind,
    OtherRoad,
    Performance,
    Side,
    StepOutcome,
)
from mediation.models.dispute import (
    LIST_ROLES,
    Dispute,
    DisputeMediator,
    DisputeNumber,
    DisputeQuerySet,
    Party,
)
from mediation.models.record import COURT_CONFIRMATION_DAYS, Agreement, FollowUp, StepRecord
from mediation.models.trail import DisputeEvent, FileOpening

__all__ = [
    "COURT_CONFIRMATION_DAYS",
    "ENDED_STATES",
    "LIST_ROLES",
    "MEDIATING_STATES",
    "NOT_CONFIRMABLE",
    "SETTLED_STATES",
    "STEP_STATES",
    "Agreement",
    "AgreementForm",
    "ClueSource",
    "Colour",
    "Dispute",
    "DisputeEvent",
    "DisputeMediator",
    "DisputeNumber",
    "DisputeQuerySet",
    "DisputeState",
    "FileOpening",
    "FollowUp",
    "Kind",
    "OtherRoad",
    "Party",
    "Performance",
    "Side",
    "StepOutcome",
    "StepRecord",
]
