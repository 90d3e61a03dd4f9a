"""What workers' files and contact cards put into the registries of this floor, at start-up.

What must not live here: any of the work itself.
"""

from django.utils.translation import gettext_lazy as _

from core import audit_words
from grids.desks import Desk, register
from grids.queries.cards import CARD_KEEPERS

DESK = Desk("cards", _("Contact cards"), "id-badge-2", CARD_KEEPERS, 64)


def connect() -> None:
    """Register the desk, and what the audit trail calls a month's assessment."""
    audit_words.name_subject("assessment", _("Monthly assessment"))
    register(DESK)
