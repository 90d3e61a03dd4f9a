"""Tables of territory and people."""

from grids.models.area import Area, AreaCode, GridKind, Level
from grids.models.department import Department
from grids.models.posting import Posting, Role, WorkerKind
from grids.models.user import User

__all__ = [
    "Area",
    "AreaCode",
    "Department",
    "GridKind",
    "Level",
    "Posting",
    "Role",
    "User",
    "WorkerKind",
]
