"""What happens when a clock runs out: a warning, a miss, and the climb up the ladder.

What lives here: the handlers of the clocks' timers. What must not: setting those timers
(clocks.py) and which rungs a ladder has (queries/ladders.py).
"""

from collections.abc import Callable, Collection
from datetime import datetime
from typing import Any

from core import prepared
from core.models import Timer
from core.services.timers import TimerSpec, set_timers
from core.working_calendar import WorkingCalendar
from incidents.models import Incident, LadderRung, Stage, StageClock, SupervisionNotice
from incidents.queries.ladders import Ladders
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


class _Batch:
    """What the timers of one call share: the ladders, and the clocks to be written at its end."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.calendar = WorkingCalendar.load()
        self.ladders = Ladders()
        self.changed: dict[int, StageClock] = {}
        self.next_rungs: list[TimerSpec] = []

    def write(self) -> None:
        set_timers(self.next_rungs)
        rows = self.changed.values()
        if not rows:
            return
        with prepared.cursor() as cursor:
            cursor.execute(
                _WRITE_CLOCKS,
                [
                    list(self.changed),
                    [clock.warned_at for clock in rows],
                    [clock.breached_at for clock in rows],
                    [clock.rung for clock in rows],
                ],
            )


_WRITE_CLOCKS = """
    UPDATE incidents_stageclock c
       SET warned_at = n.warned_at, breached_at = n.breached_at, rung = n.rung
      FROM unnest(%s::bigint[], %s::timestamptz[], %s::timestamptz[], %s::int[])
        AS n (id, warned_at, breached_at, rung)
     WHERE c.id = n.id
"""


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


def _clocks(ids: Collection[int]) -> dict[int, StageClock]:
    return StageClock.objects.select_related("party__department").in_bulk(ids)


def _is_taken_from(cases: dict[int, Incident], clock: StageClock) -> bool:
    """Return whether the late clock is the owner's; a department called in keeps its call."""
    state = cases[clock.incident_id].state
    return clock.stage in OWNERS and not clock.party_id and state in TRANSITIONS["take_up"].sources


def _warn(batch: _Batch, incident: Incident, clock: StageClock, timer: Timer) -> None:
    clock.warned_at = now = batch.now
    with background_row(incident=incident, action="warn", actor=SYSTEM, now=now) as case:
        case.data = _facts(clock)
        _tell_responsible(case, clock, "warn")


def _miss(batch: _Batch, incident: Incident, clock: StageClock, timer: Timer) -> LadderRung | None:
    clock.breached_at = now = batch.now
    with background_row(incident=incident, action="overdue", actor=SYSTEM, now=now) as case:
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
    """Tell the next rung of the clock's ladder, with a numbered notice; return it if there is one.

    The timer of the rung after it is set in the same transaction.
    """
    now = batch.now
    above = batch.ladders.rungs_above(incident, below, on=clock.started_at)
    if not above:
        return None
    rung = above[0]
    clock.rung = rung.rung
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
    batch.next_rungs += climb_specs(batch.calendar, incident, clock, now, ladders=batch.ladders)
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
