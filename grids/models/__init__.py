"""Tables of territory and people."""

from grids.models.area import SHAPES, Area, AreaCode, GridKind, Level, shapes_of
from grids.models.boundary_import import BoundaryImport, BoundaryRow, ImportState, Verdict
from grids.models.coverage import AuditState, CoverageAudit, CoverageFault, FaultKind
from grids.models.department import Department
from grids.models.posting import Posting, Role, WorkerKind
from grids.models.user import User

__all__ = [
    "SHAPES",
    "Area",
    "AreaCode",
    "AuditState",
    "BoundaryImport",
    "BoundaryRow",
    "CoverageAudit",
    "CoverageFault",
    "Department",
    "FaultKind",
    "GridKind",
    "ImportState",
    "Level",
    "Posting",
    "Role",
    "User",
    "Verdict",
    "WorkerKind",
    "shapes_of",
]
