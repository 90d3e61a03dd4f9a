"""What this floor puts into the registries of the floors below, at start-up."""

from django.utils.translation import gettext_lazy as _

from grids.desks import Desk, register
from grids.models import Role

CENTRE = frozenset({Role.COMMAND, Role.COUNTY_LEADER})


def connect() -> None:
    """Register the desk of the command centre."""
    register(
        Desk(
            url_name="command",
            label=_("Command centre"),
            icon="building-broadcast-tower",
            roles=CENTRE,
            rank=10,
        )
    )
