"""The child process of core.sheets.reading: one workbook on stdin, its cells as JSON on stdout.

Usage: xlsx_child.py MAX_ROWS MAX_COLUMNS. Answers {"sheets", "read", "rows", "merged",
"formulas", "lossy"} or {"refused": "password" | "broken" | "rows" | "empty"}. Places are
[row, column] from 0. Knows nothing of Django.
"""

import io
import json
import resource
import sys
import zipfile
from datetime import date, datetime, time, timedelta
from typing import Any
from xml.parsers import expat

from python_calamine import CalamineWorkbook, PasswordError, SheetTypeEnum, SheetVisibleEnum

MEMORY_BYTES = 1024 * 1024 * 1024
CPU_SECONDS = 60
# A number in a cell keeps 15 digits; a longer one was changed when it was typed.
KEPT_DIGITS = 10**15
MOST_PLACES = 2000


def main(raw: bytes, max_rows: int, max_columns: int) -> dict[str, Any]:
    """Return the answer for the workbook in ``raw``."""
    try:
        workbook = CalamineWorkbook.from_filelike(io.BytesIO(raw))
        sheets = [
            (meta.name, meta.visible == SheetVisibleEnum.Visible)
            for meta in workbook.sheets_metadata
            if meta.typ == SheetTypeEnum.WorkSheet
        ]
        seen = [name for name, visible in sheets if visible]
        if not seen:
            return {"refused": "empty"}
        sheet = workbook.get_sheet_by_name(seen[0])
        rows, lossy = _texts(sheet, max_rows, max_columns)
        if rows is None:
            return {"refused": "rows"}
        merged = [[*first, *last] for first, last in sheet.merged_cell_ranges or ()]
        formulas = _formulas(raw, seen[0])
    except PasswordError:
        return {"refused": "password"}
    except Exception:
        return {"refused": "broken"}
    return {
        "sheets": sheets,
        "read": seen[0],
        "rows": rows,
        "merged": merged[:MOST_PLACES],
        "formulas": formulas[:MOST_PLACES],
        "lossy": lossy,
    }


def _texts(
    sheet: Any, max_rows: int, max_columns: int
) -> tuple[list[list[str]] | None, list[list[int]]]:
    """Return the cells as text from A1 on, and the places of numbers that lost digits."""
    rows: list[list[str]] = []
    lossy: list[list[int]] = []
    filled = 0
    for number, cells in enumerate(sheet.to_python(skip_empty_area=False)):
        texts = [_text(cell) for cell in cells[:max_columns]]
        if any(texts):
            filled += 1
            if filled > max_rows:
                return None, []
            lossy += [
                [number, column]
                for column, cell in enumerate(cells[:max_columns])
                if type(cell) is float and abs(cell) >= KEPT_DIGITS
            ]
        rows.append(texts)
    return rows, lossy[:MOST_PLACES]


def _text(cell: Any) -> str:
    if isinstance(cell, str):
        return cell
    if isinstance(cell, bool):
        return "TRUE" if cell else "FALSE"
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    if isinstance(cell, datetime):
        return cell.isoformat(" ") if cell.time() != time() else cell.date().isoformat()
    if isinstance(cell, date | time):
        return cell.isoformat()
    return str(cell) if isinstance(cell, timedelta | int | float) else ""


class _Refused(Exception):
    """XML that no spreadsheet program writes."""


def _parse(data: bytes, start: Any) -> None:
    parser = expat.ParserCreate()
    parser.StartElementHandler = start
    parser.StartDoctypeDeclHandler = _no_doctype
    parser.Parse(data, True)


def _no_doctype(*_parts: Any) -> None:
    raise _Refused


def _formulas(raw: bytes, sheet: str) -> list[list[int]]:
    """Return the places of formulas on ``sheet``; the reader itself only tells their results."""
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        relation = ""
        targets: dict[str, str] = {}

        def sheet_of(name: str, attributes: dict[str, str]) -> None:
            nonlocal relation
            if _local(name) == "sheet" and attributes.get("name") == sheet:
                relation = next((v for k, v in attributes.items() if _local(k) == "id"), "")

        def target_of(name: str, attributes: dict[str, str]) -> None:
            if _local(name) == "Relationship":
                targets[attributes.get("Id", "")] = attributes.get("Target", "")

        _parse(archive.read("xl/workbook.xml"), sheet_of)
        _parse(archive.read("xl/_rels/workbook.xml.rels"), target_of)
        target = targets[relation]
        path = target.lstrip("/") if target.startswith("/") else f"xl/{target}"
        return _formula_places(archive.read(path))


def _formula_places(data: bytes) -> list[list[int]]:
    found: list[list[int]] = []
    row = column = -1

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal row, column
        kind = _local(name)
        if kind == "row":
            row = int(attributes["r"]) - 1 if "r" in attributes else row + 1
            column = -1
        elif kind == "c":
            column = _column(attributes["r"]) if "r" in attributes else column + 1
        elif kind == "f":
            found.append([row, column])

    _parse(data, start)
    return found


def _local(name: str) -> str:
    return name.rpartition(":")[2]


def _column(reference: str) -> int:
    """Return the number of the column of a reference such as AB12, from 0."""
    number = 0
    for letter in reference:
        if not letter.isalpha():
            break
        number = number * 26 + ord(letter.upper()) - 64
    return number - 1


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    answer = main(sys.stdin.buffer.read(), int(sys.argv[1]), int(sys.argv[2]))
    sys.stdout.write(json.dumps(answer))
