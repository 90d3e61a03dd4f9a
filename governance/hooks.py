"""What this floor puts into the registries of the floors below, at start-up."""

from django.utils.translation import gettext_lazy as _

from governance import metrics
from grids.backends import grant
from grids.desks import Desk, register
from grids.models import Role

CENTRE = frozenset({Role.COMMAND, Role.COUNTY_LEADER})
# What the command centre keeps in the administration site: catalogue, rules, knowledge.
KEPT_BY_COMMAND = ("category", "deadline*", "routingrule", "retentionrule", "article", "triage*")


def connect() -> None:
    """Register the desk of the command centre and start counting."""
    metrics.connect()
    grant(Role.COMMAND, *(f"incidents.*_{table}" for table in KEPT_BY_COMMAND))
    register(
        Desk(
            url_name="command",
            label=_("Command centre"),
            icon="building-broadcast-tower",
            roles=CENTRE,
            rank=10,
        )
    )
