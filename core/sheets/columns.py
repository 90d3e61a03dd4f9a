"""A sheet's columns as data: what each is called, what may stand in it, how it is read.

What lives here: ``Column``, the kinds of value, and ``Refused`` with its remedy. What must not:
files (reading.py, writing.py) and anything that asks the database.
"""

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.utils.timezone import make_aware
from django.utils.translation import gettext, override
from django.utils.translation import gettext_lazy as _

from core.id_number import IdNumberError, check_id_number
from core.phone import PhoneError, plain_phone


class Refused(Exception):
    """A value that cannot be taken: ``problem`` says what is wrong, ``remedy`` what to write."""

    def __init__(self, problem: Any, remedy: Any = "") -> None:
        super().__init__(problem, remedy)
        self.problem = problem
        self.remedy = remedy


@dataclass(frozen=True)
class Kind:
    """A kind of value. ``parse`` takes a text that is not empty and raises Refused.

    ``plain`` says that full-width letters and digits and inner spaces mean the ordinary ones;
    ``choices`` are (value, word) for a drop-down list.
    """

    parse: Callable[[str], Any]
    plain: bool = True
    choices: tuple[tuple[str, Any], ...] = ()


# What a masked value of a list sent out is read as: it stays what it is.
MASKED = "*"


def or_masked(kind: Kind) -> Kind:
    """Return ``kind`` that also takes a value as it was masked in a list sent out, as MASKED."""
    return Kind(lambda value: MASKED if "**" in value else kind.parse(value), plain=kind.plain)


@dataclass(frozen=True)
class Column:
    """One column: its ``key`` in code, its ``heading`` for people, its kind of value.

    ``note`` stands on the help sheet, ``example`` too; ``width`` is in characters.
    """

    key: str
    heading: Any
    kind: Kind
    required: bool = False
    note: Any = ""
    example: str = ""
    width: int = 14
    called: str = ""

    @property
    def names(self) -> frozenset[str]:
        """What it is ``called`` in this file, else its heading in all languages; squeezed."""
        if self.called:
            return frozenset({squeezed(self.called)})
        return frozenset(squeezed(name) for name in in_every_language(self.heading))


def for_reading(key: str, heading: Any, *, width: int = 30) -> Column:
    """Return a column that lists sent out carry for people's eyes; what comes back is not used."""
    return Column(
        key, heading, text(200), note=_("For reading only; the code decides."), width=width
    )


def in_every_language(text: Any) -> list[str]:
    """Return a lazy translation in each language of the house."""
    found = []
    for language, _name in settings.LANGUAGES:
        with override(language):
            found.append(str(text))
    return found


def squeezed(text: str) -> str:
    """Return a heading or word without what people add to it: spaces, stars, width, case.

    >>> squeezed(" 手机号码 * ")
    '手机号码'
    """
    return re.sub(r"[\s*]+", "", unicodedata.normalize("NFKC", text)).lower()


def plainly(text: str) -> str:
    """Return letters and digits of ordinary width, without spaces of any kind.

    >>> plainly("１９９ 0000 １２３４")
    '19900001234'
    """
    if text.isascii() and text.isalnum():
        return text
    return re.sub(r"[\s\u200b-\u200f\u202a-\u202e\ufeff]+", "", unicodedata.normalize("NFKC", text))


def text(longest: int) -> Kind:
    """Free text of at most ``longest`` characters."""

    def parse(value: str) -> str:
        if len(value) > longest:
            raise Refused(
                _("It has %(n)s characters.") % {"n": len(value)},
                _("Write at most %(n)s characters.") % {"n": longest},
            )
        return value

    return Kind(parse, plain=False)


def digits(*lengths: int) -> Kind:
    """A code of digits, of one of ``lengths``."""
    allowed = " / ".join(str(length) for length in lengths)

    def parse(value: str) -> str:
        if not (value.isascii() and value.isdigit()):
            raise Refused(_("A code has digits only."), _("Copy it from the sheet of codes."))
        if len(value) not in lengths:
            raise Refused(
                _("The code has %(n)s digits.") % {"n": len(value)},
                _("Write all %(lengths)s digits.") % {"lengths": allowed},
            )
        return value

    return Kind(parse)


def whole_number(least: int, most: int) -> Kind:
    """A whole number from ``least`` to ``most``."""

    def parse(value: str) -> int:
        if not re.fullmatch(r"-?\d{1,9}", value, re.ASCII) or not least <= int(value) <= most:
            remedy = _("Write a whole number from %(least)s to %(most)s.")
            raise Refused(_("This number cannot be."), remedy % {"least": least, "most": most})
        return int(value)

    return Kind(parse)


def choice(choices: Sequence[tuple[str, Any]]) -> Kind:
    """One of (value, word); words are taken in every language of the house, and values."""
    options = tuple((str(value), word) for value, word in choices)
    known: dict[str, str] = {}
    for value, word in options:
        known |= {squeezed(name): value for name in (*in_every_language(word), value)}

    def parse(value: str) -> str:
        found = known.get(squeezed(value))
        if found is None:
            words = "、".join(str(word) for _value, word in options[:15])
            raise Refused(
                _("This word is not on the list."),
                _("Choose from the drop-down list: %(words)s.") % {"words": words},
            )
        return found

    return Kind(parse, plain=False, choices=options)


_DATE = re.compile(r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?(?:T?00:00(?::00)?)?")


def _parse_date(value: str) -> date:
    found = _DATE.fullmatch(value)
    try:
        if found:
            return date(*map(int, found.groups()))
        if re.fullmatch(r"\d{8}", value, re.ASCII):
            return datetime.strptime(value, "%Y%m%d").date()  # noqa: DTZ007  a day has no zone
    except ValueError:
        pass
    raise Refused(_("This is not a date."), _("Write it like 2026-03-01."))


DATE = Kind(_parse_date)
_MOMENT = re.compile(
    r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?"
    r"(?:[T ]*(\d{1,2})[:时点](\d{1,2})?(?:[:分](\d{1,2})?(?:\.\d+)?)?秒?)?"
)


def moment(*, last: bool) -> Kind:
    """A time of this country; a bare day is its first moment, or its ``last`` second."""

    def parse(value: str) -> datetime:
        found = _MOMENT.fullmatch(unicodedata.normalize("NFKC", value).strip())
        try:
            if found:
                numbers = [int(part) if part else 0 for part in found.groups()]
                if found[4] is None and last:
                    numbers[3:] = [23, 59, 59]
                return make_aware(datetime(*numbers))  # type: ignore[arg-type]  # noqa: DTZ001
        except ValueError:
            pass
        raise Refused(_("This is not a time."), _("Write it like 2026-03-01 18:00."))

    return Kind(parse, plain=False)


def _parse_phone(value: str) -> str:
    try:
        return plain_phone(value)
    except PhoneError as error:
        raise Refused(error.problem, error.remedy) from error


def _parse_id_number(value: str) -> str:
    try:
        return check_id_number(value)
    except IdNumberError as error:
        raise Refused(error.problem, error.remedy) from error


PHONE = Kind(_parse_phone)
ID_NUMBER = Kind(_parse_id_number)


@lru_cache(maxsize=512)
def letter(index: int) -> str:
    """Return the letters of a column counted from 0.

    >>> letter(0), letter(27)
    ('A', 'AB')
    """
    name = ""
    index += 1
    while index:
        index, rest = divmod(index - 1, 26)
        name = chr(65 + rest) + name
    return name


def headings(columns: Sequence[Column]) -> list[str]:
    """Return the headings in the reader's language."""
    return [gettext(str(column.heading)) for column in columns]
