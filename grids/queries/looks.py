"""Reads of the audit trail by those who may: who looked at whom, and what was done.

What must not live here: the words of actions (core.audit_words).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from django.db import connection
from django.db.models import QuerySet
from django.utils import timezone

from core.models import REVEAL, AuditEntry, AuditSeal
from grids.models import Level, Role, User
from grids.queries.scope import Scope

ORDER = ("-id",)
# Who leads people at a place, and the column that says what is there.
_LINE = frozenset({Role.GRID_CHIEF, Role.GRID_GUIDE, Role.VILLAGE_OFFICE, Role.TOWN_ADMIN})
_COLUMN: dict[str, str] = {
    Level.GRID: "grid_id",
    Level.VILLAGE: "village_id",
    Level.TOWN: "town_id",
}
LINE_ROLES = _LINE | {Role.COMMAND}
# Entries are numbered nearly in the order of their moments; a transaction may take this long.
_SLACK = timedelta(hours=1)


@dataclass(frozen=True)
class AuditFilter:
    """What the trail is narrowed to; "" and None for everything. Days are of the county."""

    actor_id: int | None = None
    action: str = ""
    subject_type: str = ""
    subject_id: int | None = None
    town_id: int | None = None
    since: date | None = None
    until: date | None = None


def looks(scope: Scope) -> list[QuerySet[AuditEntry]]:
    """Return the branches of looks this person may know of, for :func:`keyset_page`.

    The auditor and the command centre know of all; a chief, a guide, an office and a town of
    those at people, households and cases of their place.
    """
    entries = AuditEntry.objects.filter(action__startswith=REVEAL).select_related("actor")
    if scope.has(Role.AUDIT_ADMIN, Role.COMMAND):
        return [entries]
    places = {
        (_COLUMN[posting.area.level], posting.area_id)
        for posting in scope.postings
        if posting.role in _LINE and posting.area and posting.area.level in _COLUMN
    }
    return [entries.filter(**{column: pk}) for column, pk in sorted(places)]


def looks_at(user: User) -> QuerySet[AuditEntry]:
    """Return who looked at this person's own data."""
    entries = AuditEntry.objects.filter(subject_type="user", subject_id=user.pk)
    return entries.filter(action__startswith=REVEAL).select_related("actor")


def trail(wanted: AuditFilter) -> QuerySet[AuditEntry]:
    """Return the entries that fit, each filter an equality on an index (≤ 2 queries more).

    Days become bounds of ids, found by halving, so that no page walks over the years between.
    """
    found = AuditEntry.objects.select_related("actor")
    for name in ("actor_id", "action", "subject_type", "subject_id", "town_id"):
        value = getattr(wanted, name)
        if value not in (None, ""):
            found = found.filter(**{name: value})
    return between(found, wanted)


def between(found: QuerySet[AuditEntry], wanted: AuditFilter) -> QuerySet[AuditEntry]:
    """Return the entries of the days of the filter (≤ 2 queries more)."""
    if wanted.since:
        start = _midnight(wanted.since)
        found = found.filter(at__gte=start, id__gte=first_id(start - _SLACK))
    if wanted.until:
        end = _midnight(wanted.until + timedelta(days=1))
        found = found.filter(at__lt=end, id__lt=first_id(end + _SLACK))
    return found


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))


_FIRST_ID = """
    WITH RECURSIVE halves (low, high) AS (
        SELECT coalesce(min(id), 0), coalesce(max(id), 0) + 1 FROM core_auditentry
        UNION ALL
        SELECT CASE WHEN early THEN middle + 1 ELSE low END,
               CASE WHEN early THEN high ELSE middle END
          FROM (SELECT low, high, (low + high) / 2 AS middle FROM halves WHERE low < high) AS half,
               LATERAL (SELECT coalesce((SELECT at < %s FROM core_auditentry
                                          WHERE id >= half.middle ORDER BY id LIMIT 1), false)
                               AS early) AS looked
    ) SELECT min(high) FROM halves
"""


def first_id(moment: datetime) -> int:
    """Return an id below which all entries are older than ``moment`` (1 query, 30 look-ups)."""
    with connection.cursor() as cursor:
        cursor.execute(_FIRST_ID, [moment])
        return cursor.fetchone()[0]


def sealed(entry_ids: Iterable[int]) -> set[int]:
    """Return which of these entries are in the chain (1 query)."""
    return set(
        AuditSeal.objects.filter(entry_id__in=list(entry_ids)).values_list("entry_id", flat=True)
    )
