"""What the public pages read: a case by its code or its rating link, the county's extent.

What must not live here: words for the screen, and anything about staff as persons.
"""

from collections.abc import Collection
from uuid import UUID

from django.contrib.gis.db.models import Extent

from grids.models import SHAPES, Area, Level
from incidents.models import Attachment, CallBack, Event, Incident

MOST_MERGES = 5
# Boundaries are large and no page of words needs them.
_SHAPES = [f"{level}__{shape}" for level in ("owner_area", "town", "village") for shape in SHAPES]


def county_bounds() -> str:
    """Return "west,south,east,north" of the county in degrees, or "" before it is set up."""
    rows = Area.objects.filter(level=Level.COUNTY).order_by()
    box = rows.aggregate(box=Extent("boundary"))["box"]
    return ",".join(f"{degrees:.5f}" for degrees in box) if box else ""


def full_name(area: Area) -> str:
    """Return the area's name with those above it up to the town (1 query): names repeat."""
    above = Area.objects.filter(path__in=area.lineage_paths[1:]).values_list("name", flat=True)
    return " · ".join(above) or area.name


def case_by_code(code: str) -> Incident | None:
    """Return the case with exactly this tracking code, else None (1 query); a task is none."""
    return (
        Incident.objects.select_related(
            "category", "owner_department", "owner_area", "town", "village"
        )
        .defer(*_SHAPES)
        .filter(tracking_code=code, parent__isnull=True)
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


def latest_callback(incident: Incident, main: Incident) -> CallBack | None:
    """Return what the case's own reporter was asked in the present round of ``main`` (1 query).

    ``main`` is the case itself, or the one it was merged into.
    """
    twin = None if incident.pk == main.pk else incident
    return CallBack.objects.filter(incident=main, round=main.round, twin=twin).first()


def opened_by_another(callback: CallBack) -> bool:
    """Return whether a link is over early because another reporter opened the case again.

    One query.
    """
    if callback.answered_at is not None:
        return False
    rated = CallBack.objects.filter(incident=callback.incident_id, round=callback.round)
    return any(not row.is_good for row in rated.exclude(answered_at=None))


def callback_by_token(token: str) -> CallBack | None:
    """Return the call-back of a rating link with its case, else None (1 query)."""
    return (
        CallBack.objects.select_related(
            "incident__category", "incident__owner_department", "incident__owner_area", "twin"
        )
        .filter(token=token)
        .first()
    )


def rating_row(callback: CallBack) -> Event | None:
    """Return the timeline row of the rating, which knows what it led to (1 query)."""
    rows = Event.objects.filter(
        incident=callback.incident,
        action__in=["rate", "record_callback"],
        data__round=callback.round,
    ).order_by("-seq")
    # Of several reporters each has a row; rows of before had one and do not say whose.
    own = [row for row in rows if row.data.get("callback", callback.pk) == callback.pk]
    return own[0] if own else None


def own_drafts(ids: Collection[UUID], draft_key: str) -> list[UUID]:
    """Return those of ``ids`` that are still drafts of this key, in the order given (1 query)."""
    rows = Attachment.objects.filter(
        pk__in=ids, draft_key=draft_key, incident__isnull=True
    ).values_list("pk", flat=True)
    still = set(rows) if ids else set()
    return [photo_id for photo_id in ids if photo_id in still]
