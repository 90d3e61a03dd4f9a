"""Coordinates of the four systems end up where they belong."""

import math

import prcoords
import pytest

from core.errors import Invalid
from core.places import to_wgs84

HERE = prcoords.Coords(33.6446, 115.1772)


@pytest.mark.parametrize(
    ("point", "system"),
    [
        (HERE, "wgs84"),
        (HERE, "cgcs2000"),
        (prcoords.wgs_gcj(HERE), "gcj02"),
        (prcoords.wgs_bd(HERE), "bd09"),
    ],
)
def test_every_system_leads_to_the_same_place(point, system):
    lat, lon = to_wgs84(point.lat, point.lon, system)
    assert prcoords.Coords(lat, lon).distance(HERE) < 0.1


def test_abroad_nothing_is_shifted():
    assert to_wgs84(48.2, 16.4, "gcj02") == (48.2, 16.4)


@pytest.mark.parametrize(
    ("lat", "lon", "system", "field"),
    [
        (90.1, 115, "wgs84", "lat"),
        (math.nan, 115, "wgs84", "lat"),
        (33, -181, "wgs84", "lon"),
        (33, math.inf, "gcj02", "lon"),
        (33, 115, "mars", "system"),
    ],
)
def test_a_point_not_on_the_earth_is_refused(lat, lon, system, field):
    with pytest.raises(Invalid) as caught:
        to_wgs84(lat, lon, system)
    assert list(caught.value.errors) == [field]
