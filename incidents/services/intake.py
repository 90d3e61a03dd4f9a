"""Taking a report in: exactly once, with its place, before anybody decides anything.

What must not live here: triage. It runs after the answer has gone out.
"""

import secrets
import uuid
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace

from django.contrib.gis.geos import Point
from django.db import connection, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from core.crypto import blind_index
from core.errors import Invalid
from core.family import insert_family
from core.masking import mask_text
from core.places import to_wgs84
from core.text import bigrams
from grids.models import Area, Level
from grids.queries import Place, place_of_area, place_of_point, place_of_text, the_county
from incidents import emergencies, reading_text
from incidents.models import (
    Category,
    Event,
    FoundBy,
    Incident,
    ReporterContact,
    Source,
    Urgency,
)
from incidents.services import hook_queue
from incidents.services.step import Step, attach
from incidents.workflow import RESIDENT, Actor

# Letters and digits nobody mistakes for one another when reading aloud.
_ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
TEXT_LIMIT = 5000
# Too wide to say where something is: the words are looked at as well.
_WIDE = frozenset({Level.COUNTY, Level.TOWN})


@dataclass(frozen=True)
class Report:
    """What a reporter sends. ``key`` is the sender's own UUID; the same key is the same report.

    A county or town as ``area`` is narrowed to the village the words name, unless ``area_holds``.
    ``sender`` is the name of the system that passes it on, if one does; ``emergency`` marks what
    no word of the text may show to be one.
    """

    text: str
    source: str
    key: uuid.UUID = field(default_factory=uuid.uuid4)
    latitude: float | None = None
    longitude: float | None = None
    coordinate_system: str = "wgs84"
    address: str = ""
    area: Area | None = None
    area_holds: bool = False
    category: Category | None = None
    name: str = ""
    phone: str = ""
    wants_sms: bool = False
    photo_ids: Sequence[uuid.UUID] = ()
    draft_key: str = ""
    sender: str = ""
    emergency: bool = False


def report(report: Report, *, actor: Actor = RESIDENT) -> tuple[Incident, bool]:
    """Store a report and return it with whether it is new.

    Committed before it returns. Raises Invalid for an empty or overlong text, a
    place off the map, a photo that is gone, or a county that is not set up.
    """
    text = _plain(report.text)
    if len(text) < 2:
        raise Invalid(_("Please say what is wrong."), field="text")
    if len(text) > TEXT_LIMIT:
        raise Invalid(_("Please keep it under %(n)s characters."), field="text", n=TEXT_LIMIT)
    place, location = find_place(report, text)
    phone = report.phone.strip() or next(iter(reading_text.phones(text)), "")
    contact = ReporterContact(
        name=report.name.strip(),
        phone=phone,
        phone_index=blind_index(phone),
        wants_sms=report.wants_sms and bool(report.phone.strip()),
    )
    with transaction.atomic() if report.photo_ids else nullcontext():
        incident, new = _insert(report, mask_text(text), place, location, actor, contact)
        if new and report.photo_ids:
            _attach(report, incident, actor)
    return incident, new


def _attach(report: Report, incident: Incident, actor: Actor) -> None:
    case = Step(incident, "report", actor, incident.reported_at, draft_key=report.draft_key)
    case.photo_ids = list(report.photo_ids)
    attach(case)


def _insert(
    report: Report,
    text: str,
    place: Place,
    location: Point | None,
    actor: Actor,
    contact: ReporterContact,
) -> tuple[Incident, bool]:
    """Write the case, its first row, its counts and its contact; return it and whether it is new.

    One statement: it is there whole or not at all, and costs one way to the database and back
    (six statements in a transaction made this door four times slower).
    """
    now = timezone.now()
    found = emergencies.find(text)
    incident = Incident(
        report_key=report.key,
        tracking_code=new_tracking_code(),
        source=report.source,
        text=text,
        address=mask_text(report.address.strip())[:200],
        bigrams=bigrams(f"{text} {report.address}"),
        urgency=Urgency.EMERGENCY if found or report.emergency else Urgency.NORMAL,
        area_id=place.area_id,
        county_id=place.county_id,
        town_id=place.town_id,
        village_id=place.village_id,
        grid_id=place.grid_id,
        unit_id=place.unit_id,
        location=location,
        found_by=place.found_by,
        # Who writes a call down did not make it: the caller is asked for the rating.
        reporter=None if report.source == Source.HOTLINE else actor.user,
        category=report.category,
        reported_at=now,
        last_seq=1,
    )
    event = Event(
        seq=1,
        at=now,
        action="report",
        actor_kind=actor.kind,
        actor=actor.user,
        actor_place=actor.place,
        to_state=incident.state,
        data={
            "round": 1,
            "source": report.source,
            "found_by": place.found_by,
            **({"emergency": [service.number for service in found]} if found else {}),
            **({"system": report.sender} if report.sender else {}),
        },
        public=True,
    )
    case = Step(incident, "report", actor, now)
    case.count("reported")
    case.count_state("", incident.state)
    children = [event, *case.take_counts()]
    if contact.name or contact.phone:
        children.append(contact)
    children += hook_queue.messages(
        key=f"report:{report.key}",
        facts={"report_key": str(report.key)},
        action="report",
        before="",
        after=incident.state,
        data={},
    )
    new_id = insert_family(incident, children, parent="incident_id", once="report_key")
    if new_id is None:
        return Incident.objects.get(report_key=report.key), False
    incident.pk = new_id
    incident._state.adding, incident._state.db = False, connection.alias
    return incident, True


def find_place(report: Report, text: str) -> tuple[Place, Point | None]:
    """Return the place and the WGS-84 point: from the point, the area given, or the words.

    Raises Invalid for a place off the map, and for a county that is not set up (1–4 queries).
    """
    if (report.latitude is None) != (report.longitude is None):
        raise Invalid(_("Give both latitude and longitude, or neither."), field="lat")
    location = None
    if report.latitude is not None and report.longitude is not None:
        latitude, longitude = to_wgs84(report.latitude, report.longitude, report.coordinate_system)
        location = Point(longitude, latitude, srid=4326)
        found = place_of_point(longitude=longitude, latitude=latitude)
        if found is not None:
            return found, location
        raise Invalid(_("This place is outside the county. Please move the mark."), field="lat")
    given = report.area
    if given is not None and given.level not in _WIDE:
        return place_of_area(given), None
    county = the_county()
    if county is None:
        raise Invalid(_("The county is not set up yet: its areas must be imported first."))
    words = f"{report.address} {text}" if report.address else text
    found = None if report.area_holds else place_of_text(words, county=county, inside=given)
    if found is not None:
        return found, None
    if given is not None and given.level != Level.COUNTY:
        return place_of_area(given), None
    return Place(area_id=county.pk, county_id=county.pk, found_by=FoundBy.COUNTY), None


def take_in_once(sent: Report, *, actor: Actor = RESIDENT) -> Incident:
    """Take a form's report in; other words from the same page (the back button) are another one."""
    incident, new = report(sent, actor=actor)
    if not new and incident.text != mask_text(_plain(sent.text)):
        incident, _new = report(replace(sent, key=uuid.uuid5(sent.key, sent.text)), actor=actor)
    return incident


def _plain(text: str) -> str:
    return text.strip().replace("\x00", "")


def new_tracking_code() -> str:
    """Return a code of 12 letters and digits (59 bits) nobody can guess."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(12))
