"""The demo county's households: ten to a unit in the first 130 units, and three months of visits.

All invented. What lives here: who lives where, which care and links they have, how their visits
went. What must not: the rules of how often (grids' shipped ones and one of the town).
"""

from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta
from math import cos, hypot, radians
from random import Random
from uuid import UUID

import shapely
from django.contrib.gis.geos import Point
from django.utils import timezone

from core.crypto import blind_index
from governance.demo import names
from governance.demo.people import People
from grids.models import (
    Area,
    CareTag,
    Household,
    HouseholdCare,
    HouseholdLink,
    Level,
    Role,
    User,
    Visit,
    VisitRule,
)
from grids.queries import Place, places_of_areas
from grids.services.households import place_columns
from grids.services.visit_rules import recount

UNITS, PER_UNIT = 130, 10
DAYS_TOLD = 92
TOWN_EVERY = 30
# Share of households with the tag, how often it asks for a visit, and the reasons given.
CARE = {
    "living_alone": (
        0.07,
        7,
        ("八十二岁，子女在外务工，需帮忙买菜取药", "腿脚不便，遇雨雪要看看屋里"),
    ),
    "disabled": (0.04, 30, ("行动不便，出门需人陪同", "听力不好，办事需人帮忙说明")),
    "serious_illness": (0.03, 14, ("定期去县里看病，需要陪同", "需代取药品")),
    "left_behind_child": (0.04, 14, ("由祖父母照看，周末作业没人辅导", "假期需留意用水安全")),
    "hardship": (0.04, 30, ("家中只有一人挣工资", "已申请救助，正在办理")),
}
DIARIES = (
    "一切都好，家里有人照应。", "院里排水不畅，已提醒清沟。", "宣传了用电安全，查看了线路。",
    "老人精神很好，院里种了菜。", "说起村口路灯，夜里有些暗。", "秋收忙，约好下次晚上来。",
    "讲了防诈骗，没有接到可疑电话。", "问了医保缴费，已经交过。", "孩子放假，叮嘱不要下河。",
    "灶间堆柴多，帮着挪开了些。", "想参加镇里的技能培训，已登记。", "邻里相处都好，没有什么难处。",
)  # fmt: skip


def build_households(county: Area, people: People, *, progress: Callable[[int], object]) -> int:
    """Write households, care, links and visits; return how many households."""
    rng, today = Random("households"), timezone.localdate()
    units = list(Area.objects.inside(county).filter(level=Level.UNIT)[:UNITS])
    if not units:
        return 0
    places = places_of_areas(unit.pk for unit in units)
    town = Area.objects.get(pk=places[units[0].pk].town_id)
    VisitRule.objects.create(area=town, days=TOWN_EVERY, valid_from=today - timedelta(days=300))
    VisitRule.objects.update(applied_at=timezone.now(), valid_from=today - timedelta(days=300))
    households = [
        household for unit in units for household in _of_unit(rng, unit, places[unit.pk], today)
    ]
    Household.objects.bulk_create(households, batch_size=1000)
    care = _care(rng, households, today)
    HouseholdCare.objects.bulk_create(care, batch_size=1000)
    HouseholdLink.objects.bulk_create(_links(rng, households, people, today), batch_size=1000)
    every = dict.fromkeys((one.pk for one in households), TOWN_EVERY)
    for one in care:
        every[one.household_id] = min(every[one.household_id], CARE[one.tag.code][1])
    visits = _visits(rng, households, every, people, today)
    Visit.objects.bulk_create(visits, batch_size=1000)
    Household.objects.bulk_update(households, ["last_visited_on", "last_tried_on"], batch_size=500)
    recount([household.pk for household in households])
    progress(len(households))
    return len(households)


def _of_unit(rng: Random, unit: Area, place: Place, today: date) -> list[Household]:
    assert unit.boundary is not None
    shape = shapely.from_wkb(bytes(unit.boundary.wkb))
    first = int(unit.code[-2:]) * PER_UNIT - PER_UNIT + 1
    found = []
    for number in range(first, first + PER_UNIT):
        phone = names.phone_number(rng)
        found.append(
            Household(
                **place_columns(place),
                address=f"{number}号院",
                contact=names.person_name(rng),
                phone=phone,
                phone_index=blind_index(phone),
                people=rng.choice((1, 2, 2, 3, 3, 4, 4, 5, 6)),
                since=today - timedelta(days=rng.randint(120, 280)),
                location=_spot(rng, shape),
            )
        )
    return found


def _spot(rng: Random, shape: shapely.Geometry) -> Point:
    """Return a place inside the unit; its middle if chance finds none."""
    west, south, east, north = shape.bounds
    for _try in range(20):
        point = shapely.Point(rng.uniform(west, east), rng.uniform(south, north))
        if shape.contains(point):
            return Point(point.x, point.y, srid=4326)
    middle = shape.representative_point()
    return Point(middle.x, middle.y, srid=4326)


def _care(rng: Random, households: Sequence[Household], today: date) -> list[HouseholdCare]:
    tags = {tag.code: tag for tag in CareTag.objects.filter(code__in=CARE)}
    given = []
    for household in households:
        for code, (share, _every, reasons) in CARE.items():
            if rng.random() < share:
                review = today + timedelta(days=rng.randint(-12, 170))
                given.append(
                    HouseholdCare(
                        household=household,
                        tag=tags[code],
                        reason=rng.choice(reasons),
                        since=max(household.since, today - timedelta(days=150)),
                        review_on=review,
                    )
                )
                break
    return given


def _links(
    rng: Random, households: Sequence[Household], people: People, today: date
) -> list[HouseholdLink]:
    """Let most unit heads link five to eight of their own ten."""
    links = []
    for start in range(0, len(households), PER_UNIT):
        heads = people.at.get((Role.UNIT_HEAD, households[start].unit_id or 0), [])
        if not heads or rng.random() < 0.2:
            continue
        chosen = households[start : start + rng.randint(5, 8)]
        since = today - timedelta(days=rng.randint(30, 110))
        links += [
            HouseholdLink(member=heads[0], household=one, slot=slot, valid_from=since)
            for slot, one in enumerate(chosen, 1)
        ]
    return links


def _visits(
    rng: Random,
    households: Sequence[Household],
    every: dict[int, int],
    people: People,
    today: date,
) -> list[Visit]:
    """Tell three months: most visits on their day, some late, some doors closed at first."""
    visits: list[Visit] = []
    for start in range(0, len(households), PER_UNIT):
        late = rng.choice((0.05, 0.1, 0.1, 0.15, 0.3))
        for household in households[start : start + PER_UNIT]:
            visits += _told(rng, household, every[household.pk], late, people, today)
    return visits


def _told(
    rng: Random, household: Household, every: int, late: float, people: People, today: date
) -> list[Visit]:
    told: list[Visit] = []
    due = today - timedelta(days=DAYS_TOLD) + timedelta(days=rng.randrange(every))
    while True:
        delay = rng.randint(4, 25) if rng.random() < late else rng.randint(-2, 1)
        day = due + timedelta(days=delay)
        if day >= today:
            return told
        by = _visitor(rng, household, people)
        if rng.random() < 0.05:
            told.append(_visit(rng, household, by, day, due, met=False))
            day += timedelta(days=1)
            if day >= today:
                return told
        told.append(_visit(rng, household, by, day, due, met=True))
        household.last_visited_on = day
        due = day + timedelta(days=every)


def _visitor(rng: Random, household: Household, people: People) -> User:
    if household.unit_id and rng.random() < 0.6:
        heads = people.at.get((Role.UNIT_HEAD, household.unit_id))
        if heads:
            return heads[0]
    return people.any(rng, Role.GRID_WORKER, household.grid_id)


def _visit(
    rng: Random, household: Household, by: User, day: date, due: date, *, met: bool
) -> Visit:
    household.last_tried_on = day
    assert household.location is not None
    east, north = rng.gauss(0, 0.0002), rng.gauss(0, 0.0002)
    point = Point(household.location.x + east, household.location.y + north, srid=4326)
    shrink = cos(radians(household.location.y))
    moment = time(rng.randint(8, 18), rng.randrange(60))
    return Visit(
        key=UUID(int=rng.getrandbits(128), version=4),
        household=household,
        county_id=household.county_id,
        by=by,
        at=timezone.make_aware(datetime.combine(day, moment)),
        met=met,
        due_on=due,
        point=point,
        accuracy=rng.randint(5, 40),
        distance=round(hypot(east * shrink, north) * 111_320),
        diary=rng.choice(DIARIES) if met else "",
    )
