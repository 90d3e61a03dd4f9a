"""What happens when a clock runs out: a warning, a miss, and the climb up the ladder.

What lives here: the handlers of the clocks' timers. What must not: setting those timers
(clocks.py) and which rungs a ladder has (queries/ladders.py).
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from core.family import update_rows
from core.models import Timer
from core.services.timers import TimerSpec, set_timers
from core.working_calendar import WorkingCalendar
from incidents.models import Incident, LadderRung, Stage, StageClock, SupervisionNotice
from incidents.queries.ladders import Ladders
from incidents.services.clocks import climb_specs, due_of
from incidents.services.dispatching import take_up
from incidents.services.step import Step, lock_free
from incidents.services.system_rows import SystemRows
from incidents.workflow import (
    COMMAND_RUNG,
    COMMANDS,
    LADDER,
    TRANSITIONS,
    area_of_rung,
    base_rung,
)

OWNERS = frozenset({Stage.ACCEPT, Stage.ARRIVE, Stage.RESPOND, Stage.RESOLVE})


class _Batch:
    """What the timers of one call share, and what they have written at its end."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.calendar = WorkingCalendar.load()
        self.ladders = Ladders()
        self.rows = SystemRows(now)
        self.changed: dict[int, StageClock] = {}
        self.climbs: list[_Climb] = []

    def write(self) -> None:
        """Write what happened: a handful of queries, however many clocks ran out."""
        if not self.changed:
            return
        # The database numbers the notices, and the rows of the timeline tell the numbers.
        notices = SupervisionNotice.objects.bulk_create(
            SupervisionNotice(
                incident=climb.incident,
                clock=climb.clock,
                cycle=climb.clock.cycle,
                rung=climb.rung.rung,
                issued_at=self.now,
            )
            for climb in self.climbs
        )
        next_rungs: list[TimerSpec] = []
        for climb, notice in zip(self.climbs, notices, strict=True):
            _escalate(self.rows, climb, notice)
            next_rungs += climb_specs(
                self.calendar, climb.incident, climb.clock, self.now, ladders=self.ladders
            )
        self.rows.write()
        update_rows(list(self.changed.values()), _OF_CLOCK)
        set_timers(next_rungs)


@dataclass(frozen=True, slots=True)
class _Climb:
    """A clock whose next rung is to be told."""

    incident: Incident
    clock: StageClock
    rung: LadderRung


_OF_CLOCK = tuple(
    field
    for field in StageClock._meta.concrete_fields
    if field.name in {"warned_at", "breached_at", "rung"}
)


def on_clock_timers(timers: list[Timer], now: datetime) -> list[Timer]:
    """Warn, mark late or climb for each timer; return those whose case is busy just now."""
    ids = {timer.subject_id for timer in timers}
    named = StageClock.objects.filter(pk__any_of=ids)
    cases = lock_free(set(named.values_list("incident_id", flat=True)))
    # Read under the locks: a step that was waited for may have changed them.
    clocks = {clock.pk: clock for clock in named.select_related("party__department")}
    batch = _Batch(now)
    busy: list[Timer] = []
    taken: dict[int, int] = {}
    for timer in timers:
        clock = clocks.get(timer.subject_id)
        if clock is None:
            continue
        if clock.incident_id not in cases:
            busy.append(timer)
        elif not clock.finished_at and clock.due_at and clock.cycle == timer.cycle:
            batch.changed[clock.pk] = clock
            rung = _HANDLERS[timer.kind](batch, cases[clock.incident_id], clock, timer)
            if rung is not None and rung.takes_over and _is_taken_from(cases, clock):
                taken[clock.incident_id] = max(rung.rung, taken.get(clock.incident_id, 0))
    batch.write()
    # Last, because taking a case up ends its clocks.
    for incident_id, number in taken.items():
        take_up(incident_id=incident_id, rung=number, now=now)
    return busy


def _is_taken_from(cases: dict[int, Incident], clock: StageClock) -> bool:
    """Return whether the late clock is the owner's; a department called in keeps its call."""
    state = cases[clock.incident_id].state
    return clock.stage in OWNERS and not clock.party_id and state in TRANSITIONS["take_up"].sources


def _warn(batch: _Batch, incident: Incident, clock: StageClock, timer: Timer) -> None:
    clock.warned_at = batch.now
    with batch.rows.row(incident, "warn") as case:
        case.data = _facts(clock)
        _tell_responsible(case, clock, "warn")


def _miss(batch: _Batch, incident: Incident, clock: StageClock, timer: Timer) -> LadderRung | None:
    clock.breached_at = now = batch.now
    with batch.rows.row(incident, "overdue") as case:
        case.data = _facts(clock)
        incident.overdue_at = incident.overdue_at or now
        if clock.stage not in {Stage.TRIAGE, Stage.CALLBACK}:
            case.count("overdue")
        _tell_responsible(case, clock, "overdue")
    return _climb_above(batch, incident, clock, _standing(incident, clock))


def _climb(batch: _Batch, incident: Incident, clock: StageClock, timer: Timer) -> LadderRung | None:
    return _climb_above(batch, incident, clock, int(timer.stage) - 1)


_HANDLERS: dict[str, Callable[[_Batch, Incident, StageClock, Timer], LadderRung | None]] = {
    "clock_warn": _warn,
    "clock_due": _miss,
    "clock_climb": _climb,
}
CLOCK_TIMER_KINDS = tuple(_HANDLERS)


def _standing(incident: Incident, clock: StageClock) -> int:
    """Return the rung responsible for the clock: who must act stands on it."""
    return COMMAND_RUNG if clock.stage in COMMANDS else base_rung(incident)


def _climb_above(
    batch: _Batch, incident: Incident, clock: StageClock, below: int
) -> LadderRung | None:
    """Let the clock climb to the next rung of its ladder; return that if there is one."""
    above = batch.ladders.rungs_above(incident, below, on=clock.started_at)
    if not above:
        return None
    rung = above[0]
    clock.rung = rung.rung
    batch.climbs.append(_Climb(incident, clock, rung))
    return rung


def _escalate(rows: SystemRows, climb: _Climb, notice: SupervisionNotice) -> None:
    """Tell the rung, with a numbered notice, and whoever is responsible."""
    incident, clock, rung = climb.incident, climb.clock, climb.rung
    with rows.row(incident, "escalate") as case:
        incident.rung = max(incident.rung, rung.rung)
        case.data = {**_facts(clock), "rung": rung.rung, "notice": notice.number}
        area_id = area_of_rung(incident, rung.rung)
        by: dict[str, Any] = {"channels": rung.channels} if rung.channels else {}
        case.tell("escalate", role=LADDER[rung.rung], area_id=area_id, **case.data, **by)
        _tell_responsible(case, clock, "supervision")


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
