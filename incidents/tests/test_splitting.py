"""A case split into tasks: who does what by when, and the whole waits for its parts."""

import threading
import uuid
from datetime import timedelta

import pytest
from django.db import IntegrityError, close_old_connections, connection, transaction

from core.errors import Conflict, Invalid, NotAllowed
from core.models import Timer
from core.services import outbox, timers
from grids.factories import person
from grids.models import Role
from incidents.factories import World, actor, as_
from incidents.models import CaseChange, Figure, FigureDelta, Incident, Notice, StageClock, State
from incidents.queries.figures import open_overdue
from incidents.queries.public import case_by_code
from incidents.services import dispatching, figures, handling, twins, verification
from incidents.services.splitting import MOST_AT_ONCE, Task, drop, split


@pytest.fixture
def whole(world):
    return world.accepted()


def give(world, whole, *tasks, by=None):
    tasks = tasks or (Task("清运门口两处垃圾", 2, "working_days", area=world.grid),)
    return split(incident_id=whole.pk, actor=actor(by or world.city_handler), tasks=tasks)


def close(world, task, by):
    handling.accept(incident_id=task.pk, actor=actor(by))
    handling.respond(incident_id=task.pk, actor=actor(by), result="已清运")
    return verification.verify_pass(incident_id=task.pk, actor=actor(world.city_handler))


def test_a_task_has_an_owner_a_place_and_a_clock_in_its_own_unit(world, whole):
    (task,) = give(world, whole)
    assert (task.state, task.owner, task.parent) == (State.DISPATCHED, world.grid, whole)
    assert (task.county_id, task.grid_id, task.category) == (
        whole.county_id,
        whole.grid_id,
        whole.category,
    )
    clocks = {row.stage: row for row in StageClock.objects.filter(incident=task)}
    assert set(clocks) == {"accept", "resolve"}
    assert (clocks["resolve"].amount, clocks["resolve"].unit) == (2, "working_days")
    kinds = Timer.objects.filter(subject_type="clock", subject_id=clocks["resolve"].pk)
    assert set(kinds.values_list("kind", flat=True)) == {"clock_warn", "clock_due"}
    task.refresh_from_db()
    assert task.due_unit == "calendar_hours"  # of the time to accept, which comes first


def test_the_whole_is_not_answered_while_a_task_is_open(world, whole):
    (task,) = give(world, whole)
    owner = actor(world.city_handler)
    with pytest.raises(NotAllowed, match=r"Tasks|任务"):
        handling.respond(incident_id=whole.pk, actor=owner, result="已办")
    for road in ("emergency", "statutory", "out_of_remit"):
        with pytest.raises(NotAllowed):
            dispatching.leave(
                incident_id=whole.pk, actor=actor(world.command), road=road, note="转出"
            )
    close(world, task, world.worker)
    done = handling.respond(incident_id=whole.pk, actor=owner, result="已办")
    assert done.state == State.RESPONDED


def test_a_dropped_task_gives_its_reason_and_holds_nothing_up(world, whole):
    (task,) = give(world, whole)
    with pytest.raises(Invalid):
        drop(incident_id=task.pk, actor=actor(world.city_handler), reason=" ")
    with pytest.raises(NotAllowed):
        drop(incident_id=task.pk, actor=actor(world.worker), reason="不做了")
    dropped = drop(incident_id=task.pk, actor=actor(world.city_handler), reason="已由居民自行清理")
    assert dropped.state == State.CLOSED
    assert dropped.verified_at is None
    assert not StageClock.objects.filter(incident=task, finished_at=None).exists()
    handling.respond(incident_id=whole.pk, actor=actor(world.city_handler), result="已办")


def test_the_answer_to_a_task_is_checked_by_whoever_has_the_whole_and_nobody_rates_it(world, whole):
    (task,) = give(world, whole)
    handling.accept(incident_id=task.pk, actor=actor(world.worker))
    handling.respond(incident_id=task.pk, actor=actor(world.worker), result="清了一半")
    back = verification.verify_fail(
        incident_id=task.pk, actor=actor(world.city_handler), reason="还剩一处"
    )
    assert back.state == State.ACCEPTED
    handling.respond(incident_id=task.pk, actor=actor(world.worker), result="都清了")
    with pytest.raises(NotAllowed):
        verification.verify_pass(incident_id=task.pk, actor=actor(world.worker))
    closed = verification.verify_pass(incident_id=task.pk, actor=actor(world.city_handler))
    assert closed.state == State.CLOSED
    assert not closed.callbacks.exists()


def test_a_task_sent_back_is_decided_by_whoever_has_the_whole(world, whole):
    (task,) = give(world, whole)
    dispatching.object_to(incident_id=task.pk, actor=actor(world.worker), reason="不在本网格")
    outbox.deliver_due()
    assert Notice.objects.filter(kind="task_sent_back", department=world.city).exists()
    stays = dispatching.reject_objection(
        incident_id=task.pk, actor=actor(world.city_handler), reason="就在本网格"
    )
    assert stays.state == State.DISPATCHED


def test_what_is_for_the_whole_is_refused_for_a_task(world, whole):
    (task,) = give(world, whole)
    with pytest.raises(NotAllowed):
        split(
            incident_id=task.pk,
            actor=actor(world.command),
            tasks=[Task("再分", 1, "calendar_days", area=world.grid)],
        )
    with pytest.raises(NotAllowed):
        dispatching.leave(
            incident_id=task.pk, actor=actor(world.command), road="statutory", note="转出"
        )
    other = world.dispatched()
    with pytest.raises(Invalid):
        twins.merge(incident_id=other.pk, actor=actor(world.command), into=task)


def test_an_owner_gives_work_only_within_its_reach(world):
    office = actor(world.office)
    of_village = world.accepted(world.village, world.office)
    split(
        incident_id=of_village.pk,
        actor=office,
        tasks=[Task("看看", 1, "calendar_days", area=world.grid)],
    )
    for task in (
        Task("看看", 1, "calendar_days", area=world.town),
        Task("看看", 1, "calendar_days", area=world.places.villages[1]),
    ):
        with pytest.raises((Invalid, NotAllowed)):
            split(incident_id=of_village.pk, actor=office, tasks=[task])
    with pytest.raises(NotAllowed):
        split(
            incident_id=of_village.pk,
            actor=office,
            tasks=[Task("看看", 1, "calendar_days", department=world.water)],
        )
    # A department may ask its like, and nobody sends to a village what villages do not do.
    of_city = world.accepted(category=world.road)
    city = actor(world.city_handler)
    split(
        incident_id=of_city.pk,
        actor=city,
        tasks=[Task("查管网", 1, "working_days", department=world.water)],
    )
    with pytest.raises(NotAllowed):
        split(
            incident_id=of_city.pk,
            actor=city,
            tasks=[Task("修路", 1, "working_days", area=world.village)],
        )


@pytest.mark.parametrize(
    ("task", "field"),
    [
        (Task(" ", 1, "calendar_days"), "text_0"),
        (Task("清运", 0, "calendar_days"), "amount_0"),
        (Task("清运", 1, "fortnights"), "unit_0"),
    ],
)
def test_a_task_without_words_or_time_is_refused(world, whole, task, field):
    with pytest.raises(Invalid) as refused:
        give(world, whole, task)
    assert field in refused.value.errors
    with pytest.raises(Invalid):
        give(
            world, whole, *[Task("清运", 1, "calendar_days", area=world.grid)] * (MOST_AT_ONCE + 1)
        )
    assert not Incident.objects.filter(parent=whole).exists()


def test_the_database_holds_one_level_one_county_and_no_way_to_another_case(world, whole):
    (task,) = give(world, whole)
    other = world.accepted()

    def copy(**more):
        row = Incident.objects.get(pk=task.pk)
        row.pk, row.tracking_code, row.report_key = None, "COPY", uuid.uuid4()
        for name, value in more.items():
            setattr(row, name, value)
        row.save(force_insert=True)

    for broken in (
        lambda: copy(parent=task),
        lambda: copy(parent=None),
        lambda: copy(task_amount=None),
        lambda: copy(county=world.town),
        lambda: Incident.objects.filter(pk=task.pk).update(parent=other),
        lambda: Incident.objects.filter(pk=whole.pk).update(parent=task),
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            broken()


def test_tasks_count_nowhere_as_reports_and_are_not_public(world, whole):
    FigureDelta.objects.all().delete()
    (task,) = give(world, whole)
    close(world, task, world.worker)
    assert not FigureDelta.objects.exists()
    assert not CaseChange.objects.filter(incident_id=task.pk).exists()
    (late,) = give(world, whole)
    Incident.objects.filter(pk=late.pk).update(overdue_at=whole.reported_at)
    assert open_overdue([world.county]) == 0
    assert case_by_code(task.tracking_code) is None
    figures.rebuild()
    assert sum(Figure.objects.filter(metric__startswith="state:").values_list("n", flat=True)) == 1


def test_whoever_has_a_task_reads_the_words_of_the_whole_and_nothing_of_the_reporter(world):
    case = world.report("村口垃圾堆了三天没人清", name="王大娘", phone="19900001234")
    dispatching.triage(
        incident_id=case.pk, actor=actor(world.command), category=world.rubbish, send=False
    )
    dispatching.dispatch(incident_id=case.pk, actor=actor(world.command), department=world.city)
    (task,) = give(world, case, Task("查下水口", 1, "working_days", department=world.water))
    page = as_(world.water_handler).get(f"/incidents/{task.tracking_code}/").content.decode()
    assert "村口垃圾堆了三天没人清" in page
    assert case.tracking_code in page
    assert "王大娘" not in page
    assert "1234" not in page
    assert as_(world.water_handler).get(f"/incidents/{case.tracking_code}/").status_code == 404
    # The owner of the whole opens the task; a department beside it does not.
    assert as_(world.city_handler).get(f"/incidents/{task.tracking_code}/").status_code == 200
    stranger = person(Role.TOWN_ADMIN, world.places.towns[1])
    assert as_(stranger).get(f"/incidents/{task.tracking_code}/").status_code == 404
    listed = Incident.objects.visible_to(world.city_handler)
    assert task in listed
    assert case in listed


def test_tasks_are_given_and_read_on_the_page_of_the_case(world, whole):
    browser = as_(world.city_handler)
    there = f"/incidents/{whole.tracking_code}/do/split/"
    assert "任务" in browser.get(there).content.decode()
    sent = {"text_0": "清运两处", "owner_0": f"d{world.water.pk}", "amount_0": "2",
            "unit_0": "working_days", "text_1": "没有人做", "amount_1": "1"}  # fmt: skip
    refused = browser.post(there, sent)
    assert refused.status_code == 422
    assert "没有人做" in refused.content.decode()
    assert browser.post(there, sent | {"text_1": ""}).status_code == 302
    task = Incident.objects.get(parent=whole)
    page = browser.get(f"/incidents/{whole.tracking_code}/").content.decode()
    assert "清运两处" in page
    assert task.tracking_code in page
    assert "水利局" in page
    assert "清运两处" in as_(world.water_handler).get("/department/").content.decode()


@pytest.mark.django_db(transaction=True)
def test_two_who_split_and_answer_at_once_leave_no_open_task_behind():
    world = World()
    whole = world.accepted()
    seen, ends = whole.version, []
    barrier = threading.Barrier(2)

    def run(act):
        try:
            barrier.wait()
            act()
            ends.append("done")
        except (Conflict, NotAllowed):
            ends.append("refused")
        finally:
            close_old_connections()
            connection.close()

    owner = actor(world.city_handler)
    acts = [
        lambda: split(
            incident_id=whole.pk,
            actor=owner,
            tasks=[Task("清运", 1, "calendar_days", area=world.grid)],
            seen=seen,
        ),
        lambda: handling.respond(incident_id=whole.pk, actor=owner, result="已办", seen=seen),
    ]
    threads = [threading.Thread(target=run, args=[act]) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(ends) == ["done", "refused"]
    whole.refresh_from_db()
    assert (whole.state == State.RESPONDED) != Incident.objects.filter(parent=whole).exists()


def test_an_overdue_task_climbs_by_itself_and_its_owner_is_told(world, whole):
    (task,) = give(world, whole, Task("清运", 1, "calendar_days", area=world.grid))
    handling.accept(incident_id=task.pk, actor=actor(world.worker))
    timers.sweep(now=task.reported_at + timedelta(days=1, minutes=1))
    outbox.deliver_due()
    task.refresh_from_db()
    assert task.overdue_at is not None
    told = Notice.objects.filter(incident=task)
    assert told.filter(kind="overdue", area=world.grid).exists()
    assert told.filter(kind="escalate", role=Role.GRID_CHIEF).exists()


def test_no_form_of_a_task_speaks_of_a_reporter(world, whole):
    """Nobody reported a task and nobody rates it: whoever gave it reads the answer."""
    (task,) = give(world, whole)
    handling.accept(incident_id=task.pk, actor=actor(world.worker))
    there = f"/incidents/{task.tracking_code}"
    for path in ("/", "/do/respond/", "/do/request_extension/"):
        assert "上报人可见" not in as_(world.worker).get(there + path).content.decode()
    page = as_(world.worker).get(there + "/do/respond/").content.decode()
    assert "交办人可见" in page
    assert "上报时间" not in page
    handling.respond(incident_id=task.pk, actor=actor(world.worker), result="已清运")
    check = as_(world.city_handler).get(there + "/do/verify_pass/").content.decode()
    assert "该子任务即办结" in check
    assert "请上报人评价" not in check
