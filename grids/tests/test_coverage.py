"""The coverage audit tells every gap, overlap and overhang, and nothing where there is none.

Squares are laid out in metres around a point of the county, so sizes are known beforehand.
"""

import itertools
from io import StringIO

import pytest
from django.contrib.gis.geos import GEOSGeometry, MultiPolygon, Polygon
from django.core.management import CommandError, call_command
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import Conflict, Invalid, NotAllowed
from core.models import AuditEntry
from grids.factories import person, small_county
from grids.models import Area, AuditState, CoverageAudit, CoverageFault, Role
from grids.queries.coverage import covered_share, faults_in, faults_page, last_run
from grids.services import coverage
from grids.services.territory import NewArea, NewBoundary, add_areas, set_boundaries

pytestmark = pytest.mark.django_db

# Degrees of one metre where the tests draw, by the ellipsoid WGS-84 at 33.6° north.
EAST, NORTH = 1 / 92_757.0, 1 / 110_919.0
WEST, SOUTH = 115.5, 33.6


def rectangle(x: float, y: float, wide: float, high: float) -> Polygon:
    """A rectangle in metres from the corner (WEST, SOUTH)."""
    return Polygon.from_bbox(
        (
            WEST + x * EAST,
            SOUTH + y * NORTH,
            WEST + (x + wide) * EAST,
            SOUTH + (y + high) * NORTH,
        )
    )


def draw(code: str, *shapes: Polygon) -> None:
    set_boundaries([NewBoundary(code, bytes(MultiPolygon(*shapes).wkb))], source="test")


class Village:
    """A village of 1,000 m by 1,000 m in a town and a county of the same shape, with grids."""

    def __init__(self) -> None:
        rows = [
            NewArea("419902", "测试县", "county"),
            NewArea("419902001", "测试镇", "town", "419902"),
            NewArea("419902001001", "测试村", "village", "419902001"),
        ]
        add_areas(rows, source="test")
        for row in rows:
            draw(row.code, rectangle(0, 0, 1000, 1000))

    def grid(self, number: int, *shapes: Polygon) -> None:
        code = f"419902001001{number:03}"
        add_areas(
            [NewArea(code, f"第{number}网格", "grid", code[:12], "rural", line=number)],
            source="test",
        )
        if shapes:
            draw(code, *shapes)

    def area(self, code: str = "419902001001") -> Area:
        return Area.objects.get(code=code)


def run(area: Area, **options) -> CoverageAudit:
    """Audit an area to the end, as the worker does."""
    started = coverage.start(area=area, actor=None, **options)
    while coverage.work(at_most=5):
        pass
    started.refresh_from_db()
    assert started.state == AuditState.DONE, started.error
    assert started.done == started.total
    return started


def found(area: Area) -> list[tuple[str, int, bool]]:
    """Return (kind, size in whole m², sliver) of each fault."""
    rows = faults_in(area).order_by("kind", "-size_m2")
    return [(fault.kind, round(fault.size_m2), fault.sliver) for fault in rows]


@pytest.fixture
def village(db) -> Village:
    return Village()


def halves(village: Village) -> None:
    village.grid(1, rectangle(0, 0, 500, 1000))
    village.grid(2, rectangle(500, 0, 500, 1000))


def near(size: float) -> object:
    return pytest.approx(size, rel=2e-3)


# What is found


def test_grids_that_cover_their_village_exactly_have_no_fault(village):
    halves(village)
    run(village.area("419902"))
    assert found(village.area("419902")) == []
    assert covered_share(village.area()) == 100.0


def test_the_county_of_the_factories_has_no_fault():
    county = small_county().county
    run(county)
    assert found(county) == []


def test_a_gap_is_measured_and_names_the_grids_around_it(village):
    village.grid(1, rectangle(0, 0, 500, 1000))
    village.grid(2, rectangle(600, 0, 400, 1000))
    run(village.area())
    [gap] = faults_in(village.area())
    assert (gap.kind, gap.sliver, gap.place.code) == ("gap", False, "419902001001")
    assert gap.size_m2 == near(100 * 1000)
    names = set(Area.objects.filter(pk__in=gap.area_ids).values_list("name", flat=True))
    assert names == {"第1网格", "第2网格"}
    assert covered_share(village.area()) == pytest.approx(90, abs=0.01)


def test_an_overlap_names_both_grids(village):
    village.grid(1, rectangle(0, 0, 520, 1000))
    village.grid(2, rectangle(500, 0, 500, 1000))
    run(village.area())
    [overlap] = faults_in(village.area())
    assert (overlap.kind, overlap.size_m2) == ("overlap", near(20 * 1000))
    assert len(overlap.area_ids) == 2
    assert covered_share(village.area()) == 100.0


def test_what_reaches_beyond_the_village_is_told(village):
    village.grid(1, rectangle(0, 0, 1030, 1000))
    run(village.area())
    [outside] = faults_in(village.area())
    assert (outside.kind, outside.size_m2) == ("outside", near(30 * 1000))


def test_a_village_without_grids_is_one_gap(village):
    run(village.area())
    assert [kind for kind, *_rest in found(village.area())] == ["gap"]
    assert covered_share(village.area()) == 0.0


def test_a_grid_without_a_boundary_is_told(village):
    halves(village)
    village.grid(3)
    run(village.area())
    [fault] = faults_in(village.area())
    assert (fault.kind, fault.place.name, fault.shape) == ("missing", "第3网格", None)


def test_a_boundary_that_crosses_itself_is_told_and_measured_all_the_same(village):
    halves(village)
    bow = GEOSGeometry(
        "MULTIPOLYGON(((115.5 33.6, 115.501 33.601, 115.501 33.6, 115.5 33.601, 115.5 33.6)))",
        srid=4326,
    )
    Area.objects.filter(code="419902001001001").update(boundary=bow)
    run(village.area())
    kinds = {kind for kind, *_rest in found(village.area())}
    assert {"unsound", "gap"} <= kinds


def test_a_closed_grid_covers_nothing(village):
    halves(village)
    Area.objects.filter(code="419902001001002").update(closed_on="2026-01-01")
    run(village.area())
    assert [kind for kind, *_rest in found(village.area())] == ["gap"]


def test_gaps_between_villages_and_between_towns_are_found_too(village):
    halves(village)
    draw("419902001", rectangle(0, 0, 1000, 1200))
    draw("419902", rectangle(0, 0, 1000, 1500))
    run(village.area("419902"))
    rows = faults_in(village.area("419902")).order_by("size_m2")
    assert [(row.kind, row.place.level) for row in rows] == [("gap", "town"), ("gap", "county")]
    assert [row.size_m2 for row in rows] == [near(200 * 1000), near(300 * 1000)]


# Slivers


def test_slivers_are_told_apart_by_the_size_set_for_the_run(village):
    village.grid(1, rectangle(0, 0, 500, 1000))
    village.grid(2, rectangle(500.05, 0, 499.95, 1000))  # a strip of 5 cm: 50 m²
    run(village.area())
    assert found(village.area()) == [("gap", 50, True)]
    run(village.area(), sliver_m2=40)
    assert found(village.area()) == [("gap", 50, False)]


def test_slivers_between_the_same_grids_are_one_row_and_holes_rows_of_their_own(village):
    teeth = [rectangle(500, y, 0.5, 10) for y in range(0, 1000, 100)]
    village.grid(1, rectangle(0, 0, 500, 1000), *teeth)
    village.grid(2, rectangle(500, 0, 500, 900))
    run(village.area())
    rows = {(row.kind, row.sliver): row for row in faults_in(village.area())}
    assert rows["overlap", True].pieces == 9
    assert rows["overlap", True].size_m2 == near(9 * 0.5 * 10)
    assert rows["gap", False].pieces == 1


def test_rounding_of_coordinates_is_no_fault(village):
    village.grid(1, rectangle(0, 0, 500, 1000))
    village.grid(2, rectangle(500.000001, 0, 499.999999, 1000))
    run(village.area())
    assert found(village.area()) == []
    assert covered_share(village.area()) == 100.0


# Any village cut into tiles


@st.composite
def cuts(draw):
    """Sorted places of cuts across a side of 1,000 m, both ends with it."""
    inner = draw(st.lists(st.integers(1, 999), min_size=0, max_size=3, unique=True))
    return [0, *sorted(inner), 1000]


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)
@given(columns=cuts(), rows=cuts(), moved=st.integers(-300, 300), pick=st.integers(0, 15))
def test_tiles_have_no_fault_and_one_moved_corner_exactly_what_is_measured(
    village, columns, rows, moved, pick
):
    """One tile's north-east corner is moved along its edge: a triangle is lost or doubled."""
    CoverageAudit.objects.all().delete()
    Area.objects.filter(level="grid").delete()
    tiles = list(itertools.product(itertools.pairwise(columns), itertools.pairwise(rows)))
    for number, ((x, x2), (y, y2)) in enumerate(tiles, 1):
        village.grid(number, rectangle(x, y, x2 - x, y2 - y))
    run(village.area(), sliver_m2=0)
    assert found(village.area()) == []

    number = pick % len(tiles)
    (x, x2), (y, y2) = tiles[number]
    shift = max(moved, (x - x2) // 2)
    corner = (WEST + (x2 + shift) * EAST, SOUTH + y2 * NORTH)
    ring = [*rectangle(x, y, x2 - x, y2 - y)[0].coords]
    north_east = max(ring)
    ring = [corner if point == north_east else point for point in ring]
    draw(f"419902001001{number + 1:03}", Polygon(ring))
    run(village.area(), sliver_m2=0)
    size = abs(shift) * (y2 - y) / 2
    by_kind = dict.fromkeys(("gap", "overlap", "outside"), 0.0)
    for fault in faults_in(village.area()):
        by_kind[fault.kind] += fault.size_m2
    lost, doubled = (size, 0.0) if shift < 0 else (0.0, size)
    assert by_kind["gap"] == pytest.approx(lost, rel=3e-3, abs=0.1)
    assert by_kind["overlap"] + by_kind["outside"] == pytest.approx(doubled, rel=3e-3, abs=0.1)


# Runs


def test_the_next_run_takes_the_place_of_the_last(village):
    village.grid(1, rectangle(0, 0, 500, 1000))
    run(village.area())
    assert len(found(village.area())) == 1
    village.grid(2, rectangle(500, 0, 500, 1000))
    second = run(village.area())
    assert found(village.area()) == []
    assert list(CoverageAudit.objects.all()) == [second]


def test_a_run_over_a_part_renews_that_part_of_the_whole():
    county = small_county()
    for grid in (county.grids[0], county.grids[7]):
        Area.objects.filter(pk=grid.pk).update(boundary=None)
    run(county.county)
    kinds = [("gap", county.villages[0].pk), ("gap", county.villages[3].pk)]
    kinds += [("missing", county.grids[0].pk), ("missing", county.grids[7].pk)]
    assert sorted(faults_in(county.county).values_list("kind", "place_id")) == sorted(kinds)

    mended = Area.objects.get(pk=county.grids[1].pk)
    whole = MultiPolygon(Area.objects.get(pk=county.villages[0].pk).boundary[0])
    Area.objects.filter(pk=mended.pk).update(closed_on="2026-01-01")
    Area.objects.filter(pk=county.grids[0].pk).update(boundary=whole)
    run(county.towns[0])
    left = faults_in(county.county).values_list("kind", "place_id")
    assert sorted(left) == [("gap", county.villages[3].pk), ("missing", county.grids[7].pk)]
    assert last_run(county.towns[0]).area == county.towns[0]
    assert last_run(county.county).area == county.county


def test_an_overlap_with_a_neighbour_is_on_both_towns_pages():
    county = small_county()
    north = Area.objects.get(pk=county.grids[4].pk)
    south = Area.objects.get(pk=county.grids[0].pk)
    both = MultiPolygon(south.boundary.union(north.boundary))
    Area.objects.filter(pk=south.pk).update(boundary=both)
    run(county.towns[1])
    assert ("overlap",) in faults_in(county.towns[0]).values_list("kind")
    assert ("overlap",) in faults_in(county.towns[1]).values_list("kind")
    run(county.towns[0])
    assert faults_in(county.county).filter(kind="overlap").count() == 1


def test_an_unfinished_run_shows_nothing_yet(village, monkeypatch):
    monkeypatch.setattr(coverage, "BATCH", 1)
    coverage.start(area=village.area("419902"), actor=None)
    assert coverage.work(at_most=1) == 1
    assert CoverageAudit.objects.get().state == AuditState.RUNNING
    assert found(village.area("419902")) == []
    assert coverage.work(at_most=9) == 2
    assert [kind for kind, *_rest in found(village.area("419902"))] == ["gap"]


def test_a_second_run_of_the_same_area_waits_its_turn(village):
    coverage.start(area=village.area(), actor=None)
    with pytest.raises(Conflict):
        coverage.start(area=village.area(), actor=None)
    coverage.start(area=village.area("419902"), actor=None)
    assert coverage.work(at_most=9) == 2
    assert not CoverageAudit.objects.filter(state=AuditState.RUNNING).exists()


def test_a_run_that_cannot_be_measured_is_given_up_and_leaves_the_old_picture(village, monkeypatch):
    run(village.area())
    broken = coverage.start(area=village.area(), actor=None)
    monkeypatch.setattr(coverage, "_STATEMENTS", ("SELECT 1 / %(noise)s - 1 / (1 - 1)",))
    assert coverage.work(at_most=9) == coverage.TRIES
    broken.refresh_from_db()
    assert broken.state == AuditState.FAILED
    assert "division by zero" in broken.error
    assert len(found(village.area())) == 1


def test_a_run_whose_area_moves_in_the_tree_begins_again_from_its_new_place(monkeypatch):
    county = small_county()
    monkeypatch.setattr(coverage, "BATCH", 1)
    begun = coverage.start(area=county.county, actor=None)
    coverage.work(at_most=2)
    begun.refresh_from_db()
    assert begun.cursor.startswith(county.county.path)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE grids_area SET path = '000Z' || substr(path, 5)")
    while coverage.work(at_most=9):
        pass
    begun.refresh_from_db()
    assert (begun.state, begun.done) == (AuditState.DONE, begun.total)


def test_two_workers_do_not_measure_at_once(village):
    coverage.start(area=village.area(), actor=None)
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s)", [coverage.BATCH_LOCK.number])
            assert coverage.work(at_most=9) == 0
            # Said aloud: a closed connection lets go when its server process gets to it.
            cursor.execute("SELECT pg_advisory_unlock(%s)", [coverage.BATCH_LOCK.number])
    finally:
        other.close()
    assert coverage.work(at_most=9) == 1


# Who may


def test_a_town_admin_audits_the_town_and_below_only():
    county = small_county()
    admin = person(Role.TOWN_ADMIN, county.towns[0])
    coverage.start(area=county.towns[0], actor=admin)
    coverage.start(area=county.villages[0], actor=admin)
    for beyond in (county.county, county.towns[1], county.villages[2]):
        with pytest.raises(NotAllowed):
            coverage.start(area=beyond, actor=admin)


@pytest.mark.parametrize("role", [Role.COMMAND, Role.SYSTEM_ADMIN])
def test_the_county_is_audited_by_those_who_keep_its_map(role):
    county = small_county().county
    assert coverage.start(area=county, actor=person(role, county)).total == 15


@pytest.mark.parametrize("role", [Role.VILLAGE_OFFICE, Role.GRID_CHIEF, Role.AUDIT_ADMIN])
def test_others_audit_nothing(role):
    county = small_county()
    place = {"village_office": county.villages[0], "grid_chief": county.grids[0]}
    who = person(role, place.get(role, county.county))
    with pytest.raises(NotAllowed):
        coverage.start(area=place.get(role, county.county), actor=who)


def test_a_grid_or_a_closed_area_is_not_audited(village):
    halves(village)
    with pytest.raises(Invalid):
        coverage.start(area=village.area("419902001001001"), actor=None)
    Area.objects.filter(code="419902001001").update(closed_on="2026-01-01")
    with pytest.raises(Invalid):
        coverage.start(area=village.area(), actor=None)


@pytest.mark.parametrize("size", [-1, 10_001, float("nan")])
def test_a_senseless_size_of_slivers_is_refused(village, size):
    with pytest.raises(Invalid):
        coverage.start(area=village.area(), actor=None, sliver_m2=size)


def test_a_run_is_on_the_audit_trail_when_it_starts_and_when_it_ends(village):
    run(village.area())
    entries = AuditEntry.objects.filter(subject_type="area", subject_id=village.area().pk)
    assert {"coverage_audit_started", "coverage_audited"} <= {entry.action for entry in entries}


# Reading


def test_the_page_of_faults_is_two_queries_and_the_largest_come_first(
    village, django_assert_num_queries
):
    for number in range(1, 60):
        village.grid(number, rectangle(number * 16, 0, 16 - number * 0.1, 1000))
    run(village.area(), sliver_m2=0)
    area = village.area()
    with django_assert_num_queries(2):
        page = faults_page(area)
        assert page.items[0].names == ["第59网格"]
    sizes = [fault.size_m2 for fault in page.items]
    assert sizes == sorted(sizes, reverse=True)


def test_the_command_measures_and_says_what_it_found(village):
    village.grid(1, rectangle(0, 0, 500, 1000))
    out = StringIO()
    call_command("audit_coverage", "419902001", "--sliver", "10", verbosity=0, stdout=out)
    assert CoverageFault.objects.get().kind == "gap"
    assert "空白：1" in out.getvalue()
    with pytest.raises(CommandError):
        call_command("audit_coverage", "999", verbosity=0)
