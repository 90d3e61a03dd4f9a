"""Carrying out standing orders: calls one after another until somebody has it; changing orders.

Calls, their outbox rows and the timer of the next one are written in one transaction, so that a
process that dies loses none of them. What must not live here: which order holds for a place
(queries/standing.py), and when an emergency is one (services/triage.py, dispatching.leave).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.errors import Conflict, Invalid, NotAllowed
from core.models import Channel, Timer
from core.services import audit, outbox
from core.services.timers import TimerSpec, cancel_timers, set_timers
from grids.models import Area, Department, Level, Role, User
from grids.moves import Areas
from incidents.models import (
    CALLED_ROLES,
    EmergencyCall,
    EmergencyKind,
    Incident,
    StandingOrder,
    StandingStep,
)
from incidents.queries import standing as queries
from incidents.services.step import background_row, lock, person
from incidents.workflow import SYSTEM, Actor

SUBJECT, UNANSWERED = "emergency_call", "call_unanswered"
KIND_OF_NUMBER: dict[str, str] = {
    "110": EmergencyKind.POLICE,
    "119": EmergencyKind.FIRE,
    "120": EmergencyKind.MEDICAL,
}
MOST_STEPS = 8
SHORTEST, LONGEST = 10, 86_400


def start(*, incident_id: int, numbers: Iterable[str], now: datetime) -> list[EmergencyCall]:
    """Begin to call by the standing orders of an emergency; return the calls written.

    ``numbers`` are those its words point to; without any it is "any other" emergency. A kind that
    was called for before is not called for again. Runs in the caller's transaction.
    """
    incident = lock(incident_id)
    kinds = dict.fromkeys(KIND_OF_NUMBER[n] for n in numbers if n in KIND_OF_NUMBER)
    begun = set(EmergencyCall.objects.filter(incident=incident).values_list("kind", flat=True))
    made: list[EmergencyCall] = []
    orders: set[int] = set()
    for kind in kinds or {EmergencyKind.OTHER: None}:
        order = queries.order_for(kind, queries.place_of(incident), on=timezone.localdate(now))
        # Two kinds without orders of their own share the one for any other: it calls once.
        if order is None or order.kind in begun or order.pk in orders:
            continue
        orders.add(order.pk)
        calls = _write(incident, order)
        made += calls
        _call_next(incident, calls, now)
    return made


def _write(incident: Incident, order: StandingOrder) -> list[EmergencyCall]:
    return EmergencyCall.objects.bulk_create(
        EmergencyCall(
            incident=incident,
            kind=order.kind,
            position=position,
            order=order,
            role=call.role,
            area_id=call.area_id,
            department=call.department,
            user=call.user,
            channels=list(call.channels),
            seconds=call.seconds,
        )
        for position, call in enumerate(queries.plan(order, queries.place_of(incident)), 1)
    )


def _call_next(incident: Incident, calls: Sequence[EmergencyCall], now: datetime) -> None:
    """Call the next of a run, passing over posts nobody holds; past the last, tell the county."""
    turned = []
    for call in calls:
        if call.called_at is not None:
            continue
        call.called_at = now
        call.nobody = not queries.holders(
            role=call.role,
            area_id=call.area_id,
            department_id=call.department_id,
            user_id=call.user_id,
        )
        turned.append(call)
        if not call.nobody:
            break
    EmergencyCall.objects.bulk_update(turned, ["called_at", "nobody"])
    reached = [call for call in turned if not call.nobody]
    with background_row(
        incident=incident, action="call" if reached else UNANSWERED, actor=SYSTEM, now=now
    ) as case:
        case.data = {"calls": [call_label(call) for call in turned]}
        if not reached:
            case.tell_command(UNANSWERED)
            case.tell(UNANSWERED, role=Role.COUNTY_LEADER, area_id=incident.county_id)
    for call in reached:
        _tell(call)
        set_timers([_timer(call, now)])


def _timer(call: EmergencyCall, now: datetime) -> TimerSpec:
    return TimerSpec(
        subject_type=SUBJECT,
        subject_id=call.pk,
        kind=UNANSWERED,
        due_at=now + timedelta(seconds=call.seconds),
    )


def _tell(call: EmergencyCall) -> None:
    data = {"call": call.pk, **({"channels": call.channels} if call.channels else {})}
    outbox.post(
        [
            outbox.Message(
                topic="notice",
                key=f"emergency_call:{call.pk}",
                payload={
                    "incident": call.incident_id,
                    "kind": "standing_call",
                    "role": call.role,
                    "area": call.area_id,
                    "department": call.department_id,
                    "user": call.user_id,
                    "data": data,
                },
            )
        ]
    )


def call_label(call: EmergencyCall) -> str:
    """Return who a call is to, in words."""
    if call.user is not None:
        return str(call.user)
    if call.department is not None:
        return call.department.label
    post = str(Role(call.role).label)
    return f"{call.area.name} {post}" if call.area is not None else post


def acknowledge(*, call_id: int, actor: Actor) -> EmergencyCall:
    """Say "I have it": nobody further is called. Pressed twice, or by two, it stands as it was.

    Raises NotAllowed for anybody not called; the command centre may note an answer by telephone.
    """
    with transaction.atomic():
        found = EmergencyCall.objects.filter(pk=call_id).first()
        if found is None:
            raise Conflict(_("There is no such call."))
        incident = lock(found.incident_id)
        run = [row for row in queries.calls_of(incident) if row.kind == found.kind]
        call = next(row for row in run if row.pk == call_id)
        commands = actor.scope.holds(Role.COMMAND, [incident.county_id])
        if not commands and not queries.is_called(call, person(actor), actor.scope):
            raise NotAllowed(_("This call is not to you."))
        if call.called_at is None:
            raise Conflict(_("It was not this post's turn yet."))
        if call.acknowledged_at is not None:
            return call
        now = timezone.now()
        call.acknowledged_at, call.acknowledged_by = now, person(actor)
        call.save(update_fields=["acknowledged_at", "acknowledged_by"])
        cancel_timers(SUBJECT, [row.pk for row in run])
        with background_row(
            incident=incident, action="call_acknowledged", actor=actor, now=now
        ) as case:
            case.data = {"calls": [call_label(call)]}
            case.tell_command("call_acknowledged", call=call.pk)
    return call


def on_unanswered(timers: list[Timer], now: datetime) -> list[Timer]:
    """Call the next of each run nobody acknowledged; return the timers of cases busy just now."""
    calls = EmergencyCall.objects.in_bulk([timer.subject_id for timer in timers])
    free = set(
        Incident.objects.select_for_update(skip_locked=True)
        .filter(pk__in={call.incident_id for call in calls.values()})
        .values_list("pk", flat=True)
    )
    busy = []
    for timer in timers:
        call = calls.get(timer.subject_id)
        if call is None:
            continue
        if call.incident_id not in free:
            busy.append(timer)
            continue
        incident = lock(call.incident_id)
        run = [row for row in queries.calls_of(incident) if row.kind == call.kind]
        if not any(row.acknowledged_at for row in run):
            _call_next(incident, run, now)
    return busy


FOLLOWED: Mapping[str, Any] = {"standing_orders": gettext_lazy("Standing orders")}


def count_followers(areas: Areas) -> dict[str, int]:
    """Return how many orders of today or later are for areas that would be merged (1 query)."""
    merged = [old for old, new in areas.items() if old != new]
    return {"standing_orders": _lasting(timezone.localdate()).filter(area__in=merged).count()}


def follow_areas(areas: Areas, *, on: date, actor: User | None) -> dict[str, int]:
    """Let orders of merged areas end on the day, or go along where none of the kind stands yet."""
    found = count_followers(areas)
    for old, new in areas.items():
        if old == new:
            continue
        for order in _lasting(on).select_for_update().filter(area=old):
            begins = max(order.valid_from, on)
            taken = _lasting(begins).filter(kind=order.kind, area=new).exists()
            if not taken:
                StandingOrder.objects.filter(pk=order.pk).update(area=new)
            elif order.valid_from < on:
                StandingOrder.objects.filter(pk=order.pk).update(valid_to=on)
    return found


def _lasting(day: date) -> QuerySet[StandingOrder]:
    return StandingOrder.objects.filter(Q(valid_to__isnull=True) | Q(valid_to__gt=day))


@dataclass(frozen=True)
class CallTerm:
    """One step of an order: a role, a department or a person, and how long it has."""

    seconds: int
    role: str = ""
    department: Department | None = None
    user: User | None = None
    channels: Sequence[str] = ()


def put_order(
    *,
    kind: str,
    area: Area,
    valid_from: date,
    valid_to: date | None,
    steps: Sequence[CallTerm],
    actor: User,
    order: StandingOrder | None = None,
    seen: int | None = None,
) -> StandingOrder:
    """Write a standing order, or change one; calls that have begun go on as they were.

    Raises Invalid for no step, a step without anybody, or days another order of the same kind and
    area already holds; Conflict when somebody changed the order since.
    """
    _check(kind, area, steps)
    if valid_to is not None and valid_to <= valid_from:
        raise Invalid(_("It must end after it begins."), field="valid_to")
    try:
        with transaction.atomic():
            if order is None:
                held = StandingOrder(version=0)
            else:
                held = StandingOrder.objects.select_for_update().get(pk=order.pk)
                if seen is not None and seen != held.version:
                    raise Conflict(_("Somebody changed this order meanwhile. Please look again."))
            held.kind, held.area = kind, area
            held.valid_from, held.valid_to = valid_from, valid_to
            held.version += 1
            held.save()
            held.steps.all().delete()
            StandingStep.objects.bulk_create(
                StandingStep(
                    order=held,
                    position=position,
                    role=term.role,
                    department=term.department,
                    user=term.user,
                    channels=list(term.channels),
                    seconds=term.seconds,
                )
                for position, term in enumerate(steps, 1)
            )
            audit.record(
                actor=actor,
                action="standing_order.put",
                subject_type="standing_order",
                subject_id=held.pk,
                data={
                    "kind": kind,
                    "area": area.code,
                    "steps": len(steps),
                    "version": held.version,
                },
            )
    except IntegrityError as error:
        raise Invalid(
            _("Another order for this emergency and area holds on these days."), field="valid_from"
        ) from error
    return held


def _check(kind: str, area: Area, steps: Sequence[CallTerm]) -> None:
    if kind not in EmergencyKind.values:
        raise Invalid(_("Choose a kind."), field="kind")
    if area.level not in {Level.COUNTY, Level.TOWN, Level.VILLAGE}:
        raise Invalid(_("An order is for a county, a town or a village."), field="area")
    if not 0 < len(steps) <= MOST_STEPS:
        raise Invalid(_("Give between 1 and %(n)s calls."), field="steps", n=MOST_STEPS)
    for term in steps:
        named = [bool(term.role), term.department is not None, term.user is not None]
        if sum(named) != 1 or (term.role and term.role not in CALLED_ROLES):
            raise Invalid(_("Say of each call who it is to."), field="steps")
        if not SHORTEST <= term.seconds <= LONGEST:
            raise Invalid(
                _("Wait between %(low)s and %(high)s seconds."),
                field="steps",
                low=SHORTEST,
                high=LONGEST,
            )
        if set(term.channels) - set(Channel.Kind.values):
            raise Invalid(_("Choose channels from the list."), field="steps")
