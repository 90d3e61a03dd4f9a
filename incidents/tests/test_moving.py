"""Cases go along when areas merge or move, and open ones stand against closing."""

from datetime import date

import pytest
from django.contrib.gis.geos import LineString
from django.db.models import Sum
from django.utils.timezone import localdate

from grids import closing, moves
from grids.models import Area, Role
from grids.queries import place_of_area
from grids.services import reshaping
from incidents.factories import World
from incidents.models import Event, Figure, FigureDelta, Incident, Notice
from incidents.models.figures import GAUGE_DAY
from incidents.services import figures

DAY = date(2026, 11, 1)


def into(old, new) -> dict[str, int]:
    """The area ``old`` is merged into ``new``."""
    Area.objects.filter(pk=old.pk).update(closed_on=DAY, merged_into=new)
    return moves.follow({old.pk: new.pk}, on=DAY, actor=None)


def gauge(town) -> int:
    return (
        FigureDelta.objects.filter(town=town, day=GAUGE_DAY, metric__startswith="state:").aggregate(
            n=Sum("n")
        )["n"]
        or 0
    )


def test_open_and_past_cases_lie_in_the_grid_that_took_theirs_in(world: World):
    case = world.report()
    neighbour = world.places.grids[2]  # in the next village of the same town
    assert into(world.grid, neighbour)["incidents:open"] == 1
    case.refresh_from_db()
    assert (case.area_id, case.grid_id) == (neighbour.pk, neighbour.pk)
    assert case.village_id == world.places.villages[1].pk
    assert case.town_id == world.town.pk


def test_the_owner_and_what_was_told_there_go_along(world: World):
    case = world.dispatched(world.grid)
    Notice.objects.create(
        key="k",
        kind="assigned",
        role=Role.GRID_WORKER,
        area=world.grid,
        created_at=case.reported_at,
    )
    neighbour = world.places.grids[1]
    into(world.grid, neighbour)
    case.refresh_from_db()
    assert case.owner_area_id == neighbour.pk
    assert not Notice.objects.filter(area=world.grid).exists()


def test_an_open_case_says_so_on_its_timeline_and_nobody_s_form_is_spoiled(world: World):
    case = world.report()
    into(world.grid, world.places.grids[1])
    after = Incident.objects.get(pk=case.pk)
    line = Event.objects.get(incident=case, seq=after.last_seq)
    assert line.action == "follow_area"
    assert line.to_state == after.state
    assert after.version == Incident.objects.get(pk=case.pk).version == case.version


def test_a_case_that_changes_its_town_takes_its_gauge_along_and_figures_count_the_same_again(
    world: World,
):
    case = world.report()
    before, there = gauge(world.town), world.places.grids[4]
    into(world.grid, there)
    other = world.places.towns[1]
    assert (gauge(world.town), gauge(other)) == (before - 1, 1)
    figures.fold()
    kept = {(f.town_id, f.day, f.metric): f.n for f in Figure.objects.exclude(n=0)}
    figures.rebuild()
    assert {(f.town_id, f.day, f.metric): f.n for f in Figure.objects.all()} == kept
    assert kept[world.town.pk, localdate(case.reported_at), "reported"] == 1


def test_cases_of_other_areas_stay(world: World):
    case = world.report()
    into(world.places.grids[3], world.places.grids[1])
    case.refresh_from_db()
    assert case.grid_id == world.grid.pk


def test_a_dry_run_counts_the_same_and_changes_nothing(world: World):
    world.report()
    counted = moves.counts({world.grid.pk: world.places.grids[1].pk})
    assert {"incidents:open": 1, "incidents:past": 0}.items() <= {
        tally.key: tally.n for tally in counted
    }.items()
    assert place_of_area(world.grid).grid_id == Incident.objects.get().grid_id


@pytest.mark.parametrize("owned", [False, True])
def test_open_cases_stand_against_closing_their_grid(world: World, owned):
    before = closing.obstacles(world.grid)
    world.dispatched(world.grid) if owned else world.report()
    assert set(closing.obstacles(world.grid)) - set(before) == {"1 件未办结事件"}


def test_a_case_elsewhere_that_people_of_the_area_have_in_hand_goes_on_with_their_heirs(
    world: World,
):
    gone, kept = world.places.villages[:2]
    case = world.dispatched(gone, area=kept)
    into(gone, kept)
    case.refresh_from_db()
    assert (case.owner_area_id, case.area_id) == (kept.pk, kept.pk)


def test_open_cases_are_told_once_what_their_area_is_called_now(world: World):
    case, elsewhere = world.report(), world.pending(area=world.places.villages[2])
    told = {
        world.town.pk: ("东关镇 419901001", "东关街道 419901101"),
        world.places.villages[0].pk: ("大王庄村 419901001001", "大王庄社区 419901101001"),
    }
    assert moves.tell(told) == 1
    line = case.events.latest("seq")
    assert (line.action, line.seq) == ("rename_area", Incident.objects.get(pk=case.pk).last_seq)
    assert line.data["was"] == "东关镇 419901001 · 大王庄村 419901001001"
    assert line.data["now"] == "东关街道 419901101 · 大王庄社区 419901101001"
    assert Incident.objects.get(pk=case.pk).version == case.version
    assert not elsewhere.events.filter(action="rename_area").exists()


def test_of_a_split_grid_open_cases_go_where_their_point_lies_and_stay_in_hand(world: World):
    grid = world.grid
    x, y = world.places.point_in(grid)
    west = world.report(longitude=x - 0.004, latitude=y)
    east = world.report(longitude=x + 0.004, latitude=y)
    bare = world.dispatched(grid)
    Incident.objects.filter(pk=west.pk).update(owner_area=grid)
    Incident.objects.filter(pk=bare.pk).update(location=None)
    across = LineString((x - 0.003, y - 1), (x - 0.003, y + 1)).wkb
    _kept, part = reshaping.split(
        area_id=grid.pk, line=bytes(across), names=["西网格"], actor=None, seen=None
    )
    places = dict(Incident.objects.values_list("pk", "grid"))
    assert (places[west.pk], places[east.pk], places[bare.pk]) == (part.pk, grid.pk, grid.pk)
    west.refresh_from_db()
    assert (west.area_id, west.owner_area_id) == (part.pk, grid.pk)
    assert west.events.latest("seq").data["now"].endswith("西网格")
