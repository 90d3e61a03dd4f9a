"""Masking personal data for the screen; the full value is shown only on a stated reason."""

import re

_FULL_WIDTH_DIGITS = str.maketrans("０１２３４５６７８９Ｘｘ", "0123456789Xx")
_ID_NUMBER = re.compile(r"(?<![0-9A-Za-z])(?:\d{17}[0-9Xx]|\d{15})(?![0-9A-Za-z])", re.ASCII)
# However it is broken up: 199 0000 1234, 1990 000 1234, 199.0000.1234.
_MOBILE = re.compile(
    r"(?<!\d)(?:\+?86[- ]?)?(1[3-9][-. ·]?\d)(?:[-. ·]?\d){4}[-. ·]?((?:\d[-. ·]?){3}\d)(?!\d)",
    re.ASCII,
)
_BROKEN = re.compile(r"[-. ·]")
_LANDLINE = re.compile(r"(?<!\d)(0\d{2,3})([- ]?)(\d{7,8})(?!\d)", re.ASCII)


def mask_name(name: str) -> str:
    """张小明 → 张**; the number of stars says nothing about the length.

    >>> mask_name("张小明")
    '张**'
    """
    name = name.strip()
    return f"{name[0]}**" if name else ""


def mask_phone(phone: str) -> str:
    """19900001234 → 199****1234; a short number loses all but its last two digits.

    >>> mask_phone("19900001234")
    '199****1234'
    """
    phone = phone.strip()
    if len(phone) >= 11:
        return f"{phone[:3]}****{phone[-4:]}"
    if len(phone) >= 7:
        return f"****{phone[-2:]}"
    return "****" if phone else ""


def mask_id(number: str) -> str:
    """Keep the first and last two characters of an ID number.

    >>> mask_id("410000199001010000")
    '41**************00'
    """
    number = number.strip()
    if len(number) <= 4:
        return "*" * len(number)
    return f"{number[:2]}{'*' * (len(number) - 4)}{number[-2:]}"


def mask_text(text: str) -> str:
    """Mask phone numbers and ID numbers written inside free text.

    >>> mask_text("请打19900001234找我")
    '请打199****1234找我'
    """
    text = text.translate(_FULL_WIDTH_DIGITS)
    text = _ID_NUMBER.sub(lambda match: mask_id(match[0]), text)
    text = _MOBILE.sub(lambda match: _BROKEN.sub("", f"{match[1]}****{match[2]}"), text)
    return _LANDLINE.sub(lambda match: f"{match[1]}****{match[3][-2:]}", text)
