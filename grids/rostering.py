"""What the roster brings to the floors' registries: its sheet and its desk.

What must not live here: anything those do.
"""

from django.utils.translation import gettext_lazy as _

from core.services import sheets
from core.sheets.plan import SheetKind
from grids import desks
from grids.queries.roster import ROSTER_ROLES
from grids.services import roster_columns, roster_save, roster_sheet

SHEET = "roster"


def connect() -> None:
    """Fill the registries. Called from AppConfig.ready."""
    sheets.register(
        SheetKind(
            key=SHEET,
            title=_("Roster"),
            columns=roster_columns.columns,
            plan=roster_sheet.plan,
            apply=roster_save.apply,
        )
    )
    desks.register(desks.Desk("roster", _("Roster"), "users", ROSTER_ROLES, rank=62))
