"""The main road of a case, from report to closure, and each turn off it."""

import threading
from datetime import timedelta

import pytest
import time_machine
from django.db import connection, transaction
from django.utils import timezone

from core.errors import Conflict, Invalid, NotAllowed
from core.services.timers import sweep
from grids.factories import person
from grids.models import Role
from incidents.factories import actor, draft_photo
from incidents.models import CallBack, Event, Incident, State, SupervisionNotice
from incidents.services import dispatching, handling, twins, verification
from incidents.services.intake import Report, report
from incidents.services.step import lock

pytestmark = pytest.mark.django_db


def fresh(incident):
    return Incident.objects.get(pk=incident.pk)


def token(incident):
    return CallBack.objects.get(incident=incident, round=incident.round).token


def actions(incident):
    return list(
        Event.objects.filter(incident=incident).order_by("seq").values_list("action", flat=True)
    )


def test_a_case_goes_from_report_to_a_satisfied_closure(world):
    incident = world.called_back()
    verification.rate(token=token(incident), score="satisfied", solved=True, comment="很快")
    assert fresh(incident).state == State.CLOSED
    assert actions(incident) == [
        "report", "triage", "dispatch", "accept", "respond", "verify_pass", "rate",
    ]  # fmt: skip
    assert [e.seq for e in incident.events.order_by("seq")] == list(range(1, 8))


def test_the_same_report_sent_twice_is_one_case(world):
    first = Report(text="路灯不亮", source="resident")
    one, new = report(first)
    again, newly = report(first)
    assert (one.pk, new, newly) == (again.pk, True, False)
    assert Incident.objects.count() == 1


def test_a_phone_in_the_text_moves_to_the_encrypted_contact(world):
    incident, _ = report(Report(text="路灯不亮，电话19900001234", source="resident"))
    assert "19900001234" not in incident.text
    assert incident.contact.phone == "19900001234"


def test_words_of_an_emergency_put_a_case_on_top(world):
    incident, _ = report(Report(text="二楼着火了，有人被困", source="resident"))
    assert incident.urgency == 2


def test_a_dissatisfied_rating_of_a_grids_work_opens_the_case_at_the_village(world):
    incident = world.called_back(world.grid, by=world.worker)
    verification.rate(token=token(incident), score="dissatisfied", solved=False, comment="还在")
    incident = fresh(incident)
    assert (incident.state, incident.owner_area, incident.round) == (
        State.DISPATCHED, world.village, 2,
    )  # fmt: skip


def test_satisfied_but_not_solved_also_opens_it_again(world):
    incident = world.called_back()
    verification.rate(token=token(incident), score="satisfied", solved=False)
    assert fresh(incident).state == State.PENDING


def test_past_the_cap_the_county_supervises(world):
    incident = world.called_back()
    for _round in range(2):
        verification.rate(token=token(incident), score="dissatisfied", solved=False)
        command = actor(world.command)
        dispatching.dispatch(incident_id=incident.pk, actor=command, department=world.city)
        city = actor(world.city_handler)
        handling.accept(incident_id=incident.pk, actor=city)
        handling.respond(incident_id=incident.pk, actor=city, result="又清了一遍")
        incident = verification.verify_pass(incident_id=incident.pk, actor=command)
    verification.rate(token=token(incident), score="dissatisfied", solved=False)
    incident = fresh(incident)
    assert incident.state == State.SUPERVISED
    assert SupervisionNotice.objects.filter(incident=incident, clock=None).count() == 1


def test_a_rating_is_given_once(world):
    incident = world.called_back()
    link = token(incident)
    verification.rate(token=link, score="basic", solved=True)
    with pytest.raises(Conflict):
        verification.rate(token=link, score="dissatisfied", solved=False)


def test_the_handler_never_verifies_the_own_work(world):
    both = person(Role.GRID_WORKER, world.grid)
    from_chief = actor(world.chief)
    incident = world.responded(world.grid, by=world.chief)
    with pytest.raises(NotAllowed):
        verification.verify_pass(incident_id=incident.pk, actor=from_chief)
    with pytest.raises(NotAllowed):
        verification.verify_pass(incident_id=incident.pk, actor=actor(both))
    verification.verify_pass(incident_id=incident.pk, actor=actor(world.office))
    assert fresh(incident).state == State.CALLBACK


def test_failing_verification_is_rework(world):
    incident = world.responded()
    verification.verify_fail(
        incident_id=incident.pk, actor=actor(world.town_admin), reason="还有一半没清"
    )
    incident = fresh(incident)
    assert (incident.state, incident.rework_count) == (State.ACCEPTED, 1)


def test_an_objection_is_used_once_and_the_decision_is_final(world):
    incident = world.dispatched()
    city, command = actor(world.city_handler), actor(world.command)
    dispatching.object_to(incident_id=incident.pk, actor=city, reason="河道归水利")
    assert fresh(incident).owner_department == world.city
    dispatching.reject_objection(incident_id=incident.pk, actor=command, reason="岸上归城管")
    with pytest.raises(NotAllowed):
        dispatching.object_to(incident_id=incident.pk, actor=city, reason="还是不归我们")


def test_an_objection_is_not_lost_because_others_were_late_before(world):
    with time_machine.travel(timezone.now()) as clock:
        incident = world.pending()
        clock.shift(timedelta(hours=5))
        sweep()  # the triage was late
        dispatching.dispatch(
            incident_id=incident.pk, actor=actor(world.command), department=world.city
        )
        dispatching.object_to(incident_id=incident.pk, actor=actor(world.city_handler), reason="否")
        assert fresh(incident).state == State.OBJECTED


def test_nobody_objects_after_the_time_to_accept_is_over(world):
    incident = world.dispatched()
    late = timezone.now() + timedelta(hours=9)
    with time_machine.travel(late), pytest.raises(NotAllowed):
        dispatching.object_to(incident_id=incident.pk, actor=actor(world.city_handler), reason="否")


def test_an_upheld_objection_goes_to_somebody_else(world):
    incident = world.dispatched()
    command = actor(world.command)
    dispatching.object_to(incident_id=incident.pk, actor=actor(world.city_handler), reason="归水利")
    with pytest.raises(Invalid):
        dispatching.uphold_objection(
            incident_id=incident.pk, actor=command, reason="是", department=world.city
        )
    dispatching.uphold_objection(
        incident_id=incident.pk, actor=command, reason="归水利", department=world.water
    )
    assert fresh(incident).owner_department == world.water


def test_nothing_goes_down_to_a_village_that_villages_do_not_do(world):
    incident = world.pending(category=world.road)
    with pytest.raises(NotAllowed, match="道路破损"):
        dispatching.dispatch(
            incident_id=incident.pk, actor=actor(world.command), area=world.village
        )


def test_a_town_does_not_dispatch_to_a_department(world):
    incident = world.pending()
    with pytest.raises(NotAllowed):
        dispatching.dispatch(
            incident_id=incident.pk, actor=actor(world.town_admin), department=world.city
        )


def test_a_case_is_not_sent_into_another_town(world):
    incident = world.pending()
    with pytest.raises(Invalid):
        dispatching.dispatch(
            incident_id=incident.pk, actor=actor(world.command), area=world.places.villages[2]
        )


def test_what_a_worker_settles_on_the_spot_needs_a_photo_and_another_eye(world):
    incident = world.report()
    worker = actor(world.worker)
    with pytest.raises(Invalid):
        handling.handle_on_spot(
            incident_id=incident.pk, actor=worker, result="清了", category=world.rubbish
        )
    photo = draft_photo(world.worker)
    handling.handle_on_spot(
        incident_id=incident.pk, actor=worker, result="当场清走了",
        category=world.rubbish, photo_ids=[photo.pk],
    )  # fmt: skip
    assert fresh(incident).state == State.RESPONDED
    with pytest.raises(NotAllowed):
        verification.verify_pass(incident_id=incident.pk, actor=worker)


def test_another_persons_draft_photo_cannot_be_taken(world):
    incident = world.accepted()
    photo = draft_photo(world.worker)
    with pytest.raises(Invalid):
        handling.respond(
            incident_id=incident.pk, actor=actor(world.city_handler), result="好了",
            photo_ids=[photo.pk],
        )  # fmt: skip
    assert fresh(incident).state == State.ACCEPTED


def test_whoever_looked_before_the_last_step_is_told_who_was_faster(world):
    incident = world.dispatched()
    seen = incident.version
    other = person(Role.DEPARTMENT_HANDLER, world.city)
    handling.accept(incident_id=incident.pk, actor=actor(world.city_handler), seen=seen)
    with pytest.raises(Conflict, match=str(world.city_handler)):
        handling.accept(incident_id=incident.pk, actor=actor(other), seen=seen)


def test_an_exit_can_be_brought_back(world):
    incident = world.report()
    command = actor(world.command)
    dispatching.leave(incident_id=incident.pk, actor=command, road="out_of_remit", note="属于邻县")
    assert fresh(incident).ended_at
    dispatching.recall(incident_id=incident.pk, actor=command, reason="又查明在本县")
    assert (fresh(incident).state, fresh(incident).ended_at) == (State.REPORTED, None)


def test_a_repeat_is_merged_into_an_open_case(world):
    first, repeat = world.report(), world.report("垃圾还在")
    twins.merge(incident_id=repeat.pk, actor=actor(world.command), into=first)
    assert fresh(repeat).merged_into == first


@pytest.mark.django_db(transaction=True)
def test_two_cases_are_not_merged_into_one_another_at_the_same_time(world):
    first, repeat = world.report(), world.report("垃圾还在")
    held, go_on = threading.Event(), threading.Event()

    def hold():
        with transaction.atomic():
            lock(first.pk)
            held.set()
            go_on.wait(20)
        connection.close()

    somebody = threading.Thread(target=hold)
    somebody.start()
    held.wait(20)
    try:
        with pytest.raises(Conflict):
            twins.merge(incident_id=repeat.pk, actor=actor(world.command), into=first)
    finally:
        go_on.set()
        somebody.join()
    assert fresh(repeat).state == State.REPORTED


@pytest.mark.django_db(transaction=True)
def test_whoever_waited_for_a_case_has_its_new_owner(world):
    incident, found, waits_as = world.dispatched(), [], []

    def wait():
        with transaction.atomic():
            waits_as.append(connection.connection.info.backend_pid)
            found.append(lock(incident.pk))
        connection.close()

    somebody = threading.Thread(target=wait)
    with transaction.atomic(), connection.cursor() as cursor:
        lock(incident.pk)
        Incident.objects.filter(pk=incident.pk).update(owner_department=world.water)
        somebody.start()
        blocked = 0
        while somebody.is_alive() and not blocked:
            cursor.execute("SELECT cardinality(pg_blocking_pids(%s))", [(waits_as or [0])[0]])
            blocked = cursor.fetchone()[0]
    somebody.join(20)
    assert found[0].owner_department == world.water


def test_a_case_that_ended_meanwhile_takes_no_other_in(world):
    first, repeat = world.report(), world.report("垃圾还在")
    command = actor(world.command)
    dispatching.leave(incident_id=first.pk, actor=command, road="out_of_remit", note="属于邻县")
    with pytest.raises((Conflict, Invalid)):
        twins.merge(incident_id=repeat.pk, actor=command, into=first)


def test_a_case_is_not_merged_into_itself(world):
    first = world.report()
    with pytest.raises(Invalid):
        twins.merge(incident_id=first.pk, actor=actor(world.command), into=first)


def test_staff_record_a_call_back_but_never_on_their_own_work(world):
    incident = world.called_back(world.village, by=world.office)
    with pytest.raises(NotAllowed):
        verification.record_callback(
            incident_id=incident.pk, actor=actor(world.office), score="satisfied", solved=True
        )
    verification.record_callback(
        incident_id=incident.pk, actor=actor(world.town_admin), score="satisfied", solved=True
    )
    assert fresh(incident).state == State.CLOSED
