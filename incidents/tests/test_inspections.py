"""Inspections: whose work they are, what a hazard becomes, and what the ledger counts."""

import uuid
from datetime import timedelta

import pytest
from django.utils import timezone

from core.errors import Conflict, Invalid, NotAllowed
from core.models import AuditEntry
from grids.factories import person
from grids.models import Posting, Role
from grids.queries import Scope
from incidents.factories import actor, draft_photo
from incidents.models import (
    Hazard,
    Incident,
    Inspection,
    InspectionPlace,
    PlaceState,
    Source,
    Stage,
    StageClock,
    State,
)
from incidents.queries import inspections as reads
from incidents.services import handling, hazards, inspections, verification
from incidents.services.hazards import FoundHazard
from incidents.services.inspections import InspectionFields, ItemFields, PlaceFields

pytestmark = pytest.mark.django_db


def campaign(world, **more) -> Inspection:
    """The town looks at its firms: extinguishers within 7 days, wires within 15."""
    today = timezone.localdate()
    fields = {
        "name": "企业安全大检查",
        "kind": "firm",
        "area": world.town,
        "starts_on": today,
        "ends_on": today + timedelta(days=20),
        "areas": [world.town],
        "items": [
            ItemFields("灭火器过期", world.rubbish, 7),
            ItemFields("电线私拉乱接", world.road, 15),
        ],
    } | more
    by = more.get("by") or world.town_admin
    fields.pop("by", None)
    return inspections.make_inspection(fields=InspectionFields(**fields), actor=actor(by))


def a_place(world, inspection, name="和顺面粉厂", by=None) -> InspectionPlace:
    longitude, latitude = world.places.point_in(world.grid)
    return inspections.add_place(
        inspection_id=inspection.pk,
        fields=PlaceFields(name, "大王庄东头", longitude=longitude, latitude=latitude),
        actor=actor(by or world.town_admin),
    )


def found(place, by, **more) -> FoundHazard:
    """What an inspector sends: a photo of it and, when fixed, one of it put right."""
    values = {
        "place_id": place.pk,
        "item_id": place.inspection.items.first().pk,
        "text": "车间两个",
        "before": [draft_photo(by).pk],
    }
    if more.get("fixed"):
        values["after"] = [draft_photo(by).pk]
    return FoundHazard(**(values | more))


@pytest.fixture
def place(world):
    return a_place(world, campaign(world))


def test_a_hazard_by_a_day_is_a_case_of_its_own_source_with_a_clock_to_that_day(world, place):
    worker = actor(world.worker)
    day = timezone.localdate() + timedelta(days=5)
    hazard, new = hazards.record_hazard(sent=found(place, world.worker, due_on=day), actor=worker)
    case = hazard.incident
    case.refresh_from_db()
    assert new
    assert (case.source, case.state) == (Source.INSPECTION, State.DISPATCHED)
    assert case.owner_department == world.city
    assert case.grid == world.grid
    assert "灭火器过期" in case.text
    handling.accept(incident_id=case.pk, actor=actor(world.city_handler))
    answer = StageClock.objects.get(incident=case, stage=Stage.RESPOND)
    assert timezone.localdate(answer.due_at) == day
    close = StageClock.objects.get(incident=case, stage=Stage.RESOLVE)
    assert timezone.localdate(close.due_at) == day + timedelta(days=2)
    place.refresh_from_db()
    assert place.state == PlaceState.HAZARDS


def test_a_hazard_is_answered_with_a_photo_and_verified_by_somebody_else(world, place):
    hazard, _new = hazards.record_hazard(sent=found(place, world.worker), actor=actor(world.worker))
    pk, handler = hazard.incident_id, actor(world.city_handler)
    handling.accept(incident_id=pk, actor=handler)
    with pytest.raises(Invalid) as refused:
        handling.respond(incident_id=pk, actor=handler, result="已更换")
    assert "photos" in refused.value.errors
    photo = draft_photo(world.city_handler)
    handling.respond(incident_id=pk, actor=handler, result="已更换", photo_ids=[photo.pk])
    pictures = reads.pictures_of([hazard])[pk]
    assert pictures.after == [photo.pk]
    assert len(pictures.before) == 1
    assert verification.verify_pass(incident_id=pk, actor=actor(world.town_admin))


def test_put_right_on_the_spot_somebody_else_still_checks_it(world, place):
    """The town's own admin finds and settles it; the command centre verifies."""
    admin = actor(world.town_admin)
    hazard, _new = hazards.record_hazard(
        sent=found(place, world.town_admin, fixed=True), actor=admin
    )
    case = Incident.objects.get(pk=hazard.incident_id)
    assert case.state == State.RESPONDED
    assert hazard.on_spot
    with pytest.raises(NotAllowed):
        verification.verify_pass(incident_id=case.pk, actor=admin)
    verification.verify_pass(incident_id=case.pk, actor=actor(world.command))
    pictures = reads.pictures_of([hazard])[case.pk]
    assert len(pictures.before) == len(pictures.after) == 1


@pytest.mark.parametrize(
    ("more", "name"),
    [
        ({"before": []}, "before"),
        ({"fixed": True, "after": []}, "after"),
        ({"item_id": 0}, "item"),
        ({"text": "长" * 1001}, "text"),
        ({"due_on": timedelta(days=8)}, "due_on"),
        ({"due_on": timedelta(days=-1)}, "due_on"),
    ],
)
def test_what_is_missing_is_named_and_nothing_is_stored(world, place, more, name):
    if "due_on" in more:  # the day of the test, which need not be the one it was collected on
        more = {"due_on": timezone.localdate() + more["due_on"]}
    with pytest.raises(Invalid) as refused:
        hazards.record_hazard(sent=found(place, world.worker, **more), actor=actor(world.worker))
    assert name in refused.value.errors
    assert not Hazard.objects.exists()
    assert not Incident.objects.exists()


def test_the_same_hazard_sent_twice_is_one(world, place):
    key = uuid.uuid4()
    worker = actor(world.worker)
    first, _new = hazards.record_hazard(sent=found(place, world.worker, key=key), actor=worker)
    again, new = hazards.record_hazard(sent=found(place, world.worker, key=key), actor=worker)
    assert (again.pk, new) == (first.pk, False)
    assert Incident.objects.count() == 1
    with pytest.raises(Conflict):
        hazards.record_hazard(
            sent=found(place, world.town_admin, key=key), actor=actor(world.town_admin)
        )


def test_nothing_found_is_said_once_and_another_reads_who_was_there(world, place):
    hazards.mark_clean(place_id=place.pk, actor=actor(world.worker))
    hazards.mark_clean(place_id=place.pk, actor=actor(world.worker))
    assert AuditEntry.objects.filter(action="inspection.clean").count() == 1
    with pytest.raises(Conflict, match=world.worker.display_name):
        hazards.mark_clean(place_id=place.pk, actor=actor(world.office))


def test_an_inspection_is_the_work_of_those_posted_where_it_is(world, place):
    elsewhere = person(Role.GRID_WORKER, world.places.grids[1])
    strangers = [elsewhere, person(Role.TOWN_ADMIN, world.places.towns[1]), world.city_handler]
    # The county's centre sits above the town's own campaign: it looks on.
    for stranger in (*strangers, world.command):
        with pytest.raises(NotAllowed):
            hazards.mark_clean(place_id=place.pk, actor=actor(stranger))
    assert hazards.mark_clean(place_id=place.pk, actor=actor(world.office))


def test_a_post_that_ended_inspects_no_more(world, place):
    Posting.objects.filter(user=world.worker).update(
        valid_from=timezone.localdate() - timedelta(days=9), valid_to=timezone.localdate()
    )
    with pytest.raises(NotAllowed):
        hazards.mark_clean(place_id=place.pk, actor=actor(world.worker))


def test_a_department_that_takes_part_inspects_every_place_of_the_county(world):
    inspection = campaign(
        world, area=world.county, areas=[], departments=[world.water], by=world.command
    )
    here = a_place(world, inspection, by=world.command)
    assert hazards.mark_clean(place_id=here.pk, actor=actor(world.water_handler))


def test_a_closed_inspection_takes_nothing_more(world, place):
    inspection = place.inspection
    inspections.close_inspection(
        inspection_id=inspection.pk, actor=actor(world.town_admin), seen=inspection.version
    )
    with pytest.raises(Conflict):
        hazards.record_hazard(sent=found(place, world.worker), actor=actor(world.worker))
    with pytest.raises(Conflict):
        a_place(world, inspection, "另一家")


def test_a_town_makes_its_own_inspections_and_no_other(world):
    neighbour = person(Role.TOWN_ADMIN, world.places.towns[1])
    with pytest.raises(NotAllowed):
        campaign(world, by=neighbour)
    with pytest.raises(NotAllowed):
        campaign(world, area=world.county, areas=[world.county])
    with pytest.raises(Invalid) as refused:
        campaign(world, departments=[world.water])
    assert "departments" in refused.value.errors
    assert campaign(world, by=world.command)


def test_a_line_that_found_something_stays_on_the_checklist(world, place):
    inspection = place.inspection
    hazards.record_hazard(sent=found(place, world.worker), actor=actor(world.worker))
    fields = InspectionFields(
        name=inspection.name, kind="firm", area=world.town, starts_on=inspection.starts_on,
        ends_on=inspection.ends_on, areas=[world.town],
        items=[ItemFields("别的", world.rubbish, 3)],
    )  # fmt: skip
    change = {"inspection_id": inspection.pk, "fields": fields, "actor": actor(world.town_admin)}
    with pytest.raises(Invalid):
        inspections.change_inspection(seen=inspection.version, **change)
    with pytest.raises(Conflict):
        inspections.change_inspection(seen=inspection.version + 1, **change)


def test_the_figures_count_each_hazard_once_and_each_opens_its_list(
    world, place, django_assert_num_queries
):
    inspection, worker = place.inspection, actor(world.worker)
    second = a_place(world, inspection, "兴旺超市")
    a_place(world, inspection, "还没去的一家")
    hazards.mark_clean(place_id=second.pk, actor=worker)
    for fixed in (True, True, False, False):
        hazards.record_hazard(sent=found(place, world.worker, fixed=fixed), actor=worker)
    late = Hazard.objects.filter(due_at__isnull=False).first()
    Hazard.objects.filter(pk=late.pk).update(due_at=timezone.now() - timedelta(days=1))
    user, scope, now = world.town_admin, Scope.for_user(world.town_admin), timezone.now()
    with django_assert_num_queries(2):
        tally = reads.tallies([inspection], user=user, scope=scope, now=now)[inspection.pk]
    told = (tally.places, tally.checked, tally.hazards, tally.at_once, tally.dated, tally.overdue)
    assert told == (3, 2, 4, 2, 2, 1)
    for show, n in (("", 4), ("at_once", 2), ("dated", 2), ("waiting", 2), ("overdue", 1)):
        filters = reads.Filters(inspection=inspection, show=show)
        with django_assert_num_queries(1):
            page = reads.ledger_page(user=user, scope=scope, filters=filters, now=now, cursor=None)
        assert len(page.items) == n, show
    neighbour = person(Role.TOWN_ADMIN, world.places.towns[1])
    beyond = Scope.for_user(neighbour)
    assert not reads.visible_inspections(beyond).exists()
    assert not reads.visible_places(beyond).exists()
    assert not reads.visible_hazards(neighbour, beyond).exists()
    # The department sees what it must see to, and of whom.
    owner = Scope.for_user(world.city_handler)
    assert reads.visible_hazards(world.city_handler, owner).count() == 4
    assert reads.visible_inspections(owner).get() == inspection


def test_the_round_is_what_is_left_nearest_first(world, place, django_assert_max_num_queries):
    inspection = place.inspection
    longitude, latitude = world.places.point_in(world.grid)
    near = inspections.add_place(
        inspection_id=inspection.pk,
        fields=PlaceFields("近处", longitude=longitude + 0.002, latitude=latitude),
        actor=actor(world.town_admin),
    )
    scope = Scope.for_user(world.worker)
    mine = reads.my_inspections(scope)
    assert mine == [inspection]
    with django_assert_max_num_queries(4):
        found_now = reads.round_of(
            mine, user=world.worker, scope=scope, lon=longitude + 0.002, lat=latitude
        )
    assert [one.pk for one in found_now.places] == [near.pk, place.pk]
    assert found_now.places[0].away == 0
    hazards.mark_clean(place_id=near.pk, actor=actor(world.worker))
    left = reads.round_of(mine, user=world.worker, scope=scope)
    assert ([one.pk for one in left.places], left.todo, left.done) == ([place.pk], 1, 1)


def test_two_send_a_hazard_and_nothing_found_at_once(world, place):
    """The second finds the place taken: nothing found cannot be said of hazards."""
    hazards.record_hazard(sent=found(place, world.worker), actor=actor(world.worker))
    with pytest.raises(Conflict):
        hazards.mark_clean(place_id=place.pk, actor=actor(world.worker))
