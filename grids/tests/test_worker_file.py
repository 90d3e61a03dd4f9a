"""A worker's file: who reads it, who writes, and that it forgets nothing."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.db import DatabaseError, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from core.errors import Conflict, Invalid, NotAllowed
from core.models import AuditEntry
from grids import moves
from grids.factories import person, post
from grids.models import (
    Attendance,
    Award,
    MonthlyAssessment,
    NegativeEntry,
    NegativeItem,
    Role,
    Training,
    User,
)
from grids.models.worker_file import Body, Inspection, ReserveState
from grids.queries.worker_file import file_of
from grids.services import worker_file as service

TODAY = timezone.localdate
FIRST = date(2025, 3, 1)


@pytest.fixture
def town(county) -> User:
    return person(Role.TOWN_ADMIN, county.towns[0])


@pytest.fixture
def worker(county) -> User:
    return person(Role.GRID_WORKER, county.grids[0], worker_kind="full_time")


@pytest.fixture
def item(db) -> NegativeItem:
    return NegativeItem.objects.create(code="absent", name="无故脱岗")


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def all_three(day: date = FIRST) -> dict[str, tuple[date, str]]:
    return {str(body): (day, "") for body in Body}


# Who reads


@pytest.mark.parametrize(
    ("role", "place", "status"),
    [
        (Role.TOWN_ADMIN, "town", 200),
        (Role.VILLAGE_OFFICE, "village", 200),
        (Role.COMMAND, "county", 200),
        (Role.TOWN_ADMIN, "other_town", 404),
        (Role.VILLAGE_OFFICE, "other_village", 404),
        (Role.GRID_CHIEF, "grid", 403),
        (Role.GRID_WORKER, "grid", 403),
        (Role.COUNTY_LEADER, "county", 403),
        (Role.SYSTEM_ADMIN, "county", 403),
    ],
)
def test_the_line_above_reads_a_file_and_nobody_else(county, worker, role, place, status):
    places = {
        "town": county.towns[0],
        "other_town": county.towns[1],
        "village": county.villages[0],
        "other_village": county.villages[1],
        "grid": county.grids[0],
        "county": county.county,
    }
    reader = client_of(person(role, places[place]))
    assert reader.get(reverse("worker_file", args=[worker.pk])).status_code == status


def test_a_file_leads_to_the_roster_only_whoever_may_open_it(county, worker):
    url = reverse("worker_file", args=[worker.pk])
    posts = reverse("roster_person", args=[worker.pk])
    for role, place, leads in (
        (Role.TOWN_ADMIN, county.towns[0], True),
        (Role.VILLAGE_OFFICE, county.villages[0], False),
    ):
        page = client_of(person(role, place)).get(url).content.decode()
        assert (f'href="{posts}"' in page) is leads, role


def test_everybody_reads_their_own_file(worker):
    page = client_of(worker).get(reverse("own_file"))
    assert page.status_code == 200
    assert Client().get(reverse("own_file")).status_code == 302


def test_a_file_goes_along_with_somebody_who_moves_to_another_town(county, town, worker):
    yesterday = TODAY() - timedelta(days=1)
    worker.postings.update(valid_from=yesterday - timedelta(days=9), valid_to=yesterday)
    url = reverse("worker_file", args=[worker.pk])
    assert client_of(town).get(url).status_code == 200
    post(worker, Role.GRID_WORKER, county.grids[4], worker_kind="full_time")
    assert client_of(town).get(url).status_code == 404
    assert client_of(person(Role.TOWN_ADMIN, county.towns[1])).get(url).status_code == 200


def test_only_the_own_town_writes(county, worker, item):
    add = reverse("worker_file_add", args=[worker.pk, "award"])
    sent = {"title": "优秀网格员", "given_by": "青禾县", "awarded_on": "2025-05-01"}
    assert client_of(person(Role.TOWN_ADMIN, county.towns[1])).post(add, sent).status_code == 404
    for role, place in ((Role.VILLAGE_OFFICE, county.villages[0]), (Role.COMMAND, county.county)):
        assert client_of(person(role, place)).post(add, sent).status_code == 403
    assert client_of(worker).post(add, sent).status_code == 403
    assert not Award.objects.exists()


def test_nobody_writes_in_their_own_file(county, town):
    post(town, Role.GRID_WORKER, county.grids[0], worker_kind="part_time")
    add = reverse("worker_file_add", args=[town.pk, "award"])
    assert client_of(town).get(add).status_code == 404
    with pytest.raises(NotAllowed):
        service.give_award(actor=town, person=town, title="奖", given_by="县", awarded_on=FIRST)


@pytest.mark.parametrize("kind", ["selection", "negative", "award", "reserve"])
def test_a_service_asks_for_the_right_itself(county, worker, item, kind):
    other = person(Role.TOWN_ADMIN, county.towns[1])
    acts = {
        "selection": lambda: service.record_selection(
            actor=other, person=worker, grid=county.grids[0], recommended=all_three()
        ),
        "negative": lambda: service.state_negative(
            actor=other, person=worker, item=item, happened_on=FIRST, facts="脱岗"
        ),
        "award": lambda: service.give_award(
            actor=other, person=worker, title="奖", given_by="县", awarded_on=FIRST
        ),
        "reserve": lambda: service.recommend_for_reserve(
            actor=other, person=worker, recommended_on=FIRST, reason="能干"
        ),
    }
    with pytest.raises(NotAllowed):
        acts[kind]()
    assert not AuditEntry.objects.filter(action__startswith="file.").exists()


# Selection


def test_three_recommendations_then_the_inspection_lead_to_the_post(county, town, worker):
    grid = county.grids[0]
    begun = service.record_selection(
        actor=town,
        person=worker,
        grid=grid,
        recommended={Body.MASSES: (FIRST, "村民代表会"), Body.PARTY_BRANCH: (FIRST, "")},
    )
    with pytest.raises(Invalid, match=r"all three|三方"):
        service.record_selection(
            actor=town,
            person=worker,
            grid=grid,
            recommended={},
            inspected_on=FIRST,
            inspection=Inspection.PASSED,
        )
    done = service.record_selection(
        actor=town,
        person=worker,
        grid=grid,
        recommended={Body.VILLAGE: (FIRST + timedelta(days=2), "")},
        inspected_on=FIRST + timedelta(days=9),
        inspection=Inspection.PASSED,
    )
    assert done.pk == begun.pk
    assert done.posting == worker.postings.get()
    service.withdraw(actor=town, kind="selection", entry=done, reason="日期有误")
    anew = service.record_selection(
        actor=town,
        person=worker,
        grid=grid,
        recommended=all_three(),
        inspected_on=FIRST + timedelta(days=9),
        inspection=Inspection.PASSED,
    )
    assert anew.posting == worker.postings.get()
    assert len(file_of(worker).selections) == 2
    actions = AuditEntry.objects.filter(action="file.selection_recorded")
    assert [entry.town_id for entry in actions] == [county.towns[0].pk] * 3


def test_the_inspection_does_not_come_before_the_recommendations(county, town, worker):
    with pytest.raises(Invalid):
        service.record_selection(
            actor=town,
            person=worker,
            grid=county.grids[0],
            recommended=all_three(FIRST),
            inspected_on=FIRST - timedelta(days=1),
            inspection=Inspection.PASSED,
        )
    assert not file_of(worker).selections


def test_one_body_recommends_once(county, town, worker):
    once = {Body.MASSES: (FIRST, "")}
    grid = county.grids[0]
    service.record_selection(actor=town, person=worker, grid=grid, recommended=once)
    with pytest.raises(Conflict):
        service.record_selection(actor=town, person=worker, grid=grid, recommended=once)


# Training


def test_a_training_of_many_is_one_form(county, town, worker):
    chief = person(Role.GRID_CHIEF, county.grids[1])
    sent = {
        "town": county.towns[0].pk,
        "course": "消防安全",
        "held_on": "2025-06-01",
        "hours": "3.5",
        "place": "",
        "people": [worker.pk, chief.pk],
    }
    client = client_of(town)
    url = reverse("training_add")
    assert worker.display_name in client.get(url).content.decode()
    assert client.post(url, sent).status_code == 302
    assert Attendance.objects.count() == 2
    assert file_of(worker).hours == Decimal("3.5")
    again = client.post(url, sent)
    assert again.status_code == 400
    assert "消防安全" in again.content.decode()
    assert again.content.decode().count(" checked") == 2
    assert (Training.objects.count(), Attendance.objects.count()) == (1, 2)
    late = person(Role.GRID_WORKER, county.grids[1])
    assert client.post(url, sent | {"people": [worker.pk, late.pk]}).status_code == 302
    assert (Training.objects.count(), Attendance.objects.count()) == (1, 3)
    first, second = AuditEntry.objects.filter(action="file.training_recorded").order_by("pk")
    assert first.data["people"] == sorted([worker.pk, chief.pk])
    assert second.data["people"] == [late.pk]


def test_nobody_from_another_town_is_put_into_a_training(county, town):
    stranger = person(Role.GRID_WORKER, county.grids[4])
    with pytest.raises(Invalid):
        service.hold_training(
            actor=town,
            town=county.towns[0],
            course="消防",
            held_on=FIRST,
            hours=Decimal(2),
            people=[stranger.pk],
        )
    other = reverse("training_add") + f"?town={county.towns[1].pk}"
    assert client_of(town).get(other).status_code == 404


# The negative list


def test_a_negative_entry_is_answered_by_the_person_and_withdrawn_with_a_reason(
    county, town, worker, item
):
    entry = service.state_negative(
        actor=town, person=worker, item=item, happened_on=FIRST, facts="上午未到岗"
    )
    own = client_of(worker)
    assert "上午未到岗" in own.get(reverse("own_file")).content.decode()
    say = reverse("own_statement", args=[entry.pk])
    assert own.post(say, {"statement": " "}).status_code == 400
    assert own.post(say, {"statement": "当天在医院陪护"}).status_code == 302
    assert own.post(say, {"statement": "改口"}).status_code == 400
    client = client_of(town)
    take_back = reverse("worker_file_withdraw", args=[worker.pk, "negative", entry.pk])
    assert client.post(take_back, {"reason": ""}).status_code == 400
    assert client.post(take_back, {"reason": "请假手续齐全，登记有误"}).status_code == 302
    again = client.post(take_back, {"reason": "再来一次"})
    assert again.status_code == 400
    assert "再来一次" in again.content.decode()
    page = client.get(reverse("worker_file", args=[worker.pk])).content.decode()
    assert "上午未到岗" in page
    assert "请假手续齐全" in page
    assert "当天在医院陪护" in page
    assert list(
        AuditEntry.objects.filter(action__startswith="file.").values_list("action", flat=True)
    ) == ["file.negative_added", "file.negative_answered", "file.negative_withdrawn"]
    kept = AuditEntry.objects.filter(action__startswith="file.").values_list("data", flat=True)
    assert not any("医院" in str(data) or "未到岗" in str(data) for data in kept)


def test_nobody_answers_for_somebody_else(county, town, worker, item):
    entry = service.state_negative(
        actor=town, person=worker, item=item, happened_on=FIRST, facts="脱岗"
    )
    say = reverse("own_statement", args=[entry.pk])
    assert client_of(town).post(say, {"statement": "代答"}).status_code == 404
    with pytest.raises(NotAllowed):
        service.answer_negative(actor=town, entry=entry, statement="代答")


@pytest.mark.parametrize("days", [1, 400])
def test_what_has_not_happened_yet_is_not_recorded(town, worker, item, days):
    ahead = TODAY() + timedelta(days=days)
    with pytest.raises(Invalid):
        service.state_negative(
            actor=town, person=worker, item=item, happened_on=ahead, facts="脱岗"
        )


def test_the_same_thing_twice_is_told(town, worker, item):
    award = {"title": "优秀", "given_by": "县", "awarded_on": FIRST}
    service.give_award(actor=town, person=worker, **award)
    with pytest.raises(Conflict):
        service.give_award(actor=town, person=worker, **award)


def test_a_reserve_recommendation_gets_one_answer(town, worker):
    entry = service.recommend_for_reserve(
        actor=town, person=worker, recommended_on=FIRST, reason="群众认可"
    )
    done = service.decide_reserve(actor=town, entry=entry, listed=True, decided_on=TODAY())
    assert done.state == ReserveState.LISTED
    with pytest.raises(Conflict):
        service.decide_reserve(actor=town, entry=entry, listed=False, decided_on=TODAY())


def test_the_database_deletes_nothing_from_a_file(town, worker, item):
    service.state_negative(actor=town, person=worker, item=item, happened_on=FIRST, facts="脱岗")
    service.give_award(actor=town, person=worker, title="优秀", given_by="县", awarded_on=FIRST)
    for model in (NegativeEntry, Award):
        with pytest.raises(DatabaseError, match="Cannot delete"), transaction.atomic():
            model.objects.all().delete()


def test_hostile_words_stay_words(town, worker, item):
    service.state_negative(
        actor=town,
        person=worker,
        item=item,
        happened_on=FIRST,
        facts="<script>alert(1)</script>",
    )
    page = client_of(town).get(reverse("worker_file", args=[worker.pk])).content.decode()
    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)" in page


# Assessment


def test_a_month_is_shown_with_what_it_is_made_of_and_no_data_is_not_zero(town, worker):
    parts = [
        {"label": "Coverage", "score": None, "weight": 40},
        {"label": "Hours", "score": 87.5, "weight": 60},
    ]
    month = [service.Assessed(worker.pk, None, parts)]
    assert service.write_assessments(month=date(2025, 5, 1), version="v1", assessed=month) == 1
    better = [service.Assessed(worker.pk, Decimal("91.25"), parts)]
    service.write_assessments(month=date(2025, 5, 1), version="v1", assessed=better)
    service.write_assessments(month=date(2025, 5, 1), version="v2", assessed=month)
    assert MonthlyAssessment.objects.count() == 2
    page = client_of(worker).get(reverse("own_file")).content.decode()
    assert "2025-05" in page
    assert "91.3" in page
    assert "87.5" in page
    assert "无数据" in page


def test_a_file_costs_a_set_number_of_queries(town, worker, item, django_assert_num_queries):
    for n in range(3):
        day = FIRST + timedelta(days=n)
        service.state_negative(actor=town, person=worker, item=item, happened_on=day, facts="脱岗")
        service.give_award(actor=town, person=worker, title="优", given_by="县", awarded_on=day)
    with django_assert_num_queries(9):
        file_of(worker)


def test_the_shipped_list_comes_once_and_leaves_the_countys_own_alone(db):
    assert service.load_negative_list() == 10
    NegativeItem.objects.filter(code="rude").update(name="本县自己的说法")
    assert service.load_negative_list() == 0
    assert NegativeItem.objects.get(code="rude").name == "本县自己的说法"


# When areas merge


def held(county, town_area, course, people, actor) -> Training:
    return service.hold_training(
        actor=actor,
        town=town_area,
        course=course,
        held_on=FIRST,
        hours=Decimal("2"),
        people=[person.pk for person in people],
    )


def test_trainings_of_a_merged_town_go_over_to_the_one_that_took_it_in(county, town, worker):
    kept, gone = county.towns
    other = person(Role.TOWN_ADMIN, gone)
    theirs = person(Role.GRID_WORKER, county.grids[-1], worker_kind="full_time")
    held(county, kept, "消防", [worker], town)
    held(county, gone, "消防", [theirs], other)
    held(county, gone, "调解", [theirs], other)
    areas = {gone.pk: kept.pk, county.villages[-1].pk: county.villages[-1].pk}
    assert {t.key: t.n for t in moves.counts(areas)}["files:trainings"] == 2
    followed = moves.follow(areas, on=TODAY(), actor=None)
    assert followed["files:trainings"] == 2
    courses = set(Training.objects.filter(town=kept).values_list("course", flat=True))
    assert courses == {"消防", f"消防（{gone.name}）", "调解"}
    assert moves.follow(areas, on=TODAY(), actor=None)["files:trainings"] == 0
    page = client_of(town).get(reverse("trainings")).content.decode()
    assert "调解" in page
    assert [a.training.course for a in file_of(theirs).attendances] == [
        "调解",
        f"消防（{gone.name}）",
    ]


def test_a_selection_under_way_goes_on_at_the_grid_that_took_the_other_in(county, town, worker):
    kept, gone = county.grids[1], county.grids[0]
    under_way = service.record_selection(
        actor=town, person=worker, grid=gone, recommended={Body.MASSES: (FIRST, "")}
    )
    moves.follow({gone.pk: kept.pk}, on=TODAY(), actor=None)
    under_way.refresh_from_db()
    assert under_way.grid_id == kept.pk
