"""The demo county's incidents: 6,582 lives over eight months, in every state.

What lives here: which roads cases take, how often, how long each step lasts.
What must not: how rows are written (build.py) or kept true (story.py).
"""

import secrets
import uuid
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from random import Random

from django.contrib.gis.geos import Point
from django.utils import timezone
from shapely import wkb

from core.crypto import blind_index
from core.text import bigrams
from governance.demo import names, texts
from governance.demo.geometry import point_in
from governance.demo.people import People, show_place
from governance.demo.story import PresentReached, Story
from grids.models import Area, Department, Level, Posting, Role, User
from grids.queries import Scope
from incidents.models import (
    ActorKind,
    Article,
    CallBack,
    Category,
    Deadline,
    DeadlineVersion,
    Extension,
    FoundBy,
    Incident,
    PartyState,
    ReporterContact,
    Score,
    Source,
    Stage,
    State,
    Suggestion,
    SupervisionNotice,
    Tier,
    Urgency,
    Whistle,
    WhistleParty,
)
from incidents.services.intake import new_tracking_code
from incidents.services.verification import CALLBACK_DAYS, LINK_DAYS
from incidents.workflow import AI, COMMAND_RUNG, REOPEN_CAP, RESIDENT, SYSTEM, Actor

MONTHS = 8
# Of the last days' cases, this share happens where the demonstration accounts sit.
RECENT, SHOWN = timedelta(days=6), 0.09
COUNT = 6582
SOURCES = {Source.RESIDENT: 46, Source.WORKER: 36, Source.HOTLINE: 12, Source.INSPECTION: 6}
# How often a road is taken, in percent of the cases that could take it.
OBJECTS, EXTENDS, SUSPENDS, FAILS_CHECK, UNRATED, UNHAPPY, LATE = 5, 6, 3, 5, 38, 7, 7
# States a young county would hardly show: this many late stories are held in each.
HELD = {
    State.OBJECTED: 6,
    State.SUSPENDED: 9,
    State.RULING: 4,
    State.SUPERVISED: 5,
    State.ANSWERED: 12,
    State.RESPONDED: 30,
    State.CALLBACK: 30,
    State.REPORTED: 35,
    State.PENDING: 12,
    State.WHISTLED: 14,
}


_ROLE_OF_LEVEL: dict[str, Role] = {
    Level.GRID: Role.GRID_WORKER,
    Level.VILLAGE: Role.VILLAGE_OFFICE,
    Level.TOWN: Role.TOWN_ADMIN,
}
# How old held stories are, as shares of all in order of time: three rounds take weeks, while
# what waits for a dispatcher has only just come in.
AGES = {"weeks": (0.7, 0.9), "days": (0.955, 0.985), "hours": (0.987, 1.0)}
AGE_OF = {
    State.SUPERVISED: "weeks",
    State.REPORTED: "hours",
    State.PENDING: "hours",
    State.OBJECTED: "hours",
}


class Held(Exception):
    """The story is held where it stands, to show that state."""


@dataclass
class Setting:
    """Everything stories draw from."""

    county: Area
    people: People
    now: datetime
    count: int

    def __post_init__(self) -> None:
        areas = list(Area.objects.inside(self.county))
        self.by_path = {area.path: area for area in areas}
        self.grids = [area for area in areas if area.level == Level.GRID]
        of: dict[str, list[Area]] = {
            level: [a for a in areas if a.level == level] for level in Level
        }
        self.show = show_place(of)
        self.show_grids = [g for g in self.grids if g.path.startswith(self.show["village"].path)]
        self.polygons = {g.pk: wkb.loads(bytes(g.boundary.wkb)).geoms[0] for g in self.grids}
        self.categories = list(Category.objects.select_related("owner").filter(active=True))
        self.departments = {d.code: d for d in Department.objects.filter(county=self.county)}
        self.articles: dict[int, list[Article]] = defaultdict(list)
        for article in Article.objects.filter(category__isnull=False):
            assert article.category_id is not None
            self.articles[article.category_id].append(article)
        self.versions, self.deadlines = _deadlines()
        self._actors: dict[int, Actor] = {}
        postings = Posting.objects.select_related("area", "department", "user")
        for posting in postings.order_by("id"):
            user = posting.user
            self._actors.setdefault(user.pk, Actor(ActorKind.USER, user, Scope((posting,))))

    def actor(self, user: User) -> Actor:
        """The acting user at the first of the user's posts."""
        return self._actors[user.pk]

    def above(self, area: Area, level: str) -> Area:
        """Return the area of ``level`` that holds ``area``."""
        paths = area.lineage_paths
        return next(self.by_path[p] for p in paths if self.by_path[p].level == level)

    def holder(self, rng: Random, role: str, place: Area | Department) -> Actor:
        """Return somebody who holds ``role`` at the place."""
        return self.actor(self.people.any(rng, role, place.pk))


def _deadlines() -> tuple[dict[int, DeadlineVersion], dict[int, list[Deadline]]]:
    """Return each category's version, and each version's deadlines filled by the default."""
    rows = list(Deadline.objects.select_related("version"))
    default = [row for row in rows if row.version.category_id is None]
    versions = {row.version.category_id: row.version for row in rows if row.version.category_id}
    found = {}
    for version in {row.version_id: row.version for row in rows}.values():
        own = [row for row in rows if row.version_id == version.pk]
        given = {row.stage for row in own}
        found[version.pk] = own + [row for row in default if row.stage not in given]
    return versions, found


def tell(setting: Setting) -> Iterator[tuple[Story, ReporterContact | None]]:
    """Tell every story in order of its report; deterministic but for the present moment."""
    rng = Random("stories")
    moments = sorted(_moment(rng, setting.now) for _n in range(setting.count))
    holds = _holds(rng, setting.count)
    for n, at in enumerate(moments):
        yield _Teller(setting, Random(f"story {n}"), at, holds.get(n, "")).tell()


def _moment(rng: Random, now: datetime) -> datetime:
    """Return a report's time: more by day, more lately, some at night."""
    span = MONTHS * 30.4
    days = span * (1 - rng.random() ** 0.85)
    day = timezone.localtime(now - timedelta(days=days)).date()
    hour = rng.choices(
        range(24), [1] * 6 + [4, 9, 14, 14, 12, 8, 5, 6, 10, 12, 11, 9, 8, 6, 4, 3, 2, 1]
    )[0]
    at = timezone.make_aware(
        datetime.combine(day, time(hour, rng.randrange(60), rng.randrange(60)))
    )
    return min(at, now - timedelta(minutes=rng.randint(1, 300)))


def _holds(rng: Random, count: int) -> dict[int, str]:
    """Choose late stories to be held in states that pass quickly."""
    late = list(range(int(count * 0.94), count))
    earlier = list(range(int(count * 0.7), int(count * 0.9)))
    rng.shuffle(late)
    rng.shuffle(earlier)
    holds: dict[int, str] = {}
    for state, wanted in HELD.items():
        # Three rounds of handling take weeks.
        free = earlier if state == State.SUPERVISED else late
        for _m in range(max(1, round(wanted * count / COUNT))):
            if free:
                holds[free.pop()] = state
    return holds


class _Teller:
    """Tells one case. Methods follow the road; PresentReached or Held ends them."""

    def __init__(self, setting: Setting, rng: Random, at: datetime, hold: str) -> None:
        self.s, self.rng, self.hold = setting, rng, hold
        self.contact: ReporterContact | None = None
        slow = [Stage.ACCEPT, Stage.RESPOND, Stage.RESPOND, Stage.VERIFY]
        self.late_at = rng.choice(slow) if rng.random() * 100 < LATE else ""
        self.story = Story(self._report(at), now=setting.now, deadlines=setting.deadlines)

    def tell(self) -> tuple[Story, ReporterContact | None]:
        with suppress(PresentReached, Held):
            self._road()
        self.story.close_book()
        return self.story, self.contact

    # The report.

    def _report(self, at: datetime) -> Incident:
        rng, s = self.rng, self.s
        source = rng.choices(list(SOURCES), list(SOURCES.values()))[0]
        grid = self._somewhere(at)
        self.category = self._choose(grid)
        self.grid = grid
        self.village, self.town = s.above(grid, Level.VILLAGE), s.above(grid, Level.TOWN)
        self.reporter = self._worker_of(grid) if source == Source.WORKER else None
        spoken = self.village.name.removesuffix("民委员会").removesuffix("居")
        self.place = f"{self.town.name}{spoken}"
        self.title, text = texts.incident_text(rng, self.category.code, self.place)
        longitude, latitude = point_in(rng, s.polygons[grid.pk])
        urgent = self.category.road == "emergency"
        return Incident(
            report_key=uuid.UUID(int=rng.getrandbits(128), version=4),
            tracking_code=new_tracking_code(),
            source=source,
            text=text,
            address=self.place,
            bigrams=bigrams(f"{text} {self.place}"),
            urgency=Urgency.EMERGENCY if urgent else Urgency.NORMAL,
            area=grid,
            county=s.county,
            town=self.town,
            village=self.village,
            grid=grid,
            location=Point(longitude, latitude, srid=4326),
            found_by=FoundBy.POLYGON,
            reporter=self.reporter.user if self.reporter else None,
            reported_at=at,
        )

    def _somewhere(self, at: datetime) -> Area:
        """Return a grid; lately more often where the demonstration accounts sit."""
        rng, s = self.rng, self.s
        if s.now - at < RECENT and rng.random() < SHOWN:
            return s.show["grid"] if rng.random() < 0.4 else rng.choice(s.show_grids)
        return rng.choice(s.grids)

    def _choose(self, grid: Area) -> Category:
        fitting = [c for c in self.s.categories if texts.suits(c.code, grid.grid_kind)]
        if self.hold in {State.ANSWERED}:
            fitting = [c for c in fitting if c.is_question]
        elif self.hold in {State.RULING, State.WHISTLED}:
            fitting = [c for c in fitting if c.tier == Tier.WHISTLE]
        elif self.hold in {State.OBJECTED, State.SUSPENDED, State.SUPERVISED, State.RESPONDED}:
            fitting = [
                c for c in fitting if not (c.village_allowed or c.is_question or c.road)
                and c.tier == Tier.LOCAL
            ]  # fmt: skip
        weights = [3 if c.village_allowed else 0.4 if c.road else 1 for c in fitting]
        return self.rng.choices(fitting, weights)[0]

    def _worker_of(self, grid: Area) -> Actor:
        return self.s.holder(self.rng, Role.GRID_WORKER, grid)

    # The road.

    def _road(self) -> None:
        story, rng, category = self.story, self.rng, self.category
        reporter = self.reporter or RESIDENT
        story.step("report", reporter, source=story.incident.source, found_by="polygon")
        if story.incident.source in {Source.RESIDENT, Source.HOTLINE}:
            self._leave_contact()
        self._hold_at(State.REPORTED)
        if self._settled_on_the_spot():
            self._verify()
            return
        story.wait(timedelta(seconds=rng.randint(2, 9)))
        if category.is_question:
            self._answer()
            return
        by_ai = category.ai_allowed and rng.random() < 0.7
        self._suggest(acted=by_ai)
        if not by_ai:
            story.wait(self._minutes(4, 150))
        if category.road:
            self._exit()
            return
        if rng.random() < 0.015:
            self._out_of_remit()
            return
        self._triage(AI if by_ai else self._command())
        if category.tier == Tier.WHISTLE:
            self._whistle()
        else:
            self._dispatch()
        self._verify()

    def _hold_at(self, state: str) -> None:
        if self.hold == state:
            raise Held

    def _minutes(self, low: int, high: int) -> timedelta:
        return timedelta(minutes=self.rng.triangular(low, high, low))

    def _command(self) -> Actor:
        return self.s.holder(self.rng, Role.COMMAND, self.s.county)

    def _leave_contact(self) -> None:
        phone = names.phone_number(self.rng)
        self.contact = ReporterContact(
            incident=self.story.incident,
            name=names.person_name(self.rng),
            phone=phone,
            phone_index=blind_index(phone),
        )

    def _suggest(self, *, acted: bool) -> None:
        confidence = self.rng.uniform(0.9, 0.995) if acted else self.rng.uniform(0.35, 0.9)
        self.story.suggestions.append(
            Suggestion(
                incident=self.story.incident,
                model_version=1,
                category=self.category,
                confidence=round(confidence, 3),
                words=self.category.keywords[:4],
                outcome=Suggestion.Outcome.ACTED if acted else Suggestion.Outcome.CONFIRMED,
                created_at=self.story.at,
            )
        )
        self.story.incident.triage_tried_at = self.story.at
        self.story.step(
            "suggest", AI, category=self.category.code, confidence=round(confidence, 3), acted=acted
        )

    def _triage(self, actor: Actor) -> None:
        incident = self.story.incident
        incident.category, incident.tier = self.category, self.category.tier
        incident.deadline_version = self.s.versions[self.category.pk]
        incident.triaged_at = self.story.at
        incident.triage_tried_at = incident.triage_tried_at or self.story.at
        if self.category.urgent:
            incident.urgency = max(incident.urgency, Urgency.URGENT)
        self.story.start(Stage.TRIAGE)
        self.story.step("triage", actor, category=self.category.code, tier=incident.tier)
        self._hold_at(State.PENDING)

    def _settled_on_the_spot(self) -> bool:
        worker, category = self.reporter, self.category
        if not worker or not category.village_allowed or self.hold or self.rng.random() < 0.35:
            return False
        story = self.story
        story.wait(self._minutes(8, 90))
        incident = story.incident
        incident.category, incident.tier = category, Tier.LOCAL
        incident.deadline_version = self.s.versions[category.pk]
        incident.owner_area, incident.handler = self.grid, worker.user
        incident.triaged_at = incident.triage_tried_at = incident.dispatched_at = story.at
        incident.accepted_at = incident.arrived_at = incident.responded_at = story.at
        story.step("handle_on_spot", worker, note=texts.response_text(self.rng, category.code))
        story.start(Stage.VERIFY)
        return True

    def _answer(self) -> None:
        story, incident = self.story, self.story.incident
        articles = self.s.articles.get(self.category.pk)
        incident.category, incident.tier = self.category, Tier.AI
        incident.triage_tried_at = incident.triaged_at = story.at
        self._suggest(acted=True)
        if not articles:
            self._triage(self._command())
            self._dispatch()
            self._verify()
            return
        article = self.rng.choice(articles)
        story.suggestions[-1].outcome = Suggestion.Outcome.ANSWERED
        story.suggestions[-1].article = article
        story.step(
            "answer",
            AI,
            note=article.body,
            article=article.code,
            title=article.title,
            source=article.source,
            published_on=article.published_on.isoformat(),
        )
        story.end_timers.append(("answer_over", incident.round, story.at + timedelta(days=7)))
        self._hold_at(State.ANSWERED)
        story.wait(self._minutes(10, 3 * 1440))
        if self.rng.random() < 0.12:
            story.suggestions[-1].outcome = Suggestion.Outcome.OVERRULED
            story.step("not_solved", RESIDENT)
            story.wait(self._minutes(15, 300))
            self._triage(self._command())
            self._dispatch()
            self._verify()
            return
        story.step("answer_kept", RESIDENT)

    def _exit(self) -> None:
        road = self.category.road
        note = self.category.road_note or "已告知来电人办理途径。"
        self.story.incident.category = self.category
        self.story.step(f"exit_{road}", self._command(), note=note)

    def _out_of_remit(self) -> None:
        note = "经核实，该事项发生在邻县境内，已将线索函告对方并告知反映人。"
        self.story.step("exit_out_of_remit", self._command(), note=note)

    # Dispatch and handling.

    def _target(self) -> Department | Area:
        if not self.category.village_allowed:
            return self.category.owner
        return self.rng.choices([self.grid, self.village, self.town], [6, 3, 1])[0]

    def _give(self, owner: Department | Area) -> None:
        incident = self.story.incident
        incident.owner_department = owner if isinstance(owner, Department) else None
        incident.owner_area = owner if isinstance(owner, Area) else None
        incident.handler = None
        incident.dispatched_at = self.story.at
        incident.accepted_at = incident.arrived_at = incident.responded_at = None
        self.story.finish(Stage.TRIAGE)
        self.story.drop(Stage.ACCEPT, Stage.ARRIVE, Stage.RESPOND)
        self.story.start(Stage.ACCEPT, Stage.RESOLVE)

    def _owner_actor(self) -> Actor:
        incident = self.story.incident
        owner = incident.owner_department or incident.owner_area
        assert owner is not None
        level = owner.level if isinstance(owner, Area) else ""
        role = _ROLE_OF_LEVEL.get(level, Role.DEPARTMENT_HANDLER)
        return self.s.holder(self.rng, role, owner)

    def _dispatch(self, owner: Department | Area | None = None) -> None:
        owner = owner or self._target()
        self._give(owner)
        self.story.step("dispatch", SYSTEM, state=State.DISPATCHED, to=str(owner))
        self._maybe_object()
        self._handle(self._owner_actor())

    def _maybe_object(self) -> None:
        story, rng = self.story, self.rng
        held = self.hold == State.OBJECTED
        if not held and (self.story.incident.owner_area or rng.random() * 100 > OBJECTS):
            return
        story.wait(self._minutes(20, 300))
        story.step("object", self._owner_actor(), note=texts.objection_reason(rng))
        self._hold_at(State.OBJECTED)
        story.wait(self._minutes(20, 240))
        story.incident.objection_used = True
        if rng.random() < 0.5:
            others = [
                d for d in self.s.departments.values() if d != story.incident.owner_department
            ]
            self._give(rng.choice(others))
            story.step(
                "uphold_objection",
                self._command(),
                note="异议成立，按职责清单改派。",
                to=str(story.incident.owner_department),
                final=True,
            )
        else:
            story.step(
                "reject_objection", self._command(), note="按权责清单由你单位办理。", final=True
            )

    def _handle(self, handler: Actor) -> None:
        story, incident = self.story, self.story.incident
        story.wait(self._share(Stage.ACCEPT, 0.03, 0.4))
        incident.handler, incident.accepted_at = handler.user, story.at
        story.finish(Stage.ACCEPT)
        story.start(Stage.ARRIVE, Stage.RESPOND)
        story.step("accept", handler)
        story.wait(self._share(Stage.ARRIVE, 0.1, 0.6))
        incident.arrived_at = story.at
        story.finish(Stage.ARRIVE)
        story.step("arrive", handler)
        self._maybe_suspend()
        self._maybe_extend(handler)
        self._respond(handler)

    def _share(self, stage: str, low: float, high: float) -> timedelta:
        """Return part of the time the stage still has; a late story overruns one stage."""
        ends = {c.stage: c.due_at for c in self.story.running() if c.due_at and not c.party}
        if stage not in ends:
            return self._minutes(30, 600)
        left = ends[stage] - self.story.at
        if self.late_at == stage:
            self.late_at = ""
            return max(left, timedelta(hours=1)) * self.rng.uniform(1.05, 1.9)
        whole = min(ends[stage], ends.get(Stage.RESOLVE, ends[stage])) - self.story.at
        return max(whole, timedelta(hours=1)) * self.rng.uniform(low, high)

    def _maybe_suspend(self) -> None:
        story, rng = self.story, self.rng
        held = self.hold == State.SUSPENDED
        if not held and rng.random() * 100 > SUSPENDS:
            return
        until = story.at + timedelta(days=rng.randint(4, 25))
        if held:
            until = story.now + timedelta(days=rng.randint(2, 20))
        story.incident.suspended_from = story.incident.state
        story.incident.suspended_until = until
        story.pause()
        story.step(
            "suspend",
            self._command(),
            note=texts.suspension_reason(rng),
            until=until.isoformat(),
        )
        story.end_timers.append(("suspension_over", story.incident.last_seq, until))
        self._hold_at(State.SUSPENDED)
        story.wait(until - story.at)
        story.resume()
        back, story.incident.suspended_from = story.incident.suspended_from, ""
        story.incident.suspended_until = None
        story.step("resume", SYSTEM, state=back)

    def _maybe_extend(self, handler: Actor) -> None:
        story, rng, incident = self.story, self.rng, self.story.incident
        if rng.random() * 100 > EXTENDS:
            return
        story.wait(self._share(Stage.RESPOND, 0.2, 0.5))
        reason, days = texts.extension_reason(rng), rng.randint(1, 5)
        request = Extension(
            incident=incident,
            reason=reason,
            amount=days,
            unit="working_days",
            requested_by=handler.user,
            requested_at=story.at,
        )
        story.extensions.append(request)
        story.step("request_extension", handler, note=reason, amount=days, unit="working_days")
        story.wait(self._minutes(15, 400))
        judge = self._command()
        request.decided_by, request.decided_at = judge.user, story.at
        if rng.random() < 0.8:
            request.decision = Extension.Decision.APPROVED
            story.extend(days, "working_days")
            story.step("approve_extension", judge, amount=days, unit="working_days", reason=reason)
        else:
            request.decision, request.note = Extension.Decision.REFUSED, "请按期办结。"
            story.step("refuse_extension", judge, note=request.note)

    def _respond(self, handler: Actor) -> None:
        story, incident = self.story, self.story.incident
        story.wait(self._share(Stage.RESPOND, 0.1, 0.6))
        incident.handler, incident.responded_at = handler.user, story.at
        story.finish(Stage.ACCEPT, Stage.ARRIVE, Stage.RESPOND)
        story.start(Stage.VERIFY)
        story.step("respond", handler, note=texts.response_text(self.rng, self.category.code))

    # The whistle.

    def _whistle(self) -> None:
        story, rng, incident = self.story, self.rng, self.story.incident
        story.wait(self._minutes(10, 150))
        blower = self.s.holder(rng, Role.TOWN_ADMIN, self.town)
        lead = self.category.owner
        others = rng.sample(
            [d for d in self.s.departments.values() if d != lead], rng.choice([1, 1, 2, 3])
        )
        ask = texts.whistle_ask(
            rng,
            self.place,
            self.title,
            lead.short_name or lead.name,
            [d.short_name for d in others],
        )
        meet = story.at + timedelta(hours=rng.randint(3, 30))
        whistle = Whistle(
            incident=incident,
            round=incident.round,
            ask=ask,
            meet_at=meet,
            meet_place=f"{self.place}村口" if "村" in self.place else self.place,
            blown_by=blower.user,
            blown_at=story.at,
        )
        story.whistles.append(whistle)
        incident.tier = Tier.WHISTLE
        incident.owner_department, incident.owner_area = lead, None
        incident.dispatched_at = story.at
        story.finish(Stage.TRIAGE)
        story.start(Stage.RESPOND, Stage.RESOLVE)
        parties = [
            WhistleParty(whistle=whistle, department=d, is_lead=d == lead) for d in [lead, *others]
        ]
        story.parties.extend(parties)
        for party in parties:
            story.start(Stage.ACCEPT, party=party)
        story.step(
            "blow_whistle",
            blower,
            note=ask,
            lead=lead.name,
            parties=[d.name for d in others],
            meet_at=meet.isoformat(),
            meet_place=whistle.meet_place,
        )
        actors = {id(p): self.s.holder(rng, Role.DEPARTMENT_HANDLER, p.department) for p in parties}
        pace = self._pace(3 * len(parties))
        for party in parties:
            story.wait(min(pace, timedelta(minutes=25)) * rng.uniform(0.2, 1))
            self._come(party, PartyState.ACCEPTED, "accepted_at", "party_accept", actors)
            story.finish(Stage.ACCEPT, party=party)
            story.start(Stage.ARRIVE, party=party)
        if self.hold == State.WHISTLED and rng.random() < 0.5:
            raise Held
        for party in parties:
            story.wait(min(pace, timedelta(minutes=90)) * rng.uniform(0.2, 1))
            self._come(party, PartyState.ARRIVED, "arrived_at", "party_arrive", actors)
            story.finish(Stage.ARRIVE, party=party)
        self._hold_at(State.WHISTLED)
        for party in reversed(parties):
            story.wait(pace * rng.uniform(0.4, 1))
            party.opinion = (
                texts.response_text(rng, self.category.code)
                if party.is_lead
                else texts.co_opinion(rng)
            )
            incident.handler = actors[id(party)].user
            self._come(
                party, PartyState.ANSWERED, "answered_at", "party_answer", actors, party.opinion
            )
        self._sign(whistle, parties[1:], actors)

    def _pace(self, steps: int) -> timedelta:
        """Return how long each of ``steps`` may take for the case to keep its time."""
        own = [c.due_at for c in self.story.running() if c.due_at and c.party is None]
        whole = min(own) - self.story.at
        late = self.rng.random() * 100 < LATE
        return max(whole, timedelta(hours=2)) * (1.3 if late else 0.7) / steps

    def _come(self, party, state, moment, action, actors, note="") -> None:
        party.state, party.handler = state, actors[id(party)].user
        setattr(party, moment, self.story.at)
        self.story.step(
            action,
            actors[id(party)],
            note=note,
            department=party.department.name,
            lead=party.is_lead,
        )

    def _sign(self, whistle: Whistle, others: list[WhistleParty], actors: dict) -> None:
        story, rng = self.story, self.rng
        last = len(others) - 1
        dissent = self.hold == State.RULING or rng.random() < 0.06
        for n, party in enumerate(others):
            story.wait(self._minutes(5, 90))
            if n == last and dissent:
                party.dissent = "不同意由我单位承担主要费用，请指挥中心裁定。"
                party.state, party.signed_at = PartyState.DISSENTED, story.at
                story.step(
                    "party_dissent",
                    actors[id(party)],
                    note=party.dissent,
                    department=party.department.name,
                )
                self._rule(whistle)
                return
            to = State.RESPONDED if n == last else State.WHISTLED
            party.state, party.signed_at = PartyState.SIGNED, story.at
            if n == last:
                self._close_whistle(whistle)
            story.step("party_sign", actors[id(party)], state=to, department=party.department.name)

    def _rule(self, whistle: Whistle) -> None:
        self._hold_at(State.RULING)
        self.story.wait(self._minutes(60, 1440))
        judge = self._command()
        whistle.ruling, whistle.ruled_by = "按牵头单位意见执行，费用由县级专项解决。", judge.user
        whistle.needless = self.rng.random() < 0.1
        self._close_whistle(whistle)
        self.story.step(
            "rule", judge, state=State.RESPONDED, note=whistle.ruling, answer_stands=True
        )

    def _close_whistle(self, whistle: Whistle) -> None:
        whistle.closed_at = self.story.incident.responded_at = self.story.at
        self.story.finish(Stage.ACCEPT, Stage.ARRIVE, Stage.RESPOND)
        self.story.start(Stage.VERIFY)

    # Verification, rating, reopening.

    def _verifier(self) -> Actor:
        incident, rng = self.story.incident, self.rng
        area = incident.owner_area
        if area is not None and area.level == Level.GRID:
            return self.s.holder(rng, Role.VILLAGE_OFFICE, self.village)
        if (area is None or area.level == Level.VILLAGE) and rng.random() < 0.6:
            return self.s.holder(rng, Role.TOWN_ADMIN, self.town)
        return self._command()

    def _verify(self) -> None:
        story, rng, incident = self.story, self.rng, self.story.incident
        self._hold_at(State.RESPONDED)
        story.wait(self._share(Stage.VERIFY, 0.05, 0.6))
        if rng.random() * 100 < FAILS_CHECK and incident.tier != Tier.WHISTLE:
            incident.rework_count += 1
            incident.responded_at = None
            story.finish(Stage.VERIFY)
            story.start(Stage.RESPOND)
            story.step(
                "verify_fail",
                self._verifier(),
                state=State.ACCEPTED,
                note=texts.verify_note(rng, False),
            )
            self._respond(self._owner_actor())
            story.wait(self._share(Stage.VERIFY, 0.05, 0.6))
        incident.verified_at = story.at
        story.finish(Stage.VERIFY, Stage.RESOLVE)
        story.step("verify_pass", self._verifier(), note=texts.verify_note(rng, True))
        self._call_back()

    def _call_back(self) -> None:
        story, rng, incident = self.story, self.rng, self.story.incident
        until = story.at + timedelta(days=CALLBACK_DAYS)
        callback = CallBack(
            incident=incident,
            round=incident.round,
            token=secrets.token_urlsafe(24),
            created_at=story.at,
            expires_at=until + timedelta(days=LINK_DAYS),
        )
        story.callbacks.append(callback)
        story.end_timers.append(("callback_over", incident.round, until))
        self._hold_at(State.CALLBACK)
        supervised = self.hold == State.SUPERVISED
        if not supervised and rng.random() * 100 < UNRATED:
            story.wait(timedelta(days=CALLBACK_DAYS))
            story.step("callback_unanswered", SYSTEM)
            return
        story.wait(self._minutes(30, 6 * 1440 if not supervised else 300))
        self._rate(callback, unhappy=supervised or rng.random() * 100 < UNHAPPY)

    def _rate(self, callback: CallBack, *, unhappy: bool) -> None:
        story, rng = self.story, self.rng
        score = (
            Score.DISSATISFIED
            if unhappy
            else rng.choices([Score.SATISFIED, Score.BASIC], [78, 22])[0]
        )
        callback.score, callback.solved = score, not unhappy
        callback.comment = texts.rating_comment(
            rng, {Score.SATISFIED: 3, Score.BASIC: 2, Score.DISSATISFIED: 1}[score]
        )
        callback.answered_at = story.at
        data = {"score": score, "solved": not unhappy}
        if not unhappy:
            story.step("rate", RESIDENT, state=State.CLOSED, note=callback.comment, **data)
            return
        self._reopen(callback.comment, data)

    def _reopen(self, comment: str, data: dict) -> None:
        story, incident = self.story, self.story.incident
        area = incident.owner_area
        story.drop()
        before = incident.round
        incident.verified_at = incident.responded_at = None
        if before > REOPEN_CAP:
            incident.owner_department = incident.owner_area = incident.handler = None
            incident.rung = COMMAND_RUNG
            story.start(Stage.TRIAGE)
            story.step("rate", RESIDENT, state=State.SUPERVISED, note=comment, **data)
            incident.round = before + 1
            story.notices.append(
                SupervisionNotice(
                    incident=incident,
                    rung=COMMAND_RUNG,
                    text="重新交办超过次数，由县级督办。",
                    issued_at=story.at,
                )
            )
            raise Held
        if area is not None and area.level in {Level.GRID, Level.VILLAGE}:
            above = self.village if area.level == Level.GRID else self.town
            story.step("rate", RESIDENT, state=State.DISPATCHED, note=comment, **data)
            incident.round = before + 1
            self._give(above)
            incident.objection_used = False
            self._handle(self._owner_actor())
        else:
            incident.owner_department = incident.owner_area = incident.handler = None
            story.step("rate", RESIDENT, state=State.PENDING, note=comment, **data)
            incident.round = before + 1
            incident.overdue_at = None
            story.wait(self._minutes(20, 400))
            owner = self.category.owner if not self.category.village_allowed else self.town
            self._give(owner)
            story.step("dispatch", self._command(), to=str(owner))
            self._handle(self._owner_actor())
        self._verify()
