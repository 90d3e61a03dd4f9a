"""Boundaries as files for others: GeoJSON and KML as a stream, a Shapefile as a zip.

What lives here: the three formats. What must not: which areas (queries/boundaries.py). Every
decimal is kept, so a file that comes back changes nothing. All are WGS-84, which CGCS2000 is
taken as.
"""

import json
import zipfile
from collections.abc import Iterable, Iterator
from tempfile import TemporaryFile
from typing import IO, Any
from xml.sax.saxutils import escape

import shapefile

Row = dict[str, Any]

PROPERTIES = ("code", "name", "level", "grid_kind", "parent_code", "parent_name")
# Names of a Shapefile's fields have ten letters; texts are cut by bytes.
FIELDS = {"code": 17, "name": 200, "level": 10, "grid_kind": 10, "parent": 17, "parent_nam": 200}
WGS84 = (
    'GEOGCS["GCS_WGS_1984",DATUM["D_WGS_1984",SPHEROID["WGS_1984",6378137.0,298.257223563]],'
    'PRIMEM["Greenwich",0.0],UNIT["Degree",0.0174532925199433]]'
)


def as_geojson_lines(rows: Iterable[Row]) -> Iterator[str]:
    """Yield a GeoJSON FeatureCollection, one line a feature."""
    yield '{"type":"FeatureCollection","features":['
    comma = ""
    for row in rows:
        words = json.dumps({name: row[name] for name in PROPERTIES}, ensure_ascii=False)
        yield f'{comma}\n{{"type":"Feature","properties":{words},"geometry":{row["shape"]}}}'
        comma = ","
    yield "\n]}\n"


def as_kml_lines(rows: Iterable[Row]) -> Iterator[str]:
    """Yield a KML document, one Placemark an area, the rest of its attributes in ExtendedData."""
    yield '<?xml version="1.0" encoding="UTF-8"?>\n'
    yield '<kml xmlns="http://www.opengis.net/kml/2.2"><Document>\n'
    for row in rows:
        data = "".join(
            f'<Data name="{name}"><value>{escape(row[name])}</value></Data>'
            for name in PROPERTIES
            if name != "name"
        )
        polygons = "".join(map(_kml_polygon, json.loads(row["shape"])["coordinates"]))
        yield (
            f"<Placemark><name>{escape(row['name'])}</name><ExtendedData>{data}</ExtendedData>"
            f"<MultiGeometry>{polygons}</MultiGeometry></Placemark>\n"
        )
    yield "</Document></kml>\n"


def _kml_polygon(rings: list[list[list[float]]]) -> str:
    text = "<Polygon>"
    for number, ring in enumerate(rings):
        side = "innerBoundaryIs" if number else "outerBoundaryIs"
        points = " ".join(f"{lon!r},{lat!r}" for lon, lat in ring)
        text += f"<{side}><LinearRing><coordinates>{points}</coordinates></LinearRing></{side}>"
    return text + "</Polygon>"


def as_shapefile(rows: Iterable[Row], *, name: str) -> IO[bytes]:
    """Return a zip with the parts of a Shapefile called ``name``, ready to be read.

    Its parts need random access while they are written, so they wait in files of their own.
    """
    with TemporaryFile() as shp, TemporaryFile() as shx, TemporaryFile() as dbf:
        with shapefile.Writer(
            shp=shp, shx=shx, dbf=dbf, shapeType=shapefile.POLYGON, encoding="utf-8"
        ) as writer:
            for field, size in FIELDS.items():
                writer.field(field, "C", size=size)
            for row in rows:
                writer.shape(json.loads(row["shape"]))
                writer.record(*(row[name] for name in PROPERTIES))
        packed = TemporaryFile()  # noqa: SIM115  whoever sends it closes it
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for suffix, file in (("shp", shp), ("shx", shx), ("dbf", dbf)):
                _copy(file, archive, f"{name}.{suffix}")
            archive.writestr(f"{name}.prj", WGS84)
            archive.writestr(f"{name}.cpg", "UTF-8")
    packed.seek(0)
    return packed


def _copy(file: IO[bytes], archive: zipfile.ZipFile, name: str) -> None:
    file.seek(0)
    with archive.open(name, "w", force_zip64=True) as target:
        while chunk := file.read(1 << 16):
            target.write(chunk)
