"""Which worker of a grid is given a case: posted there, not on leave, on duty, least in hand."""

import random
from datetime import date, timedelta
from threading import Barrier, Thread

import pytest
from django.db import connection
from django.utils import timezone

from core.errors import Conflict, NotAllowed
from core.services import outbox
from grids.factories import person
from grids.models import DUTY_ROLES, Leave, Posting, Role
from grids.services import telling
from grids.services.duty import begin_duty, end_duty
from grids.services.leaves import cover_leave
from incidents.factories import World, actor, as_, draft_photo
from incidents.models import Event, Incident, Notice, State
from incidents.queries.workers import workers_of
from incidents.services import assigning, dispatching, handling, verification
from incidents.services.step import lock

pytestmark = pytest.mark.django_db


def posting(user):
    return Posting.objects.get(user=user)


def away(user, substitute, starts, ends):
    """Put the person on leave from one day until (not including) another."""
    post = posting(user)
    cover = Posting.objects.create(
        user=substitute, role=post.role, area=post.area, valid_from=starts, valid_to=ends
    )
    return Leave.objects.create(posting=post, cover=cover, away_from=starts, away_until=ends)


def given(world):
    return world.dispatched(world.grid).handler


def facts(incident):
    row = Event.objects.filter(incident=incident, action="dispatch").latest("seq")
    return row.data["assigned"]


def test_cases_go_in_turn_to_whoever_has_least_in_hand(world):
    second = person(Role.GRID_WORKER, world.grid)
    assert [given(world) for _n in range(4)] == [world.worker, second] * 2
    last = Incident.objects.latest("pk")
    assert (facts(last)["in_hand"], facts(last)["of"]) == (1, 2)


def test_a_late_case_weighs_as_much_as_three(world):
    second = person(Role.GRID_WORKER, world.grid)
    late = world.dispatched(world.grid)
    Incident.objects.filter(pk=late.pk).update(overdue_at=timezone.now())
    assert [given(world) for _n in range(3)] == [second] * 3


def test_what_others_check_is_not_in_hand_any_more(world):
    person(Role.GRID_WORKER, world.grid)
    world.responded(world.grid, by=world.worker)
    assert given(world) == world.worker


def test_a_grid_without_a_worker_is_its_chiefs(world):
    Posting.objects.filter(user=world.worker).update(valid_to=timezone.localdate())
    assert given(world) == world.chief


def test_whoever_accepts_has_it_whosever_turn_it_was(world):
    second = person(Role.GRID_WORKER, world.grid)
    case = world.accepted(world.grid, by=second)
    assert case.handler == second


@pytest.mark.parametrize(
    ("day", "who"), [(22, "worker"), (23, "other"), (25, "other"), (26, "worker")]
)
def test_the_substitute_is_used_from_the_first_day_of_a_leave_to_its_last(
    db, time_machine, day, who
):
    # Away from the 23rd until the 26th, when the worker is back.
    time_machine.move_to("2026-11-20 12:00+08:00", tick=False)
    world = World()
    other = person(Role.GRID_WORKER, world.places.grids[1])
    away(world.worker, other, date(2026, 11, 23), date(2026, 11, 26))
    # A minute after midnight, in the county's own time.
    time_machine.move_to(f"2026-11-{day} 00:01+08:00", tick=False)
    case = world.dispatched(world.grid)
    assert case.handler == {"worker": world.worker, "other": other}[who]
    if who == "other":
        assert facts(case)["stands_for"] == str(world.worker)
        assert facts(case)["away"] == [str(world.worker)]


def test_letters_for_a_role_go_to_the_substitute_and_not_to_who_is_on_leave(world):
    today = timezone.localdate()
    other = person(Role.GRID_WORKER, world.places.grids[1])
    Posting.objects.filter(user=world.worker).update(valid_from=today - timedelta(days=9))
    cover_leave(
        posting_id=posting(world.worker).pk,
        substitute_id=other.pk,
        away_from=today,
        away_until=today + timedelta(days=2),
        actor=world.town_admin,
    )
    addressed = telling.Addressed(role=Role.GRID_WORKER, area_id=world.grid.pk)
    assert telling.Listeners([addressed]).people(addressed) == [other.pk]


def test_the_one_whose_turn_it_is_is_told_and_the_case_says_why(world):
    person(Role.GRID_WORKER, world.grid)
    case = world.dispatched(world.grid)
    outbox.deliver_due()
    assert Notice.objects.get(incident=case, kind="dispatched").user == world.worker


def test_who_is_on_duty_comes_first_however_much_they_have_in_hand(world):
    second, third = (person(Role.GRID_WORKER, world.grid) for _n in range(2))
    begin_duty(actor=second)
    assert [given(world) for _n in range(3)] == [second] * 3
    begin_duty(actor=third)
    assert given(world) == third
    case = Incident.objects.latest("pk")
    assert (facts(case)["on_duty"], facts(case)["of"]) == (True, 2)
    page = as_(world.command).get(f"/incidents/{case.tracking_code}/").content.decode()
    assert "值班中；2 人中" in page


def test_a_case_never_waits_for_a_check_in(world):
    second = person(Role.GRID_WORKER, world.grid)
    assert given(world) == world.worker
    assert facts(Incident.objects.get())["on_duty"] is False
    begin_duty(actor=world.worker)
    assert given(world) == world.worker
    end_duty(actor=world.worker)
    assert [given(world) for _n in range(2)] == [second] * 2


def test_a_shift_somebody_forgot_to_end_no_longer_draws_cases(world, time_machine):
    second = person(Role.GRID_WORKER, world.grid)
    begin_duty(actor=world.worker)
    assert [given(world) for _n in range(2)] == [world.worker] * 2
    time_machine.move_to(timezone.now() + timedelta(hours=14))
    assert given(world) == second


def test_who_is_on_leave_is_not_chosen_though_on_duty(world):
    today = timezone.localdate()
    other = person(Role.GRID_WORKER, world.places.grids[1])
    away(world.worker, other, today, today + timedelta(days=2))
    begin_duty(actor=world.worker)
    assert given(world) == other


def test_a_worker_begins_and_ends_duty_on_the_phone(world):
    phone, bystander = as_(world.worker), as_(world.chief)
    assert "未值班" in phone.get("/worker/").content.decode()
    for _twice in range(2):
        answer = phone.post("/worker/duty/begin/", follow=True)
        assert answer.redirect_chain == [("/worker/", 302)]
        assert "值班中" in answer.content.decode()
    assert "未值班" in bystander.post("/worker/duty/end/", follow=True).content.decode()
    assert "值班中" in phone.get("/worker/").content.decode()
    for _twice in range(2):
        assert "未值班" in phone.post("/worker/duty/end/", follow=True).content.decode()


def test_whoever_may_be_given_a_case_may_check_in():
    assert {role for roles in assigning.ROLES.values() for role in roles} == DUTY_ROLES


def test_a_grid_guide_who_is_given_no_cases_is_not_asked_to_check_in(world):
    guide = as_(person(Role.GRID_GUIDE, world.village))
    assert "/worker/duty/" not in guide.get("/worker/").content.decode()
    assert guide.post("/worker/duty/begin/").status_code == 403


def test_nobody_on_leave_and_nobody_without_a_post_is_ever_given_a_case(db, time_machine):
    """Many rosters drawn at random: whoever is chosen is posted there that day and not away."""
    dice, start = random.Random(4), date(2026, 3, 2)
    time_machine.move_to("2026-03-01 09:00+08:00", tick=False)
    world = World()
    people = [world.worker, *(person(Role.GRID_WORKER, world.grid) for _n in range(4))]
    spare = [person(Role.GRID_WORKER, world.places.grids[1]) for _n in range(5)]
    for user, substitute in zip(people, spare, strict=True):
        begins = start + timedelta(days=dice.randrange(20))
        ends = begins + timedelta(days=dice.randrange(20))
        Posting.objects.filter(user=user).update(valid_from=begins, valid_to=ends)
        if (ends - begins).days > 2 and dice.random() < 0.8:
            off = begins + timedelta(days=dice.randrange((ends - begins).days - 1))
            back = off + timedelta(days=1 + dice.randrange((ends - off).days))
            away(user, substitute, off, back)
    case, chosen = world.pending(), set()
    for n in range(40):
        day = start + timedelta(days=n)
        time_machine.move_to(f"{day} 09:00+08:00", tick=False)
        found = workers_of(world.grid, roles=[Role.GRID_WORKER], now=timezone.now())
        posts = Posting.objects.on(day).filter(area=world.grid, role=Role.GRID_WORKER)
        here = set(posts.exclude(leaves__in=Leave.objects.on(day)).values_list("user", flat=True))
        assert {one.user_id for one in found if not one.away} == here
        case = dispatching.dispatch(
            incident_id=case.pk, actor=actor(world.command), area=world.grid
        )
        handler = case.handler_id
        assert handler in here or (not here and handler == world.chief.pk)
        chosen.add(handler)
    assert len(chosen) > 3


def test_the_choice_is_one_query_however_many_work_there(world, django_assert_num_queries):
    for _n in range(6):
        begin_duty(actor=person(Role.GRID_WORKER, world.grid))
    with django_assert_num_queries(1):
        found = workers_of(world.grid, roles=[Role.GRID_WORKER], now=timezone.now())
    assert [one.on_duty for one in found] == [False] + [True] * 6


def not_the_villages(world):
    """A case with its grid whose item was taken off the list of what villages do since."""
    case = world.responded(world.grid, by=world.worker)
    world.rubbish.village_allowed = False
    world.rubbish.save()
    return case


@pytest.mark.parametrize("place", ["grid", "village"])
def test_nobody_sends_to_villages_what_they_do_not_do(world, place):
    area, command = getattr(world, place), actor(world.command)
    case = world.pending(category=world.road)
    with pytest.raises(NotAllowed) as refused:
        dispatching.dispatch(incident_id=case.pk, actor=command, area=area)
    assert world.road.code in str(refused.value)
    sent = world.dispatched(category=world.road)
    dispatching.object_to(incident_id=sent.pk, actor=actor(world.city_handler), reason="不归我们")
    with pytest.raises(NotAllowed):
        dispatching.uphold_objection(incident_id=sent.pk, actor=command, reason="归村", area=area)
    spot = world.pending(category=world.road)
    with pytest.raises(NotAllowed):
        handling.handle_on_spot(
            incident_id=spot.pk,
            actor=actor(world.worker),
            result="已处理",
            photo_ids=[draft_photo(world.worker).pk],
        )


def test_a_case_opened_again_or_climbing_passes_by_a_village_that_does_it_no_more(world):
    case = not_the_villages(world)
    verification.verify_pass(incident_id=case.pk, actor=actor(world.command))
    verification.record_callback(
        incident_id=case.pk, actor=actor(world.town_admin), score="dissatisfied", solved=False
    )
    assert lock(case.pk).owner_area == world.town
    world.rubbish.village_allowed = True
    world.rubbish.save()
    other = world.dispatched(world.grid)
    world.rubbish.village_allowed = False
    world.rubbish.save()
    dispatching.take_up(incident_id=other.pk, rung=2, now=timezone.now())
    other.refresh_from_db()
    assert (other.owner_area, other.state) == (world.town, State.DISPATCHED)


def test_the_first_receiver_keeps_a_case_until_the_objection_is_decided(world):
    case = world.dispatched(world.grid)
    by = actor(world.worker)
    dispatching.object_to(incident_id=case.pk, actor=by, reason="不在本网格")
    case.refresh_from_db()
    assert (case.state, case.owner_area, case.handler) == (
        State.OBJECTED,
        world.grid,
        world.worker,
    )
    dispatching.uphold_objection(
        incident_id=case.pk, actor=actor(world.command), reason="归城管", department=world.city
    )
    case.refresh_from_db()
    assert (case.owner_department, case.handler) == (world.city, None)
    with pytest.raises(NotAllowed):
        dispatching.object_to(
            incident_id=case.pk, actor=actor(world.city_handler), reason="也不归我们"
        )


@pytest.mark.django_db(transaction=True)
def test_of_two_arbiters_who_decide_otherwise_at_once_one_decides():
    world = World()
    case = world.dispatched()
    by = actor(world.city_handler)
    dispatching.object_to(incident_id=case.pk, actor=by, reason="归水利")
    other = person(Role.COMMAND, world.county)
    gate, outcomes = Barrier(2), []

    def decide(verb, user, **more):
        gate.wait()
        try:
            verb(incident_id=case.pk, actor=actor(user), reason="裁定", **more)
            outcomes.append("")
        except Conflict as refused:
            outcomes.append(str(refused))
        finally:
            connection.close()

    water = {"department": world.water}
    threads = [
        Thread(target=decide, args=(dispatching.uphold_objection, world.command), kwargs=water),
        Thread(target=decide, args=(dispatching.reject_objection, other)),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    case.refresh_from_db()
    assert sorted(map(bool, outcomes)) == [False, True]
    assert case.objection_used
    decided = Event.objects.filter(incident=case, action__endswith="_objection").get()
    upheld = decided.action == "uphold_objection"
    assert case.owner == (world.water if upheld else world.city)
