"""Letters and lines on paper: what every printed sheet of the house is drawn with.

What must not live here: what stands on a sheet, and any way to fetch something: texts are drawn
letter by letter and never read as markup.
"""

from collections.abc import Callable, Iterable
from typing import TypeVar

from fpdf import FPDF
from fpdf.enums import TextMode

from core.fonts import print_font, printable

T = TypeVar("T")

# Millimetres.
A4 = (210.0, 297.0)
A5 = (148.0, 210.0)
CUT = 4.0
TEAL, INK, GREY, PALE = (11, 71, 87), (24, 36, 42), (96, 110, 118), (226, 236, 239)
# What is too long is set smaller, down to this share of its height.
SMALLEST = 0.6
_FONT = "print"
# Points per millimetre of letter height.
_POINTS = 72 / 25.4


def new_paper(size: tuple[float, float], title: str) -> FPDF:
    """Return an empty document with pages of ``size`` and the house's font.

    Raises Conflict when the font is not there.
    """
    pdf = FPDF(unit="mm", format=size)
    path, number = print_font()
    pdf.add_font(_FONT, "", path, collection_font_number=number)
    pdf.set_auto_page_break(False)
    pdf.set_title(title)
    pdf.c_margin = 0
    return pdf


def cut_out(
    pdf: FPDF,
    things: Iterable[T],
    draw: Callable[[T, float, float], None],
    *,
    size: tuple[float, float],
    columns: int,
    rows: int,
    progress: Callable[[int], object] = lambda _done: None,
) -> None:
    """Draw things of one size side by side on A4 pages with marks to cut along.

    ``draw(thing, x, y)`` draws one at its upper left corner.
    """
    width, height = size
    left, top = (A4[0] - columns * width) / 2, (A4[1] - rows * height) / 2
    for number, thing in enumerate(things):
        row, column = divmod(number % (columns * rows), columns)
        if row == column == 0:
            pdf.add_page()
            _marks(pdf, left, top, size=size, columns=columns, rows=rows)
        draw(thing, left + column * width, top + row * height)
        progress(number + 1)


def _marks(
    pdf: FPDF, left: float, top: float, *, size: tuple[float, float], columns: int, rows: int
) -> None:
    pdf.set_draw_color(*GREY)
    pdf.set_line_width(0.1)
    right, bottom = left + columns * size[0], top + rows * size[1]
    for column in range(columns + 1):
        x = left + column * size[0]
        pdf.line(x, top - CUT - 1, x, top - 1)
        pdf.line(x, bottom + 1, x, bottom + 1 + CUT)
    for row in range(rows + 1):
        y = top + row * size[1]
        pdf.line(left - CUT - 1, y, left - 1, y)
        pdf.line(right + 1, y, right + 1 + CUT, y)


def text_width(pdf: FPDF, text: str, height: float) -> float:
    """Return how wide a text is at a letter height, in millimetres."""
    pdf.set_font(_FONT, size=height * _POINTS)
    return float(pdf.get_string_width(printable(text)))


def line(
    pdf: FPDF,
    text: str,
    x: float,
    y: float,
    height: float,
    room: float,
    *,
    bold: bool = False,
    color: tuple[int, int, int] = INK,
    align: str = "L",
) -> None:
    """Set one line; what is too long gets smaller, to three fifths, and then loses its end."""
    text = printable(text)
    pdf.set_font(_FONT, size=height * _POINTS)
    wide = pdf.get_string_width(text)
    if wide > room:
        pdf.set_font(_FONT, size=height * _POINTS * max(room / wide, SMALLEST))
    while text and pdf.get_string_width(text) > room:
        text = text.rstrip("…")[:-1] + "…" if len(text) > 2 else ""
    pdf.set_text_color(*color)
    with pdf.local_context():
        if bold:
            # One face serves for both weights: the outline is drawn too, in the same ink.
            pdf.set_draw_color(*color)
            pdf.set_line_width(height * 0.035)
            pdf.text_mode = TextMode.FILL_STROKE
        pdf.set_xy(x, y)
        pdf.cell(room, height, text, align=align)
