"""Who sees which case: one case is opened by the same rule that lists it."""

from datetime import timedelta

import pytest
from django.http import Http404
from django.utils import timezone

from grids.factories import DepartmentFactory, person
from grids.models import Role
from grids.queries import Scope
from incidents.factories import World, actor
from incidents.models import Incident, Source
from incidents.queries import incident_for_page, visible_incident
from incidents.services.intake import Report, report

pytestmark = pytest.mark.django_db


@pytest.fixture
def world():
    return World()


def reported_by(user, world, grid):
    longitude, latitude = world.places.point_in(grid)
    sent = Report("路灯不亮", Source.WORKER, latitude=latitude, longitude=longitude)
    return report(sent, actor=actor(user))[0]


def test_one_case_is_opened_to_exactly_those_whose_lists_have_it(world):
    far = world.places.grids[-1]
    neighbour = person(Role.GRID_WORKER, far)
    nobody, left = person(Role.GRID_WORKER, world.grid), person(Role.COMMAND, world.county)
    today = timezone.localdate()
    for one in (nobody, left):
        one.postings.update(valid_from=today - timedelta(days=9), valid_to=today)
    given_away = world.dispatched(to=world.grid)
    Incident.objects.filter(pk=given_away.pk).update(owner_area=far)
    cases = [
        world.report(),
        world.dispatched(),
        given_away,
        world.whistled(),
        reported_by(world.worker, world, far),
        reported_by(nobody, world, far),
    ]
    people = [
        *(world.worker, world.chief, world.office, world.town_admin, world.command, world.leader),
        *(world.city_handler, world.water_handler, neighbour, nobody, left),
        person(Role.DEPARTMENT_HANDLER, DepartmentFactory()),
        person(Role.VILLAGE_OFFICE, world.places.villages[-1]),
        person(Role.UNIT_HEAD, world.places.unit),
        person(Role.SYSTEM_ADMIN, world.county),
    ]
    for user in people:
        scope = Scope.for_user(user)
        listed = set(Incident.objects.visible_to(user, scope).values_list("pk", flat=True))
        opened = {
            case.pk for case in cases if Incident.objects.get(pk=case.pk).visible_by(user, scope)
        }
        assert opened == listed, user.postings.first()
        for case in cases:
            if case.pk in listed:
                assert visible_incident(user, scope, case.tracking_code) == case
                assert incident_for_page(user, scope, case.tracking_code) == case
            else:
                with pytest.raises(Http404):
                    visible_incident(user, scope, case.tracking_code)
                with pytest.raises(Http404):
                    incident_for_page(user, scope, case.tracking_code)


def test_one_case_to_act_on_takes_one_query(world, django_assert_num_queries):
    code, scope = world.accepted().tracking_code, Scope.for_user(world.command)
    with django_assert_num_queries(1):
        found = visible_incident(world.command, scope, code)
        assert (found.owner, found.category) == (world.city, world.rubbish)


def test_one_case_and_its_people_and_places_take_two_queries(world, django_assert_num_queries):
    code, scope = world.accepted().tracking_code, Scope.for_user(world.command)
    with django_assert_num_queries(2):
        found = incident_for_page(world.command, scope, code)
        assert found.handler == world.city_handler
        assert (found.owner_department, found.category) == (world.city, world.rubbish)
        assert [found.county, found.town, found.grid] == [world.county, world.town, world.grid]
        assert (found.unit, found.reporter, found.merged_into) == (None, None, None)
        assert found.location.x == pytest.approx(world.places.point_in(world.grid)[0])
    assert not hasattr(found, "contact")
