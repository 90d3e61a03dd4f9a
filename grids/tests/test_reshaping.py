"""A day's work on the map: add, draw, split, merge, move, close and open grids and units."""

from datetime import timedelta

import pytest
from django.contrib.gis.geos import GEOSGeometry, LineString, MultiPolygon, Polygon
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from core.errors import Conflict, Invalid, NotAllowed
from core.models import AuditEntry
from grids.factories import CORNER, SIDE, SmallCounty, person, post
from grids.models import Area, AreaCode, GridKind, GridTheme, Posting, Role, ThemeDuty
from grids.queries import place_of_point
from grids.queries.codes import area_of_code
from grids.services import network, reshaping
from grids.services.reshaping import Described, Doubtful

RURAL = Described("新网格", GridKind.RURAL)


def box(west: float, south: float, east: float, north: float) -> bytes:
    """A rectangle in sides of a grid, counted from the county's corner."""
    x, y = CORNER
    shape = Polygon.from_bbox(
        (x + west * SIDE, y + south * SIDE, x + east * SIDE, y + north * SIDE)
    )
    return bytes(MultiPolygon(shape, srid=4326).wkb)


def line(*points: tuple[float, float]) -> bytes:
    x, y = CORNER
    return bytes(LineString([(x + dx * SIDE, y + dy * SIDE) for dx, dy in points]).wkb)


def fresh(area: Area) -> Area:
    return Area.objects.get(pk=area.pk)


def size(*areas: Area) -> float:
    return sum(fresh(area).boundary.area for area in areas)


@pytest.fixture
def admin(county: SmallCounty):
    """The admin of the first town."""
    return person(Role.TOWN_ADMIN, county.towns[0])


# ------------------------------------------------------------------ adding and describing


def test_a_new_grid_gets_the_next_free_code_of_its_village(county, admin):
    grid = reshaping.add_grid(village_id=county.villages[0].pk, described=RURAL, actor=admin)
    assert grid.code == f"{county.villages[0].code}003"
    assert grid.path.startswith(county.villages[0].path)
    assert fresh(county.villages[0]).numchild == 3
    assert area_of_code(grid.code) == grid


def test_a_code_that_was_ever_given_is_never_given_again(county, admin):
    village = county.villages[0]
    gone = reshaping.add_grid(village_id=village.pk, described=RURAL, actor=admin)
    kept = county.grids[0]
    reshaping.merge(kept_id=kept.pk, other_ids=[gone.pk], actor=admin, seen=None)
    again = reshaping.add_grid(village_id=village.pk, described=RURAL, actor=admin)
    assert again.code == f"{village.code}004"


def test_a_unit_gets_two_digits_more(county, admin):
    unit = reshaping.add_unit(grid_id=county.grids[0].pk, described=Described("二组"), actor=admin)
    assert unit.code == f"{county.grids[0].code}02"


@pytest.mark.parametrize(
    ("described", "field"),
    [
        (Described("  ", GridKind.RURAL), "name"),
        (Described("长" * 101, GridKind.RURAL), "name"),
        (Described("网格"), "grid_kind"),
        (Described("网格", "other"), "grid_kind"),
        (Described("医院网格", GridKind.DEDICATED), "organisation"),
    ],
)
def test_a_grid_that_is_not_described_well_is_refused(county, admin, described, field):
    with pytest.raises(Invalid) as error:
        reshaping.add_grid(village_id=county.villages[0].pk, described=described, actor=admin)
    assert list(error.value.errors) == [field]


def test_a_dedicated_grid_names_who_runs_it(county, admin):
    hospital = Described("医院网格", GridKind.DEDICATED, "县人民医院")
    area = reshaping.describe(
        area_id=county.grids[0].pk, described=hospital, actor=admin, seen=None
    )
    assert (area.name, area.organisation) == ("医院网格", "县人民医院")
    entry = AuditEntry.objects.latest("pk")
    assert (entry.action, entry.subject_id) == ("area_described", area.pk)
    assert entry.data["changed"] == ["kind", "name", "organisation"]


# ------------------------------------------------------------------ drawing


def test_a_boundary_that_fits_is_stored_with_its_outline_and_centre(county, admin):
    grid = reshaping.draw(
        area_id=county.grids[0].pk, shape=box(0, 0, 0.5, 1), actor=admin, seen=None
    )
    assert grid.boundary.area == pytest.approx(SIDE * SIDE / 2)
    assert grid.outline.covers(grid.centre)
    assert size(county.villages[0]) == pytest.approx(2 * SIDE * SIDE)  # nothing else changes


def test_an_overlap_is_told_with_its_size_and_not_saved(county, admin):
    with pytest.raises(Doubtful) as doubt:
        reshaping.draw(area_id=county.grids[0].pk, shape=box(0, 0, 1.1, 1), actor=admin, seen=None)
    (overlap,) = doubt.value.report.overlaps
    assert overlap.area_id == county.grids[1].pk
    # A tenth of a square of about 928 m × 1,109 m.
    assert overlap.square_metres == pytest.approx(102_900, rel=0.01)
    assert size(county.grids[0]) == pytest.approx(SIDE * SIDE)


def test_what_lies_outside_the_village_is_told_with_its_size(county, admin):
    with pytest.raises(Doubtful) as doubt:
        reshaping.draw(area_id=county.grids[0].pk, shape=box(-0.1, 0, 1, 1), actor=admin, seen=None)
    assert doubt.value.report.outside == pytest.approx(102_900, rel=0.01)
    assert doubt.value.report.overlaps == ()


def test_it_is_saved_all_the_same_once_somebody_accepts_exactly_this(county, admin):
    shape = box(0, 0, 1.1, 1)
    draw = {"area_id": county.grids[0].pk, "actor": admin, "seen": None}
    with pytest.raises(Doubtful) as doubt:
        reshaping.draw(shape=shape, **draw)
    with pytest.raises(Doubtful):  # another shape was not looked at
        reshaping.draw(shape=box(0, 0, 1.2, 1), accept=doubt.value.report.digest, **draw)
    grid = reshaping.draw(shape=shape, accept=doubt.value.report.digest, **draw)
    assert grid.boundary.area == pytest.approx(1.1 * SIDE * SIDE)


def test_units_cut_off_by_their_grid_s_new_boundary_are_told(county, admin):
    reshaping.draw(area_id=county.unit.pk, shape=box(0, 0, 0.5, 1), actor=admin, seen=None)
    with pytest.raises(Doubtful) as doubt:
        reshaping.draw(area_id=county.grids[0].pk, shape=box(0.5, 0, 1, 1), actor=admin, seen=None)
    assert doubt.value.report.below == pytest.approx(514_000, rel=0.01)


def test_who_looked_at_an_older_state_is_told_so(county, admin):
    seen = fresh(county.grids[0]).version
    reshaping.draw(area_id=county.grids[0].pk, shape=box(0, 0, 0.5, 1), actor=admin, seen=seen)
    with pytest.raises(Conflict):
        reshaping.describe(area_id=county.grids[0].pk, described=RURAL, actor=admin, seen=seen)


# ------------------------------------------------------------------ splitting and merging


def test_a_line_across_splits_a_grid_and_the_largest_part_keeps_the_code(county, admin):
    before, grid = size(county.grids[0]), county.grids[0]
    parts = reshaping.split(
        area_id=grid.pk,
        line=line((0.3, -1), (0.3, 2)),
        names=["西网格"],
        actor=admin,
        seen=None,
    )
    assert [part.code for part in parts] == [grid.code, f"{county.villages[0].code}003"]
    assert [part.name for part in parts] == [grid.name, "西网格"]
    assert parts[0].boundary.area == pytest.approx(0.7 * SIDE * SIDE)
    assert size(*parts) == pytest.approx(before)
    assert parts[0].boundary.intersection(parts[1].boundary).area == 0
    assert parts[0].boundary.union(parts[1].boundary).sym_difference(
        fresh(county.villages[0]).boundary.intersection(GEOSGeometry(memoryview(box(0, 0, 1, 1))))
    ).area == pytest.approx(0, abs=1e-14)


def test_units_go_to_the_part_their_middle_lies_in(county, admin):
    reshaping.draw(area_id=county.unit.pk, shape=box(0, 0, 0.2, 1), actor=admin, seen=None)
    _kept, west = reshaping.split(
        area_id=county.grids[0].pk,
        line=line((0.3, -1), (0.3, 2)),
        names=["西网格"],
        actor=admin,
        seen=None,
    )
    unit = fresh(county.unit)
    assert unit.path.startswith(west.path)
    assert unit.code == f"{west.code}01"
    assert area_of_code(county.unit.code) == unit
    assert (fresh(county.grids[0]).numchild, west.numchild) == (0, 1)


@pytest.mark.parametrize("points", [((0.2, 0.2), (0.8, 0.8)), ((5, 5), (6, 6)), ((0, 0), (1, 0))])
def test_a_line_that_does_not_cut_is_refused(county, admin, points):
    with pytest.raises(Invalid) as error:
        reshaping.split(
            area_id=county.grids[0].pk, line=line(*points), names=["西"], actor=admin, seen=None
        )
    assert list(error.value.errors) == ["line"]


def test_every_new_part_needs_a_name(county, admin):
    zigzag = line((0.3, -1), (0.3, 2), (0.6, 2), (0.6, -1))
    with pytest.raises(Invalid) as error:
        reshaping.split(
            area_id=county.grids[0].pk, line=zigzag, names=["一"], actor=admin, seen=None
        )
    assert list(error.value.errors) == ["names"]


def test_merged_grids_are_closed_and_their_codes_lead_to_the_one_kept(county, admin):
    kept, other = county.grids[1], county.grids[0]
    merged = reshaping.merge(kept_id=kept.pk, other_ids=[other.pk], actor=admin, seen=None)
    assert merged.boundary.area == pytest.approx(2 * SIDE * SIDE)
    assert fresh(other).closed_on == timezone.localdate()
    assert area_of_code(other.code) == kept
    assert area_of_code(other.code, on=timezone.localdate() - timedelta(days=1)) is None
    unit = fresh(county.unit)
    assert unit.path.startswith(kept.path)
    assert unit.code == f"{kept.code}01"
    middle = county.point_in(other)
    assert place_of_point(longitude=middle[0], latitude=middle[1]).grid_id == kept.pk


def test_closed_units_go_along_with_their_grid_and_keep_their_codes(county, admin):
    kept, other = county.grids[1], county.grids[0]
    reshaping.close(area_id=county.unit.pk, actor=admin, seen=None)
    code = county.unit.code
    reshaping.merge(kept_id=kept.pk, other_ids=[other.pk], actor=admin, seen=None)
    unit = fresh(county.unit)
    assert unit.path.startswith(kept.path)
    assert (unit.code, area_of_code(code)) == (code, unit)
    assert (fresh(kept).numchild, fresh(other).numchild) == (1, 0)


def test_who_worked_in_a_merged_grid_works_in_the_one_kept(county, admin):
    kept, other = county.grids[0], county.grids[1]
    both = person(Role.GRID_WORKER, other)
    post(both, Role.GRID_WORKER, kept)
    one = person(Role.GRID_WORKER, other)
    theme = GridTheme.objects.create(code="t-party", name="测试条线")
    network.give_duty(grid_id=other.pk, theme=theme, user=one, actor=admin)
    reshaping.merge(kept_id=kept.pk, other_ids=[other.pk], actor=admin, seen=None)
    for user in (both, one):
        assert [p.area_id for p in Posting.objects.current().filter(user=user)] == [kept.pk]
    assert [d.grid_id for d in ThemeDuty.objects.current()] == [kept.pk]


def test_grids_of_two_villages_are_not_merged(county, admin):
    with pytest.raises(Invalid) as error:
        reshaping.merge(
            kept_id=county.grids[0].pk, other_ids=[county.grids[2].pk], actor=admin, seen=None
        )
    assert list(error.value.errors) == ["others"]


# ------------------------------------------------------------------ moving


def moved(county, admin) -> Area:
    grid, village = county.grids[0], county.villages[1]
    where = {"area_id": grid.pk, "village_id": village.pk, "actor": admin, "seen": None}
    with pytest.raises(Doubtful) as doubt:
        reshaping.move(**where)
    return reshaping.move(**where, accept=doubt.value.report.digest)


def test_a_moved_grid_gets_a_code_of_its_new_village_and_its_units_too(county, admin):
    grid, unit = county.grids[0], county.unit
    after = moved(county, admin)
    assert after.code == f"{county.villages[1].code}003"
    assert fresh(unit).code == f"{after.code}01"
    assert fresh(unit).path.startswith(after.path)
    assert (fresh(county.villages[0]).numchild, fresh(county.villages[1]).numchild) == (1, 3)
    for old, area in ((grid.code, after), (unit.code, unit)):
        assert area_of_code(old) == area


def test_the_old_code_ends_on_the_day_the_new_one_begins(county, admin):
    AreaCode.objects.update(valid=(timezone.localdate() - timedelta(days=30), None))
    after = moved(county, admin)
    today = timezone.localdate()
    old = county.grids[0].code
    assert area_of_code(old, on=today - timedelta(days=1)) == after
    assert area_of_code(old, on=today) is None
    assert area_of_code(after.code, on=today) == after


def test_a_grid_stays_in_its_town(county):
    with pytest.raises(Invalid) as error:
        reshaping.move(
            area_id=county.grids[0].pk, village_id=county.villages[2].pk, actor=None, seen=None
        )
    assert list(error.value.errors) == ["village"]


# ------------------------------------------------------------------ closing and reopening


def test_an_empty_unit_is_closed_and_opened_again_with_its_code(county, admin):
    unit = reshaping.close(area_id=county.unit.pk, actor=admin, seen=None)
    assert unit.closed_on == timezone.localdate()
    assert area_of_code(unit.code) == unit
    with pytest.raises(Conflict):
        reshaping.close(area_id=unit.pk, actor=admin, seen=None)
    again = reshaping.reopen(area_id=unit.pk, actor=admin, seen=None)
    assert (again.closed_on, again.code) == (None, unit.code)
    assert area_of_code(unit.code, on=timezone.localdate()) == unit


def test_what_stands_in_the_way_of_closing_is_named(county, admin):
    person(Role.GRID_WORKER, county.grids[0])
    with pytest.raises(Conflict) as refused:
        reshaping.close(area_id=county.grids[0].pk, actor=admin, seen=None)
    assert "1 个下级区域" in str(refused.value)
    assert "1 名在岗人员" in str(refused.value)
    assert fresh(county.grids[0]).closed_on is None


def test_a_merged_grid_is_not_opened_again(county, admin):
    kept, other = county.grids[0], county.grids[1]
    reshaping.merge(kept_id=kept.pk, other_ids=[other.pk], actor=admin, seen=None)
    with pytest.raises(Conflict):
        reshaping.reopen(area_id=other.pk, actor=admin, seen=None)


# ------------------------------------------------------------------ who may


@pytest.mark.parametrize("role", [Role.VILLAGE_OFFICE, Role.GRID_CHIEF])
def test_others_inside_the_town_may_not(county, role):
    place = county.villages[0] if role == Role.VILLAGE_OFFICE else county.grids[0]
    with pytest.raises(NotAllowed):
        reshaping.add_grid(
            village_id=county.villages[0].pk, described=RURAL, actor=person(role, place)
        )


def test_a_town_admin_keeps_the_town_only(county, admin):
    there = county.grids[4]
    calls = [
        lambda: reshaping.describe(area_id=there.pk, described=RURAL, actor=admin, seen=None),
        lambda: reshaping.draw(area_id=there.pk, shape=box(0, 1, 1, 2), actor=admin, seen=None),
        lambda: reshaping.close(area_id=there.pk, actor=admin, seen=None),
        lambda: reshaping.merge(
            kept_id=county.grids[0].pk, other_ids=[there.pk], actor=admin, seen=None
        ),
        lambda: reshaping.move(
            area_id=county.grids[0].pk,
            village_id=county.villages[2].pk,
            actor=admin,
            seen=None,
        ),
    ]
    for call in calls:
        with pytest.raises(NotAllowed):
            call()


@pytest.mark.parametrize("role", [Role.COMMAND, Role.SYSTEM_ADMIN])
def test_the_county_s_keepers_may_everywhere(county, role):
    keeper = person(role, county.county)
    grid = reshaping.add_grid(village_id=county.villages[3].pk, described=RURAL, actor=keeper)
    assert AuditEntry.objects.get(action="area_added", subject_id=grid.pk).actor == keeper


# ------------------------------------------------------------------ what the database says itself


def test_the_database_refuses_a_grid_straight_below_a_town(county):
    grid, town = county.grids[1], county.towns[0]
    with pytest.raises(IntegrityError), transaction.atomic():
        Area.objects.filter(pk=grid.pk).update(path=f"{town.path}0009", depth=town.depth + 1)


def test_the_database_refuses_to_leave_children_behind(county):
    village = county.villages[0]
    with pytest.raises(IntegrityError), transaction.atomic():
        Area.objects.filter(pk=village.pk).update(path=f"{county.towns[1].path}0009")
    with connection.cursor() as cursor, pytest.raises(IntegrityError), transaction.atomic():
        cursor.execute("DELETE FROM grids_area WHERE id = %s", [village.pk])


def test_the_version_counts_what_people_look_at_and_nothing_else(county):
    grid = fresh(county.grids[0])
    Area.objects.filter(pk=grid.pk).update(numchild=grid.numchild)
    assert fresh(grid).version == grid.version
    Area.objects.filter(pk=grid.pk).update(name="改名")
    assert fresh(grid).version == grid.version + 1
