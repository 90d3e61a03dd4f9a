"""Coordinates as they come in, turned into the WGS-84 that is stored."""

import math

import prcoords
from django.utils.translation import gettext_lazy as _

from core.errors import Invalid

_UNDO = {
    "wgs84": lambda point: point,
    "cgcs2000": lambda point: point,
    "gcj02": prcoords.gcj_wgs_bored,
    "bd09": prcoords.bd_wgs_bored,
}
SYSTEMS = tuple(_UNDO)


def to_wgs84(lat: float, lon: float, system: str = "wgs84") -> tuple[float, float]:
    """Return (lat, lon) in WGS-84 degrees, to about a centimetre.

    CGCS2000 is taken as WGS-84 (they differ by centimetres); GCJ-02 and BD-09 are undone.
    Raises Invalid for an unknown system or a point that is not on the earth.
    """
    if system not in SYSTEMS:
        raise Invalid(_("Unknown coordinate system “%(system)s”."), field="system", system=system)
    if not (math.isfinite(lat) and -90 <= lat <= 90):
        raise Invalid(_("The latitude must be between -90 and 90."), field="lat")
    if not (math.isfinite(lon) and -180 <= lon <= 180):
        raise Invalid(_("The longitude must be between -180 and 180."), field="lon")
    point = prcoords.Coords(lat, lon)
    # Abroad the Chinese systems do not shift, so there is nothing to undo.
    if prcoords.sanity_in_china_p(point):
        point = _UNDO[system](point)
    return point.lat, point.lon
