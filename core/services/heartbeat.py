"""Recording that a background process is alive."""

from datetime import datetime, timedelta

from django.db import connection


def beat(*, name: str, at: datetime, every: timedelta = timedelta(0)) -> None:
    """Record that ``name`` was alive at ``at``; never backwards, and not more often than ``every``.

    One statement, which writes nothing while the last sign of life is fresh.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO core_heartbeat AS h (name, at) VALUES (%s, %s) "
            "ON CONFLICT (name) DO UPDATE SET at = EXCLUDED.at WHERE h.at < %s",
            [name, at, at - every],
        )
