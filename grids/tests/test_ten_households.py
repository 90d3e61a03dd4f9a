"""Ten-household units of a village at once: 13 grids become 127 units that tile them exactly."""

import math

import pytest
from django.contrib.gis.geos import GEOSGeometry, MultiPolygon, Point, Polygon
from django.contrib.gis.geos.collections import GeometryCollection
from django.test import Client
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from core.errors import Conflict, Invalid, NotAllowed
from grids.factories import COUNTY_CODE, person
from grids.models import Area, AreaCode, GridKind, Household, Level, Role
from grids.queries.shapes import parts_of
from grids.services import ten_households
from grids.services.territory import NewArea, NewBoundary, add_areas, set_boundaries

VILLAGE = f"{COUNTY_CODE}001001"


def petal(number: int, of: int) -> bytes:
    """A slice of a round village: its grids share borders that are no whole numbers."""
    steps = 12
    turns = [(number + step / steps) * 2 * math.pi / of for step in range(steps + 1)]
    rim = [(115.2 + 0.02 * math.cos(turn), 33.6 + 0.017 * math.sin(turn)) for turn in turns]
    middle = (115.2, 33.6)
    return bytes(MultiPolygon(Polygon([middle, *rim, middle])).wkb)


@pytest.fixture
def village(db) -> Area:
    """A village of 13 grids without units."""
    rows = [
        NewArea(COUNTY_CODE, "青禾县", "county"),
        NewArea(VILLAGE[:9], "东关镇", "town", COUNTY_CODE),
        NewArea(VILLAGE, "大王庄村民委员会", "village", VILLAGE[:9]),
    ]
    codes = [f"{VILLAGE}{number:03}" for number in range(1, 14)]
    rows += [NewArea(c, f"第{int(c[-3:])}网格", "grid", VILLAGE, GridKind.RURAL) for c in codes]
    add_areas(rows, source="test")
    set_boundaries(
        [NewBoundary(code, petal(number, 13)) for number, code in enumerate(codes)], source="test"
    )
    return Area.objects.get(code=VILLAGE)


@pytest.fixture
def admin(village):
    return person(Role.TOWN_ADMIN, Area.objects.get(level=Level.TOWN))


def units(village: Area) -> list[Area]:
    return list(Area.objects.filter(path__startswith=village.path, level=Level.UNIT))


def test_thirteen_grids_become_127_units(village, admin):
    grids = ten_households.grids_to_cut(village)
    counts = ten_households.suggested(grids, 127)
    assert sorted(counts.values()) == [9] * 3 + [10] * 10
    made = ten_households.make_units(village_id=village.pk, counts=counts, actor=admin)
    assert made.units == len(units(village)) == 127
    first = units(village)[0]
    assert (first.code, first.name) == (f"{VILLAGE}00101", "第1网格第1十户")
    assert {unit.code[:-2] for unit in units(village)} == {one.grid.code for one in grids}
    assert AreaCode.objects.filter(area__level=Level.UNIT).count() == 127
    assert all(Area.objects.get(pk=one.grid.pk).numchild == counts[one.grid.pk] for one in grids)


def test_units_tile_their_grid_with_no_gap_and_no_overlap(village, admin):
    counts = ten_households.suggested(ten_households.grids_to_cut(village), 127)
    ten_households.make_units(village_id=village.pk, counts=counts, actor=admin)
    for grid in Area.objects.filter(level=Level.GRID):
        parts = [unit.boundary for unit in units(grid)]
        assert all(part.valid for part in parts)
        # Squared degrees: a square centimetre is about 1e-14.
        whole = GeometryCollection(*parts).unary_union
        assert whole.sym_difference(grid.boundary).area < 1e-14
        assert sum(part.area for part in parts) == pytest.approx(whole.area, rel=1e-12)
        assert max(part.area for part in parts) < 3 * min(part.area for part in parts)


def test_the_same_question_has_the_same_answer(village):
    grid = Area.objects.filter(level=Level.GRID).first()
    once, again = (parts_of({grid.pk: 10})[grid.pk] for _time in range(2))
    assert [piece.wkb for piece in once] == [piece.wkb for piece in again]


@pytest.mark.parametrize("count", [1, 2, 40])
def test_a_grid_of_any_number_of_units_is_covered(village, count):
    grid = Area.objects.filter(level=Level.GRID).first()
    pieces = parts_of({grid.pk: count})[grid.pk]
    assert len(pieces) == count
    shapes = [GEOSGeometry(memoryview(piece.wkb), srid=4326) for piece in pieces]
    whole = GeometryCollection(*shapes).unary_union
    assert whole.sym_difference(grid.boundary).area < 1e-14


def test_a_bent_grid_with_a_hole_and_an_island_is_covered(village):
    bent = Polygon(
        [(0, 0), (9, 0), (9, 9), (0, 9), (0, 7), (7, 7), (7, 2), (0, 2), (0, 0)],
        [(7.5, 3), (8.5, 3), (8.5, 6), (7.5, 6), (7.5, 3)],
    )
    shape = MultiPolygon(bent, Polygon.from_bbox((1, 3, 4, 6)))
    small = GEOSGeometry(shape.wkt)
    scaled = MultiPolygon(
        *(
            Polygon(*([(115 + x / 1000, 33 + y / 1000) for x, y in ring] for ring in part))
            for part in small
        )
    )
    grid = Area.objects.filter(level=Level.GRID).first()
    set_boundaries([NewBoundary(grid.code, bytes(scaled.wkb))], source="test")
    shapes = [
        GEOSGeometry(memoryview(piece.wkb), srid=4326) for piece in parts_of({grid.pk: 10})[grid.pk]
    ]
    whole = GeometryCollection(*shapes).unary_union
    assert whole.sym_difference(GEOSGeometry(scaled.wkt, srid=4326)).area < 1e-14
    assert sum(shape.area for shape in shapes) == pytest.approx(whole.area, rel=1e-12)


def test_a_grid_that_has_units_is_left_alone(village, admin):
    first, second = Area.objects.filter(level=Level.GRID)[:2]
    make = {"village_id": village.pk, "actor": admin}
    ten_households.make_units(counts={first.pk: 3}, **make)
    with pytest.raises(Invalid):
        ten_households.make_units(counts={first.pk: 3, second.pk: 3}, **make)
    assert len(units(village)) == 3
    assert first.pk not in ten_households.suggested(ten_households.grids_to_cut(village))


@pytest.mark.parametrize("counts", [{}, {0: 5}, {1: 0}, {1: 100}, {1: -2}])
def test_numbers_that_cannot_be_are_refused_and_nothing_is_made(village, admin, counts):
    first = Area.objects.filter(level=Level.GRID).first()
    asked = {first.pk if pk else pk: n for pk, n in counts.items()}
    with pytest.raises(Invalid):
        ten_households.make_units(village_id=village.pk, counts=asked, actor=admin)
    assert units(village) == []


def test_so_many_at_once_are_refused(village, admin):
    counts = {one.grid.pk: 50 for one in ten_households.grids_to_cut(village)}
    with pytest.raises(Invalid):
        ten_households.make_units(village_id=village.pk, counts=counts, actor=admin)


def test_the_page_previews_and_makes_the_units(village, admin):
    client = Client()
    client.force_login(admin, backend="grids.backends.PostingBackend")
    url = reverse("territory_units", args=[village.pk])
    shown = client.get(url, {"total": "127"})
    assert "13 个网格 → 127 个十户单元" in shown.content.decode()
    drawn = client.get(shown.context["preview"]).json()["features"]
    assert sum(feature["properties"]["role"] == "part" for feature in drawn) == 127
    typed = {row["field"]: row["n"] for row in shown.context["rows"]}
    wrong = client.post(url, typed | {"seen": "older"})
    assert wrong.status_code == 409
    assert units(village) == []
    assert client.post(url, typed | {"seen": shown.context["seen"]}).status_code == 302
    assert len(units(village)) == 127


@pytest.mark.parametrize("typed", ["0", "x", "-3", "100", "９", "1e9", ""])
def test_what_is_no_number_of_units_is_told_and_nothing_typed_is_lost(village, admin, typed):
    client = Client()
    client.force_login(admin, backend="grids.backends.PostingBackend")
    url = reverse("territory_units", args=[village.pk])
    fields = {row["field"]: typed for row in client.get(url).context["rows"]}
    answer = client.post(url, fields)
    assert answer.status_code == 422
    assert answer.context["error"]
    assert [row["n"] for row in answer.context["rows"]] == [typed] * 13


def test_who_previewed_an_older_state_is_told_so(village, admin):
    first = Area.objects.filter(level=Level.GRID).first()
    seen = ten_households.stamp(ten_households.grids_to_cut(village))
    set_boundaries([NewBoundary(first.code, petal(0, 14))], source="test")
    with pytest.raises(Conflict):
        ten_households.make_units(
            village_id=village.pk, counts={first.pk: 3}, actor=admin, seen=seen
        )


def test_the_village_office_may_not(village):
    first = Area.objects.filter(level=Level.GRID).first()
    with pytest.raises(NotAllowed):
        ten_households.make_units(
            village_id=village.pk,
            counts={first.pk: 3},
            actor=person(Role.VILLAGE_OFFICE, village),
        )


@given(
    weights=st.dictionaries(st.integers(1, 9999), st.integers(0, 500), min_size=1, max_size=30),
    total=st.integers(1, 3000),
)
def test_units_are_shared_out_whole(weights, total):
    counts = ten_households.share_out(total, weights)
    assert counts.keys() == weights.keys()
    assert all(1 <= n <= 99 for n in counts.values())
    assert sum(counts.values()) == min(max(total, len(weights)), 99 * len(weights))


def living_in(grid: Area, door: str, point: Point | None) -> Household:
    town, village = grid.lineage_paths[1:3]
    return Household.objects.create(
        county=Area.objects.get(level=Level.COUNTY),
        town=Area.objects.get(path=town),
        village=Area.objects.get(path=village),
        grid=grid,
        address=door,
        location=point,
    )


def test_households_are_put_into_the_unit_that_holds_their_point(village, admin):
    first, second = Area.objects.filter(level=Level.GRID)[:2]
    here = living_in(first, "1号", first.centre)
    bare = living_in(first, "2号", None)
    # Its point lies in the neighbour's ground: no unit of its own grid holds it.
    astray = living_in(first, "3号", second.centre)
    counts = {first.pk: 9, second.pk: 9}
    made = ten_households.make_units(village_id=village.pk, counts=counts, actor=admin)
    assert (made.placed, made.unplaced) == (1, 2)
    here.refresh_from_db()
    assert here.unit.path.startswith(first.path)
    assert here.unit.boundary.covers(here.location)
    for household in (bare, astray):
        household.refresh_from_db()
        assert (household.grid, household.unit) == (first, None)


def test_the_page_says_who_was_put_where_and_who_is_left(village, admin):
    grid = Area.objects.filter(level=Level.GRID)[0]
    living_in(grid, "1号", grid.centre)
    living_in(grid, "2号", None)
    client = Client()
    client.force_login(admin, backend="grids.backends.PostingBackend")
    url = reverse("territory_units", args=[village.pk])
    answer = client.post(url, {f"n_{grid.pk}": "5"}, follow=True)
    text = answer.content.decode()
    assert "1 户已按坐标归入" in text
    assert "1 户没有坐标" in text
