"""Answers that may be a few seconds old, shared by all processes through the cache."""

from collections.abc import Callable
from typing import TypeVar, cast

from django.core.cache import cache

T = TypeVar("T")


def kept(key: str, read: Callable[[], T], seconds: int) -> T:
    """Return what ``read`` answered under ``key`` at most ``seconds`` ago, asking it if need be."""
    return cast(T, cache.get_or_set(key, read, seconds))
