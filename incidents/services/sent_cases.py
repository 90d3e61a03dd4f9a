"""What connected systems do: send a report, and say what became known about one of theirs.

What must not live here: keys and quotas (services/systems.py), and the shapes of any protocol.
"""

import uuid
from dataclasses import replace
from datetime import datetime

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from core.errors import Invalid
from core.masking import mask_text
from incidents.models import Event, Incident, SentCase, System
from incidents.services.intake import Report, report
from incidents.services.step import background_row, lock
from incidents.workflow import RESIDENT, SYSTEM, Actor

ACTION = "system_update"
NUMBER_LIMIT = 64
NOTE_LIMIT = 2000


def send_report(
    *,
    sent: Report,
    system: System,
    external_id: str = "",
    for_public: bool,
    called_at: datetime | None = None,
    due_at: datetime | None = None,
    actor: Actor = RESIDENT,
) -> tuple[Incident, bool]:
    """Take a report of a system in and return it with whether it is new.

    The same ``external_id`` of the same system is the same report, else the same ``sent.key``;
    two systems never meet by a key. Committed before it returns. ``due_at`` is until when they
    want it resolved. Raises Invalid as services.intake.report does, and for a number too long.
    """
    external_id = external_id.replace("\x00", "").strip()
    _check_length(external_id, "external_id", NUMBER_LIMIT)
    sent = replace(sent, key=uuid.uuid5(system.namespace, external_id or str(sent.key)))
    with transaction.atomic():
        incident, new = report(sent, actor=actor)
        if new:
            SentCase.objects.create(
                incident=incident,
                system=system,
                external_id=external_id,
                for_public=for_public,
                called_at=called_at,
                due_at=due_at,
            )
    return incident, new


def number_of(external_id: str, *, system: System) -> int | None:
    """Return the id of the case the system sent under its own number, else None (1 query)."""
    sent = SentCase.objects.filter(system=system, external_id=external_id.replace("\x00", ""))
    return sent.values_list("pk", flat=True).first() if external_id else None


def add_update(
    *, incident_id: int, system: System, text: str, number: str = "", says_closed: bool | None
) -> Event:
    """Put what a system tells about its own report on the timeline; the state stays ours.

    ``says_closed`` is the state over there, None if not told. The same ``number`` is the same
    update. Raises Incident.DoesNotExist, also for a case the system did not send, and Invalid.
    """
    text = mask_text(text.replace("\x00", "").strip())
    if not text and says_closed is None:
        raise Invalid(_("Please say what is new."), field="description")
    _check_length(text, "description", NOTE_LIMIT)
    _check_length(number, "update_id", NUMBER_LIMIT)
    with transaction.atomic():
        incident = lock(incident_id)
        if not SentCase.objects.filter(incident=incident, system=system).exists():
            raise Incident.DoesNotExist
        known = Event.objects.filter(incident=incident, action=ACTION, data__number=number)
        if number and (before := known.first()):
            return before
        with background_row(
            incident=incident, action=ACTION, actor=SYSTEM, now=timezone.now()
        ) as case:
            case.note = text
            case.data = {"system": system.name, "number": number, "says_closed": says_closed}
            if incident.is_open and incident.owner:
                case.tell_owner(ACTION)
            elif incident.is_open:
                case.tell_command(ACTION)
        return Event.objects.get(incident=incident, seq=incident.last_seq)


def _check_length(text: str, field: str, most: int) -> None:
    if len(text) > most:
        raise Invalid(_("Please keep it under %(n)s characters."), field=field, n=most)
