"""What workers' files and contact cards put into the registries of this floor, at start-up.

What must not live here: any of the work itself.
"""

from django.utils.translation import gettext_lazy as _

from core.services import papers
from grids import moves
from grids.desks import Desk, register
from grids.queries.cards import CARD_KEEPERS
from grids.services import cards, files_moving

DESK = Desk("cards", _("Contact cards"), "id-badge-2", CARD_KEEPERS, 64)


def connect() -> None:
    """Register the desk, the paper, and what goes along when areas merge."""
    register(DESK)
    moves.register(
        "files",
        labels=files_moving.LABELS,
        count=files_moving.count,
        follow=files_moving.follow,
    )
    papers.register(
        papers.PaperKind(
            key=cards.KIND,
            draw=cards.draw_area,
            may=cards.may_draw,
            kept=cards.KEPT,
            home="cards",
        )
    )
