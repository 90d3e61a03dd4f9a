"""Disputes handed over from incidents, and people who press at the same moment."""

import threading

import pytest
from django.db import connection, transaction
from django.utils import timezone

from core.errors import Conflict, NotAllowed
from core.services import outbox
from grids.factories import person, small_county
from grids.models import Role
from incidents.models import FoundBy, Incident, Notice, ReporterContact, Source
from incidents.registry import handovers
from mediation.factories import dispute_at, mediator_in, new_dispute, session
from mediation.models import Dispute, DisputeState, FileOpening, StepRecord
from mediation.services import files, people, sessions
from mediation.services.registering import register
from mediation.workflow import Actor


def incident_in(county):
    grid, village = county.grids[0], county.villages[0]
    incident = Incident.objects.create(
        tracking_code="HANDOVER01",
        source=Source.RESIDENT,
        text="邻居家空调外机对着我家窗户，吵得睡不着，说了几次不听。",
        county=county.county,
        town=county.towns[0],
        village=village,
        grid=grid,
        area=grid,
        found_by=FoundBy.GIVEN,
    )
    ReporterContact.objects.create(incident=incident, name="周小禾", phone="19900001003")
    return incident


@pytest.mark.django_db
def test_an_incident_becomes_a_dispute_once_and_nobody_opens_it_unnamed(county):
    incident = incident_in(county)
    town = Actor.for_user(person(Role.TOWN_ADMIN, county.towns[0]))
    with transaction.atomic():
        number = handovers["mediation"](incident=incident, actor=town, note="适合调解")
        again = handovers["mediation"](incident=incident, actor=town, note="适合调解")
    assert number == again
    dispute = Dispute.objects.get(number=number)
    assert dispute.state == DisputeState.REGISTERED
    assert dispute.incident == incident
    assert dispute.place_ids == [
        a.pk for a in (county.county, county.towns[0], county.villages[0], county.grids[0])
    ]
    assert dispute.parties.get().name == "周小禾"
    with pytest.raises(NotAllowed):
        files.open_file(dispute=dispute, actor=town)
    assert not FileOpening.objects.exists()
    outbox.deliver_due(now=timezone.now())
    roles = set(Notice.objects.filter(kind="dispute_needs_mediator").values_list("role", flat=True))
    assert roles == {Role.VILLAGE_OFFICE, Role.TOWN_ADMIN}


@pytest.mark.django_db
def test_a_handover_that_is_rolled_back_leaves_nothing(county):
    incident = incident_in(county)
    town = Actor.for_user(person(Role.TOWN_ADMIN, county.towns[0]))
    with transaction.atomic():
        handovers["mediation"](incident=incident, actor=town, note="")
        transaction.set_rollback(True)
    assert not Dispute.objects.exists()


@pytest.mark.django_db
def test_after_naming_somebody_a_handed_over_dispute_goes_its_way(county, worker):
    incident = incident_in(county)
    office = Actor.for_user(person(Role.VILLAGE_OFFICE, county.villages[0]))
    number = handovers["mediation"](incident=incident, actor=office, note="")
    dispute = Dispute.objects.get(number=number)
    people.name_mediator(dispute_id=dispute.pk, user=worker, actor=office)
    party = dispute.parties.get()
    sessions.record_consent(dispute_id=dispute.pk, party=party, actor=Actor.for_user(worker))
    dispute.refresh_from_db()
    assert dispute.state == DisputeState.REGISTERED  # party B is not known yet


def at_once(*calls):
    """Run the calls in threads that start together; return results and exceptions in order."""
    gate, outcomes = threading.Barrier(len(calls)), [None] * len(calls)

    def run(index, call):
        try:
            gate.wait()
            outcomes[index] = call()
        except Exception as error:
            outcomes[index] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


@pytest.mark.django_db(transaction=True)
def test_of_four_who_press_at_once_one_step_is_taken():
    county = small_county()
    worker = mediator_in(county)
    dispute = dispute_at(county.grids[0], mediator=worker)
    actor, seen = Actor.for_user(worker), dispute.version

    def press():
        return sessions.record_step(
            dispute_id=dispute.pk, session=session(), actor=actor, seen=seen
        )

    outcomes = at_once(press, press, press, press)
    assert [isinstance(o, Conflict) for o in outcomes].count(True) == 3
    assert StepRecord.objects.count() == 1
    assert Dispute.objects.get().step == 2


@pytest.mark.django_db(transaction=True)
def test_the_same_form_sent_from_two_places_at_once_is_one_dispute_and_numbers_have_no_gap():
    county = small_county()
    worker = mediator_in(county)
    actor, same, other = (
        Actor.for_user(worker),
        new_dispute(county.grids[0]),
        new_dispute(county.grids[0]),
    )
    calls = [
        lambda form=form: register(form, actor=actor)[0].number for form in (same, same, other)
    ]
    first, second, third = at_once(*calls)
    assert first == second != third
    assert sorted(n[-6:] for n in {first, third}) == ["000001", "000002"]
