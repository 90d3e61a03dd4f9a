"""Consent, the four steps, and the ways a mediation ends without agreement."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from core.errors import Conflict, Invalid
from incidents.services.step import person
from mediation.models import (
    STEP_STATES,
    Dispute,
    DisputeState,
    OtherRoad,
    Party,
    StepOutcome,
    StepRecord,
)
from mediation.queries import consent_is_complete
from mediation.services.deadlines import expect_no_visit, run_the_month, stop_the_month
from mediation.services.registering import begin_when_agreed
from mediation.services.step import Step, required, step
from mediation.workflow import Actor

# An extension past this is a slip of the pen.
LONGEST_EXTENSION = timedelta(days=366)


@dataclass(frozen=True)
class Session:
    """One session as typed. ``stopped_by`` and ``roads`` matter when it ended the mediation."""

    held_at: datetime
    place: str
    mediator_names: str
    record: str
    outcome: str
    stopped_by: Party | None = None
    roads: Sequence[str] = ()


def record_consent(
    *, dispute_id: int, party: Party, actor: Actor, seen: int | None = None
) -> Dispute:
    """Record that a party agrees to mediation; the last consent begins the first step.

    Mediation is voluntary on both sides (People's Mediation Law, art. 3 and 17).
    """
    with step(dispute_id=dispute_id, action="record_consent", actor=actor, seen=seen) as case:
        mine = Party.objects.filter(dispute=case.dispute, pk=party.pk)
        if not mine.filter(agreed_to_mediation_at=None).update(agreed_to_mediation_at=case.now):
            raise Conflict(_("This party's consent is recorded already."))
        case.data = {"party": party.pk, "side": party.side}
        begin_when_agreed(case.dispute)
    return case.dispute


def record_step(
    *, dispute_id: int, session: Session, actor: Actor, seen: int | None = None
) -> Dispute:
    """Record a session of the present step and go where its outcome leads.

    Raises Conflict while a party's consent is missing, Invalid for a session in the future
    or before registration, or a fifth step.
    """
    with step(dispute_id=dispute_id, action="record_step", actor=actor, seen=seen) as case:
        dispute = case.dispute
        if not consent_is_complete(dispute):
            raise Conflict(_("Not every party has agreed to mediation yet."))
        if session.outcome not in StepOutcome.values:
            raise Invalid(_("Choose how the session ended."), field="outcome")
        if session.outcome == StepOutcome.NEXT and dispute.step == len(STEP_STATES):
            raise Invalid(_("There is no step after the villagers' panel."), field="outcome")
        if session.held_at > case.now + timedelta(minutes=5):
            raise Invalid(_("A session is recorded after it was held."), field="held_at")
        if timezone.localdate(session.held_at) < timezone.localdate(dispute.registered_at):
            raise Invalid(_("The session is before the registration."), field="held_at")
        row = StepRecord.objects.create(
            dispute=dispute,
            step=dispute.step,
            held_at=session.held_at,
            place=required(session.place, "place"),
            mediator_names=required(session.mediator_names, "mediator_names"),
            record=required(session.record, "record"),
            outcome=session.outcome,
            recorded_by=person(actor),
            recorded_at=case.now,
        )
        case.data = {"step": row.step, "outcome": row.outcome}
        if row.outcome == StepOutcome.NEXT:
            dispute.step += 1
            dispute.state = STEP_STATES[dispute.step - 1]
        if row.outcome == StepOutcome.STOPPED:
            _mark_stopped(case, session.stopped_by)
        if row.outcome in {StepOutcome.STOPPED, StepOutcome.FAILED}:
            dispute.state = DisputeState.FAILED
            _tell_other_roads(case, session.roads)
    return case.dispute


def stop_by_party(
    *,
    dispute_id: int,
    party: Party,
    roads: Sequence[str],
    actor: Actor,
    note: str = "",
    seen: int | None = None,
) -> Dispute:
    """End the mediation because a party wants no more of it; no reason is asked of the party."""
    with step(dispute_id=dispute_id, action="stop_by_party", actor=actor, seen=seen) as case:
        _mark_stopped(case, party)
        case.note = note.strip()
        _tell_other_roads(case, roads)
    return case.dispute


def fail(
    *, dispute_id: int, roads: Sequence[str], actor: Actor, note: str, seen: int | None = None
) -> Dispute:
    """End without agreement, or with one that is not performed; the parties know other roads."""
    note = required(note, "note")
    with step(dispute_id=dispute_id, action="fail", actor=actor, seen=seen) as case:
        case.note = note
        _tell_other_roads(case, roads)
    return case.dispute


def withdraw(*, dispute_id: int, actor: Actor, reason: str, seen: int | None = None) -> Dispute:
    """Take back a registration before mediation began (settled among themselves, twice here)."""
    reason = required(reason, "reason")
    with step(dispute_id=dispute_id, action="withdraw", actor=actor, seen=seen) as case:
        case.note = reason
        stop_the_month(case.dispute)
    return case.dispute


def extend(
    *,
    dispute_id: int,
    until: date,
    both_agree: bool,
    actor: Actor,
    reason: str,
    seen: int | None = None,
) -> Dispute:
    """Move the end of the month to the end of ``until``, with both parties' consent."""
    reason = required(reason, "reason")
    if not both_agree:
        raise Invalid(_("An extension needs the consent of both parties."), field="both_agree")
    with step(dispute_id=dispute_id, action="extend", actor=actor, seen=seen) as case:
        dispute = case.dispute
        due_at = timezone.make_aware(datetime.combine(until, time(23, 59)))
        if due_at <= max(dispute.due_at, case.now):
            raise Invalid(_("Choose a day after the present end."), field="until")
        if due_at > dispute.registered_at + LONGEST_EXTENSION:
            raise Invalid(_("Choose a day within a year of the registration."), field="until")
        dispute.due_at = due_at
        dispute.overdue_at = None
        dispute.extensions += 1
        case.note = reason
        case.data = {"until": until.isoformat()}
        run_the_month(dispute)
    return case.dispute


def remark(*, dispute_id: int, actor: Actor, note: str, seen: int | None = None) -> Dispute:
    """Add a note to the timeline."""
    note = required(note, "note")
    with step(dispute_id=dispute_id, action="remark", actor=actor, seen=seen) as case:
        case.note = note
    return case.dispute


def _mark_stopped(case: Step, party: Party | None) -> None:
    if party is None:
        raise Invalid(_("Say which party stopped the mediation."), field="stopped_by")
    if not Party.objects.filter(dispute=case.dispute, pk=party.pk).update(stopped_at=case.now):
        raise Invalid(_("This is no party of the dispute."), field="stopped_by")
    case.data |= {"party": party.pk, "side": party.side}


def _tell_other_roads(case: Step, roads: Sequence[str]) -> None:
    told = [road for road in OtherRoad.values if road in roads]
    if not told or len(told) != len(set(roads)):
        raise Invalid(_("Tell the parties which other roads they have."), field="roads")
    case.dispute.roads_told = told
    case.data["roads"] = told
    stop_the_month(case.dispute)
    expect_no_visit(case.dispute)
