"""Visits: due by the shortest rule, taken in once, read by the household's line."""

import io
import threading
import time
import uuid
from datetime import date, datetime, timedelta

import pytest
from django.contrib.gis.db.models.fields import get_srid_info
from django.contrib.gis.geos import Point
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import IntegrityError, connection, transaction
from django.urls import reverse
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from core.errors import Conflict, Invalid, NotAllowed
from core.models import AuditEntry
from grids import moves, needs
from grids.factories import person
from grids.models import NEVER, CareTag, Household, Role, Visit, VisitPhoto, VisitRule
from grids.queries import Scope, visits
from grids.services import forget_visits, visit_rules
from grids.services import households as households_service
from grids.services.visits import SentVisit, record_visit, report_need
from grids.tests.households import Ledger, client_of, today

pytestmark = pytest.mark.django_db


@pytest.fixture
def world(db):
    return Ledger()


@pytest.fixture
def no_taker(monkeypatch):
    """Nobody above this floor takes needs in; give the one that does as a list of calls."""
    calls = []

    def take(**need):
        calls.append(need)
        return f"CASE{len(calls)}"

    monkeypatch.setattr(needs, "_takers", [take])
    return calls


def visit(world, household, *, by=None, **more):
    sent = SentVisit(household_id=household.pk, **more)
    return record_visit(sent=sent, actor=by or world.worker)


def fresh(household):
    return Household.objects.get(pk=household.pk)


def days(n):
    return today() + timedelta(days=n)


def picture():
    stream = io.BytesIO()
    Image.new("RGB", (64, 48), "red").save(stream, "JPEG", exif=b"Exif\x00\x00MM\x00*")
    return SimpleUploadedFile("door.jpg", stream.getvalue(), "image/jpeg")


# ---------- due by rule


def test_a_new_household_is_due_by_the_shortest_rule_that_fits_it(world):
    world.rule(90)
    assert world.household().next_due_on == days(90)
    world.rule(30, area=world.town)
    world.rule(60, area=world.village)
    assert world.household().next_due_on == days(30)
    world.rule(7, area=world.other_town)
    assert world.household().next_due_on == days(30)


def test_a_care_tag_shortens_the_interval_and_taking_it_away_lengthens_it(world):
    world.rule(90)
    world.rule(7, tag=world.alone)
    household = world.household()
    care = households_service.tag_household(
        household_id=household.pk, tag=world.alone, reason="独居", actor=world.office
    )
    assert fresh(household).next_due_on == days(7)
    households_service.end_care(care_id=care.pk, household_id=household.pk, actor=world.office)
    assert fresh(household).next_due_on == days(90)


def test_without_a_rule_nobody_is_due(world):
    assert world.household().next_due_on == NEVER


def test_a_newer_rule_takes_the_place_of_an_older_one_and_may_end_it(world):
    world.rule(30)
    newer = VisitRule(area=world.county.county, days=60, valid_from="2021-01-01")
    newer.save()
    assert world.household().next_due_on == days(60)
    VisitRule.objects.create(area=world.county.county, days=None, valid_from="2022-01-01")
    assert world.household().next_due_on == NEVER


def test_a_rule_of_tomorrow_does_not_count_today(world):
    world.rule(30)
    VisitRule.objects.create(area=world.town, days=7, valid_from=days(1))
    assert world.household().next_due_on == days(30)


def test_a_new_rule_reaches_all_households_batch_by_batch(world):
    world.rule(90)
    households = [world.household() for _ in range(5)]
    far = world.household(area=world.county.grids[4], actor=world.stranger)
    VisitRule.objects.update(applied_at=timezone.now())
    visit_rules.add_rule(area=world.town, days=7, actor=world.admin)
    assert fresh(households[0]).next_due_on == days(90)
    rounds = 0
    while visit_rules.apply_rules(batch=2):
        rounds += 1
    assert rounds == 3
    assert {fresh(one).next_due_on for one in households} == {days(7)}
    assert fresh(far).next_due_on == days(90)
    assert VisitRule.objects.get(area=world.town).applied_at is not None


def test_a_rule_waits_for_its_day(world, time_machine):
    world.rule(90)
    household = world.household()
    VisitRule.objects.update(applied_at=timezone.now())
    visit_rules.add_rule(area=world.town, days=7, actor=world.admin, valid_from=days(10))
    assert visit_rules.apply_rules() == 0
    assert fresh(household).next_due_on == days(90)
    since = household.since
    time_machine.move_to(timezone.now() + timedelta(days=10))
    assert visit_rules.apply_rules() > 0
    assert fresh(household).next_due_on == since + timedelta(days=7)


@pytest.mark.django_db(transaction=True)
def test_a_rule_that_meets_a_visit_being_stored_counts_from_that_visit():
    """Counted before the lock, the household would be due again from before the visit."""
    world = Ledger()
    world.rule(90)
    household = world.household()
    Household.objects.update(since=days(-80), next_due_on=days(10))
    VisitRule.objects.update(applied_at=timezone.now())
    visit_rules.add_rule(area=world.town, days=7, actor=world.admin)
    waiting = threading.Thread(target=in_its_own_connection, args=[visit_rules.apply_rules])
    with transaction.atomic():
        Household.objects.select_for_update().get(pk=household.pk)
        waiting.start()
        until_somebody_waits()
        visit(world, household)
    waiting.join(10)
    assert fresh(household).next_due_on == days(7)


def in_its_own_connection(act):
    try:
        act()
    finally:
        connection.close()


def until_somebody_waits():
    """Return once another connection of this database waits for a lock."""
    deadline = time.monotonic() + 10
    with connection.cursor() as cursor:
        while time.monotonic() < deadline:
            cursor.execute("SELECT pg_stat_clear_snapshot()")  # else it is read once a transaction
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity"
                " WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
            if cursor.fetchone()[0]:
                return
    raise AssertionError("nobody waits")


def test_only_the_county_and_the_town_itself_make_rules(world):
    for actor, area in (
        (world.office, world.village),
        (world.stranger, world.town),
        (world.admin, world.county.county),
        (world.leader, world.county.county),
    ):
        with pytest.raises(NotAllowed):
            visit_rules.add_rule(area=area, days=7, actor=actor)
    visit_rules.add_rule(area=world.county.county, days=7, actor=world.command)
    with pytest.raises(Invalid):
        visit_rules.add_rule(area=world.county.county, days=9, actor=world.command)
    for wrong in (0, 367):
        with pytest.raises(Invalid):
            visit_rules.add_rule(area=world.town, days=wrong, actor=world.admin)
    with pytest.raises(Invalid):
        visit_rules.add_rule(area=world.town, days=7, actor=world.admin, valid_from=days(-1))


def expected(rules, lineage, tags, since, last):
    """The rule of the house in plain words: newest for each area and tag, the shortest wins."""
    newest = {}
    for rule in sorted(rules, key=lambda rule: rule["valid_from"]):
        if rule["valid_from"] <= today():
            newest[rule["area"], rule["tag"]] = rule["days"]
    fits = [
        interval
        for (area, tag), interval in newest.items()
        if interval and area in lineage and (tag is None or tag in tags)
    ]
    return (last or since) + timedelta(days=min(fits)) if fits else NEVER


RULES = st.lists(
    st.fixed_dictionaries(
        {
            "area": st.sampled_from(["county", "town", "village", "grid", "unit", "other"]),
            "tag": st.sampled_from([None, "alone", "ill"]),
            "days": st.one_of(st.none(), st.integers(1, 366)),
            "valid_from": st.integers(-400, 30),
        }
    ),
    max_size=8,
    unique_by=lambda rule: (rule["area"], rule["tag"], rule["valid_from"]),
)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    rules=RULES,
    tags=st.sets(st.sampled_from(["alone", "ill"])),
    since=st.integers(-400, 0),
    last=st.one_of(st.none(), st.integers(-400, 0)),
)
def test_the_due_date_is_what_the_rules_say_in_plain_words(world, rules, tags, since, last):
    with transaction.atomic():
        areas = {
            "county": world.county.county, "town": world.town, "village": world.village,
            "grid": world.grid, "unit": world.unit, "other": world.other_town,
        }  # fmt: skip
        known = {"alone": world.alone, "ill": CareTag.objects.create(code="ill", name="大病")}
        household = world.household()
        for name in tags:
            household.care.create(tag=known[name], reason="x", review_on=days(90))
        for rule in rules:
            rule["valid_from"] = days(rule["valid_from"])
            VisitRule.objects.create(
                area=areas[rule["area"]],
                tag=known.get(rule["tag"]),
                days=rule["days"],
                valid_from=rule["valid_from"],
            )
        known_since, seen = days(since), None if last is None else days(last)
        Household.objects.filter(pk=household.pk).update(since=known_since, last_visited_on=seen)
        visit_rules.recount([household.pk])
        lineage = set(areas) - {"other"}
        assert fresh(household).next_due_on == expected(rules, lineage, tags, known_since, seen)
        visit(world, household)
        assert fresh(household).next_due_on > today()
        transaction.set_rollback(True)


# ---------- taken in once


def test_a_visit_moves_the_due_date_on_and_is_on_record(world):
    world.rule(7)
    household = world.household()
    Household.objects.update(next_due_on=days(-3))
    stored, new = visit(world, household, diary="身体硬朗")
    assert new
    assert stored.due_on == days(-3)
    assert fresh(household).next_due_on == days(7)
    entry = AuditEntry.objects.get(action="household.visit")
    assert "身体硬朗" not in str(entry.data)


def test_a_check_in_sent_twice_is_one_visit(world):
    household, key = world.household(), uuid.uuid4()
    first, new = visit(world, household, key=key, diary="第一次", photos=[picture()])
    again, second = visit(world, household, key=key, diary="第二次", photos=[picture()])
    assert (new, second) == (True, False)
    assert first == again
    assert again.diary == "第一次"
    assert VisitPhoto.objects.count() == 1


def test_a_key_that_belongs_to_another_visit_is_refused(world):
    first, other, key = world.household(), world.household(), uuid.uuid4()
    visit(world, first, key=key)
    for household, by in ((other, world.worker), (first, world.chief)):
        with pytest.raises(Conflict):
            visit(world, household, key=key, by=by)


def test_a_closed_door_stays_due_and_leaves_today_s_round(world):
    world.rule(7)
    household = world.household()
    Household.objects.update(next_due_on=today())
    assert visits.todays_round([world.grid], today=today()) == [household]
    visit(world, household, met=False)
    assert fresh(household).next_due_on == days(7)  # from the day it became known
    Household.objects.update(next_due_on=today())
    assert visits.todays_round([world.grid], today=today()) == []
    assert fresh(household).last_visited_on is None


def test_a_visit_sent_days_later_counts_on_its_own_day(world):
    world.rule(7)
    household = world.household()
    visit(world, household)
    late, _new = visit(world, household, at=timezone.now() - timedelta(days=3))
    assert timezone.localdate(late.at) == days(-3)
    assert fresh(household).next_due_on == days(7)


@pytest.mark.parametrize("hours", [1, -24 * 31])
def test_a_time_that_cannot_be_is_refused(world, hours):
    household = world.household()
    with pytest.raises(Invalid):
        visit(world, household, at=timezone.now() + timedelta(hours=hours))


def test_a_visit_needs_the_line_of_the_household(world):
    household = world.household()
    elsewhere = person(Role.GRID_WORKER, world.county.grids[1])
    for actor in (world.stranger, world.command, world.mediator, world.leader, elsewhere):
        with pytest.raises(NotAllowed):
            visit(world, household, by=actor)
    for actor in (world.head, world.worker, world.chief, world.office, world.admin):
        visit(world, household, by=actor)


def test_who_moved_out_is_not_visited(world):
    household = world.household()
    households_service.move_out(household_id=household.pk, on=today(), seen=1, actor=world.office)
    with pytest.raises(Conflict):
        visit(world, household)


def test_the_distance_to_the_door_is_told_and_a_first_exact_check_in_places_it(world):
    longitude, latitude = world.county.point_in(world.grid)
    household = world.household()
    position = {"latitude": latitude, "longitude": longitude}
    rough, _new = visit(world, household, **position, accuracy=400)
    assert rough.distance is None
    assert fresh(household).location is None
    visit(world, household, **position, accuracy=12)
    assert fresh(household).location is not None
    position["latitude"] += 0.001
    away, _new = visit(world, household, **position, accuracy=12)
    assert 105 < away.distance < 117


# ---------- a need becomes a case


def test_a_need_becomes_a_case_at_the_household_s_own_place(world, no_taker):
    household = world.household()
    stored, _new = visit(world, household, need="门口路灯不亮")
    assert stored.case_code == "CASE1"
    (need,) = no_taker
    assert (need["area"], need["address"], need["text"]) == (
        world.unit, household.address, "门口路灯不亮",
    )  # fmt: skip
    visit(world, household, key=stored.key, need="门口路灯不亮")
    assert len(no_taker) == 1


def test_a_need_told_afterwards_becomes_one_case(world, no_taker):
    stored, _new = visit(world, world.household())
    report_need(visit=stored, need="代取药品", actor=world.worker)
    with pytest.raises(Conflict):
        report_need(visit=stored, need="代取药品", actor=world.worker)
    with pytest.raises(NotAllowed):
        report_need(visit=visit(world, world.household())[0], need="药", actor=world.stranger)


# ---------- today's round


def test_the_round_is_nearest_first_and_never_keeps_where_the_phone_is(world):
    world.rule(7)
    longitude, latitude = world.county.point_in(world.grid)
    near, far, nowhere = world.household(), world.household(), world.household()
    for household, shift in ((near, 0.0001), (far, 0.002)):
        place = Point(longitude + shift, latitude, srid=4326)
        Household.objects.filter(pk=household.pk).update(location=place)
    Household.objects.update(next_due_on=today())
    Household.objects.filter(pk=far.pk).update(next_due_on=days(-9))
    worker = client_of(world.worker)
    plain = worker.get(reverse("visits"))
    assert [row.household for row in plain.context["rows"]] == [far, near, nowhere]
    here = {"lat": latitude, "lon": longitude}
    sorted_by_way = worker.post(reverse("visits_near"), here)
    assert [row.household for row in sorted_by_way.context["rows"]] == [near, far, nowhere]
    assert not Visit.objects.exists()


def test_the_round_is_one_s_own(world):
    world.rule(7)
    mine = world.household()
    other = world.household(area=world.county.grids[1])
    Household.objects.update(next_due_on=days(-1))
    assert visits.todays_round([world.unit], today=today()) == [mine]
    assert visits.todays_round([world.grid], today=today()) == [mine]
    elsewhere = client_of(person(Role.GRID_WORKER, world.county.grids[1]))
    assert [r.household for r in elsewhere.get(reverse("visits")).context["rows"]] == [other]
    assert elsewhere.get(reverse("visit", args=[mine.pk])).status_code == 404
    assert elsewhere.post(reverse("visit", args=[mine.pk]), {"met": "yes"}).status_code == 404
    box = {"bbox": "115,33,116,34"}
    assert elsewhere.get(reverse("visits_points"), box).json() == {"points": [], "clusters": []}


def test_the_map_shows_due_doors_inside_its_frame(world):
    world.rule(7)
    longitude, latitude = world.county.point_in(world.grid)
    household = world.household()
    place = Point(longitude, latitude, srid=4326)
    Household.objects.update(location=place, next_due_on=days(-1))
    worker = client_of(world.worker)
    (point,) = worker.get(reverse("visits_points"), {"bbox": "115,33,116,34"}).json()["points"]
    assert (point["id"], point["overdue"]) == (household.pk, True)
    far = worker.get(reverse("visits_points"), {"bbox": "10,33,11,34"}).json()
    assert far["points"] == []
    assert worker.get(reverse("visits_points"), {"bbox": "x"}).status_code == 400


def test_the_next_page_of_what_was_searched_for_is_of_the_same_search(world):
    for n in range(51):
        world.household(address=f"甲{n}")
    world.household(address="乙")
    worker = client_of(world.worker)
    first = worker.get(reverse("visits_mine"), {"words": "甲"})
    second = worker.get(reverse("visits_mine") + first.context["next_url"])
    assert [row.household.address for row in second.context["rows"]] == ["甲50"]


def test_the_round_costs_few_queries_however_long_it_is(world, django_assert_num_queries):
    world.rule(7)
    for _ in range(4):
        world.household()
    Household.objects.update(next_due_on=days(-1))
    areas = [world.grid]
    get_srid_info(4326, connection)  # a process looks the coordinate system up once
    with django_assert_num_queries(1):
        visits.todays_round(areas, today=today(), lon=115.2, lat=33.6)
    with django_assert_num_queries(2):
        tally = visits.round_tally(areas, user_id=world.worker.pk, today=today())
    assert (tally.due, tally.overdue, tally.done) == (4, 4, 0)


def test_the_phone_is_answered_in_json(world):
    household = world.household()
    worker = client_of(world.worker)
    headers = {"accept": "application/json"}
    address = reverse("visit", args=[household.pk])
    wrong = worker.post(address, {"met": "perhaps"}, headers=headers)
    assert wrong.status_code == 422
    assert "met" in wrong.json()["errors"]
    key = str(uuid.uuid4())
    sent = {"met": "yes", "diary": "一切安好", "key": key, "photo_files": picture()}
    done = worker.post(address, sent, headers=headers)
    assert done.status_code == 201
    again = worker.post(address, sent | {"photo_files": picture()}, headers=headers)
    assert again.json()["url"] == done.json()["url"]
    assert Visit.objects.count() == 1
    broken = SimpleUploadedFile("door.jpg", b"<script>", "image/jpeg")
    refused = worker.post(address, {"met": "yes", "photo_files": broken}, headers=headers)
    assert refused.status_code == 422


# ---------- who reads the diary


def test_diary_and_photos_are_for_the_line_alone(world):
    household = world.household()
    stored, _new = visit(world, household, diary="腰疼得厉害", photos=[picture()])
    photo = stored.photos.get()
    address = reverse("visit_photo", args=[photo.pk])
    for user in (world.head, world.worker, world.chief, world.office, world.admin):
        answer = client_of(user).get(address)
        assert answer.status_code == 200
        data = b"".join(answer.streaming_content)
        assert data.startswith(b"\xff\xd8")
        assert b"Exif" not in data
    elsewhere = person(Role.GRID_WORKER, world.county.grids[1])
    for user in (world.stranger, elsewhere):
        assert client_of(user).get(address).status_code == 404
    for user in (world.command, world.leader, world.mediator):
        assert client_of(user).get(address).status_code == 403
    page = reverse("household", args=[household.pk])
    assert "腰疼得厉害" in client_of(world.office).get(page).content.decode()
    assert "腰疼得厉害" not in client_of(world.command).get(page).content.decode()
    done = reverse("visit_done", args=[stored.pk])
    assert client_of(world.stranger).get(done).status_code == 404
    assert client_of(world.worker).get(done).status_code == 200


# ---------- coverage


def at(day):
    return timezone.make_aware(datetime.combine(day, datetime.min.time())) + timedelta(hours=10)


def visited(world, household, day, due_on, *, met=True):
    return Visit.objects.create(
        household=household, county=household.county, by=world.worker, at=at(day),
        due_on=due_on, met=met,
    )  # fmt: skip


def test_coverage_counts_those_due_and_of_them_those_met_in_the_period(world):
    first, last = date(2026, 3, 1), date(2026, 3, 31)
    due_and_met, due_not_met, closed_door, too_late, early, later = (
        world.household() for _ in range(6)
    )
    far_off = world.household(area=world.county.grids[1])
    march = date(2026, 3, 10)
    visited(world, due_and_met, march, date(2026, 3, 5))
    Household.objects.filter(pk=due_and_met.pk).update(next_due_on=date(2026, 5, 1))
    Household.objects.filter(pk=due_not_met.pk).update(next_due_on=date(2026, 2, 1))
    visited(world, closed_door, march, date(2026, 3, 5), met=False)
    Household.objects.filter(pk=closed_door.pk).update(next_due_on=date(2026, 3, 5))
    visited(world, too_late, date(2026, 4, 2), date(2026, 3, 5))  # due in March, met in April
    Household.objects.filter(pk=too_late.pk).update(next_due_on=date(2026, 5, 1))
    visited(world, early, march, date(2026, 4, 20))  # met in March, due in April
    Household.objects.filter(pk=early.pk).update(next_due_on=date(2026, 6, 1))
    Household.objects.filter(pk__in=[later.pk, far_off.pk]).update(next_due_on=date(2026, 4, 1))
    rows = visits.coverage_below(world.village, first=first, last=last, today=last)
    ours, beside = rows
    assert (ours.households, ours.due, ours.visited) == (6, 4, 1)
    assert ours.rate == 25.0
    assert (beside.households, beside.due, beside.rate) == (1, 0, None)
    whole = visits.total(world.village, rows)
    assert (whole.households, whole.due, whole.visited) == (7, 4, 1)


def test_coverage_goes_down_from_the_county_to_the_unit(world, django_assert_num_queries):
    world.household()
    Household.objects.update(next_due_on=days(-1))
    for area in (world.county.county, world.town, world.village, world.grid):
        with django_assert_num_queries(2):
            rows = visits.coverage_below(area, first=days(-30), last=today(), today=today())
        assert sum(row.due for row in rows) == 1
        assert sum(row.overdue for row in rows) == 1


def test_the_page_of_coverage_says_no_data_where_nobody_was_due(world):
    page = client_of(world.office).get(reverse("visits_coverage")).content.decode()
    assert "暂无数据" in page
    assert client_of(world.worker).get(reverse("visits_coverage")).status_code == 403


def test_the_file_of_households_holds_no_name_and_no_formula(world):
    world.household(address="=1+1")
    client = client_of(world.office)
    data = b"".join(client.get(reverse("households_file")).streaming_content).decode("utf-8-sig")
    assert "'=1+1" in data
    assert "周" not in data
    lines = b"".join(client.get(reverse("visits_coverage_file")).streaming_content)
    assert world.grid.code in lines.decode("utf-8-sig")


# ---------- forgetting


def forget(what, **more):
    given = {"after": 0, "batch": 10, "days": 30, "now": timezone.now()}
    return what(before=timezone.now() - timedelta(days=30), **(given | more))


def test_the_contact_goes_some_time_after_moving_out(world):
    household, living = world.household(), world.household()
    Household.objects.filter(pk=household.pk).update(moved_out_on=days(-29), next_due_on=NEVER)
    assert forget(forget_visits.forget_contacts) == ([], None)
    Household.objects.filter(pk=household.pk).update(moved_out_on=days(-40))
    assert forget(forget_visits.forget_contacts)[0] == [household.pk]
    assert (fresh(household).contact, fresh(household).phone, fresh(household).phone_index) == (
        "", "", "",
    )  # fmt: skip
    assert fresh(living).contact
    assert forget(forget_visits.forget_contacts) == ([], None)


def test_why_care_was_needed_goes_with_the_contact(world):
    household, living = world.household(contact="", phone=""), world.household()
    for one in (household, living):
        households_service.tag_household(
            household_id=one.pk, tag=world.alone, reason="八十岁独居", actor=world.office
        )
    Household.objects.filter(pk=household.pk).update(moved_out_on=days(-40), next_due_on=NEVER)
    assert forget(forget_visits.forget_contacts)[0] == [household.pk]
    assert (household.care.get().reason, living.care.get().reason) == ("", "八十岁独居")
    assert forget(forget_visits.forget_contacts) == ([], None)


def test_check_in_points_are_thinned_and_the_distance_stays(world):
    longitude, latitude = world.county.point_in(world.grid)
    household = world.household()
    old, _new = visit(world, household, latitude=latitude, longitude=longitude, accuracy=10)
    Visit.objects.update(at=timezone.now() - timedelta(days=40), distance=12)
    recent, _new = visit(world, household, latitude=latitude, longitude=longitude, accuracy=10)
    assert forget(forget_visits.thin_points) == ([], old.pk)
    thinned = Visit.objects.get(pk=old.pk)
    assert (thinned.point, thinned.accuracy, thinned.distance) == (None, None, 12)
    assert Visit.objects.get(pk=recent.pk).point is not None
    assert AuditEntry.objects.get(action="visit.thin_points").data == {"n": 1, "days": 30}


def test_diary_and_photos_go_after_their_time(world, django_capture_on_commit_callbacks):
    household = world.household()
    stored, _new = visit(world, household, diary="腰疼", photos=[picture()])
    file = stored.photos.get().file
    Visit.objects.update(at=timezone.now() - timedelta(days=40))
    with django_capture_on_commit_callbacks(execute=True):
        assert forget(forget_visits.forget_diaries) == ([], stored.pk)
    assert Visit.objects.get().diary == ""
    assert not VisitPhoto.objects.exists()
    assert not file.storage.exists(file.name)
    assert forget(forget_visits.forget_diaries) == ([], None)


# ---------- when areas move


def test_households_follow_a_grid_that_is_merged_and_are_due_by_the_rules_there(world):
    taker, taken = world.county.grids[3], world.county.grids[1]
    world.rule(30)
    world.rule(7, area=taker)
    came, twin = world.household(area=taken, address="东屋"), None
    twin = world.household(area=taken, address="西屋")
    there = world.household(area=taker, address="东屋")
    areas = {taken.pk: taker.pk}
    assert [t.n for t in moves.counts(areas) if t.key == "households:living"] == [2]
    moves.hold(areas)
    assert moves.follow(areas, on=today(), actor=world.admin)["households:living"] == 2
    assert fresh(came).grid == taker
    assert fresh(came).village == world.county.villages[1]
    assert fresh(came).address == f"东屋（{taken.name}）"
    assert fresh(twin).address == "西屋"
    assert fresh(there).address == "东屋"
    assert fresh(came).next_due_on == days(7)
    assert came in Household.objects.within([taker])


def test_the_scope_of_a_household_follows_too(world):
    household = world.household(area=world.county.grids[1])
    moves.follow(
        {world.county.grids[1].pk: world.county.grids[4].pk}, on=today(), actor=world.admin
    )
    client = client_of(world.stranger)
    assert client.get(reverse("household", args=[household.pk])).status_code == 200
    assert Scope.for_user(world.stranger).covers(fresh(household).grid)


def test_two_visits_under_one_key_cannot_be_stored(world):
    household, key = world.household(), uuid.uuid4()
    visit(world, household, key=key)
    with pytest.raises(IntegrityError), transaction.atomic():
        Visit.objects.create(
            key=key, household=household, county=household.county, by=world.worker,
            at=timezone.now(), due_on=today(),
        )  # fmt: skip
