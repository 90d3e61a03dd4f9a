"""What workers' files and contact cards put into the registries of this floor, at start-up.

What must not live here: any of the work itself.
"""

from django.utils.translation import gettext_lazy as _

from grids.desks import Desk, register
from grids.queries.cards import CARD_KEEPERS
from grids.queries.worker_file import FILE_KEEPERS

DESKS = (
    Desk("cards", _("Contact cards"), "id-badge-2", CARD_KEEPERS, 64),
    Desk("trainings", _("Trainings"), "school", FILE_KEEPERS, 66),
)


def connect() -> None:
    """Register the desks."""
    for desk in DESKS:
        register(desk)
