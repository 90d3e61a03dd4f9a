"""A need found at a visit is a case like any other."""

import uuid

import pytest

from core.errors import Invalid
from grids.models import Visit
from grids.services.households import HouseholdFields, add_household
from grids.services.visits import SentVisit, record_visit
from incidents.models import Incident, Source

pytestmark = pytest.mark.django_db


@pytest.fixture
def household(world):
    fields = HouseholdFields("1号院")
    return add_household(area=world.places.unit, fields=fields, actor=world.town_admin)


def test_a_need_is_reported_once_at_the_household_s_place_by_the_visitor(world, household):
    key = uuid.uuid4()
    for _time in range(2):
        sent = SentVisit(household_id=household.pk, key=key, need="门口路灯不亮，请修")
        visit, _new = record_visit(sent=sent, actor=world.worker)
    incident = Incident.objects.get()
    assert incident.tracking_code == visit.case_code
    assert (incident.unit_id, incident.grid_id) == (household.unit_id, household.grid_id)
    assert (incident.source, incident.reporter) == (Source.WORKER, world.worker)
    assert incident.address == "1号院"


def test_a_need_that_cannot_be_taken_leaves_no_visit_behind(world, household):
    with pytest.raises(Invalid):
        record_visit(sent=SentVisit(household_id=household.pk, need="灯"), actor=world.worker)
    assert not Visit.objects.exists()
