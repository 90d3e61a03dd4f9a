"""What the roster brings to the floors' registries: its sheet, its desk, its words.

What must not live here: anything those do.
"""

from django.utils.translation import gettext_lazy as _

from core import audit_words
from core.services import sheets
from core.sheets.plan import SheetKind
from grids import desks
from grids.queries.roster import ROSTER_ROLES
from grids.services import roster_save, roster_sheet

SHEET = "roster"
WORDS = {
    "person.add": _("Put on the roster"),
    "person.change": _("Person's details changed"),
    "person.first_password": _("First password given"),
    "posting.open": _("Post given"),
    "posting.end": _("Post ended"),
    "posting.leave": _("Leave with a substitute"),
    "posting.leave_cut": _("Leave ended early"),
    "grid.without_chief": _("Grid marked as without a chief"),
    "grid.has_chief": _("Grid has a chief again"),
    "roster.exported": _("Roster exported, masked"),
    "reveal.roster": _("Roster exported with whole numbers"),
    "roster.sheet_saved": _("Sheet of the roster saved"),
}


def connect() -> None:
    """Fill the registries. Called from AppConfig.ready."""
    sheets.register(
        SheetKind(
            key=SHEET,
            title=_("Roster"),
            columns=roster_sheet.columns,
            plan=roster_sheet.plan,
            apply=roster_save.apply,
        )
    )
    audit_words.name_actions(WORDS)
    audit_words.name_subject("roster", _("Roster"))
    audit_words.name_subject("sheet", _("uploaded sheet"))
    desks.register(desks.Desk("roster", _("Roster"), "users", ROSTER_ROLES, rank=62))
