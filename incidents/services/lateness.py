"""What happens when a clock runs out: a warning, a miss, and the climb up the ladder.

What lives here: the handlers of the clocks' timers. What must not: setting those timers
(clocks.py) and which rungs a ladder has (queries/ladders.py).
"""

from collections.abc import Callable, Collection
from datetime import datetime
from typing import Any

from core.models import Timer
from core.services.timers import set_timers
from core.working_calendar import WorkingCalendar
from incidents.models import Incident, LadderRung, Stage, StageClock, SupervisionNotice
from incidents.queries.ladders import rungs_above
from incidents.services.clocks import climb_specs, due_of
from incidents.services.dispatching import take_up
from incidents.services.step import Step, background_row
from incidents.workflow import (
    COMMAND_RUNG,
    COMMANDS,
    LADDER,
    SYSTEM,
    TRANSITIONS,
    area_of_rung,
    base_rung,
)

OWNERS = frozenset({Stage.ACCEPT, Stage.ARRIVE, Stage.RESPOND, Stage.RESOLVE})


def on_clock_timers(timers: list[Timer], now: datetime) -> list[Timer]:
    """Warn, mark late or climb for each timer; return those whose case is busy just now."""
    clocks = _clocks({timer.subject_id for timer in timers})
    cases = {
        case.pk: case
        for case in Incident.objects.select_for_update(of=("self",), skip_locked=True)
        .select_related("category", "owner_department", "owner_area", "deadline_version")
        .filter(pk__in={clock.incident_id for clock in clocks.values()})
        .order_by("pk")
    }
    # The lock may have been waited for by a step that changed the clocks: read them again.
    clocks = _clocks(list(clocks))
    busy: list[Timer] = []
    taken: dict[int, int] = {}
    for timer in timers:
        clock = clocks.get(timer.subject_id)
        if clock is None:
            continue
        if clock.incident_id not in cases:
            busy.append(timer)
        elif not clock.finished_at and clock.due_at and clock.cycle == timer.cycle:
            rung = _HANDLERS[timer.kind](cases[clock.incident_id], clock, timer, now)
            if rung is not None and rung.takes_over and _is_taken_from(cases, clock):
                taken[clock.incident_id] = max(rung.rung, taken.get(clock.incident_id, 0))
    # Last, because taking a case up ends its clocks.
    for incident_id, number in taken.items():
        take_up(incident_id=incident_id, rung=number, now=now)
    return busy


def _clocks(ids: Collection[int]) -> dict[int, StageClock]:
    return StageClock.objects.select_related("party__department").in_bulk(ids)


def _is_taken_from(cases: dict[int, Incident], clock: StageClock) -> bool:
    """Return whether the late clock is the owner's; a department called in keeps its call."""
    state = cases[clock.incident_id].state
    return clock.stage in OWNERS and not clock.party_id and state in TRANSITIONS["take_up"].sources


def _warn(incident: Incident, clock: StageClock, timer: Timer, now: datetime) -> None:
    clock.warned_at = now
    clock.save(update_fields=["warned_at"])
    with background_row(incident=incident, action="warn", actor=SYSTEM, now=now) as case:
        case.data = _facts(clock)
        _tell_responsible(case, clock, "warn")


def _miss(incident: Incident, clock: StageClock, timer: Timer, now: datetime) -> LadderRung | None:
    clock.breached_at = now
    clock.save(update_fields=["breached_at"])
    with background_row(incident=incident, action="overdue", actor=SYSTEM, now=now) as case:
        case.data = _facts(clock)
        incident.overdue_at = incident.overdue_at or now
        if clock.stage not in {Stage.TRIAGE, Stage.CALLBACK}:
            case.count("overdue")
        _tell_responsible(case, clock, "overdue")
    return _climb_above(incident, clock, _standing(incident, clock), now)


def _climb(incident: Incident, clock: StageClock, timer: Timer, now: datetime) -> LadderRung | None:
    return _climb_above(incident, clock, int(timer.stage) - 1, now)


_HANDLERS: dict[str, Callable[[Incident, StageClock, Timer, datetime], LadderRung | None]] = {
    "clock_warn": _warn,
    "clock_due": _miss,
    "clock_climb": _climb,
}
CLOCK_TIMER_KINDS = tuple(_HANDLERS)


def _standing(incident: Incident, clock: StageClock) -> int:
    """Return the rung responsible for the clock: who must act stands on it."""
    return COMMAND_RUNG if clock.stage in COMMANDS else base_rung(incident)


def _climb_above(
    incident: Incident, clock: StageClock, below: int, now: datetime
) -> LadderRung | None:
    """Tell the next rung of the clock's ladder, with a numbered notice; return it if there is one.

    The timer of the rung after it is set in the same transaction.
    """
    above = rungs_above(incident, below, on=clock.started_at)
    if not above:
        return None
    rung = above[0]
    clock.rung = rung.rung
    clock.save(update_fields=["rung"])
    notice = SupervisionNotice.objects.create(
        incident=incident, clock=clock, cycle=clock.cycle, rung=rung.rung, issued_at=now
    )
    with background_row(incident=incident, action="escalate", actor=SYSTEM, now=now) as case:
        incident.rung = max(incident.rung, rung.rung)
        case.data = {**_facts(clock), "rung": rung.rung, "notice": notice.number}
        area_id = area_of_rung(incident, rung.rung)
        by: dict[str, Any] = {"channels": rung.channels} if rung.channels else {}
        case.tell("escalate", role=LADDER[rung.rung], area_id=area_id, **case.data, **by)
        _tell_responsible(case, clock, "supervision")
    set_timers(climb_specs(WorkingCalendar.load(), incident, clock, now))
    return rung


def _tell_responsible(case: Step, clock: StageClock, kind: str) -> None:
    if clock.party:
        case.tell(kind, department=clock.party.department, **_facts(clock))
    elif clock.stage in COMMANDS:
        case.tell_command(kind, **_facts(clock))
    else:
        case.tell_owner(kind, **_facts(clock))


def _facts(clock: StageClock) -> dict:
    facts = {"stage": clock.stage, "name": clock.name, "due_at": due_of(clock).isoformat()}
    return {**facts, "department": clock.party.department.name} if clock.party else facts
