"""The places of an inspection as a sheet: each row is one firm, lamp or manhole.

What lives here: the columns, the plan of what a row would do, and doing what was confirmed. What
must not: the single verbs (inspections.py), and reading files (core.sheets).
"""

from collections.abc import Sequence
from typing import Any

from django.contrib.gis.geos import Point
from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy

from core.errors import Invalid
from core.services import audit, sheets
from core.sheets.columns import Column, Kind, Refused, choice, digits, text
from core.sheets.plan import ADDED, UNCHANGED, Line, Progress, Row, SheetKind, refused
from grids.models import Area, User
from grids.models.area import CODE_LENGTH, Level
from grids.queries import Scope
from grids.queries.codes import areas_of_codes
from incidents.models import Inspection, InspectionPlace
from incidents.queries.inspections import keeps
from incidents.services.inspections import PlaceFields, find_area, plain_place

SHEET = "inspection_places"
BATCH = 1000
_CODES = tuple(CODE_LENGTH[level] for level in (Level.TOWN, Level.VILLAGE, Level.GRID, Level.UNIT))


def _degrees(least: float, most: float) -> Kind:
    def parse(value: str) -> float:
        try:
            degrees = float(value)
        except ValueError:
            degrees = most + 1
        if not least <= degrees <= most:
            raise Refused(
                _("This is not a degree."),
                _("Write a number from %(least)s to %(most)s.") % {"least": least, "most": most},
            )
        return degrees

    return Kind(parse)


def kept_inspections(actor: User) -> list[Inspection]:
    """Return the inspections under way whose places are this person's to list (2 queries)."""
    scope = Scope.for_user(actor)
    rows = Inspection.objects.filter(closed_at__isnull=True).select_related("area")
    return [row for row in rows.order_by("-starts_on", "-pk") if keeps(scope, row.area)]


def columns(actor: User) -> list[Column]:
    """Return the columns, with the inspections that may be chosen (2 queries)."""
    choices = [(str(row.pk), row.name) for row in kept_inspections(actor)]
    return [
        Column(
            "inspection", _lazy("Inspection campaign"), choice(choices), required=True, width=28
        ),
        Column("name", _lazy("Name of the place"), text(100), required=True, width=28),
        Column("address", _lazy("Address"), text(200), width=36),
        Column(
            "area",
            _lazy("Area code"),
            digits(*_CODES),
            note=_lazy("Of its grid, village or town; may stay empty where both degrees stand."),
            example="419901001201001",
            width=20,
        ),
        Column(
            "longitude",
            _lazy("Longitude"),
            _degrees(70, 140),
            note=_lazy("In degrees of WGS-84."),
            example="115.20631",
        ),
        Column("latitude", _lazy("Latitude"), _degrees(0, 60), example="33.60402"),
    ]


def plan(rows: Sequence[Row], *, actor: User, progress: Progress, lock: bool) -> list[Line]:
    """Return what each row would do; changes nothing (4 queries, and one for each point)."""
    kept = {str(row.pk): row for row in kept_inspections(actor)}
    if lock:
        held = Inspection.objects.select_for_update(of=("self",))
        held = held.filter(pk__in=kept, closed_at__isnull=True).order_by("pk")
        kept = {str(row.pk): row for row in held.select_related("area")}
    areas = areas_of_codes({row.values["area"] for row in rows} - {None})
    there = _listed(rows)
    lines: list[Line] = []
    seen: dict[Any, Any] = {}
    for done, row in enumerate(rows, 1):
        lines.append(_judged(row, kept, areas, there, seen))
        progress(done)
    return lines


def _listed(rows: Sequence[Row]) -> set[tuple[int, str, str]]:
    """Return (inspection, name, address) of the places that stand already (1 query)."""
    names = {row.values["name"] for row in rows} - {None}
    found = InspectionPlace.objects.filter(Q(name__in=names))
    return set(found.values_list("inspection_id", "name", "address"))


def _judged(
    row: Row,
    kept: dict[str, Inspection],
    areas: dict[str, Area],
    there: set[tuple[int, str, str]],
    seen: dict[tuple[int, str, str], int],
) -> Line:
    values = row.values
    inspection = kept.get(str(values["inspection"] or ""))
    code = values["area"]
    area = areas.get(code) if code else None
    if code and (area is None or area.closed_on):
        row.refuse("area", _("No open area has this code."), _("Copy it from the list of areas."))
    if (values["longitude"] is None) != (values["latitude"] is None):
        row.refuse("latitude", _("One degree is missing."), _("Write both, or neither."))
    if row.faults or inspection is None:
        return refused(row, values["name"] or "")
    fields = PlaceFields(
        values["name"], values["address"] or "", area, values["longitude"], values["latitude"]
    )
    try:
        name, address = plain_place(fields)
        area, location = find_area(fields, inspection.area)
    except Invalid as error:
        row.refuse("area", str(error), "")
        return refused(row, values["name"])
    key = (inspection.pk, name, address)
    first = seen.setdefault(key, row.number)
    if first != row.number:
        row.refuse(
            "name", _("Row %(n)s is the same place.") % {"n": first}, _("Keep one of the two rows.")
        )
        return refused(row, name)
    if key in there:
        return Line(row.number, UNCHANGED, row.cells, title=name)
    op: dict[str, Any] = {
        "inspection": inspection.pk,
        "name": name,
        "address": address,
        "area": area.pk,
        "point": [location.x, location.y] if location else None,
    }
    changes = [
        (str(_("Area")), "", area.name),
        (str(_("Inspection campaign")), "", inspection.name),
    ]
    return Line(row.number, ADDED, row.cells, title=name, changes=changes, op=op)


def _point(point: Sequence[float]) -> Point:
    lon, lat = point
    return Point(lon, lat, srid=4326)


def apply(lines: Sequence[Line], *, actor: User, source: str) -> dict[str, int]:
    """Put the places on their lists, in the caller's transaction. Returns {"places_added": n}."""
    places = [
        InspectionPlace(
            inspection_id=line.op["inspection"],
            name=line.op["name"],
            address=line.op["address"],
            area_id=line.op["area"],
            location=_point(line.op["point"]) if line.op["point"] else None,
        )
        for line in lines
        if line.op
    ]
    InspectionPlace.objects.bulk_create(places, batch_size=BATCH)
    for inspection_id in sorted({place.inspection_id for place in places}):
        n = sum(place.inspection_id == inspection_id for place in places)
        audit.record(
            actor=actor,
            action="inspection.places_sheet",
            subject_type="inspection",
            subject_id=inspection_id,
            data={"sheet": source, "n": n},
        )
    return {"places_added": len(places)}


def connect() -> None:
    """Let such sheets be uploaded. Called from AppConfig.ready."""
    sheets.register(
        SheetKind(
            key=SHEET,
            title=_lazy("Places of inspections"),
            columns=columns,
            plan=plan,
            apply=apply,
        )
    )
