"""Acts that reorder the territory: what a step does, who may, once and whole or not at all."""

from datetime import date, timedelta
from typing import Any

import pytest
from django.utils import timezone

from core.errors import Conflict, Invalid, NotAllowed
from core.models import AuditEntry
from grids.factories import SmallCounty, person, post
from grids.models import Area, AreaCode, Leave, Posting, Reorganisation, Role
from grids.models.reorganisation import ActState, StepKind
from grids.queries import Scope
from grids.queries.codes import area_of_code
from grids.services import reorganisation as acts
from grids.services.reorganisation import NewStep
from grids.services.reorganisation_plan import make_plan

TODAY = timezone.localdate


def drafted(county: SmallCounty, *steps: NewStep, on: date | None = None, **act: Any):
    """Return an act drafted by the county's system administrator, taking effect today."""
    drafter = act.pop("drafter", None) or person(Role.SYSTEM_ADMIN, county.county)
    fields = {"title": "撤并调整", "effective_on": on or TODAY()} | act
    return acts.draft(actor=drafter, steps=steps, **fields)


def carried_out(county: SmallCounty, *steps: NewStep, on: date | None = None):
    """Return an act drafted, submitted, decided and, once its day has come, carried out."""
    act = drafted(county, *steps, on=on)
    act = acts.submit(act_id=act.pk, actor=act.drafted_by, seen=act.version)
    decider = person(Role.COMMAND, county.county)
    acts.decide(act_id=act.pk, actor=decider, seen=act.version, approve=True)
    acts.carry_out_due()
    act.refresh_from_db()
    return act


def merge(old: Area, new: Area) -> NewStep:
    return NewStep(kind=StepKind.MERGE_VILLAGES, subject=old, target=new)


def move(village: Area, town: Area) -> NewStep:
    return NewStep(kind=StepKind.MOVE_VILLAGE, subject=village, target=town)


def same_land(one: Any, other: Any) -> bool:
    return one.sym_difference(other).area < 1e-9


def refreshed(area: Area) -> Area:
    return Area.objects.get(pk=area.pk)


def test_a_merged_village_is_closed_and_its_grids_go_on_under_the_other_with_new_codes(county):
    kept, gone = county.villages[:2]
    carried_out(county, merge(gone, kept))

    closed = refreshed(gone)
    assert closed.closed_on == TODAY()
    assert closed.merged_into_id == kept.pk
    assert closed.numchild == 0
    grids = Area.objects.open().filter(path__startswith=refreshed(kept).path, level="grid")
    assert [grid.code for grid in grids] == [f"{kept.code}00{n}" for n in (1, 2, 3, 4)]
    assert refreshed(kept).numchild == 4


def test_the_kept_village_has_the_land_of_both(county):
    kept, gone = county.villages[:2]
    land = kept.boundary.union(gone.boundary)
    carried_out(county, merge(gone, kept))
    assert refreshed(kept).boundary.equals(land)
    assert refreshed(kept).outline is not None


def test_old_codes_end_on_the_day_and_new_ones_begin(county):
    kept, gone = county.villages[:2]
    grid = county.grids[2]
    AreaCode.objects.update(valid=(date(2020, 1, 1), None))
    carried_out(county, merge(gone, kept), on=TODAY() - timedelta(days=3))

    old, new = AreaCode.objects.filter(area=grid).order_by("valid")
    assert (old.code, old.valid.upper) == (grid.code, TODAY() - timedelta(days=3))
    assert (new.code, new.valid.lower) == (refreshed(grid).code, TODAY() - timedelta(days=3))
    assert AreaCode.objects.get(area=gone).valid.upper == TODAY() - timedelta(days=3)


def test_a_moved_village_gets_a_number_nobody_had_in_the_other_town(county):
    town, other = county.towns
    moved = county.villages[1]
    carried_out(county, move(moved, other))
    assert refreshed(moved).code == f"{other.code}003"
    assert refreshed(moved).path.startswith(refreshed(other).path)
    assert refreshed(county.grids[2]).code == f"{other.code}003001"
    assert (refreshed(town).numchild, refreshed(other).numchild) == (1, 3)


def test_a_moved_village_keeps_its_three_digits_where_they_are_free(county):
    moved, other = county.villages[1], county.towns[1]
    recode = NewStep(
        kind=StepKind.RECODE_VILLAGE, subject=moved, new_code=f"{county.towns[0].code}107"
    )
    carried_out(county, recode, move(moved, other))
    assert refreshed(moved).code == f"{other.code}107"


def test_a_moved_village_takes_its_land_from_one_town_to_the_other(county):
    town, other = county.towns
    moved = county.villages[1]
    carried_out(county, move(moved, other))
    assert same_land(refreshed(town).boundary, county.villages[0].boundary)
    assert same_land(refreshed(other).boundary, other.boundary.union(moved.boundary))


def test_a_new_code_of_a_town_goes_down_to_its_units(county):
    town = county.towns[0]
    carried_out(county, NewStep(kind=StepKind.RECODE_TOWN, subject=town, new_code="419901107"))
    assert refreshed(town).code == "419901107"
    assert refreshed(county.unit).code == "41990110700100101"
    assert refreshed(county.towns[1]).code == county.towns[1].code


def test_a_merged_town_gives_its_villages_to_the_other(county):
    kept, gone = county.towns
    step = NewStep(kind=StepKind.MERGE_TOWNS, subject=gone, target=kept)
    carried_out(county, step)
    assert refreshed(gone).merged_into_id == kept.pk
    codes = Area.objects.open().filter(path__startswith=kept.path, level="village")
    assert [area.code[-3:] for area in codes] == ["001", "002", "003", "004"]


def test_a_later_step_may_take_the_code_an_earlier_one_set_free(county):
    first, second = county.towns
    carried_out(
        county,
        NewStep(kind=StepKind.RECODE_TOWN, subject=first, new_code="419901009"),
        NewStep(kind=StepKind.RECODE_TOWN, subject=second, new_code=first.code),
    )
    assert refreshed(second).code == first.code
    assert refreshed(county.grids[4]).code == f"{first.code}001001"


def test_a_village_moved_and_merged_by_one_act_leaves_no_code_in_force(county):
    moved, into, other = county.villages[1], county.villages[2], county.towns[1]
    carried_out(county, move(moved, other), merge(moved, into))
    closed = refreshed(moved)
    assert closed.code == f"{other.code}003"
    in_force = AreaCode.objects.filter(valid__endswith=None, valid__isempty=False)
    assert not in_force.filter(area=moved).exists()
    for code in (moved.code, closed.code):
        assert area_of_code(code) == into


def test_postings_end_with_the_village_and_go_on_where_it_went(county):
    kept, gone = county.villages[:2]
    clerk = person(Role.VILLAGE_OFFICE, gone, valid_from=date(2024, 1, 1))
    carried_out(county, merge(gone, kept))

    old, new = Posting.objects.filter(user=clerk).order_by("pk")
    assert (old.area, old.valid_to) == (gone, TODAY())
    assert (new.area, new.valid_from, new.valid_to) == (kept, TODAY(), None)
    assert [area.pk for area in Scope.for_user(clerk).areas] == [kept.pk]


def test_who_holds_the_same_post_in_both_villages_keeps_the_one(county):
    kept, gone = county.villages[:2]
    clerk = person(Role.VILLAGE_OFFICE, gone, valid_from=date(2024, 1, 1))
    post(clerk, Role.VILLAGE_OFFICE, kept, valid_from=date(2025, 1, 1))
    carried_out(county, merge(gone, kept))
    assert Posting.objects.current().filter(user=clerk).count() == 1


def test_only_the_days_the_other_post_does_not_cover_are_added(county):
    kept, gone = county.villages[:2]
    clerk = person(Role.VILLAGE_OFFICE, gone, valid_from=date(2024, 1, 1))
    ends = TODAY() + timedelta(days=10)
    post(clerk, Role.VILLAGE_OFFICE, kept, valid_from=date(2025, 1, 1), valid_to=ends)
    carried_out(county, merge(gone, kept))
    spans = Posting.objects.filter(user=clerk, area=kept).order_by("valid_from")
    assert list(spans.values_list("valid_from", "valid_to")) == [
        (date(2025, 1, 1), ends),
        (ends, None),
    ]


def test_a_leave_goes_on_with_the_posting_and_its_cover(county):
    kept, gone = county.villages[:2]
    clerk = person(Role.VILLAGE_OFFICE, gone, valid_from=date(2024, 1, 1))
    away = (TODAY() - timedelta(days=5), TODAY() + timedelta(days=5))
    other = person(Role.VILLAGE_OFFICE, gone, valid_from=away[0], valid_to=away[1])
    Leave.objects.create(
        posting=clerk.postings.get(),
        cover=other.postings.get(),
        away_from=away[0],
        away_until=away[1],
    )
    carried_out(county, merge(gone, kept))
    leave = Leave.objects.on(TODAY()).get()
    assert (leave.posting.area, leave.cover.area) == (kept, kept)
    assert (leave.posting.user, leave.cover.user) == (clerk, other)
    assert leave.away_until == away[1]


def test_who_drafts_an_act_does_not_decide_it(county):
    both = person(Role.COMMAND, county.county)
    act = drafted(county, merge(county.villages[1], county.villages[0]), drafter=both)
    act = acts.submit(act_id=act.pk, actor=both, seen=act.version)
    with pytest.raises(NotAllowed):
        acts.decide(act_id=act.pk, actor=both, seen=act.version, approve=True)


def test_a_towns_admin_drafts_for_the_own_town_only(county):
    admin = person(Role.TOWN_ADMIN, county.towns[0])
    own, neighbour = county.villages[0], county.villages[2]
    drafted(county, merge(county.villages[1], own), drafter=admin)
    for step in (
        merge(neighbour, own),
        merge(own, neighbour),
        move(own, county.towns[1]),
        NewStep(kind=StepKind.RENAME, subject=neighbour, new_name="别名村"),
    ):
        with pytest.raises(NotAllowed):
            drafted(county, step, drafter=admin)
    assert Reorganisation.objects.count() == 1


def test_a_towns_admin_decides_nothing_and_touches_no_act_of_another_town(county):
    admin = person(Role.TOWN_ADMIN, county.towns[0])
    act = drafted(county, merge(county.villages[3], county.villages[2]))
    for verb in (
        lambda: acts.submit(act_id=act.pk, actor=admin, seen=1),
        lambda: acts.withdraw(act_id=act.pk, actor=admin, seen=1, note="不合适"),
        lambda: acts.decide(act_id=act.pk, actor=admin, seen=1, approve=True),
        lambda: acts.try_again(act_id=act.pk, actor=admin, seen=1),
    ):
        with pytest.raises(NotAllowed):
            verb()


def test_an_act_needs_a_title_and_a_step(county):
    with pytest.raises(Invalid) as refused:
        drafted(county, title=" ")
    assert set(refused.value.errors) == {"title", "steps"}


def test_what_stands_against_an_act_is_said_with_a_remedy_and_stops_it(county):
    town = county.towns[0]
    step = NewStep(kind=StepKind.RECODE_TOWN, subject=town, new_code=county.towns[1].code)
    act = drafted(county, step)
    (problem,) = make_plan(act).problems
    assert county.towns[1].name in problem.text
    assert problem.remedy
    with pytest.raises(Conflict):
        acts.submit(act_id=act.pk, actor=act.drafted_by, seen=act.version)


@pytest.mark.parametrize("code", ["41990100", "419902001", "４１９９０１００７", "41990100x"])
def test_a_code_that_does_not_fit_is_refused(county, code):
    step = NewStep(kind=StepKind.RECODE_TOWN, subject=county.towns[0], new_code=code)
    assert len(make_plan(drafted(county, step)).problems) == 1


def test_a_code_that_meant_another_area_before_the_day_may_be_given_again(county):
    town, other = county.towns
    span = (TODAY() - timedelta(days=9), TODAY() - timedelta(days=1))
    AreaCode.objects.filter(area=other).update(valid=(TODAY() - timedelta(days=1), None))
    AreaCode.objects.create(area=other, code="419901777", valid=span)
    step = NewStep(kind=StepKind.RECODE_TOWN, subject=town, new_code="419901777")
    assert not make_plan(drafted(county, step)).problems


def test_two_acts_on_their_way_do_not_speak_of_the_same_areas(county):
    first = drafted(county, merge(county.villages[1], county.villages[0]))
    acts.submit(act_id=first.pk, actor=first.drafted_by, seen=first.version)
    second = drafted(
        county, NewStep(kind=StepKind.RENAME, subject=county.villages[1], new_name="新村")
    )
    assert [problem.step for problem in make_plan(second).problems] == [0]


def test_an_act_for_a_later_day_waits_and_is_carried_out_once(county):
    kept, gone = county.villages[:2]
    act = carried_out(county, merge(gone, kept), on=TODAY() + timedelta(days=5))
    assert act.state == ActState.DECIDED
    assert acts.carry_out_due(today=TODAY() + timedelta(days=4)) == 0
    assert refreshed(gone).closed_on is None
    assert acts.carry_out_due(today=TODAY() + timedelta(days=5)) == 1
    assert acts.carry_out_due(today=TODAY() + timedelta(days=6)) == 0
    assert refreshed(gone).merged_into_id == kept.pk
    done = AuditEntry.objects.filter(action="reorganisation.carried_out")
    assert [entry.actor_id for entry in done] == [None]


def test_an_act_that_stumbles_on_its_day_says_why_and_is_left_to_people(county):
    town = county.towns[0]
    step = NewStep(kind=StepKind.RECODE_TOWN, subject=town, new_code="419901107")
    act = carried_out(county, step, on=TODAY() + timedelta(days=5))
    Area.objects.filter(pk=county.towns[1].pk).update(code="419901107")

    later = TODAY() + timedelta(days=5)
    assert acts.carry_out_due(today=later) == 0
    act.refresh_from_db()
    assert act.state == ActState.DECIDED
    assert county.towns[1].name in act.obstacle
    assert not Reorganisation.objects.due(later)

    again = {"act_id": act.pk, "actor": act.decided_by, "seen": act.version}
    with pytest.raises(Conflict):  # nothing has changed since
        acts.try_again(**again)
    Area.objects.filter(pk=county.towns[1].pk).update(code=county.towns[1].code)
    assert acts.try_again(**again).obstacle == ""
    assert acts.carry_out_due(today=later) == 1


def test_approving_an_act_carries_nothing_out_even_on_its_day(county):
    kept, gone = county.villages[:2]
    act = drafted(county, merge(gone, kept))
    act = acts.submit(act_id=act.pk, actor=act.drafted_by, seen=act.version)
    decider = person(Role.COMMAND, county.county)
    act = acts.decide(act_id=act.pk, actor=decider, seen=act.version, approve=True)
    assert (act.state, act.is_due) == (ActState.DECIDED, True)
    assert refreshed(gone).closed_on is None


def test_an_act_sent_back_is_a_draft_again_with_the_reason(county):
    act = drafted(county, merge(county.villages[1], county.villages[0]))
    act = acts.submit(act_id=act.pk, actor=act.drafted_by, seen=act.version)
    decider = person(Role.COMMAND, county.county)
    with pytest.raises(Invalid):
        acts.decide(act_id=act.pk, actor=decider, seen=act.version, approve=False)
    act = acts.decide(
        act_id=act.pk, actor=decider, seen=act.version, approve=False, note="先征求村民意见"
    )
    assert (act.state, act.note) == (ActState.DRAFT, "先征求村民意见")


def test_who_is_late_reads_what_became_of_the_act(county):
    act = drafted(county, merge(county.villages[1], county.villages[0]))
    seen = act.version
    acts.withdraw(act_id=act.pk, actor=act.drafted_by, seen=seen, note="重复")
    with pytest.raises(Conflict, match=str(ActState.WITHDRAWN.label)):
        acts.submit(act_id=act.pk, actor=act.drafted_by, seen=seen)


def test_closed_grids_of_a_merged_village_go_along_with_the_code_they_had(county):
    kept, gone = county.villages[:2]
    closed = county.grids[2]
    Area.objects.filter(pk=closed.pk).update(closed_on=TODAY())
    carried_out(county, merge(gone, kept))
    assert refreshed(closed).path.startswith(refreshed(kept).path)
    assert refreshed(closed).code == closed.code
