"""Past cases on their way behind a reorganisation outlive the death of their worker."""

import pytest
from django.utils import timezone

from grids import moves
from grids.factories import person
from grids.models import Reorganisation, Role
from grids.models.reorganisation import ActState, StepKind
from grids.services import reorganisation as acts
from incidents.factories import World
from incidents.models import Event, Incident, Source, State

pytestmark = [pytest.mark.stack, pytest.mark.django_db(transaction=True)]
PAST = 4000


def past_cases(world: World) -> None:
    grid, village = world.places.grids[4], world.places.villages[2]
    rows = (
        Incident(
            tracking_code=f"PAST{number:08}",
            source=Source.RESIDENT,
            state=State.OUT_OF_REMIT,
            ended_at=timezone.now(),
            text="路灯不亮",
            county=world.county,
            town=world.places.towns[1],
            village=village,
            grid=grid,
            area=grid,
            found_by="given",
        )
        for number in range(PAST)
    )
    Incident.objects.bulk_create(rows, batch_size=500)


def test_a_killed_worker_and_a_flushed_redis_lose_no_case_and_move_none_twice(stack):
    world = World()
    past_cases(world)
    kept, gone = world.places.towns
    act = acts.draft(
        actor=person(Role.SYSTEM_ADMIN, world.county),
        title="撤并乡镇",
        effective_on=timezone.localdate(),
        steps=[acts.NewStep(kind=StepKind.MERGE_TOWNS, subject=gone, target=kept)],
    )
    acts.submit(act_id=act.pk, actor=act.drafted_by, seen=1)
    acts.decide(act_id=act.pk, actor=world.command, seen=2, approve=True)

    stack.start("worker")
    stack.start("beat")
    stack.wait_for(lambda: 0 < moves.waiting() < PAST, timeout=180)
    stack.kill9("worker")
    stack.flush_redis()
    assert Reorganisation.objects.get(pk=act.pk).state == ActState.CARRIED_OUT
    stack.start("worker-2")
    stack.wait_for(lambda: moves.waiting() == 0, timeout=180)

    assert Incident.objects.filter(town=kept).count() == PAST
    lines = Event.objects.filter(action="follow_area")
    assert lines.count() == lines.values("incident").distinct().count() == PAST
