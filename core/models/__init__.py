"""Tables of the ground floor; nothing in them knows what a case is."""

from core.models.audit import (
    REVEAL,
    AuditChain,
    AuditEntry,
    AuditSeal,
    AuditVerification,
)
from core.models.calendar import CalendarDay, CalendarYear
from core.models.channel import Channel, MessageTemplate
from core.models.heartbeat import Heartbeat
from core.models.outbox import OutboxMessage
from core.models.paper import Paper
from core.models.sheet import SheetLine, SheetUpload
from core.models.timer import Timer

__all__ = [
    "REVEAL",
    "AuditChain",
    "AuditEntry",
    "AuditSeal",
    "AuditVerification",
    "CalendarDay",
    "CalendarYear",
    "Channel",
    "Heartbeat",
    "MessageTemplate",
    "OutboxMessage",
    "Paper",
    "SheetLine",
    "SheetUpload",
    "Timer",
]
