"""Tables of territory and people."""

from grids.models.account import Authenticator, RecoveryCode, UserSession
from grids.models.area import SHAPES, Area, AreaCode, GridKind, Level, shapes_of
from grids.models.boundary_import import BoundaryImport, BoundaryRow, ImportState, Verdict
from grids.models.coverage import AuditState, CoverageAudit, CoverageFault, FaultKind
from grids.models.department import Department
from grids.models.duty import DUTY_ROLES, LONGEST_SHIFT, DutyShift
from grids.models.household import (
    NEVER,
    CareTag,
    Household,
    HouseholdCare,
    HouseholdLink,
)
from grids.models.messaging import MessageSettings, Subscription
from grids.models.network import AllianceGrid, AllianceVillage, GridTheme, ThemeDuty
from grids.models.posting import Posting, Role, WorkerKind
from grids.models.reorganisation import (
    ActState,
    Reorganisation,
    ReorganisationStep,
    StepKind,
    TrailingArea,
)
from grids.models.roster import GridWithoutChief, Leave
from grids.models.user import User
from grids.models.visit import Visit, VisitPhoto, VisitRule
from grids.models.worker_file import (
    FILE_ROLES,
    Attendance,
    Award,
    CardProfile,
    MonthlyAssessment,
    NegativeEntry,
    NegativeItem,
    Recommendation,
    ReserveRecommendation,
    Selection,
    Training,
)

__all__ = [
    "DUTY_ROLES",
    "FILE_ROLES",
    "LONGEST_SHIFT",
    "NEVER",
    "SHAPES",
    "ActState",
    "AllianceGrid",
    "AllianceVillage",
    "Area",
    "AreaCode",
    "Attendance",
    "AuditState",
    "Authenticator",
    "Award",
    "BoundaryImport",
    "BoundaryRow",
    "CardProfile",
    "CareTag",
    "CoverageAudit",
    "CoverageFault",
    "Department",
    "DutyShift",
    "FaultKind",
    "GridKind",
    "GridTheme",
    "GridWithoutChief",
    "Household",
    "HouseholdCare",
    "HouseholdLink",
    "ImportState",
    "Leave",
    "Level",
    "MessageSettings",
    "MonthlyAssessment",
    "NegativeEntry",
    "NegativeItem",
    "Posting",
    "Recommendation",
    "RecoveryCode",
    "Reorganisation",
    "ReorganisationStep",
    "ReserveRecommendation",
    "Role",
    "Selection",
    "StepKind",
    "Subscription",
    "ThemeDuty",
    "TrailingArea",
    "Training",
    "User",
    "UserSession",
    "Verdict",
    "Visit",
    "VisitPhoto",
    "VisitRule",
    "WorkerKind",
    "shapes_of",
]
