"""What the public pages read: a case by its code or its rating link, the county's extent.

What must not live here: words for the screen, and anything about staff as persons.
"""

from django.contrib.gis.db.models import Extent

from grids.models import Area, Level
from incidents.models import CallBack, Incident, Suggestion

MOST_MERGES = 5


def county_bounds() -> str:
    """Return "west,south,east,north" of the county in degrees, or "" before it is set up."""
    rows = Area.objects.filter(level=Level.COUNTY).order_by()
    box = rows.aggregate(box=Extent("boundary"))["box"]
    return ",".join(f"{degrees:.5f}" for degrees in box) if box else ""


def case_by_code(code: str) -> Incident | None:
    """Return the case with exactly this tracking code, else None (1 query)."""
    return (
        Incident.objects.select_related(
            "category", "owner_department", "owner_area", "town", "village", "grid"
        )
        .filter(tracking_code=code)
        .first()
    )


def main_case(incident: Incident) -> Incident:
    """Return the case this one was merged into, following merges of merges."""
    for _merge in range(MOST_MERGES):
        if incident.merged_into_id is None:
            break
        incident = Incident.objects.select_related(
            "category", "owner_department", "owner_area"
        ).get(pk=incident.merged_into_id)
    return incident


def latest_callback(incident: Incident) -> CallBack | None:
    """Return the call-back of the case's present round, if there is one (1 query)."""
    return CallBack.objects.filter(incident=incident, round=incident.round).first()


def callback_by_token(token: str) -> CallBack | None:
    """Return the call-back of a rating link with its case, else None (1 query)."""
    return (
        CallBack.objects.select_related(
            "incident__category", "incident__owner_department", "incident__owner_area"
        )
        .filter(token=token)
        .first()
    )


def given_answer(incident: Incident) -> Suggestion | None:
    """Return the suggestion whose article answered the case, else None (1 query)."""
    return (
        Suggestion.objects.select_related("article")
        .filter(incident=incident, article__isnull=False, outcome=Suggestion.Outcome.ANSWERED)
        .order_by("-id")
        .first()
    )
