"""Lists sent out as CSV, line by line however long they are.

What must not live here: lists themselves, and workbooks (core.sheets).
"""

import csv
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django.http import StreamingHttpResponse

from core.sheets.defusing import defused


class _Echo:
    """A file for the csv module that gives back what it is told to write."""

    def write(self, line: str) -> str:
        return line


def csv_file(name: str, rows: Iterable[Sequence[Any]]) -> StreamingHttpResponse:
    """Return ``rows``, the headings first, as an answer to download; every cell is defused."""
    response = StreamingHttpResponse(_lines(rows), content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    return response


def _lines(rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    # The mark tells spreadsheet programs that this is UTF-8.
    yield "\ufeff"
    writer = csv.writer(_Echo())
    for row in rows:
        yield writer.writerow([defused(cell) for cell in row])
