"""Tables of territory and people."""

from grids.models.area import SHAPES, Area, AreaCode, GridKind, Level, shapes_of
from grids.models.boundary_import import BoundaryImport, BoundaryRow, ImportState, Verdict
from grids.models.coverage import AuditState, CoverageAudit, CoverageFault, FaultKind
from grids.models.department import Department
from grids.models.household import (
    NEVER,
    CareTag,
    Household,
    HouseholdCare,
    HouseholdLink,
)
from grids.models.network import AllianceGrid, AllianceVillage, GridTheme, ThemeDuty
from grids.models.posting import Posting, Role, WorkerKind
from grids.models.roster import GridWithoutChief, Leave
from grids.models.user import User
from grids.models.visit import Visit, VisitPhoto, VisitRule

__all__ = [
    "NEVER",
    "SHAPES",
    "AllianceGrid",
    "AllianceVillage",
    "Area",
    "AreaCode",
    "AuditState",
    "BoundaryImport",
    "BoundaryRow",
    "CareTag",
    "CoverageAudit",
    "CoverageFault",
    "Department",
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
    "Posting",
    "Role",
    "ThemeDuty",
    "User",
    "Verdict",
    "Visit",
    "VisitPhoto",
    "VisitRule",
    "WorkerKind",
    "shapes_of",
]
