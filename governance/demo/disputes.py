"""The demo county's disputes: 1,091 of them, nearly all settled, some still on their way.

What must not live here: the words (texts.py).
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from random import Random

from django.utils import timezone

from core.crypto import blind_index
from governance.demo import names, texts
from governance.demo.people import People
from grids.models import Area, Level, Role, User
from mediation.models import (
    STEP_STATES,
    Agreement,
    AgreementForm,
    ClueSource,
    Colour,
    Dispute,
    DisputeEvent,
    DisputeMediator,
    DisputeNumber,
    DisputeState,
    FollowUp,
    OtherRoad,
    Party,
    Performance,
    StepOutcome,
    StepRecord,
)
from mediation.services import deadlines

DAYS = 240
FAILURES = 0.001
SOURCES = {
    ClueSource.WORKER: 55,
    ClueSource.RESIDENT: 22,
    ClueSource.JOINT_MEETING: 10,
    ClueSource.POLICE: 8,
    ClueSource.HOTLINE: 5,
}


class _Life:
    """One dispute and its rows; ``at`` is its time, which never passes the present."""

    def __init__(self, dispute: Dispute, now: datetime) -> None:
        self.dispute, self.now, self.at = dispute, now, dispute.registered_at
        self.parties: list[Party] = []
        self.mediators: list[DisputeMediator] = []
        self.records: list[StepRecord] = []
        self.agreements: list[Agreement] = []
        self.visits: list[FollowUp] = []
        self.events: list[DisputeEvent] = []

    def pass_time(self, days: float) -> bool:
        """Let time pass; False when that would be the future."""
        if self.at + timedelta(days=days) >= self.now:
            return False
        self.at += timedelta(days=days)
        return True

    def row(self, action: str, user: User | None, state: str = "", note: str = "", **data) -> None:
        """Write a timeline row, moving the dispute to ``state``."""
        dispute = self.dispute
        before = dispute.state if self.events else ""
        dispute.state = state or dispute.state
        dispute.last_seq += 1
        dispute.version += 1
        self.events.append(
            DisputeEvent(
                dispute=dispute,
                seq=dispute.last_seq,
                at=self.at,
                action=action,
                actor=user,
                from_state=before,
                to_state=dispute.state,
                note=note,
                data=data,
            )
        )


def build_disputes(
    *, county: Area, people: People, count: int, progress: Callable[[int], object]
) -> None:
    """Write ``count`` disputes with their parties, sessions, agreements and visits."""
    rng, now = Random("disputes"), timezone.now()
    areas = {area.path: area for area in Area.objects.inside(county)}
    grids = [a for a in areas.values() if a.level == Level.GRID and a.grid_kind != "dedicated"]
    moments = sorted(now - timedelta(days=DAYS * (1 - rng.random() ** 0.9)) for _n in range(count))
    numbers: dict[int, int] = {}
    lives = []
    for at in moments:
        year = timezone.localtime(at).year
        numbers[year] = numbers.get(year, 0) + 1
        number = f"MJ-{year}-{numbers[year]:06}"
        lives.append(_live(rng, rng.choice(grids), areas, people, number, at, now))
    DisputeNumber.objects.bulk_create(
        DisputeNumber(year=year, last=last) for year, last in numbers.items()
    )
    Dispute.objects.bulk_create([life.dispute for life in lives])
    for model, rows in (
        (Party, "parties"),
        (DisputeMediator, "mediators"),
        (StepRecord, "records"),
        (Agreement, "agreements"),
        (FollowUp, "visits"),
        (DisputeEvent, "events"),
    ):
        model.objects.bulk_create([row for life in lives for row in getattr(life, rows)])
    for life in lives:
        if life.dispute.settled_at is None and life.dispute.is_open:
            deadlines.run_the_month(life.dispute)
    progress(count)


def _live(
    rng: Random,
    grid: Area,
    areas: dict[str, Area],
    people: People,
    number: str,
    at: datetime,
    now: datetime,
) -> _Life:
    place = {areas[path].level: areas[path] for path in grid.lineage_paths}
    village = place[Level.VILLAGE]
    words = texts.dispute(rng)
    worker = people.any(rng, Role.GRID_WORKER, grid.pk)
    mediator = people.any(rng, Role.MEDIATOR, village.pk)
    dispute = Dispute(
        number=number,
        title=words["title"],
        facts=words["facts"],
        kind=words["kind"],
        source=rng.choices(list(SOURCES), list(SOURCES.values()))[0],
        county=place[Level.COUNTY],
        town=place[Level.TOWN],
        village=village,
        grid=grid,
        area=grid,
        colour=words["colour"],
        leader=(
            people.any(rng, Role.TOWN_ADMIN, place[Level.TOWN].pk)
            if words["colour"] == Colour.RED
            else None
        ),
        registered_by=worker,
        registered_at=at,
        due_at=deadlines.a_month_after(at),
    )
    life = _Life(dispute, now)
    life.row("register", worker, source=dispute.source)
    for side, name in zip("ab", words["parties"], strict=True):
        phone = names.phone_number(rng)
        life.parties.append(
            Party(
                dispute=dispute, side=side, name=name, phone=phone, phone_index=blind_index(phone)
            )
        )
    for user in (worker, mediator):
        life.mediators.append(DisputeMediator(dispute=dispute, user=user, since=at))
    life.row("name_mediator", worker, mediator=mediator.pk, name=str(mediator))
    _mediate(rng, life, words, worker, mediator)
    return life


def _mediate(rng: Random, life: _Life, words: dict, worker: User, mediator: User) -> None:
    dispute = life.dispute
    if not life.pass_time(rng.uniform(0.1, 1.5)):
        return
    for party in life.parties:
        party.agreed_to_mediation_at = life.at
        done = party is life.parties[-1]
        dispute.step = 1 if done else 0
        life.row("record_consent", worker, STEP_STATES[0] if done else "", side=party.side)
    last = rng.choices([1, 2, 3, 4], [58, 22, 13, 7])[0]
    for step in range(1, last + 1):
        if not life.pass_time(rng.uniform(0.5, 4)):
            return
        _session(rng, life, words, step, worker if step == 1 else mediator, settled=step == last)
    if not life.pass_time(rng.uniform(0.05, 1)):
        return
    if rng.random() < FAILURES:
        life.dispute.roads_told = [OtherRoad.COURT]
        life.dispute.ended_at = life.at
        life.row("fail", mediator, DisputeState.FAILED, roads=[OtherRoad.COURT])
        return
    _agree(life, words, mediator)
    if life.pass_time(words["agreement"]["term_days"] + rng.uniform(0.5, 3)):
        _visit(life, mediator)


def _session(
    rng: Random, life: _Life, words: dict, step: int, user: User, *, settled: bool
) -> None:
    dispute = life.dispute
    outcome = StepOutcome.SETTLED if settled else StepOutcome.NEXT
    life.records.append(
        StepRecord(
            dispute=dispute,
            step=step,
            held_at=life.at,
            place=rng.choice(
                ["村委会调解室", "当事人家中", "综治中心", "村口老槐树下", "田间地头"]
            ),
            mediator_names=str(user),
            record=words["step_notes"][step - 1],
            outcome=outcome,
            recorded_by=user,
            recorded_at=life.at,
        )
    )
    state = ""
    if not settled:
        dispute.step = step + 1
        state = STEP_STATES[step]
    life.row("record_step", user, state, step=step, outcome=outcome)


def _agree(life: _Life, words: dict, mediator: User) -> None:
    dispute, terms = life.dispute, words["agreement"]
    day = timezone.localdate(life.at)
    due = day + timedelta(days=terms["term_days"])
    dispute.settled_at = life.at
    life.agreements.append(
        Agreement(
            dispute=dispute,
            form=AgreementForm.WRITTEN,
            kind=dispute.kind,
            parties="、".join(words["parties"]),
            facts=dispute.facts,
            responsibilities=terms["issues"],
            content=terms["content"],
            manner=terms["manner"],
            performance_due=due,
            signed_on=day,
            party_a_signed=True,
            party_b_signed=True,
            mediator_signature=str(mediator),
            sealed=True,
            recorded_by=mediator,
            recorded_at=life.at,
        )
    )
    life.row(
        "agree",
        mediator,
        DisputeState.AGREED,
        form=AgreementForm.WRITTEN,
        performance_due=due.isoformat(),
    )


def _visit(life: _Life, mediator: User) -> None:
    life.visits.append(
        FollowUp(
            dispute=life.dispute,
            day=timezone.localdate(life.at),
            performed=Performance.YES,
            note="上门回访，双方均已履行，关系和好。",
            recorded_by=mediator,
        )
    )
    life.row("follow_up", mediator, DisputeState.FOLLOWING_UP, performed=Performance.YES)
    life.dispute.ended_at = life.at
    life.row("close", mediator, DisputeState.CLOSED)
