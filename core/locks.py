"""Locks by name, kept by the database until the end of the transaction that took them.

What lives here: taking one. What must not: locks on rows, which belong to their queries.
"""

from hashlib import blake2b

from django.db import connection


class Lock:
    """One lock of the whole deployment; two of different names never stand for each other."""

    def __init__(self, name: str) -> None:
        digest = blake2b(name.encode(errors="replace"), digest_size=7).digest()
        # What the database knows it by: 56 bits, so that it is positive.
        self.number = int.from_bytes(digest, "big")

    def hold(self) -> None:
        """Wait until nobody else holds or shares it, and hold it."""
        self._take("pg_advisory_xact_lock")

    def share(self) -> None:
        """Wait until nobody holds it, and keep it from being held; many may at once."""
        self._take("pg_advisory_xact_lock_shared")

    def try_hold(self) -> bool:
        """Hold it if it is free; return whether it was."""
        return bool(self._take("pg_try_advisory_xact_lock"))

    def _take(self, function: str) -> object:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {function}(%s)", [self.number])
            return cursor.fetchone()[0]
