"""Two people take the same step at the same moment: one does, the other reads who was faster.

Every line of the transition table is tried, each on a case of its own in one county that is built
once; each of the two has a connection of its own and has looked at the same version.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.models import Count, Sum
from django.utils import timezone

from core.errors import Conflict
from core.models import AuditEntry, OutboxMessage, Timer
from core.services import timers
from grids.factories import person
from grids.models import Role, User
from incidents.factories import World, actor, draft_photo, ladder
from incidents.models import Article, CallBack, Event, FigureDelta, Incident, Source, StageClock
from incidents.registry import handovers
from incidents.services import (
    answering,
    dispatching,
    handling,
    splitting,
    twins,
    verification,
    whistle,
)
from incidents.services.intake import Report, report
from incidents.services.step import step
from incidents.workflow import TRANSITIONS

Press = Callable[[User], Any]
Case = tuple[Incident, tuple[User, User], Press]


class Stage(World):
    """The world with a colleague beside each of its people."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.commands = (self.command, person(Role.COMMAND, self.county))
        self.handlers = (self.city_handler, person(Role.DEPARTMENT_HANDLER, self.city))
        self.waters = (self.water_handler, person(Role.DEPARTMENT_HANDLER, self.water))
        self.towns = (self.town_admin, person(Role.TOWN_ADMIN, self.town))
        self.workers = (self.worker, person(Role.GRID_WORKER, self.grid))
        self.article = Article.objects.create(
            code="K-1", title="办证", body="带身份证到村里办。", source="县政府",
            published_on=date(2026, 1, 1),
        )  # fmt: skip
        ladder(version=2, command={"takes_over": True})
        handovers["elsewhere"] = lambda **_facts: "E-1"

    def answered(self) -> Incident:
        """A question answered from the knowledge base."""
        incident = self.report()
        return answering.answer(
            incident_id=incident.pk, actor=actor(self.command), article=self.article
        )

    def supervised(self) -> Incident:
        """A case opened again too often."""
        incident = self.called_back()
        for _round in range(2):
            self.rated_badly(incident)
            dispatching.dispatch(
                incident_id=incident.pk, actor=actor(self.command), department=self.city
            )
            handling.accept(incident_id=incident.pk, actor=actor(self.city_handler))
            handling.respond(
                incident_id=incident.pk, actor=actor(self.city_handler), result="又清了一遍"
            )
            verification.verify_pass(incident_id=incident.pk, actor=actor(self.command))
        self.rated_badly(incident)
        return incident

    def rated_badly(self, incident: Incident) -> None:
        verification.rate(token=token(incident), score="dissatisfied", solved=False)

    def wants_time(self) -> Incident:
        """A case whose handler has asked for more time."""
        incident = self.accepted()
        handling.request_extension(
            incident_id=incident.pk, actor=actor(self.city_handler), amount=1,
            unit="calendar_days", reason="等配件",
        )  # fmt: skip
        return incident

    def parties(self, *steps: str, lead: bool = False) -> Incident:
        """A whistle the departments have gone along so far; the lead has answered if asked."""
        incident = self.whistled()
        roads = [(self.city, self.city_handler)] if lead else []
        for department, user in [*roads, (self.water, self.water_handler)]:
            for name in steps:
                more = {"opinion": "已处理"} if name == "answer" else {}
                getattr(whistle, f"party_{name}")(
                    incident_id=incident.pk, actor=actor(user), department=department, **more
                )
        return incident


def token(incident: Incident) -> str:
    return CallBack.objects.filter(incident=incident).latest("round").token


@pytest.fixture(scope="module")
def stage(django_db_setup: None, django_db_blocker: Any) -> Iterator[Stage]:
    """The county of this module, committed, because threads look at it; emptied afterwards."""
    with django_db_blocker.unblock():
        try:
            yield Stage()
        finally:
            handovers.pop("elsewhere", None)
            call_command("flush", interactive=False, verbosity=0)


# Steps of the table by name: how the case comes there, who presses, and what.
_RACES: dict[str, Callable[[Stage], Case]] = {}


def race(who: str, verb: Any, state: str = "report", **given: Any) -> Callable[[Stage], Case]:
    """Return a race of two of ``who`` for a verb on a case made by the stage's ``state``."""

    def ready(stage: Stage) -> Case:
        made: Any = getattr(stage, state)()
        incident = Incident.objects.get(pk=made.pk)
        values = {key: value(stage) if callable(value) else value for key, value in given.items()}

        def press(user: User) -> Any:
            return verb(incident_id=incident.pk, actor=actor(user), seen=incident.version, **values)

        return incident, getattr(stage, who), press

    return ready


for road in ("emergency", "statutory", "out_of_remit"):
    _RACES[f"exit_{road}"] = race("commands", dispatching.leave, road=road, note="已转出")
_RACES |= {
    "triage": race(
        "commands", dispatching.triage, category=lambda stage: stage.rubbish, send=False
    ),
    "answer": race("commands", answering.answer, article=lambda stage: stage.article),
    "merge": race("commands", twins.merge, into=lambda stage: stage.report()),
    "hand_over": race("commands", dispatching.hand_over, to="elsewhere", note="请调解"),
    "dispatch": race(
        "commands", dispatching.dispatch, "pending", department=lambda stage: stage.city
    ),
    "object": race("handlers", dispatching.object_to, "dispatched", reason="不归我们管"),
    "accept": race("handlers", handling.accept, "dispatched"),
    "arrive": race("handlers", handling.arrive, "accepted"),
    "respond": race("handlers", handling.respond, "accepted", result="已清运完毕"),
    "request_extension": race(
        "handlers", handling.request_extension, "accepted", amount=1, unit="calendar_days",
        reason="等配件",
    ),
    "approve_extension": race("commands", handling.decide_extension, "wants_time", approve=True),
    "refuse_extension": race(
        "commands", handling.decide_extension, "wants_time", approve=False, note="按期办"
    ),
    "suspend": race(
        "commands", handling.suspend, "accepted", reason="等汛期过",
        until=lambda _stage: timezone.now() + timedelta(days=3),
    ),
    "party_accept": race(
        "waters", whistle.party_accept, "whistled", department=lambda stage: stage.water
    ),
    "verify_pass": race("commands", verification.verify_pass, "responded"),
    "verify_fail": race("commands", verification.verify_fail, "responded", reason="还有一堆"),
    "record_callback": race(
        "commands", verification.record_callback, "called_back", score="satisfied", solved=True
    ),
    "split": race(
        "commands", splitting.split, "accepted",
        tasks=lambda stage: [splitting.Task("清运", 1, "calendar_days", stage.water)],
    ),
    "conclude": race("commands", verification.conclude, "supervised", reason="已说明"),
    "supervise": race("commands", verification.supervise, "accepted", text="请尽快"),
}  # fmt: skip


def _prepared(name: str, who: str, verb: Any, before: Callable[[Stage], Incident], **given: Any):
    """Add a race whose case takes more than one word to make."""

    def ready(stage: Stage) -> Case:
        made = before(stage)
        stage.made = lambda: made  # type: ignore[attr-defined]
        return race(who, verb, "made", **given)(stage)

    _RACES[name] = ready


def _left(stage: Stage) -> Incident:
    return dispatching.leave(
        incident_id=stage.report().pk, actor=actor(stage.command), road="statutory", note="走信访"
    )


def _merged(stage: Stage) -> Incident:
    return twins.merge(
        incident_id=stage.report().pk, actor=actor(stage.command), into=stage.dispatched()
    )


def _objected(stage: Stage) -> Incident:
    return dispatching.object_to(
        incident_id=stage.dispatched().pk, actor=actor(stage.city_handler), reason="不归我们管"
    )


def _suspended(stage: Stage) -> Incident:
    return handling.suspend(
        incident_id=stage.accepted().pk, actor=actor(stage.command), reason="等汛期过",
        until=timezone.now() + timedelta(days=3),
    )  # fmt: skip


def _dissented(stage: Stage) -> Incident:
    incident = stage.parties("accept", "arrive", "answer", lead=True)
    return whistle.party_dissent(
        incident_id=incident.pk, actor=actor(stage.water_handler), department=stage.water,
        reason="管网破了",
    )  # fmt: skip


def _demanded(stage: Stage) -> Incident:
    incident = stage.accepted()
    verification.supervise(incident_id=incident.pk, actor=actor(stage.command), text="请尽快")
    return incident


def _road_case(stage: Stage) -> Incident:
    return stage.pending(category=stage.road, tier="whistle")


def _task(stage: Stage) -> Incident:
    [task] = splitting.split(
        incident_id=stage.accepted().pk, actor=actor(stage.command),
        tasks=[splitting.Task("清运", 1, "calendar_days", stage.water)],
    )  # fmt: skip
    return task


_prepared("drop_task", "commands", splitting.drop, _task, reason="不用了")
_prepared("unmerge", "commands", twins.unmerge, _merged, reason="不是一回事")
_prepared("recall", "commands", dispatching.recall, _left, reason="转错了")
_prepared(
    "uphold_objection", "commands", dispatching.uphold_objection, _objected, reason="有理",
    department=lambda stage: stage.water,
)  # fmt: skip
_prepared("reject_objection", "commands", dispatching.reject_objection, _objected, reason="归你们")
_prepared("resume", "commands", handling.resume, _suspended)
_prepared(
    "blow_whistle", "towns", whistle.blow, _road_case, ask="请会商",
    calls=lambda stage: [whistle.Call(stage.city, is_lead=True), whistle.Call(stage.water)],
)  # fmt: skip
_prepared("rule", "commands", whistle.rule, _dissented, ruling="照办", answer_stands=True)
_prepared("reply_supervision", "handlers", verification.reply_supervision, _demanded, reply="在办")
for verb, words, way in (
    ("arrive", {}, ["accept"]),
    ("answer", {"opinion": "管网完好"}, ["accept", "arrive"]),
    ("sign", {}, ["accept", "arrive", "answer"]),
    ("dissent", {"reason": "管网破了"}, ["accept", "arrive", "answer"]),
):
    _prepared(
        f"party_{verb}", "waters", getattr(whistle, f"party_{verb}"),
        lambda stage, way=tuple(way): stage.parties(*way, lead="answer" in way),
        department=lambda stage: stage.water, **words,
    )  # fmt: skip


def _on_spot(stage: Stage) -> Case:
    incident = stage.pending()
    photos = {user.pk: [draft_photo(user).pk] for user in stage.workers}

    def press(user: User) -> Any:
        return handling.handle_on_spot(
            incident_id=incident.pk, actor=actor(user), result="当场清走了",
            photo_ids=photos[user.pk], seen=incident.version,
        )  # fmt: skip

    return incident, stage.workers, press


def _fix_on_spot(stage: Stage) -> Case:
    longitude, latitude = stage.places.point_in(stage.grid)
    sent = Report(
        text="灭火器过期", source=Source.INSPECTION, latitude=latitude, longitude=longitude
    )
    incident, _new = report(sent, actor=actor(stage.worker))

    def press(user: User) -> None:
        with step(
            incident_id=incident.pk, action="fix_on_spot", actor=actor(user), seen=incident.version
        ) as case:
            case.incident.owner_department = stage.city

    return incident, (stage.worker, stage.worker), press


def _resident(before: str, press: Callable[[Incident], Any]) -> Callable[[Stage], Case]:
    """Return a race of a resident who pressed twice: nobody is named, nothing was looked at."""

    def ready(stage: Stage) -> Case:
        incident: Incident = getattr(stage, before)()
        return incident, (stage.worker, stage.worker), lambda _user: press(incident)

    return ready


_RACES |= {
    "handle_on_spot": _on_spot,
    "fix_on_spot": _fix_on_spot,
    "not_solved": _resident(
        "answered", lambda case: answering.not_solved(tracking_code=case.tracking_code)
    ),
    "answer_kept": _resident(
        "answered", lambda case: answering.answer_kept(tracking_code=case.tracking_code)
    ),
    "rate": _resident(
        "called_back",
        lambda case: verification.rate(token=token(case), score="satisfied", solved=True),
    ),
}
# Steps only a timer takes: two sweeps come upon it at once.
_SWEPT = {
    "take_up": ("dispatched", "clock_due"),
    "callback_unanswered": ("called_back", "callback_over"),
}
# A remark changes nothing: two at once are two. One report sent twice joins a case once.
_BOTH_DONE = {"remark", "join"}


def at_once(*calls: Callable[[], Any]) -> list[Any]:
    """Run the calls in threads that start together; return results or errors, in order."""
    gate = threading.Barrier(len(calls))
    outcomes: list[Any] = [None] * len(calls)

    def run(place: int, call: Callable[[], Any]) -> None:
        try:
            gate.wait()
            outcomes[place] = call()
        except Exception as error:
            outcomes[place] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


def nothing_is_there_twice(incident: Incident) -> None:
    """The timeline has no gap, and each clock, timer and message of the case is there once."""
    incident.refresh_from_db()
    events = list(Event.objects.filter(incident=incident).order_by("seq"))
    assert [event.seq for event in events] == list(range(1, incident.last_seq + 1))
    assert events[-1].to_state == incident.state
    running = StageClock.objects.filter(incident=incident, finished_at=None).order_by("pk")
    assert_once(running.values_list("stage", "name", "party"))
    ids = [clock.pk for clock in running if clock.due_at and not clock.breached_at]
    due = Timer.objects.filter(subject_type="clock", kind="clock_due", fired_at=None)
    assert sorted(due.filter(subject_id__in=ids).values_list("subject_id", flat=True)) == ids
    keys = OutboxMessage.objects.filter(key__startswith=f"incident:{incident.pk}:")
    told_by = {int(key.split(":")[2]) for key in keys.values_list("key", flat=True)}
    assert told_by <= set(range(1, incident.last_seq + 1))
    gauges = FigureDelta.objects.filter(metric__startswith="state:").values_list("metric")
    counted = {metric: n for metric, n in gauges.annotate(Sum("n")) if n}
    cases = Incident.objects.of_the_public().values_list("state").annotate(Count("pk"))
    assert counted == {f"state:{state}": n for state, n in cases}


def assert_once(rows: Any) -> None:
    found = Counter(rows)
    assert all(times == 1 for times in found.values()), found


# The mark lets a run of this module alone have a database; the others commit to it.
@pytest.mark.django_db
def test_every_line_of_the_table_is_raced_for():
    assert set(_RACES) | set(_SWEPT) | _BOTH_DONE == set(TRANSITIONS)


@pytest.mark.parametrize("action", sorted(_RACES))
def test_of_two_who_press_at_once_one_takes_the_step(stage, action):
    incident, (one, other), press = _RACES[action](stage)
    before = incident.last_seq
    outcomes = at_once(lambda: press(one), lambda: press(other))

    refused = [found for found in outcomes if isinstance(found, Exception)]
    assert len(refused) == 1, outcomes
    assert isinstance(refused[0], Conflict), outcomes
    assert str(refused[0].message), "and reads why"
    mine = Event.objects.filter(incident=incident, action=action, seq__gt=before)
    assert mine.count() == 1
    entries = AuditEntry.objects.filter(
        action=f"incident.{action}", subject_id=incident.pk, data__seq=mine.get().seq
    )
    assert entries.count() == (mine.get().actor is not None)
    nothing_is_there_twice(incident)


@pytest.mark.parametrize("action", sorted(_SWEPT))
def test_of_two_sweeps_that_come_upon_a_timer_one_fires_it(stage, action):
    state, kind = _SWEPT[action]
    incident = getattr(stage, state)()
    clocks = StageClock.objects.filter(incident=incident, stage="accept").values("pk")
    subject = {"subject_id__in": clocks} if kind == "clock_due" else {"subject_id": incident.pk}
    Timer.objects.filter(kind=kind, **subject).update(due_at=timezone.now())
    found = at_once(timers.sweep, timers.sweep)
    assert [result.failed for result in found] == [0, 0]
    assert sum(result.fired for result in found) == 1
    assert Event.objects.filter(incident=incident, action=action).count() == 1
    nothing_is_there_twice(incident)


def test_two_remarks_at_once_are_both_on_the_timeline(stage):
    incident = stage.accepted()

    def remark(user: User) -> Any:
        return dispatching.remark(incident_id=incident.pk, actor=actor(user), note="继续跟进")

    outcomes = at_once(*[lambda user=user: remark(user) for user in stage.commands])
    assert not [found for found in outcomes if isinstance(found, Exception)]
    assert Event.objects.filter(incident=incident, action="remark").count() == 2
    nothing_is_there_twice(incident)


def test_a_report_sent_twice_at_once_joins_the_case_once(stage):
    lead = stage.dispatched()
    sent = Report(text="垃圾还在", source=Source.RESIDENT, area=stage.grid)
    one, other = at_once(*[lambda: twins.take_in_same(sent, lead_id=lead.pk)] * 2)
    assert one == other
    twin, joined = one
    assert joined
    assert Event.objects.filter(incident=twin, action="join").count() == 1
    assert Event.objects.filter(incident=lead, action="twin_joined").count() == 1
    nothing_is_there_twice(twin)
