"""Writing the audit trail.

What must not live here: reading it (core.queries) and sealing it (core.services.sealing).
"""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from django.db import connection

from core.models import AuditEntry


class Placed(Protocol):
    """Anything that knows where it is: an incident, or a ``grids.queries.Place``."""

    @property
    def town_id(self) -> int | None: ...
    @property
    def village_id(self) -> int | None: ...
    @property
    def grid_id(self) -> int | None: ...


# How to find where a subject is, by its type; for callers of ``record`` who do not say.
_where: dict[str, Callable[[int], Placed | None]] = {}


def placed_by(subject_type: str, where: Callable[[int], Placed | None]) -> None:
    """Say how to find the place of subjects of a type. Called from AppConfig.ready."""
    _where[subject_type] = where


def record(
    *,
    actor: Any,
    action: str,
    subject_type: str,
    subject_id: int | None = None,
    data: Mapping[str, Any] | None = None,
    ip: str | None = None,
    place: Placed | None = None,
) -> AuditEntry:
    """Write one entry in the caller's transaction. ``actor`` is a user, or None for the system.

    ``data`` must be JSON-ready and must not hold personal data in clear. ``place`` is where the
    subject is, by which a town finds the entry; left out, it is looked up for types that
    ``placed_by`` knows (1–2 queries), so say it in loops. Every action needs its words in the
    ``audit_words`` of its app.
    """
    if place is None and subject_id is not None and subject_type in _where:
        place = _where[subject_type](subject_id)
    return AuditEntry.objects.create(
        actor=actor,
        action=action,
        subject_type=subject_type,
        subject_id=subject_id,
        data=dict(data or {}),
        ip=ip or None,
        town_id=place.town_id if place else None,
        village_id=place.village_id if place else None,
        grid_id=place.grid_id if place else None,
    )


# Arrays instead of a parameter a value: a long sheet writes tens of thousands of entries.
_RECORD_MANY = """
    INSERT INTO core_auditentry
           (at, actor_id, action, subject_type, subject_id, data, town_id, village_id, grid_id)
    SELECT now(), %s, row.* FROM unnest(
           %s::text[], %s::text[], %s::bigint[], %s::jsonb[], %s::bigint[], %s::bigint[],
           %s::bigint[]) AS row
"""


def record_many(
    entries: Iterable[tuple[str, str, int, Mapping[str, Any], Placed | None]], *, actor: Any
) -> None:
    """Write entries of (action, subject type, subject id, data, place) in the caller's transaction.

    For acts on thousands of rows at once (1 query); no place is looked up.
    """
    rows = [
        (
            action,
            subject_type,
            subject_id,
            json.dumps(data, ensure_ascii=False),
            place.town_id if place else None,
            place.village_id if place else None,
            place.grid_id if place else None,
        )
        for action, subject_type, subject_id, data, place in entries
    ]
    if rows:
        columns = [list(column) for column in zip(*rows, strict=True)]
        with connection.cursor() as cursor:
            cursor.execute(_RECORD_MANY, [actor.pk if actor else None, *columns])
