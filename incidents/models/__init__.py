"""Tables of the incident, from report to closure."""

from incidents.models.ai import AiCall, AiMode, AiSwitch, CallOutcome
from incidents.models.attachment import Attachment
from incidents.models.callback import CallBack, Score
from incidents.models.catalogue import (
    Category,
    Deadline,
    DeadlineVersion,
    Publication,
    Road,
    Stage,
    Tier,
)
from incidents.models.clock import Extension, StageClock, SupervisionNotice
from incidents.models.event import ActorKind, Event
from incidents.models.figures import Figure, FigureDelta, FigureShift
from incidents.models.hotline import HotlineMapping
from incidents.models.incident import (
    ENDED,
    NO_DUE,
    FoundBy,
    Incident,
    ReporterContact,
    Source,
    State,
    Urgency,
)
from incidents.models.inspection import (
    Hazard,
    InspectedKind,
    Inspection,
    InspectionItem,
    InspectionPlace,
    InspectionTeam,
    PlaceState,
)
from incidents.models.knowledge import Article, Suggestion, TriageExample, TriageModel
from incidents.models.ladder import Ladder, LadderRung
from incidents.models.notice import Notice
from incidents.models.retention import RetentionRule
from incidents.models.rules import OwnerKind, RoutingRule, RuleTable
from incidents.models.scores import (
    CaseChange,
    FactKind,
    Mark,
    ScoreFact,
    ScoreFormula,
    ScoreSum,
    Subject,
)
from incidents.models.standing import (
    CALLED_ROLES,
    EmergencyCall,
    EmergencyKind,
    StandingOrder,
    StandingStep,
)
from incidents.models.system import SentCase, System, SystemDay, SystemRight
from incidents.models.topics import EarlyWarning, HotTopic, ReportDay, Trend
from incidents.models.trailing import TrailingCase
from incidents.models.webhook import HookAttempt, HookDelivery, HookEvent, Webhook
from incidents.models.whistle import PartyState, Whistle, WhistleParty

__all__ = [
    "CALLED_ROLES",
    "ENDED",
    "NO_DUE",
    "ActorKind",
    "AiCall",
    "AiMode",
    "AiSwitch",
    "Article",
    "Attachment",
    "CallBack",
    "CallOutcome",
    "CaseChange",
    "Category",
    "Deadline",
    "DeadlineVersion",
    "EarlyWarning",
    "EmergencyCall",
    "EmergencyKind",
    "Event",
    "Extension",
    "FactKind",
    "Figure",
    "FigureDelta",
    "FigureShift",
    "FoundBy",
    "Hazard",
    "HookAttempt",
    "HookDelivery",
    "HookEvent",
    "HotTopic",
    "HotlineMapping",
    "Incident",
    "InspectedKind",
    "Inspection",
    "InspectionItem",
    "InspectionPlace",
    "InspectionTeam",
    "Ladder",
    "LadderRung",
    "Mark",
    "Notice",
    "OwnerKind",
    "PartyState",
    "PlaceState",
    "Publication",
    "ReportDay",
    "ReporterContact",
    "RetentionRule",
    "Road",
    "RoutingRule",
    "RuleTable",
    "Score",
    "ScoreFact",
    "ScoreFormula",
    "ScoreSum",
    "SentCase",
    "Source",
    "Stage",
    "StageClock",
    "StandingOrder",
    "StandingStep",
    "State",
    "Subject",
    "Suggestion",
    "SupervisionNotice",
    "System",
    "SystemDay",
    "SystemRight",
    "Tier",
    "TrailingCase",
    "Trend",
    "TriageExample",
    "TriageModel",
    "Urgency",
    "Webhook",
    "Whistle",
    "WhistleParty",
]
