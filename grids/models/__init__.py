"""Tables of territory and people."""

from grids.models.area import SHAPES, Area, AreaCode, GridKind, Level, shapes_of
from grids.models.department import Department
from grids.models.posting import Posting, Role, WorkerKind
from grids.models.user import User

__all__ = [
    "SHAPES",
    "Area",
    "AreaCode",
    "Department",
    "GridKind",
    "Level",
    "Posting",
    "Role",
    "User",
    "WorkerKind",
    "shapes_of",
]
