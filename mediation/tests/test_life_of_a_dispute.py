"""The road of a dispute: consent, the four steps, agreement, follow-up, and the ways out."""

from datetime import timedelta

import pytest
from django.utils import timezone

from core.errors import Conflict, Invalid, NotAllowed
from grids.factories import person
from grids.models import Role
from mediation.factories import (
    agreement,
    dispute_at,
    mediator_in,
    new_dispute,
    session,
    settle,
)
from mediation.models import (
    Agreement,
    Dispute,
    DisputeState,
    Kind,
    OtherRoad,
    Performance,
    Side,
    StepOutcome,
    StepRecord,
)
from mediation.services import agreements, people, sessions
from mediation.services.registering import PartyIn, add_party, register
from mediation.workflow import TRANSITIONS, Actor

pytestmark = pytest.mark.django_db

S = DisputeState
ROADS = [OtherRoad.COURT, OtherRoad.ARBITRATION]


def at(county, worker, state, **fields):
    return dispute_at(county.grids[0], mediator=worker, state=state, **fields)


def test_every_state_is_reached_by_true_steps(county, worker):
    for state in S.values:
        dispute = at(county, worker, state)
        assert dispute.state == state
        assert (dispute.ended_at is not None) == (state in {"closed", "failed", "withdrawn"})


def test_the_number_follows_on_within_the_year(county, worker):
    first, second = at(county, worker, S.FIRST), at(county, worker, S.FIRST)
    year = timezone.localdate().year
    assert first.number == f"MJ-{year}-000001"
    assert second.number == f"MJ-{year}-000002"


def test_the_same_form_sent_twice_is_one_dispute(county, worker):
    form = new_dispute(county.grids[0])
    first, new = register(form, actor=Actor.for_user(worker))
    again, new_again = register(form, actor=Actor.for_user(worker))
    assert (new, new_again) == (True, False)
    assert first.pk == again.pk
    assert first.parties.count() == 2
    assert at(county, worker, S.FIRST).number.endswith("000002")


@pytest.mark.parametrize("side", Side.values)
def test_a_party_without_a_name_is_told_of_beside_its_own_field(county, worker, side):
    names = {Side.A: "赵铁柱", Side.B: "钱大海", Side.THIRD: "孙小满", side: " "}
    parties = [PartyIn(key, name) for key, name in names.items()]
    with pytest.raises(Invalid) as refused:
        register(new_dispute(county.grids[0], parties=parties), actor=Actor.for_user(worker))
    assert list(refused.value.errors) == [f"{side}_name"]


def test_mediation_begins_when_both_parties_have_agreed(county, worker):
    dispute = at(county, worker, S.REGISTERED)
    actor = Actor.for_user(worker)
    a, b = dispute.parties.all()
    sessions.record_consent(dispute_id=dispute.pk, party=a, actor=actor)
    dispute.refresh_from_db()
    assert dispute.state == S.REGISTERED
    sessions.record_consent(dispute_id=dispute.pk, party=b, actor=actor)
    dispute.refresh_from_db()
    assert (dispute.state, dispute.step) == (S.FIRST, 1)


def test_without_consent_no_session_is_recorded(county, worker):
    dispute = at(county, worker, S.REGISTERED)
    with pytest.raises(Conflict):
        sessions.record_step(dispute_id=dispute.pk, session=session(), actor=Actor.for_user(worker))
    assert not StepRecord.objects.exists()


def test_a_party_who_joins_later_must_agree_before_the_next_session(county, worker):
    dispute = at(county, worker, S.VILLAGER)
    actor = Actor.for_user(worker)
    add_party(dispute_id=dispute.pk, party=PartyIn(Side.B, "孙小满"), actor=actor)
    with pytest.raises(Conflict):
        sessions.record_step(dispute_id=dispute.pk, session=session(), actor=actor)
    newcomer = dispute.parties.get(agreed_to_mediation_at=None)
    sessions.record_consent(dispute_id=dispute.pk, party=newcomer, actor=actor)
    sessions.record_step(dispute_id=dispute.pk, session=session(), actor=actor)


def test_the_four_steps_follow_one_another_and_there_is_no_fifth(county, worker):
    dispute = at(county, worker, S.PANEL)
    assert [r.step for r in dispute.step_records.all()] == [1, 2, 3]
    with pytest.raises(Invalid) as refused:
        sessions.record_step(dispute_id=dispute.pk, session=session(), actor=Actor.for_user(worker))
    assert "outcome" in refused.value.errors


@pytest.mark.parametrize("state", [S.FIRST, S.VILLAGER, S.LEGAL, S.PANEL])
def test_a_dispute_may_be_settled_at_any_step(county, worker, state):
    dispute = at(county, worker, state)
    settle(dispute, actor=Actor.for_user(worker))
    dispute.refresh_from_db()
    assert dispute.state == S.AGREED
    assert dispute.settled_at


def test_no_agreement_before_a_session_that_settled(county, worker):
    dispute = at(county, worker, S.FIRST)
    with pytest.raises(Conflict):
        agreements.agree(dispute_id=dispute.pk, agreement=agreement(), actor=Actor.for_user(worker))


@pytest.mark.parametrize("state", [S.REGISTERED, S.FIRST, S.VILLAGER, S.LEGAL, S.PANEL])
@pytest.mark.parametrize("side", [Side.A, Side.B])
def test_either_party_may_stop_at_any_time_and_is_told_other_roads(county, worker, state, side):
    dispute = at(county, worker, state)
    party = dispute.parties.get(side=side)
    actor = Actor.for_user(worker)
    with pytest.raises(Invalid) as refused:
        sessions.stop_by_party(dispute_id=dispute.pk, party=party, roads=[], actor=actor)
    assert "roads" in refused.value.errors
    sessions.stop_by_party(dispute_id=dispute.pk, party=party, roads=ROADS, actor=actor)
    dispute.refresh_from_db()
    party.refresh_from_db()
    assert dispute.state == S.FAILED
    assert set(dispute.roads_told) == set(ROADS)
    assert party.stopped_at


def test_a_session_that_a_party_stopped_ends_the_mediation(county, worker):
    dispute = at(county, worker, S.LEGAL)
    party = dispute.parties.first()
    stopped = session(StepOutcome.STOPPED, stopped_by=party, roads=ROADS)
    sessions.record_step(dispute_id=dispute.pk, session=stopped, actor=Actor.for_user(worker))
    dispute.refresh_from_db()
    assert dispute.state == S.FAILED


def test_a_party_of_another_dispute_stops_nothing(county, worker):
    dispute, other = at(county, worker, S.FIRST), at(county, worker, S.FIRST)
    with pytest.raises(Invalid):
        sessions.stop_by_party(
            dispute_id=dispute.pk,
            party=other.parties.first(),
            roads=ROADS,
            actor=Actor.for_user(worker),
        )


@pytest.mark.parametrize(
    "missing", ["facts", "responsibilities", "content", "manner", "mediator_signature"]
)
def test_an_agreement_holds_every_field_of_the_law(county, worker, missing):
    dispute = at(county, worker, S.FIRST)
    with pytest.raises(Invalid) as refused:
        settle(dispute, actor=Actor.for_user(worker), **{missing: " "})
    assert missing in refused.value.errors
    assert not Agreement.objects.exists()


@pytest.mark.parametrize("missing", ["party_a_signed", "party_b_signed", "sealed"])
def test_a_written_agreement_needs_signatures_and_seal_an_oral_one_is_recorded(
    county, worker, missing
):
    actor = Actor.for_user(worker)
    dispute = at(county, worker, S.FIRST)
    with pytest.raises(Invalid) as refused:
        settle(dispute, actor=actor, **{missing: False})
    assert missing in refused.value.errors
    settle(dispute, actor=actor, form="oral", **{missing: False})
    dispute.refresh_from_db()
    assert dispute.state == S.AGREED


def test_the_agreement_keeps_the_parties_as_they_were(county, worker):
    dispute = at(county, worker, S.AGREED)
    dispute.parties.update(name="改过的名字")
    assert "赵铁柱" in Agreement.objects.get().parties


@pytest.mark.parametrize("days", [0, 30])
def test_a_court_is_asked_within_thirty_days(county, worker, days, time_machine):
    dispute = at(county, worker, S.AGREED)
    day = timezone.localdate() + timedelta(days=days)
    time_machine.move_to(timezone.now() + timedelta(days=days))
    agreements.ask_court(dispute_id=dispute.pk, day=day, actor=Actor.for_user(worker))
    assert Agreement.objects.get().court_confirmation_asked_on == day


def test_a_court_is_not_asked_on_the_thirty_first_day(county, worker, time_machine):
    dispute = at(county, worker, S.AGREED)
    day = timezone.localdate() + timedelta(days=31)
    time_machine.move_to(timezone.now() + timedelta(days=31))
    with pytest.raises(Invalid):
        agreements.ask_court(dispute_id=dispute.pk, day=day, actor=Actor.for_user(worker))


@pytest.mark.parametrize("kind", [Kind.MARRIAGE, Kind.ADOPTION, Kind.IDENTITY])
def test_a_court_does_not_confirm_identity_adoption_and_marriage(county, worker, kind):
    dispute = at(county, worker, S.AGREED, kind=kind)
    assert dispute.agreement.court_until is None
    with pytest.raises(Invalid):
        agreements.ask_court(
            dispute_id=dispute.pk, day=timezone.localdate(), actor=Actor.for_user(worker)
        )


def test_performance_is_followed_up_until_it_is_whole(county, worker):
    dispute = at(county, worker, S.AGREED)
    actor, today = Actor.for_user(worker), timezone.localdate()
    visit = {"dispute_id": dispute.pk, "day": today, "actor": actor}
    with pytest.raises(Invalid) as refused:
        agreements.follow_up(**visit, performed=Performance.PARTLY, note="檐沟装了一半")
    assert "next_on" in refused.value.errors
    agreements.follow_up(
        **visit,
        performed=Performance.PARTLY,
        note="檐沟装了一半",
        next_on=today + timedelta(days=3),
    )
    with pytest.raises(Conflict):
        agreements.close(dispute_id=dispute.pk, actor=actor)
    agreements.follow_up(**visit, performed=Performance.YES)
    agreements.close(dispute_id=dispute.pk, actor=actor)
    dispute.refresh_from_db()
    assert dispute.state == S.CLOSED


def test_an_agreement_that_is_not_performed_ends_with_the_other_roads(county, worker):
    dispute = at(county, worker, S.FOLLOWING_UP)
    sessions.fail(dispute_id=dispute.pk, actor=Actor.for_user(worker), note="拒不履行", roads=ROADS)
    dispute.refresh_from_db()
    assert (dispute.state, dispute.settled_at) == (S.FAILED, None)


def test_the_month_is_extended_only_with_both_parties_consent(county, worker):
    dispute = at(county, worker, S.FIRST)
    actor = Actor.for_user(worker)
    until = timezone.localdate(dispute.due_at) + timedelta(days=10)
    ask = {"dispute_id": dispute.pk, "until": until, "actor": actor, "reason": "等鉴定结果"}
    with pytest.raises(Invalid) as refused:
        sessions.extend(**ask, both_agree=False)
    assert "both_agree" in refused.value.errors
    sessions.extend(**ask, both_agree=True)
    dispute.refresh_from_db()
    assert timezone.localdate(dispute.due_at) == until
    with pytest.raises(Invalid):
        sessions.extend(**{**ask, "until": until - timedelta(days=1)}, both_agree=True)


def every_act(dispute, actor):
    """Return every action with a call that would be right in the right state."""
    today, party = timezone.localdate(), dispute.parties.first()
    who = {"dispute_id": dispute.pk, "actor": actor}
    me = actor.user
    return {
        "add_party": lambda: add_party(party=PartyIn(Side.THIRD, "孙小满"), **who),
        "record_consent": lambda: sessions.record_consent(party=party, **who),
        "record_step": lambda: sessions.record_step(session=session("failed", roads=ROADS), **who),
        "agree": lambda: agreements.agree(agreement=agreement(), **who),
        "extend": lambda: sessions.extend(
            until=timezone.localdate(dispute.due_at) + timedelta(days=5),
            both_agree=True,
            reason="等鉴定",
            **who,
        ),
        "stop_by_party": lambda: sessions.stop_by_party(party=party, roads=ROADS, **who),
        "fail": lambda: sessions.fail(roads=ROADS, note="分歧过大", **who),
        "withdraw": lambda: sessions.withdraw(reason="和好", **who),
        "ask_court": lambda: agreements.ask_court(day=today, **who),
        "follow_up": lambda: agreements.follow_up(day=today, performed="yes", **who),
        "close": lambda: agreements.close(**who),
        "set_colour": lambda: people.set_colour(colour="yellow", reason="情绪激动", **who),
        "name_mediator": lambda: people.name_mediator(user=me, **who),
        "release_mediator": lambda: people.release_mediator(user=me, reason="回避", **who),
        "remark": lambda: sessions.remark(note="已电话联系", **who),
    }


@pytest.mark.parametrize("state", S.values)
def test_no_step_is_taken_from_a_state_the_table_does_not_name(county, worker, state):
    dispute = at(county, worker, state)
    office = person(Role.VILLAGE_OFFICE, county.villages[0])
    people_right = {"name_mediator", "release_mediator"}
    for action, call in every_act(dispute, Actor.for_user(worker)).items():
        if state in TRANSITIONS[action].sources or action in people_right:
            continue
        with pytest.raises(Conflict):
            call()
    for action in people_right:
        if state not in TRANSITIONS[action].sources:
            with pytest.raises(Conflict):
                every_act(dispute, Actor.for_user(office))[action]()
    dispute.refresh_from_db()
    assert dispute.state == state


def test_every_step_is_refused_to_somebody_without_the_right(county, worker):
    dispute = at(county, worker, S.FIRST)
    neighbour = mediator_in(county)
    calls = every_act(dispute, Actor.for_user(neighbour))
    assert set(calls) == set(TRANSITIONS)
    for call in calls.values():
        with pytest.raises(NotAllowed):
            call()


def test_of_two_people_pressing_at_once_one_wins_and_the_other_reads_what_happened(county, worker):
    dispute = at(county, worker, S.FIRST)
    actor = Actor.for_user(worker)
    seen = dispute.version
    sessions.record_step(dispute_id=dispute.pk, session=session(), actor=actor, seen=seen)
    with pytest.raises(Conflict) as refused:
        sessions.record_step(dispute_id=dispute.pk, session=session(), actor=actor, seen=seen)
    assert worker.display_name in str(refused.value)
    assert Dispute.objects.get(pk=dispute.pk).step == 2
