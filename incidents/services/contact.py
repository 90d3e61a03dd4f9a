"""Showing who reported a case: what grids.services.reveal needs to know of it.

What must not live here: reasons, records and how long the screen shows it, which are the same for
all that is revealed.
"""

from django.http import Http404
from django.utils.translation import gettext_lazy as _

from core.masking import mask_name, mask_phone
from grids.models import User
from grids.queries import Scope
from grids.services.reveal import Field, Revealable
from incidents.models import Incident
from incidents.queries import open_party_ids, visible_incident
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


def _find(user: User, scope: Scope, tracking_code: str) -> Incident | None:
    try:
        return visible_incident(user, scope, tracking_code)
    except Http404:
        return None


def _may(user: User, scope: Scope, incident: Incident) -> bool:
    return may_reveal(Actor.for_user(user, scope=scope), incident)


def _clear(incident: Incident) -> str:
    contact = getattr(incident, "contact", None)
    return f"{contact.name} {contact.phone}".strip() if contact else ""


def _masked(incident: Incident) -> str:
    contact = getattr(incident, "contact", None)
    return f"{mask_name(contact.name)} {mask_phone(contact.phone)}".strip() if contact else ""


REPORTER = Field(label=_("name and phone"), clear=_clear, masked=_masked, may=_may)
REVEALABLE = Revealable(find=_find, fields={"reporter": REPORTER}, place=lambda incident: incident)
