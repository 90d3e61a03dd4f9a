"""The child process of boundary_formats: one KML file or Shapefile in, GeoJSON on stdout.

Usage: boundary_child.py PATH. Answers one JSON line ({} or {"refused": reason, …}) and then a
FeatureCollection in longitude and latitude. Knows no table and no setting of the product; of
GDAL's drivers only the two that are needed stay registered, so no content can make it open an
address or a file of another kind.
"""

import json
import os
import resource
import sys
from collections.abc import Iterator
from ctypes import c_char_p, c_int, c_void_p
from typing import Any

MEMORY_BYTES = 1536 * 1024 * 1024
CPU_SECONDS = 120
FEATURES_AT_MOST, POINTS_AT_MOST = 60_000, 2_000_000
FIELDS_AT_MOST, TEXT_AT_MOST = 60, 200
DRIVERS = {b"LIBKML", b"ESRI Shapefile"}
# How the names of datums of WGS-84 and CGCS2000 begin, in GDAL's spelling and in Esri's.
GOOD_DATUMS = ("WGS_1984", "D_WGS_1984", "WORLD_GEODETIC_SYSTEM_1984", "WGS84")
CHINESE_DATUMS = ("CHINA_2000", "D_CHINA_2000", "CGCS2000", "CHINA_GEODETIC_COORDINATE_SYSTEM_2000")

# No attribute is recoded by GDAL: which of two encodings it is, is decided over the whole file.
os.environ |= {"SHAPE_ENCODING": "", "GDAL_PAM_ENABLED": "NO", "SHAPE_RESTORE_SHX": "NO"}

import shapely  # noqa: E402
from django.conf import settings  # noqa: E402

settings.configure()
from django.contrib.gis.gdal import (  # noqa: E402
    CoordTransform,
    DataSource,
    Driver,
    GDALException,
    SpatialReference,
)
from django.contrib.gis.gdal.libgdal import lgdal  # noqa: E402


class Refused(Exception):
    """The file cannot be taken; the reason is a word, details are text."""

    def __init__(self, reason: str, **details: str) -> None:
        super().__init__(reason)
        self.answer = {"refused": reason, **details}


def main(path: str) -> list[dict[str, Any]]:
    """Return the features of the file at ``path``."""
    keep_two_drivers()
    for encoding in ("utf-8", "gb18030"):
        try:
            return list(features(DataSource(path, encoding=encoding)))
        except UnicodeDecodeError:
            continue
        except GDALException as error:
            raise Refused("broken") from error
    raise Refused("encoding")


def keep_two_drivers() -> None:
    """Take all of GDAL's drivers away but DRIVERS."""
    Driver.ensure_registered()
    lgdal.GDALGetDriver.argtypes, lgdal.GDALGetDriver.restype = [c_int], c_void_p
    lgdal.GDALGetDriverShortName.argtypes = [c_void_p]
    lgdal.GDALGetDriverShortName.restype = c_char_p
    lgdal.GDALDeregisterDriver.argtypes = [c_void_p]
    for number in reversed(range(lgdal.GDALGetDriverCount())):
        driver = lgdal.GDALGetDriver(number)
        if lgdal.GDALGetDriverShortName(driver) not in DRIVERS:
            lgdal.GDALDeregisterDriver(driver)


def features(source: DataSource) -> Iterator[dict[str, Any]]:
    """Yield the features of all layers as GeoJSON, in longitude and latitude."""
    count = points = 0
    for number in range(source.layer_count):
        layer = source[number]
        turn = turning(layer.srs)
        for feature in layer:
            shape = geometry(feature, turn)
            count += 1
            points += 0 if shape is None else shapely.get_num_coordinates(shape)
            if count > FEATURES_AT_MOST or points > POINTS_AT_MOST:
                raise Refused("large")
            yield {
                "type": "Feature",
                "properties": properties(feature),
                "geometry": None if shape is None else shapely.geometry.mapping(shape),
            }


def turning(srs: SpatialReference | None) -> CoordTransform | None:
    """Return how a projected layer comes to degrees; None where it is in degrees.

    A layer that says nothing is taken as degrees; whoever reads the answer looks at the range.
    Another datum than WGS-84 or CGCS2000 lies up to a hundred metres off and is refused.
    """
    if srs is None:
        return None
    datum = str(srs.attr_value("DATUM") or "").upper().replace(" ", "_")
    chinese = datum.startswith(CHINESE_DATUMS)
    if not chinese and not datum.startswith(GOOD_DATUMS):
        raise Refused("system", name=str(srs.name)[:80])
    if srs.geographic:
        return None
    return CoordTransform(srs, SpatialReference(4490 if chinese else 4326))


def geometry(feature: Any, turn: CoordTransform | None) -> Any:
    """Return the geometry with closed rings, or None where there is none."""
    try:
        shape = feature.geom
    except GDALException:
        return None
    shape.close_rings()
    if turn is not None:
        try:
            shape.transform(turn)
        except GDALException as error:
            raise Refused("projection") from error
    return shapely.from_wkb(bytes(shape.wkb), on_invalid="ignore")


def properties(feature: Any) -> dict[str, str]:
    """Return the filled-in fields as text."""
    fields = [feature[number] for number in range(min(feature.num_fields, FIELDS_AT_MOST))]
    values = {field.name: field.value for field in fields}
    return {
        name: str(value).strip()[:TEXT_AT_MOST]
        for name, value in values.items()
        if value is not None and not isinstance(value, list)
    }


def answer(path: str) -> str:
    """Return what is printed."""
    try:
        found = main(path)
    except Refused as refused:
        return json.dumps(refused.answer) + "\n"
    except Exception:
        return '{"refused": "broken"}\n'
    return '{}\n{"type":"FeatureCollection","features":' + json.dumps(found) + "}"


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    sys.stdout.write(answer(sys.argv[1]))
