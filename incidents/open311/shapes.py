"""The rows of GeoReport, made of our own. What must not live here: reads, and what is public."""

from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.places import SYSTEMS
from incidents.models import ENDED, Category
from incidents.queries.published import PublicCase
from incidents.views.progress import state_words
from incidents.workflow import action_label

REALTIME = "realtime"
_SYSTEM_NAMES = {
    "wgs84": "WGS-84",
    "cgcs2000": "CGCS2000",
    "gcj02": gettext_lazy("GCJ-02 (Amap, Tencent)"),
    "bd09": gettext_lazy("BD-09 (Baidu)"),
}


def service(item: Category) -> dict[str, Any]:
    """Return a published item as a service."""
    return {
        "service_code": item.code,
        "service_name": item.label,
        "description": item.description,
        "metadata": True,
        "type": REALTIME,
        "keywords": ",".join(item.keywords),
        "group": item.major_label,
    }


def definition(item: Category) -> dict[str, Any]:
    """Return what may be said with a report of this item."""
    attributes = [
        {
            "variable": True,
            "code": "coordinate_system",
            "datatype": "singlevaluelist",
            "required": False,
            "datatype_description": _("What lat and long are given in; WGS-84 if nothing is said."),
            "order": 1,
            "description": _("Coordinate system"),
            "values": [{"key": key, "name": str(_SYSTEM_NAMES[key])} for key in SYSTEMS],
        },
        {
            "variable": True,
            "code": "external_id",
            "datatype": "string",
            "required": False,
            "datatype_description": _("Sent again with the same number, it is the same report."),
            "order": 2,
            "description": _("Your own number of this report"),
            "values": [],
        },
    ]
    if item.urgent:
        notice = {
            "variable": False,
            "code": "notice",
            "datatype": "text",
            "required": False,
            "datatype_description": None,
            "order": 3,
            "description": _("If somebody is in danger now, call 110, 119 or 120 first."),
            "values": [],
        }
        attributes.append(notice)
    return {"service_code": item.code, "attributes": attributes}


def request(case: PublicCase) -> dict[str, Any]:
    """Return a case as a service request; dates there are none of are left out."""
    item = case.category
    row: dict[str, Any] = {
        "service_request_id": str(case.id),
        "status": status(case.state),
        "status_notes": state_words(case.state, owner=case.owner, until=case.suspended_until),
        "service_name": item.label if item else None,
        "service_code": item.code if item else "",
        "description": case.words or None,
        "agency_responsible": case.owner or None,
        "service_notice": None,
        "requested_datetime": w3c(case.reported_at),
        "updated_datetime": w3c(case.updated_at),
    }
    if case.expected_at is not None:
        row["expected_datetime"] = w3c(case.expected_at)
    return row | {
        "address": ", ".join(case.place),
        "address_id": case.area_code,
        "zipcode": None,
        "lat": case.lat,
        "long": case.lon,
        "media_url": None,
    }


def update(step: dict[str, Any]) -> dict[str, Any]:
    """Return a public step of a case as a request update."""
    return {
        "update_id": str(step["id"]),
        "service_request_id": str(step["incident_id"]),
        "status": status(step["to_state"]),
        "updated_datetime": w3c(step["at"]),
        "description": str(action_label(step["action"])),
        "media_url": None,
    }


def status(state: str) -> str:
    """Return open or closed."""
    return "closed" if state in ENDED else "open"


def w3c(moment: datetime) -> str:
    """Return a time in W3C form with its zone, to the second."""
    return timezone.localtime(moment).isoformat(timespec="seconds")
