"""Past cases that are too many to follow an act at once: read right meanwhile, and all arrive."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from grids import moves
from grids.factories import person
from grids.models import Area, Level, Role, TrailingArea
from grids.models.reorganisation import StepKind
from grids.queries import Scope
from grids.services import following, reshaping
from grids.services import reorganisation as acts
from grids.services.reorganisation import NewStep
from incidents.factories import World, actor
from incidents.models import Event, Incident, TrailingCase
from incidents.queries import desks, figures
from incidents.queries.queue import QueueFilters, queue_page
from incidents.services import dispatching, moving

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def nothing_past_at_once(monkeypatch):
    monkeypatch.setattr(moving, "PAST_AT_ONCE", 0)
    monkeypatch.setattr(following, "BATCH", 1)


def in_grid(world: World, grid: Area, *, ended: bool = True) -> Incident:
    longitude, latitude = world.places.point_in(grid)
    case = world.report(f"{grid.code}路灯不亮", longitude=longitude, latitude=latitude)
    if ended:
        dispatching.leave(
            incident_id=case.pk, actor=actor(world.command), road="out_of_remit", note="不归本县管"
        )
    return case


def carried_out(world: World, *steps: NewStep) -> Any:
    act = acts.draft(
        actor=person(Role.SYSTEM_ADMIN, world.county),
        title="区划调整",
        effective_on=timezone.localdate(),
        steps=steps,
    )
    acts.submit(act_id=act.pk, actor=act.drafted_by, seen=1)
    acts.decide(act_id=act.pk, actor=world.command, seen=2, approve=True)
    assert acts.carry_out_due() == 1
    act.refresh_from_db()
    return act


def move(village: Area, town: Area) -> NewStep:
    return NewStep(kind=StepKind.MOVE_VILLAGE, subject=village, target=town)


def merge_towns(old: Area, new: Area) -> NewStep:
    return NewStep(kind=StepKind.MERGE_TOWNS, subject=old, target=new)


def listed(area: Area, *, within: Area | None = None) -> set[int]:
    """What a town's admin finds in the whole list; by each way of reading it, which must agree."""
    reader = person(Role.TOWN_ADMIN, area)
    scope = Scope.for_user(reader)
    page = queue_page(user=reader, scope=scope, filters=QueueFilters(show="all"))
    found = {row.pk for row in page.items}
    assert found == set(Incident.objects.visible_to(reader, scope).values_list("pk", flat=True))
    assert found == {case.pk for case in Incident.objects.all() if case.visible_by(reader, scope)}
    county = Scope.for_user(person(Role.COMMAND, Area.objects.get(level="county")))
    done = next(tab for tab in desks.PLACE_TABS[Level.TOWN] if tab.done)
    page = desks.place_page([area], done, scope=scope, cursor=None)
    assert {row.pk for row in page.items} == set(
        Incident.objects.filter(pk__in=found, ended_at__isnull=False).values_list("pk", flat=True)
    )
    narrowed = QueueFilters(show="all", area=Area.objects.get(pk=area.pk))
    page = queue_page(user=reader, scope=county, filters=narrowed)
    assert found == {row.pk for row in page.items}
    return found


def reported(world: World, map: str) -> list[int]:
    today = timezone.localdate()
    found = figures.by_town([world.county], today, today, map=map)
    return [found.get(town.pk, {}).get("reported", 0) for town in world.places.towns]


def stages(world: World) -> Any:
    """Yield how many wait: after the act, after each batch, and after the second look."""
    while waiting := moves.waiting():
        yield waiting
        assert following.settle_due(now=timezone.now() + timedelta(minutes=2)) == 0
        assert following.bring_along(batches=1) == 1
    yield 0
    assert following.settle_due(now=timezone.now() + timedelta(minutes=2)) > 0
    yield 0
    assert not TrailingArea.objects.exists()


def test_a_moved_village_s_past_is_listed_and_counted_in_its_new_town_from_the_act_on(world):
    own, other = world.places.towns
    village = world.places.villages[1]
    stays = in_grid(world, world.places.grids[0])
    goes = [in_grid(world, world.places.grids[n]) for n in (2, 2, 3)]
    goes.append(in_grid(world, world.places.grids[3], ended=False))
    carried_out(world, move(village, other))
    seen = []
    for waiting in stages(world):
        seen.append(waiting)
        assert listed(own) == {stays.pk}
        assert listed(other) == {case.pk for case in goes}
        assert reported(world, figures.NEW) == [1, 4]
        assert reported(world, figures.OLD) == [5, 0]
    assert seen == [3, 2, 1, 0, 0]
    assert set(Incident.objects.filter(village=village).values_list("town", flat=True)) == {
        other.pk
    }


def test_a_merged_town_s_past_is_listed_and_counted_where_it_went(world):
    kept, gone = world.places.towns
    cases = [in_grid(world, grid) for grid in world.places.grids]
    act = carried_out(world, merge_towns(gone, kept))
    assert act.outcome["followed"]["incidents:past"] == 4
    for _waiting in stages(world):
        assert listed(kept) == {case.pk for case in cases}
        assert reported(world, figures.NEW) == [8, 0]
        assert reported(world, figures.OLD) == [4, 4]
    assert not Incident.objects.filter(town=gone).exists()


def test_a_village_that_went_from_a_town_that_was_merged_goes_its_own_way(world):
    kept, gone = world.places.towns
    case = in_grid(world, world.places.grids[4])
    rest = in_grid(world, world.places.grids[6])
    third = acts.draft(
        actor=person(Role.SYSTEM_ADMIN, world.county),
        title="先划出再撤并",
        effective_on=timezone.localdate(),
        steps=[move(world.places.villages[2], kept), merge_towns(gone, kept)],
    )
    assert third.steps.count() == 2
    carried_out(world, move(world.places.villages[2], kept), merge_towns(gone, kept))
    for _waiting in stages(world):
        assert listed(kept) == {case.pk, rest.pk}
        assert reported(world, figures.NEW) == [2, 0]


def test_an_act_on_the_way_of_another_counts_the_past_once(world):
    own, other = world.places.towns
    village = world.places.villages[1]
    case = in_grid(world, world.places.grids[2])
    carried_out(world, move(village, other))
    carried_out(world, move(village, own))
    for _waiting in stages(world):
        assert listed(own) == {case.pk}
        assert listed(other) == set()
        assert reported(world, figures.NEW) == [1, 0]
    assert reported(world, figures.OLD) == [1, 0]


def test_grids_that_are_merged_or_moved_keep_their_past_in_sight_too(world):
    one, two = world.places.villages[:2]
    grid, beside = world.places.grids[:2]
    case = in_grid(world, beside)
    who = {"actor": world.town_admin, "seen": None}
    reshaping.merge(kept_id=grid.pk, other_ids=[beside.pk], **who)
    worker = person(Role.GRID_WORKER, grid)
    assert Incident.objects.visible_to(worker).filter(pk=case.pk).exists()
    where = {"area_id": grid.pk, "village_id": two.pk, **who}
    with pytest.raises(reshaping.Doubtful) as doubt:
        reshaping.move(**where)
    reshaping.move(**where, accept=doubt.value.report.digest)
    offices = [person(Role.VILLAGE_OFFICE, village) for village in (one, two)]
    for _waiting in stages(world):
        mine = [Incident.objects.visible_to(office).count() for office in offices]
        assert mine == [0, 1]


def test_a_worker_killed_in_a_batch_loses_and_doubles_nothing(world, monkeypatch):
    other = world.places.towns[1]
    cases = [in_grid(world, world.places.grids[2]) for _n in range(4)]
    carried_out(world, move(world.places.villages[1], other))
    for place in ("_bring", "_given"):
        before = rows()
        with monkeypatch.context() as broken:
            broken.setattr(moving, place, after(getattr(moving, place)))
            with pytest.raises(PowerCut):
                following.bring_along(batches=9)
        assert rows() == before
        assert following.bring_along(batches=1) == 1
    for _stage in stages(world):
        pass
    lines = Event.objects.filter(action="follow_area")
    assert sorted(lines.values_list("incident", flat=True)) == sorted(case.pk for case in cases)
    assert reported(world, figures.NEW) == [0, 4]


class PowerCut(BaseException):
    """No error anybody handles: the process is gone."""


def after(verb: Any) -> Any:
    def cut(*args: Any, **kwargs: Any) -> None:
        verb(*args, **kwargs)
        raise PowerCut

    return cut


def rows() -> list[Any]:
    return [
        sorted(Incident.objects.values_list("pk", "town", "village", "last_seq")),
        sorted(TrailingCase.objects.values_list()),
        Event.objects.count(),
    ]


def test_a_case_opened_again_on_the_way_follows_like_the_others(world):
    own, other = world.places.towns
    case = in_grid(world, world.places.grids[2])
    carried_out(world, move(world.places.villages[1], other))
    Incident.objects.filter(pk=case.pk).update(state="pending", ended_at=None)
    for _waiting in stages(world):
        assert (listed(own), listed(other)) == (set(), {case.pk})
        assert reported(world, figures.NEW) == [0, 1]


def test_what_was_reported_while_an_act_ran_is_listed_at_once_where_it_belongs(world):
    own, other = world.places.towns
    carried_out(world, move(world.places.villages[1], other))
    late = in_grid(world, world.places.grids[2], ended=False)
    Incident.objects.filter(pk=late.pk).update(town=own)
    assert (listed(own), listed(other)) == (set(), {late.pk})
    assert following.settle_due(now=timezone.now() + timedelta(minutes=2)) == 1
    assert Incident.objects.get(pk=late.pk).town_id == other.pk


def test_a_scope_is_read_in_one_query_with_what_is_on_its_way(world, django_assert_num_queries):
    carried_out(world, move(world.places.villages[1], world.places.towns[1]))
    with django_assert_num_queries(1):
        scope = Scope.for_user(world.town_admin)
    assert [gone.area_id for gone in scope.trailing] == [world.places.villages[1].pk]
