"""The font that printed pages are set in, and what it cannot print.

What must not live here: what is printed. The file comes from a package of the system
(fonts-noto-cjk, SIL Open Font License) or from ``settings.PRINT_FONT``, never from this repository.
"""

import unicodedata
from functools import lru_cache
from pathlib import Path

from django.conf import settings
from django.utils.translation import gettext_lazy as _
from fontTools.ttLib import TTCollection, TTFont

from core.errors import Conflict

# What a printer sets where a sort is missing; never an empty box without a word.
MISSING = "〓"
_FULL_NAME = 4


def print_font() -> tuple[str, int]:
    """Return (file, number of the face in it); raises Conflict when the file is not there."""
    path = settings.PRINT_FONT
    if not Path(path).is_file():
        raise Conflict(
            _(
                "The Chinese font for printing is missing. "
                "Install the package fonts-noto-cjk (script/setup does) or set GESHI_PRINT_FONT."
            )
        )
    return path, _face(path)


@lru_cache(maxsize=2)
def _face(path: str) -> int:
    """Return the face for Simplified Chinese: one file may hold a face for each country."""
    if not path.endswith((".ttc", ".otc")):
        return 0
    with TTCollection(path, lazy=True) as faces:
        names = [str(face["name"].getDebugName(_FULL_NAME)) for face in faces]
    return next((number for number, name in enumerate(names) if "SC" in name.split()), 0)


@lru_cache(maxsize=2)
def _glyphs(path: str, face: int) -> frozenset[int]:
    with TTFont(path, fontNumber=face, lazy=True) as font:
        return frozenset(font.getBestCmap())


def plain(text: str) -> str:
    """Return one line of ``text`` without what steers instead of printing.

    Control, direction and format marks, lone surrogates and private characters go; a name in
    right-to-left letters stays readable and cannot turn what stands behind it.
    """
    line = " ".join(text.split())
    return "".join(char for char in line if unicodedata.category(char)[0] != "C")


def unprintable(text: str) -> str:
    """Return the characters of ``text`` that the font lacks, each once, in their order."""
    glyphs = _glyphs(*print_font())
    return "".join(dict.fromkeys(char for char in plain(text) if ord(char) not in glyphs))


def printable(text: str) -> str:
    """Return ``text`` as it is printed: ``MISSING`` in place of what the font lacks."""
    lacking = unprintable(text)
    return "".join(MISSING if char in lacking else char for char in plain(text))
