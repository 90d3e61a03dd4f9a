"""The columns of the roster's sheet.

What must not live here: what a row of them would do (roster_sheet.py).
"""

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy

from core.sheets.columns import (
    DATE,
    ID_NUMBER,
    PHONE,
    Column,
    Kind,
    Refused,
    choice,
    for_reading,
    or_masked,
    text,
)
from grids.models import Role, User, WorkerKind
from grids.queries import Scope
from grids.queries.roster import kept_roles
from grids.services.people import NAME_LIMIT, REASON_LIMIT


def _parse_code(value: str) -> str:
    if len(value) > 20 or not value.isascii():
        raise Refused(_("This is not a code."), _("Copy it from the sheet of codes."))
    return value


def columns(actor: User | None) -> list[Column]:
    """Return the columns, with the roles that ``actor`` may give (1 query; all for None)."""
    roles = kept_roles(Scope.for_user(actor)) if actor else list(Role.values)
    return [
        Column(
            "account",
            _lazy("Account"),
            text(150),
            note=_lazy("Leave empty for somebody new. It stands in the exported list."),
            example="g000123",
        ),
        Column("name", _lazy("Name"), text(NAME_LIMIT), required=True, example="王小明", width=12),
        Column(
            "phone",
            _lazy("Phone"),
            or_masked(PHONE),
            note=_lazy("11 digits. Needed for somebody new; empty leaves it as it is."),
            example="19900001234",
            width=16,
        ),
        Column(
            "id_number",
            _lazy("ID number"),
            or_masked(ID_NUMBER),
            note=_lazy("18 characters. It tells two people of one name apart."),
            width=22,
        ),
        Column(
            "role",
            _lazy("Role"),
            choice([(role, Role(role).label) for role in roles]),
            required=True,
            example=str(Role.GRID_WORKER.label),
            width=16,
        ),
        Column(
            "worker_kind",
            _lazy("Kind of worker"),
            choice(WorkerKind.choices),
            note=_lazy("For grid workers only."),
            example=str(WorkerKind.FULL_TIME.label),
        ),
        Column(
            "place",
            _lazy("Place code"),
            Kind(_parse_code),
            required=True,
            note=_lazy("Code of the area, or of the department; see the sheet of codes."),
            example="419900101201001",
            width=20,
        ),
        for_reading("place_name", _lazy("Place")),
        Column(
            "valid_from",
            _lazy("From"),
            DATE,
            note=_lazy("First day in the post; today if empty."),
            example="2026-03-01",
            width=12,
        ),
        Column(
            "last_day",
            _lazy("Last day in post"),
            DATE,
            note=_lazy("Filled in for a post that is held already, it ends the post."),
            width=12,
        ),
        Column(
            "no_chief_reason",
            _lazy("Why without a chief"),
            text(REASON_LIMIT),
            note=_lazy("Only where the last chief of a grid leaves and no other follows."),
            width=24,
        ),
    ]
