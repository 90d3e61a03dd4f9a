"""A visit taken in: once, however often the phone sends it.

What must not live here: how often visits are due (visit_rules.py), and what becomes of a need
(grids/needs.py).
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import IO, Any

from django.contrib.gis.geos import Point
from django.core.files.base import ContentFile
from django.db import IntegrityError, connection, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from core.errors import Conflict, Invalid, NotAllowed
from core.images import CleanImage, clean_image
from core.places import to_wgs84
from core.services import audit
from grids import needs
from grids.models import Area, Household, User, Visit, VisitPhoto
from grids.queries import Scope
from grids.queries.households import looks_after
from grids.services.visit_rules import recount

DIARY_LIMIT, NEED_LIMIT, PHOTOS_MOST = 2000, 1000, 6
# A phone may have been without signal this long; its clock may be this fast.
LATEST, FASTEST = timedelta(days=30), timedelta(minutes=10)
# A check-in this exact tells where a household is that has no place yet, in metres.
EXACT = 50


@dataclass(frozen=True)
class SentVisit:
    """What the visitor sends. ``key`` is the phone's UUID; the same key is the same visit.

    ``at`` is when the visitor checked in (now if not given), the position degrees of
    ``coordinate_system`` (one of core.places.SYSTEMS) with ``accuracy`` in metres. ``need`` is
    what shall become a case.
    """

    household_id: int
    key: uuid.UUID = field(default_factory=uuid.uuid4)
    met: bool = True
    at: datetime | None = None
    latitude: float | None = None
    longitude: float | None = None
    coordinate_system: str = "wgs84"
    accuracy: int | None = None
    diary: str = ""
    need: str = ""
    photos: Sequence[IO[bytes] | Any] = ()


def record_visit(*, sent: SentVisit, actor: User, ip: str | None = None) -> tuple[Visit, bool]:
    """Store a visit and return it with whether it is new.

    Whoever was met counts as visited on that day; a closed door stays due and only leaves
    today's round. Raises NotAllowed for somebody not of the household's line, Invalid for bad
    fields, BadUpload for a photo that is none, Conflict when the household has moved out.
    """
    done = _same(sent, actor)
    if done is not None:
        return done, False
    at, diary, need = _checked(sent)
    point = _point(sent)
    pictures = [clean_image(file) for file in sent.photos]
    with transaction.atomic():
        household = Household.objects.select_for_update(of=("self",)).get(pk=sent.household_id)
        if not looks_after(Scope.for_user(actor), household):
            raise NotAllowed(_("Only those who look after a household visit it."))
        # Its twin may have been stored while this one waited for the lock.
        done = _same(sent, actor)
        if done is not None:
            return done, False
        if household.moved_out_on is not None:
            raise Conflict(_("This household has moved out."))
        visit = Visit(
            key=sent.key,
            household=household,
            county_id=household.county_id,
            by=actor,
            at=at,
            met=sent.met,
            due_on=household.next_due_on,
            point=point,
            accuracy=min(sent.accuracy or 0, 100_000) if point else None,
            distance=_distance(household, point),
            diary=diary,
        )
        if need:
            visit.case_code = _open_case(visit, need, actor, ip)
        _store(visit, pictures)
        _mark(household, visit)
        audit.record(
            actor=actor,
            action="household.visit",
            subject_type="household",
            subject_id=household.pk,
            data={"visit": visit.pk, "met": visit.met, "photos": len(pictures)}
            | ({"case": visit.case_code} if need else {}),
            ip=ip,
            place=household,
        )
    return visit, True


def report_need(*, visit: Visit, need: str, actor: User, ip: str | None = None) -> Visit:
    """Make a case of a need of a visit that was stored without one.

    Raises NotAllowed outside the line, Invalid without words, Conflict when it has a case.
    """
    need = _short(need, NEED_LIMIT, "need")
    if not need:
        raise Invalid(_("Please say what is needed."), field="need")
    with transaction.atomic():
        visit = Visit.objects.select_for_update(of=("self",)).get(pk=visit.pk)
        if not looks_after(Scope.for_user(actor), visit.household):
            raise NotAllowed(_("Only those who look after a household visit it."))
        if visit.case_code:
            raise Conflict(_("This visit has its case already."))
        visit.case_code = _open_case(visit, need, actor, ip)
        visit.save(update_fields=["case_code"])
        audit.record(
            actor=actor,
            action="household.need",
            subject_type="household",
            subject_id=visit.household_id,
            data={"visit": visit.pk, "case": visit.case_code},
            ip=ip,
            place=visit.household,
        )
    return visit


def _same(sent: SentVisit, actor: User) -> Visit | None:
    """Return the visit already stored under this key. Raises Conflict if it is somebody else's."""
    visit = Visit.objects.filter(key=sent.key).first()
    if visit and (visit.by_id, visit.household_id) != (actor.pk, sent.household_id):
        raise Conflict(_("This visit has been sent under another name already."))
    return visit


def _checked(sent: SentVisit) -> tuple[datetime, str, str]:
    now = timezone.now()
    at = sent.at or now
    if at > now + FASTEST or at < now - LATEST:
        raise Invalid(_("The time of this visit cannot be right."), field="at")
    if len(sent.photos) > PHOTOS_MOST:
        raise Invalid(_("At most %(n)s photos."), field="photos", n=PHOTOS_MOST)
    diary = _short(sent.diary, DIARY_LIMIT, "diary")
    return min(at, now), diary, _short(sent.need, NEED_LIMIT, "need")


def _short(text: str, limit: int, name: str) -> str:
    text = text.replace("\x00", "").strip()
    if len(text) > limit:
        raise Invalid(_("Please keep it under %(n)s characters."), field=name, n=limit)
    return text


def _point(sent: SentVisit) -> Point | None:
    if sent.latitude is None or sent.longitude is None:
        return None
    latitude, longitude = to_wgs84(sent.latitude, sent.longitude, sent.coordinate_system)
    return Point(longitude, latitude, srid=4326)


def _distance(household: Household, point: Point | None) -> int | None:
    """Return how many metres the phone was from the household (1 query), None if unknown."""
    if point is None or household.location is None:
        return None
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT ST_DistanceSphere(ST_GeomFromEWKB(%s), ST_GeomFromEWKB(%s))",
            [bytes(point.ewkb), bytes(household.location.ewkb)],
        )
        return min(round(cursor.fetchone()[0]), 2_000_000_000)


def _open_case(visit: Visit, need: str, actor: User, ip: str | None) -> str:
    household = visit.household
    return needs.open_case(
        key=uuid.uuid5(visit.key, "need"),
        area=Area.objects.get(pk=household.place_id),
        address=household.address,
        text=need,
        actor=actor,
        ip=ip,
    )


def _store(visit: Visit, pictures: Sequence[CleanImage]) -> None:
    try:
        with transaction.atomic():
            visit.save()
    except IntegrityError as error:  # the key has just been used for another household
        raise Conflict(_("This visit has been sent under another name already.")) from error
    for picture in pictures:
        VisitPhoto.objects.create(
            visit=visit,
            file=ContentFile(picture.data, name="photo.jpg"),
            sha256=picture.sha256,
            width=picture.width,
            height=picture.height,
        )


def _mark(household: Household, visit: Visit) -> None:
    """Note the visit on the household; one sent late does not undo a newer one."""
    day = timezone.localdate(visit.at)
    household.last_tried_on = max(household.last_tried_on or day, day)
    if visit.met:
        household.last_visited_on = max(household.last_visited_on or day, day)
        if household.location is None and visit.point and (visit.accuracy or EXACT + 1) <= EXACT:
            household.location = visit.point
    household.save(update_fields=["last_tried_on", "last_visited_on", "location"])
    recount([household.pk])
