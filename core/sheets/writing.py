"""Writing spreadsheets: templates with drop-downs, lists, and files of errors to hand back.

What lives here: bytes of .xlsx files. What must not: who may have them, and what is masked.
"""

import io
from collections.abc import Iterable, Sequence
from typing import Any

import xlsxwriter
from django.utils.translation import gettext as _

from core.sheets.columns import Column, letter
from core.sheets.defusing import defused
from core.sheets.plan import Line
from core.sheets.reading import MAX_ROWS

CONTENT_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
# A drop-down list written into the cell's rule may be this long, by the format.
_INLINE_LIST = 255


def template(
    title: str,
    columns: Sequence[Column],
    *,
    lists: Sequence[tuple[str, Sequence[str], Iterable[Sequence[str]]]] = (),
) -> bytes:
    """Return an empty sheet to fill in: headings, drop-downs, text format, a sheet of help.

    ``lists`` are more sheets to copy from: (name, headings, rows).
    """
    stream = io.BytesIO()
    with _workbook(stream) as book:
        sheet = book.add_worksheet(_sheet_name(title))
        formats = _formats(book)
        choices = book.add_worksheet(_sheet_name(_("Choices")))
        _headings(sheet, columns, formats)
        for place, column in enumerate(columns):
            _rules(sheet, choices, place, column, formats)
        _help(book, columns, formats)
        for name, heads, rows in lists:
            _list(book.add_worksheet(_sheet_name(name)), heads, rows, formats)
        sheet.activate()
    return stream.getvalue()


def listing(title: str, columns: Sequence[Column], rows: Iterable[Sequence[Any]]) -> bytes:
    """Return a list with these headings, as text and defused; it can be uploaded again."""
    stream = io.BytesIO()
    with _workbook(stream) as book:
        formats = _formats(book)
        sheet = book.add_worksheet(_sheet_name(title))
        _headings(sheet, columns, formats)
        for number, cells in enumerate(rows, 1):
            for place, cell in enumerate(cells):
                sheet.write_string(number, place, defused(cell), formats["text"])
    return stream.getvalue()


def errors_file(title: str, columns: Sequence[Column], lines: Iterable[Line]) -> bytes:
    """Return the refused rows as they were uploaded, wrong cells marked, with what to do.

    The column of faults is one the reader does not know, so the file can be uploaded again once
    it is put right.
    """
    stream = io.BytesIO()
    with _workbook(stream) as book:
        formats = _formats(book)
        sheet = book.add_worksheet(_sheet_name(title))
        choices = book.add_worksheet(_sheet_name(_("Choices")))
        _headings(sheet, columns, formats)
        told = len(columns)
        sheet.set_column(told, told, 70, formats["wrap"])
        sheet.set_column(told + 1, told + 1, 12)
        sheet.write_string(0, told, _("What is wrong and what to do"), formats["fault_head"])
        sheet.write_string(0, told + 1, _("Row in the file"), formats["fault_head"])
        for place, column in enumerate(columns):
            _rules(sheet, choices, place, column, formats)
        for number, line in enumerate(lines, 1):
            wrong = {fault.heading for fault in line.faults}
            for place, (column, cell) in enumerate(zip(columns, line.cells, strict=True)):
                marked = formats["wrong" if str(column.heading) in wrong else "text"]
                sheet.write_string(number, place, defused(cell), marked)
            sheet.write_string(number, told, fault_text(line), formats["wrap"])
            sheet.write_number(number, told + 1, line.number)
        _help(book, columns, formats)
        sheet.activate()
    return stream.getvalue()


def fault_text(line: Line) -> str:
    """Return the faults of a line as one text, one to a line."""
    return "\n".join(f"{f.heading}：{f.problem}{f.remedy}" for f in line.faults)


def _workbook(stream: io.BytesIO) -> Any:
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    return xlsxwriter.Workbook(stream, options)


def _formats(book: Any) -> dict[str, Any]:
    head = {"bold": True, "text_wrap": True, "valign": "vcenter", "border": 1}
    return {
        "text": book.add_format({"num_format": "@"}),
        "wrap": book.add_format({"text_wrap": True, "valign": "top"}),
        "head": book.add_format(head | {"bg_color": "#E3EFEF"}),
        "required": book.add_format(head | {"bg_color": "#0F766E", "font_color": "#FFFFFF"}),
        "fault_head": book.add_format(head | {"bg_color": "#FDE2E0"}),
        "wrong": book.add_format({"num_format": "@", "bg_color": "#FAD1CE", "border": 1}),
    }


def _headings(sheet: Any, columns: Sequence[Column], formats: dict[str, Any]) -> None:
    sheet.freeze_panes(1, 0)
    sheet.set_row(0, 24)
    for place, column in enumerate(columns):
        sheet.set_column(place, place, column.width, formats["text"])
        style = formats["required" if column.required else "head"]
        sheet.write_string(0, place, str(column.heading), style)


def _rules(sheet: Any, choices: Any, place: int, column: Column, formats: dict[str, Any]) -> None:
    """Give a column its drop-down list; long lists stand on the sheet ``choices``."""
    words = [str(word) for _value, word in column.kind.choices]
    if not words:
        return
    choices.write_string(0, place, str(column.heading), formats["head"])
    choices.set_column(place, place, column.width)
    for number, word in enumerate(words, 1):
        choices.write_string(number, place, defused(word))
    inline = len(",".join(words)) <= _INLINE_LIST and not any("," in word for word in words)
    name = choices.get_name().replace("'", "''")
    column_letter = letter(place)
    reach = f"='{name}'!${column_letter}$2:${column_letter}${len(words) + 1}"
    sheet.data_validation(
        1,
        place,
        MAX_ROWS,
        place,
        {
            "validate": "list",
            "source": words if inline else reach,
            "error_title": str(column.heading)[:32],
            "error_message": _("Choose from the drop-down list."),
        },
    )


def _help(book: Any, columns: Sequence[Column], formats: dict[str, Any]) -> None:
    sheet = book.add_worksheet(_sheet_name(_("How to fill in")))
    rows = [
        (
            str(column.heading),
            _("must be filled in") if column.required else _("may stay empty"),
            str(column.note),
            column.example,
        )
        for column in columns
    ]
    _list(sheet, [_("Column"), _("Needed"), _("What to write"), _("Example")], rows, formats)
    sheet.set_column(2, 2, 70, formats["wrap"])


def _list(
    sheet: Any, heads: Sequence[str], rows: Iterable[Sequence[str]], formats: dict[str, Any]
) -> None:
    sheet.freeze_panes(1, 0)
    for place, head in enumerate(heads):
        sheet.set_column(place, place, 22)
        sheet.write_string(0, place, str(head), formats["head"])
    for number, cells in enumerate(rows, 1):
        for place, cell in enumerate(cells):
            sheet.write_string(number, place, defused(cell), formats["text"])


def _sheet_name(text: str) -> str:
    """Return a name a sheet may have: at most 31 characters, none of []:*?/\\."""
    return "".join(character for character in text if character not in "[]:*?/\\'")[:31] or "1"
