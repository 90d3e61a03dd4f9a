"""The areas of a county a text names.

What lives here: how people say a place's name, and which places the words may mean. What must
not: points (places.py), and taking what was read for true: that is for the caller.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from core.kept import remembered
from grids.models import Area, GridKind, Level
from grids.queries.places import Place, place_of_area

# Endings people leave out when they say where something is.
_SPOKEN_ENDINGS = ("村民委员会", "居民委员会", "社区居委会", "街道办事处", "村委会", "居委会")

# Names change by import, seldom; seconds. Grids are many and only looked for in the background.
NAMES_KEPT = 60
GRIDS_KEPT = 600
CANDIDATES = 5


def spoken_names(name: str) -> list[str]:
    """Return the ways people say an area's name.

    >>> spoken_names("大史庄村民委员会")
    ['大史庄村民委员会', '大史庄村', '大史庄']
    """
    for ending in _SPOKEN_ENDINGS:
        if name.endswith(ending) and len(name) - len(ending) >= 2:
            stem = name.removesuffix(ending)
            return [name, f"{stem}社区" if ending.startswith("社区") else f"{stem}村", stem]
    return [name]


class _Named(NamedTuple):
    """An area that can be named in a text. A weak name says nothing unless its village is meant."""

    pk: int
    path: str
    level: str
    name: str
    names: tuple[str, ...]
    weak: bool = False


def _named_areas(county: Area) -> list[_Named]:
    def read() -> list[_Named]:
        found = (
            Area.objects.open()
            .filter(path__startswith=county.path, level__in=[Level.TOWN, Level.VILLAGE])
            .values_list("pk", "path", "level", "name")
        )
        return [
            _Named(pk, path, level, name, tuple(spoken_names(name)))
            for pk, path, level, name in found
        ]

    return remembered(f"places:names:{county.pk}", read, NAMES_KEPT)


def place_of_text(text: str, *, county: Area, inside: Area | None = None) -> Place | None:
    """Return the most precise area of ``county`` that ``text`` names without doubt, else None.

    Towns are looked for first; a village name counts when it is unique inside
    the towns named, or unique in the whole county. Two candidates are no answer:
    names repeat, and a wrong village is worse than the town alone. ``inside`` is an
    area known already: only what lies below it is an answer, and of several of one name
    the one there. Names may be up to a minute old.
    """
    if len(text.strip()) < 2:
        return None
    named = [
        (row, size)
        for row in _named_areas(county)
        if (size := max((len(name) for name in row.names if name in text), default=0))
    ]
    towns = [row for row, _size in named if row.level == Level.TOWN]
    villages = [(row, size) for row, size in named if row.level == Level.VILLAGE]
    if towns:
        villages = [(v, s) for v, s in villages if any(v.path.startswith(t.path) for t in towns)]
    longest = max((size for _village, size in villages), default=0)
    known = inside or county
    for found in ([village for village, size in villages if size == longest], towns):
        below = [row for row in found if row.path != known.path and row.path.startswith(known.path)]
        if len(below) == 1:
            return _place_of_named(below[0])
    return None


def _place_of_named(row: _Named) -> Place | None:
    area = Area.objects.filter(pk=row.pk).only("pk", "path").first()
    return place_of_area(area, found_by="address") if area else None


# ---------- candidates


@dataclass(frozen=True)
class Candidate:
    """A place a text may mean.

    ``ids`` and ``names`` go from the town down to the area itself; ``said`` are the words that
    name it and ``end`` where they end; ``near`` says that the reporter's point is in its town.
    """

    area_id: int
    level: str
    ids: tuple[int, ...]
    names: tuple[str, ...]
    said: str
    end: int
    near: bool


class _Hit(NamedTuple):
    start: int
    end: int
    row: _Named


class _Gazetteer(NamedTuple):
    """``names`` by their first two characters; ``above`` are the towns and villages by path."""

    names: dict[str, list[tuple[str, _Named]]]
    above: dict[str, _Named]


def candidates(
    text: str, *, county: Area, near: Place | None = None, limit: int = CANDIDATES
) -> list[Candidate]:
    """Return the towns, villages and grids a text may mean, likeliest first (no query).

    Names repeat: those in a town the text names come first, then those around ``near``. A grid
    stands for its village, a village for its town. The names may be some minutes old; a name
    inside a longer one (杏林村 in 新杏林村) is not meant.
    """
    book = _gazetteer(county)
    hits = _longest(_hits(text, book.names))
    best: dict[int, _Hit] = {}
    for hit in hits:
        known = best.get(hit.row.pk)
        if known is None or hit.end - hit.start > known.end - known.start:
            best[hit.row.pk] = hit
    found = _meant(best.values(), _Near.of(near, book))
    return [
        _candidate(hit, text[hit.start : hit.end], book, near=is_near)
        for hit, is_near in found[:limit]
    ]


class _Near(NamedTuple):
    town: str = "-"
    village: str = "-"

    @classmethod
    def of(cls, near: Place | None, book: _Gazetteer) -> "_Near":
        if near is None:
            return cls()
        paths = {row.pk: path for path, row in book.above.items()}
        return cls(
            paths.get(near.town_id or 0, "-"),
            paths.get(near.village_id or 0, "-"),
        )


def _gazetteer(county: Area) -> _Gazetteer:
    def read() -> _Gazetteer:
        rows = _named_areas(county)
        names: dict[str, list[tuple[str, _Named]]] = {}
        for row in [*rows, *_named_grids(county)]:
            for name in row.names:
                names.setdefault(name[:2], []).append((name, row))
        return _Gazetteer(names, {row.path: row for row in rows})

    return remembered(f"places:gazetteer:{county.pk}", read, GRIDS_KEPT)


_IN_BRACKETS = re.compile(r"（(.{2,})）")
_NUMBERED = re.compile(r"第?[0-9一二三四五六七八九十]+")
# A name as long as this is said for itself alone.
_STRONG = 4


def _named_grids(county: Area) -> list[_Named]:
    rows = (
        Area.objects.open()
        .filter(path__startswith=county.path, level=Level.GRID)
        .values_list("pk", "path", "level", "name", "grid_kind", "organisation")
    )
    found = []
    for pk, path, level, name, kind, organisation in rows:
        inside = _IN_BRACKETS.search(name)
        bare = inside[1] if inside else name.removesuffix("网格").removesuffix("专属")
        said = organisation if kind == GridKind.DEDICATED and organisation else bare
        if len(said) >= 2 and not _NUMBERED.fullmatch(said):
            weak = kind == GridKind.RURAL or len(said) < _STRONG
            found.append(_Named(pk, path, level, name, (said,), weak))
    return found


def _hits(text: str, names: dict[str, list[tuple[str, _Named]]]) -> list[_Hit]:
    return [
        _Hit(at, at + len(name), row)
        for at in range(len(text) - 1)
        for name, row in names.get(text[at : at + 2], ())
        if text.startswith(name, at)
    ]


def _longest(hits: list[_Hit]) -> list[_Hit]:
    """Leave out what is said only as a part of a longer name."""
    spans = {(hit.start, hit.end) for hit in hits}

    def inside(hit: _Hit) -> bool:
        return any(
            a <= hit.start and hit.end <= b and b - a > hit.end - hit.start for a, b in spans
        )

    return [hit for hit in hits if not inside(hit)]


def _meant(hits: Iterable[_Hit], near: _Near) -> list[tuple[_Hit, bool]]:
    """Return the hits that may be meant, likeliest first, and whether each is near."""
    by_level: dict[str, list[_Hit]] = {Level.TOWN: [], Level.VILLAGE: [], Level.GRID: []}
    for hit in hits:
        by_level[hit.row.level].append(hit)
    towns = [hit.row.path for hit in by_level[Level.TOWN]]
    villages = _inside(by_level[Level.VILLAGE], towns)
    # Two characters are part of many a word: alone they are a place only where one is expected.
    villages = [
        hit
        for hit in villages
        if hit.end - hit.start > 2 or hit.row.path.startswith((*towns, near.town))
    ]
    grids = [
        hit
        for hit in _inside(by_level[Level.GRID], [hit.row.path for hit in villages] or towns)
        if not hit.row.weak
        or hit.row.path.startswith((near.village, *(village.row.path for village in villages)))
    ]
    villages = [v for v in villages if not any(g.row.path.startswith(v.row.path) for g in grids)]
    deep = villages + grids
    shallow = [
        hit
        for hit in by_level[Level.TOWN]
        if not any(other.row.path.startswith(hit.row.path) for other in deep)
    ]

    def rank(hit: _Hit) -> tuple[Any, ...]:
        path = hit.row.path
        return (
            not path.startswith((*towns, "-")),
            not path.startswith(near.village),
            not path.startswith(near.town),
            hit.start - hit.end,
            path,
        )

    return [(hit, hit.row.path.startswith(near.town)) for hit in sorted(deep + shallow, key=rank)]


def _inside(hits: list[_Hit], paths: list[str]) -> list[_Hit]:
    """Return the hits below one of ``paths``; all of them when none is."""
    below = [hit for hit in hits if hit.row.path.startswith(tuple(paths))] if paths else []
    return below or hits


def _candidate(hit: _Hit, said: str, book: _Gazetteer, *, near: bool) -> Candidate:
    row, step = hit.row, Area.steplen
    lengths = range(step, len(row.path), step)
    above = [book.above[row.path[:n]] for n in lengths if row.path[:n] in book.above]
    line = [*above, row]
    return Candidate(
        area_id=row.pk,
        level=row.level,
        ids=tuple(area.pk for area in line),
        names=tuple(area.name for area in line),
        said=said,
        end=hit.end,
        near=near,
    )
