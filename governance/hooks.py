"""What this floor puts into the registries of the floors below, at start-up."""

from django.utils.translation import gettext_lazy as _

from core import audit_words
from governance import metrics
from grids import phone
from grids.backends import grant
from grids.desks import Desk, register
from grids.models import FILE_ROLES, Role
from incidents.queries.score_readers import AREA_READERS

CENTRE = frozenset({Role.COMMAND, Role.COUNTY_LEADER})
# What the command centre keeps in the administration site: catalogue, rules, knowledge.
KEPT_BY_COMMAND = (
    *("category", "deadline*", "retentionrule", "article", "triage*"),
    "scoreformula",
)

SCORES = (
    Desk("scores", _("Scores"), "chart-bar", AREA_READERS | {Role.DEPARTMENT_HANDLER}, 30),
    Desk("scores_mine", _("My month"), "chart-dots", FILE_ROLES, 80),
)


def connect() -> None:
    """Register the desk of the command centre and start counting."""
    metrics.connect()
    audit_words.name_actions({"scores.exported": _("Scores exported")})
    audit_words.name_subject("scores", _("Scores"))
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
    for desk in SCORES:
        register(desk)
    phone.register(phone.Tab("scores_mine", _("My month"), "chart-bar", 35, FILE_ROLES))
