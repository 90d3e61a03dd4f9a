"""Clocks of a case: start, finish, pause, resume, extend.

What lives here: clock rows and their timers. What must not: how time is counted
(core.working_calendar), how timers fire (core.services.timers) and what happens when a clock
has run out (lateness.py).
"""

from collections.abc import Iterable, Mapping
from datetime import datetime

from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from core import prepared
from core.errors import Invalid
from core.rows import Table, read
from core.services.timers import TimerSpec, cancel_timers, set_timers
from core.working_calendar import Unit, WorkingCalendar, seconds_of
from incidents.models import (
    Category,
    Deadline,
    DeadlineVersion,
    Hazard,
    Incident,
    SentCase,
    Source,
    Stage,
    StageClock,
    WhistleParty,
)
from incidents.queries.ladders import Ladders
from incidents.services.step import Step

# {(stage, sub-stage): (amount, unit)}
Terms = Mapping[tuple[str, str], tuple[int, str]]

# A warning goes out when this share of the time has run.
WARN_AT = 0.75


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
    deadlines = deadlines_of(case.incident)
    days = _days_of_hazard(case, deadlines, calendar)
    wanted = _wanted_by(case.incident) if Stage.RESOLVE in stages else None
    for deadline in deadlines:
        if deadline.stage not in stages or (deadline.stage, deadline.name, party_id) in running:
            continue
        amount, unit = deadline.amount, deadline.unit
        due_at = days.get(deadline.stage)
        if due_at is None:
            due_at = calendar.add(case.now, seconds_of(amount, unit), unit)
        else:
            amount, unit = max((due_at - case.now).days, 1), Unit.CALENDAR_DAYS
        if wanted is not None and deadline.stage == Stage.RESOLVE:
            due_at = min(due_at, wanted)
        rows.append(
            StageClock(
                incident=case.incident,
                party=party,
                stage=deadline.stage,
                name=deadline.name,
                round=case.incident.round,
                amount=amount,
                unit=unit,
                started_at=case.now,
                due_at=due_at,
            )
        )
    StageClock.objects.bulk_create(rows)
    case.clocks.extend(rows)
    _set_timers(calendar, case.incident, rows, case.now)


def _days_of_hazard(
    case: Step, deadlines: Iterable[Deadline], calendar: WorkingCalendar
) -> dict[str, datetime]:
    """Return {stage: due} of a hazard to be put right by a day, as long as the day is to come.

    It is answered by that day; it is closed when the time to check it has passed as well.
    Costs a query for cases found at an inspection, none for others.
    """
    incident = case.incident
    if incident.source != Source.INSPECTION:
        return {}
    hazard = Hazard.objects.filter(incident_id=incident.pk, due_at__gt=case.now).first()
    if hazard is None or hazard.due_at is None:
        return {}
    checked = next((row for row in deadlines if row.stage == Stage.VERIFY), None)
    closed = hazard.due_at
    if checked is not None:
        seconds = seconds_of(checked.amount, checked.unit)
        closed = calendar.add(closed, seconds, checked.unit)
    return {Stage.RESPOND: hazard.due_at, Stage.RESOLVE: closed}


def _wanted_by(incident: Incident) -> datetime | None:
    """Return until when a system that sent the case wants it resolved, where it says so.

    It counts where it is stricter than our own, and not after a case was opened again. Costs a
    query for cases sent by systems, none for others.
    """
    if incident.source not in {Source.HOTLINE, Source.SYSTEM} or incident.round > 1:
        return None
    return SentCase.objects.filter(pk=incident.pk).values_list("due_at", flat=True).first()


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
    if incident.parent_id is not None:
        own = _terms_of_task(incident, own)
    given = {row.stage for row in own}
    newest: dict[tuple[str, str], Deadline] = {}
    for row, version in rows:
        if version.category_id is None and row.stage not in given:
            newest.setdefault((row.stage, row.name), row)
    return own + [row for row in newest.values() if not incident.parent_id or row.stage in _OF_TASK]


# Stages of a task that the rules time; by when it must be done is said when the case is split.
_OF_TASK = frozenset({Stage.TRIAGE, Stage.ACCEPT, Stage.VERIFY})


def _terms_of_task(incident: Incident, own: list[Deadline]) -> list[Deadline]:
    amount = incident.task_amount
    assert amount is not None  # a constraint holds it
    whole = Deadline(stage=Stage.RESOLVE, amount=amount, unit=incident.task_unit)
    return [row for row in own if row.stage in _OF_TASK] + [whole]


def terms_of(incident: Incident) -> Terms:
    """Return the case's deadlines, the county's where its own are silent (1 query)."""
    return {(row.stage, row.name): (row.amount, row.unit) for row in deadlines_of(incident)}


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
        clock.remaining = calendar.elapsed(case.now, due_of(clock), clock.unit)
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
        clock.due_at = calendar.add(max(due_of(clock), case.now), more, unit)
        clock.cycle += 1
        clock.warned_at = clock.breached_at = clock.rung = None
    StageClock.objects.bulk_update(longer, ["due_at", "cycle", "warned_at", "breached_at", "rung"])
    _cancel(longer)
    _set_timers(calendar, case.incident, longer, case.now)
    if not any(c.breached_at for c in case.clocks if not c.finished_at):
        case.incident.overdue_at = None


def redate(case: Step) -> list[tuple[StageClock, datetime]]:
    """Give clocks the time their deadline has now; return them with what was due before."""
    calendar = WorkingCalendar.load()
    terms = terms_of(case.incident)
    changed = []
    for clock, (amount, unit) in outdated(calendar, case.clocks, terms):
        changed.append((clock, due_of(clock)))
        clock.amount, clock.unit, clock.warned_at = amount, unit, None
        clock.due_at = calendar.add(clock.started_at, seconds_of(amount, unit), unit)
        clock.cycle += 1
    clocks = [clock for clock, _before in changed]
    StageClock.objects.bulk_update(clocks, ["amount", "unit", "due_at", "cycle", "warned_at"])
    _cancel(clocks)
    _set_timers(calendar, case.incident, clocks, case.now)
    return changed


def outdated(
    calendar: WorkingCalendar, clocks: Iterable[StageClock], terms: Terms
) -> list[tuple[StageClock, tuple[int, str]]]:
    """Return clocks whose deadline has another time now, each with its (amount, unit).

    Only clocks that still have exactly the time of their rule: what was paused, extended or missed
    was decided for this case, and stays.
    """
    found = []
    for clock in clocks:
        term = terms.get((clock.stage, clock.name))
        if term is None or term == (clock.amount, clock.unit):
            continue
        whole = seconds_of(clock.amount, clock.unit)
        as_ruled = clock.due_at == calendar.add(clock.started_at, whole, clock.unit)
        if as_ruled and not clock.finished_at and not clock.breached_at:
            found.append((clock, term))
    return found


def _set_timers(
    calendar: WorkingCalendar, incident: Incident, clocks: list[StageClock], now: datetime
) -> None:
    specs, ladders = [], Ladders()
    for clock in clocks:
        if clock.breached_at:
            specs += climb_specs(calendar, incident, clock, now, ladders=ladders)
            continue
        specs.append(_spec(clock, "due", due_of(clock)))
        if not clock.warned_at and due_of(clock) > now:
            whole = calendar.elapsed(now, due_of(clock), clock.unit)
            specs.append(
                _spec(clock, "warn", calendar.add(now, round(whole * WARN_AT), clock.unit))
            )
    set_timers(specs)


def due_of(clock: StageClock) -> datetime:
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


def climb_specs(
    calendar: WorkingCalendar,
    incident: Incident,
    clock: StageClock,
    now: datetime,
    *,
    ladders: Ladders,
) -> list[TimerSpec]:
    """Return the timer of the next rung, or nothing at the top of the ladder."""
    if clock.rung is None:
        return []
    above = ladders.rungs_above(incident, clock.rung, on=clock.started_at)[:1]
    return [
        _spec(
            clock,
            "climb",
            calendar.add(now, seconds_of(rung.amount, rung.unit), rung.unit),
            stage=str(rung.rung),
        )
        for rung in above
    ]


def _cancel(clocks: list[StageClock]) -> None:
    if clocks:
        cancel_timers("clock", [clock.pk for clock in clocks])
