"""The bar at the foot of a worker's phone: pages each floor puts into it in AppConfig.ready.

What lives here: the registry. What must not: the pages.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from django.urls import reverse


@dataclass(frozen=True)
class Tab:
    """A page of the bar, in order of ``rank``; ``roles`` may open it, all when it is empty."""

    url_name: str
    label: Any
    icon: str
    rank: int
    roles: frozenset[str] = frozenset()


_tabs: dict[str, Tab] = {}


def register(tab: Tab) -> None:
    """Add a tab; a second one of the same URL name replaces the first."""
    _tabs[tab.url_name] = tab


def phone_tabs(active: str, roles: Collection[str]) -> list[dict[str, Any]]:
    """Return the bar for people in ``roles``, in the shape of base_phone.html."""
    mine = [tab for tab in _tabs.values() if not tab.roles or not tab.roles.isdisjoint(roles)]
    return [
        {
            "url": reverse(tab.url_name),
            "label": tab.label,
            "icon": tab.icon,
            "active": tab.url_name == active,
        }
        for tab in sorted(mine, key=lambda tab: tab.rank)
    ]
