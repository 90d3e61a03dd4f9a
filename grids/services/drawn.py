"""Reading a line drawn on the map. Boundaries, drawn or in files, are read by boundary_file.py."""

import json

import shapely
from django.utils.translation import gettext_lazy as _

from core.errors import Invalid
from grids.services.boundary_file import CHINA

# Nobody cuts a grid by a line of more corners.
CORNERS_MOST = 1000


def read_line(text: str) -> bytes:
    """Return one drawn GeoJSON line as WKB in WGS-84. Raises Invalid on the field "line"."""
    refusal = Invalid(_("This is not a line in GeoJSON."), field="line")
    try:
        content = json.loads(text)
        if isinstance(content, dict) and content.get("type") == "Feature":
            content = content.get("geometry")
        points = content["coordinates"] if content["type"] == "LineString" else []
        corners = [(float(x), float(y)) for x, y, *_height in points]
    except (RecursionError, ValueError, TypeError, KeyError, OverflowError) as error:
        raise refusal from error
    west, south, east, north = CHINA
    inside = all(west <= x <= east and south <= y <= north for x, y in corners)
    if not inside or not 2 <= len(set(corners)) <= CORNERS_MOST:
        raise refusal
    return shapely.LineString(corners).wkb
