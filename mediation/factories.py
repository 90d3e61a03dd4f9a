"""Builders of disputes for tests. They go through the services, so every state is a true one.

What must not live here: the demo county, which is data with a story (governance.demo).
"""

from datetime import timedelta
from typing import Any

from django.utils import timezone

from grids.factories import SmallCounty, person
from grids.models import Area, Role, User
from mediation.models import (
    STEP_STATES,
    ClueSource,
    Dispute,
    DisputeState,
    Kind,
    OtherRoad,
    Performance,
    Side,
    StepOutcome,
)
from mediation.services import agreements, sessions
from mediation.services.agreements import AgreementIn
from mediation.services.registering import NewDispute, PartyIn, register
from mediation.services.sessions import Session
from mediation.workflow import Actor

A_NAME, B_NAME = "赵铁柱", "钱大海"
A_PHONE, B_PHONE = "19900001001", "19900001002"
FACTS = "赵铁柱家翻建西厢房，滴水落到钱大海家院内，双方争执。"


def mediator_in(county: SmallCounty, *, grid: int = 0) -> User:
    """Return a new grid worker of a grid of the small county."""
    return person(Role.GRID_WORKER, county.grids[grid])


def new_dispute(area: Area, *, agreed: bool = True, **fields: Any) -> NewDispute:
    """Return what a form would hold; by default both parties have agreed to mediation."""
    return NewDispute(
        area=area,
        title=fields.pop("title", "滴水纠纷"),
        facts=fields.pop("facts", FACTS),
        kind=fields.pop("kind", Kind.NEIGHBOUR),
        source=fields.pop("source", ClueSource.WORKER),
        parties=fields.pop(
            "parties",
            (
                PartyIn(Side.A, A_NAME, A_PHONE, agreed),
                PartyIn(Side.B, B_NAME, B_PHONE, agreed),
            ),
        ),
        **fields,
    )


def dispute_at(
    area: Area, *, mediator: User, state: str = DisputeState.FIRST, **fields: Any
) -> Dispute:
    """Return a dispute that ``mediator`` registered and took to ``state`` by true steps."""
    actor = Actor.for_user(mediator)
    agreed = state not in {DisputeState.REGISTERED, DisputeState.WITHDRAWN}
    dispute, _new = register(new_dispute(area, agreed=agreed, **fields), actor=actor)
    if state == DisputeState.WITHDRAWN:
        return sessions.withdraw(dispute_id=dispute.pk, actor=actor, reason="双方已自行和好")
    if state == DisputeState.FAILED:
        return sessions.fail(
            dispute_id=dispute.pk, actor=actor, note="分歧过大", roads=[OtherRoad.COURT]
        )
    if state in STEP_STATES:
        for _step in range(STEP_STATES.index(state)):
            sessions.record_step(
                dispute_id=dispute.pk, actor=actor, session=session(StepOutcome.NEXT)
            )
    elif state != DisputeState.REGISTERED:
        settle(dispute, actor=actor)
    if state in {DisputeState.FOLLOWING_UP, DisputeState.CLOSED}:
        agreements.follow_up(
            dispute_id=dispute.pk,
            actor=actor,
            day=timezone.localdate(),
            performed=Performance.YES,
        )
    if state == DisputeState.CLOSED:
        agreements.close(dispute_id=dispute.pk, actor=actor)
    dispute.refresh_from_db()
    return dispute


def settle(dispute: Dispute, *, actor: Actor, **fields: Any) -> Dispute:
    """Record a session that settled the dispute, and its agreement."""
    sessions.record_step(dispute_id=dispute.pk, actor=actor, session=session(StepOutcome.SETTLED))
    return agreements.agree(dispute_id=dispute.pk, actor=actor, agreement=agreement(**fields))


def session(outcome: str = StepOutcome.NEXT, **fields: Any) -> Session:
    """Return a session held just now."""
    return Session(
        held_at=fields.pop("held_at", timezone.now()),
        place=fields.pop("place", "村委会调解室"),
        mediator_names=fields.pop("mediator_names", "测试调解员"),
        record=fields.pop("record", "双方陈述了经过，调解员分别做了工作。"),
        outcome=outcome,
        **fields,
    )


def agreement(**fields: Any) -> AgreementIn:
    """Return a complete written agreement signed today, to be performed in ten days."""
    today = timezone.localdate()
    return AgreementIn(
        **{
            "form": "written",
            "facts": FACTS,
            "responsibilities": "滴水落点越界，赵铁柱应予改正。",
            "content": "赵铁柱在西厢房加装檐沟，钱大海不再追究。",
            "manner": "赵铁柱自行施工，网格员到场查看。",
            "performance_due": today + timedelta(days=10),
            "signed_on": today,
            "mediator_signature": "测试调解员",
            "party_a_signed": True,
            "party_b_signed": True,
            "sealed": True,
            **fields,
        }
    )
