"""Telephone numbers as people write them, made one way.

What must not live here: masking (masking.py) and storing them (fields.py).
"""

import re
import unicodedata
from typing import Any

import phonenumbers
from django.utils.translation import gettext_lazy as _


class PhoneError(ValueError):
    """A text that cannot be a telephone number, with what to do about it."""

    def __init__(self, problem: Any, remedy: Any) -> None:
        super().__init__(problem, remedy)
        self.problem = problem
        self.remedy = remedy


def plain_phone(text: str) -> str:
    """Return a mobile number as 11 digits, a landline as 0371-12345678; raises PhoneError.

    >>> plain_phone("+86 199-0000-1234")
    '19900001234'
    """
    written = re.sub(r"[\s()-]", "", unicodedata.normalize("NFKC", text))
    digits = re.sub(r"^(\+86|0086|86(?=1\d{10}$))", "", written)
    remedy = _("Write a mobile number of 11 digits, or a landline with its area code.")
    if re.fullmatch(r"1\d+", digits, re.ASCII) and len(digits) != 11:
        raise PhoneError(
            _("A mobile number has 11 digits; this has %(n)s.") % {"n": len(digits)}, remedy
        )
    if re.fullmatch(r"1[3-9]\d{9}", digits, re.ASCII):
        return digits
    if re.fullmatch(r"0\d{9,11}", digits, re.ASCII):
        number = phonenumbers.parse(digits, "CN")
        if phonenumbers.is_valid_number(number):
            local = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.NATIONAL)
            return local.replace(" ", "-", 1).replace(" ", "")
    raise PhoneError(_("This is not a telephone number."), remedy)
