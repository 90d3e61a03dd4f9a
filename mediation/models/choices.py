"""The words of mediation: what a dispute is about, how grave it is, where it stands.

What lives here: choices and the sets built from them. What must not: tables.
"""

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class Kind(models.TextChoices):
    """What a dispute is about."""

    NEIGHBOUR = "neighbour", _("Neighbours")
    FAMILY = "family", _("Family and inheritance")
    MARRIAGE = "marriage", _("Marriage")
    ADOPTION = "adoption", _("Adoption")
    IDENTITY = "identity", _("Parentage and other personal status")
    LAND = "land", _("Land and homestead")
    DEBT = "debt", _("Debt and contract")
    LABOUR = "labour", _("Labour and wages")
    PROPERTY = "property", _("Property management")
    DAMAGE = "damage", _("Injury and damage")
    VILLAGE = "village", _("Village affairs")
    OTHER = "other", _("Other dispute")


# Relations a court does not confirm by agreement (Supreme People's Court, rules on the
# judicial confirmation of mediation agreements, article 4).
NOT_CONFIRMABLE = frozenset({Kind.MARRIAGE, Kind.ADOPTION, Kind.IDENTITY})


class ClueSource(models.TextChoices):
    """Which body the clue came from."""

    WORKER = "worker", _("Grid worker")
    RESIDENT = "resident", _("Resident")
    INCIDENT = "incident", _("Handed over from an incident")
    JOINT_MEETING = "joint_meeting", _("Joint meeting")
    POLICE = "police", _("Police station")
    COURT = "court", _("Court")
    PETITION = "petition", _("Letters and calls office")
    HOTLINE = "hotline", _("Hotline 12345")
    OTHER = "other", pgettext_lazy("source of a clue", "Other")


class Colour(models.TextChoices):
    """The three-colour warning."""

    BLUE = "blue", _("Blue: ordinary")
    YELLOW = "yellow", _("Yellow: may grow")
    RED = "red", _("Red: may turn violent or spread")


class DisputeState(models.TextChoices):
    """Where a dispute stands. The four steps are states; any of them may be the last."""

    REGISTERED = "registered", _("Registered, waiting for consent")
    FIRST = "first", _("First mediation by the grid worker")
    VILLAGER = "villager", _("Respected villager joins")
    LEGAL = "legal", _("Legal adviser explains the law")
    PANEL = "panel", _("Villagers' panel gives its view")
    AGREED = "agreed", _("Agreement reached")
    FOLLOWING_UP = "following_up", _("Performance followed up")
    CLOSED = "closed", _("Performed and closed")
    FAILED = "failed", _("Ended without agreement")
    WITHDRAWN = "withdrawn", _("Withdrawn")


# The state of each step, first to fourth.
STEP_STATES = (
    DisputeState.FIRST,
    DisputeState.VILLAGER,
    DisputeState.LEGAL,
    DisputeState.PANEL,
)
SETTLED_STATES = (DisputeState.AGREED, DisputeState.FOLLOWING_UP, DisputeState.CLOSED)
ENDED_STATES = (DisputeState.CLOSED, DisputeState.FAILED, DisputeState.WITHDRAWN)
# Still before agreement or failure: the month runs here.
MEDIATING_STATES = (DisputeState.REGISTERED, *STEP_STATES)


class Side(models.TextChoices):
    """Which side a party is on. Both A and B must agree to mediation."""

    A = "a", _("Party A")
    B = "b", _("Party B")
    THIRD = "third", _("Third party")


class StepOutcome(models.TextChoices):
    """How one session of a step ended."""

    SETTLED = "settled", _("Settled: an agreement can be written")
    NEXT = "next", _("Not yet: go to the next step")
    STOPPED = "stopped", _("A party stopped the mediation")
    FAILED = "failed", _("No agreement: end the mediation")


class OtherRoad(models.TextChoices):
    """Roads the parties must be told of when mediation fails (People's Mediation Law, art. 26)."""

    ARBITRATION = "arbitration", _("Arbitration")
    ADMINISTRATIVE = "administrative", _("Administrative handling or ruling")
    COURT = "court", _("Lawsuit at the people's court")


class AgreementForm(models.TextChoices):
    """Written, or oral and recorded (People's Mediation Law, art. 28)."""

    WRITTEN = "written", _("Written agreement")
    ORAL = "oral", _("Oral agreement, recorded")


class Performance(models.TextChoices):
    """How far an agreement has been performed."""

    YES = "yes", _("Performed in full")
    PARTLY = "partly", _("Performed in part")
    NO = "no", _("Not performed")
