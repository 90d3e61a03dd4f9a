"""Figures of the towns by the map of today and by that of their day."""

import pytest
from django.urls import reverse
from django.utils import timezone

from governance.queries import town_rows
from grids.factories import person
from grids.models import Role
from grids.models.reorganisation import StepKind
from grids.queries import Scope
from grids.services import reorganisation as acts
from grids.services.reorganisation import NewStep
from incidents.factories import World, as_
from incidents.queries import figures

pytestmark = pytest.mark.django_db


@pytest.fixture
def merged_towns() -> World:
    """Two reports in the first town, one in the second, then the second went into the first."""
    world = World()
    for grid in (0, 1, 4):
        longitude, latitude = world.places.point_in(world.places.grids[grid])
        world.report(longitude=longitude, latitude=latitude)
    kept, gone = world.places.towns
    step = NewStep(kind=StepKind.MERGE_TOWNS, subject=gone, target=kept)
    act = acts.draft(
        actor=person(Role.SYSTEM_ADMIN, world.county),
        title="撤并乡镇",
        effective_on=timezone.localdate(),
        steps=[step],
    )
    act = acts.submit(act_id=act.pk, actor=act.drafted_by, seen=act.version)
    acts.decide(act_id=act.pk, actor=world.command, seen=act.version, approve=True)
    acts.carry_out_due()
    return world


def counted(world: World, map: str) -> dict[str, int]:
    today = timezone.localdate()
    rows = town_rows(Scope.for_user(world.command), today, today, map=map)
    return {row.name: row.reported for row in rows}


def test_the_old_map_lists_the_merged_town_with_its_past(merged_towns):
    assert counted(merged_towns, figures.OLD) == {"东关镇": 2, "柳河乡": 1}


def test_the_new_map_counts_it_where_it_went(merged_towns):
    assert counted(merged_towns, figures.NEW) == {"东关镇": 3}


def test_two_queries_whatever_the_map(merged_towns, django_assert_num_queries):
    today, scope = timezone.localdate(), Scope.for_user(merged_towns.command)
    for map in (figures.OLD, figures.NEW):
        with django_assert_num_queries(2):
            town_rows(scope, today, today, map=map)


def test_the_page_switches_between_the_two_maps(merged_towns):
    client = as_(merged_towns.command)
    page = client.get(reverse("town_figures")).content.decode()
    assert "柳河乡" not in page
    assert "柳河乡" in client.get(reverse("town_figures"), {"map": "old"}).content.decode()


def test_a_towns_admin_reads_the_own_town_only():
    world = World()
    page = as_(world.town_admin).get(reverse("town_figures")).content.decode()
    assert world.town.name in page
    assert world.places.towns[1].name not in page


@pytest.mark.parametrize(
    "query", ["map=both", "since=2026-13-01", "since=x", "since=2026-02-02&until=2026-02-01"]
)
def test_what_makes_no_sense_is_refused(query):
    world = World()
    assert as_(world.command).get(f"{reverse('town_figures')}?{query}").status_code == 400
