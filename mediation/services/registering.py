"""Taking a dispute in: from the form, or handed over from an incident."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from core.crypto import blind_index
from core.errors import Invalid, NotAllowed
from grids.models import Area
from grids.queries import Place, place_of_area
from incidents.models import Incident, ReporterContact
from incidents.services.step import person
from mediation.models import (
    ClueSource,
    Colour,
    Dispute,
    DisputeMediator,
    DisputeNumber,
    DisputeState,
    Kind,
    Party,
    Side,
)
from mediation.queries import consent_is_complete
from mediation.services.deadlines import a_month_after, run_the_month
from mediation.services.step import Step, required, step, write
from mediation.workflow import Actor, may_register_at

TITLE_LIMIT = 60
FACTS_LIMIT = 5000


@dataclass(frozen=True)
class PartyIn:
    """A party as typed. ``agreed``: has agreed to mediation already."""

    side: str
    name: str
    phone: str = ""
    agreed: bool = False


@dataclass(frozen=True)
class NewDispute:
    """What the form of a new dispute holds; ``key`` is the form's own UUID."""

    title: str
    facts: str
    kind: str
    source: str
    area: Area
    key: uuid.UUID = field(default_factory=uuid.uuid4)
    colour: str = Colour.BLUE
    parties: Sequence[PartyIn] = ()


def next_number(day: datetime) -> str:
    """Return the next number of the local year, like MJ-2026-000123, under that year's lock."""
    year = timezone.localtime(day).year
    return numbers(year=year, count=1)[0]


def numbers(*, year: int, count: int) -> list[str]:
    """Take ``count`` numbers of ``year`` at once, in order (for imports; 1 query)."""
    table = DisputeNumber._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} AS n (year, last) VALUES (%s, %s) "  # noqa: S608
            "ON CONFLICT (year) DO UPDATE SET last = n.last + EXCLUDED.last RETURNING last",
            [year, count],
        )
        last = cursor.fetchone()[0]
    return [f"MJ-{year}-{n:06}" for n in range(last - count + 1, last + 1)]


def register(new: NewDispute, *, actor: Actor) -> tuple[Dispute, bool]:
    """Store a dispute and return it with whether it is new.

    Whoever registers wrote the facts, so they are named its first mediator, on the record.
    When both sides have agreed already, the first of the four steps begins at once. Red is
    never a beginning: it needs a leader by name. Raises Invalid for bad input and NotAllowed
    outside the actor's places.
    """
    user = person(actor)
    if not may_register_at(actor, new.area):
        raise NotAllowed(_("You may register disputes only at your own places."))
    _check(new)
    try:
        with transaction.atomic():
            return _register(new, actor), True
    except IntegrityError:
        known = Dispute.objects.filter(request_key=new.key, registered_by=user).first()
        if known is None:
            raise
        return known, False


def _register(new: NewDispute, actor: Actor) -> Dispute:
    now = timezone.now()
    case = _create(
        number=next_number(now),
        place=place_of_area(new.area),
        actor=actor,
        now=now,
        parties=new.parties,
        request_key=new.key,
        title=new.title.strip(),
        facts=new.facts.strip(),
        kind=new.kind,
        source=new.source,
        colour=new.colour,
    )
    DisputeMediator.objects.create(dispute=case.dispute, user=person(actor), since=now)
    begin_when_agreed(case.dispute)
    write(case)
    return case.dispute


def hand_over_from_incident(*, incident: Incident, actor: Actor, note: str) -> str:
    """Open a dispute for ``incident`` in the caller's transaction and return its number.

    The reporter, if known, becomes party A. Nobody is named yet: whoever hands over does not
    by that open the file; the village and the town are told to name a mediator.
    """
    known = Dispute.objects.filter(incident=incident).first()
    if known is not None:
        return known.number
    now = timezone.now()
    contact = ReporterContact.objects.filter(incident=incident).first()
    parties = [PartyIn(Side.A, contact.name, contact.phone)] if contact and contact.name else []
    place = Place(
        area_id=incident.area_id,
        county_id=incident.county_id,
        town_id=incident.town_id,
        village_id=incident.village_id,
        grid_id=incident.grid_id,
        found_by=incident.found_by,
    )
    facts = "\n".join(part for part in (incident.text, incident.address) if part)
    case = _create(
        number=next_number(now),
        place=place,
        actor=actor,
        now=now,
        parties=parties,
        incident=incident,
        title=incident.summary[:TITLE_LIMIT],
        facts=facts[:FACTS_LIMIT],
        kind=Kind.OTHER,
        source=ClueSource.INCIDENT,
    )
    case.note = note.strip()
    case.data["incident"] = incident.tracking_code
    if place.village_id:
        case.tell("dispute_needs_mediator", role="village_office", area_id=place.village_id)
    if place.town_id:
        case.tell("dispute_needs_mediator", role="town_admin", area_id=place.town_id)
    else:
        case.tell("dispute_needs_mediator", role="command", area_id=place.county_id)
    write(case)
    return case.dispute.number


def add_party(*, dispute_id: int, party: PartyIn, actor: Actor, seen: int | None = None) -> Dispute:
    """Add a party. A new side A or B must agree before the next session."""
    _check_party(party, "name")
    with step(dispute_id=dispute_id, action="add_party", actor=actor, seen=seen) as case:
        _write_parties(case.dispute, [party], case.now)
        case.data = {"side": party.side, "agreed": party.agreed}
        begin_when_agreed(case.dispute)
    return case.dispute


def begin_when_agreed(dispute: Dispute) -> None:
    """Begin the first step once every party A and B has agreed to mediation."""
    if dispute.state == DisputeState.REGISTERED and consent_is_complete(dispute):
        dispute.state = DisputeState.FIRST
        dispute.step = 1


def _create(
    *,
    number: str,
    place: Place,
    actor: Actor,
    now: datetime,
    parties: Sequence[PartyIn],
    **fields: Any,
) -> Step:
    dispute = Dispute.objects.create(
        number=number,
        county_id=place.county_id,
        town_id=place.town_id,
        village_id=place.village_id,
        grid_id=place.grid_id,
        area_id=place.area_id,
        registered_by=actor.user,
        registered_at=now,
        due_at=a_month_after(now),
        **fields,
    )
    _write_parties(dispute, parties, now)
    run_the_month(dispute)
    return Step(dispute, "register", actor, now, data={"source": dispute.source})


def _write_parties(dispute: Dispute, parties: Sequence[PartyIn], now: datetime) -> None:
    Party.objects.bulk_create(
        Party(
            dispute=dispute,
            side=party.side,
            name=party.name.strip(),
            phone=party.phone.strip(),
            phone_index=blind_index(party.phone),
            agreed_to_mediation_at=now if party.agreed else None,
        )
        for party in parties
    )


def _check(new: NewDispute) -> None:
    if len(required(new.title, "title")) > TITLE_LIMIT:
        raise Invalid(_("Please keep it under %(n)s characters."), field="title", n=TITLE_LIMIT)
    if len(required(new.facts, "facts")) > FACTS_LIMIT:
        raise Invalid(_("Please keep it under %(n)s characters."), field="facts", n=FACTS_LIMIT)
    if new.kind not in Kind.values:
        raise Invalid(_("Choose the kind of dispute."), field="kind")
    if new.source not in set(ClueSource.values) - {ClueSource.INCIDENT}:
        raise Invalid(_("Choose where the clue came from."), field="source")
    if new.colour not in {Colour.BLUE, Colour.YELLOW}:
        raise Invalid(
            _("A red dispute needs a leader by name: register it, then set it to red."),
            field="colour",
        )
    for party in new.parties:
        _check_party(party, f"{party.side}_name")
    if not {Side.A, Side.B} <= {party.side for party in new.parties}:
        raise Invalid(_("A dispute has a party A and a party B."), field="b_name")


def _check_party(party: PartyIn, name_field: str) -> None:
    if party.side not in Side.values:
        raise Invalid(_("Choose the side."), field="side")
    required(party.name, name_field)
