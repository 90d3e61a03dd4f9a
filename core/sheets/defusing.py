"""Texts that a spreadsheet program would take for a formula, made harmless and made whole again."""

from typing import Any

# What a program may take for the beginning of a formula, or of a cell of its own.
_DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def defused(value: Any) -> str:
    """Return a text no spreadsheet program takes for a formula (OWASP: CSV injection).

    >>> defused("=HYPERLINK(1)")
    "'=HYPERLINK(1)"
    """
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_DANGEROUS) else text


def undefused(text: str) -> str:
    """Return what :func:`defused` was given, so that a list sent out can come back.

    >>> undefused("'-1")
    '-1'
    """
    return text[1:] if text.startswith("'") and text[1:].startswith(_DANGEROUS) else text
