"""The words of a list of choices, in the reader's language.

Django's ``get_…_display`` translates every word of the list for each call; a page of fifty rows
calls it two hundred times.
"""

from functools import lru_cache

from django.db.models import Choices
from django.utils.translation import get_language


def labels(choices: type[Choices]) -> dict[object, str]:
    """Return {value: word} of ``choices`` in the language now spoken; "" for no value."""
    return _labels(choices, get_language())


@lru_cache(maxsize=128)
def _labels(choices: type[Choices], _language: str | None) -> dict[object, str]:
    return {"": "", **{value: str(label) for value, label in choices.choices}}
