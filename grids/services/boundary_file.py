"""Reading boundaries from GeoJSON: what is not a sound polygon in China is refused by name.

What lives here: the shape of the file and of its polygons; whether a polygon is sound is for
PostGIS to say, because everything after the import asks it. What must not: storing them
(territory.py).
"""

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import shapely
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from core.errors import Invalid
from core.places import SYSTEMS, to_wgs84
from core.reading import decode
from grids.queries import unsound_shapes
from grids.services.territory import NewBoundary

# China with its islands, in whole degrees, as (west, south, east, north).
CHINA = (73.0, 3.0, 136.0, 54.0)
# EPSG:4490 is CGCS2000, taken as WGS-84; CRS84 is EPSG:4326 in GeoJSON's own order.
GOOD_CRS = ("EPSG::4326", "EPSG:4326", "EPSG::4490", "EPSG:4490", "CRS84")

# So many polygons go to the database in one question.
CHECKED_AT_ONCE = 2000
# What PostGIS (by way of GEOS) says of an unsound polygon; the left side is its own wording.
UNSOUND = {
    "Self-intersection": gettext_noop("the boundary crosses or overlaps itself"),
    "Ring Self-intersection": gettext_noop("the boundary touches itself"),
    "Hole lies outside shell": gettext_noop("a hole lies outside its outline"),
    "Holes are nested": gettext_noop("a hole lies inside another hole"),
    "Nested shells": gettext_noop("a part lies inside another part"),
    "Interior is disconnected": gettext_noop("holes cut the area into pieces"),
    "Too few points in geometry component": gettext_noop("a ring encloses nothing"),
}

Ring = list[tuple[float, float]]
Progress = Callable[[int], object]


class _Bad(Exception):
    """One feature that cannot be taken; the text says why."""


def read_boundaries(
    data: bytes,
    *,
    known: set[str],
    system: str = "wgs84",
    code_property: str = "code",
    progress: Progress = lambda _count: None,
) -> list[NewBoundary]:
    """Return the boundaries of a GeoJSON FeatureCollection, in EPSG:4326.

    ``known`` holds the codes that exist; ``system`` is one of core.places.SYSTEMS. A third
    coordinate (height) is dropped. Raises Invalid: for the file as a whole, or with errors
    {"feature n (code)": [message]} for each bad feature.
    """
    if system not in SYSTEMS:
        raise Invalid(_("Unknown coordinate system “%(system)s”."), system=system)
    features = _features(decode(data))
    boundaries: dict[int, NewBoundary] = {}
    first: dict[str, int] = {}
    problems: dict[int, str] = {}
    for number, feature in enumerate(features, 1):
        code = _code(feature, code_property)
        try:
            _check_code(code, known, first, code_property)
            first[code] = number
            shape = _multipolygon(feature.get("geometry"), system)
            boundaries[number] = NewBoundary(code, shape.wkb)
        except _Bad as bad:
            problems[number] = str(bad)
        progress(1)
    problems |= _unsound(boundaries)
    if problems:
        errors = {}
        for number in sorted(problems):
            code = _code(features[number - 1], code_property)
            name = _("feature %(n)s (%(code)s)") % {"n": number, "code": code[:30]}
            errors[name] = [problems[number]]
        raise Invalid(_("Nothing was imported. Please correct these features:"), errors=errors)
    return list(boundaries.values())


def read_shape(text: str, *, system: str = "wgs84") -> bytes:
    """Return one drawn or pasted GeoJSON geometry as a valid MultiPolygon, WKB in EPSG:4326.

    A Feature, or a collection of one, is taken too. Raises Invalid on the field "shape".
    """
    try:
        content = json.loads(text)
    except (RecursionError, ValueError) as error:
        raise Invalid(_("This is not a polygon in GeoJSON."), field="shape") from error
    if isinstance(content, dict) and content.get("type") == "FeatureCollection":
        features = content.get("features")
        content = features[0] if isinstance(features, list) and len(features) == 1 else None
    if isinstance(content, dict) and content.get("type") == "Feature":
        content = content.get("geometry")
    try:
        boundary = NewBoundary("", _multipolygon(content, system).wkb)
    except _Bad as bad:
        raise Invalid(str(bad), field="shape") from bad
    for why in _unsound({1: boundary}).values():
        raise Invalid(why, field="shape")
    return boundary.wkb


def count_features(data: bytes) -> int:
    """Return how many features the file holds, for a progress bar; raises Invalid."""
    return len(_features(decode(data)))


def _features(text: str) -> list[Any]:
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise Invalid(
            _("The file is not valid JSON: line %(line)s, column %(column)s."),
            line=error.lineno,
            column=error.colno,
        ) from error
    except (RecursionError, ValueError) as error:
        raise Invalid(
            _("The file is nested too deeply, or holds a number that is too long.")
        ) from error
    if not isinstance(content, dict) or content.get("type") != "FeatureCollection":
        raise Invalid(_("The file must hold a GeoJSON FeatureCollection."))
    _check_crs(content.get("crs"))
    features = content.get("features")
    if not isinstance(features, list) or not features:
        raise Invalid(_("The file has no features."))
    return features


def _check_crs(crs: Any) -> None:
    if crs is None:
        return
    properties = crs.get("properties") if isinstance(crs, dict) else None
    name = properties.get("name") if isinstance(properties, dict) else None
    if not (isinstance(name, str) and name.upper().endswith(GOOD_CRS)):
        raise Invalid(
            _(
                "The file declares the coordinate system “%(name)s”. Convert it to longitude and "
                "latitude (EPSG:4326 or EPSG:4490) first."
            ),
            name=str(name)[:80],
        )


def _code(feature: Any, code_property: str) -> str:
    properties = feature.get("properties") if isinstance(feature, dict) else None
    value = properties.get(code_property) if isinstance(properties, dict) else None
    return "" if value is None or isinstance(value, dict | list) else str(value).strip()


def _check_code(code: str, known: set[str], first: dict[str, int], code_property: str) -> None:
    if not code:
        raise _Bad(_("there is no property “%(name)s”") % {"name": code_property})
    if code in first:
        raise _Bad(_("the code is given twice, first by feature %(n)s") % {"n": first[code]})
    if code not in known:
        raise _Bad(_("no area has this code; import the areas first"))


def _multipolygon(geometry: Any, system: str) -> shapely.MultiPolygon:
    kind = geometry.get("type") if isinstance(geometry, dict) else None
    if kind is None:
        raise _Bad(_("the geometry is empty"))
    if kind not in {"Polygon", "MultiPolygon"}:
        raise _Bad(_("the geometry is a %(kind)s, not a polygon") % {"kind": str(kind)[:30]})
    coordinates = geometry.get("coordinates")
    parts = [coordinates] if kind == "Polygon" else coordinates
    if not isinstance(parts, list) or not any(parts):
        raise _Bad(_("the geometry is empty"))
    polygons = [[list(_ring(ring)) for ring in _list(part)] for part in parts]
    _check_range([point for polygon in polygons for ring in polygon for point in ring])
    converted = [[_to_wgs84(ring, system) for ring in polygon] for polygon in polygons]
    return shapely.MultiPolygon([(polygon[0], polygon[1:]) for polygon in converted])


def _unsound(boundaries: dict[int, NewBoundary]) -> dict[int, str]:
    """Return what is wrong, and where, with each boundary PostGIS does not call valid."""
    numbers = list(boundaries)
    problems = {}
    for start in range(0, len(numbers), CHECKED_AT_ONCE):
        part = numbers[start : start + CHECKED_AT_ONCE]
        for index, why, x, y in unsound_shapes([boundaries[number].wkb for number in part]):
            problems[part[index]] = _("%(why)s, at %(x)s, %(y)s (WGS-84)") % {
                "why": _(UNSOUND[why]) if why in UNSOUND else why,
                "x": f"{x:.6f}",
                "y": f"{y:.6f}",
            }
    return problems


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list) or not value:
        raise _Bad(_("the geometry is empty"))
    return value


def _ring(ring: Any) -> Iterator[tuple[float, float]]:
    points = _list(ring)
    for point in points:
        if not (isinstance(point, list) and len(point) >= 2 and all(map(_number, point[:2]))):
            raise _Bad(_("“%(point)s” is not a position") % {"point": str(point)[:40]})
        yield float(point[0]), float(point[1])
    if len(points) < 4:
        raise _Bad(_("a ring has only %(n)s positions, fewer than 4") % {"n": len(points)})
    if points[0][:2] != points[-1][:2]:
        raise _Bad(
            _("a ring is not closed: it begins at %(first)s and ends at %(last)s")
            % {"first": points[0][:2], "last": points[-1][:2]}
        )


def _number(value: Any) -> bool:
    # A bound instead of isfinite, which cannot take an integer of four hundred digits.
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e9


def _check_range(points: Iterable[tuple[float, float]]) -> None:
    west, south, east, north = CHINA
    for x, y in points:
        if west <= x <= east and south <= y <= north:
            continue
        where = {"x": x, "y": y}
        if south <= x <= north and west <= y <= east:
            raise _Bad(
                _("%(x)s, %(y)s: latitude and longitude are swapped; longitude comes first") % where
            )
        if abs(x) > 180 or abs(y) > 180:
            raise _Bad(
                _("%(x)s, %(y)s look like metres of a projected system, not degrees") % where
            )
        raise _Bad(_("%(x)s, %(y)s lies outside China") % where)


def _to_wgs84(ring: Ring, system: str) -> Ring:
    if system in {"wgs84", "cgcs2000"}:
        return ring
    turned = [to_wgs84(lat, lon, system) for lon, lat in ring[:-1]]
    converted = [(lon, lat) for lat, lon in turned]
    return [*converted, converted[0]]
