"""What this floor tells by channels: the notices of the bell, and residents who asked for it.

What must not live here: when something is told (the steps) and how it is sent (core). No letter
holds the reporter's name or words: only what a case is called, where it is and where it leads.
"""

from collections.abc import Collection, Iterable, Mapping
from functools import partial
from typing import Any

from django.conf import settings
from django.db.models import F
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from core.channels import events
from core.channels.events import Address, Event, Group
from core.channels.letters import NoLongerNeeded, Refused
from core.models import Channel, OutboxMessage
from core.services import sending
from grids.services import telling
from incidents.models import CallBack, Incident, Notice, ReporterContact, Urgency
from incidents.models.incident import NO_DUE
from incidents.queries.twins import lead_of, merged_into
from incidents.registry import NoticeKind, notice_kinds

REPORTER = "reporter"
_PLACES = ("town", "village", "grid")

NOTICE_PLACEHOLDERS = {
    "what": _("what the bell says"),
    "code": _("number of the case or dispute"),
    "place": _("where it is"),
    "due": _("the next deadline"),
    "link": _("address of its page"),
}
RESIDENT_PLACEHOLDERS = {
    "code": _("tracking code"),
    "place": _("where it is"),
    "category": _("kind of matter"),
    "link": _("address for rating or for the progress"),
}
_LINK = "https://geshi.example.gov.cn/…"
_EXAMPLES = {
    "code": "AB12CD34EF56",
    "place": _("East Street community, grid 3"),
    "due": "05-06 18:00",
    "category": _("Exposed rubbish"),
    "link": _LINK,
}

RESIDENT_EVENTS = {
    "rate": (
        _("Handled: please rate"),
        _("Your report {code} was handled. Please rate the result: {link}"),
    ),
    "answered": (
        _("Answered"),
        _("Your report {code} was answered. Read the answer and say whether it helped: {link}"),
    ),
    "merged": (
        _("Handled together with an earlier report"),
        _("Your report {code} is the same as an open one and is handled with it. Progress: {link}"),
    ),
    "unmerged": (
        _("Goes its own way again"),
        _("Your report {code} is handled by itself again. Progress: {link}"),
    ),
    "extended": (
        _("More time was granted"),
        _("Your report {code} takes longer than planned. Why, and how it goes on: {link}"),
    ),
    "reopened": (
        _("Opened again"),
        _("Your report {code} was opened again, one level up. Progress: {link}"),
    ),
    "concluded": (
        _("Ended by the county"),
        _("The county has ended your report {code} and explains why: {link}"),
    ),
}


def connect() -> None:
    """Register the events, and how reporters are reached. Called from AppConfig.ready."""
    events.register_source(_notice_events)
    events.register_addressees(REPORTER, find_reporter)
    for kind, (label, text) in RESIDENT_EVENTS.items():
        events.register(
            Event(
                kind=f"resident.{kind}",
                label=label,
                text=text,
                subject=label,
                placeholders=RESIDENT_PLACEHOLDERS,
                examples=_EXAMPLES,
                group=Group.INFO,
                to_residents=True,
                values=partial(_values_for_resident, kind),
            )
        )


def _notice_events() -> Iterable[Event]:
    """Return an event for each kind of notice, of whatever floor."""
    for kind, notice in notice_kinds.items():
        yield Event(
            kind=f"notice.{kind}",
            label=notice.text,
            text="{what} {code} {place} {link}",
            subject="{what} {code}",
            placeholders=NOTICE_PLACEHOLDERS,
            examples={**_EXAMPLES, "what": notice.text},
            group=notice.group,
            urgent=notice.urgent,
            values=partial(_values_of_notice, notice),
        )


def tell_notices(notices: Collection[Notice]) -> None:
    """Tell notices by the channels that their readers chose.

    Where a ladder or a standing order names channels, by those. Whatever is told of an emergency
    does not wait for the morning. Runs in the transaction that writes the notices (≤ 5 queries,
    and one for each notice told by a rule).
    """
    emergencies = set(
        Incident.objects.filter(
            pk__any_of={notice.incident_id for notice in notices}, urgency=Urgency.EMERGENCY
        ).values_list("pk", flat=True)
    )
    addresses = [
        telling.Addressed(
            user_id=notice.user_id,
            role=notice.role,
            area_id=notice.area_id,
            department_id=notice.department_id,
        )
        for notice in notices
    ]
    listeners = telling.Listeners(addresses)
    letters = [
        letter
        for notice, addressed in zip(notices, addresses, strict=True)
        for letter in telling.letters(
            event=f"notice.{notice.kind}",
            key=notice.key,
            facts={"incident": notice.incident_id, "data": notice.data},
            addressed=addressed,
            urgent=notice.incident_id in emergencies,
            channels=notice.data.get("channels", ()),
            listeners=listeners,
        )
    ]
    sending.post(letters)


def tell_reporters(messages: Iterable[OutboxMessage]) -> None:
    """Deliver outbox messages of topic "reporter" (≤ 4 queries each)."""
    for message in messages:
        _tell_reporters_of(message)


def _tell_reporters_of(message: OutboxMessage) -> None:
    """Queue an SMS to each who asked to be told of a case (≤ 4 queries).

    Who reported a case that was merged into this one is told with their own code.
    """
    incident_id, kind = message.payload["incident"], message.payload["kind"]
    cases = [incident_id, *(pk for pk, _reporter in merged_into(incident_id))]
    wanted = ReporterContact.objects.filter(incident__in=cases, wants_sms=True)
    told = sorted(wanted.values_list("pk", flat=True))
    if not told:
        return
    channel = Channel.objects.filter(kind=Channel.Kind.SMS, active=True).order_by("pk").first()
    if channel is None:
        return
    sending.post(
        [
            sending.Told(
                channel=channel,
                event=f"resident.{kind}",
                key=message.key + (f":t{pk}" if pk != incident_id else "") + f":c{channel.pk}",
                whom={"who": REPORTER, "incident": pk},
                facts={"incident": pk},
            )
            for pk in told
        ]
    )


def find_reporter(whom: Mapping[str, Any], channel: Channel) -> Address:
    """Return the reporter's phone, if it is still kept and was left for this (1 query)."""
    contact = ReporterContact.objects.filter(incident=whom["incident"]).first()
    if contact is None or not contact.phone:
        raise NoLongerNeeded("forgotten")
    if not contact.wants_sms:
        raise NoLongerNeeded("not_wanted")
    if not telling.MOBILE.fullmatch(contact.phone):
        raise Refused("no_phone")
    return Address(contact.phone)


def _values_of_notice(notice: NoticeKind, facts: Mapping[str, Any]) -> Mapping[str, str]:
    data = facts["data"]
    values = {"what": str(notice.text), "code": str(data.get("dispute", ""))}
    values["place"] = str(data.get("place", ""))
    path = notice.url(data) if notice.url else ""
    if facts["incident"]:
        incident = _case(facts["incident"])
        values |= {"code": incident.tracking_code, "place": _place(incident)}
        if incident.due_at < NO_DUE:
            values["due"] = timezone.localtime(incident.due_at).strftime("%m-%d %H:%M")
        path = path or reverse("incident", args=[incident.tracking_code])
    return values | {"link": _link(path)}


def _values_for_resident(kind: str, facts: Mapping[str, Any]) -> Mapping[str, str]:
    incident = _case(facts["incident"])
    path = f"{reverse('track')}?code={incident.tracking_code}"
    if kind == "rate":
        callback = _asked(incident)
        if callback is None or callback.answered_at or callback.expires_at <= timezone.now():
            raise NoLongerNeeded("answered")
        path = reverse("rate", args=[callback.token])
    return {
        "code": incident.tracking_code,
        "place": _place(incident),
        "category": str(incident.category or ""),
        "link": _link(path),
    }


def _asked(incident: Incident) -> CallBack | None:
    """Return what the reporter is asked now: about the case, or the one it was merged into."""
    lead_id, _is_open = lead_of(incident.pk)
    twin = None if lead_id == incident.pk else incident
    links = CallBack.objects.filter(incident=lead_id, twin=twin)
    return links.filter(round=F("incident__round")).first()


def _case(incident_id: int) -> Incident:
    found = (
        Incident.objects.filter(pk=incident_id)
        .select_related("category", *_PLACES)
        .only(
            "tracking_code",
            "due_at",
            "round",
            "category__name",
            "category__name_en",
            *(f"{place}__name" for place in _PLACES),
        )
        .first()
    )
    if found is None:
        raise NoLongerNeeded("gone")
    return found


def _place(incident: Incident) -> str:
    areas = (getattr(incident, name) for name in _PLACES)
    return "".join(area.name for area in areas if area)


def _link(path: str) -> str:
    return f"{settings.PUBLIC_URL}{path}" if settings.PUBLIC_URL and path else ""
