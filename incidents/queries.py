"""Reads about incidents. Nothing here changes a row."""

from collections.abc import Collection

from grids.models import User
from incidents.models import Event, Incident, PartyState, WhistleParty

# Steps that make somebody a handler of the round.
HANDLER_ACTIONS = ("accept", "arrive", "respond", "handle_on_spot", "party_answer", "party_sign")


def acted_in_round(incident: Incident, user: User | None) -> bool:
    """Return whether ``user`` handled the case in its present round (1 query)."""
    if user is None:
        return False
    if incident.handler_id == user.pk:
        return True
    return Event.objects.filter(
        incident=incident, actor=user, action__in=HANDLER_ACTIONS, data__round=incident.round
    ).exists()


def open_party_ids(incident: Incident, department_ids: Collection[int]) -> list[int]:
    """Return ids of parties these departments still have to play in the open whistle (1 query)."""
    return list(
        WhistleParty.objects.filter(
            whistle__incident=incident,
            whistle__closed_at__isnull=True,
            department_id__in=department_ids,
        )
        .exclude(state__in=[PartyState.SIGNED, PartyState.DISSENTED])
        .values_list("pk", flat=True)
    )
