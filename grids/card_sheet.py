"""Drawing contact cards 连心卡 on paper: data in, PDF out.

What lives here: sizes, lines and letters. What must not: the database, and any way to fetch
something: pictures come as bytes, texts are drawn letter by letter and never read as markup.
"""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import segno
from fpdf import FPDF
from PIL import Image

from core.drawing import (
    A4,
    A5,
    GREY,
    PALE,
    SMALLEST,
    TEAL,
    cut_out,
    line,
    new_paper,
    text_width,
)
from core.fonts import printable

# Millimetres. Eight door cards on A4; one large card on A5, laid across.
CARD = (95.0, 65.0)
COLUMNS, ROWS = 2, 4
# Pixels for each square of a code, and squares of white around it.
DOT, QUIET = 8, 2


@dataclass(frozen=True)
class CardFace:
    """What stands on one card. ``photo`` are the bytes of a JPEG; ``link`` goes into the QR."""

    name: str
    role: str
    phone: str
    grid: str
    place: str
    code: str
    link: str
    photo: bytes | None = None


@dataclass(frozen=True)
class Words:
    """The words printed on every card, in the language of the doors."""

    title: str
    phone: str
    no_phone: str
    scan: str
    hotline: str
    number: str


def door_cards(
    faces: Sequence[CardFace],
    words: Words,
    *,
    progress: Callable[[int], object] = lambda _done: None,
) -> bytes:
    """Return a PDF of A4 pages with eight cards each and marks to cut along."""
    pdf = new_paper(A4, words.title)
    cut_out(
        pdf,
        faces,
        lambda face, x, y: _card(pdf, face, words, x, y, 1.0),
        size=CARD,
        columns=COLUMNS,
        rows=ROWS,
        progress=progress,
    )
    return bytes(pdf.output())


def large_card(face: CardFace, words: Words) -> bytes:
    """Return a PDF of one A5 page with one large card."""
    pdf = new_paper((A5[1], A5[0]), words.title)
    pdf.add_page()
    scale = min((A5[1] - 12) / CARD[0], (A5[0] - 12) / CARD[1])
    left, top = (A5[1] - CARD[0] * scale) / 2, (A5[0] - CARD[1] * scale) / 2
    _card(pdf, face, words, left, top, scale)
    return bytes(pdf.output())


def _card(pdf: FPDF, face: CardFace, words: Words, x: float, y: float, scale: float) -> None:
    def mm(value: float) -> float:
        return value * scale

    width = mm(CARD[0])
    pdf.set_fill_color(*TEAL)
    pdf.rect(x + mm(2), y + mm(2), width - mm(4), mm(9), style="F")
    line(pdf, words.title, x + mm(5), y + mm(4.1), mm(4.8), mm(26), color=(255, 255, 255))
    line(
        pdf,
        face.place,
        x + mm(33),
        y + mm(4.8),
        mm(3.4),
        mm(57),
        color=(255, 255, 255),
        align="R",
    )
    _portrait(pdf, face.photo, x + mm(5), y + mm(14), mm(22), mm(28))
    middle, room = x + mm(30), mm(34)
    _name(pdf, face.name, middle, y + mm(14.3), mm(7), room)
    line(pdf, face.role, middle, y + mm(23), mm(3.8), room, color=GREY)
    line(pdf, face.grid, middle, y + mm(29), mm(4.4), room)
    line(pdf, face.code, middle, y + mm(35), mm(2.9), room, color=GREY)
    line(pdf, words.phone, x + mm(5), y + mm(43.6), mm(2.9), mm(58), color=GREY)
    phone = face.phone or words.no_phone
    line(pdf, phone, x + mm(5), y + mm(47.2), mm(7.8), mm(58), bold=True, color=TEAL)
    side = mm(24)
    pdf.image(_qr(face.link), x + width - mm(5) - side, y + mm(14), side, side)
    line(
        pdf,
        words.scan,
        x + width - mm(5) - side,
        y + mm(39.5),
        mm(3),
        side,
        align="C",
        color=GREY,
    )
    pdf.set_draw_color(*PALE)
    pdf.set_line_width(mm(0.2))
    pdf.line(x + mm(5), y + mm(56.5), x + width - mm(5), y + mm(56.5))
    line(pdf, words.hotline, x + mm(5), y + mm(58.2), mm(3.2), mm(50), color=GREY)
    line(pdf, words.number, x + mm(55), y + mm(57.9), mm(3.8), mm(35), color=TEAL, align="R")


def _name(pdf: FPDF, name: str, x: float, y: float, height: float, room: float) -> None:
    """Set a name; one that a single line cannot hold stands on two, for no name is cut off."""
    text = printable(name)
    if text_width(pdf, text, height * SMALLEST) <= room:
        line(pdf, text, x, y, height, room, bold=True)
        return
    half = (len(text) + 1) // 2
    for row, part in enumerate((text[:half], text[half:])):
        line(pdf, part, x, y + row * height * 0.55, height * 0.5, room, bold=True)


def _portrait(
    pdf: FPDF, photo: bytes | None, x: float, y: float, width: float, height: float
) -> None:
    pdf.set_fill_color(*PALE)
    pdf.rect(x, y, width, height, style="F")
    with pdf.rect_clip(x, y, width, height):
        if photo:
            _filled(pdf, photo, x, y, width, height)
            return
        pdf.set_fill_color(150, 172, 180)
        pdf.circle(x + width / 2, y + height * 0.38, width * 0.2, style="F")
        pdf.ellipse(x + width * 0.12, y + height * 0.64, width * 0.76, height * 0.7, style="F")


def _filled(pdf: FPDF, photo: bytes, x: float, y: float, width: float, height: float) -> None:
    """Draw a photo so that it fills the frame; what stands over is cut off evenly."""
    with Image.open(io.BytesIO(photo)) as picture:
        across, down = picture.size
    scale = max(width / across, height / down)
    wide, high = across * scale, down * scale
    pdf.image(io.BytesIO(photo), x - (wide - width) / 2, y - (high - height) / 2, wide, high)


@lru_cache(maxsize=512)
def _qr(link: str) -> Image.Image:
    """Return the code as a picture of black and white squares with its quiet zone."""
    rows = list(segno.make(link, error="m", micro=False).matrix_iter(border=QUIET))
    dots = bytes(0 if dark else 255 for row in rows for dark in row)
    small = Image.frombytes("L", (len(rows), len(rows)), dots)
    side = len(rows) * DOT
    return small.resize((side, side), Image.Resampling.NEAREST).convert("1")
