"""How long PostgreSQL keeps the plan of a statement.

psycopg prepares a statement that a connection has sent ``prepare_threshold`` times (settings).
Planning costs more than running where a statement finds its rows by key, and a plan made without
looking at the values is as good there. What lives here: a cursor for such statements, and the
way out for lists whose best plan depends on what is asked for. What must not: any table.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection
from django.db.backends.utils import CursorWrapper
from psycopg.types.numeric import Int8Dumper


@contextmanager
def cursor() -> Iterator[CursorWrapper]:
    """Yield a cursor whose whole numbers share one plan, whatever their size.

    A parameter whose type does not follow from the statement needs a cast.
    """
    with connection.cursor() as wrapped:
        # By themselves numbers are sent in as few bytes as they need, each size with its own plan.
        wrapped.cursor.adapters.register_dumper(int, Int8Dumper)
        yield wrapped


@contextmanager
def planned_by_value() -> Iterator[None]:
    """Have the statements of this block planned anew each time, for the values they are sent.

    One plan for a busy town and a quiet one, for a common word and a rare one, walks the whole
    history for one of the two.
    """
    connection.ensure_connection()
    raw = connection.connection
    threshold, raw.prepare_threshold = raw.prepare_threshold, None
    try:
        yield
    finally:
        raw.prepare_threshold = threshold
