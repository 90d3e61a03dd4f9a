"""What an inspector finds: nothing, or a hazard, which is a case with an owner and a day.

What must not live here: campaigns and their places (inspections.py), and the life of the case
after it has its owner (handling.py, verification.py).
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from core.errors import Conflict, Invalid, NotAllowed
from core.services import audit
from incidents.models import (
    Hazard,
    Incident,
    InspectionItem,
    InspectionPlace,
    PlaceState,
    Source,
    Stage,
    Tier,
)
from incidents.queries.inspections import may_inspect
from incidents.services import clocks, dispatching
from incidents.services.handling import result_text, to_verification
from incidents.services.intake import Report, report
from incidents.services.step import person, step
from incidents.workflow import SYSTEM, Actor

TEXT_LIMIT = 1000


@dataclass(frozen=True)
class FoundHazard:
    """What the inspector sends. ``key`` is the phone's UUID; the same key is the same hazard.

    ``before`` and ``after`` are ids of the inspector's own draft photos. Either it was ``fixed``
    there and then (``result``, ``after``), or it must be gone by ``due_on``, at the latest the
    day the checklist gives, which holds when none is said.
    """

    place_id: int
    item_id: int
    key: uuid.UUID = field(default_factory=uuid.uuid4)
    text: str = ""
    before: Sequence[uuid.UUID] = ()
    fixed: bool = False
    result: str = ""
    after: Sequence[uuid.UUID] = ()
    due_on: date | None = None


def mark_clean(*, place_id: int, actor: Actor) -> InspectionPlace:
    """Note that nothing was found at a place; said twice by the same person it is said once.

    Raises InspectionPlace.DoesNotExist, NotAllowed, Conflict.
    """
    with transaction.atomic():
        place = _held(place_id, actor)
        inspector = person(actor)
        if place.state == PlaceState.CLEAN and place.checked_by_id == inspector.pk:
            return place
        if place.state != PlaceState.TODO:
            raise Conflict(_taken(place))
        _check_open(place)
        _mark(place, PlaceState.CLEAN, actor)
        audit.record(
            actor=inspector,
            action="inspection.clean",
            subject_type="inspection",
            subject_id=place.inspection_id,
            data={"place": place.pk},
            ip=actor.ip,
        )
    return place


def record_hazard(*, sent: FoundHazard, actor: Actor) -> tuple[Hazard, bool]:
    """Take a hazard in and return it with whether it is new.

    It becomes a case of the source "inspection" whose owner is whoever the checklist names. Fixed
    on the spot it goes to be verified by somebody else; otherwise it is dispatched, and its
    clock runs to the day. All of it, or nothing, is written. Raises InspectionPlace.DoesNotExist,
    NotAllowed, Invalid, Conflict, CalendarMissing.
    """
    with transaction.atomic():
        place = _held(sent.place_id, actor)
        stored = _same(sent, actor)
        if stored is not None:
            return stored, False
        _check_open(place)
        item = _item(sent, place)
        now = timezone.now()
        due_at = None if sent.fixed else _due(sent, item, now)
        _check_words(sent)
        incident, _new = report(_report(sent, place, item), actor=actor)
        hazard = Hazard.objects.create(
            incident=incident,
            inspection_id=place.inspection_id,
            place=place,
            item=item,
            key=sent.key,
            found_by=person(actor),
            found_at=now,
            due_at=due_at,
        )
        if sent.fixed:
            _fix(incident, item, sent, actor)
        else:
            _send(incident, item)
        _mark(place, PlaceState.HAZARDS, actor)
    return hazard, True


def _held(place_id: int, actor: Actor) -> InspectionPlace:
    """Return the place, held, if its inspection is this person's work."""
    rows = InspectionPlace.objects.select_for_update(of=("self",))
    place = rows.select_related("inspection__area", "area").get(pk=place_id)
    if not InspectionPlace.objects.filter(may_inspect(actor.scope), pk=place.pk).exists():
        raise NotAllowed(_("You do not take part in this inspection here."))
    return place


def _same(sent: FoundHazard, actor: Actor) -> Hazard | None:
    """Return the hazard stored under this key. Raises Conflict if it is somebody else's."""
    stored = Hazard.objects.filter(key=sent.key).first()
    if stored and (stored.found_by_id, stored.place_id) != (person(actor).pk, sent.place_id):
        raise Conflict(_("This hazard has been sent under another name already."))
    return stored


def _check_open(place: InspectionPlace) -> None:
    if place.inspection.closed_at is not None:
        raise Conflict(_("This inspection is closed."))
    if place.inspection.starts_on > timezone.localdate():
        raise Conflict(_("This inspection has not begun yet."))


def _item(sent: FoundHazard, place: InspectionPlace) -> InspectionItem:
    rows = InspectionItem.objects.select_related("category__owner", "department")
    item = rows.filter(pk=sent.item_id, inspection_id=place.inspection_id).first()
    if item is None:
        raise Invalid(_("Choose a line of the checklist."), field="item")
    return item


def latest_day(item: InspectionItem, today: date) -> date:
    """Return the last day the checklist gives for a hazard found ``today``."""
    return today + timedelta(days=item.days)


def _due(sent: FoundHazard, item: InspectionItem, now: datetime) -> datetime:
    """Return the end of the day by which it must be gone. Raises Invalid for another day."""
    today = timezone.localdate(now)
    latest = latest_day(item, today)
    day = sent.due_on or latest
    if day < today:
        raise Invalid(_("This day is past already."), field="due_on")
    if day > latest:
        raise Invalid(
            _("“%(item)s” is put right within %(n)s days: by %(day)s at the latest.")
            % {"item": item.text, "n": item.days, "day": latest.isoformat()},
            field="due_on",
        )
    return timezone.make_aware(datetime.combine(day, time(23, 59)))


def _check_words(sent: FoundHazard) -> None:
    if len(sent.text) > TEXT_LIMIT:
        raise Invalid(_("Please keep it under %(n)s characters."), field="text", n=TEXT_LIMIT)
    if not sent.before:
        raise Invalid(_("Please take a photo of the hazard."), field="before")
    if sent.fixed and not sent.after:
        raise Invalid(_("Put right on the spot: please take a photo of it now."), field="after")


def _report(sent: FoundHazard, place: InspectionPlace, item: InspectionItem) -> Report:
    words = f"{place.name}：{item.text}"
    said = sent.text.replace("\x00", "").strip()
    point = place.location
    return Report(
        text=f"{words}。{said}" if said else words,
        source=Source.INSPECTION,
        key=uuid.uuid5(sent.key, "hazard"),
        latitude=point.y if point else None,
        longitude=point.x if point else None,
        address=place.address,
        area=place.area,
        category=item.category,
        photo_ids=sent.before,
    )


def _fix(incident: Incident, item: InspectionItem, sent: FoundHazard, actor: Actor) -> None:
    """Settle it where it is; somebody else verifies, as with every result."""
    with step(incident_id=incident.pk, action="fix_on_spot", actor=actor) as case:
        fixed = case.incident
        case.note = result_text(sent.result or _("Put right on the spot."))
        case.photo_ids = list(sent.after)
        case.data = {"to": str(item.duty)}
        fixed.category, fixed.tier = item.category, Tier.LOCAL
        fixed.deadline_version = clocks.current_version(item.category, on=case.now)
        fixed.owner_department = item.duty
        fixed.handler = person(actor)
        fixed.triaged_at = fixed.triage_tried_at = case.now
        fixed.dispatched_at = fixed.accepted_at = fixed.arrived_at = case.now
        clocks.finish(case, Stage.TRIAGE, Stage.ACCEPT, Stage.ARRIVE)
        to_verification(case)


def _send(incident: Incident, item: InspectionItem) -> None:
    """Give it to whose duty it is; the checklist decided that, so the system does it."""
    dispatching.triage(
        incident_id=incident.pk,
        actor=SYSTEM,
        category=item.category,
        tier=Tier.LOCAL,
        send=False,
    )
    why = _("The checklist of the inspection says so.")
    dispatching.dispatch(
        incident_id=incident.pk,
        actor=SYSTEM,
        department=item.duty,
        explanation=[
            {
                "rule": item.inspection.name,
                "position": item.position,
                "outcome": "matched",
                "why": why,
            }
        ],
    )


def _mark(place: InspectionPlace, state: str, actor: Actor) -> None:
    place.state = state
    place.checked_at, place.checked_by = timezone.now(), person(actor)
    place.save(update_fields=["state", "checked_at", "checked_by"])


def _taken(place: InspectionPlace) -> str:
    when = timezone.localtime(place.checked_at).strftime("%m-%d %H:%M")
    return _("%(who)s inspected this place at %(when)s: %(what)s.") % {
        "who": place.checked_by,
        "when": when,
        "what": place.get_state_display(),
    }
