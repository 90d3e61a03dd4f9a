"""Questions about polygons, asked of PostGIS: does it fit, how is it cut, into how many parts.

What lives here: computing. What must not: storing a boundary (services/reshaping.py), and the
audit of whole areas (coverage.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256

from django.db import DatabaseError, connection, transaction
from django.utils.translation import gettext_lazy as _

from core.errors import Invalid
from grids.models import Area

# Less than a square metre is the noise of computing, not an overlap.
NOISE = 1.0


@dataclass(frozen=True)
class Overlap:
    """A piece of land that two areas claim; ``piece`` is GeoJSON."""

    area_id: int
    name: str
    code: str
    path: str
    square_metres: float
    piece: str


@dataclass(frozen=True)
class ShapeReport:
    """How a boundary would lie among the others.

    Sizes are in m². ``outside`` is what lies outside the parent, None where the parent has no
    boundary; ``below`` is what the area's own children would stick out by.
    """

    square_metres: float
    outside: float | None
    outside_piece: str
    below: float
    overlaps: tuple[Overlap, ...]
    digest: str

    @property
    def clean(self) -> bool:
        """Whether there is nothing to think about."""
        return not (self.outside or self.below or self.overlaps)


_REPORT = """
    WITH shape AS (SELECT ST_SetSRID(ST_GeomFromWKB(%(shape)s), 4326) AS g),
    beyond AS (
        SELECT ST_CollectionExtract(ST_Difference(shape.g, parent.boundary), 3) AS g
          FROM shape, grids_area parent
         WHERE parent.id = %(parent)s AND parent.boundary IS NOT NULL
    ), stick AS (
        SELECT sum(ST_Area(ST_Difference(child.boundary, shape.g)::geography)) AS size
          FROM shape, grids_area child
         WHERE child.path LIKE %(path)s AND child.depth = %(depth)s + 1
           AND child.closed_on IS NULL AND child.boundary IS NOT NULL
    )
    SELECT ST_Area(shape.g::geography),
           (SELECT ST_Area(g::geography) FROM beyond),
           (SELECT ST_AsGeoJSON(g, 6) FROM beyond),
           coalesce((SELECT size FROM stick), 0)
      FROM shape
"""
_OVERLAPS = """
    WITH shape AS (SELECT ST_SetSRID(ST_GeomFromWKB(%(shape)s), 4326) AS g)
    SELECT id, name, code, path, ST_Area(piece::geography) AS size, ST_AsGeoJSON(piece, 6)
      FROM (
        SELECT a.id, a.name, a.code, a.path,
               ST_CollectionExtract(ST_Intersection(a.boundary, shape.g), 3) AS piece
          FROM grids_area a, shape
         WHERE a.level = %(level)s AND a.closed_on IS NULL AND a.id <> %(own)s
           AND ST_Intersects(a.boundary, shape.g)
      ) AS met
     WHERE ST_Area(piece::geography) >= %(noise)s
     ORDER BY size DESC, id
"""


def look_at(shape: bytes, *, level: str, parent: Area, own: Area | None = None) -> ShapeReport:
    """Say how ``shape`` (WKB) would lie as the boundary of ``own``, or of a new area (2 queries).

    Neighbours are all open areas of the level, of whatever parent.
    """
    values = {
        "shape": shape,
        "parent": parent.pk,
        "path": f"{own.path}%" if own else "-",
        "depth": own.depth if own else 0,
        "level": level,
        "own": own.pk if own else 0,
        "noise": NOISE,
    }
    with connection.cursor() as cursor:
        cursor.execute(_REPORT, values)
        size, outside, piece, below = cursor.fetchone()
        cursor.execute(_OVERLAPS, values)
        overlaps = tuple(Overlap(*row) for row in cursor.fetchall())
    beyond = None if outside is None else _heard(outside)
    stick = _heard(below)
    said = repr((beyond, stick, [(o.area_id, o.square_metres) for o in overlaps]))
    return ShapeReport(
        square_metres=size,
        outside=beyond,
        outside_piece=(piece or "") if beyond else "",
        below=stick,
        overlaps=overlaps,
        digest=sha256(shape + said.encode()).hexdigest()[:32],
    )


def _heard(size: float) -> float:
    return size if size >= NOISE else 0.0


_FITTED = """
    WITH shape AS (SELECT ST_SetSRID(ST_GeomFromWKB(%(shape)s), 4326) AS g),
    inside AS (
        SELECT CASE WHEN parent.boundary IS NULL THEN shape.g
                    ELSE ST_Intersection(shape.g, parent.boundary) END AS g
          FROM shape, grids_area parent WHERE parent.id = %(parent)s
    ), free AS (
        SELECT ST_Difference(inside.g, coalesce(
                 (SELECT ST_Union(a.boundary) FROM grids_area a
                   WHERE a.level = %(level)s AND a.closed_on IS NULL AND a.id <> %(own)s
                     AND ST_Intersects(a.boundary, inside.g)),
                 'SRID=4326;POLYGON EMPTY'::geometry)) AS g
          FROM inside
    )
    SELECT ST_AsBinary(ST_Multi(ST_Union(part.geom)))
      FROM free, ST_Dump(ST_CollectionExtract(free.g, 3)) AS part
     WHERE ST_Area(part.geom::geography) >= %(noise)s
"""


def fitted(shape: bytes, *, level: str, parent: Area, own: Area | None = None) -> bytes | None:
    """Return ``shape`` without what lies outside the parent or in a neighbour (1 query).

    None if nothing is left.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            _FITTED,
            {
                "shape": shape,
                "parent": parent.pk,
                "level": level,
                "own": own.pk if own else 0,
                "noise": NOISE,
            },
        )
        (wkb,) = cursor.fetchone()
    return bytes(wkb) if wkb else None


@dataclass(frozen=True)
class Piece:
    """A part of a cut: its WKB, its size in m², and GeoJSON to draw."""

    wkb: bytes
    square_metres: float
    geojson: str


# Only polygons the line cuts fall apart; islands it misses stay with the largest piece.
_CUT = """
    WITH line AS (SELECT ST_SetSRID(ST_GeomFromWKB(%s), 4326) AS g),
    whole AS (SELECT part.path[1] AS n, part.geom AS g
                FROM grids_area a, ST_Dump(a.boundary) AS part WHERE a.id = %s),
    pieces AS (
        SELECT whole.n, piece.geom AS g, count(*) OVER (PARTITION BY whole.n) > 1 AS cut,
               ST_Area(piece.geom::geography) AS size
          FROM whole, line, ST_Dump(ST_Split(whole.g, line.g)) AS piece
    ), ranked AS (
        SELECT *, CASE WHEN cut AND size >= %s
                       THEN row_number() OVER (ORDER BY cut DESC, size DESC, n) ELSE 1 END AS place
          FROM pieces
    )
    SELECT ST_AsBinary(g), ST_Area(g::geography), ST_AsGeoJSON(g, 7)
      FROM (SELECT place, ST_Multi(ST_Union(g)) AS g FROM ranked GROUP BY place) AS joined
     ORDER BY place
"""


def cut(area: Area, line: bytes) -> list[Piece]:
    """Return the parts a line (WKB) cuts an area's boundary into, the largest first (1 query).

    Raises Invalid on the field "line" when the line does not cut, or runs along the boundary.
    """
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(_CUT, [line, area.pk, NOISE])
            pieces = [Piece(bytes(wkb), size, drawn) for wkb, size, drawn in cursor.fetchall()]
    except DatabaseError as error:
        raise Invalid(
            _("The line runs along the boundary. Draw it across the area."), field="line"
        ) from error
    if len(pieces) < 2:
        raise Invalid(
            _("The line does not cut the area. Begin and end it outside the area."), field="line"
        )
    return pieces


# Points are thrown with a fixed seed and gathered into equal groups; the cells around the groups'
# middles cut the grid. All lines are noded together and the faces collected again, so two parts
# share exactly the same border: nothing lies between them, nothing twice.
_PARTS = """
    WITH wanted AS (
        SELECT a.id, w.n, a.boundary AS g
          FROM unnest(%s::bigint[], %s::int[]) AS w (id, n) JOIN grids_area a USING (id)
         WHERE a.boundary IS NOT NULL
    ), points AS (
        SELECT id, n, (ST_Dump(ST_GeneratePoints(g, greatest(400, n * 60), 20261))).geom AS p
          FROM wanted
    ), groups AS (
        SELECT id, ST_ClusterKMeans(p, n) OVER (PARTITION BY id, n) AS c, p FROM points
    ), middles AS (
        SELECT id, c, ST_Centroid(ST_Collect(p)) AS p FROM groups GROUP BY id, c
    ), cells AS (
        SELECT m.id, cell.geom AS g
          FROM (SELECT id, ST_Collect(p) AS p FROM middles GROUP BY id) m JOIN wanted USING (id),
               ST_Dump(ST_VoronoiPolygons(m.p, 0, ST_Expand(wanted.g, 0.01))) AS cell
    ), numbered AS (
        SELECT c.id, c.g, m.c FROM cells c JOIN middles m ON m.id = c.id AND ST_Covers(c.g, m.p)
        UNION ALL
        SELECT id, g, 0 FROM wanted WHERE n = 1
    ), lines AS (
        SELECT id, ST_Union(l) AS l FROM (
            SELECT id, ST_Boundary(g) AS l FROM wanted
            UNION ALL
            SELECT id, ST_Boundary(g) FROM cells
        ) AS all_lines GROUP BY id
    ), faces AS (
        SELECT lines.id, face.geom AS g, ST_PointOnSurface(face.geom) AS inner_point
          FROM lines JOIN wanted USING (id), ST_Dump(ST_Polygonize(ARRAY[lines.l])) AS face
         WHERE ST_Covers(wanted.g, ST_PointOnSurface(face.geom))
    ), given AS (
        SELECT DISTINCT ON (f.id, f.g) f.id, f.g, n.c
          FROM faces f JOIN numbered n ON n.id = f.id AND ST_Intersects(n.g, f.inner_point)
         ORDER BY f.id, f.g, n.c
    ), parts AS (
        SELECT id, c, ST_Multi(ST_Union(g)) AS g FROM given GROUP BY id, c
    )
    SELECT id, ST_AsBinary(g), ST_Area(g::geography), ST_AsGeoJSON(g, 6) FROM parts
     ORDER BY id, ST_YMax(ST_PointOnSurface(g)) DESC, ST_XMin(ST_PointOnSurface(g)), c
"""


def parts_of(counts: Mapping[int, int]) -> dict[int, list[Piece]]:
    """Return each area cut into so many parts of about equal size, {area id: [part, …]}.

    The parts of an area tile it exactly, north to south; the same question has the same answer.
    Areas without a boundary are missing from it. 1 query, about 10 ms an area of ten parts.
    """
    asked = {pk: n for pk, n in counts.items() if n > 0}
    found: dict[int, list[Piece]] = {}
    with connection.cursor() as cursor:
        cursor.execute(_PARTS, [list(asked), list(asked.values())])
        for pk, wkb, size, drawn in cursor.fetchall():
            found.setdefault(pk, []).append(Piece(bytes(wkb), size, drawn))
    return found
