"""Clocks of a case: start, finish, pause, resume, extend; and what happens when they run out.

What lives here: clock rows and their timers. What must not: how time is counted
(core.working_calendar) and how timers fire (core.services.timers).
"""

from datetime import datetime

from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from core import prepared
from core.errors import Invalid
from core.models import Timer
from core.rows import Table, read
from core.services.timers import TimerSpec, cancel_timers, set_timers
from core.working_calendar import Unit, WorkingCalendar, seconds_of
from incidents.models import (
    Category,
    Deadline,
    DeadlineVersion,
    Incident,
    Stage,
    StageClock,
    SupervisionNotice,
    WhistleParty,
)
from incidents.services.step import Step, background_row
from incidents.workflow import COMMAND_RUNG, LADDER, SYSTEM, TOP_RUNG, base_rung

# A warning goes out when this share of the time has run.
WARN_AT = 0.75
# How long a rung has before the case climbs on, where the deadlines do not say.
DEFAULT_CLIMB = (1, Unit.WORKING_DAYS)


def current_version(category: Category | None, *, on: datetime) -> DeadlineVersion | None:
    """Return the deadlines in force for ``category``, else the county's default (1 query)."""
    return (
        DeadlineVersion.objects.filter(
            Q(category=category) | Q(category__isnull=True),
            valid_from__lte=timezone.localdate(on),
        )
        .order_by(F("category_id").asc(nulls_last=True), "-version")
        .first()
    )


def start(case: Step, *stages: str, party: WhistleParty | None = None) -> None:
    """Start the clocks of ``stages`` that the case's deadline version knows.

    Raises CalendarMissing when a working unit reaches into a year without data:
    the step is refused and the person who must import it is told.
    """
    calendar, rows = WorkingCalendar.load(), []
    running = {(c.stage, c.name, c.party_id) for c in case.clocks if not c.finished_at}
    party_id = party.pk if party else None
    for deadline in deadlines_of(case.incident):
        if deadline.stage not in stages or (deadline.stage, deadline.name, party_id) in running:
            continue
        seconds = seconds_of(deadline.amount, deadline.unit)
        rows.append(
            StageClock(
                incident=case.incident,
                party=party,
                stage=deadline.stage,
                name=deadline.name,
                round=case.incident.round,
                amount=deadline.amount,
                unit=deadline.unit,
                started_at=case.now,
                due_at=calendar.add(case.now, seconds, deadline.unit),
            )
        )
    StageClock.objects.bulk_create(rows)
    case.clocks.extend(rows)
    _set_timers(calendar, case.incident, rows, case.now)


_DEADLINE = (Table(Deadline, "d"), Table(DeadlineVersion, "v"))
_DEADLINES = f"""
    SELECT {", ".join(table.columns for table in _DEADLINE)}
      FROM incidents_deadline d JOIN incidents_deadlineversion v ON v.id = d.version_id
     WHERE v.id = %s OR (v.category_id IS NULL AND v.valid_from <= %s)
     ORDER BY v.version DESC, d.id
"""  # noqa: S608  only names of columns


def deadlines_of(incident: Incident) -> list[Deadline]:
    """Return the case's deadlines; the county default fills stages they leave open (1 query)."""
    rows = read(_DEADLINES, [incident.deadline_version_id, timezone.localdate()], *_DEADLINE)
    own = [row for row, _version in rows if row.version_id == incident.deadline_version_id]
    given = {row.stage for row in own}
    newest: dict[tuple[str, str], Deadline] = {}
    for row, version in rows:
        if version.category_id is None and row.stage not in given:
            newest.setdefault((row.stage, row.name), row)
    return own + list(newest.values())


def finish(case: Step, *stages: str, party: WhistleParty | None = None) -> None:
    """Stop the clocks of ``stages`` (all of them when none is named) for good."""
    party_id = party.pk if party else None
    done = [
        c
        for c in case.clocks
        if not c.finished_at
        and (not stages or c.stage in stages)
        and (party is None or c.party_id == party_id)
    ]
    if not done:
        return
    for clock in done:
        clock.finished_at = case.now
        kept = f"{clock.stage}:{'late' if clock.breached_at else 'in_time'}"
        case.count(kept)
        case.facts.setdefault("clocks", []).append(kept)
    _end(done, case.now)


def drop(case: Step, *stages: str) -> None:
    """End clocks that no longer matter, without counting them as kept or missed."""
    gone = [c for c in case.clocks if not c.finished_at and (not stages or c.stage in stages)]
    if not gone:
        return
    for clock in gone:
        clock.finished_at = case.now
    _end(gone, case.now)


def _end(clocks: list[StageClock], now: datetime) -> None:
    with prepared.cursor() as cursor:
        ids = [clock.pk for clock in clocks]
        cursor.execute(
            "UPDATE incidents_stageclock SET finished_at = %s WHERE id = ANY(%s::bigint[])",
            [now, ids],
        )
    _cancel(clocks)


def pause(case: Step) -> None:
    """Pause every running clock, keeping the seconds left in its own unit."""
    calendar = WorkingCalendar.load()
    paused = [c for c in case.clocks if c.due_at and not c.finished_at]
    for clock in paused:
        clock.remaining = calendar.elapsed(case.now, _due(clock), clock.unit)
        clock.due_at = None
    StageClock.objects.bulk_update(paused, ["remaining", "due_at"])
    _cancel(paused)


def resume(case: Step) -> None:
    """Let paused clocks run on with exactly what they had left."""
    calendar = WorkingCalendar.load()
    resumed = [c for c in case.clocks if c.remaining is not None and not c.finished_at]
    for clock in resumed:
        assert clock.remaining is not None
        clock.due_at = calendar.add(case.now, max(clock.remaining, 0), clock.unit)
        clock.remaining = None
        clock.cycle += 1
    StageClock.objects.bulk_update(resumed, ["remaining", "due_at", "cycle"])
    _set_timers(calendar, case.incident, resumed, case.now)


def extend(case: Step, *, amount: int, unit: str) -> None:
    """Give the respond and resolve clocks more time, counted from when they are due.

    A clock already late gets it from now. Raises Invalid when neither runs.
    """
    calendar, more = WorkingCalendar.load(), seconds_of(amount, unit)
    longer = [
        c
        for c in case.clocks
        if c.stage in {Stage.RESPOND, Stage.RESOLVE} and c.due_at and not c.finished_at
    ]
    if not longer:
        raise Invalid(_("No deadline is running that could be extended."))
    for clock in longer:
        clock.due_at = calendar.add(max(_due(clock), case.now), more, unit)
        clock.cycle += 1
        clock.warned_at = clock.breached_at = clock.rung = None
    StageClock.objects.bulk_update(longer, ["due_at", "cycle", "warned_at", "breached_at", "rung"])
    _cancel(longer)
    _set_timers(calendar, case.incident, longer, case.now)
    if not any(c.breached_at for c in case.clocks if not c.finished_at):
        case.incident.overdue_at = None


def _set_timers(
    calendar: WorkingCalendar, incident: Incident, clocks: list[StageClock], now: datetime
) -> None:
    specs = []
    for clock in clocks:
        if clock.breached_at:
            specs += _climb_spec(calendar, incident, clock, now)
            continue
        specs.append(_spec(clock, "due", _due(clock)))
        if not clock.warned_at:
            whole = calendar.elapsed(now, _due(clock), clock.unit)
            specs.append(
                _spec(clock, "warn", calendar.add(now, round(whole * WARN_AT), clock.unit))
            )
    set_timers(specs)


def _due(clock: StageClock) -> datetime:
    """Return when a running clock is due; a paused one has no such moment."""
    assert clock.due_at is not None
    return clock.due_at


def _spec(clock: StageClock, kind: str, due_at: datetime, stage: str = "") -> TimerSpec:
    return TimerSpec(
        subject_type="clock",
        subject_id=clock.pk,
        kind=f"clock_{kind}",
        stage=stage,
        cycle=clock.cycle,
        due_at=due_at,
    )


def _climb_spec(
    calendar: WorkingCalendar, incident: Incident, clock: StageClock, now: datetime
) -> list[TimerSpec]:
    """Return the timer of the next rung, or nothing at the top of the ladder."""
    if clock.rung is None or clock.rung >= TOP_RUNG:
        return []
    version = incident.deadline_version or current_version(None, on=now)
    amount, unit = (version.escalate_amount, version.escalate_unit) if version else DEFAULT_CLIMB
    at = calendar.add(now, seconds_of(amount, unit), unit)
    return [_spec(clock, "climb", at, stage=str(clock.rung + 1))]


def _cancel(clocks: list[StageClock]) -> None:
    if clocks:
        cancel_timers("clock", [clock.pk for clock in clocks])


# What happens when a timer of a clock is due. Called by the sweep with claimed timers.


def on_clock_timers(timers: list[Timer], now: datetime) -> list[Timer]:
    """Warn, mark late or climb for each timer; return those whose case is busy just now."""
    clocks = StageClock.objects.select_related("party__department").in_bulk(
        {timer.subject_id for timer in timers}
    )
    cases = {
        case.pk: case
        for case in Incident.objects.select_for_update(of=("self",), skip_locked=True)
        .select_related("category", "owner_department", "owner_area", "deadline_version")
        .filter(pk__in={clock.incident_id for clock in clocks.values()})
        .order_by("pk")
    }
    # The lock may have been waited for by a step that changed the clocks: read them again.
    clocks = StageClock.objects.select_related("party__department").in_bulk(list(clocks))
    busy = []
    for timer in timers:
        clock = clocks.get(timer.subject_id)
        if clock is None:
            continue
        if clock.incident_id not in cases:
            busy.append(timer)
        elif not clock.finished_at and clock.due_at and clock.cycle == timer.cycle:
            _HANDLERS[timer.kind](cases[clock.incident_id], clock, timer, now)
    return busy


def _warn(incident: Incident, clock: StageClock, timer: Timer, now: datetime) -> None:
    clock.warned_at = now
    clock.save(update_fields=["warned_at"])
    with background_row(incident=incident, action="warn", actor=SYSTEM, now=now) as case:
        case.data = _facts(clock)
        _tell_responsible(case, clock, "warn")


def _miss(incident: Incident, clock: StageClock, timer: Timer, now: datetime) -> None:
    clock.breached_at = now
    with background_row(incident=incident, action="overdue", actor=SYSTEM, now=now) as case:
        case.data = _facts(clock)
        incident.overdue_at = incident.overdue_at or now
        if clock.stage not in {Stage.TRIAGE, Stage.CALLBACK}:
            case.count("overdue")
        _tell_responsible(case, clock, "overdue")
    _climb_to(incident, clock, min(_standing(incident, clock) + 1, TOP_RUNG), now)


def _climb(incident: Incident, clock: StageClock, timer: Timer, now: datetime) -> None:
    _climb_to(incident, clock, int(timer.stage), now)


_HANDLERS = {"clock_warn": _warn, "clock_due": _miss, "clock_climb": _climb}
CLOCK_TIMER_KINDS = tuple(_HANDLERS)


def _standing(incident: Incident, clock: StageClock) -> int:
    """Return the rung responsible for the clock: who must act stands on it."""
    if clock.stage in {Stage.TRIAGE, Stage.VERIFY, Stage.CALLBACK}:
        return COMMAND_RUNG
    return base_rung(incident)


def _climb_to(incident: Incident, clock: StageClock, rung: int, now: datetime) -> None:
    """Tell one rung, with a numbered supervision notice, and set the timer of the next."""
    clock.rung = rung
    clock.save(update_fields=["breached_at", "rung"])
    notice = SupervisionNotice.objects.create(
        incident=incident, clock=clock, cycle=clock.cycle, rung=rung, issued_at=now
    )
    with background_row(incident=incident, action="escalate", actor=SYSTEM, now=now) as case:
        incident.rung = max(incident.rung, rung)
        case.data = {**_facts(clock), "rung": rung, "notice": notice.number}
        area_id = area_of_rung(incident, rung)
        case.tell("escalate", role=LADDER[rung], area_id=area_id, **case.data)
        _tell_responsible(case, clock, "supervision")
    set_timers(_climb_spec(WorkingCalendar.load(), incident, clock, now))


def area_of_rung(incident: Incident, rung: int) -> int:
    """Return the area whose people stand on ``rung`` for this case."""
    level = ("grid", "grid", "village", "town", "county", "county")[rung]
    return getattr(incident, f"{level}_id") or incident.county_id


def _tell_responsible(case: Step, clock: StageClock, kind: str) -> None:
    if clock.party:
        case.tell(kind, department=clock.party.department, **_facts(clock))
    elif clock.stage in {Stage.TRIAGE, Stage.VERIFY, Stage.CALLBACK}:
        case.tell_command(kind, **_facts(clock))
    else:
        case.tell_owner(kind, **_facts(clock))


def _facts(clock: StageClock) -> dict:
    facts = {"stage": clock.stage, "name": clock.name, "due_at": _due(clock).isoformat()}
    return {**facts, "department": clock.party.department.name} if clock.party else facts
