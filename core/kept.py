"""Answers that may be a few seconds old.

What must not live here: what is kept, and for how long.
"""

from collections.abc import Callable
from time import monotonic
from typing import Any, TypeVar, cast

from django.core.cache import cache

T = TypeVar("T")

# More answers than any process has reason to remember: then all are forgotten.
MOST = 2000
_here: dict[str, tuple[float, Any]] = {}


def kept(key: str, read: Callable[[], T], seconds: int) -> T:
    """Return what ``read`` answered under ``key`` at most ``seconds`` ago, asking it if need be.

    Shared by all processes through the cache.
    """
    return cast(T, cache.get_or_set(key, read, seconds))


def remembered(key: str, read: Callable[[], T], seconds: int) -> T:
    """Return what ``read`` answered in this process at most ``seconds`` ago.

    For names and choices that change by hand, seldom, and are asked several times a page. The
    answer is shared by threads: nobody may change it.
    """
    until, answer = _here.get(key, (0.0, None))
    if monotonic() < until:
        return cast(T, answer)
    answer = read()
    if len(_here) >= MOST:
        _here.clear()
    _here[key] = (monotonic() + seconds, answer)
    return answer


def forget_remembered() -> None:
    """Make this process ask again for everything it remembers."""
    _here.clear()
