"""What stands in the way of closing an area: the list of those to ask, which each floor fills.

What lives here: the registry. What must not: closing itself (services/reshaping.py).

    closing.register("incidents", obstacles)  # (area) -> ["3 open cases"], [] for none
"""

from collections.abc import Callable

from grids.models import Area

Obstacles = Callable[[Area], list[str]]

_asked: dict[str, Obstacles] = {}


def register(name: str, obstacles: Obstacles) -> None:
    """Ask ``obstacles`` before an area is closed; the same name again replaces it."""
    _asked[name] = obstacles


def obstacles(area: Area) -> list[str]:
    """Return what stands in the way, in words, in order of registration; [] for nothing."""
    return [reason for ask in _asked.values() for reason in ask(area)]
