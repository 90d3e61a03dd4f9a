"""Merging repeats and taking them apart again, and asking every reporter of a matter.

A merged case keeps its own reporter, code and timeline; its clocks stand still, so that taken
out again it runs on where it stood. What must not live here: finding repeats (queries/twins.py).
"""

import secrets
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from core.errors import Conflict, Invalid
from grids.models import User
from incidents.models import CallBack, Event, Incident, State, Urgency
from incidents.queries.case import acted_in_round
from incidents.queries.twins import lead_of, merged_into
from incidents.services import clocks
from incidents.services.handling import lapse_requests
from incidents.services.intake import Report, take_in_once
from incidents.services.step import Step, background_row, lock, required, step
from incidents.workflow import RESIDENT, Actor


def merge(
    *,
    incident_id: int,
    actor: Actor,
    into: Incident,
    note: str = "",
    seen: int | None = None,
) -> Incident:
    """Merge a repeat into an open case; its reporter follows that one from now on."""
    with step(incident_id=incident_id, action="merge", actor=actor, seen=seen) as case:
        if into.pk == incident_id:
            raise Invalid(_("A case cannot be merged into itself."), field="into")
        lead = _held(into.pk)
        if not lead.is_open or lead.parent_id or lead.county_id != case.incident.county_id:
            raise Invalid(_("Only an open case can take another in."), field="into")
        case.note = note.strip()
        lapse_requests(case, _("The case went another way in the meantime."))
        clocks.pause(case)
        _put_into(case, lead)
        case.tell_reporter("merged")
        _tell_colleague(case, "merged_told")
    return case.incident


def take_in(sent: Report, *, lead_id: int | None, actor: Actor = RESIDENT) -> Incident:
    """Take a report in, as one with the case its reporter says it is, if they do."""
    if lead_id is None:
        return take_in_once(sent, actor=actor)
    return take_in_same(sent, lead_id=lead_id, actor=actor)[0]


def take_in_same(sent: Report, *, lead_id: int, actor: Actor = RESIDENT) -> tuple[Incident, bool]:
    """Take a report in whose reporter says it is a case that is open; return whether it joined it.

    It is a report of its own either way. It goes its own way where the case has ended meanwhile,
    and where its words are of a possible emergency, which people look at one by one.
    """
    with transaction.atomic():
        incident = take_in_once(sent, actor=actor)
        if incident.state != State.REPORTED or incident.urgency == Urgency.EMERGENCY:
            return incident, incident.state == State.DUPLICATE
        # Nobody can be waiting for the new case, so the other one may be waited for.
        lead = lock(lead_id)
        if not lead.is_open or lead.parent_id or lead.county_id != incident.county_id:
            return incident, False
        # Who called the hotline says so; the desk has only written it down.
        speaker = actor if incident.reporter_id else RESIDENT
        with step(incident_id=incident.pk, action="join", actor=speaker) as case:
            _put_into(case, lead)
        return case.incident, True


def _put_into(case: Step, lead: Incident) -> None:
    """Make the case one of ``lead``'s, which is held, and say so on both."""
    incident = case.incident
    incident.merged_into = lead
    case.data = {"into": lead.tracking_code}
    case.count("exit:merged")
    with background_row(incident=lead, action="twin_joined", actor=case.actor, now=case.now) as row:
        row.data = {"twin": incident.tracking_code}
        row.tell_owner("twin_joined")
    if lead.state == State.CALLBACK:
        asked = CallBack.objects.get(incident=lead, round=lead.round, twin=None)
        _ask(case, lead, [(incident.pk, incident.reporter_id), *merged_into(incident.pk)], asked)
        case.tell_reporter("rate")


def unmerge(*, incident_id: int, actor: Actor, reason: str, seen: int | None = None) -> Incident:
    """Take a case out of the one it was merged into, while that one is open.

    It goes back to the state it had, to the same owner, and its clocks run on with what they had
    left. What its reporter has not rated yet is not asked any more.
    """
    with step(incident_id=incident_id, action="unmerge", actor=actor, seen=seen) as case:
        incident = case.incident
        case.note = required(reason, "reason")
        lead = _held(lead_of(incident_id)[0])
        if not lead.is_open:
            raise Conflict(_("The case it was merged into has ended; bring this one back instead."))
        rows = Event.objects.filter(incident=incident, action__in=("merge", "join"))
        put_in = rows.order_by("-seq").first()
        # One that came merged from elsewhere stood nowhere here.
        case.to(put_in.from_state if put_in else State.REPORTED)
        case.data = {"from": lead.tracking_code}
        incident.merged_into = None
        clocks.resume(case)
        forget_asked(case, at=case.now)
        with background_row(incident=lead, action="twin_left", actor=actor, now=case.now) as row:
            row.data = {"twin": incident.tracking_code}
        case.tell_reporter("unmerged")
        _tell_colleague(case, "unmerged_told")
        if incident.owner:
            case.tell_owner("unmerged")
        else:
            case.tell_command("unmerged")
    return case.incident


def forget_asked(case: Step, *, at: datetime) -> None:
    """End the links by which the case's reporter, and those merged into it, rate another case."""
    own = [case.incident.pk, *(pk for pk, _reporter in merged_into(case.incident.pk))]
    asked = CallBack.objects.filter(twin__in=own, answered_at=None, expires_at__gt=at)
    asked.update(expires_at=at)


def ask_all(case: Step, asked: CallBack) -> None:
    """Ask the reporters of all cases merged into this one too (1 query, 2 if there are any)."""
    _ask(case, case.incident, merged_into(case.incident.pk), asked)


def _ask(
    case: Step, lead: Incident, reporters: list[tuple[int, int | None]], asked: CallBack
) -> None:
    """Make a link for each of (case, account); colleagues are told, who handled it is not asked."""
    links = [
        CallBack(
            incident=lead,
            twin_id=pk,
            round=lead.round,
            token=secrets.token_urlsafe(24),
            created_at=case.now,
            expires_at=asked.expires_at,
        )
        for pk, _reporter in reporters
    ]
    CallBack.objects.bulk_create(links)
    told = {lead.reporter_id}
    for link, (_pk, reporter_id) in zip(links, reporters, strict=True):
        if reporter_id is None or reporter_id in told:
            continue
        told.add(reporter_id)
        if not _worked_on(lead, reporter_id):
            case.tell("rate_please", user_id=reporter_id, token=link.token)


def _worked_on(lead: Incident, user_id: int) -> bool:
    return acted_in_round(lead, User.objects.get(pk=user_id))


def _tell_colleague(case: Step, kind: str) -> None:
    """Tell the reporter who has an account, unless they took the step themselves."""
    reporter_id = case.incident.reporter_id
    if reporter_id and (case.actor.user is None or case.actor.user.pk != reporter_id):
        case.tell(kind, user_id=reporter_id)


def _held(incident_id: int) -> Incident:
    """Return the case as it is now, held until the step is written.

    Never waited for: two cases being merged into one another would wait for each other.
    """
    lead = Incident.objects.select_for_update(skip_locked=True).filter(pk=incident_id).first()
    if lead is None:
        raise Conflict(_("Somebody is working on that case just now. Please try again."))
    return lead
