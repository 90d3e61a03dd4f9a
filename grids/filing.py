"""What workers' files and contact cards put into the registries of this floor, at start-up.

What must not live here: any of the work itself.
"""

from django.utils.translation import gettext_lazy as _

from core import audit_words
from grids.desks import Desk, register
from grids.queries.cards import CARD_KEEPERS

DESK = Desk("cards", _("Contact cards"), "id-badge-2", CARD_KEEPERS, 64)


WORDS = {
    "file.selection_recorded": _("Selection put into a file"),
    "file.selection_withdrawn": _("Selection withdrawn"),
    "file.training_recorded": _("Training recorded"),
    "file.attendance_withdrawn": _("Attendance at a training withdrawn"),
    "file.negative_added": _("Entry of the negative list put into a file"),
    "file.negative_answered": _("Statement on an entry of the negative list"),
    "file.negative_withdrawn": _("Entry of the negative list withdrawn"),
    "file.award_added": _("Award put into a file"),
    "file.award_withdrawn": _("Award withdrawn"),
    "file.reserve_added": _("Recommended as reserve cadre"),
    "file.reserve_decided": _("Recommendation as reserve cadre decided"),
    "file.reserve_withdrawn": _("Recommendation as reserve cadre withdrawn"),
    "file.assessed": _("Month assessed"),
    "cards.printed": _("Contact cards printed"),
    "cards.duty_phone_set": _("Duty phone of a contact card set"),
    "cards.duty_phone_removed": _("Duty phone of a contact card taken off"),
    "cards.photo_set": _("Photo of a contact card set"),
    "cards.photo_removed": _("Photo of a contact card erased"),
}


def connect() -> None:
    """Register the desk and the words of the audit trail."""
    audit_words.name_actions(WORDS)
    audit_words.name_subject("assessment", _("Monthly assessment"))
    register(DESK)
