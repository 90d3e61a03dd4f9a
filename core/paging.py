"""Keyset pages: every page costs the same however long the list is, and nothing is counted."""

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import attrgetter, or_
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Field, Model, Q, QuerySet
from django.utils.translation import gettext_lazy as _

from core.errors import Invalid
from core.prepared import planned_by_value

FORWARD, BACKWARD = "n", "p"


@dataclass(frozen=True, slots=True)
class Page:
    """One page of rows, with the cursors of its neighbours (None at an end)."""

    items: list[Any]
    next: str | None
    previous: str | None


def keyset_page(
    querysets: QuerySet[Any] | Sequence[QuerySet[Any]],
    *,
    order: Sequence[str],
    cursor: str | None = None,
    size: int = 50,
) -> Page:
    """Return the page of ``size`` rows that ``cursor`` points at, or the first.

    ``order`` names columns of the model itself, never null and unique together, like
    ("-id",) or ("due_at", "id"). Several querysets of one model are branches, each best an
    equality on one index: each is read separately and their rows are merged. Rows may be
    anything with ``pk`` and the columns of ``order``.
    Raises Invalid for a cursor that is not ours.
    """
    branches = [querysets] if isinstance(querysets, QuerySet) else list(querysets)
    if not branches:
        return Page([], None, None)
    keys = [(name.removeprefix("-"), name.startswith("-")) for name in order]
    model = branches[0].model
    direction = _read(cursor, model, keys)[0] if cursor else FORWARD
    if direction == BACKWARD:
        keys = [(name, not descending) for name, descending in keys]
    found: dict[Any, Any] = {}
    with planned_by_value():
        for branch in branches:
            for row in from_cursor(branch, order=order, cursor=cursor)[: size + 1]:
                found.setdefault(row.pk, row)
    items = list(found.values())
    if len(branches) > 1:
        for name, descending in reversed(keys):
            items.sort(key=attrgetter(name), reverse=descending)
    more = len(items) > size
    items = items[:size]
    if direction == BACKWARD:
        items.reverse()
    has_next = more if direction == FORWARD else True
    has_previous = more if direction == BACKWARD else cursor is not None
    return Page(
        items,
        _write(FORWARD, items[-1], model, keys) if items and has_next else None,
        _write(BACKWARD, items[0], model, keys) if items and has_previous else None,
    )


def is_full(page: Page, cursor: str | None) -> bool:
    """Return whether there was at least one row more than ``page`` took, where it was read."""
    if cursor and _parts(cursor)[0] == BACKWARD:
        return page.previous is not None
    return page.next is not None


def from_cursor(
    queryset: QuerySet[Any], *, order: Sequence[str], cursor: str | None
) -> QuerySet[Any]:
    """Return the rows a page at ``cursor`` is cut from, in the order they are read.

    For a page before another one that is backwards. Raises Invalid as :func:`keyset_page` does.
    """
    keys = [(name.removeprefix("-"), name.startswith("-")) for name in order]
    if cursor:
        direction, values = _read(cursor, queryset.model, keys)
        if direction == BACKWARD:
            keys = [(name, not descending) for name, descending in keys]
        queryset = queryset.filter(_behind(keys, values))
    return queryset.order_by(*(f"-{name}" if down else name for name, down in keys))


def _behind(keys: list[tuple[str, bool]], values: list[Any]) -> Q:
    """Return the rows that come after ``values``: a > x, or a = x and b > y, and so on."""
    steps = []
    equal = Q()
    for (name, descending), value in zip(keys, values, strict=True):
        steps.append(equal & Q(**{f"{name}__{'lt' if descending else 'gt'}": value}))
        equal &= Q(**{name: value})
    name, descending = keys[0]
    # Said once more for the planner, which cannot start an index scan from an OR.
    bound = Q(**{f"{name}__{'lte' if descending else 'gte'}": values[0]})
    return bound & reduce(or_, steps)


def _write(direction: str, row: Any, model: type[Model], keys: list[tuple[str, bool]]) -> str:
    values = [_column(model, name).value_to_string(row) for name, _descending in keys]
    raw = json.dumps([direction, *values], ensure_ascii=False, separators=(",", ":"))
    return base64.urlsafe_b64encode(raw.encode()).decode().rstrip("=")


def _read(cursor: str, model: type[Model], keys: list[tuple[str, bool]]) -> tuple[str, list[Any]]:
    try:
        direction, *texts = _parts(cursor)
        if direction not in (FORWARD, BACKWARD) or len(texts) != len(keys):
            raise ValueError("wrong shape")
        if not all(isinstance(text, str) and text and "\x00" not in text for text in texts):
            raise ValueError("wrong values")
        values = [
            _column(model, name).to_python(text)
            for (name, _descending), text in zip(keys, texts, strict=True)
        ]
    except (ValueError, TypeError, binascii.Error, ValidationError, RecursionError) as error:
        raise Invalid(_("This page address is not valid."), field="cursor") from error
    return direction, values


def _parts(cursor: str) -> list[Any]:
    return list(json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))))


def _column(model: type[Model], name: str) -> "Field[Any, Any]":
    column = model._meta.get_field(name)
    if not isinstance(column, Field):
        raise TypeError(f"{name} is not a column of {model.__name__}")
    return column
