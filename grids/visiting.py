"""What households and visits put into the registries of this floor, at start-up.

What must not live here: any of the work itself.
"""

from typing import Any

from django.utils.translation import gettext_lazy as _

from core.masking import mask_name, mask_phone
from core.services import audit, sheets
from core.sheets.plan import SheetKind
from core.web import number_in
from grids import closing, moves, phone
from grids.desks import Desk
from grids.desks import register as register_desk
from grids.models import Household, User
from grids.models.household import LEDGER_READERS, VISITORS
from grids.queries import Scope
from grids.queries.households import looks_after, visible_households
from grids.services import household_sheet, households_moving, reveal

DESKS = (
    Desk("visits", _("Household visits"), "home-heart", VISITORS, 14),
    Desk("households", _("Households"), "home-2", LEDGER_READERS, 60),
)


def connect() -> None:
    """Register desks, the phone's tab, what is revealed, what moves along and what hinders."""
    for desk in DESKS:
        register_desk(desk)
    phone.register(phone.Tab("visits", _("Household visits"), "home-heart", 20, VISITORS))
    audit.placed_by("household", lambda pk: Household.objects.filter(pk=pk).first())
    reveal.register("household", REVEALABLE)
    moves.register(
        "households",
        labels=households_moving.LABELS,
        count=households_moving.count,
        follow=households_moving.follow,
        hold=households_moving.hold,
        scatter=households_moving.scatter,
    )
    sheets.register(
        SheetKind(
            key=household_sheet.SHEET,
            title=_("Households"),
            columns=household_sheet.columns,
            plan=household_sheet.plan,
            apply=household_sheet.apply,
        )
    )
    closing.register("households", households_moving.obstacles)


def _find(user: User, scope: Scope, key: str) -> Household | None:
    return visible_households(scope).filter(pk=number_in(key)).first()


def _may_look(user: User, scope: Scope, household: Any) -> bool:
    return looks_after(scope, household)


REVEALABLE = reveal.Revealable(
    find=_find,
    fields={
        "contact": reveal.Field(
            label=_("contact's name"),
            clear=lambda household: household.contact,
            masked=lambda household: mask_name(household.contact),
            may=_may_look,
        ),
        "phone": reveal.Field(
            label=_("phone"),
            clear=lambda household: household.phone,
            masked=lambda household: mask_phone(household.phone),
            may=_may_look,
        ),
    },
    place=lambda household: household,
)
