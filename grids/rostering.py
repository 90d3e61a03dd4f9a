"""What the roster brings to the floors' registries: its sheet, its slips and its desk.

What must not live here: anything those do.
"""

from django.utils.translation import gettext_lazy as _

from core.services import papers, sheets
from core.sheets.plan import SheetKind
from grids import desks
from grids.queries.roster import ROSTER_ROLES
from grids.services import first_passwords, roster_columns, roster_save, roster_sheet

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
    papers.register(
        papers.PaperKind(
            key=first_passwords.KIND,
            draw=first_passwords.draw,
            may=first_passwords.may_draw,
            kept=first_passwords.KEPT,
            home="roster_import",
        )
    )
    desks.register(desks.Desk("roster", _("Roster"), "users", ROSTER_ROLES, rank=62))
