"""The desks people work at, by role; each floor registers its own in AppConfig.ready.

What lives here: the registry. What must not: the desks' pages.
"""

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.urls import NoReverseMatch, reverse


@dataclass(frozen=True)
class Desk:
    """A working page: ``label`` is a lazy translation, ``icon`` a Tabler icon's name.

    Desks stand in order of ``rank``; the first one open to a person is where they land.
    """

    url_name: str
    label: Any
    icon: str
    roles: frozenset[str]
    rank: int = 50

    @cached_property
    def url(self) -> str:
        """The address; "" while no view answers to the name."""
        try:
            return reverse(self.url_name)
        except NoReverseMatch:
            return ""


_desks: dict[str, Desk] = {}


def register(desk: Desk) -> None:
    """Add a desk; a second one of the same URL name replaces the first."""
    _desks[desk.url_name] = desk


def desks_for(roles: Collection[str]) -> list[Desk]:
    """Return the desks open to people with any of ``roles``, in order."""
    mine = [desk for desk in _desks.values() if not desk.roles.isdisjoint(roles) and desk.url]
    return sorted(mine, key=lambda desk: desk.rank)
