"""The month, its warning, the visits, and what red and risk set in motion."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.urls import reverse
from django.utils import timezone

from core.errors import Invalid
from core.models import OutboxMessage, Timer
from core.services import outbox, pruning, timers
from grids.factories import DepartmentFactory, person
from grids.models import Role
from incidents.models import Notice
from mediation.factories import agreement, dispute_at, session, settle
from mediation.models import Dispute, DisputeState, OtherRoad, Performance, StepOutcome
from mediation.services import agreements, people, sessions
from mediation.services.deadlines import a_month_after
from mediation.workflow import Actor

pytestmark = pytest.mark.django_db

S = DisputeState
CHINA = ZoneInfo("Asia/Shanghai")


@pytest.fixture
def dispute(county, worker):
    return dispute_at(county.grids[0], mediator=worker)


def actions(dispute):
    return list(dispute.events.order_by("seq").values_list("action", flat=True))


def unfired(dispute):
    return list(
        Timer.objects.filter(subject_type="dispute", subject_id=dispute.pk, fired_at=None)
        .order_by("due_at")
        .values_list("kind", "stage")
    )


@pytest.mark.parametrize(
    ("begin", "end"),
    [((2026, 1, 15), (2026, 2, 15)), ((2026, 1, 31), (2026, 2, 28)), ((2026, 12, 5), (2027, 1, 5))],
)
def test_the_month_ends_on_the_same_day_of_the_next(begin, end):
    assert a_month_after(datetime(*begin, 10, tzinfo=CHINA)) == datetime(*end, 10, tzinfo=CHINA)


def test_a_week_before_the_end_the_mediator_is_warned_and_past_it_the_office_too(
    dispute, worker, county
):
    timers.sweep(now=dispute.due_at - timedelta(days=8))
    assert actions(dispute) == ["register"]
    timers.sweep(now=dispute.due_at - timedelta(days=7))
    assert actions(dispute) == ["register", "warn"]
    timers.sweep(now=dispute.due_at)
    timers.sweep(now=dispute.due_at + timedelta(days=3))
    assert actions(dispute) == ["register", "warn", "overdue"]
    dispute.refresh_from_db()
    assert dispute.overdue_at == dispute.due_at
    outbox.deliver_due(now=timezone.now())
    told = set(Notice.objects.filter(kind="dispute_overdue").values_list("user", "role", "area"))
    assert told == {
        (worker.pk, "", None),
        (None, Role.VILLAGE_OFFICE, county.villages[0].pk),
        (None, Role.TOWN_ADMIN, county.towns[0].pk),
    }


def test_a_warning_does_not_spoil_a_form_half_filled_in(dispute, worker):
    seen = dispute.version
    timers.sweep(now=dispute.due_at)
    sessions.record_step(
        dispute_id=dispute.pk, session=session(), actor=Actor.for_user(worker), seen=seen
    )


def test_an_extension_moves_the_month_and_its_warning(dispute, worker):
    before = dispute.due_at
    until = timezone.localdate(before) + timedelta(days=20)
    sessions.extend(
        dispute_id=dispute.pk,
        until=until,
        both_agree=True,
        actor=Actor.for_user(worker),
        reason="等鉴定",
    )
    timers.sweep(now=before)
    assert "overdue" not in actions(dispute)
    dispute.refresh_from_db()
    timers.sweep(now=dispute.due_at)
    assert actions(dispute)[-2:] == ["warn", "overdue"]


def test_after_the_agreement_the_month_rests_and_the_visit_is_waited_for(dispute, worker):
    settle(dispute, actor=Actor.for_user(worker), performance_due=agreement().performance_due)
    assert unfired(dispute) == [("dispute_follow_up", "due")]
    due = Timer.objects.get(subject_id=dispute.pk, kind="dispute_follow_up").due_at
    assert timezone.localtime(due).date() == agreement().performance_due + timedelta(days=1)
    timers.sweep(now=due)
    assert actions(dispute)[-1] == "follow_up_due"


def test_a_partial_performance_is_looked_at_again_on_the_day_named(dispute, worker):
    actor, today = Actor.for_user(worker), timezone.localdate()
    settle(dispute, actor=actor)
    next_on = today + timedelta(days=4)
    agreements.follow_up(
        dispute_id=dispute.pk,
        day=today,
        performed=Performance.PARTLY,
        note="还差一半",
        next_on=next_on,
        actor=actor,
    )
    due = Timer.objects.get(subject_id=dispute.pk, fired_at=None).due_at
    assert timezone.localdate(due) == next_on
    agreements.follow_up(dispute_id=dispute.pk, day=today, performed=Performance.YES, actor=actor)
    assert unfired(dispute) == []


@pytest.mark.parametrize("ending", [S.FAILED, S.WITHDRAWN, S.CLOSED])
def test_nothing_fires_once_a_dispute_has_ended(county, worker, ending):
    dispute = dispute_at(county.grids[0], mediator=worker, state=ending)
    assert unfired(dispute) == []


def test_a_timer_that_comes_late_does_nothing(dispute, worker):
    sessions.fail(
        dispute_id=dispute.pk,
        roads=[OtherRoad.COURT],
        note="分歧过大",
        actor=Actor.for_user(worker),
    )
    timers.set_timers(
        [
            timers.TimerSpec(
                subject_type="dispute",
                subject_id=dispute.pk,
                kind="dispute_deadline",
                stage="due",
                due_at=dispute.due_at,
            )
        ]
    )
    timers.sweep(now=dispute.due_at)
    assert "overdue" not in actions(dispute)


def test_red_needs_a_leader_of_the_place(dispute, county, worker):
    actor = Actor.for_user(worker)
    change = {"dispute_id": dispute.pk, "colour": "red", "actor": actor, "reason": "扬言报复"}
    stranger = person(Role.TOWN_ADMIN, county.towns[1])
    for leader in (None, stranger, worker):
        with pytest.raises(Invalid) as refused:
            people.set_colour(**change, leader=leader)
        assert "leader" in refused.value.errors
    leader = person(Role.TOWN_ADMIN, county.towns[0])
    people.set_colour(**change, leader=leader)
    dispute.refresh_from_db()
    assert (dispute.colour, dispute.leader) == ("red", leader)


def test_a_risk_is_reported_to_the_police_at_once_and_once(dispute, county, worker):
    police = DepartmentFactory(code="GA")
    change = {"dispute_id": dispute.pk, "actor": Actor.for_user(worker), "reason": "扬言报复"}
    people.set_colour(**change, colour="yellow", activation_risk=True)
    dispute.refresh_from_db()
    assert dispute.reported_to_police_at
    people.set_colour(**change, colour="blue", activation_risk=True)
    outbox.deliver_due(now=timezone.now())
    report = Notice.objects.get(department=police)
    assert report.data == {"dispute": dispute.number, "place": "东关镇 · 大王庄村民委员会"}
    assert Notice.objects.get(kind="dispute_police_told").role == Role.COMMAND


def test_the_police_read_where_it_is_and_are_not_sent_to_a_file_closed_to_them(
    client, dispute, county, worker
):
    handler = person(Role.DEPARTMENT_HANDLER, DepartmentFactory(code="GA"))
    change = {"dispute_id": dispute.pk, "actor": Actor.for_user(worker), "reason": "扬言报复"}
    people.set_colour(**change, colour="yellow", activation_risk=True)
    outbox.deliver_due(now=timezone.now())
    client.force_login(handler)
    page = client.get(reverse("notices")).content.decode()
    assert f"{dispute.number} · 东关镇 · 大王庄村民委员会" in page
    assert reverse("dispute", args=[dispute.number]) not in page


def test_a_dispute_that_stays_red_is_told_of_once_and_a_new_leader_is_told_anew(
    dispute, county, worker
):
    first, second = (person(Role.TOWN_ADMIN, county.towns[0]) for _ in range(2))
    change = {"dispute_id": dispute.pk, "actor": Actor.for_user(worker), "reason": "扬言报复"}
    for leader in (first, first, second):
        people.set_colour(**change, colour="red", leader=leader)
    outbox.deliver_due(now=timezone.now())
    told = Notice.objects.filter(kind="dispute_red")
    assert sorted(told.exclude(user=None).values_list("user", flat=True)) == [first.pk, second.pk]
    assert sorted(told.filter(user=None).values_list("role", flat=True)) == [
        "command",
        "town_admin",
    ]


def test_without_a_police_desk_the_command_centre_is_told_to_call(dispute, county, worker):
    people.set_colour(
        dispute_id=dispute.pk,
        actor=Actor.for_user(worker),
        reason="扬言报复",
        colour="yellow",
        activation_risk=True,
    )
    outbox.deliver_due(now=timezone.now())
    kinds = Notice.objects.filter(role=Role.COMMAND, area=county.county).values_list("kind")
    assert set(kinds) == {("dispute_call_police",)}


def test_messages_delivered_twice_stand_on_the_desk_once(dispute):
    timers.sweep(now=dispute.due_at)
    outbox.deliver_due(now=timezone.now())
    count = Notice.objects.count()
    OutboxMessage.objects.update(state="queued")
    outbox.deliver_due(now=timezone.now())
    assert Notice.objects.count() == count > 0


def test_settled_in_a_session_the_month_still_runs_until_the_agreement(dispute, worker):
    settled = session(StepOutcome.SETTLED)
    sessions.record_step(dispute_id=dispute.pk, session=settled, actor=Actor.for_user(worker))
    timers.sweep(now=dispute.due_at)
    assert Dispute.objects.overdue(dispute.due_at + timedelta(seconds=1)).count() == 1


def test_a_dispute_keeps_its_timers_until_it_has_ended(dispute):
    timers.sweep(now=dispute.due_at)
    later = dispute.due_at + timedelta(days=400)
    assert pruning.prune_timers(now=later) == 0
    Dispute.objects.filter(pk=dispute.pk).update(state=DisputeState.WITHDRAWN, ended_at=later)
    assert pruning.prune_timers(now=later) == 2
