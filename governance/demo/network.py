"""The demo county's alliance grids, and the themes merged into its grids with their people.

All invented. Who answers for a theme stands in the line of the grid: its chief, a worker, the
village office.
"""

from collections.abc import Callable
from datetime import timedelta
from random import Random

from django.utils import timezone

from governance.demo.people import People
from grids.models import (
    AllianceGrid,
    AllianceVillage,
    Area,
    GridTheme,
    Level,
    Role,
    ThemeDuty,
)

ALLIANCES = 18
# Every grid of the first towns, every fifth of the rest.
TOWNS_WHOLE, EVERY = 3, 5
THEMES_OF_A_GRID = (3, 5)
_PURPOSES = [
    "共管沟渠、道路和垃圾清运，轮流值守",
    "联合巡防，共用一支调解队伍",
    "连片种植，统一灌溉和用水调度",
    "共建养老助餐点，互派志愿者",
]


def build_network(county: Area, people: People, *, progress: Callable[[int], object]) -> None:
    """Ally neighbouring villages and give grids their themes."""
    rng, today = Random("network"), timezone.localdate()
    areas = Area.objects.open().filter(path__startswith=county.path)
    villages: dict[str, list[Area]] = {}
    for village in areas.filter(level=Level.VILLAGE).only("pk", "path", "name"):
        villages.setdefault(village.path[: -Area.steplen], []).append(village)
    for home in sorted(villages)[:ALLIANCES]:
        beside = villages[home][: rng.randint(2, 4)]
        if len(beside) < 2:
            continue
        stem = beside[0].name.removesuffix("村民委员会").removesuffix("社区居民委员会")
        alliance = AllianceGrid.objects.create(
            name=f"{stem}片区联村网格",
            purpose=rng.choice(_PURPOSES),
            lead=beside[0],
            valid_from=today - timedelta(days=rng.randint(100, 700)),
        )
        AllianceVillage.objects.bulk_create(
            AllianceVillage(alliance=alliance, village=village) for village in beside
        )
        progress(1)
    _give_themes(rng, villages, people, progress)


def _give_themes(
    rng: Random,
    villages: dict[str, list[Area]],
    people: People,
    progress: Callable[[int], object],
) -> None:
    themes = list(GridTheme.objects.filter(active=True))
    village_of = {village.path: village for beside in villages.values() for village in beside}
    whole = tuple(sorted(villages)[:TOWNS_WHOLE])
    grids = Area.objects.open().filter(level=Level.GRID).only("pk", "path")
    since = timezone.localdate() - timedelta(days=200)
    duties = []
    for number, grid in enumerate(grids):
        village = village_of.get(grid.path[: -Area.steplen])
        if village is None or (number % EVERY and not grid.path.startswith(whole)):
            continue
        near = [
            *people.at.get((Role.GRID_CHIEF, grid.pk), []),
            *people.at.get((Role.GRID_WORKER, grid.pk), []),
            *people.at.get((Role.VILLAGE_OFFICE, village.pk), []),
        ]
        chosen = rng.sample(themes, min(rng.randint(*THEMES_OF_A_GRID), len(themes)))
        duties += [
            ThemeDuty(grid=grid, theme=theme, user=rng.choice(near), valid_from=since)
            for theme in chosen
            if near
        ]
    ThemeDuty.objects.bulk_create(duties, batch_size=1000)
    progress(len(duties))
