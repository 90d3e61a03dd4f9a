"""From the rows of a file to what would be done with each: the plan people see before it is done.

What lives here: parsing the cells by their columns, and the shape of a planned line. What must
not: what a particular list does with a row (its ``SheetKind``), and storing (services/sheets.py).
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.utils.translation import gettext as _

from core.sheets.columns import Column, Refused, letter
from core.sheets.reading import Fault, RawRow, Table

ADDED, CHANGED, ENDED = "added", "changed", "ended"
UNCHANGED, REFUSED = "unchanged", "refused"
OUTCOMES = (ADDED, CHANGED, ENDED, UNCHANGED, REFUSED)

Progress = Callable[[int], object]


@dataclass
class Row:
    """A row with its values by column key (None where nothing stands) and its faults so far."""

    number: int
    cells: tuple[str, ...]
    values: dict[str, Any]
    faults: list[Fault]
    columns: Sequence[Column]
    letters: dict[str, str]

    def refuse(self, key: str, problem: str, remedy: str) -> None:
        """Put down one more fault, at the column of ``key``."""
        place = next(n for n, column in enumerate(self.columns) if column.key == key)
        self.faults.append(
            Fault(
                row=self.number,
                column=self.letters.get(key) or letter(place),
                heading=str(self.columns[place].heading),
                value=self.cells[place],
                problem=problem,
                remedy=remedy,
            )
        )


@dataclass
class Line:
    """What would be done with one row.

    ``title`` names the row for people; ``changes`` are (what, before, after) in words, personal
    data masked; ``op`` is what the kind's ``apply`` needs, ready for JSON. Two plans agree on a
    row when outcome, changes and op are the same.
    """

    number: int
    outcome: str
    cells: tuple[str, ...]
    title: str = ""
    changes: list[tuple[str, str, str]] = field(default_factory=list)
    op: dict[str, Any] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    def to_json(self) -> str:
        """Return everything but number and outcome."""
        kept = {
            "cells": self.cells,
            "title": self.title,
            "changes": self.changes,
            "op": self.op,
            "faults": [vars(fault) for fault in self.faults],
        }
        return json.dumps(kept, ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_json(cls, number: int, outcome: str, text: str) -> "Line":
        """Undo :meth:`to_json`."""
        kept = json.loads(text)
        return cls(
            number=number,
            outcome=outcome,
            cells=tuple(kept["cells"]),
            title=kept["title"],
            changes=[(what, before, after) for what, before, after in kept["changes"]],
            op=kept["op"],
            faults=[Fault(**fault) for fault in kept["faults"]],
        )

    def agrees_with(self, other: "Line") -> bool:
        """Return whether doing this line is doing ``other``."""
        return (self.outcome, json.dumps(self.op, sort_keys=True)) == (
            other.outcome,
            json.dumps(other.op, sort_keys=True),
        )


@dataclass(frozen=True)
class SheetKind:
    """One list that can be brought in by a sheet. Registered with core.services.sheets.

    ``columns(actor)`` are its columns, with the choices open to that person;
    ``plan(rows, actor=, progress=)`` returns one Line for each row and changes nothing; it may
    lock what it read when ``lock=True``; it is called again when the plan is confirmed;
    ``apply(lines, actor=, source=)`` does what the lines say, inside a transaction, and returns
    {word: number} for the page of results.

    A kind whose columns people match says ``matched``; ``bound(upload)`` then returns the kind for
    what they chose. With ``batch`` so many rows are saved at a time, each batch for good: for lists
    whose rows stand alone and can be told apart, so that doing one twice does it once.
    """

    key: str
    title: Any
    columns: Callable[[Any], Sequence[Column]]
    plan: Callable[..., list[Line]]
    apply: Callable[..., dict[str, int]]
    matched: bool = False
    bound: Callable[[Any], "SheetKind"] | None = None
    batch: int = 0


def parsed(raw: RawRow, columns: Sequence[Column], letters: dict[str, str]) -> Row:
    """Return the row with each cell read by its column's kind; faults are collected, not raised."""
    row = Row(raw.number, raw.cells, {}, list(raw.faults), columns, letters)
    spoilt = {fault.column for fault in raw.faults}
    for column, cell in zip(columns, raw.cells, strict=True):
        row.values[column.key] = None
        if letters.get(column.key) in spoilt and spoilt:
            continue
        if not cell:
            if column.required:
                row.refuse(
                    column.key, _("Nothing stands here."), _("This column must be filled in.")
                )
            continue
        try:
            row.values[column.key] = column.kind.parse(cell)
        except Refused as refusal:
            row.refuse(column.key, str(refusal.problem), str(refusal.remedy))
    return row


def parsed_table(table: Table, columns: Sequence[Column]) -> list[Row]:
    """Return all rows of a table, parsed."""
    return [parsed(raw, columns, table.letters) for raw in table.rows]


def refused(row: Row, title: str = "") -> Line:
    """Return the line of a row that has faults."""
    return Line(row.number, REFUSED, row.cells, title=title, faults=row.faults)


def make_plan(
    kind: SheetKind,
    rows: Sequence[Row],
    *,
    actor: AbstractBaseUser,
    progress: Progress = lambda _done: None,
    lock: bool = False,
) -> list[Line]:
    """Return the kind's lines in the order of the rows."""
    lines = kind.plan(rows, actor=actor, progress=progress, lock=lock)
    return sorted(lines, key=lambda line: line.number)
