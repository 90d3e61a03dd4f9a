"""What the audit trail calls the acts of this floor, and the names of their subjects.

What must not live here: anything that changes a row, and what a file says: it is confidential.
"""

from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from core.audit_words import name_actions, name_subject
from mediation.models import Dispute
from mediation.workflow import SYSTEM_ROWS, TRANSITIONS, action_label

ACTIONS = {
    "dispute.forget_contact": _("Parties' phones erased by rule"),
    "dispute.open_file": _("Opened the file"),
    "dispute.open_print": _("Opened the agreement for printing"),
    "reveal.parties": _("Looked at the parties"),
}


def connect() -> None:
    """Give the words to the trail. Called from AppConfig.ready."""
    name_actions({f"dispute.{a}": action_label(a) for a in (*TRANSITIONS, *SYSTEM_ROWS)})
    name_actions(ACTIONS)
    name_subject("dispute", _("Dispute"), _disputes)


def _disputes(ids: list[int]) -> dict[int, tuple[str, str]]:
    rows = Dispute.objects.filter(pk__in=ids).values_list("pk", "number")
    return {pk: (number, reverse("dispute", args=[number])) for pk, number in rows}
