"""Names kept in both languages, told in the reader's."""

from django.utils.translation import get_language


def told(chinese: str, english: str) -> str:
    """Return the Chinese name to a Chinese reader, else the English one; Chinese if there is none.

    >>> told("城管局", "")
    '城管局'
    """
    if (get_language() or "").startswith("zh"):
        return chinese
    return english or chinese
