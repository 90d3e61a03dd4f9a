"""Who may come to a rating by the tracking code alone.

The code stands on every desk the case passes, so it proves nothing against colleagues: the link
of a rating is for whoever has the message, this road is for whoever lost it. What must not live
here: what a rating does (services/verification.py).
"""

from django.contrib.auth.models import AnonymousUser

from core.crypto import blind_index
from core.phone import PhoneError, plain_phone
from grids.models import User
from grids.queries import Scope
from incidents.models import Incident, ReporterContact
from incidents.queries.case import acted_in_round

# The rating is shown at once, after the phone left with the report, or not at all.
OPEN, PHONE, CLOSED = "open", "phone", ""


def rating_way(
    incident: Incident, user: User | AnonymousUser, scope: Scope, *, about: Incident
) -> str:
    """Return how the reader of a case's tracking page comes to its rating (≤ 2 queries).

    A report made with an account is rated by that account; nobody rates their own work, and no
    colleague for a resident. A reporter who left a phone says it once more. ``about`` is what is
    rated: the case itself, or the one it was merged into.
    """
    if incident.reporter_id is not None:
        mine = incident.reporter_id == user.pk
        return OPEN if mine and not acted_in_round(about, _known(user)) else CLOSED
    if scope.postings:
        return CLOSED
    return PHONE if _phone_index(incident) else OPEN


def knows_phone(incident: Incident, typed: str) -> bool:
    """Return whether ``typed`` is the phone left with the report (1 query)."""
    try:
        phone = plain_phone(typed)
    except PhoneError:
        return False
    return blind_index(phone) == _phone_index(incident) != ""


def _phone_index(incident: Incident) -> str:
    rows = ReporterContact.objects.filter(incident_id=incident.pk)
    return rows.values_list("phone_index", flat=True).first() or ""


def _known(user: User | AnonymousUser) -> User | None:
    return user if isinstance(user, User) else None
