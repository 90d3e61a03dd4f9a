"""The bytes of an audit entry, and how digests follow each other.

Anybody can count them again: a link's digest is SHA-256 over the 32 bytes of the digest before it
(zeros for the first) and the UTF-8 text of the entry, a JSON array as PostgreSQL writes it. What
must not live here: rows (core.services.sealing).
"""

from hashlib import sha256

BEGINNING = bytes(32)

# The text of entry ``e``: id, moment in UTC, actor, action, subject, data, address, place.
ENTRY = """jsonb_build_array(e.id, to_char(e.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'),
    e.actor_id, e.action, e.subject_type, e.subject_id, e.data, host(e.ip),
    e.town_id, e.village_id, e.grid_id)::text"""


def link(before: bytes, entry: str) -> bytes:
    """Return the digest of a link; ``entry`` is what ``ENTRY`` selects."""
    return sha256(before + entry.encode()).digest()
