"""Scores: what each case contributes, sums kept up with it, and the same when counted again."""

from collections import Counter
from contextlib import suppress
from datetime import date, timedelta

import psycopg
import pytest
import time_machine
from django.db import IntegrityError, connection, transaction
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import GeshiError
from core.models import Timer
from grids.factories import person, post
from grids.models import MonthlyAssessment, Role
from incidents import scoring
from incidents.factories import World, actor, draft_photo
from incidents.models import (
    CallBack,
    CaseChange,
    FactKind,
    Incident,
    Mark,
    ScoreFact,
    ScoreFormula,
    ScoreSum,
    Source,
    State,
)
from incidents.queries import scores as read
from incidents.queries.scores import Period, Whose
from incidents.services import assessments, dispatching, handling, scores, verification, whistle
from incidents.services.intake import Report, report

pytestmark = pytest.mark.django_db

FAR = Period(date(2020, 1, 1), date(2030, 12, 31))


@pytest.fixture(autouse=True)
def clock():
    """A Monday morning that passes only when told to."""
    with time_machine.travel("2026-03-02T09:00:00+08:00", tick=False) as traveller:
        yield traveller


def up_to_date():
    while scores.fold(batch=50):
        pass


def fact(incident, kind=FactKind.CASE):
    up_to_date()
    return ScoreFact.objects.get(incident=incident, kind=kind)


def marks(incident, kind=FactKind.CASE):
    up_to_date()
    found = ScoreFact.objects.filter(incident=incident, kind=kind).first()
    return Mark(found.marks) if found else None


def rate(incident, score="satisfied", solved=True):
    callback = CallBack.objects.get(incident=incident, round=incident.round)
    return verification.rate(token=callback.token, score=score, solved=solved)


def closed(world, **more):
    return rate(world.called_back(**more))


def value(measure, sums):
    return scoring.value_of(measure, sums, ScoreFormula()).value


def sums_of(area, period=FAR):
    up_to_date()
    return read.of_areas([area], period)[area.pk]


# What a case contributes.


def test_a_case_counts_on_the_day_its_deadline_to_close_falls_on(world, clock):
    incident = world.dispatched()  # five days to close, counted from the dispatch
    assert fact(incident).day == date(2026, 3, 7)
    assert not fact(incident).marks & Mark.CLOSED


def test_a_report_nobody_dispatched_is_not_due(world):
    assert marks(world.pending()) is None


def test_closed_in_time(world, clock):
    assert marks(closed(world)) & (Mark.CLOSED | Mark.IN_TIME) == Mark.CLOSED | Mark.IN_TIME


def test_checked_after_the_deadline_to_close_is_late_though_closed(world, clock):
    incident = world.responded()
    clock.shift(timedelta(days=6))
    verification.verify_pass(incident_id=incident.pk, actor=actor(world.command))
    rate(Incident.objects.get(pk=incident.pk))
    assert marks(incident) & (Mark.CLOSED | Mark.IN_TIME) == Mark.CLOSED


def test_waiting_long_for_the_rating_makes_nobody_late(world, clock):
    incident = world.called_back()
    clock.shift(timedelta(days=7))
    rate(incident)
    assert marks(incident) & Mark.IN_TIME


def test_more_time_moves_the_day_and_is_counted(world, clock):
    incident = world.accepted()
    handling.request_extension(
        incident_id=incident.pk,
        actor=actor(world.city_handler),
        amount=3,
        unit="calendar_days",
        reason="等材料",
    )
    handling.decide_extension(incident_id=incident.pk, actor=actor(world.command), approve=True)
    assert fact(incident).day == date(2026, 3, 10)
    assert fact(incident).marks & Mark.EXTENDED


def test_a_suspended_case_is_marked_and_left_out(world, clock):
    incident = world.accepted()
    handling.suspend(
        incident_id=incident.pk,
        actor=actor(world.command),
        until=timezone.now() + timedelta(days=20),
        reason="等天晴",
    )
    assert marks(incident) & Mark.SUSPENDED
    assert fact(incident).day == date(2026, 3, 22)
    assert value(scoring.CLOSING, sums_of(world.county)) is None
    handling.resume(incident_id=incident.pk, actor=actor(world.command))
    assert value(scoring.CLOSING, sums_of(world.county)) == 0


def test_sent_back_by_a_check_is_rework(world):
    incident = world.responded()
    verification.verify_fail(incident_id=incident.pk, actor=actor(world.command), reason="没清干净")
    assert marks(incident) & (Mark.CHECKED | Mark.REWORK) == Mark.CHECKED | Mark.REWORK


def test_what_left_the_road_is_not_due(world):
    incident = world.dispatched()
    assert marks(incident) is not None
    dispatching.leave(
        incident_id=incident.pk, actor=actor(world.command), road="statutory", note="走信访"
    )
    assert marks(incident) is None


def test_a_late_reopening_corrects_the_past(world, clock):
    incident = closed(world)
    clock.shift(timedelta(days=20))
    assert value(scoring.CLOSING, sums_of(world.county)) == 1
    other = world.called_back()
    clock.shift(timedelta(days=8))
    verification.on_callback_over(_timers(other), timezone.now())
    assert Incident.objects.get(pk=other.pk).state == State.CLOSED
    assert value(scoring.CLOSING, sums_of(world.county)) == 1
    rate(Incident.objects.get(pk=other.pk), "dissatisfied", False)
    assert fact(other).day == date(2026, 3, 27)  # as before
    assert marks(other) & Mark.REPEATED
    assert not marks(other) & Mark.CLOSED
    assert value(scoring.CLOSING, sums_of(world.county)) == 0.5
    assert marks(incident) & Mark.CLOSED


def _timers(incident):
    return list(Timer.objects.filter(subject_id=incident.pk, kind="callback_over"))


def test_settled_on_the_spot_counts_on_the_day_it_closed(world, clock):
    incident = world.report(source=Source.WORKER)
    handling.handle_on_spot(
        incident_id=incident.pk,
        actor=actor(world.worker),
        result="当场清走",
        category=world.rubbish,
        photo_ids=[draft_photo(world.worker).pk],
    )
    clock.shift(timedelta(days=1))
    verification.verify_pass(incident_id=incident.pk, actor=actor(world.office))
    assert marks(incident) is None
    rate(Incident.objects.get(pk=incident.pk))
    assert fact(incident).day == date(2026, 3, 3)
    assert marks(incident) & Mark.IN_TIME


def test_the_last_word_of_the_reporter_counts(world, clock):
    incident = rate(world.called_back(), "dissatisfied", False)
    assert marks(incident) & Mark.RATED
    assert not marks(incident) & Mark.SOLVED
    handler = actor(world.city_handler)
    dispatching.dispatch(incident_id=incident.pk, actor=actor(world.command), department=world.city)
    handling.accept(incident_id=incident.pk, actor=handler)
    handling.respond(incident_id=incident.pk, actor=handler, result="已再次清理")
    verification.verify_pass(incident_id=incident.pk, actor=actor(world.command))
    rate(Incident.objects.get(pk=incident.pk), "basic", True)
    said = Mark.RATED | Mark.SOLVED | Mark.BASIC | Mark.REPEATED | Mark.CLOSED
    assert marks(incident) & said == said


def test_taken_on_late_is_no_response(world, clock):
    incident = world.dispatched()
    clock.shift(timedelta(hours=9))
    incident.clocks.filter(stage="accept").update(breached_at=timezone.now())
    handling.accept(incident_id=incident.pk, actor=actor(world.city_handler))
    handling.respond(incident_id=incident.pk, actor=actor(world.city_handler), result="已清运完毕")
    verification.verify_pass(incident_id=incident.pk, actor=actor(world.command))
    rate(Incident.objects.get(pk=incident.pk))
    assert not marks(incident) & Mark.RESPONDED


# Whistles.


def test_a_department_that_came_is_timed_and_one_that_did_not_is_told(world, clock):
    incident = world.whistled()
    up_to_date()
    assert not ScoreFact.objects.filter(kind=FactKind.CALL).exists()  # nobody is late yet
    clock.shift(timedelta(hours=2))
    city = actor(world.city_handler)
    whistle.party_accept(incident_id=incident.pk, actor=city, department=world.city)
    whistle.party_arrive(incident_id=incident.pk, actor=city, department=world.city)
    up_to_date()
    call = ScoreFact.objects.get(kind=FactKind.CALL)
    assert (call.department_id, call.minutes) == (world.city.pk, 120)
    assert Mark(call.marks) == Mark.CAME | Mark.IN_TIME
    found = read.of_departments([world.county.pk], [world.city.pk], FAR)[world.city.pk]
    assert value(scoring.COMING, found) == 120
    assert value(scoring.CAME_IN_TIME, found) == 1


def test_a_whistle_judged_needless_is_counted(world):
    incident = world.whistled()
    for department, who in ((world.city, world.city_handler), (world.water, world.water_handler)):
        more = {"incident_id": incident.pk, "actor": actor(who), "department": department}
        whistle.party_accept(**more)
        whistle.party_arrive(**more)
        whistle.party_answer(**more, opinion="已处理")
    whistle.party_dissent(
        incident_id=incident.pk,
        actor=actor(world.water_handler),
        department=world.water,
        reason="与我局无关",
    )
    whistle.rule(
        incident_id=incident.pk,
        actor=actor(world.command),
        ruling="一家即可办理",
        answer_stands=True,
        needless=True,
    )
    sums = sums_of(world.town)
    found = scoring.value_of(scoring.NEEDED, sums, ScoreFormula())
    assert (found.whole, found.parts[0][1]) == (1, 0)


# People.


def test_whoever_triaged_is_the_dispatcher_of_a_dispatch_by_rules_or_by_hand(world):
    incident = world.dispatched()
    assert fact(incident, FactKind.DISPATCH).person_id == world.command.pk
    assert marks(incident, FactKind.DISPATCH) == Mark.IN_TIME | Mark.RIGHT


def test_an_upheld_objection_was_not_right_the_first_time(world):
    incident = world.dispatched()
    dispatching.object_to(
        incident_id=incident.pk, actor=actor(world.city_handler), reason="不归我局"
    )
    dispatching.uphold_objection(
        incident_id=incident.pk,
        actor=actor(world.command),
        reason="确归水利",
        department=world.water,
    )
    assert marks(incident, FactKind.DISPATCH) == Mark.IN_TIME


def test_a_workers_report_is_judged_once_somebody_decided(world):
    longitude, latitude = world.places.point_in(world.grid)
    incident, _new = report(
        Report(text="路灯坏了一排", source=Source.WORKER, latitude=latitude, longitude=longitude),
        actor=actor(world.worker),
    )
    assert marks(incident, FactKind.REPORT) is None
    dispatching.triage(
        incident_id=incident.pk, actor=actor(world.command), category=world.rubbish, send=False
    )
    assert fact(incident, FactKind.REPORT).person_id == world.worker.pk
    assert marks(incident, FactKind.REPORT) == Mark.VALID
    dispatching.leave(
        incident_id=incident.pk, actor=actor(world.command), road="out_of_remit", note="邻县"
    )
    assert marks(incident, FactKind.REPORT) == Mark(0)


def test_what_a_resident_reports_is_missed_by_every_worker_of_the_grid_that_day(world, clock):
    late = person(Role.GRID_WORKER, world.grid, valid_from=date(2026, 3, 3))
    world.dispatched()
    up_to_date()
    found = read.of_people([world.worker.pk, late.pk], FAR)
    missed = {pk: sums.n(FactKind.MISS, scoring.Need()) for pk, sums in found.items()}
    assert missed == {world.worker.pk: 1, late.pk: 0}


def test_a_matter_that_is_not_on_the_village_list_is_no_miss(world):
    world.dispatched(category=world.road)
    up_to_date()
    assert not ScoreFact.objects.filter(kind=FactKind.MISS).exists()


def test_a_check_in_time_counts_for_who_checked(world):
    incident = world.called_back()
    assert fact(incident, FactKind.CHECK).person_id == world.command.pk
    assert marks(incident, FactKind.CHECK) == Mark.IN_TIME


def test_looking_on_site_in_time_counts_for_who_came(world):
    incident = world.accepted()
    handling.arrive(incident_id=incident.pk, actor=actor(world.city_handler))
    assert fact(incident, FactKind.ATTEND).person_id == world.city_handler.pk
    assert marks(incident, FactKind.ATTEND) == Mark.IN_TIME


# Sums.


def everything():
    facts = ScoreFact.objects.values_list(
        "incident", "kind", "n", "day", "county_id", "town_id", "village_id", "grid_id",
        "department_id", "person_id", "marks", "minutes",
    )  # fmt: skip
    sums = ScoreSum.objects.exclude(n=0, minutes=0).values_list(
        "county_id", "subject", "whole_month", "day", "subject_id", "kind", "marks", "n", "minutes"
    )
    return sorted(facts, key=str), sorted(sums, key=str)


def counted_again():
    ScoreFact.objects.all().delete()
    ScoreSum.objects.all().delete()
    scores.rebuild()
    return everything()


def added_up_by_hand():
    found, minutes = Counter(), Counter()
    for one in ScoreFact.objects.all():
        subjects = [("county", one.county_id), ("town", one.town_id)]
        subjects.append(("department", one.department_id))
        if one.kind == FactKind.DISPATCH:
            subjects.append(("dispatcher", one.person_id))
        for subject, pk in subjects:
            for whole, day in ((False, one.day), (True, one.day.replace(day=1))):
                if pk is not None:
                    key = (one.county_id, subject, whole, day, pk, one.kind, one.marks)
                    found[key] += 1
                    minutes[key] += one.minutes
    return sorted(((*key, n, minutes[key]) for key, n in found.items()), key=str)


def test_a_change_is_taken_off_the_list_once(world):
    closed(world)
    assert scores.fold(batch=3) == 3
    left = CaseChange.objects.count()
    up_to_date()
    assert left > 0
    assert not CaseChange.objects.exists()
    before = everything()
    assert scores.fold() == 0
    assert everything() == before


def test_a_remark_changes_no_score(world):
    incident = world.report()
    CaseChange.objects.all().delete()
    dispatching.remark(incident_id=incident.pk, actor=actor(world.command), note="已电话核实")
    assert not CaseChange.objects.exists()


def test_a_fold_that_dies_leaves_the_list_as_it_was(world):
    closed(world)
    waiting = CaseChange.objects.count()
    with suppress(RuntimeError), transaction.atomic():
        scores.fold()
        raise RuntimeError
    assert CaseChange.objects.count() == waiting
    assert not ScoreFact.objects.exists()
    up_to_date()
    assert everything() == counted_again()


def test_a_rebuild_mends_what_was_spoilt(world):
    closed(world)
    up_to_date()
    whole = everything()
    ScoreSum.objects.update(n=99)
    ScoreFact.objects.filter(kind=FactKind.CASE).update(marks=0)
    ScoreSum.objects.create(
        county_id=world.county.pk,
        subject="town",
        subject_id=1,
        whole_month=False,
        day=date(2026, 1, 1),
        kind="case",
        marks=0,
        n=5,
    )
    scores.rebuild()
    assert everything() == whole


DOERS = {
    "accept": ("city_handler", handling.accept, {}),
    "arrive": ("city_handler", handling.arrive, {}),
    "respond": ("city_handler", handling.respond, {"result": "已清运完毕"}),
    "verify": ("command", verification.verify_pass, {}),
    "send_back": ("command", verification.verify_fail, {"reason": "没清干净"}),
    "supervise": ("command", verification.supervise, {"text": "请尽快"}),
    "conclude": ("command", verification.conclude, {"reason": "已说明"}),
    "exit": ("command", dispatching.leave, {"road": "out_of_remit", "note": "邻县"}),
    "recall": ("command", dispatching.recall, {"reason": "弄错了"}),
    "object": ("city_handler", dispatching.object_to, {"reason": "不归我局"}),
    "reject": ("command", dispatching.reject_objection, {"reason": "归你局"}),
    "resume": ("command", handling.resume, {}),
}
ACTS = [
    *DOERS, "report", "dispatch", "to_grid", "uphold", "suspend", "good", "bad", "whistle", "party",
    "more_time", "grant", "move", "wait", "fold",
]  # fmt: skip


def take(world, act, case_id, clock):
    """Take one act on a case; whatever the table refuses stays undone."""
    command = actor(world.command)
    if act == "wait":
        clock.shift(timedelta(hours=31))
    elif act == "fold":
        scores.fold(batch=4)
    elif act == "report":
        world.dispatched(world.grid if case_id % 2 else None)
    elif act in DOERS:
        who, verb, more = DOERS[act]
        verb(incident_id=case_id, actor=actor(getattr(world, who)), **more)
    elif act in ("dispatch", "to_grid"):
        to = {"area": world.grid} if act == "to_grid" else {"department": world.city}
        dispatching.dispatch(incident_id=case_id, actor=command, **to)
    elif act == "uphold":
        dispatching.uphold_objection(
            incident_id=case_id, actor=command, reason="归水利", department=world.water
        )
    elif act == "suspend":
        until = timezone.now() + timedelta(days=9)
        handling.suspend(incident_id=case_id, actor=command, until=until, reason="等天晴")
    elif act in ("good", "bad"):
        callback = CallBack.objects.filter(incident=case_id).order_by("-round").first()
        if callback:
            score = "satisfied" if act == "good" else "dissatisfied"
            verification.rate(token=callback.token, score=score, solved=act == "good")
    elif act == "whistle":
        calls = [whistle.Call(world.city, is_lead=True), whistle.Call(world.water)]
        whistle.blow(incident_id=case_id, actor=command, ask="现场会商", calls=calls)
    elif act == "party":
        more = {"incident_id": case_id, "actor": actor(world.city_handler)}
        whistle.party_accept(**more, department=world.city)
        whistle.party_arrive(**more, department=world.city)
    elif act == "more_time":
        handling.request_extension(
            incident_id=case_id,
            actor=actor(world.city_handler),
            amount=2,
            unit="calendar_days",
            reason="等材料",
        )
    elif act == "grant":
        handling.decide_extension(incident_id=case_id, actor=command, approve=True)
    elif act == "move":
        dispatching.triage(
            incident_id=case_id,
            actor=command,
            category=world.rubbish,
            area=world.places.grids[-1],
            send=False,
        )


@given(
    history=st.lists(st.tuples(st.sampled_from(ACTS), st.integers(0, 3)), min_size=5, max_size=60)
)
@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_whatever_happens_the_job_comes_to_what_a_recount_comes_to(db, history):
    with transaction.atomic(), time_machine.travel("2026-03-02T09:00:00+08:00", tick=False) as now:
        world = World()
        world.dispatched()
        for act, number in history:
            ids = list(Incident.objects.order_by("pk").values_list("pk", flat=True))
            with suppress(GeshiError), transaction.atomic():
                take(world, act, ids[number % len(ids)], now)
        up_to_date()
        kept = everything()
        assert kept[1] == added_up_by_hand()
        assert kept == counted_again()
        transaction.set_rollback(True)


# Reading.


@pytest.mark.parametrize(
    ("first", "last", "spans"),
    [
        ("2026-03-01", "2026-03-31", [(True, "2026-03-01", "2026-03-31")]),
        ("2026-03-02", "2026-03-20", [(False, "2026-03-02", "2026-03-20")]),
        (
            "2026-01-15",
            "2026-04-10",
            [
                (True, "2026-02-01", "2026-03-31"),
                (False, "2026-01-15", "2026-01-31"),
                (False, "2026-04-01", "2026-04-10"),
            ],
        ),
        ("2026-03-15", "2026-04-10", [(False, "2026-03-15", "2026-04-10")]),
    ],
)
def test_a_period_is_whole_months_and_the_days_left_over(first, last, spans):
    period = Period(date.fromisoformat(first), date.fromisoformat(last))
    wanted = [(whole, date.fromisoformat(a), date.fromisoformat(b)) for whole, a, b in spans]
    assert period.spans == wanted


def test_every_level_says_the_same(world, clock):
    closed(world)
    world.dispatched()
    for area in (world.county, world.town, world.village, world.grid):
        found = scoring.value_of(scoring.CLOSING, sums_of(area), ScoreFormula())
        assert (found.whole, found.parts[0][1]) == (2, 1), area


def test_days_outside_the_period_do_not_count(world, clock):
    closed(world)
    on = Period(date(2026, 3, 7), date(2026, 3, 7))
    before = Period(date(2026, 2, 1), date(2026, 3, 6))
    for area in (world.county, world.grid):
        assert value(scoring.CLOSING, sums_of(area, on)) == 1
        assert value(scoring.CLOSING, sums_of(area, before)) is None


def test_a_number_opens_as_many_cases_as_it_says(world, clock):
    closed(world)
    rate(world.called_back(), "basic", True)
    incident = world.accepted()
    handling.suspend(
        incident_id=incident.pk,
        actor=actor(world.command),
        until=timezone.now() + timedelta(days=3),
        reason="等天晴",
    )
    world.whistled()
    up_to_date()
    people = [world.command, world.worker, world.city_handler]
    owners = [
        (Whose.area(area), read.of_areas([area], FAR)[area.pk])
        for area in (world.county, world.town, world.village, world.grid)
    ]
    owners += [(Whose("person_id", p.pk), read.of_people([p.pk], FAR)[p.pk]) for p in people]
    departments = read.of_departments([world.county.pk], [world.city.pk], FAR)
    owners.append((Whose("department_id", world.city.pk), departments[world.city.pk]))
    for whose, sums in owners:
        for measure in scoring.MEASURES.values():
            if measure is scoring.MISSED and whose.column != "person_id":
                continue
            found = scoring.value_of(measure, sums, ScoreFormula())
            opened = sum(rows.count() for rows in read.facts_of(whose, measure, "whole", FAR))
            assert opened == found.whole, (whose, measure.key)
            for part, n in found.parts:
                rows = read.facts_of(whose, measure, part.key, FAR)
                assert sum(row.count() for row in rows) == n, (whose, measure.key, part.key)


def test_reading_takes_few_queries(world, django_assert_num_queries):
    closed(world)
    up_to_date()
    with django_assert_num_queries(2):
        read.of_areas(world.places.towns, FAR)
    with django_assert_num_queries(1):
        read.of_areas(world.places.grids, FAR)
    with django_assert_num_queries(1):
        read.of_departments([world.county.pk], [world.city.pk], FAR)
    with django_assert_num_queries(2):
        read.of_people([world.worker.pk, world.command.pk], FAR)


def test_a_trend_has_a_place_for_every_month(world, clock):
    closed(world)
    up_to_date()
    line = read.trend_of_areas([world.town], date(2026, 4, 20))[world.town.pk]
    found = [value(scoring.CLOSING, sums) for sums in line]
    assert found == [None] * 10 + [1.0, None]
    assert [
        value(scoring.CLOSING, s)
        for s in read.trend_of_areas([world.grid], date(2026, 4, 20))[world.grid.pk]
    ] == found


# Formulas.


def sums(**counts):
    """Return sums of cases: names of marks joined by + and how many."""
    found = scoring.Sums.empty()
    for names, n in counts.items():
        total = 0
        for name in filter(None, names.split("__")):
            total |= Mark[name]
        found.counts["case", int(total)] += n
    return found


def test_satisfied_counts_basically_satisfied_at_nine_tenths():
    found = sums(RATED__SATISFIED=7, RATED__BASIC=2, RATED=1)
    assert value(scoring.SATISFIED, found) == pytest.approx(0.88)


def test_three_rates_by_their_weights():
    found = sums(RATED__RESPONDED__SOLVED__SATISFIED=8, RATED__SOLVED__BASIC=1, RATED=1)
    total = scoring.score_of(scoring.THREE_RATES, found, ScoreFormula()).total
    assert total == pytest.approx(100 * (0.1 * 0.8 + 0.5 * 0.9 + 0.4 * 0.89))


def test_no_data_where_nothing_is_divided_by():
    nothing = scoring.Sums.empty()
    shares = [m for m in scoring.MEASURES.values() if m.unit != "count"]
    assert {value(measure, nothing) for measure in shares} == {None}
    for score in scoring.SCORES.values():
        assert scoring.score_of(score, nothing, ScoreFormula()).total is None


def test_a_part_without_data_leaves_its_weight_to_the_others():
    found = scoring.Sums.empty()
    found.counts["report", int(Mark.VALID)] = 9
    found.counts["report", 0] = 1
    found.counts["miss", 0] = 3
    total = scoring.score_of(scoring.WORKER, found, ScoreFormula()).total
    assert total == pytest.approx((90 * 40 + 75 * 20) / 60)


def test_the_average_dispatcher_has_full_marks_for_the_count():
    def dispatcher(n):
        found = scoring.Sums.empty()
        found.counts["dispatch", int(Mark.IN_TIME | Mark.RIGHT)] = n
        return found

    everybody = {1: dispatcher(30), 2: dispatcher(10)}
    average = scoring.average_of(everybody)
    totals = [
        scoring.score_of(scoring.DISPATCHER, one, ScoreFormula(), full_count=average).total
        for one in everybody.values()
    ]
    assert totals == [pytest.approx(100), pytest.approx(90)]


def test_the_county_s_own_formula_holds_from_its_day_on():
    ScoreFormula.objects.create(version="2026-2", valid_from=date(2026, 6, 1), basic=80)
    assert ScoreFormula.in_force(date(2026, 5, 31)).version == "2026-1"
    assert ScoreFormula.in_force(date(2026, 6, 1)).basic == 80


@pytest.mark.parametrize(
    "weights", [{"response": 20}, {"dispatch_count": 30}, {"misses": 10}, {"basic": 101}]
)
def test_weights_that_do_not_add_up_are_refused(weights):
    with pytest.raises(IntegrityError), transaction.atomic():
        ScoreFormula.objects.create(version="x", valid_from=date(2026, 6, 1), **weights)


def test_a_formula_is_never_changed():
    ScoreFormula.objects.create(version="2026-2", valid_from=date(2026, 6, 1))
    with pytest.raises(Exception, match="Cannot update"), transaction.atomic():
        ScoreFormula.objects.update(basic=70)


def test_one_dispute_left_over_is_seen():
    assert scoring.percent(1090 / 1091) == "99.91"
    assert scoring.percent(6582 / 6582) == "100.00"
    assert scoring.percent(99_999 / 100_000) == "99.99"


# The month in the worker's file.


def test_last_month_is_written_into_the_files_once(world, clock):
    incident = world.report(source=Source.WORKER)
    Incident.objects.filter(pk=incident.pk).update(reporter=world.worker)
    dispatching.triage(
        incident_id=incident.pk, actor=actor(world.command), category=world.rubbish, send=False
    )
    up_to_date()
    assert assessments.assess_last_month(today=date(2026, 4, 3)) == 0  # ratings still come in
    written = assessments.assess_last_month(today=date(2026, 4, 4))
    assert written == 2  # the worker and the chief
    row = MonthlyAssessment.objects.get(person=world.worker)
    assert (row.month, row.version, row.total) == (date(2026, 3, 1), "2026-1", 100)
    assert [part["weight"] for part in row.parts] == [40, 20, 20, 20]
    assert row.parts[2]["score"] is None
    assert MonthlyAssessment.objects.get(person=world.chief).total is None
    assert assessments.assess_last_month(today=date(2026, 4, 5)) == 0


def test_who_was_posted_in_two_grids_is_assessed_once(world, clock):
    post(world.worker, Role.GRID_WORKER, world.places.grids[1])
    assert assessments.assess(month=date(2026, 3, 1)) == 2


def test_while_another_fold_runs_this_one_does_nothing(world):
    closed(world)
    waiting = CaseChange.objects.count()
    params = connection.get_connection_params()
    params = {name: params[name] for name in ("dbname", "user", "host") if name in params}
    with psycopg.connect(**params, autocommit=True) as other:
        other.execute("SELECT pg_advisory_lock(%s)", [scores.LOCK.number])
        assert scores.fold() == 0
        assert CaseChange.objects.count() == waiting
        other.execute("SELECT pg_advisory_unlock(%s)", [scores.LOCK.number])
    assert scores.fold() == waiting
