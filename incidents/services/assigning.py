"""Which of several workers of a grid is given a case.

What must not live here: which grid it goes to (routing.py, dispatching.py). Whoever else is
posted there may still take it on: the choice says whose turn it is, not who may.
"""

from collections.abc import Sequence
from typing import Any

from grids.models import Area, Level, Role
from incidents.queries.workers import Worker, workers_of
from incidents.services.step import Step

# Tried in this order: a grid without a worker today is its chief's.
ROLES: dict[str, tuple[str, ...]] = {
    Level.GRID: (Role.GRID_WORKER, Role.GRID_CHIEF),
    Level.UNIT: (Role.UNIT_HEAD,),
}
# A case past its deadline weighs as much as three that are in time.
LATE_WEIGHS = 3


def assign(case: Step, area: Area | None, *, roles: Sequence[str] = ()) -> None:
    """Name the worker whose turn the case is, if its owner is a grid or unit (≤ 1 query).

    Whoever is posted there today, not on leave, on duty, and has least in hand; the first by id
    of those who have as little. Where nobody is on duty all take part: a case never waits for a
    check-in. A substitute holds a posting of the same role meanwhile. The reason goes on the
    timeline. ``roles`` instead of the usual ones: for a rung of the ladder.
    """
    case.incident.handler = None
    if area is None or area.level not in ROLES:
        return
    wanted = tuple(roles) or ROLES[area.level]
    found = workers_of(area, roles=wanted, now=case.now)
    for role in wanted:
        here = [one for one in found if one.role == role and not one.away]
        if here:
            turn = [one for one in here if one.on_duty] or here
            chosen = min(turn, key=_weight)
            case.incident.handler_id = chosen.user_id
            away = [one.name for one in found if one.role == role and one.away]
            case.data["assigned"] = _facts(chosen, of=len(turn), away=away)
            return


def _weight(worker: Worker) -> tuple[int, int]:
    return worker.in_hand + (LATE_WEIGHS - 1) * worker.late, worker.user_id


def _facts(chosen: Worker, *, of: int, away: list[str]) -> dict[str, Any]:
    return {
        "name": chosen.name,
        "stands_for": chosen.stands_for,
        "on_duty": chosen.on_duty,
        "in_hand": chosen.in_hand,
        "late": chosen.late,
        "of": of,
        "away": away,
    }
