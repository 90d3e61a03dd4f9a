"""Reading sheets as people make them: what is put right, what is told, what is refused."""

import io
import zipfile
from datetime import date, datetime

import pytest
import xlsxwriter

from core.errors import Invalid
from core.sheets.columns import DATE, ID_NUMBER, PHONE, Column, choice, digits, text, whole_number
from core.sheets.defusing import defused, undefused
from core.sheets.plan import parsed_table
from core.sheets.reading import read_table
from core.sheets.writing import listing, template

COLUMNS = [
    Column("name", "姓名", text(10), required=True),
    Column("phone", "手机号", PHONE, required=True),
    Column("code", "区划代码", digits(12, 15)),
    Column("born", "日期", DATE),
    Column("sex", "性别", choice([("f", "女"), ("m", "男")])),
    Column("id_number", "身份证号", ID_NUMBER),
    Column("age", "年龄", whole_number(0, 120)),
]
HEADINGS = [str(column.heading) for column in COLUMNS]
ROW = ["张三", "19900001234", "419901001001", "2026-03-01", "女"]


def workbook(rows, *, change=lambda book, sheet: None, name="人员") -> bytes:
    stream = io.BytesIO()
    book = xlsxwriter.Workbook(stream, {"in_memory": True, "strings_to_formulas": False})
    sheet = book.add_worksheet(name)
    for number, cells in enumerate(rows):
        sheet.write_row(number, 0, cells)
    change(book, sheet)
    book.close()
    return stream.getvalue()


def read(data: bytes):
    return read_table(data, COLUMNS)


def rows_of(data: bytes):
    return parsed_table(read(data), COLUMNS)


def faults(data: bytes) -> list[tuple[str, str]]:
    """Return (cell, problem) of every fault, in order."""
    return [
        (f"{fault.column}{fault.row}", fault.problem)
        for row in rows_of(data)
        for fault in row.faults
    ]


def refusal(data: bytes) -> str:
    with pytest.raises(Invalid) as caught:
        read(data)
    return str(caught.value)


def test_a_sheet_is_read_by_its_headings_in_any_order():
    data = workbook([["区划代码", " 手机号 *", "姓名"], ["419901001001", 19900001234, "张三"]])
    (row,) = rows_of(data)
    assert row.values["name"] == "张三"
    assert row.values["phone"] == "19900001234"
    assert row.values["code"] == "419901001001"
    assert row.faults == []
    assert row.number == 2


def test_titles_above_the_headings_may_be_merged():
    data = workbook(
        [["东关镇网格员花名册"], HEADINGS, ROW],
        change=lambda book, sheet: sheet.merge_range("A1:F1", "东关镇网格员花名册"),
    )
    (row,) = rows_of(data)
    assert (row.number, row.faults) == (3, [])


def test_merged_cells_among_the_rows_are_refused_with_their_range():
    data = workbook(
        [HEADINGS, ROW, ROW, ROW],
        change=lambda book, sheet: sheet.merge_range("A2:A3", "张三"),
    )
    found = rows_of(data)
    assert [len(row.faults) for row in found] == [1, 1, 0]
    assert "A2:A3" in found[0].faults[0].problem
    assert found[0].faults[0].remedy


def test_hidden_sheets_are_told_and_never_read():
    def hide(book, sheet):
        other = book.add_worksheet("旧数据")
        other.write_row(0, 0, HEADINGS)
        other.write_row(1, 0, ["李四", "19900009999"])
        other.hide()

    table = read(workbook([HEADINGS, ROW], change=hide))
    assert [row.cells[0] for row in table.rows] == ["张三"]
    assert any("旧数据" in notice for notice in table.notices)


def test_a_hidden_first_sheet_is_passed_over():
    def put_first(book, sheet):
        other = book.add_worksheet("花名册")
        other.write_row(0, 0, HEADINGS)
        other.write_row(1, 0, ROW)
        other.activate()
        other.set_first_sheet()
        sheet.hide()

    table = read(workbook([["x"]], change=put_first))
    assert [row.cells[0] for row in table.rows] == ["张三"]


def test_formulas_are_refused_where_they_stand():
    data = workbook(
        [HEADINGS, ROW],
        change=lambda book, sheet: sheet.write_formula(
            "B2", '="1990000"&"1234"', None, "19900001234"
        ),
    )
    ((cell, problem),) = faults(data)
    assert cell == "B2"
    assert "公式" in problem


def test_the_error_of_a_spreadsheet_is_no_value():
    data = workbook([HEADINGS, ["#N/A", *ROW[1:]]])
    assert [cell for cell, _problem in faults(data)] == ["A2"]


def test_full_width_digits_and_spaces_are_put_right_and_told():
    data = workbook([HEADINGS, ["张三", "１９９ 0000 １２３４", "４１９９０１００１００１"]])
    table = read(data)
    assert table.rows[0].cells[1:3] == ("19900001234", "419901001001")
    assert any("B2" in notice for notice in table.notices)


def test_a_number_too_long_for_a_cell_is_told():
    data = workbook([HEADINGS, [*ROW, 419901199001010018]])
    ((cell, _problem),) = faults(data)
    assert cell == "F2"


def test_a_number_shortened_in_a_csv_file_is_told():
    data = f"{','.join(HEADINGS)}\n张三,1.99E+10\n".encode()
    assert [cell for cell, _problem in faults(data)] == ["B2"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "gb18030"])
@pytest.mark.parametrize("delimiter", [",", "\t", ";"])
def test_csv_is_read_in_the_encodings_offices_write(encoding, delimiter):
    data = "\r\n".join(delimiter.join(cells) for cells in [HEADINGS[:5], ROW]).encode(encoding)
    (row,) = rows_of(data)
    assert row.values["name"] == "张三"
    assert row.values["sex"] == "f"


def test_dates_come_as_dates_or_in_words():
    written = [
        date(2026, 3, 1),
        datetime(2026, 3, 1),  # noqa: DTZ001  a cell has no zone
        "2026年3月1日",
        "2026/3/1",
        "20260301",
    ]

    def put(book, sheet):
        format = book.add_format({"num_format": "yyyy-mm-dd"})
        for number, day in enumerate(written[:2], 1):
            sheet.write_datetime(number, 3, day, format)

    data = workbook([HEADINGS, *(["张三", ROW[1], "", str(day)] for day in written)], change=put)
    assert {row.values["born"] for row in rows_of(data)} == {date(2026, 3, 1)}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("phone", "1990000123"),
        ("phone", "199****1234"),
        ("phone", "无"),
        ("code", "4199"),
        ("code", "城关镇"),
        ("born", "2026-02-30"),
        ("born", "去年"),
        ("sex", "未知"),
        ("id_number", "419901199001010017"),
        ("id_number", "990101199001010018"),
        ("id_number", "419901199013010018"),
        ("id_number", "419901900101001"),
        ("age", "121"),
        ("age", "三十"),
        ("name", "一个很长很长很长的名字"),
    ],
)
def test_each_wrong_value_is_told_with_cell_value_and_remedy(key, value):
    cells = dict(zip(HEADINGS, ROW, strict=False))
    column = next(column for column in COLUMNS if column.key == key)
    cells[column.heading] = value
    data = workbook([list(cells), list(cells.values())])
    (row,) = rows_of(data)
    (fault,) = row.faults
    assert (fault.row, fault.heading, fault.value) == (2, column.heading, value)
    assert fault.problem
    assert fault.remedy


def test_what_must_be_filled_in_is_missed():
    data = workbook([HEADINGS, ["", "19900001234"]])
    assert [cell for cell, _problem in faults(data)] == ["A2"]


def test_empty_rows_are_passed_over_and_rows_keep_their_numbers():
    data = workbook([HEADINGS, [], ROW, ["  "], ROW])
    assert [row.number for row in rows_of(data)] == [3, 5]


def test_unknown_columns_are_told_and_left_out():
    table = read(workbook([[*HEADINGS, "备注"], [*ROW, "", "", "x"]]))
    assert any("备注" in notice for notice in table.notices)


def test_a_missing_or_doubled_column_refuses_the_file():
    assert "手机号" in refusal(workbook([["姓名"], ["张三"]]))
    assert "姓名" in refusal(
        workbook([["姓名", "姓名", "手机号"], ["张三", "李四", "19900001234"]])
    )


def test_a_file_without_rows_is_refused():
    refusal(workbook([HEADINGS]))
    refusal(b"   \n ")


def test_more_than_twenty_thousand_rows_are_refused():
    line = ",".join(ROW)
    data = "\n".join([",".join(HEADINGS[:5]), *[line] * 20_001]).encode()
    assert "20000" in refusal(data)
    taken = "\n".join([",".join(HEADINGS[:5]), *[line] * 20_000]).encode()
    assert len(read(taken).rows) == 20_000


def test_a_workbook_of_more_than_twenty_thousand_rows_is_refused():
    assert "20000" in refusal(workbook([HEADINGS, *[["张三", "1"]] * 20_001]))


def test_a_zip_bomb_is_refused_by_its_header():
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", "<workbook/>")
        archive.writestr("xl/worksheets/sheet1.xml", b"0" * 60_000_000)
    assert len(stream.getvalue()) < 100_000
    assert "未打开" in refusal(stream.getvalue())


def test_a_bomb_that_lies_about_its_size_is_refused():
    blown = with_entry(
        "xl/worksheets/sheet1.xml",
        lambda data: data.replace(b"</sheetData>", b" " * 60_000_000 + b"</sheetData>"),
    )
    with zipfile.ZipFile(io.BytesIO(blown)) as archive:
        true_size = archive.getinfo("xl/worksheets/sheet1.xml").file_size
    lying = blown.replace(true_size.to_bytes(4, "little"), (90_000).to_bytes(4, "little"))
    assert "未打开" not in refusal(lying)


def with_entry(name: str, change) -> bytes:
    """Return a sound workbook in which one file was changed."""
    stream = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(workbook([HEADINGS, ROW]))) as book,
        zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        for entry in book.infolist():
            data = book.read(entry)
            archive.writestr(entry.filename, change(data) if entry.filename == name else data)
    return stream.getvalue()


def data_of(raw: bytes, name: str) -> bytes:
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        return archive.read(name)


def test_xml_with_entities_of_its_own_is_refused():
    doctype = b'?><!DOCTYPE x [<!ENTITY a "b">]>'
    refusal(with_entry("xl/workbook.xml", lambda data: data.replace(b"?>", doctype, 1)))


@pytest.mark.parametrize(
    "data",
    [
        b"PK\x03\x04 not a zip",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600,
        b"\x89PNG\r\n\x1a\n\0\0",
        b"%PDF-1.7\n\xe2\xe3\xcf\xd3",
        workbook([HEADINGS, ROW])[:-200],
    ],
)
def test_what_is_no_spreadsheet_is_refused_in_words(data):
    assert refusal(data)


def test_another_zip_is_no_spreadsheet():
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("word/document.xml", "<w/>")
    refusal(stream.getvalue())


def test_one_far_cell_does_not_hang_the_reader():
    data = workbook(
        [HEADINGS, ROW], change=lambda book, sheet: sheet.write("XFD1048576", "somewhere else")
    )
    refusal(data)


def test_the_template_is_a_sheet_that_can_be_filled_in_and_read():
    data = template(
        "人员", COLUMNS, lists=[("代码", ["代码", "名称"], [["419901001001", "大王庄"]])]
    )
    with pytest.raises(Invalid) as caught:
        read(data)
    assert "没有数据行" in str(caught.value)
    sheet = data_of(data, "xl/worksheets/sheet1.xml").decode()
    assert '<dataValidation type="list"' in sheet
    assert 'state="frozen"' in sheet


@pytest.mark.parametrize("text", ["=1+1", "+86", "-1", "@SUM(A1)", "\t=1", "\r=1", "＝1"])
def test_what_looks_like_a_formula_goes_out_harmless_and_comes_back(text):
    assert defused(text) == f"'{text}"
    assert undefused(defused(text)) == text
    data = listing("人员", COLUMNS[:2], [[text, "19900001234"]])
    assert "<f>" not in data_of(data, "xl/worksheets/sheet1.xml").decode()


def test_a_list_sent_out_comes_back_the_same():
    data = listing("人员", COLUMNS, [[*ROW, "419901199001010018", "36"]])
    table = read(data)
    assert table.rows[0].cells == (*ROW, "419901199001010018", "36")
    assert table.notices == []
