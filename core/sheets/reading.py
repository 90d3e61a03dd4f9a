"""Reading a spreadsheet or CSV file that people made, however they made it.

What lives here: what is refused before it is opened, finding the headings, and every cell of the
declared columns as text, with what was wrong or was put right. What must not: what the rows mean
(plan.py), and decoding workbooks, which a child process does under a memory limit.
"""

import csv
import io
import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import BoundedSemaphore
from typing import Any

from django.utils.translation import gettext as _

from core.archives import MEGABYTE, is_bomb
from core.errors import BadUpload
from core.reading import decode
from core.sheets.columns import Column, letter, plainly, squeezed
from core.sheets.defusing import undefused

MAX_BYTES = 10 * MEGABYTE
MAX_ROWS = 20_000
MAX_COLUMNS = 100
# People put a title or two above the headings.
HEADING_ROWS = 6

_CHILD = Path(__file__).with_name("xlsx_child.py")
_TIMEOUT_SECONDS = 90
_TWO_AT_ONCE = BoundedSemaphore(2)
_SPREADSHEET_ERRORS = frozenset(
    {"#DIV/0!", "#N/A", "#NAME?", "#NULL!", "#NUM!", "#REF!", "#VALUE!", "#GETTING_DATA", "#SPILL!"}
)
_SHORTENED = re.compile(r"\d(?:\.\d+)?E\+?\d{2,}", re.IGNORECASE)


@dataclass(frozen=True)
class Fault:
    """What is wrong with one cell, and what to do about it. ``column`` is its letter.

    ``of_file`` says that the file itself is at fault, which the text of the cell does not show.
    """

    row: int
    column: str
    heading: str
    value: str
    problem: str
    remedy: str
    of_file: bool = False


@dataclass(frozen=True)
class RawRow:
    """One row of the file as text, in the order of the declared columns; rows count from 1."""

    number: int
    cells: tuple[str, ...]
    faults: tuple[Fault, ...] = ()


@dataclass(frozen=True)
class Table:
    """The rows of a file. ``letters`` says for each key where its column stands ("" nowhere).

    ``notices`` are what was put right or left out, one sentence each.
    """

    rows: list[RawRow]
    letters: dict[str, str]
    notices: list[str] = field(default_factory=list)


def check_file(data: bytes) -> None:
    """Refuse what need not be opened to be refused (no decoding); raises BadUpload."""
    if len(data) > MAX_BYTES:
        raise BadUpload(
            _("The file is larger than %(megabytes)s MB."), megabytes=MAX_BYTES // MEGABYTE
        )
    if not data.strip():
        raise BadUpload(_("The file is empty."))
    if data.startswith(b"\xd0\xcf\x11\xe0"):
        raise BadUpload(
            _("This is an old .xls file, or one with a password. Save it as .xlsx without one.")
        )
    if not data.startswith(b"PK"):
        return
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, ValueError, OSError) as error:
        raise _broken() from error
    if is_bomb(entries):
        raise BadUpload(
            _("The file unpacks to far more than a list needs and was not opened. %(remedy)s"),
            remedy=_("Copy the rows into a fresh template."),
        )
    if not any(entry.filename == "xl/workbook.xml" for entry in entries):
        raise BadUpload(_("This is not a spreadsheet. Save it as .xlsx or .csv."))


def read_table(data: bytes, columns: Sequence[Column]) -> Table:
    """Return the rows of an .xlsx or .csv file that have anything in them.

    The first visible sheet is read; its headings are looked for in the first rows, in any order
    and in every language of the house. Raises Invalid if the file cannot be read as a whole:
    too large, damaged, a needed column missing, more than 20,000 rows.
    """
    check_file(data)
    book = _workbook(data) if data.startswith(b"PK") else {"rows": _csv_rows(data)}
    rows: list[list[str]] = book["rows"]
    heading, places = _find_headings(rows, columns)
    notices = [*_sheet_notices(book), *_column_notices(rows[heading], places)]
    marks = _marks(book, heading)
    taken: list[RawRow] = []
    widened: list[str] = []
    for index in range(heading + 1, len(rows)):
        if any(cell.strip() for cell in rows[index]):
            taken.append(_row(index, rows[index], columns, places, marks, widened))
    if not taken:
        raise BadUpload(_("The file has headings but no rows below them."))
    if len(taken) > MAX_ROWS:
        raise _too_many_rows()
    if widened:
        notices.append(
            _("Full-width digits or spaces were put right in %(n)s cells, first in %(cell)s.")
            % {"n": len(widened), "cell": widened[0]}
        )
    letters = {
        column.key: "" if place is None else letter(place)
        for column, place in zip(columns, places, strict=True)
    }
    return Table(taken, letters, notices)


def headings_in(data: bytes) -> list[str]:
    """Return the headings of a file whose columns are not known: the first rows' fullest one.

    Raises BadUpload if it cannot be read.
    """
    check_file(data)
    rows = _workbook(data)["rows"] if data.startswith(b"PK") else _csv_rows(data)
    found = [[cell.strip() for cell in cells] for cells in rows[:HEADING_ROWS]]
    best: list[str] = max(found, key=lambda cells: sum(map(bool, cells)), default=[])
    if sum(map(bool, best)) < 2:
        raise BadUpload(_("No headings were found in the first rows."))
    return [cell[:60] for cell in best if cell]


def _broken() -> BadUpload:
    return BadUpload(
        _("The file is damaged or too large to be read. %(remedy)s"),
        remedy=_("Copy the rows into a fresh template."),
    )


def _too_many_rows() -> BadUpload:
    return BadUpload(
        _("The file has more than %(n)s rows. Divide it and upload the parts."), n=MAX_ROWS
    )


def _workbook(data: bytes) -> dict[str, Any]:
    # -I keeps this package's directory off the child's path.
    command = [sys.executable, "-I", str(_CHILD), str(MAX_ROWS + HEADING_ROWS), str(MAX_COLUMNS)]
    with _TWO_AT_ONCE:
        try:
            child = subprocess.run(  # noqa: S603 - our own interpreter and file
                command, input=data, capture_output=True, timeout=_TIMEOUT_SECONDS, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise _broken() from error
    try:
        answer: dict[str, Any] = json.loads(child.stdout)
    except ValueError as error:
        raise _broken() from error
    refused = answer.get("refused")
    if refused == "password":
        raise BadUpload(_("The file is locked by a password. Save it without one."))
    if refused == "rows":
        raise _too_many_rows()
    if refused == "empty":
        raise BadUpload(_("The file has no visible sheet."))
    if refused or child.returncode:
        raise _broken()
    return answer


def _csv_rows(data: bytes) -> list[list[str]]:
    text = decode(data)
    first = text.lstrip("\ufeff\r\n").partition("\n")[0]
    delimiter = max(",\t;", key=first.count)
    rows: list[list[str]] = []
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    filled = 0
    try:
        for cells in reader:
            filled += bool(cells)
            if filled > MAX_ROWS + HEADING_ROWS:
                raise _too_many_rows()
            rows.append(cells[:MAX_COLUMNS])
    except csv.Error as error:
        raise BadUpload(
            _("Line %(line)s is not proper CSV (%(why)s)."), line=reader.line_num, why=str(error)
        ) from error
    return rows


def _find_headings(
    rows: list[list[str]], columns: Sequence[Column]
) -> tuple[int, list[int | None]]:
    """Return the row of the headings and for each column its place in it."""
    best: tuple[int, list[int | None]] = (0, [None] * len(columns))
    most = 0
    for index, cells in enumerate(rows[:HEADING_ROWS]):
        names = [squeezed(cell) for cell in cells]
        places = [
            next((place for place, name in enumerate(names) if name in column.names), None)
            for column in columns
        ]
        known = sum(place is not None for place in places)
        if known > most:
            best, most = (index, places), known
    index, places = best
    missing = [
        str(column.heading)
        for column, place in zip(columns, places, strict=True)
        if column.required and place is None
    ]
    if missing:
        raise BadUpload(
            _("These columns are missing: %(columns)s. Download the template for the headings."),
            columns="、".join(missing),
        )
    names = [squeezed(cell) for cell in rows[index]]
    twice = next((name for name in names if name and names.count(name) > 1), None)
    if twice is not None and any(twice in column.names for column in columns):
        raise BadUpload(_("The column “%(name)s” is there twice. Remove one."), name=twice)
    return best


def _sheet_notices(book: dict[str, Any]) -> list[str]:
    told = []
    for name, visible in book.get("sheets", ()):
        if not visible:
            told.append(_("The hidden sheet “%(name)s” was not read.") % {"name": name})
    return told


def _column_notices(headings: list[str], places: Sequence[int | None]) -> list[str]:
    unknown = [
        text.strip()[:30]
        for place, text in enumerate(headings)
        if text.strip() and place not in places
    ]
    if not unknown:
        return []
    return [
        _("These columns are not known and were left out: %(names)s.")
        % {"names": "、".join(unknown[:20])}
    ]


# place → (what is wrong, what to do, the range meant)
Marks = dict[tuple[int, int], tuple[str, str, str]]


def _marks(book: dict[str, Any], heading: int) -> Marks:
    """Return what the workbook itself says is wrong below the headings, by place."""
    marks: Marks = {}
    lossy = _("The number has more digits than a cell keeps; the last ones are lost.")
    as_text = _("Set the column's format to text and write the number again.")
    for row, column in book.get("lossy", ()):
        marks[row, column] = (lossy, as_text, "")
    formula = _("A formula stands here, not a value.")
    paste = _("Copy the column and paste it as values.")
    for row, column in book.get("formulas", ()):
        marks[row, column] = (formula, paste, "")
    for top, left, bottom, right in book.get("merged", ()):
        reach = f"{letter(left)}{top + 1}:{letter(right)}{bottom + 1}"
        told = _("The cells %(range)s are merged; whose value it is cannot be told.") % {
            "range": reach
        }
        unmerge = _("Unmerge them and write the value into each cell.")
        for row in range(max(top, heading + 1), min(bottom, top + MAX_ROWS) + 1):
            marks |= {(row, column): (told, unmerge, reach) for column in range(left, right + 1)}
    return marks


def _row(
    index: int,
    texts: list[str],
    columns: Sequence[Column],
    places: Sequence[int | None],
    marks: Marks,
    widened: list[str],
) -> RawRow:
    """Return the row; cells that were put right are added to ``widened``."""
    cells = []
    faults = []
    for column, place in zip(columns, places, strict=True):
        written = texts[place].strip() if place is not None and place < len(texts) else ""
        text = undefused(written.replace("\x00", ""))
        if column.kind.plain:
            text = plainly(text)
            if text not in (written, undefused(written)):
                widened.append(f"{letter(place or 0)}{index + 1}")
        cells.append(text)
        wrong = _wrong(text, column, marks.get((index, place if place is not None else -1)))
        if wrong:
            problem, remedy, reach = wrong
            faults.append(
                Fault(
                    row=index + 1,
                    column=letter(place or 0),
                    heading=str(column.heading),
                    value=text or reach,
                    problem=problem,
                    remedy=remedy,
                    of_file=True,
                )
            )
    return RawRow(index + 1, tuple(cells), tuple(faults))


def _wrong(
    text: str, column: Column, mark: tuple[str, str, str] | None
) -> tuple[str, str, str] | None:
    if mark:
        return mark
    if text in _SPREADSHEET_ERRORS:
        return _("The cell shows a spreadsheet's error."), _("Write the value itself."), ""
    if column.kind.plain and _SHORTENED.fullmatch(text):
        return (
            _("The number was shortened by the spreadsheet program."),
            _("Set the column's format to text and write the number again."),
            "",
        )
    return None
