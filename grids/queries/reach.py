"""Where one person keeps the territory in order: a town's admin the town, others the county.

What must not live here: what a person may see of people and cases (scope.py).
"""

from dataclasses import dataclass

from grids.models import Area, Role, User
from grids.models.area import SHAPES
from grids.queries.scope import Scope

# The command centre keeps the county's map, the system administrator its tables.
TERRITORY_ROLES = frozenset({Role.TOWN_ADMIN, Role.COMMAND, Role.SYSTEM_ADMIN})


@dataclass(frozen=True)
class Reach:
    """The areas whose boundaries a person may check, import and export, top ones only."""

    areas: tuple[Area, ...] = ()

    @classmethod
    def of(cls, scope: Scope) -> "Reach":
        """Return the reach that follows from the postings of ``scope`` (no query)."""
        held = {p.area for p in scope.postings if p.area and p.role in TERRITORY_ROLES}
        top: list[Area] = []
        for area in sorted(held, key=lambda area: area.path):
            if not top or not area.path.startswith(top[-1].path):
                top.append(area)
        return cls(tuple(top))

    @classmethod
    def of_user(cls, user: User) -> "Reach":
        """Return the reach of ``user`` today (1 query)."""
        return cls.of(Scope.for_user(user))

    def covers(self, area: Area) -> bool:
        """Return whether ``area`` lies inside."""
        return self.has_path(area.path)

    def has_path(self, path: str) -> bool:
        """Return whether the area of this tree path lies inside."""
        return any(path.startswith(held.path) for held in self.areas)

    def find(self, area_id: int | str | None) -> Area | None:
        """Return the area of this id without its shapes, the first held one for none (≤ 1 query).

        None stands for whatever lies outside, exists or not.
        """
        if not area_id:
            return self.areas[0] if self.areas else None
        if not str(area_id).isascii() or not str(area_id).isdigit() or len(str(area_id)) > 18:
            return None
        area = Area.objects.filter(pk=int(area_id)).defer(*SHAPES).first()
        return area if area is not None and self.covers(area) else None
