"""The row of the roster: a sheet of 10,000 people with faults in it, read, planned and saved.

What must not live here: how sheets are read and saved. The floor of the same run is what nobody
can do without: reading the file in its child process, and copying the same rows into a table.
"""

import io
import time
from typing import TYPE_CHECKING

import xlsxwriter
from django.db import connection, transaction
from django.utils import timezone

from core.id_number import check_character
from core.services import sheets
from core.sheets.columns import headings
from core.sheets.reading import read_table
from grids.models import Area, Level, Posting, Role
from grids.rostering import SHEET
from grids.services.roster_columns import columns

if TYPE_CHECKING:
    from benchmarks.__main__ import Bench

ROWS = 10_000
TARGET_SECONDS = 20
# One row in so many has a phone, and one in so many a code, that cannot be.
BAD_PHONE, BAD_CODE = 10, 13


def roster(bench: "Bench") -> list[list[str]]:
    """Bring 10,000 rows in, row-by-row errors told; everything is rolled back afterwards."""
    actor = Posting.objects.current().filter(role=Role.COMMAND).earliest("pk").user
    data = _sheet()
    with transaction.atomic():
        floor = _floor(data, columns(actor))
        began, spent = time.monotonic(), time.process_time()
        upload = sheets.take(kind=SHEET, data=data, file_name="roster.xlsx", actor=actor)
        sheets.work_due()
        planned = time.monotonic() - began
        sheets.confirm(upload_id=upload.pk, kind=SHEET, actor=actor)
        sheets.work_due()
        took, cost = time.monotonic() - began, time.process_time() - spent
        upload.refresh_from_db()
        connection.check_constraints()
        transaction.set_rollback(True)
    refused, added = upload.counts["refused"], upload.counts["added"]
    bench.results["roster"] = {"seconds": took, "preview": planned, "cpu": cost, "floor": floor}
    ok = upload.state == "saved" and took <= TARGET_SECONDS and refused + added == ROWS
    told = f"{took:.1f} s ({planned:.1f} s to the preview; {added:,} added, {refused:,} refused)"
    return [
        [
            f"roster import of {ROWS:,} rows",
            told,
            f"{cost:.1f} s",
            "",
            f"≤ {TARGET_SECONDS} s",
            "yes" if ok else "no",
            f"{floor:.1f} s",
            f"{took / floor:.1f}",
        ]
    ]


def _sheet() -> bytes:
    grids = list(Area.objects.filter(level=Level.GRID).values_list("code", flat=True))
    kind, role = "专职", "网格员"
    stream = io.BytesIO()
    with xlsxwriter.Workbook(stream, {"in_memory": True}) as book:
        page = book.add_worksheet()
        page.write_row(0, 0, headings(columns(None)))
        for n in range(1, ROWS + 1):
            # A county of no number: nobody's.
            digits = f"419901{1960 + n % 40}{1 + n % 12:02}{1 + n % 28:02}{n % 1000:03}"
            phone = f"1990001{n % 10_000:04}" if n % BAD_PHONE else "12"
            code = grids[n % len(grids)] if n % BAD_CODE else "41990"
            number = digits + check_character(digits)
            page.write_row(n, 0, ["", f"甲{n}", phone, number, role, kind, code, "", "2026-03-01"])
    return stream.getvalue()


def _floor(data: bytes, wanted: list) -> float:
    began = time.monotonic()
    table = read_table(data, wanted)
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE bare (n int, at timestamptz, cells text) ON COMMIT DROP")
        with cursor.copy("COPY bare FROM STDIN") as copy:
            for row in table.rows:
                copy.write_row((row.number, timezone.now(), "\x1f".join(row.cells)))
    return time.monotonic() - began
