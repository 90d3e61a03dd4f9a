"""Drawing slips with first passwords, to be cut out and handed over: data in, PDF out.

What must not live here: the database, and making a password.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fpdf import FPDF

from core.drawing import A4, GREY, PALE, TEAL, cut_out, line, new_paper

# Millimetres; sixteen slips on A4.
SLIP = (95.0, 33.0)
COLUMNS, ROWS = 2, 8


@dataclass(frozen=True)
class Slip:
    """What stands on one slip; ``password`` in clear, for paper only."""

    name: str
    place: str
    account: str
    password: str


@dataclass(frozen=True)
class SlipWords:
    """The words on every slip, in the language of the county; ``address`` is where to sign in."""

    title: str
    account: str
    password: str
    change: str
    address: str


def slips_sheet(
    slips: Sequence[Slip],
    words: SlipWords,
    *,
    progress: Callable[[int], object] = lambda _done: None,
) -> bytes:
    """Return a PDF of A4 pages with sixteen slips each and marks to cut along."""
    pdf = new_paper(A4, words.title)
    cut_out(
        pdf,
        slips,
        lambda slip, x, y: _slip(pdf, slip, words, x, y),
        size=SLIP,
        columns=COLUMNS,
        rows=ROWS,
        progress=progress,
    )
    return bytes(pdf.output())


def _slip(pdf: FPDF, slip: Slip, words: SlipWords, x: float, y: float) -> None:
    width, height = SLIP
    pdf.set_draw_color(*PALE)
    pdf.set_line_width(0.2)
    pdf.rect(x + 1.5, y + 1.5, width - 3, height - 3)
    inner = width - 8
    half = inner * 0.36
    line(pdf, slip.name, x + 4, y + 3, 4.4, inner, bold=True)
    line(pdf, slip.place, x + 4, y + 8.2, 2.7, inner, color=GREY)
    line(pdf, words.account, x + 4, y + 12.4, 2.7, half, color=GREY)
    line(pdf, slip.account, x + 4, y + 15.6, 4.6, half, color=TEAL)
    line(pdf, words.password, x + 4 + half, y + 12.4, 2.7, inner - half, color=GREY)
    line(pdf, slip.password, x + 4 + half, y + 15.5, 5, inner - half, bold=True, color=TEAL)
    line(pdf, words.address, x + 4, y + 22.4, 2.7, inner, color=GREY)
    line(pdf, words.change, x + 4, y + 26.2, 2.7, inner, color=GREY)
