"""Cases and figures when the territory is reordered: nothing is lost, nothing counted twice."""

from collections import Counter
from datetime import timedelta
from threading import Barrier, Thread
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from grids import moves
from grids.factories import person
from grids.models import Area, AreaCode, Level, Reorganisation, Role
from grids.models.reorganisation import ActState, StepKind
from grids.queries import places_of_areas
from grids.queries.codes import area_of_code
from grids.services import following
from grids.services import reorganisation as acts
from grids.services.reorganisation import NewStep
from grids.services.reorganisation_plan import make_plan
from incidents.factories import World, actor
from incidents.models import Event, Figure, FigureDelta, FigureShift, Incident
from incidents.queries import figures
from incidents.services import dispatching, moving
from incidents.services.figures import fold, rebuild

pytestmark = pytest.mark.django_db


def decided(world: World, *steps: NewStep, on: Any = None) -> Reorganisation:
    """Return an act decided by the command centre; carried out unless its day is to come."""
    act = waiting(world, *steps, on=on)
    acts.carry_out_due()
    act.refresh_from_db()
    return act


def waiting(world: World, *steps: NewStep, on: Any = None) -> Reorganisation:
    """Return an act decided by the command centre that the sweep has not seen yet."""
    act = acts.draft(
        actor=person(Role.SYSTEM_ADMIN, world.county),
        title="区划调整",
        effective_on=on or timezone.localdate(),
        steps=steps,
    )
    acts.submit(act_id=act.pk, actor=act.drafted_by, seen=act.version)
    act.refresh_from_db()
    return acts.decide(act_id=act.pk, actor=world.command, seen=act.version, approve=True)


def merge(old: Area, new: Area) -> NewStep:
    return NewStep(kind=StepKind.MERGE_VILLAGES, subject=old, target=new)


def move(village: Area, town: Area) -> NewStep:
    return NewStep(kind=StepKind.MOVE_VILLAGE, subject=village, target=town)


def one_case_in_each_grid(world: World) -> list[Incident]:
    cases = []
    for grid in world.places.grids:
        longitude, latitude = world.places.point_in(grid)
        cases.append(world.report(f"{grid.code}垃圾堆放", longitude=longitude, latitude=latitude))
    return cases


def keys(incident: Incident) -> tuple[int | None, ...]:
    row = Incident.objects.get(pk=incident.pk)
    return row.county_id, row.town_id, row.village_id, row.grid_id, row.unit_id, row.area_id


def reported(towns: list[Area], map: str) -> dict[str, int]:
    today = timezone.localdate()
    found = figures.by_town([Area.objects.get(level="county")], today, today, map=map)
    return {town.name: found.get(town.pk, {}).get("reported", 0) for town in towns}


def test_open_cases_go_along_with_their_grid_and_say_so(world):
    kept, gone = world.places.villages[:2]
    case = one_case_in_each_grid(world)[2]
    decided(world, merge(gone, kept))
    assert keys(case)[2:4] == (kept.pk, world.places.grids[2].pk)
    assert case.events.order_by("-seq").first().action == "follow_area"


def test_cases_of_the_village_itself_and_its_own_work_go_to_the_one_that_took_it_in(world):
    kept, gone = world.places.villages[:2]
    case = world.dispatched(gone, area=gone)
    decided(world, merge(gone, kept))
    case.refresh_from_db()
    assert (case.area_id, case.village_id, case.owner_area_id) == (kept.pk, kept.pk, kept.pk)


def test_ended_cases_go_along_without_a_line_unless_their_town_changes(world):
    gone, other = world.places.villages[1], world.places.towns[1]
    case = world.pending(area=gone)
    dispatching.leave(
        incident_id=case.pk, actor=actor(world.command), road="out_of_remit", note="不归本县管"
    )
    decided(world, merge(gone, world.village))
    rows = Event.objects.filter(incident=case, action="follow_area")
    assert not rows.exists()
    decided(world, move(world.village, other))
    assert rows.get().data["moved"] == {"from": world.town.pk, "to": other.pk}


def test_who_filled_in_a_form_meanwhile_is_not_refused(world):
    kept, gone = world.places.villages[:2]
    case = world.dispatched(gone, area=gone)
    seen = case.version
    office = person(Role.VILLAGE_OFFICE, gone)
    decided(world, merge(gone, kept))
    acts_on = actor(office)
    dispatching.remark(incident_id=case.pk, actor=acts_on, note="已到现场看过")
    case.refresh_from_db()
    assert case.version == seen + 1


def test_figures_are_read_by_the_old_map_or_the_new(world):
    one_case_in_each_grid(world)
    fold()
    towns = world.places.towns
    decided(world, move(world.places.villages[1], towns[1]))
    assert list(reported(towns, figures.OLD).values()) == [4, 4]
    assert list(reported(towns, figures.NEW).values()) == [2, 6]


def test_a_merged_town_keeps_its_past_on_the_old_map_and_gives_it_up_on_the_new(world):
    one_case_in_each_grid(world)
    towns = world.places.towns
    step = NewStep(kind=StepKind.MERGE_TOWNS, subject=towns[1], target=towns[0])
    decided(world, step)
    today = timezone.localdate()
    assert list(reported(towns, figures.OLD).values()) == [4, 4]
    assert list(reported(towns, figures.NEW).values()) == [8, 0]
    of_kept = figures.day_figures([towns[0]], today, today, map=figures.NEW)
    assert of_kept["reported"] == 8


def test_what_was_counted_is_never_rewritten(world):
    one_case_in_each_grid(world)
    fold()
    before = set(Figure.objects.filter(day=timezone.localdate()).values_list())
    decided(world, move(world.places.villages[1], world.places.towns[1]))
    fold()
    assert before <= set(Figure.objects.values_list())


def test_a_case_moved_by_hand_left_its_past_behind(world):
    case = one_case_in_each_grid(world)[4]
    own, other = world.places.towns
    dispatching.triage(
        incident_id=case.pk,
        actor=actor(world.command),
        category=world.rubbish,
        area=world.places.villages[1],
        send=False,
    )
    decided(world, move(world.places.villages[1], other))
    assert reported([own, other], figures.NEW) == {own.name: 2, other.name: 6}


def test_following_twice_changes_nothing_more(world):
    cases = one_case_in_each_grid(world)
    act = decided(world, move(world.places.villages[1], world.places.towns[1]))
    events, shifts = Event.objects.count(), list(FigureShift.objects.values_list())
    village = Area.objects.get(pk=world.places.villages[1].pk)
    areas = {area.pk: area.pk for area in Area.objects.inside(village)}
    assert moving.follow(areas, on=act.effective_on, actor=None) == {"open": 0, "past": 0}
    assert (Event.objects.count(), list(FigureShift.objects.values_list())) == (events, shifts)
    assert keys(cases[2])[1] == world.places.towns[1].pk


def test_a_report_written_while_the_act_ran_follows_a_minute_later(world):
    act = decided(world, move(world.places.villages[1], world.places.towns[1]))
    late = one_case_in_each_grid(world)[2]
    Incident.objects.filter(pk=late.pk).update(town=world.town)
    assert following.settle_due() == 0
    assert act.trailing.count() == 1
    assert following.settle_due(now=timezone.now() + timedelta(minutes=2)) == 1
    assert keys(late)[1] == world.places.towns[1].pk
    assert not act.trailing.exists()


def test_an_act_that_breaks_half_way_changes_nothing(world, monkeypatch):
    one_case_in_each_grid(world)
    kept, gone = world.places.villages[:2]
    tomorrow = timezone.localdate() + timedelta(days=1)
    act = decided(world, merge(gone, kept), on=tomorrow)
    before = _everything()
    for line in ("_change_tree", "let_follow"):
        with monkeypatch.context() as broken:
            broken.setattr(acts, line, _after(getattr(acts, line)))
            with pytest.raises(_PowerCut):
                acts.carry_out_due(today=tomorrow)
        assert _everything() == before
    with monkeypatch.context() as broken:
        broken.setattr(moves, "follow", _after(moves.follow))
        with pytest.raises(_PowerCut):
            acts.carry_out_due(today=tomorrow)
    assert _everything() == before
    assert acts.carry_out_due(today=tomorrow) == 1
    act.refresh_from_db()
    assert act.state == ActState.CARRIED_OUT


class _PowerCut(BaseException):
    """No error anybody handles: the process is gone."""


def _after(verb: Any) -> Any:
    def cut(*args: Any, **kwargs: Any) -> None:
        verb(*args, **kwargs)
        raise _PowerCut

    return cut


def _everything() -> list[Any]:
    tables = (Area.objects.defer("boundary", "outline", "centre"), AreaCode, Reorganisation)
    rows: list[Any] = [list(Area.objects.values_list("pk", "path", "code", "closed_on"))]
    rows += [list(table.objects.order_by("pk").values_list()) for table in tables[1:]]
    rows += [list(m.objects.order_by("pk").values_list()) for m in (Event, FigureDelta)]
    return [*rows, sorted(Incident.objects.values_list("pk", "village", "grid", "version"))]


@pytest.mark.django_db(transaction=True)
def test_of_workers_who_wake_at_once_one_carries_an_act_out(world):
    one_case_in_each_grid(world)
    kept, gone = world.places.villages[:2]
    waiting(world, merge(gone, kept))
    told: list[int] = []
    start = Barrier(3)

    def wake() -> None:
        start.wait()
        told.append(acts.carry_out_due())
        connection.close()

    threads = [Thread(target=wake) for _n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(told) == [0, 0, 1]
    assert Event.objects.filter(action="follow_area").count() == 2


@pytest.mark.django_db(transaction=True)
def test_cases_are_worked_on_while_an_act_runs(world):
    cases = one_case_in_each_grid(world)
    kept, gone = world.places.villages[:2]
    waiting(world, merge(gone, kept))
    errors: list[Exception] = []

    def work() -> None:
        try:
            for case in cases * 3:
                who = actor(world.command)
                dispatching.remark(incident_id=case.pk, actor=who, note="继续跟进")
        except Exception as error:  # what anybody would see
            errors.append(error)
        finally:
            connection.close()

    thread = Thread(target=work)
    thread.start()
    while acts.carry_out_due() == 0:
        pass
    thread.join()
    assert not errors
    assert _keys_follow_the_tree()


# Any act, any order


@st.composite
def orders(draw: st.DrawFn) -> list[tuple[str, int, int, int]]:
    """Return steps as numbers: kind, subject, target, code; each act has one to three of them."""
    number = st.integers(0, 7)
    step = st.tuples(st.sampled_from(StepKind.values), number, number, st.integers(1, 12))
    return draw(st.lists(st.lists(step, min_size=1, max_size=3), min_size=1, max_size=3))


def _step(kind: str, subject: int, target: int, code: int) -> NewStep | None:
    towns = list(Area.objects.open().filter(level=Level.TOWN))
    villages = list(Area.objects.open().filter(level=Level.VILLAGE))
    town, village = towns[subject % len(towns)], villages[subject % len(villages)]
    into, under = villages[target % len(villages)], towns[target % len(towns)]
    if kind == StepKind.MERGE_VILLAGES:
        return merge(village, into) if village != into else None
    if kind == StepKind.MOVE_VILLAGE:
        return move(village, under)
    if kind == StepKind.MERGE_TOWNS:
        return NewStep(kind=kind, subject=town, target=under) if town != under else None
    if kind == StepKind.RENAME:
        return NewStep(kind=kind, subject=village, new_name=f"新名{code}村")
    if kind == StepKind.RECODE_TOWN:
        return NewStep(kind=kind, subject=town, new_code=f"{town.code[:6]}{code:03}")
    return NewStep(kind=kind, subject=village, new_code=f"{village.code[:9]}{code:03}")


@given(given_acts=orders())
@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_any_acts_in_any_order_leave_the_territory_sound(world, given_acts):
    with transaction.atomic():
        one_case_in_each_grid(world)
        by_hand = world.dispatched(world.places.villages[1], area=world.places.villages[1])
        codes = dict(Area.objects.values_list("code", "pk"))
        drafter = person(Role.SYSTEM_ADMIN, world.county)
        for numbers in given_acts:
            steps = [step for step in (_step(*given) for given in numbers) if step]
            if not steps:
                continue
            act = acts.draft(
                actor=drafter, title="任意", effective_on=timezone.localdate(), steps=steps
            )
            if make_plan(act).problems:
                acts.withdraw(act_id=act.pk, actor=drafter, seen=act.version, note="有冲突")
                continue
            act = acts.submit(act_id=act.pk, actor=drafter, seen=act.version)
            acts.decide(act_id=act.pk, actor=world.command, seen=act.version, approve=True)
            assert acts.carry_out_due() == 1
            codes |= dict(Area.objects.values_list("code", "pk"))
        _assert_sound_tree()
        _assert_codes(codes)
        assert _keys_follow_the_tree()
        _assert_figures(by_hand, world.town)
        transaction.set_rollback(True)


def _assert_sound_tree() -> None:
    areas = {area.path: area for area in Area.objects.defer("boundary", "outline", "centre")}
    children: Counter[str] = Counter(path[:-4] for path in areas)
    for path, area in areas.items():
        assert area.numchild == children[path]
        if area.level == Level.COUNTY:
            continue
        parent = areas[path[:-4]]
        if area.closed_on is None:
            assert parent.closed_on is None
            assert area.code.startswith(parent.code)
        if area.level == Level.GRID:
            assert parent.level == Level.VILLAGE
    assert len({area.code for area in areas.values()}) == len(areas)


def _assert_codes(codes: dict[str, int]) -> None:
    """Every open area has its one code in force; every code of before leads to its heir."""
    into = dict(Area.objects.values_list("pk", "merged_into_id"))
    now = dict(Area.objects.open().values_list("code", "pk"))
    rows = AreaCode.objects.filter(valid__endswith=None, valid__isempty=False)
    assert dict(rows.values_list("code", "area")) == now
    for code, pk in codes.items():
        while into[pk]:
            pk = into[pk]
        found = area_of_code(code)
        assert found is not None
        assert found.pk == now.get(code, pk)


def _keys_follow_the_tree() -> bool:
    cases = list(Incident.objects.all())
    places = places_of_areas({case.area_id for case in cases})
    levels = ("county", "town", "village", "grid", "unit")
    return all(
        getattr(case, f"{level}_id") == getattr(places[case.area_id], f"{level}_id")
        for case in cases
        for level in levels
    )


def _assert_figures(by_hand: Incident, reported_in: Area) -> None:
    county, today = [Area.objects.get(level=Level.COUNTY)], timezone.localdate()
    old = figures.by_town(county, today, today, map=figures.OLD)
    new = figures.by_town(county, today, today, map=figures.NEW)
    assert _total(old) == _total(new)
    lying = Counter(Incident.objects.values_list("town", flat=True))
    # Moved by hand before the acts, it was counted where it was reported.
    counted = Counter(Incident.objects.exclude(pk=by_hand.pk).values_list("town", flat=True))
    home = Area.objects.get(pk=reported_in.pk)
    counted[home.merged_into_id or home.pk] += 1
    found = {town: counts.get("reported", 0) for town, counts in new.items()}
    assert {town: n for town, n in found.items() if n} == dict(counted)
    states = {town.pk: figures.state_counts([town]) for town in Area.objects.filter(level="town")}
    assert {pk: sum(counts.values()) for pk, counts in states.items() if any(counts.values())} == {
        **lying
    }
    rebuild()
    assert figures.by_town(county, today, today, map=figures.OLD) == old


def _total(towns: dict[Any, dict[str, int]]) -> Counter[str]:
    total: Counter[str] = Counter()
    for counts in towns.values():
        total.update(counts)
    return total
