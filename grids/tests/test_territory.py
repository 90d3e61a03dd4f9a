"""The tree is sound whatever is added, codes mean one place at a time, postings are well formed."""

from dataclasses import replace
from datetime import date

import pytest
from django.db import IntegrityError, transaction
from django.db.backends.postgresql.psycopg_any import DateRange
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import Invalid
from core.models import AuditEntry
from grids.factories import DepartmentFactory, UserFactory, person
from grids.models import Area, AreaCode, GridKind, Posting, Role
from grids.services.territory import Counts, NewArea, add_areas, derive_boundaries

COUNTY = NewArea("419902", "测试县", "county")


@st.composite
def counties(draw: st.DrawFn) -> list[NewArea]:
    """A county of any shape down to its units, in any order."""
    rows = [COUNTY]

    def below(parent: NewArea, level: str, digits: int) -> list[NewArea]:
        numbers = draw(st.lists(st.integers(0, 10**digits - 1), max_size=3, unique=True))
        kind = "rural" if level == "grid" else ""
        made = [
            NewArea(f"{parent.code}{n:0{digits}}", f"{level}{n}", level, parent.code, kind)
            for n in numbers
        ]
        rows.extend(made)
        return made

    for town in below(COUNTY, "town", 3):
        for village in below(town, "village", 3):
            for grid in below(village, "grid", 3):
                below(grid, "unit", 2)
    return draw(st.permutations(rows))


@pytest.mark.django_db
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(rows=counties(), cut=st.integers(0, 100))
def test_any_county_gives_a_sound_tree_in_one_import_or_two(rows, cut):
    with transaction.atomic():
        # The first import holds some towns with all below them, the second everything.
        early = [r for r in rows if r.level == "county" or int(r.code[6:9]) % 101 < cut]
        add_areas(early, source="early")
        counts = add_areas(rows, source="late")
        assert counts == Counts(added=len(rows) - len(early), unchanged=len(early))
        check_tree(rows)
        assert add_areas(rows, source="again") == Counts(unchanged=len(rows))
        transaction.set_rollback(True)


def check_tree(rows: list[NewArea]) -> None:
    assert Area.objects.find_problems() == ([], [], [], [], [])
    areas = {area.code: area for area in Area.objects.all()}
    assert set(areas) == {row.code for row in rows}
    for row in rows:
        area = areas[row.code]
        above = areas[row.parent_code].path if row.parent_code else ""
        assert area.path[: -Area.steplen] == above
    for grid in (a for a in areas.values() if a.level == "grid"):
        over = [a.level for a in areas.values() if grid.path.startswith(a.path)]
        assert sorted(over) == ["county", "grid", "town", "village"]
    history = list(AreaCode.objects.values_list("code", "area__code"))
    assert sorted(history) == sorted((code, code) for code in areas)


def test_every_new_area_opens_its_code_history_today(county):
    codes = AreaCode.objects.filter(area=county.grids[0])
    assert codes.get().valid == DateRange(timezone.localdate(), None)
    assert codes.get().source == "test"


def test_a_new_name_is_taken_over_and_recorded(county):
    town = county.towns[0]
    actor = UserFactory()
    row = NewArea(town.code, "东关街道", "town", county.county.code)
    assert add_areas([row], source="2027 list", actor=actor) == Counts(changed=1)
    town.refresh_from_db()
    assert town.name == "东关街道"
    entry = AuditEntry.objects.latest("pk")
    assert (entry.actor, entry.action) == (actor, "areas_added")
    assert entry.data["source"] == "2027 list"


def test_an_import_that_changes_nothing_leaves_no_trace(county):
    before = AuditEntry.objects.count()
    add_areas([NewArea(county.county.code, "青禾县", "county")], source="again")
    assert AuditEntry.objects.count() == before


def test_a_known_area_is_not_moved_to_another_parent(county):
    # Codes of villages begin with their town's, so only a wrong list can claim this.
    Area.objects.filter(pk=county.villages[0].pk).update(code="419901002009")
    row = NewArea("419901002009", "大王庄", "village", "419901002", line=7)
    with pytest.raises(Invalid) as refused:
        add_areas([row], source="x")
    assert "另一个上级" in refused.value.errors["7"][0]


def test_nothing_is_added_below_a_closed_area(county):
    village = county.villages[0]
    Area.objects.filter(pk=village.pk).update(closed_on=date(2026, 1, 1))
    late = NewArea(f"{village.code}009", "新网格", "grid", village.code, GridKind.RURAL, line=7)
    with pytest.raises(Invalid) as refused:
        add_areas([late], source="test")
    assert list(refused.value.errors) == ["7"]


def test_thousands_of_grids_cost_a_few_queries(county, django_assert_max_num_queries):
    village = county.villages[0].code
    rows = [
        NewArea(f"{village}{n:03}", f"网格{n}", "grid", village, "rural") for n in range(100, 900)
    ]
    with django_assert_max_num_queries(20):
        add_areas(rows, source="many")
    assert Area.objects.get(code=village).numchild == 802


def test_a_second_county_stands_beside_the_first(county):
    add_areas([COUNTY], source="x")
    assert Area.objects.find_problems() == ([], [], [], [], [])
    assert Area.objects.filter(depth=1).count() == 2


def test_boundaries_already_there_are_not_derived_again(county):
    assert derive_boundaries("town") == 0
    Area.objects.filter(pk=county.towns[0].pk).update(boundary=None)
    assert derive_boundaries("town") == 1
    town = Area.objects.get(pk=county.towns[0].pk)
    assert town.boundary.area == pytest.approx(4 * 0.01**2)


# What the database itself refuses


def refused():
    return pytest.raises(IntegrityError)


@pytest.mark.parametrize(
    ("level", "code"), [("town", "4199010011"), ("county", "41990"), ("village", "41990100100x")]
)
def test_the_database_refuses_a_code_of_the_wrong_length(county, level, code):
    with refused(), transaction.atomic():
        Area(path="ZZZZ", depth=1, name="x", level=level, code=code).save()


def test_the_database_refuses_a_code_used_twice(county):
    with refused(), transaction.atomic():
        Area(path="ZZZZ", depth=1, name="x", level="county", code=county.county.code).save()


def test_the_database_refuses_a_kind_on_a_village_and_a_grid_without_one(county):
    for area, kind in [(county.villages[0], "rural"), (county.grids[0], "")]:
        with refused(), transaction.atomic():
            Area.objects.filter(pk=area.pk).update(grid_kind=kind)


def test_a_code_means_one_area_at_a_time_but_may_be_used_again_later(county):
    first, second = county.towns
    AreaCode.objects.all().delete()
    old, new = date(2020, 1, 1), date(2024, 1, 1)
    AreaCode.objects.create(area=first, code="419901099", valid=DateRange(old, new))
    with refused(), transaction.atomic():
        overlap = DateRange(date(2023, 12, 31), None)
        AreaCode.objects.create(area=second, code="419901099", valid=overlap)
    AreaCode.objects.create(area=second, code="419901099", valid=DateRange(new, None))
    with refused(), transaction.atomic():
        AreaCode.objects.create(area=second, code="419901098", valid=DateRange(new, None))


def test_the_same_post_is_not_held_twice_at_once_but_again_later(county):
    guide = person(Role.GRID_GUIDE, county.grids[0], valid_from=date(2026, 1, 1))
    twice = {"user": guide, "role": Role.GRID_GUIDE, "area": county.grids[0]}
    with refused(), transaction.atomic():
        Posting.objects.create(**twice, valid_from=date(2026, 3, 1))
    guide.postings.update(valid_to=date(2026, 3, 1))
    Posting.objects.create(**twice, valid_from=date(2026, 3, 1))
    assert guide.postings.count() == 2


@pytest.mark.parametrize("role", [Role.DEPARTMENT_HANDLER, Role.TOWN_ADMIN])
def test_the_database_refuses_a_post_at_two_places_or_none(county, role):
    user, department = UserFactory(), DepartmentFactory()
    for place in ({}, {"area": county.towns[0], "department": department}):
        with refused(), transaction.atomic():
            Posting.objects.create(user=user, role=role, **place)


def test_the_database_refuses_a_posting_that_ends_before_it_begins(county):
    with refused(), transaction.atomic():
        dates = {"valid_from": date(2026, 2, 1), "valid_to": date(2026, 1, 1)}
        person(Role.TOWN_ADMIN, county.towns[0], **dates)


def test_a_person_in_post_is_never_deleted_by_accident(county):
    worker = person(Role.GRID_WORKER, county.grids[0])
    with refused():
        worker.delete()


def test_rows_given_in_code_need_no_line_numbers(db):
    row = NewArea("41990", "短", "county")
    with pytest.raises(Invalid) as error:
        add_areas([row, replace(row, name="")], source="x")
    assert len(error.value.errors["0"]) == 4  # wrong length twice, no name, given twice


def test_inside_an_area_is_everything_below_it_and_nothing_beside(county):
    town, other = county.towns
    found = set(Area.objects.inside(town))
    below = [*county.villages[:2], *county.grids[:4], county.unit]
    assert found == {town, *below}
    assert set(Area.objects.inside(town, other)) == set(Area.objects.exclude(pk=county.county.pk))
    assert not Area.objects.inside().exists()
