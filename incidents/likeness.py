"""How like two reports are: by place, by time, by words. Pure; docs/decisions has the reasons.

``likeness = place × time × matter``, each from 0 to 1, the same from both sides, and 1 for a report
beside itself. What must not live here: which cases are compared (queries/twins.py).
"""

from collections.abc import Set
from dataclasses import dataclass
from datetime import datetime
from math import cos, hypot, radians

from core.text import bigrams

# From here on two reports are likely one matter.
LIKELY = 0.35

METRES_PER_DEGREE = 111_320
# So near is the same place; from FAR on it is another.
SAME_METRES = 50
FAR_METRES = 800
# Where one of the two has no point: the same words for the spot, the same grid, the same village.
SAME_SPOT, SAME_GRID, SAME_VILLAGE = 1.0, 0.85, 0.6
# After so many days a report counts half.
HALF_LIFE_DAYS = 30
# What words alone say where the items are the same, and how much they still say where not.
SAME_ITEM = 0.3
OTHER_ITEM = 0.5

# What stands in reports of whatever matter says nothing of which.
COMMON = frozenset(
    bigrams(
        "您好 你好 谢谢 请问 希望领导尽快解决这个问题 请有关部门尽快处理 麻烦帮忙看看 "
        "反映情况 反应一下 我们村里 我家 这里 那里 有个 有人 没有 门口 旁边 附近 "
        "小区居民 老百姓 村民出行生活 影响非常严重 没人管 没人修 没人清 没人来管 一直 "
        "经常 已经好几天了 三天没人 两天了 多天 很长时间 个月了 现在 不能 可以 怎么 "
        "什么"
    )
)


@dataclass(frozen=True)
class Matter:
    """What is compared of a report. ``words`` are bigrams, ``lon`` and ``lat`` degrees or None."""

    words: Set[str]
    at: datetime
    category_id: int | None = None
    village_id: int | None = None
    grid_id: int | None = None
    address: str = ""
    lon: float | None = None
    lat: float | None = None


def likeness(one: Matter, other: Matter) -> float:
    """Return how likely the two are one matter, 0 to 1.

    >>> from datetime import UTC
    >>> at = datetime(2026, 5, 6, tzinfo=UTC)
    >>> lamp = Matter(frozenset(bigrams("路灯不亮")), at, grid_id=7)
    >>> likeness(lamp, lamp)
    1.0
    """
    if one == other:
        return 1.0
    where = place(one, other)
    return where and where * time(one, other) * matter(one, other)


def place(one: Matter, other: Matter) -> float:
    """Return how near the two are: 1 within 50 m, 0 from 800 m on; by names without points."""
    points = (one.lon, one.lat, other.lon, other.lat)
    if None not in points:
        away = metres(*points)  # type: ignore[arg-type]
        return min(1.0, max(0.0, (FAR_METRES - away) / (FAR_METRES - SAME_METRES)))
    if one.grid_id is not None and one.grid_id == other.grid_id:
        return SAME_SPOT if one.address and one.address == other.address else SAME_GRID
    if one.village_id is not None and one.village_id == other.village_id:
        return SAME_VILLAGE
    return 0.0


def metres(lon: float, lat: float, other_lon: float, other_lat: float) -> float:
    """Return the distance of two points of one county in metres."""
    east = (lon - other_lon) * cos(radians((lat + other_lat) / 2))
    return hypot(east, lat - other_lat) * METRES_PER_DEGREE


def time(one: Matter, other: Matter) -> float:
    """Return 1 for the same moment, half of it for every 30 days between the two."""
    return 0.5 ** (abs((one.at - other.at).total_seconds()) / 86400 / HALF_LIFE_DAYS)


def matter(one: Matter, other: Matter) -> float:
    """Return how like the words are, helped by the same item and held back by another."""
    said = text(one.words, other.words)
    if one.category_id is None or other.category_id is None:
        return said
    if one.category_id == other.category_id:
        return SAME_ITEM + (1 - SAME_ITEM) * said
    return OTHER_ITEM * said


def text(one: Set[str], other: Set[str]) -> float:
    """Return the share of character pairs two texts have in common (Dice), 0 to 1.

    Pairs that stand in reports of whatever matter count only where there are no others.

    >>> round(text(set(bigrams("村口垃圾没人清")), set(bigrams("村口的垃圾没人管"))), 2)
    0.67
    """
    own, others = one - COMMON, other - COMMON
    if not own or not others:
        own, others = one, other
    total = len(own) + len(others)
    return 2 * len(own & others) / total if total else 0.0
