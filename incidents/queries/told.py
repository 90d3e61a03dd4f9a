"""A case as connected systems see it, by webhook and by the API.

What must not live here: who may see it. No person and no tracking code is in it.
"""

from datetime import datetime
from typing import Any

from django.utils import timezone

from incidents.models import ENDED
from incidents.queries.published import PublicCase


def case_as_told(case: PublicCase, *, own: bool, external_id: str = "") -> dict[str, Any]:
    """Return the case; ``words`` and its number over there only for whoever sent it."""
    return {
        "number": str(case.id),
        "external_id": external_id or None,
        "state": case.state,
        "open": case.state not in ENDED,
        "item": case.category.code if case.category else None,
        "item_name": case.category.label if case.category else None,
        "area_code": case.area_code,
        "place": list(case.place),
        "office": case.owner or None,
        "reported_at": w3c(case.reported_at),
        "updated_at": w3c(case.updated_at),
        "expected_at": w3c(case.expected_at),
        "ended_at": w3c(case.ended_at),
        "words": case.words if own else None,
    }


def w3c(at: datetime | None) -> str | None:
    """Return a time with its zone, to the second."""
    return timezone.localtime(at).isoformat(timespec="seconds") if at else None
