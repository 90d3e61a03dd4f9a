"""The addresses of GeoReport v2 and its extension for updates.

Reads need no key; a system's own key also opens what became of its own reports. What must not live
here: what is public, and how an answer is written.
"""

from collections.abc import Collection, Mapping
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

from core.api import checked
from core.errors import Invalid
from core.web import public_address
from grids.models import SHAPES, Area
from incidents.models import Category, Incident, Source, System, SystemRight
from incidents.open311 import asked, shapes
from incidents.open311.answers import JSON, XML, Answer, NotFound, georeport
from incidents.queries.published import find_public, public_page, public_steps, published_items
from incidents.services import sent_cases, systems
from incidents.services.intake import Report

SPECIFICATION = "http://wiki.open311.org/GeoReport_v2"
CHANGED = "2026-11-22T00:00:00+08:00"
FORMATS = {XML: "text/xml", JSON: "application/json"}


@georeport("GET")
def discovery(request: HttpRequest) -> Answer:
    """Say where this endpoint is and what it speaks."""
    here = public_address(request) + reverse("open311_root").rstrip("/")
    endpoint = {
        "specification": SPECIFICATION,
        "url": here,
        "changeset": CHANGED,
        "type": "production",
        "formats": list(FORMATS.values()),
    }
    rows = {
        "changeset": CHANGED,
        "contact": _("The county's hotline, %(number)s") % {"number": "12345"},
        "key_service": _("Ask the county's system administrator for an api_key."),
        "endpoints": [endpoint],
    }
    return Answer("discovery", rows)


@georeport("GET")
def services(request: HttpRequest) -> Answer:
    """List what can be reported (1 query)."""
    items = published_items().values()
    return Answer("services", [shapes.service(item) for item in items if item.active])


@georeport("GET")
def service(request: HttpRequest, code: str) -> Answer:
    """Say what may be told with a report of one service (1 query)."""
    return Answer("service_definition", shapes.definition(_item(published_items(), code)))


@georeport("GET", "POST")
def requests(request: HttpRequest) -> Answer:
    """List public requests (≤ 6 queries), or take one in."""
    if request.method == "POST":
        return _take_in(request)
    given, items = request.GET, published_items()
    if given.get("service_request_id", "").strip():
        found = find_public(
            asked.ids(given["service_request_id"]), items=items, system=_caller(request)
        )
        return Answer("service_requests", [shapes.request(case) for case in found])
    since, until = asked.time_asked(given, most_days=asked.MOST_DAYS, usual=asked.MOST_DAYS)
    is_open, closed = asked.states(given.get("status", ""))
    number, size = asked.page(given)
    page = public_page(
        since=since,
        until=until,
        items=items,
        only=_only(items, given),
        is_open=is_open,
        closed=closed,
        page=number,
        size=size,
    )
    return Answer("service_requests", [shapes.request(case) for case in page])


@georeport("GET")
def request(request: HttpRequest, number: str) -> Answer:
    """Show one request (≤ 6 queries)."""
    found = find_public(asked.ids(number)[:1], items=published_items(), system=_caller(request))
    if not found:
        raise NotFound(_("There is no public request with this number."))
    return Answer("service_requests", [shapes.request(case) for case in found])


@georeport("GET")
def token(request: HttpRequest, token: str) -> Answer:
    """Give the number of a request for what stands for it (≤ 5 queries).

    We answer every report with its number at once, so the number itself is its token; a system
    that lost our answer asks with its key and its own number.
    """
    system = _caller(request)
    number = sent_cases.number_of(token, system=system) if system else None
    if number is None:
        found = find_public(asked.ids(token)[:1], items=published_items(), system=system)
        if not found:
            raise NotFound(_("There is no public request with this number."))
        number = found[0].id
    rows = [{"service_request_id": str(number), "token": token}]
    return Answer("service_requests", rows)


@georeport("GET", "POST")
def updates(request: HttpRequest) -> Answer:
    """List what happened to public requests (≤ 3 queries), or take an update in."""
    if request.method == "POST":
        return _take_update(request)
    given, cases, days = request.GET, None, asked.MOST_DAYS_OF_UPDATES
    usual = 1
    if given.get("service_request_id", "").strip():
        cases = asked.ids(given["service_request_id"])
        days = usual = asked.MOST_DAYS
    since, until = asked.time_asked(given, most_days=days, usual=usual)
    number, size = asked.page(given)
    steps = public_steps(
        since=since,
        until=until,
        items=published_items(),
        cases=cases,
        system=_caller(request),
        page=number,
        size=size,
    )
    return Answer("service_request_updates", [shapes.update(step) for step in steps])


@georeport("GET", "POST")
def nothing(request: HttpRequest, rest: str = "") -> Answer:
    """Refuse an address the protocol does not know, in the protocol's own words."""
    raise NotFound(_("There is nothing at this address."))


def _take_in(request: HttpRequest) -> Answer:
    system = systems.admit(key=_key(request), right=SystemRight.REPORT)
    data = checked(asked.RequestIn(), asked.with_attributes(request.POST.dict()))
    if not data["service_code"]:
        raise Invalid(_("Say which service this is about."), field="service_code")
    items = {pk: item for pk, item in published_items().items() if item.active}
    item = _item(items, data["service_code"])
    located = data["lat"] is not None or data["long"] is not None
    area = _area(data["address_id"])
    if not (located or data["address_string"] or area):
        raise Invalid(_("Say where: lat and long, address_string or address_id."), field="lat")
    sent = Report(
        text=_text(data, item),
        source=Source.SYSTEM,
        latitude=data["lat"],
        longitude=data["long"],
        coordinate_system=data["coordinate_system"],
        address=data["address_string"],
        area=area,
        category=item,
        name=data["last_name"] + data["first_name"],
        phone=data["phone"],
        sender=system.name,
    )
    incident, new = sent_cases.send_report(
        sent=sent,
        system=system,
        external_id=data["external_id"] or request.headers.get("Idempotency-Key", ""),
        for_public=True,
    )
    link = f"{public_address(request)}{reverse('track')}?code={incident.tracking_code}"
    row = {
        "service_request_id": str(incident.pk),
        "service_notice": _("Whoever reported it follows it here: %(link)s") % {"link": link},
        "account_id": None,
    }
    return Answer("service_requests", [row], 201 if new else 200)


def _take_update(request: HttpRequest) -> Answer:
    system = systems.admit(key=_key(request), right=SystemRight.UPDATE)
    data = checked(asked.UpdateIn(), request.POST.dict())
    ids = asked.ids(data["service_request_id"])[:1]
    if not data["service_request_id"]:
        raise Invalid(_("Say which request this is about."), field="service_request_id")
    is_open, closed = asked.states(data["status"])
    try:
        event = sent_cases.add_update(
            incident_id=ids[0] if ids else 0,
            system=system,
            text=data["description"],
            number=data["update_id"],
            says_closed=None if is_open and closed else closed,
        )
    except Incident.DoesNotExist as error:
        raise NotFound(_("There is no request of yours with this number.")) from error
    return Answer("service_request_updates", [{"update_id": str(event.pk)}], 201)


def _text(data: Mapping[str, Any], item: Category) -> str:
    """Return what is reported; a picture is named, and never fetched for anybody."""
    text = data["description"].strip() or item.name
    return f"{text}\n{data['media_url']}" if data["media_url"] else text


def _key(request: HttpRequest) -> str:
    """Return the key of the form, else of the address; forms do not end up in logs."""
    return str(request.POST.get("api_key") or request.GET.get("api_key") or "").strip()


def _caller(request: HttpRequest) -> System | None:
    key = _key(request)
    return systems.system_of(key) if key else None


def _item(items: Mapping[int, Category], code: str) -> Category:
    found = next((item for item in items.values() if item.code == code), None)
    if found is None:
        raise NotFound(_("There is no service with this service_code."))
    return found


def _only(items: Mapping[int, Category], given: Mapping[str, str]) -> Collection[int]:
    codes = asked.words(given.get("service_code", ""))
    return [_item(items, code).pk for code in codes] if codes else list(items)


def _area(code: str) -> Area | None:
    if not code:
        return None
    area = Area.objects.open().filter(code=code).defer(*SHAPES).first()
    if area is None:
        raise Invalid(_("There is no area with this code."), field="address_id")
    return area
