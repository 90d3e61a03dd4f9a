"""The whistle: each department answers for itself; dissent goes to the command centre."""

from datetime import date

import pytest

from core.errors import Conflict, Invalid, NotAllowed
from grids.factories import DepartmentFactory, person
from grids.models import Role
from incidents.factories import actor
from incidents.forms.actions import VerifyPassForm
from incidents.models import CallBack, FigureDelta, Incident, PartyState, StageClock, State
from incidents.queries.figures import day_figures
from incidents.services import contact, verification, whistle
from incidents.services.figures import fold, rebuild

pytestmark = pytest.mark.django_db


def take(world, incident, department, user, *steps):
    for verb, words in steps:
        verb(incident_id=incident.pk, actor=actor(user), department=department, **words)


def answered_by_both(world, incident):
    """Both have come; the lead has answered and the co-handler has given its opinion."""
    road = [(whistle.party_accept, {}), (whistle.party_arrive, {})]
    take(world, incident, world.city, world.city_handler, *road,
         (whistle.party_answer, {"opinion": "路面已修复"}))  # fmt: skip
    take(world, incident, world.water, world.water_handler, *road,
         (whistle.party_answer, {"opinion": "管网完好"}))  # fmt: skip


def state(incident):
    return Incident.objects.get(pk=incident.pk).state


def test_it_goes_to_verification_when_the_lead_answered_and_everyone_signed(world):
    incident = world.whistled()
    answered_by_both(world, incident)
    assert state(incident) == State.WHISTLED
    take(world, incident, world.water, world.water_handler, (whistle.party_sign, {}))
    assert state(incident) == State.RESPONDED
    assert incident.whistles.get().closed_at


def test_dissent_stops_it_until_the_command_centre_rules(world):
    incident = world.whistled()
    answered_by_both(world, incident)
    take(world, incident, world.water, world.water_handler,
         (whistle.party_dissent, {"reason": "管网破了没修"}))  # fmt: skip
    assert state(incident) == State.RULING
    with pytest.raises(NotAllowed):
        whistle.rule(
            incident_id=incident.pk,
            actor=actor(world.town_admin),
            ruling="算了",
            answer_stands=True,
        )
    whistle.rule(
        incident_id=incident.pk, actor=actor(world.command), ruling="按牵头意见", answer_stands=True
    )
    assert state(incident) == State.RESPONDED


def test_a_ruling_can_send_the_lead_back_to_answer_again(world):
    incident = world.whistled()
    answered_by_both(world, incident)
    take(world, incident, world.water, world.water_handler,
         (whistle.party_dissent, {"reason": "管网破了没修"}))  # fmt: skip
    whistle.rule(
        incident_id=incident.pk, actor=actor(world.command), ruling="重修", answer_stands=False
    )
    assert state(incident) == State.WHISTLED
    assert {p.state for p in incident.whistles.get().parties.all()} == {PartyState.ARRIVED}


def test_a_ruling_does_not_put_a_department_on_site_that_never_came(world):
    hospital = DepartmentFactory()
    incident = world.whistled(more=[hospital])
    take(world, incident, hospital, person(Role.DEPARTMENT_HANDLER, hospital),
         (whistle.party_accept, {}))  # fmt: skip
    answered_by_both(world, incident)
    take(world, incident, world.water, world.water_handler,
         (whistle.party_dissent, {"reason": "管网破了没修"}))  # fmt: skip
    whistle.rule(
        incident_id=incident.pk, actor=actor(world.command), ruling="重修", answer_stands=False
    )
    party = incident.whistles.get().parties.get(department=hospital)
    assert (party.state, party.arrived_at) == (PartyState.ACCEPTED, None)


def test_a_failed_verification_does_not_put_a_department_on_site_that_never_came(world):
    hospital = DepartmentFactory()
    incident = world.whistled(more=[hospital])
    answered_by_both(world, incident)
    take(world, incident, world.water, world.water_handler,
         (whistle.party_dissent, {"reason": "管网破了没修"}))  # fmt: skip
    command = actor(world.command)
    whistle.rule(incident_id=incident.pk, actor=command, ruling="按牵头意见", answer_stands=True)
    verification.verify_fail(incident_id=incident.pk, actor=command, reason="路面又塌了")
    party = incident.whistles.get().parties.get(department=hospital)
    assert (party.state, party.accepted_at) == (PartyState.CALLED, None)


def test_a_department_of_an_earlier_whistle_may_not_see_who_reported(world):
    incident = world.whistled()
    answered_by_both(world, incident)
    take(world, incident, world.water, world.water_handler, (whistle.party_sign, {}))
    command = actor(world.command)
    verification.verify_pass(incident_id=incident.pk, actor=command)
    link = CallBack.objects.get(incident=incident)
    verification.rate(token=link.token, score="dissatisfied", solved=False)
    hospital = DepartmentFactory()
    calls = [whistle.Call(world.city, is_lead=True), whistle.Call(hospital)]
    whistle.blow(incident_id=incident.pk, actor=command, ask="再来", calls=calls)
    now = Incident.objects.get(pk=incident.pk)
    assert contact.may_reveal(actor(world.city_handler), now)
    assert not contact.may_reveal(actor(world.water_handler), now)


def test_the_reporter_reads_what_the_lead_answered(world, client):
    incident = world.whistled()
    answered_by_both(world, incident)
    take(world, incident, world.water, world.water_handler, (whistle.party_sign, {}))
    verification.verify_pass(incident_id=incident.pk, actor=actor(world.command))
    link = CallBack.objects.get(incident=incident)
    for page in (f"/track/?code={incident.tracking_code}", f"/rate/{link.token}/"):
        shown = client.get(page).content.decode()
        assert "路面已修复" in shown
        assert "管网完好" not in shown


def test_each_department_has_its_own_arrival_clock(world):
    incident = world.whistled()
    waiting = StageClock.objects.filter(incident=incident, stage="accept", finished_at=None)
    assert waiting.count() == 2
    take(world, incident, world.water, world.water_handler, (whistle.party_accept, {}))
    assert [c.party.department for c in waiting.all()] == [world.city]


def test_a_department_cannot_answer_for_another(world):
    incident = world.whistled()
    with pytest.raises(Invalid):
        take(world, incident, world.city, world.water_handler, (whistle.party_accept, {}))


def test_a_department_not_called_in_has_no_say(world):
    incident = world.whistled()
    outsider = person(Role.DEPARTMENT_HANDLER, DepartmentFactory())
    with pytest.raises(NotAllowed):
        take(world, incident, world.water, outsider, (whistle.party_accept, {}))


def test_nobody_signs_before_the_lead_has_answered(world):
    incident = world.whistled()
    take(world, incident, world.water, world.water_handler, (whistle.party_accept, {}),
         (whistle.party_arrive, {}), (whistle.party_answer, {"opinion": "好"}))  # fmt: skip
    with pytest.raises(Conflict):
        take(world, incident, world.water, world.water_handler, (whistle.party_sign, {}))


def test_accepting_twice_tells_that_it_is_done(world):
    incident = world.whistled()
    take(world, incident, world.water, world.water_handler, (whistle.party_accept, {}))
    with pytest.raises(Conflict):
        take(world, incident, world.water, world.water_handler, (whistle.party_accept, {}))


@pytest.mark.parametrize("leads", [0, 2])
def test_a_whistle_has_exactly_one_lead(world, leads):
    incident = world.pending(category=world.road)
    calls = [
        whistle.Call(world.city, is_lead=leads > 0),
        whistle.Call(world.water, is_lead=leads > 1),
    ]
    with pytest.raises(Invalid):
        whistle.blow(incident_id=incident.pk, actor=actor(world.town_admin), ask="来", calls=calls)


def test_failed_verification_calls_the_same_departments_again(world):
    incident = world.whistled()
    answered_by_both(world, incident)
    take(world, incident, world.water, world.water_handler, (whistle.party_sign, {}))
    verification.verify_fail(
        incident_id=incident.pk, actor=actor(world.command), reason="路面又塌了"
    )
    assert state(incident) == State.WHISTLED
    assert incident.whistles.get().closed_at is None


def test_a_called_department_sees_the_case_and_others_do_not(world):
    incident = world.whistled()
    seen = Incident.objects.visible_to(world.water_handler)
    outsider = person(Role.DEPARTMENT_HANDLER, DepartmentFactory())
    assert list(seen) == [incident]
    assert not Incident.objects.visible_to(outsider).exists()


def answered_and_signed(world):
    incident = world.whistled()
    answered_by_both(world, incident)
    take(world, incident, world.water, world.water_handler, (whistle.party_sign, {}))
    return incident


def checked(incident, user, **judged):
    verification.verify_pass(incident_id=incident.pk, actor=actor(user), **judged)


def test_the_command_centre_judges_a_whistle_when_it_checks_the_result(world):
    incident = answered_and_signed(world)
    checked(incident, world.command, whistle_needless=True)
    assert incident.whistles.get().needless is True
    assert FigureDelta.objects.filter(metric="whistle:needless").count() == 1


def test_a_whistle_checked_without_a_mark_was_needed(world):
    incident = answered_and_signed(world)
    checked(incident, world.command)
    assert incident.whistles.get().needless is False
    assert not FigureDelta.objects.filter(metric="whistle:needless").exists()


def test_a_town_does_not_judge_its_own_whistle(world):
    incident = answered_and_signed(world)
    with pytest.raises(NotAllowed):
        checked(incident, world.town_admin, whistle_needless=True)
    checked(incident, world.town_admin)
    assert incident.whistles.get().needless is None


def test_the_judgement_of_a_ruling_is_counted_once_with_the_check(world):
    incident = world.whistled()
    answered_by_both(world, incident)
    take(world, incident, world.water, world.water_handler,
         (whistle.party_dissent, {"reason": "与我局无关"}))  # fmt: skip
    whistle.rule(
        incident_id=incident.pk,
        actor=actor(world.command),
        ruling="本可就地处理",
        answer_stands=True,
        needless=True,
    )
    assert not FigureDelta.objects.filter(metric="whistle:needless").exists()
    checked(incident, world.town_admin)
    assert FigureDelta.objects.filter(metric="whistle:needless").count() == 1
    fold()
    kept = day_figures([world.county], date.min, date.max)["whistle:needless"]
    rebuild()
    assert day_figures([world.county], date.min, date.max)["whistle:needless"] == kept == 1


def test_only_the_command_centre_is_asked_whether_the_whistle_was_needed(world):
    incident = Incident.objects.get(pk=answered_and_signed(world).pk)
    asked = {
        user: "needless" in VerifyPassForm(incident=incident, actor=actor(user)).fields
        for user in (world.command, world.town_admin)
    }
    assert asked == {world.command: True, world.town_admin: False}
