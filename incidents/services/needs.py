"""A need found at a visit, taken in like any report of the worker's.

What must not live here: visits and households; grids.needs calls this.
"""

import uuid

from grids.models import Area, User
from incidents.models import Source
from incidents.services.intake import Report, report
from incidents.workflow import Actor


def open_case(
    *, key: uuid.UUID, area: Area, address: str, text: str, actor: User, ip: str | None = None
) -> str:
    """Take the need in at the household's own place and return the case's tracking code."""
    sent = Report(text=text, source=Source.WORKER, key=key, area=area, address=address)
    incident, _new = report(sent, actor=Actor.for_user(actor, ip=ip))
    return incident.tracking_code
