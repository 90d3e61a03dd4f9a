"""Sealing audit entries into a chain, and going over the chain again.

Whoever writes an entry waits for nobody: the chain is made behind them, by one process at a time.
Ids are given out before transactions end, so an entry may appear below others that are sealed
already; it is sealed when it is there. ``AuditChain.settled_id`` says below which id none can
appear any more, so that each run looks at the newest entries only. What must not live here: what
the bytes are (core.chain).
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from logging import getLogger
from pathlib import Path
from time import monotonic, sleep

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from core.chain import BEGINNING, ENTRY, link
from core.errors import Invalid
from core.models import AuditChain, AuditSeal, AuditVerification

logger = getLogger(__name__)

BATCH = 5000
# The head of the chain is told outside the database at most this often.
ANCHOR_EVERY = timedelta(minutes=1)
ALTERED, DELETED, INSERTED = "altered", "deleted", "inserted"
GAP, TRUNCATED, REWRITTEN = "gap", "truncated", "rewritten"
# What each means, with ``entry`` and ``position`` filled in.
FAULTS = {
    ALTERED: _("entry %(entry)s was altered or moved (position %(position)s)"),
    DELETED: _("entry %(entry)s was deleted (position %(position)s)"),
    INSERTED: _("entry %(entry)s was inserted afterwards and has no seal"),
    GAP: _("the seal at position %(position)s is missing"),
    TRUNCATED: _("the end is missing, from position %(position)s on"),
    REWRITTEN: _("the chain was counted anew, at the latest at position %(position)s"),
}

_EDGE = (
    "SELECT coalesce(pg_sequence_last_value(pg_get_serial_sequence('core_auditentry', 'id')), 0)"
)
# Every transaction that was ever given an id of the table holds this lock until it ends.
_WRITERS = """
    SELECT virtualtransaction FROM pg_locks
     WHERE relation = 'core_auditentry'::regclass AND granted AND pid <> pg_backend_pid()
       AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
       AND mode IN ('RowExclusiveLock', 'ShareRowExclusiveLock', 'ExclusiveLock',
                    'AccessExclusiveLock')
"""
_UNSEALED = f"""
    SELECT e.id, {ENTRY} FROM core_auditentry e
     WHERE e.id > %s AND NOT EXISTS (SELECT FROM core_auditseal s WHERE s.entry_id = e.id)
     ORDER BY e.id LIMIT %s
"""  # noqa: S608  a constant
_SEAL = """
    INSERT INTO core_auditseal (position, entry_id, digest)
    SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::bytea[])
"""
_LINKS = f"""
    SELECT s.position, s.entry_id, s.digest, CASE WHEN e.id IS NOT NULL THEN {ENTRY} END
      FROM core_auditseal s LEFT JOIN core_auditentry e ON e.id = s.entry_id
     WHERE s.position BETWEEN %s AND %s ORDER BY s.position LIMIT %s
"""  # noqa: S608  a constant
_EXTRA = """
    SELECT min(e.id) FROM core_auditentry e
     WHERE e.id <= %s AND NOT EXISTS (SELECT FROM core_auditseal s WHERE s.entry_id = e.id)
"""


def seal(*, at_most: int = 50_000, patience: float = 1.0) -> int:
    """Seal what is not sealed yet; return how many entries.

    Any number may run at once: one seals, the others find nothing to do. ``patience`` is how many
    seconds to wait for transactions that may still bring an older entry; with one that takes
    longer the run seals what it sees and leaves the rest to the next.
    """
    edge, settled = _settled_edge(patience)
    AuditChain.objects.bulk_create([AuditChain()], ignore_conflicts=True)
    sealed = 0
    while sealed < at_most:
        done, more = _seal_batch(edge if settled else 0)
        sealed += done
        if not more:
            break
    return sealed


def _settled_edge(patience: float) -> tuple[int, bool]:
    """Return the highest id given out, and whether all up to it are there or never will be."""
    with connection.cursor() as cursor:
        cursor.execute(_EDGE)
        (edge,) = cursor.fetchone()
        cursor.execute(_WRITERS)
        waited_for = {row[0] for row in cursor.fetchall()}
        until = monotonic() + patience
        while waited_for and monotonic() < until:
            sleep(0.02)
            cursor.execute(_WRITERS)
            waited_for &= {row[0] for row in cursor.fetchall()}
    return edge, not waited_for


def _seal_batch(edge: int) -> tuple[int, bool]:
    """Seal one batch; return how many, and whether there may be more."""
    with transaction.atomic():
        chain = AuditChain.objects.select_for_update(skip_locked=True).filter(pk=1).first()
        if chain is None:
            return 0, False
        with connection.cursor() as cursor:
            cursor.execute(_UNSEALED, [chain.settled_id, BATCH])
            rows = cursor.fetchall()
            digest, digests = bytes(chain.digest), []
            for _pk, text in rows:
                digest = link(digest, text)
                digests.append(digest)
            if rows:
                ids = [pk for pk, _text in rows]
                positions = list(range(chain.position + 1, chain.position + 1 + len(rows)))
                cursor.execute(_SEAL, [positions, ids, digests])
        more = len(rows) == BATCH
        reached = min(edge, rows[-1][0]) if more else edge
        told = _due_anchor(chain, bool(rows))
        if not rows and reached <= chain.settled_id and told is None:
            return 0, False
        chain.settled_id = max(chain.settled_id, reached)
        chain.position += len(rows)
        chain.digest = digest
        if told is not None:
            chain.anchored_at = told
        chain.save()
        if told is not None:
            head = f"{chain.position} {digest.hex()}"
            transaction.on_commit(lambda: _anchor(head, told))
    return len(rows), more


def _due_anchor(chain: AuditChain, grew: bool) -> datetime | None:
    now = timezone.now()
    old = chain.anchored_at is None or chain.anchored_at <= now - ANCHOR_EVERY
    return now if grew and old else None


def _anchor(head: str, at: datetime) -> None:
    """Tell the head of the chain where nobody with the database alone can change it."""
    logger.info("audit chain %s", head)
    if settings.AUDIT_ANCHOR:
        try:
            with Path(settings.AUDIT_ANCHOR).open("a", encoding="ascii") as file:
                file.write(f"{head} {at.isoformat(timespec='seconds')}\n")
        except OSError as error:
            logger.error("the audit anchor was not written: %s", error)


@dataclass(frozen=True)
class Finding:
    """What a run over the chain found. ``fault`` "" is none; else ``position`` and ``entry_id``
    name the first place where it shows, where there is one.
    """

    from_position: int
    to_position: int
    digest: bytes
    fault: str = ""
    position: int | None = None
    entry_id: int | None = None

    @property
    def words(self) -> str:
        """What is wrong, in a sentence; "" when nothing is."""
        if not self.fault:
            return ""
        return FAULTS[self.fault] % {"entry": self.entry_id, "position": self.position}


def read_anchors(text: str) -> dict[int, bytes]:
    """Return {position: digest} of the lines of an anchor file. Raises Invalid for other text."""
    try:
        pairs = [line.split()[:2] for line in text.splitlines() if line.strip()]
        return {int(position): bytes.fromhex(digest) for position, digest in pairs}
    except ValueError as error:
        raise Invalid(_("This is not a file of audit anchors.")) from error


def verify(
    *,
    from_position: int = 1,
    anchors: Mapping[int, bytes] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Finding:
    """Count the chain again from ``from_position`` and record the result.

    Finds entries altered, deleted, inserted or put in another order since they were sealed, and
    a tail that was cut off. Whoever counted a whole new chain is found by ``anchors``, digests
    that were told outside (position: digest). ``progress`` is called with position and last.
    Raises Invalid for a position behind the end.
    """
    finding = _verify(max(from_position, 1), anchors or {}, progress)
    AuditVerification.objects.create(
        from_position=finding.from_position,
        to_position=finding.position or finding.to_position,
        fault=finding.fault,
        entry_id=finding.entry_id,
    )
    if finding.fault:
        logger.error(
            "audit chain %s: position %s, entry %s",
            finding.fault,
            finding.position,
            finding.entry_id,
        )
    return finding


def _verify(
    start: int,
    anchors: Mapping[int, bytes],
    progress: Callable[[int, int], None] | None,
) -> Finding:
    chain = AuditChain.objects.filter(pk=1).first() or AuditChain()
    last = AuditSeal.objects.order_by("-position").values_list("position", flat=True).first() or 0
    end = max(last, chain.position)
    if start > end + 1:
        raise Invalid(_("The chain ends at position %(end)s."), end=end)
    digest = BEGINNING
    if start > 1:
        before = AuditSeal.objects.filter(position=start - 1).values_list("digest", flat=True)
        if not before:
            return Finding(start, end, digest, GAP, position=start - 1)
        digest = bytes(before[0])
    known = {**anchors, chain.position: bytes(chain.digest)}
    expected = start
    for position, entry_id, sealed, text in _links(start, end):
        if position != expected:
            return Finding(start, end, digest, GAP, position=expected)
        if text is None:
            return Finding(start, end, digest, DELETED, position, entry_id)
        digest = link(digest, text)
        if digest != bytes(sealed):
            return Finding(start, end, digest, ALTERED, position, entry_id)
        if known.get(position, digest) != digest:
            return Finding(start, end, digest, REWRITTEN, position, entry_id)
        expected += 1
        if progress and position % BATCH == 0:
            progress(position, end)
    if expected <= max(known):
        return Finding(start, expected - 1, digest, TRUNCATED, position=expected)
    with connection.cursor() as cursor:
        cursor.execute(_EXTRA, [chain.settled_id])
        (extra,) = cursor.fetchone()
    if extra is not None:
        return Finding(start, end, digest, INSERTED, entry_id=extra)
    return Finding(start, end, digest)


def _links(start: int, end: int) -> Iterator[tuple[int, int, bytes, str | None]]:
    while start <= end:
        with connection.cursor() as cursor:
            cursor.execute(_LINKS, [start, end, BATCH])
            rows = cursor.fetchall()
        yield from rows
        if len(rows) < BATCH:
            return
        start = rows[-1][0] + 1
