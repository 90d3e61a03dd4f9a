"""Chinese ID numbers (GB 11643): what can be one.

What must not live here: masking (masking.py) and storing them (fields.py).
"""

import re
from datetime import date
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext_lazy as _

# First two digits: provinces as GB/T 2260 numbers them, and 83 for Taiwan residents' permits.
_PROVINCES = re.compile(r"1[1-5]|2[1-3]|3[1-7]|4[1-6]|5[0-4]|6[1-5]|71|8[1-3]")
_WEIGHTS = [2 ** (17 - place) % 11 for place in range(17)]
_CHECKS = "10X98765432"


class IdNumberError(ValueError):
    """A text that cannot be an ID number, with what to do about it."""

    def __init__(self, problem: Any, remedy: Any) -> None:
        super().__init__(problem, remedy)
        self.problem = problem
        self.remedy = remedy


def check_id_number(text: str) -> str:
    """Return the 18 characters of an ID number, the last in capitals; raises IdNumberError.

    Length, province, date of birth and check character (GB 11643, ISO 7064 MOD 11-2) are held.
    Of the area only the province: a number keeps the code its county had at birth, and hundreds
    of those were abolished since; a list of counties refuses people who exist.
    """
    number = text.strip().upper()
    compare = _("Compare it with the card; write 18 characters.")
    if re.fullmatch(r"\d{15}", number, re.ASCII):
        raise IdNumberError(
            _("An ID number of 15 digits is no longer valid."), _("Write the one of 18 characters.")
        )
    if not re.fullmatch(r"\d{17}[0-9X]", number, re.ASCII):
        raise IdNumberError(_("An ID number has 17 digits and a digit or X."), compare)
    if not _PROVINCES.match(number):
        raise IdNumberError(_("No province's number begins with these two digits."), compare)
    if not _is_birthday(number[6:14]):
        raise IdNumberError(_("The date of birth in it cannot be."), compare)
    if check_character(number[:17]) != number[17]:
        raise IdNumberError(_("Its last character does not fit the others."), compare)
    return number


def check_character(first: str) -> str:
    """Return the last character for the first 17 digits.

    >>> check_character("41990119900101001")
    '8'
    """
    total = sum(int(digit) * weight for digit, weight in zip(first, _WEIGHTS, strict=True))
    return _CHECKS[total % 11]


def _is_birthday(text: str) -> bool:
    try:
        day = date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        return False
    return day.year >= 1890 and day <= timezone.localdate()
