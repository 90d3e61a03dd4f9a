"""The agreement and what follows: court confirmation, visits, closing."""

from dataclasses import dataclass
from datetime import date, timedelta

from django.conf import settings
from django.utils import timezone, translation
from django.utils.translation import gettext_lazy as _

from core.errors import Conflict, Invalid
from incidents.services.step import person
from mediation.models import (
    COURT_CONFIRMATION_DAYS,
    NOT_CONFIRMABLE,
    Agreement,
    AgreementForm,
    Dispute,
    FollowUp,
    Performance,
)
from mediation.queries import consent_is_complete
from mediation.services.deadlines import expect_no_visit, expect_visit, stop_the_month
from mediation.services.step import required, step
from mediation.workflow import Actor


@dataclass(frozen=True)
class AgreementIn:
    """The law's fields as typed (People's Mediation Law, art. 29)."""

    form: str
    facts: str
    responsibilities: str
    content: str
    manner: str
    performance_due: date
    signed_on: date
    mediator_signature: str
    party_a_signed: bool = False
    party_b_signed: bool = False
    sealed: bool = False


def agree(
    *, dispute_id: int, agreement: AgreementIn, actor: Actor, seen: int | None = None
) -> Dispute:
    """Record the agreement; its first follow-up is due the day after the term of performance.

    Raises Invalid for a missing field, or a written agreement without a signature or seal.
    """
    new = agreement
    with step(dispute_id=dispute_id, action="agree", actor=actor, seen=seen) as case:
        dispute = case.dispute
        if not consent_is_complete(dispute):
            raise Conflict(_("Not every party has agreed to mediation yet."))
        _check(new, dispute, today=timezone.localdate(case.now))
        Agreement.objects.create(
            dispute=dispute,
            form=new.form,
            kind=dispute.kind,
            parties=_snapshot(dispute),
            facts=required(new.facts, "facts"),
            responsibilities=required(new.responsibilities, "responsibilities"),
            content=required(new.content, "content"),
            manner=required(new.manner, "manner"),
            performance_due=new.performance_due,
            signed_on=new.signed_on,
            party_a_signed=new.party_a_signed,
            party_b_signed=new.party_b_signed,
            mediator_signature=required(new.mediator_signature, "mediator_signature"),
            sealed=new.sealed,
            recorded_by=person(actor),
            recorded_at=case.now,
        )
        dispute.settled_at = case.now
        case.data = {"form": new.form, "performance_due": new.performance_due.isoformat()}
        stop_the_month(dispute)
        expect_visit(dispute, day=new.performance_due + timedelta(days=1))
    return dispute


def ask_court(*, dispute_id: int, day: date, actor: Actor, seen: int | None = None) -> Dispute:
    """Record that both parties jointly asked the court to confirm the agreement on ``day``.

    Raises Invalid more than 30 days after signing, or for identity, adoption and marriage.
    """
    with step(dispute_id=dispute_id, action="ask_court", actor=actor, seen=seen) as case:
        agreement = Agreement.objects.select_for_update().get(dispute=case.dispute)
        if agreement.court_confirmation_asked_on:
            raise Conflict(_("The request to the court is recorded already."))
        if agreement.kind in NOT_CONFIRMABLE:
            raise Invalid(
                _("A court does not confirm agreements on identity, adoption or marriage."),
                field="day",
            )
        last = agreement.signed_on + timedelta(days=COURT_CONFIRMATION_DAYS)
        if not agreement.signed_on <= day <= last:
            raise Invalid(
                _("The court is asked within 30 days of the agreement, until %(day)s."),
                field="day",
                day=last.isoformat(),
            )
        if day > timezone.localdate(case.now):
            raise Invalid(_("This day is still to come."), field="day")
        agreement.court_confirmation_asked_on = day
        agreement.save(update_fields=["court_confirmation_asked_on"])
        case.data = {"day": day.isoformat()}
    return case.dispute


def follow_up(
    *,
    dispute_id: int,
    day: date,
    performed: str,
    actor: Actor,
    note: str = "",
    next_on: date | None = None,
    seen: int | None = None,
) -> Dispute:
    """Record a visit. Unless performed in full, ``next_on`` says when to look again."""
    with step(dispute_id=dispute_id, action="follow_up", actor=actor, seen=seen) as case:
        dispute = case.dispute
        if performed not in Performance.values:
            raise Invalid(_("Say how far it is performed."), field="performed")
        if day > timezone.localdate(case.now):
            raise Invalid(_("This day is still to come."), field="day")
        if day < dispute.agreement.signed_on:
            raise Invalid(_("The visit is before the agreement."), field="day")
        if performed == Performance.YES:
            expect_no_visit(dispute)
            next_on = None
        elif next_on is None or next_on <= timezone.localdate(case.now):
            raise Invalid(_("Say on which day to come we look again."), field="next_on")
        else:
            required(note, "note")
            expect_visit(dispute, day=next_on)
        FollowUp.objects.create(
            dispute=dispute,
            day=day,
            performed=performed,
            note=note.strip(),
            next_on=next_on,
            recorded_by=person(actor),
            recorded_at=case.now,
        )
        case.data = {"performed": performed}
    return dispute


def close(*, dispute_id: int, actor: Actor, note: str = "", seen: int | None = None) -> Dispute:
    """Close a dispute whose last visit found the agreement performed in full."""
    with step(dispute_id=dispute_id, action="close", actor=actor, seen=seen) as case:
        case.note = note.strip()
        expect_no_visit(case.dispute)
    return case.dispute


def _check(new: AgreementIn, dispute: Dispute, *, today: date) -> None:
    if new.form not in AgreementForm.values:
        raise Invalid(_("Choose written or oral."), field="form")
    if new.signed_on > today:
        raise Invalid(_("This day is still to come."), field="signed_on")
    if new.signed_on < timezone.localdate(dispute.registered_at):
        raise Invalid(_("The agreement is before the registration."), field="signed_on")
    if new.performance_due < new.signed_on:
        raise Invalid(_("The term of performance ends after the signing."), field="performance_due")
    if new.form == AgreementForm.WRITTEN:
        lacking = {
            "party_a_signed": new.party_a_signed,
            "party_b_signed": new.party_b_signed,
            "sealed": new.sealed,
        }
        errors = {name: [_LACKING[name]] for name, there in lacking.items() if not there}
        if errors:
            raise Invalid(errors=errors)


_LACKING = {
    "party_a_signed": _("A written agreement needs the signature of party A."),
    "party_b_signed": _("A written agreement needs the signature of party B."),
    "sealed": _("A written agreement needs the committee's seal."),
}


def _snapshot(dispute: Dispute) -> str:
    """Return the parties of today as lines "side: name (phone)".

    In the county's language, whoever writes it down: the agreement is its document.
    """
    with translation.override(settings.LANGUAGE_CODE):
        return "\n".join(
            f"{party.get_side_display()}：{party.name}"
            + (f"（{party.phone}）" if party.phone else "")
            for party in dispute.parties.all()
        )
