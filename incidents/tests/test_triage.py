"""Triage without a person: where the AI acts, where it only suggests, and that it says why."""

from datetime import date, timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from core.errors import Conflict
from core.models import CalendarYear, OutboxMessage, Timer
from core.services import timers
from core.working_calendar import WorkingCalendar
from incidents.factories import World, actor, category, deadlines
from incidents.models import (
    Article,
    Event,
    Incident,
    OwnerKind,
    RoutingRule,
    StageClock,
    State,
    Suggestion,
    TriageExample,
    TriageModel,
    Urgency,
)
from incidents.services import answering, dispatching, training, triage
from incidents.services.knowledge import save_article
from incidents.services.triage import triage_new

pytestmark = pytest.mark.django_db

RUBBISH = ["垃圾没人清", "路边一堆垃圾", "垃圾桶满了", "满地垃圾袋", "垃圾发臭", "垃圾堆成山"]
ROADS = ["路面坑洼", "道路塌陷", "马路有个大坑", "路面破损", "水泥路裂了", "路上坑太深"]


@pytest.fixture
def world():
    world = World()
    RoutingRule.objects.create(position=1, name="交主管部门", owner_kind=OwnerKind.CATEGORY_OWNER)
    return world


@pytest.fixture
def model(world):
    """A model of two categories that acts alone from 0.5."""
    for item, texts in ((world.rubbish, RUBBISH), (world.road, ROADS)):
        TriageExample.objects.bulk_create(TriageExample(text=t, category=item) for t in texts)
    trained = training.train()
    TriageModel.objects.update(threshold=0.5)
    return trained


def allow(item):
    item.ai_allowed = True
    item.save()


def after(incident):
    triage_new()
    return Incident.objects.get(pk=incident.pk)


def why(incident):
    return Event.objects.get(incident=incident, action="suggest").data


def told(incident):
    return {
        message.payload["kind"]
        for message in OutboxMessage.objects.filter(payload__incident=incident.pk)
    }


def test_a_sure_and_allowed_category_is_dispatched_at_once(world, model):
    allow(world.rubbish)
    incident = after(world.report("村口一堆垃圾没人清"))
    assert (incident.state, incident.owner) == (State.DISPATCHED, world.city)
    row = why(incident)
    assert row["path"] == "dispatch"
    assert row["model"] == model.version
    assert row["words"]
    assert row["confidence"] >= row["threshold"]
    suggestion = Suggestion.objects.get(incident=incident)
    assert (suggestion.outcome, suggestion.category) == ("acted", world.rubbish)
    assert suggestion.model_version == model.version


def test_below_the_threshold_it_only_suggests(world, model):
    allow(world.rubbish)
    TriageModel.objects.update(threshold=1.01)
    incident = after(world.report("村口一堆垃圾没人清"))
    assert (incident.state, incident.category) == (State.REPORTED, None)
    assert why(incident)["path"] == "unsure"
    assert Suggestion.objects.get(incident=incident).outcome == "suggested"
    assert StageClock.objects.get(incident=incident).stage == "triage"
    assert told(incident) == {"to_triage"}


def test_what_the_county_has_not_allowed_is_only_suggested(world, model):
    incident = after(world.report("村口一堆垃圾没人清"))
    assert incident.state == State.REPORTED
    assert why(incident)["path"] == "not_allowed"


def test_a_category_the_reporter_chose_needs_no_confidence(world):
    allow(world.rubbish)
    incident = after(world.report("说不清楚", category=world.rubbish))
    assert incident.state == State.DISPATCHED
    assert why(incident)["given"] is True


def test_without_a_model_a_person_decides(world):
    incident = after(world.report())
    assert incident.state == State.REPORTED
    assert why(incident)["path"] == "no_model"
    assert not Suggestion.objects.filter(incident=incident).exists()


def test_a_broken_model_does_not_stop_reports(world, model):
    TriageModel.objects.update(blob=b"nonsense", trained_at=timezone.now())
    incident = after(world.report())
    assert why(incident)["path"] == "no_model"


def test_a_possible_emergency_is_never_decided_by_ai(world, model):
    allow(world.rubbish)
    incident = after(world.report("垃圾堆着火了，浓烟很大", category=world.rubbish))
    assert (incident.state, incident.urgency) == (State.REPORTED, Urgency.EMERGENCY)
    assert why(incident)["path"] == "emergency"
    assert why(incident)["numbers"] == ["119"]
    assert told(incident) == {"possible_emergency"}
    assert Suggestion.objects.filter(incident=incident).exists()


@pytest.mark.parametrize("road", ["emergency", "statutory", "out_of_remit"])
def test_a_matter_with_a_road_of_its_own_waits_for_a_person(world, road):
    item = category(world.city, road=road, road_note="请走法定途径", ai_allowed=True)
    incident = after(world.report("说不清楚", category=item))
    assert incident.state == State.REPORTED
    row = why(incident)
    assert (row["path"], row["road"], row["advice"]) == ("road", road, "请走法定途径")


def test_a_report_without_a_place_is_not_dispatched_alone(world):
    allow(world.rubbish)
    incident = world.report("说不清楚", category=world.rubbish, latitude=None, longitude=None)
    assert why(after(incident))["path"] == "no_place"


def test_likely_repeats_are_listed_and_not_merged(world):
    first = world.report(category=world.rubbish)
    same_place = world.report(category=world.rubbish)
    other_item = world.report("路面塌了一个大坑", category=world.road)
    longitude, latitude = world.places.point_in(world.places.grids[1])
    elsewhere = world.report(category=world.rubbish, longitude=longitude, latitude=latitude)
    triage_new()
    assert why(same_place)["twins"] == [first.tracking_code]
    assert why(first)["twins"] == [same_place.tracking_code]
    assert why(other_item)["twins"] == why(elsewhere)["twins"] == []
    assert Incident.objects.filter(state=State.DUPLICATE).count() == 0


def test_the_same_address_in_the_same_grid_is_a_likely_repeat(world):
    given = {"latitude": None, "longitude": None, "area": world.grid, "category": world.rubbish}
    first = world.report(address="小学门口", **given)
    second = world.report(address="小学门口", **given)
    triage_new()
    assert why(second)["twins"] == [first.tracking_code]


def test_old_and_ended_cases_are_no_repeats(world):
    old = world.report(category=world.rubbish)
    Incident.objects.filter(pk=old.pk).update(reported_at=timezone.now() - timedelta(days=61))
    ended = world.report(category=world.rubbish)
    dispatching.leave(
        incident_id=ended.pk, actor=actor(world.command), road="out_of_remit", note="属于邻县"
    )
    new = world.report(category=world.rubbish)
    triage_new()
    assert why(new)["twins"] == []


# Questions.


@pytest.fixture
def question(world):
    item = category(world.city, name="医保政策咨询", is_question=True, tier="ai", ai_allowed=True)
    save_article(
        article=Article(
            code="K1",
            title="住院费用怎么报销",
            body="出院时在医院直接结算。",
            keywords=["报销", "住院"],
            source="县医保服务窗口",
            published_on=date(2026, 3, 1),
            category=item,
        ),
        actor=None,
    )
    return item


@pytest.fixture
def answered(world, question):
    return after(world.report("住院费用怎么报销", category=question))


def test_a_question_is_answered_with_its_source(answered):
    assert answered.state == State.ANSWERED
    row = Event.objects.get(incident=answered, action="answer")
    assert (row.actor_kind, row.public) == ("ai", True)
    assert row.note == "出院时在医院直接结算。"
    assert row.data["source"] == "县医保服务窗口"
    assert row.data["published_on"] == "2026-03-01"
    assert why(answered)["path"] == "answer"
    assert Suggestion.objects.get(incident=answered).outcome == "answered"


def test_a_question_no_article_answers_goes_to_its_owner(world, question):
    incident = after(world.report("请问图书馆几点开门", category=question))
    assert (incident.state, incident.owner) == (State.DISPATCHED, world.city)


def test_not_solved_sends_the_question_to_a_person_for_good(answered):
    answering.not_solved(tracking_code=answered.tracking_code, note="没说清楚")
    incident = after(answered)
    assert incident.state == State.REPORTED
    assert "not_solved" in told(incident)
    assert StageClock.objects.filter(incident=incident, stage="triage").exists()
    assert Suggestion.objects.get(incident=incident).outcome == "overruled"
    assert not Timer.objects.filter(kind="answer_over").exists()
    assert Event.objects.filter(incident=incident, action="suggest").count() == 1


def test_an_answer_kept_closes_the_question(answered):
    answering.answer_kept(tracking_code=answered.tracking_code)
    answered.refresh_from_db()
    assert answered.state == State.CLOSED
    with pytest.raises(Conflict):
        answering.not_solved(tracking_code=answered.tracking_code)


def test_an_unknown_code_is_told_so():
    with pytest.raises(Conflict):
        answering.answer_kept(tracking_code="NOSUCHCODE22")


def test_no_word_for_a_week_closes_the_question_without_satisfaction(answered):
    timers.sweep(now=timezone.now() + timedelta(days=6))
    answered.refresh_from_db()
    assert answered.state == State.ANSWERED
    timers.sweep(now=timezone.now() + timedelta(days=7, minutes=1))
    answered.refresh_from_db()
    assert answered.state == State.CLOSED
    row = Event.objects.get(incident=answered, action="answer_kept")
    assert row.actor_kind == "system"
    assert not answered.callbacks.exists()


# Faults.


def test_a_year_without_a_calendar_leaves_the_case_to_a_person_who_is_told(world):
    allow(world.rubbish)
    deadlines(world.rubbish, {"accept": (1, "working_days")})
    CalendarYear.objects.all().delete()
    WorkingCalendar.forget()
    incident = after(world.report(category=world.rubbish))
    WorkingCalendar.forget()
    assert incident.state == State.REPORTED
    assert why(incident)["path"] == "calendar_missing"
    assert why(incident)["year"] == timezone.localdate().year
    assert told(incident) == {"calendar_missing"}


def test_one_case_that_raises_is_shown_and_does_not_block_the_others(world, monkeypatch):
    allow(world.rubbish)
    bad = world.report(text="这一件会出错", category=world.rubbish)
    good = world.report(category=world.rubbish)
    real = triage.twins_of

    def fail_on_bad(incident, *args):
        if incident.pk == bad.pk:
            raise RuntimeError("boom")
        return real(incident, *args)

    monkeypatch.setattr(triage, "twins_of", fail_on_bad)
    assert triage_new() == 2
    good.refresh_from_db()
    bad.refresh_from_db()
    assert good.state == State.DISPATCHED
    assert (bad.state, why(bad)["path"], why(bad)["error"]) == ("reported", "error", "RuntimeError")
    assert told(bad) == {"triage_failed"}
    assert triage_new() == 0


def test_each_report_is_triaged_once(world):
    incident = world.report()
    assert triage_new() == 1
    assert triage_new() == 0
    assert Event.objects.filter(incident=incident, action="suggest").count() == 1


# Training.


def test_too_little_to_learn_from_is_said(world):
    with pytest.raises(CommandError):
        call_command("train_triage")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_examples_are_read_in_either_encoding(encoding):
    data = "text,category\n路灯不亮,照明\n".encode(encoding)
    assert training.read_examples(data) == [("路灯不亮", "照明")]


@pytest.mark.parametrize(
    "data", [b"", b"a,b\n1,2\n", "text,category\n路灯,\n".encode(), b"\xff\xff"]
)
def test_files_that_hold_no_examples_are_refused(data, tmp_path):
    file = tmp_path / "x.csv"
    file.write_bytes(data)
    with pytest.raises(CommandError):
        call_command("train_triage", str(file))


def test_unknown_categories_are_only_for_measuring(world, tmp_path, capsys):
    file = tmp_path / "x.csv"
    rows = [(t, "甲") for t in RUBBISH] + [(t, "乙") for t in ROADS]
    file.write_text("text,category\n" + "".join(f"{t},{c}\n" for t, c in rows), encoding="utf-8")
    with pytest.raises(CommandError, match="甲"):
        call_command("train_triage", str(file))
    call_command("train_triage", str(file), cross_validate=2)
    assert "甲" in capsys.readouterr().out
    assert not TriageModel.objects.exists()


def test_a_file_of_known_categories_is_learnt(world, tmp_path):
    file = tmp_path / "own.csv"
    rows = [(t, world.rubbish.name) for t in RUBBISH] + [(t, world.road.code) for t in ROADS]
    file.write_text("text,category\n" + "".join(f"{t},{c}\n" for t, c in rows), encoding="utf-8")
    call_command("train_triage", str(file))
    assert TriageExample.objects.filter(source="own").count() == len(rows)
    assert TriageModel.objects.get().active
