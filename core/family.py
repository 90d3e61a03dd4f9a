"""A row and the new rows that hang on it, or many rows of one table, by a single statement.

What lives here: the statements. What must not: knowledge of any table; use it only where one way
to the database and back counts, and plain ``create`` and ``save`` everywhere else.
"""

import json
from collections.abc import Sequence
from datetime import date, time
from functools import lru_cache
from typing import Any

from django.contrib.gis.db.models.fields import BaseSpatialField
from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Field, Model

from core import prepared

Fields = tuple["Field[Any, Any]", ...]
Shape = tuple[type[Model], Fields]


def insert_family(
    parent_row: Model, children: Sequence[Model], *, parent: str, once: str
) -> Any | None:
    """Insert ``parent_row`` and ``children``, all or nothing; return the new primary key.

    ``parent`` names the children's attribute that takes the new key; children without it are
    written beside. ``once`` names the parent's unique column: if a row has that value already,
    nothing is written and the answer is None. Needs no transaction around it.
    """
    fields, values = _filled(parent_row)
    shapes, more = _all_filled(children, parent)
    model = type(parent_row)
    return _run(_insert(model, fields, once) + _beside(shapes, parent), values + more)


def update_family(
    parent_row: Model, fields: Fields, children: Sequence[Model], *, parent: str
) -> None:
    """Write ``fields`` (at least one) of ``parent_row`` and insert ``children``.

    The caller holds the row's lock. ``parent`` is as in :func:`insert_family`.
    """
    wrapper = connections[DEFAULT_DB_ALIAS]
    values = [_prepared(field, field.pre_save(parent_row, add=False), wrapper) for field in fields]
    shapes, more = _all_filled(children, parent)
    statement = _update(type(parent_row), fields) + _beside(shapes, parent)
    _run(statement, [*values, parent_row.pk, *more])


def update_rows(rows: Sequence[Model], fields: Fields) -> None:
    """Write ``fields`` (at least one) of ``rows`` (at least one, all of one model).

    The caller holds their locks.
    """
    wrapper = connections[DEFAULT_DB_ALIAS]
    columns = [
        [_prepared(field, field.pre_save(row, add=False), wrapper) for row in rows]
        for field in fields
    ]
    with prepared.cursor() as cursor:
        cursor.execute(_update_many(type(rows[0]), fields), [[row.pk for row in rows], *columns])


def insert_rows(rows: Sequence[Model]) -> None:
    """Insert ``rows``, all of one model, without reading back the keys the database gives them.

    They are sent as one document: in arrays every quote of their JSON would be escaped, one by
    one. Not for places and encrypted columns.
    """
    if not rows:
        return
    model = type(rows[0])
    fields = [(field.column, field) for field in _fields(model)]
    document = [
        {name: field.get_prep_value(field.pre_save(row, add=True)) for name, field in fields}
        for row in rows
    ]
    with prepared.cursor() as cursor:
        cursor.execute(_insert_many(model), [json.dumps(document, default=_as_text)])


def _as_text(value: Any) -> str:
    return value.isoformat() if isinstance(value, date | time) else str(value)


def _run(statement: str, values: list[Any]) -> Any | None:
    with prepared.cursor() as cursor:
        cursor.execute(statement, values)
        row = cursor.fetchone()
    return row[0] if row else None


# The texts: names of tables, columns and types; every value is a parameter.


@lru_cache(maxsize=32)
def _insert(model: type[Model], fields: Fields, once: str) -> str:
    slots = ", ".join(["%s"] * len(fields))
    return (
        f"WITH new AS (INSERT INTO {_table(model)} ({_columns(fields)}) VALUES ({slots})"  # noqa: S608
        f" ON CONFLICT ({once}) DO NOTHING RETURNING {_column(model._meta.pk)} AS id)"
    )


@lru_cache(maxsize=256)
def _update(model: type[Model], fields: Fields) -> str:
    slots = ", ".join(f"{_column(field)} = %s" for field in fields)
    key = _column(model._meta.pk)
    return (
        f"WITH new AS (UPDATE {_table(model)} SET {slots}"  # noqa: S608
        f" WHERE {key} = %s RETURNING {key} AS id)"
    )


@lru_cache(maxsize=32)
def _update_many(model: type[Model], fields: Fields) -> str:
    columns = [_column(field) for field in fields]
    slots = "".join(f", %s::{_type(field)}[]" for field in fields)
    key = model._meta.pk
    return (
        f"UPDATE {_table(model)} old SET {', '.join(f'{c} = new.{c}' for c in columns)}"  # noqa: S608
        f" FROM unnest(%s::{_type(key)}[]{slots}) AS new ({', '.join([_column(key), *columns])})"
        f" WHERE old.{_column(key)} = new.{_column(key)}"
    )


@lru_cache(maxsize=32)
def _insert_many(model: type[Model]) -> str:
    fields = _fields(model)
    columns = _columns(fields)
    slots = ", ".join(f"{_column(field)} {_type(field)}" for field in fields)
    return (
        f"INSERT INTO {_table(model)} ({columns})"  # noqa: S608
        f" SELECT {columns} FROM jsonb_to_recordset(%s::jsonb) AS new ({slots})"
    )


@lru_cache(maxsize=256)
def _beside(children: tuple[Shape, ...], parent: str) -> str:
    parts = [""]
    for number, (child, columns) in enumerate(children):
        # A value in a SELECT needs its column's type said.
        slots = ", ".join(
            "new.id" if field.attname == parent else f"%s::{_type(field)}" for field in columns
        )
        parts.append(
            f"child{number} AS (INSERT INTO {_table(child)} ({_columns(columns)})"  # noqa: S608
            f" SELECT {slots} FROM new)"
        )
    return ", ".join(parts) + " SELECT id FROM new"  # noqa: S608


def _quote(name: str) -> str:
    return connection.ops.quote_name(name)


def _table(model: type[Model]) -> str:
    return _quote(model._meta.db_table)


def _columns(fields: Fields) -> str:
    return ", ".join(_column(field) for field in fields)


def _column(field: "Field[Any, Any]") -> str:
    assert field.column is not None  # only concrete fields come here
    return _quote(field.column)


def _type(field: "Field[Any, Any]") -> str:
    """Return the column's type without its length: a cast to that would cut what is too long."""
    return (field.db_type(connection) or "").split("(")[0]


def _all_filled(rows: Sequence[Model], parent: str) -> tuple[tuple[Shape, ...], list[Any]]:
    shapes, values = [], []
    for row in rows:
        fields, more = _filled(row, parent)
        shapes.append((type(row), fields))
        values += more
    return tuple(shapes), values


@lru_cache(maxsize=32)
def _fields(model: type[Model], parent: str = "") -> Fields:
    """Return the columns to write; a key the database numbers itself is not among them."""
    return tuple(
        field
        for field in model._meta.concrete_fields
        if field.attname == parent or not field.db_returning
    )


def _filled(row: Model, parent: str = "") -> tuple[Fields, list[Any]]:
    """Return the columns with something in them, and the values; nothing is what NULL is."""
    fields, values = [], []
    # Asked of the proxy, every field would look the thread's connection up again.
    wrapper = connections[DEFAULT_DB_ALIAS]
    for field in _fields(type(row), parent):
        if field.attname == parent:
            fields.append(field)
        elif (value := field.pre_save(row, add=True)) is not None:
            fields.append(field)
            values.append(_prepared(field, value, wrapper))
    return tuple(fields), values


def _prepared(field: "Field[Any, Any]", value: Any, wrapper: BaseDatabaseWrapper) -> Any:
    if isinstance(field, BaseSpatialField):
        return value.ewkt if value is not None else None
    return field.get_db_prep_save(value, wrapper)
