"""Campaigns of inspections: made, changed, closed; the places they look at.

What must not live here: what a hazard found becomes (hazards.py), and places by the sheet
(inspection_sheet.py).
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import date

from django.contrib.gis.geos import Point
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from core.errors import Conflict, Invalid, NotAllowed
from core.masking import mask_text
from core.places import to_wgs84
from core.services import audit
from grids.models import Area, Department, Level
from grids.queries import place_of_point
from incidents.models import (
    Category,
    InspectedKind,
    Inspection,
    InspectionItem,
    InspectionPlace,
    InspectionTeam,
    PlaceState,
)
from incidents.models.inspection import DAYS_MOST
from incidents.queries.inspections import keeps
from incidents.services.step import person
from incidents.workflow import Actor

ITEMS_MOST, TEAMS_MOST = 40, 60
# A campaign is over within this many days, or it is no campaign.
LENGTH_MOST = 366


@dataclass(frozen=True)
class ItemFields:
    """One line of the checklist; ``pk`` is of a line that stands already."""

    text: str
    category: Category
    days: int
    department: Department | None = None
    pk: int | None = None


@dataclass(frozen=True)
class InspectionFields:
    """What is written down about an inspection. ``items`` in the order of the checklist."""

    name: str
    kind: str
    area: Area
    starts_on: date
    ends_on: date
    about: str = ""
    areas: Collection[Area] = field(default_factory=list)
    departments: Collection[Department] = field(default_factory=list)
    items: Sequence[ItemFields] = field(default_factory=list)


@dataclass(frozen=True)
class PlaceFields:
    """One place: where it is by a WGS-84 point, by an area, or both."""

    name: str
    address: str = ""
    area: Area | None = None
    longitude: float | None = None
    latitude: float | None = None
    coordinate_system: str = "wgs84"


def make_inspection(*, fields: InspectionFields, actor: Actor) -> Inspection:
    """Make a campaign with its checklist and those who take part. Raises Invalid, NotAllowed."""
    _check(fields, actor)
    with transaction.atomic():
        inspection = Inspection(made_by=person(actor))
        _put(inspection, fields)
        inspection.save()
        _put_teams(inspection, fields)
        _put_items(inspection, fields)
        _record(inspection, actor, "inspection.add")
    return inspection


def change_inspection(
    *, inspection_id: int, fields: InspectionFields, actor: Actor, seen: int
) -> Inspection:
    """Change a campaign under way. Lines that found something stay on the checklist.

    Raises Inspection.DoesNotExist, Invalid, NotAllowed, Conflict.
    """
    with transaction.atomic():
        inspection = _locked(inspection_id, actor, seen)
        if fields.area.pk != inspection.area_id:
            raise Invalid(_("An inspection stays in its area."), field="area")
        _check(fields, actor)
        _put(inspection, fields)
        inspection.version += 1
        inspection.save()
        inspection.teams.all().delete()
        _put_teams(inspection, fields)
        _put_items(inspection, fields)
        _record(inspection, actor, "inspection.change")
    return inspection


def close_inspection(*, inspection_id: int, actor: Actor, seen: int) -> Inspection:
    """End a campaign: nothing more is inspected; hazards with a day go on as the cases they are.

    Raises Inspection.DoesNotExist, NotAllowed, Conflict.
    """
    with transaction.atomic():
        inspection = _locked(inspection_id, actor, seen)
        inspection.closed_at, inspection.closed_by = timezone.now(), person(actor)
        inspection.version += 1
        inspection.save(update_fields=["closed_at", "closed_by", "version"])
        left = inspection.places.filter(state=PlaceState.TODO).count()
        _record(inspection, actor, "inspection.close", {"not_inspected": left})
    return inspection


def add_place(*, inspection_id: int, fields: PlaceFields, actor: Actor) -> InspectionPlace:
    """Put a place on the list. Raises Inspection.DoesNotExist, Invalid, NotAllowed, Conflict."""
    with transaction.atomic():
        inspection = _locked(inspection_id, actor)
        name, address = plain_place(fields)
        if inspection.places.filter(name=name, address=address).exists():
            raise Invalid(_("This place is on the list already."), field="name")
        area, location = find_area(fields, inspection.area)
        place = InspectionPlace.objects.create(
            inspection=inspection, name=name, address=address, area=area, location=location
        )
        _record(inspection, actor, "inspection.place_add", {"place": place.pk})
    return place


def remove_place(*, place_id: int, actor: Actor) -> Inspection:
    """Take a place off the list that nobody has inspected.

    Raises InspectionPlace.DoesNotExist, NotAllowed, Conflict.
    """
    with transaction.atomic():
        place = InspectionPlace.objects.get(pk=place_id)
        inspection = _locked(place.inspection_id, actor)
        gone, _by_model = InspectionPlace.objects.filter(
            pk=place.pk, state=PlaceState.TODO
        ).delete()
        if not gone:
            raise Conflict(_("This place has been inspected already; it stays on the list."))
        _record(inspection, actor, "inspection.place_remove", {"place": place_id})
    return inspection


def plain_place(fields: PlaceFields) -> tuple[str, str]:
    """Return name and address as they are kept, phones masked. Raises Invalid without a name."""
    name = mask_text(" ".join(fields.name.replace("\x00", "").split()))[:100]
    address = mask_text(" ".join(fields.address.replace("\x00", "").split()))[:200]
    if not name:
        raise Invalid(_("Please say what the place is called."), field="name")
    return name, address


def find_area(fields: PlaceFields, within: Area) -> tuple[Area, Point | None]:
    """Return the deepest area known and the point; both lie in the inspection's area.

    Raises Invalid for neither, or for a place elsewhere (≤ 2 queries).
    """
    area, location = fields.area, None
    if fields.longitude is not None and fields.latitude is not None:
        latitude, longitude = to_wgs84(fields.latitude, fields.longitude, fields.coordinate_system)
        location = Point(longitude, latitude, srid=4326)
        if area is None:
            found = place_of_point(longitude=longitude, latitude=latitude)
            area = Area.objects.get(pk=found.area_id) if found else None
            if area is None:
                raise Invalid(_("This place is outside the county. Please move the mark."))
    if area is None:
        raise Invalid(_("Say where the place is: by the map or by an area."), field="area")
    if not area.path.startswith(within.path):
        raise Invalid(
            _("This place is not in %(area)s, where the inspection is."),
            field="area",
            area=within.name,
        )
    return area, location


def _check(fields: InspectionFields, actor: Actor) -> None:
    if fields.area.level not in {Level.COUNTY, Level.TOWN}:
        raise Invalid(_("An inspection is held in a county or a town."), field="area")
    if not keeps(actor.scope, fields.area):
        raise NotAllowed(_("Inspections are made by the command centre, or by the town itself."))
    if not fields.name.strip():
        raise Invalid(_("Please give it a name."), field="name")
    if fields.kind not in InspectedKind.values:
        raise Invalid(_("Choose what is inspected."), field="kind")
    if fields.ends_on < fields.starts_on:
        raise Invalid(_("It cannot end before it starts."), field="ends_on")
    if (fields.ends_on - fields.starts_on).days > LENGTH_MOST:
        raise Invalid(_("An inspection takes a year at most."), field="ends_on")
    _check_teams(fields)
    if not fields.items:
        raise Invalid(_("The checklist needs at least one line."), field="items")
    if len(fields.items) > ITEMS_MOST:
        raise Invalid(_("At most %(n)s lines."), field="items", n=ITEMS_MOST)
    for item in fields.items:
        if not item.text.strip():
            raise Invalid(_("Please say what to look at."), field="items")
        if not 1 <= item.days <= DAYS_MOST:
            raise Invalid(_("Between 1 and %(n)s days."), field="items", n=DAYS_MOST)


def _check_teams(fields: InspectionFields) -> None:
    town = fields.area.level == Level.TOWN
    duties = {item.department for item in fields.items if item.department}
    for department in {*fields.departments, *duties}:
        if town or not department.active:
            raise Invalid(
                _("Departments take part in inspections of the county, not of a town."),
                field="departments",
            )
    if not fields.areas and not fields.departments:
        raise Invalid(_("Say who takes part."), field="areas")
    if len(fields.areas) + len(fields.departments) > TEAMS_MOST:
        raise Invalid(_("At most %(n)s teams."), field="areas", n=TEAMS_MOST)
    for area in fields.areas:
        if not area.path.startswith(fields.area.path):
            raise Invalid(
                _("%(area)s does not lie where the inspection is."), field="areas", area=area.name
            )


def _locked(inspection_id: int, actor: Actor, seen: int | None = None) -> Inspection:
    """Return a campaign under way, held. Raises NotAllowed, Conflict."""
    rows = Inspection.objects.select_for_update(of=("self",)).select_related("area")
    inspection = rows.get(pk=inspection_id)
    if not keeps(actor.scope, inspection.area):
        raise NotAllowed(_("Inspections are made by the command centre, or by the town itself."))
    if inspection.closed_at is not None:
        raise Conflict(_("This inspection is closed."))
    if seen is not None and seen != inspection.version:
        raise Conflict(_("Somebody has changed this inspection meanwhile. Please look again."))
    return inspection


def _put(inspection: Inspection, fields: InspectionFields) -> None:
    inspection.name = fields.name.strip()[:60]
    inspection.kind = fields.kind
    inspection.about = fields.about.strip()[:500]
    inspection.area = fields.area
    inspection.starts_on, inspection.ends_on = fields.starts_on, fields.ends_on


def _put_teams(inspection: Inspection, fields: InspectionFields) -> None:
    teams = [InspectionTeam(inspection=inspection, area=area) for area in fields.areas]
    teams += [
        InspectionTeam(inspection=inspection, department=department)
        for department in fields.departments
    ]
    InspectionTeam.objects.bulk_create(teams)


def _put_items(inspection: Inspection, fields: InspectionFields) -> None:
    """Bring the checklist to what is given; a line that found something cannot go."""
    standing = {item.pk: item for item in inspection.items.all()}
    kept = {item.pk for item in fields.items if item.pk in standing}
    gone = set(standing) - kept
    if inspection.hazards.filter(item_id__in=gone).exists():
        raise Invalid(
            _("A line of the checklist that found a hazard cannot be taken away."), field="items"
        )
    InspectionItem.objects.filter(pk__in=gone).delete()
    # Positions are unique at every moment: step aside first.
    for n, pk in enumerate(sorted(kept), 1):
        InspectionItem.objects.filter(pk=pk).update(position=10_000 + n)
    for position, given in enumerate(fields.items, 1):
        item = standing.get(given.pk or 0) or InspectionItem(inspection=inspection)
        item.position = position
        item.text = given.text.strip()[:100]
        item.category, item.department = given.category, given.department
        item.days = given.days
        item.save()


def _record(
    inspection: Inspection, actor: Actor, action: str, data: dict[str, int] | None = None
) -> None:
    audit.record(
        actor=person(actor),
        action=action,
        subject_type="inspection",
        subject_id=inspection.pk,
        data=data,
        ip=actor.ip,
    )
