"""Statements sent with every request, planned by PostgreSQL once for each connection.

What lives here: the cursor. What must not: any table. Planning costs more than running where a
statement finds its rows by key, and a plan made without looking at the values is as good there;
a list whose best plan depends on what is asked for must go through a queryset instead.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection
from django.db.backends.postgresql.base import ServerBindingCursor
from django.db.backends.utils import CursorWrapper
from psycopg.types.numeric import Int8Dumper


@contextmanager
def cursor() -> Iterator[CursorWrapper]:
    """Yield a cursor of Django's connection whose parameters stay apart from the statement.

    psycopg prepares a statement it has seen ``prepare_threshold`` times (settings). Values are
    not merged into the text, so a parameter whose type does not follow needs a cast.
    """
    connection.ensure_connection()
    with ServerBindingCursor(connection.connection) as raw:
        # By themselves numbers are sent in as few bytes as they need, each size with its own plan.
        raw.adapters.register_dumper(int, Int8Dumper)
        logged = connection.queries_logged
        yield connection.make_debug_cursor(raw) if logged else connection.make_cursor(raw)
