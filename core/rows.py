"""Rows of hand-written SELECTs as model instances.

What lives here: the columns of a model in such a statement, and reading it. What must not: any
table, and anything that is not asked with nearly every request: building the same wide join with
the ORM costs several times what running it does, everywhere else a queryset is clearer.
"""

from collections.abc import Collection, Sequence
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connection
from django.db.models import Model

from core import prepared


class Table:
    """The columns of ``model`` as they stand in a SELECT under ``alias``, and rows made of them.

    The fields named in ``without`` are left out, and read later if somebody asks for them.
    """

    def __init__(self, model: type[Model], alias: str, *, without: Collection[str] = ()) -> None:
        self.model = model
        fields = [field for field in model._meta.concrete_fields if field.name not in without]
        self.names = [field.attname for field in fields]
        self.key = fields.index(model._meta.pk)
        self.columns = ", ".join(f'{alias}."{field.column}"' for field in fields)
        # What is not in the database what it is in Python: JSON, encrypted text. (Places become
        # objects by themselves when somebody looks at them.)
        self.converters = [
            (place, field.from_db_value)
            for place, field in enumerate(fields)
            if hasattr(field, "from_db_value")
        ]

    def row(self, values: Sequence[Any]) -> Any:
        """Return the instance, or None where an outer join found nothing."""
        if values[self.key] is None:
            return None
        if self.converters:
            values = list(values)
            for place, convert in self.converters:
                values[place] = convert(values[place], None, connection)
        return self.model.from_db(DEFAULT_DB_ALIAS, self.names, values)


def read(statement: str, params: Sequence[Any], *tables: Table) -> list[tuple[Any, ...]]:
    """Return for each row found one instance of each table, or None (1 query).

    ``statement`` must select the columns of the tables in this order; what it selects after them
    comes as it is. What is joined to several rows is one instance for all of them.
    """
    with prepared.cursor() as asked:
        asked.execute(statement, params)
        found = asked.fetchall()
    parts: list[tuple[Table, int, int, dict[Any, Any]]] = []
    end = 0
    for table in tables:
        parts.append((table, end, end := end + len(table.names), {}))
    rows = []
    for values in found:
        row = []
        for table, start, stop, known in parts:
            key = values[start + table.key]
            if key not in known:
                known[key] = table.row(values[start:stop])
            row.append(known[key])
        rows.append((*row, *values[end:]))
    return rows
