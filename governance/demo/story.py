"""One case's life told step by step, into rows for bulk writing.

A story keeps to the same transition table as the services: a step the table
does not know raises. It stops at the present, so that late reports are open.
What must not live here: which stories there are (stories.py).
"""

from datetime import datetime, timedelta

from core.services.timers import TimerSpec
from core.working_calendar import WorkingCalendar, seconds_of
from incidents.models import (
    ENDED,
    NO_DUE,
    ActorKind,
    CallBack,
    Deadline,
    Event,
    Extension,
    Incident,
    Stage,
    StageClock,
    Suggestion,
    SupervisionNotice,
    Whistle,
    WhistleParty,
)
from incidents.services.clocks import WARN_AT
from incidents.workflow import (
    COMMAND_RUNG,
    SYSTEM_ROWS,
    TOP_RUNG,
    TRANSITIONS,
    Actor,
    base_rung,
)


class PresentReached(Exception):
    """The next step would lie in the future: the case stands where it stands."""


class Story:
    """A case under way. ``at`` is the story's time; every step moves it on."""

    def __init__(
        self, incident: Incident, *, now: datetime, deadlines: dict[int, list[Deadline]]
    ) -> None:
        self.incident, self.now, self._deadlines = incident, now, deadlines
        self.at = incident.reported_at
        self.calendar = WorkingCalendar.load()
        self.events: list[Event] = []
        self.clocks: list[StageClock] = []
        self.notices: list[SupervisionNotice] = []
        self.callbacks: list[CallBack] = []
        self.extensions: list[Extension] = []
        self.whistles: list[Whistle] = []
        self.parties: list[WhistleParty] = []
        self.suggestions: list[Suggestion] = []
        self.end_timers: list[tuple[str, int, datetime]] = []
        self._kept: list[str] = []

    def wait(self, delay: timedelta) -> None:
        """Let time pass. Raises PresentReached when that would be the future."""
        if self.at + delay >= self.now:
            raise PresentReached
        self.at += delay

    def step(self, action: str, actor: Actor, *, state: str = "", note: str = "", **data) -> Event:
        """Take a step of the table, or write a row of the system."""
        incident, before = self.incident, self.incident.state
        public = action == "report"
        if action not in SYSTEM_ROWS:
            line = TRANSITIONS[action]
            if before not in line.sources:
                raise ValueError(f"{action} from {before}")
            incident.state = state or line.target or before
            incident.version += 1
            # The lead's answer of a whistle is what the reporter reads.
            public = line.public or (action == "party_answer" and data["lead"])
        if self._kept:
            data["clocks"], self._kept = self._kept, []
        return self._row(action, actor, self.at, before, note, data, public)

    def _row(self, action, actor, at, before, note, data, public) -> Event:
        incident = self.incident
        incident.last_seq += 1
        incident.ended_at = at if incident.state in ENDED else None
        event = Event(
            incident=incident,
            seq=incident.last_seq,
            at=at,
            action=action,
            actor_kind=actor.kind,
            actor=actor.user,
            actor_place=actor.place,
            from_state="" if action == "report" else before,
            to_state=incident.state,
            note=note,
            data={"round": incident.round, **data},
            public=public,
        )
        self.events.append(event)
        return event

    def start(self, *stages: str, party: WhistleParty | None = None) -> None:
        """Start the clocks the case's deadlines know for these stages."""
        version_id = self.incident.deadline_version_id
        assert version_id is not None
        for deadline in self._deadlines[version_id]:
            if deadline.stage not in stages:
                continue
            if any(
                (c.stage, c.name, c.party) == (deadline.stage, deadline.name, party)
                for c in self.running()
            ):
                continue
            seconds = seconds_of(deadline.amount, deadline.unit)
            self.clocks.append(
                StageClock(
                    incident=self.incident,
                    party=party,
                    stage=deadline.stage,
                    name=deadline.name,
                    round=self.incident.round,
                    amount=deadline.amount,
                    unit=deadline.unit,
                    started_at=self.at,
                    due_at=self.calendar.add(self.at, seconds, deadline.unit),
                )
            )

    def running(self) -> list[StageClock]:
        """Clocks not finished yet."""
        return [clock for clock in self.clocks if clock.finished_at is None]

    def drop(self, *stages: str) -> None:
        """End clocks that no longer matter, without counting them."""
        for clock in self.running():
            if not stages or clock.stage in stages:
                clock.finished_at = self.at

    def finish(self, *stages: str, party: WhistleParty | None = None) -> None:
        """Finish these clocks (all when none is named); missed ones have climbed meanwhile."""
        for clock in self.running():
            if (stages and clock.stage not in stages) or (party and clock.party is not party):
                continue
            self._settle(clock, self.at)
            clock.finished_at = self.at
            self._kept.append(f"{clock.stage}:{'late' if clock.breached_at else 'in_time'}")

    def extend(self, amount: int, unit: str) -> None:
        """Give the respond and resolve clocks more time."""
        for clock in self.running():
            assert clock.due_at is not None  # nobody asks for more time while suspended
            if clock.stage in {Stage.RESPOND, Stage.RESOLVE} and clock.due_at > self.at:
                clock.due_at = self.calendar.add(clock.due_at, seconds_of(amount, unit), unit)
                clock.cycle += 1

    def pause(self) -> None:
        """Stop every clock."""
        for clock in self.running():
            assert clock.due_at is not None
            clock.remaining = self.calendar.elapsed(self.at, clock.due_at, clock.unit)
            clock.due_at = None

    def resume(self) -> None:
        """Let every clock run on."""
        for clock in self.running():
            assert clock.remaining is not None
            clock.due_at = self.calendar.add(self.at, max(clock.remaining, 0), clock.unit)
            clock.remaining = None
            clock.cycle += 1

    def _settle(self, clock: StageClock, until: datetime) -> None:
        """Note what a clock did by ``until``: warned, missed, and how far it climbed."""
        if clock.due_at is None:
            return
        whole = self.calendar.elapsed(clock.started_at, clock.due_at, clock.unit)
        warn_at = self.calendar.add(clock.started_at, round(whole * WARN_AT), clock.unit)
        clock.warned_at = warn_at if warn_at <= until else None
        if clock.due_at > until or clock.breached_at:
            return
        clock.breached_at = clock.due_at
        self.incident.overdue_at = self.incident.overdue_at or clock.due_at
        standing = (
            COMMAND_RUNG
            if clock.stage in {Stage.TRIAGE, Stage.VERIFY, Stage.CALLBACK}
            else base_rung(self.incident)
        )
        days_late = max((until - clock.due_at).days, 0)
        top = min(standing + 1 + days_late, TOP_RUNG)
        for n, rung in enumerate(range(min(standing + 1, TOP_RUNG), top + 1)):
            self.notices.append(
                SupervisionNotice(
                    incident=self.incident,
                    clock=clock,
                    cycle=clock.cycle,
                    rung=rung,
                    issued_at=clock.due_at + timedelta(days=n),
                )
            )
            clock.rung = rung
        self.incident.rung = max(self.incident.rung, top)

    def close_book(self) -> None:
        """Bring clocks, deadlines and the timeline's order up to the present."""
        for clock in self.running():
            self._settle(clock, self.now)
        due = [(clock.due_at, clock.unit) for clock in self.running() if clock.due_at]
        self.incident.due_at, self.incident.due_unit = min(due, default=(NO_DUE, ""))
        self._write_late_rows()

    def _write_late_rows(self) -> None:
        """Put warnings, misses and climbs where they belong among the steps, and number all."""
        ended_at, system = self.incident.ended_at, Actor(ActorKind.SYSTEM)
        rows: list[tuple[datetime, str, StageClock, dict[str, int]]] = [
            (c.warned_at, "warn", c, {}) for c in self.clocks if c.warned_at
        ]
        rows += [(c.breached_at, "overdue", c, {}) for c in self.clocks if c.breached_at]
        rows += [
            (n.issued_at, "escalate", n.clock, {"rung": n.rung}) for n in self.notices if n.clock
        ]
        for at, action, clock, data in rows:
            facts = {"stage": clock.stage, "name": clock.name, **data}
            self._row(action, system, at, "", "", facts, False)
        self.incident.ended_at = ended_at
        self.events.sort(key=lambda event: (event.at, event.seq))
        state = ""
        for seq, event in enumerate(self.events, 1):
            event.seq = seq
            if event.action in SYSTEM_ROWS and event.action != "report":
                event.from_state = event.to_state = state
            state = event.to_state

    def timers(self) -> list[TimerSpec]:
        """Return the unfired timers of a case that is still open, once rows have ids."""
        specs = []
        for clock in self.running():
            if clock.due_at is None:
                continue
            if clock.breached_at:
                if clock.rung is not None and clock.rung < TOP_RUNG:
                    at = self.now + timedelta(hours=6)
                    specs.append(self._spec(clock, "clock_climb", at, str(clock.rung + 1)))
                continue
            specs.append(self._spec(clock, "clock_due", clock.due_at))
            if clock.warned_at is None:
                left = self.calendar.elapsed(self.now, clock.due_at, clock.unit)
                at = self.calendar.add(self.now, left // 2, clock.unit)
                specs.append(self._spec(clock, "clock_warn", at))
        for kind, cycle, at in self.end_timers:
            if at > self.now:
                specs.append(
                    TimerSpec(
                        subject_type="incident",
                        subject_id=self.incident.pk,
                        kind=kind,
                        cycle=cycle,
                        due_at=at,
                    )
                )
        return specs

    def _spec(self, clock: StageClock, kind: str, at: datetime, stage: str = "") -> TimerSpec:
        return TimerSpec(
            subject_type="clock",
            subject_id=clock.pk,
            kind=kind,
            stage=stage,
            cycle=clock.cycle,
            due_at=at,
        )
