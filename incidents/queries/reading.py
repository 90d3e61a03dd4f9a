"""What a new report's text says besides its matter, with the county's own places in it.

What lives here: putting it together as plain JSON for the timeline. What must not: acting on it.
"""

from datetime import timedelta
from typing import Any, NamedTuple

from django.utils import timezone

from core.kept import remembered
from grids.models import Area
from grids.queries import Place, candidates
from grids.queries.places_in_text import Candidate
from incidents import reading_text
from incidents.models import Category, FoundBy, Incident, Road

# A place the reporter stood at or chose tells which of several places of one name is meant.
_KNOWN = frozenset({FoundBy.POLYGON, FoundBy.NEAREST, FoundBy.GIVEN})
TIMES_SHOWN = 3
ROADS_KEPT = 60
COUNTY_KEPT = 600
# One such word, or two shorter ones, and a matter may have a road of its own.
LONG_WORD = 4
# Longer ago is not when it happened but how long it has been talked about.
OLDEST = timedelta(days=3 * 365)


def read(incident: Incident) -> dict[str, Any]:
    """Return what the address and text of a report say, keys without content left out.

    No query once the county's names are remembered.
    places: [{area, ids, names, said}], from the town down, likeliest first. spot: words. times:
    [{at, precision, words}]. urgent: [words]. roads: [{category, road, words}].
    """
    text = f"{incident.address}，{incident.text}" if incident.address else incident.text
    text = text[: reading_text.READ_AT_MOST]
    named = candidates(text, county=_county(incident.county_id), near=_near(incident))
    told = timezone.localtime(incident.reported_at)
    found = {
        "places": [_place(one) for one in named if one.area_id != incident.area_id],
        "spot": "" if incident.address else reading_text.spot(text, after=_ends(named)),
        "times": [
            {"at": one.at.isoformat(), "precision": one.precision, "words": one.words}
            for one in reading_text.moments(incident.text, at=told)
            if told - one.at < OLDEST
        ][:TIMES_SHOWN],
        "urgent": reading_text.urgent_words(text),
        "roads": _roads(text),
    }
    return {key: value for key, value in found.items() if value}


def _county(pk: int) -> Area:
    """Return the county with its path alone: its outline is heavy."""
    return remembered(
        f"incidents:county:{pk}", lambda: Area.objects.only("path").get(pk=pk), COUNTY_KEPT
    )


def _near(incident: Incident) -> Place | None:
    if incident.found_by not in _KNOWN:
        return None
    return Place(
        area_id=incident.area_id,
        county_id=incident.county_id,
        town_id=incident.town_id,
        village_id=incident.village_id,
        found_by=incident.found_by,
    )


def _ends(named: list[Candidate]) -> list[int]:
    return sorted({one.end for one in named}, reverse=True)


def _place(one: Candidate) -> dict[str, Any]:
    return {"area": one.area_id, "ids": one.ids, "names": one.names, "said": one.said}


class _OwnRoad(NamedTuple):
    code: str
    road: str
    words: tuple[str, ...]


def _own_roads() -> list[_OwnRoad]:
    def load() -> list[_OwnRoad]:
        # What may be an emergency is looked for by words of its own (incidents.emergencies).
        rows = Category.objects.filter(active=True).exclude(road__in=["", Road.EMERGENCY])
        return [_OwnRoad(c.code, c.road, tuple(c.keywords)) for c in rows]

    return remembered("incidents:own-roads", load, ROADS_KEPT)


def _roads(text: str) -> list[dict[str, Any]]:
    found = []
    for one in _own_roads():
        words = [word for word in one.words if word in text]
        if len(words) > 1 or any(len(word) >= LONG_WORD for word in words):
            found.append({"category": one.code, "road": one.road, "words": words})
    return found
