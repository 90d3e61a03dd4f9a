"""What stays true of the tree and its codes whatever a town does to it, in whatever order.

Every grid lies in one village; path equals parents; children are counted right; a code means
one area at a time; a code once given leads to an area for ever; no ground is lost or doubled.
"""

from collections import Counter

import pytest
from django.contrib.gis.geos.collections import GeometryCollection
from django.db import transaction
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import GeshiError
from grids.factories import SIDE, person, small_county
from grids.models import Area, AreaCode, GridKind, Level, Role
from grids.models.area import CODE_LENGTH, PARENT_LEVEL
from grids.models.reorganisation import StepKind
from grids.queries.codes import area_of_code
from grids.services import reorganisation as acts
from grids.services import reshaping, ten_households
from grids.services.reshaping import Described
from grids.tests.test_reshaping import line

DAILY = ["add_grid", "add_unit", "split", "merge", "move", "close", "reopen", "units"]
# A verb, and two numbers that choose what it is done to and where.
STEPS = st.lists(
    st.tuples(
        st.sampled_from([*DAILY, *StepKind.values]),
        st.integers(0, 30),
        st.integers(0, 30),
    ),
    min_size=1,
    max_size=12,
)


def pick(level: str, number: int, **which) -> Area | None:
    found = list(Area.objects.filter(level=level, **which).order_by("pk"))
    return found[number % len(found)] if found else None


def do(verb: str, one: int, two: int) -> None:
    """Carry the verb out as the system; what it refuses is a fair answer."""
    who = {"actor": None}
    if verb in StepKind.values:
        reorganise(verb, one, two)
        return
    grid = pick(Level.GRID, one, closed_on__isnull=True)
    village = pick(Level.VILLAGE, two)
    assert grid is not None
    assert village is not None
    if verb == "add_grid":
        reshaping.add_grid(village_id=village.pk, described=Described("新", GridKind.RURAL), **who)
    elif verb == "add_unit":
        reshaping.add_unit(grid_id=grid.pk, described=Described("新组"), **who)
    elif verb == "split":
        across = two / 31 * 4
        reshaping.split(
            area_id=grid.pk,
            line=line((across, -1), (across + 0.2, 3)),
            names=["另一半"],
            seen=None,
            **who,
        )
    elif verb == "merge":
        other = pick(Level.GRID, two, closed_on__isnull=True)
        reshaping.merge(kept_id=grid.pk, other_ids=[other.pk], seen=None, **who)
    elif verb == "move":
        where = {"area_id": grid.pk, "village_id": village.pk, "seen": None}
        try:
            with transaction.atomic():
                reshaping.move(**where, **who)
        except reshaping.Doubtful as doubt:
            reshaping.move(**where, **who, accept=doubt.report.digest)
    elif verb == "close":
        area = pick(Level.UNIT, one) if two % 2 else grid
        reshaping.close(area_id=area.pk, seen=None, **who)
    elif verb == "reopen":
        closed = pick(Level.UNIT, one, closed_on__isnull=False) or grid
        reshaping.reopen(area_id=closed.pk, seen=None, **who)
    else:
        grids = ten_households.grids_to_cut(village)
        counts = ten_households.suggested(grids, 2 * len(grids))
        ten_households.make_units(village_id=village.pk, counts=counts, **who)


def reorganise(kind: str, one: int, two: int) -> None:
    """Carry out an act of one step, drafted by one person and decided by another."""
    open_ones = {"closed_on__isnull": True}
    town = pick(Level.TOWN, two, **open_ones)
    level = Level.TOWN if kind in {StepKind.MERGE_TOWNS, StepKind.RECODE_TOWN} else Level.VILLAGE
    subject = pick(level, one, **open_ones)
    code = f"{subject.code[:-3]}{100 + two}"
    step = {
        StepKind.MERGE_VILLAGES: {"target": pick(Level.VILLAGE, two, **open_ones)},
        StepKind.MOVE_VILLAGE: {"target": town},
        StepKind.MERGE_TOWNS: {"target": town},
        StepKind.RENAME: {"new_name": f"新名{two}"},
    }.get(StepKind(kind), {"new_code": code})
    if step.get("target") == subject:
        return
    county = Area.objects.get(level=Level.COUNTY)
    act = acts.draft(
        actor=person(Role.SYSTEM_ADMIN, county),
        title="调整",
        effective_on=timezone.localdate(),
        steps=[acts.NewStep(kind=kind, subject=subject, **step)],
    )
    acts.submit(act_id=act.pk, actor=act.drafted_by, seen=1)
    decider = person(Role.COMMAND, county)
    acts.decide(act_id=act.pk, actor=decider, seen=2, approve=True)
    assert acts.carry_out_due() == 1


def check_tree(ever: set[str], ground: float) -> None:
    areas = {area.path: area for area in Area.objects.defer("boundary", "outline")}
    below = Counter(path[: -Area.steplen] for path in areas)
    for path, area in areas.items():
        parent = areas.get(path[: -Area.steplen])
        assert area.depth == len(path) // Area.steplen
        assert area.numchild == below[path]
        assert len(area.code) == CODE_LENGTH[Level(area.level)]
        if area.level != Level.COUNTY:
            assert parent is not None
            assert parent.level == PARENT_LEVEL[Level(area.level)]
        if area.closed_on is None and parent is not None:
            assert area.code.startswith(parent.code)
            assert parent.closed_on is None
    in_force = AreaCode.objects.filter(valid__endswith__isnull=True, valid__isempty=False)
    assert dict(in_force.values_list("area_id", "code")) == {
        area.pk: area.code for area in areas.values() if area.closed_on is None
    }
    for code in ever:
        found = area_of_code(code)
        assert found is not None, f"{code} leads nowhere"
        assert found.merged_into_id is None
    drawn = [
        grid.boundary
        for grid in Area.objects.open().filter(level=Level.GRID, boundary__isnull=False)
    ]
    # Squared degrees; a square centimetre is about 1e-14.
    assert abs(GeometryCollection(*drawn).unary_union.area - ground) < 1e-14 * len(drawn)
    assert abs(sum(shape.area for shape in drawn) - ground) < 1e-14 * len(drawn)


@pytest.mark.django_db
@settings(max_examples=8, deadline=None)
@given(steps=STEPS)
def test_the_tree_stays_sound_through_any_row_of_acts(steps):
    with transaction.atomic():
        small_county()
        ground = 8 * SIDE * SIDE
        ever = set(AreaCode.objects.values_list("code", flat=True))
        for verb, one, two in steps:
            try:
                with transaction.atomic():
                    do(verb, one, two)
            except GeshiError:
                continue
            ever |= set(Area.objects.values_list("code", flat=True))
            if verb in {"close", "reopen"}:
                shut = Area.objects.filter(
                    level=Level.GRID, closed_on__isnull=False, merged_into__isnull=True
                )
                ground = 8 * SIDE * SIDE - sum(g.boundary.area for g in shut if g.boundary)
            check_tree(ever, ground)
        transaction.set_rollback(True)


def test_a_code_leads_through_mergers_of_mergers(db):
    county = small_county()
    first, second = county.grids[:2]
    third = reshaping.add_grid(
        village_id=county.villages[0].pk, described=Described("三", GridKind.RURAL), actor=None
    )
    who = {"actor": None, "seen": None}
    reshaping.merge(kept_id=second.pk, other_ids=[first.pk], **who)
    reshaping.merge(kept_id=third.pk, other_ids=[second.pk], **who)
    assert area_of_code(first.code) == area_of_code(second.code) == third
