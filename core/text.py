"""Text made ready for search: Chinese as two-character words, everything else whole.

What lives here: the one way texts and queries are cut. What must not: the tables that store it.
"""

import re
import unicodedata

_HAN = r"\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
# What a column of words holds of one.
WORD_LIMIT = 40
_RUNS = re.compile(rf"[{_HAN}]+|[^\W_{_HAN}]+")
_IS_HAN = re.compile(rf"[{_HAN}]")


def normalise(text: str) -> str:
    """Return the text in NFKC and lower case, with single spaces.

    >>> normalise("  ＡＢＣ  １２３ 路灯 ")
    'abc 123 路灯'
    """
    return " ".join(unicodedata.normalize("NFKC", text).lower().split())


def bigrams(text: str) -> list[str]:
    """Return the distinct search words of a text, in order of first appearance.

    A run of Chinese gives its character pairs, a Latin or digit word gives itself; a single
    Chinese character gives nothing. Of a word without end the beginning stands for all of it.

    >>> bigrams("3号楼路灯坏了 LED")
    ['3', '号楼', '楼路', '路灯', '灯坏', '坏了', 'led']
    """
    words: dict[str, None] = {}
    for run in _RUNS.findall(normalise(text)):
        if _IS_HAN.match(run):
            words.update((run[i : i + 2], None) for i in range(len(run) - 1))
        else:
            words[run[:WORD_LIMIT]] = None
    return list(words)


def search_terms(query: str) -> list[str]:
    """Return what a text's bigrams must contain to match; [] when there is nothing to search."""
    return bigrams(query)
