"""What goes along when areas move or merge: the list of followers, which each floor fills.

What lives here: the registry. What must not: moving areas (services/reshaping.py,
services/reorganisation.py), when rows follow (services/following.py) and rows of the floors above.

An act that changes the tree hands over ``areas``: {id of an area as it was: id of the area that
stands for it now}. An area that only has another parent maps to itself; one that was merged maps
to the area that took it in. Everything below a moved area is named too. A follower finds its
rows by their deepest area among the keys and gives them the value, together with the ids of
county, town, village, grid and unit above it (``grids.queries.places_of_areas`` reads them from
the tree as it stands after the act). Open and past rows follow alike; figures stay with the
area they were counted for. Following twice changes nothing more.

    moves.register(
        "incidents",
        labels={"open": _("Open cases"), "past": _("Past cases")},
        count=count_rows,   # (areas) -> {"open": 3, "past": 41}; before the act, for a dry run
        follow=follow_rows, # (areas, on=day, actor=user) -> the same; after it, in its transaction
    )

A follower may say more: how its rows are locked (``hold``), listed (``rows``), shared out among
the parts of an area (``scatter``), told of a new name (``tell``), and brought along after the act
where they are too many for it (``trail``, ``waiting``).
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Protocol

Areas = Mapping[int, int]
# {area id: (what it was called, what it is called now)}, each name and code.
Renamed = Mapping[int, tuple[str, str]]


def only_merged(areas: Areas) -> dict[int, int]:
    """Return those of ``areas`` that another stands for now."""
    return {old: new for old, new in areas.items() if old != new}


class Count(Protocol):
    """Says how many rows of each kind would follow; changes nothing."""

    def __call__(self, areas: Areas) -> dict[str, int]: ...


class Follow(Protocol):
    """Lets the rows follow; the tree has already changed, its lock is held.

    ``on`` is the first day of the new order, ``actor`` who ordered it (None is the system).
    """

    def __call__(self, areas: Areas, *, on: date, actor: Any) -> dict[str, int]: ...


class Hold(Protocol):
    """Locks the rows that will follow, and those in ``told`` that will be told of a new name.

    With ``later`` past rows may be put on a list instead, to follow after the act.
    """

    def __call__(self, areas: Areas, *, told: Collection[int], later: bool) -> None: ...


class Scatter(Protocol):
    """Gives rows right in ``area`` whose point lies in one of ``parts`` to that part.

    ``parts`` are grids or units just made out of its land. Returns how many of each kind went.
    """

    def __call__(self, area: int, parts: Sequence[int]) -> dict[str, int]: ...


Rows = Callable[[str, Areas, Any, int], list[tuple[str, str]]]
# A list of what would follow is no longer than this.
ROWS_SHOWN = 200


@dataclass(frozen=True)
class Tally:
    """One line of a dry run: ``label`` is a lazy translation."""

    key: str
    label: Any
    n: int


@dataclass(frozen=True)
class _Follower:
    labels: Mapping[str, Any]
    count: Count
    follow: Follow
    hold: Hold | None = None
    rows: Rows | None = None
    scatter: Scatter | None = None
    tell: Callable[[Renamed], int] | None = None
    trail: Callable[[int], int] | None = None
    waiting: Callable[[], int] | None = None


_followers: dict[str, _Follower] = {}


def register(name: str, **said: Any) -> None:
    """Add a follower with the fields of ``_Follower``; one of the same name replaces the first."""
    _followers[name] = _Follower(**said)


def counts(areas: Areas) -> list[Tally]:
    """Return what would follow, kind by kind, zeros included, in order of registration."""
    return [
        Tally(f"{name}:{kind}", label, found.get(kind, 0))
        for name, follower in _followers.items()
        for found in [follower.count(areas)]
        for kind, label in follower.labels.items()
    ]


def labels() -> dict[str, Any]:
    """Return {"name:kind": label} of all that may follow, in order of registration."""
    return {
        f"{name}:{kind}": label
        for name, follower in _followers.items()
        for kind, label in follower.labels.items()
    }


def has_rows(key: str) -> bool:
    """Return whether the rows behind a line of a dry run can be listed."""
    follower = _followers.get(key.partition(":")[0])
    return follower is not None and follower.rows is not None


def rows(key: str, areas: Areas, *, user: Any) -> list[tuple[str, str]] | None:
    """Return (text, address) of the rows behind ``key`` that ``user`` may see; None for no list.

    At most ROWS_SHOWN.
    """
    name, _colon, kind = key.partition(":")
    follower = _followers.get(name)
    if follower is None or follower.rows is None or kind not in follower.labels:
        return None
    return follower.rows(kind, areas, user, ROWS_SHOWN)


def hold(areas: Areas, *, told: Collection[int] = (), later: bool = False) -> None:
    """Lock the rows that will follow, before the tree is touched; see :class:`Hold`.

    A step on a case needs both its row and, for its foreign keys, the areas: whoever took the
    areas first would wait for its row while it waits for them.
    """
    for follower in _followers.values():
        if follower.hold is not None:
            follower.hold(areas, told=told, later=later)


def follow(areas: Areas, *, on: date, actor: Any) -> dict[str, int]:
    """Let every follower's rows follow; return {"name:kind": number} for the audit entry."""
    return {
        f"{name}:{kind}": n
        for name, follower in _followers.items()
        for kind, n in follower.follow(areas, on=on, actor=actor).items()
    }


def scatter(area: int, parts: Sequence[int]) -> dict[str, int]:
    """Give rows right in ``area`` to the part their point lies in; {"name:kind": number}."""
    return {
        f"{name}:{kind}": n
        for name, follower in _followers.items()
        if follower.scatter is not None
        for kind, n in follower.scatter(area, parts).items()
    }


def tell(renamed: Renamed) -> int:
    """Tell the rows in these areas that they have another name or code; return how many."""
    asked = [follower.tell for follower in _followers.values() if follower.tell is not None]
    return sum(ask(renamed) for ask in asked) if renamed else 0


def trail(most: int) -> int:
    """Bring up to ``most`` rows of each follower along that could not at once; return how many."""
    asked = [follower.trail for follower in _followers.values() if follower.trail is not None]
    return sum(ask(most) for ask in asked)


def waiting() -> int:
    """Return how many rows still have to follow an act."""
    asked = [follower.waiting for follower in _followers.values() if follower.waiting is not None]
    return sum(ask() for ask in asked)
