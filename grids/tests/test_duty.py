"""Check-in for duty: one shift a person however it is pressed, and none that never ends."""

from datetime import timedelta
from threading import Barrier, Thread

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from core.errors import NotAllowed
from core.models import AuditEntry
from grids.factories import UserFactory, person, small_county
from grids.models import LONGEST_SHIFT, DutyShift, Role
from grids.queries.duty import on_duty_since
from grids.services.duty import begin_duty, end_duty, forget_shifts

pytestmark = pytest.mark.django_db


@pytest.fixture
def worker(county):
    return person(Role.GRID_WORKER, county.grids[0], valid_from="2026-01-01")


def since(user):
    return on_duty_since(user.pk, now=timezone.now())


@pytest.mark.parametrize("role", [Role.GRID_WORKER, Role.GRID_CHIEF, Role.UNIT_HEAD])
def test_whoever_works_cases_from_a_phone_begins_and_ends_their_own_shift(county, role):
    user = person(role, county.unit if role == Role.UNIT_HEAD else county.grids[0])
    before = timezone.now()
    begin_duty(actor=user)
    assert before <= since(user) <= timezone.now()
    end_duty(actor=user)
    assert since(user) is None
    assert DutyShift.objects.get().ended_at >= DutyShift.objects.get().began_at


def test_nobody_else_checks_in(county):
    for user in (person(Role.TOWN_ADMIN, county.towns[0]), UserFactory()):
        with pytest.raises(NotAllowed):
            begin_duty(actor=user)
    assert not DutyShift.objects.exists()


def test_pressed_twice_it_is_one_shift_that_began_at_the_first_press(worker):
    begin_duty(actor=worker)
    began = since(worker)
    begin_duty(actor=worker)
    assert since(worker) == began
    end_duty(actor=worker)
    ended = DutyShift.objects.get().ended_at
    end_duty(actor=worker)
    assert DutyShift.objects.get().ended_at == ended


def test_ending_is_one_s_own_and_leaves_the_others_on_duty(county, worker):
    other = person(Role.GRID_WORKER, county.grids[0])
    begin_duty(actor=worker)
    begin_duty(actor=other)
    end_duty(actor=other)
    assert since(worker)
    assert since(other) is None


@pytest.mark.django_db(transaction=True)
def test_two_phones_of_one_person_pressed_at_once_begin_one_shift():
    user = person(Role.GRID_WORKER, small_county().grids[0])
    gate, refused = Barrier(4), []

    def press():
        gate.wait()
        try:
            begin_duty(actor=user)
        except Exception as error:  # whatever it is, the person would see it
            refused.append(error)
        finally:
            connection.close()

    threads = [Thread(target=press) for _n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert refused == []
    assert DutyShift.objects.get().user == user


def test_the_database_holds_one_open_shift_a_person_and_no_end_before_the_beginning(worker):
    now = timezone.now()
    DutyShift.objects.create(user=worker, began_at=now)
    with pytest.raises(IntegrityError), transaction.atomic():
        DutyShift.objects.create(user=worker, began_at=now)
    with pytest.raises(IntegrityError), transaction.atomic():
        DutyShift.objects.update(ended_at=now - timedelta(seconds=1))


def test_a_forgotten_shift_counts_for_fourteen_hours(worker, time_machine):
    time_machine.move_to("2026-05-06 20:00+08:00", tick=False)
    begin_duty(actor=worker)
    began = timezone.now()
    time_machine.move_to("2026-05-07 09:59+08:00", tick=False)
    assert since(worker) == began
    time_machine.move_to("2026-05-07 10:00+08:00", tick=False)
    assert since(worker) is None


@pytest.mark.parametrize("press", [begin_duty, end_duty])
def test_a_forgotten_shift_is_closed_where_it_stopped_counting(worker, time_machine, press):
    time_machine.move_to("2026-05-06 20:00+08:00", tick=False)
    begin_duty(actor=worker)
    began = timezone.now()
    time_machine.move_to("2026-05-08 08:00+08:00", tick=False)
    press(actor=worker)
    assert DutyShift.objects.get(began_at=began).ended_at == began + LONGEST_SHIFT
    assert since(worker) == (timezone.now() if press is begin_duty else None)


def test_shifts_are_deleted_after_their_time_and_the_record_says_how_many(worker, time_machine):
    for day in (1, 2, 20):
        time_machine.move_to(f"2026-05-{day:02} 08:00+08:00", tick=False)
        begin_duty(actor=worker)
        end_duty(actor=worker)
    last = DutyShift.objects.latest("began_at")
    given = {"before": timezone.now() - timedelta(days=10), "days": 10, "now": timezone.now()}
    found, after = forget_shifts(after=0, batch=10, **given)
    assert found == []
    assert forget_shifts(after=after, batch=10, **given) == ([], None)
    assert DutyShift.objects.get() == last
    assert AuditEntry.objects.get(action="duty_shift.forget").data == {"n": 2, "days": 10}


def test_town_and_village_see_who_is_on_duty_beside_the_people_in_post(county, worker):
    town, village = person(Role.TOWN_ADMIN, county.towns[0]), county.villages[0]
    url = reverse("territory_area", args=[county.grids[0].pk])
    for user in (town, person(Role.VILLAGE_OFFICE, village)):
        client = Client()
        client.force_login(user, backend="grids.backends.PostingBackend")
        end_duty(actor=worker)
        assert "值班中" not in client.get(url).content.decode()
        begin_duty(actor=worker)
        assert "值班中" in client.get(url).content.decode()
