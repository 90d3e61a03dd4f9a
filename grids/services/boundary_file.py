"""Reading boundaries from files: what is not a sound polygon in China is refused by name.

What lives here: the features of a file and their polygons; whether a polygon is sound is for
PostGIS to say, because everything after the import asks it. What must not: telling formats
apart (boundary_formats.py) and storing boundaries (territory.py).
"""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import shapely
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from core.errors import Invalid
from core.places import SYSTEMS, to_wgs84
from core.reading import decode
from grids.queries import unsound_shapes
from grids.services.boundary_formats import as_geojson
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


# Attributes that hold a code, a name or the parent, as offices of many trades call them.
CODE_PROPERTIES = (
    "code",
    "xzqdm",
    "zldwdm",
    "区划代码",
    "行政区划代码",
    "网格编码",
    "网格代码",
    "代码",
    "编码",
)
NAME_PROPERTIES = ("name", "xzqmc", "zldwmc", "网格名称", "行政区名称", "名称", "区划名称")
PARENT_PROPERTIES = (
    "parent_code",
    "parent",
    "parent_name",
    "上级代码",
    "上级编码",
    "上级名称",
    "上级",
)


class _Bad(Exception):
    """One feature that cannot be taken; the text says why."""


@dataclass(frozen=True)
class Feature:
    """One feature of a file: what it calls itself, and its polygon or what is wrong with it.

    ``wkb`` is a valid MultiPolygon in EPSG:4326, or None and ``problem`` says why; ``at`` is
    (longitude, latitude) of where an unsound polygon breaks. ``parent`` is a code or a name.
    """

    number: int
    code: str = ""
    name: str = ""
    parent: str = ""
    wkb: bytes | None = None
    problem: str = ""
    at: tuple[float, float] | None = None


def read_features(
    data: bytes,
    *,
    system: str = "wgs84",
    code_property: str = "",
    progress: Progress = lambda _count: None,
) -> list[Feature]:
    """Return every feature of a GeoJSON, zipped Shapefile or KML file, sound or not.

    ``system`` is one of core.places.SYSTEMS. Without ``code_property`` the usual names are
    looked for, whatever their case. A third coordinate (height) is dropped. Raises Invalid for
    the file as a whole.
    """
    if system not in SYSTEMS:
        raise Invalid(_("Unknown coordinate system “%(system)s”."), system=system)
    codes = (code_property,) if code_property else CODE_PROPERTIES
    found: list[Feature] = []
    for number, raw in enumerate(_features(decode(as_geojson(data))), 1):
        properties = _properties(raw)
        feature = Feature(
            number,
            code=_first(properties, codes),
            name=_first(properties, NAME_PROPERTIES),
            parent=_first(properties, PARENT_PROPERTIES),
        )
        try:
            shape = _multipolygon(raw.get("geometry") if isinstance(raw, dict) else None, system)
            found.append(replace(feature, wkb=shape.wkb))
        except _Bad as bad:
            found.append(replace(feature, problem=str(bad)))
        progress(1)
    return _with_unsound(found)


def read_boundaries(
    data: bytes,
    *,
    known: set[str],
    system: str = "wgs84",
    code_property: str = "",
    progress: Progress = lambda _count: None,
) -> list[NewBoundary]:
    """Return the boundaries of a file, in EPSG:4326, all of them found by their code.

    ``known`` holds the codes that exist; the rest is as in :func:`read_features`. Raises
    Invalid: for the file as a whole, or with errors {"feature n (code)": [message]} for each
    bad feature.
    """
    features = read_features(data, system=system, code_property=code_property, progress=progress)
    boundaries = []
    first: dict[str, int] = {}
    errors: dict[str, list[str]] = {}
    for feature in features:
        problem = _code_problem(feature.code, known, first, code_property) or feature.problem
        if problem:
            name = _("feature %(n)s (%(code)s)") % {
                "n": feature.number,
                "code": feature.code[:30],
            }
            errors[name] = [problem]
        elif feature.wkb is not None:
            boundaries.append(NewBoundary(feature.code, feature.wkb))
        first.setdefault(feature.code, feature.number)
    if errors:
        raise Invalid(_("Nothing was imported. Please correct these features:"), errors=errors)
    return boundaries


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
    [feature] = _with_unsound([Feature(1, wkb=boundary.wkb)])
    if feature.problem:
        raise Invalid(feature.problem, field="shape")
    return boundary.wkb


def count_features(data: bytes) -> int:
    """Return how many features a GeoJSON file holds, for a progress bar; raises Invalid."""
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


def _properties(feature: Any) -> dict[str, str]:
    """Return the attributes with their names in lower case; text and numbers only."""
    properties = feature.get("properties") if isinstance(feature, dict) else None
    if not isinstance(properties, dict):
        return {}
    return {
        str(name).strip().lower(): str(value).strip()
        for name, value in properties.items()
        if value is not None and not isinstance(value, dict | list)
    }


def _first(properties: dict[str, str], names: Iterable[str]) -> str:
    """Return the first of the attributes that is filled in."""
    return next((value for name in names if (value := properties.get(name.lower()))), "")


def _code_problem(code: str, known: set[str], first: dict[str, int], code_property: str) -> str:
    if not code:
        return _("there is no property “%(name)s”") % {"name": code_property or "code"}
    if code in first:
        return _("the code is given twice, first by feature %(n)s") % {"n": first[code]}
    if code not in known:
        return _("no area has this code; import the areas first")
    return ""


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


def _with_unsound(features: list[Feature]) -> list[Feature]:
    """Return the features, those PostGIS does not call valid with what is wrong, and where."""
    told = list(features)
    sound = [place for place, feature in enumerate(features) if feature.wkb is not None]
    for start in range(0, len(sound), CHECKED_AT_ONCE):
        part = sound[start : start + CHECKED_AT_ONCE]
        shapes = [features[place].wkb or b"" for place in part]
        for index, why, x, y in unsound_shapes(shapes):
            problem = _("%(why)s, at %(x)s, %(y)s (WGS-84)") % {
                "why": _(UNSOUND[why]) if why in UNSOUND else why,
                "x": f"{x:.6f}",
                "y": f"{y:.6f}",
            }
            place = part[index]
            told[place] = replace(features[place], wkb=None, problem=problem, at=(x, y))
    return told


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
