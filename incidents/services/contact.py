"""Showing who reported a case, on a stated reason, on the record.

What must not live here: masking (core.masking) and how long the screen shows it.
"""

from django.db import transaction
from django.utils.translation import gettext as _

from core.errors import Conflict, NotAllowed
from core.masking import mask_text
from core.services import audit
from incidents.models import Incident, ReporterContact
from incidents.queries import open_party_ids
from incidents.services.step import person, required
from incidents.workflow import Actor, Right, rights

# Those who work on a case may need to ring its reporter; who only looks on may not.
MAY_REVEAL = frozenset(
    {Right.COMMAND, Right.DISPATCHER, Right.OWNER, Right.PARTY, Right.VERIFIER, Right.CALLER}
)


def may_reveal(actor: Actor, incident: Incident) -> bool:
    """Return whether ``actor`` works on the case (≤ 1 query)."""
    held = rights(actor, incident) & MAY_REVEAL
    if held == {Right.PARTY}:
        return bool(open_party_ids(incident, actor.scope.department_ids))
    return bool(held)


def reveal(*, incident: Incident, actor: Actor, reason: str) -> ReporterContact:
    """Return name and phone in clear; the look and its reason are in the audit trail.

    Raises Invalid without a reason, NotAllowed for somebody who only looks on, Conflict when
    no contact was left, or it has been erased by rule.
    """
    reason = required(reason.replace("\x00", ""), "reason")
    if not may_reveal(actor, incident):
        raise NotAllowed(_("Only those who work on a case may see who reported it."))
    contact = ReporterContact.objects.filter(incident=incident).first()
    if contact is None:
        raise Conflict(_("No name or phone of the reporter is kept."))
    with transaction.atomic():
        audit.record(
            actor=person(actor),
            action="incident.reveal_reporter",
            subject_type="incident",
            subject_id=incident.pk,
            data={"reason": mask_text(reason)[:300]},
            ip=actor.ip,
        )
    return contact
