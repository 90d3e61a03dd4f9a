"""The demo county's inspections: one with the figures a district once published (23 firms, 42
hazards, 37 put right at once, 5 by a day), one of street lamps that has just begun.

Written through the services, as the centre and its inspectors would; the pictures are drawn. What
must not live here: what a hazard becomes (incidents/services/hazards.py).
"""

import io
from collections.abc import Callable
from datetime import timedelta
from random import Random
from typing import Any
from uuid import UUID

from django.utils import timezone
from PIL import Image, ImageDraw

from governance.demo.people import People
from grids.models import Area, Department, Level, Posting, Role, User
from grids.queries import place_of_point
from incidents.models import Attachment, Category, Inspection, InspectionPlace
from incidents.services import hazards, inspections, photos, verification
from incidents.services.hazards import FoundHazard
from incidents.services.inspections import InspectionFields, ItemFields, PlaceFields
from incidents.workflow import Actor

FIRMS, HAZARDS = 23, 42
CLEAN = 4
LAMPS = 12
CHECKED_AGAIN = 30
# words, item of the catalogue, department, days, what is said, what was done
LINES = (
    ("灭火器过期或压力不足", "AQ-02", "YJ", 7, "两具压力表指针在红区", "当场更换合格灭火器"),
    (
        "安全出口堵塞、锁闭",
        "AQ-02",
        "YJ",
        3,
        "后门堆放纸箱，门从外面锁着",
        "纸箱搬走，门锁当场打开",
    ),
    ("电线私拉乱接", "AQ-01", "YJ", 15, "车间插线板串接，线皮破损", "拆除串接插线板，重新布线"),
    ("应急灯、疏散标志损坏", "AQ-02", "YJ", 7, "二楼楼梯口应急灯不亮", "更换应急灯并试亮"),
    ("危险品与杂物混放", "AQ-01", "YJ", 10, "油漆与包装纸箱放在一处", "油漆移入专用柜，挂上标识"),
    ("特种设备检验过期", "AQ-01", "SC", 30, "货梯检验标志已过期", "停用货梯并张贴告示"),
)
NAMES = (
    "丰禾面粉厂", "和顺木业", "兴旺超市", "永固建材", "鑫源纺织", "惠民加油站", "金秋食品厂",
    "宏达五金", "安康药房", "聚福园饭店", "新星塑料厂", "顺达物流", "百家乐商场", "春雨农资",
    "华美服装厂", "恒通机械", "正大饲料", "绿源纸箱厂", "福来宾馆", "德胜家具", "万和冷库",
    "同兴印刷", "长青烟花零售点",
)  # fmt: skip
ROADS = ("人民路", "振兴街", "工业路", "建设路", "迎宾大道")


def build_inspections(county: Area, people: People, *, progress: Callable[[int], object]) -> None:
    """Make both campaigns where the demonstration accounts work, and inspect the firms."""
    _firms_of_the_town(county, people, progress)
    _lamps_of_the_grid()


def _lamps_of_the_grid() -> None:
    """Let the town have the street lamps around the demonstration's worker looked at."""
    rng, today = Random("lamps"), timezone.localdate()
    posts = Posting.objects.select_related("area", "user")
    town = posts.get(user__username="town", role=Role.TOWN_ADMIN)
    worker = posts.filter(user__username="worker", role=Role.GRID_WORKER).first()
    assert town.area is not None
    assert worker is not None
    assert worker.area is not None
    admin = Actor.for_user(town.user)
    campaign = inspections.make_inspection(
        fields=InspectionFields(
            name="路灯照明排查",
            kind="lamp",
            about="入冬前把村内主路的路灯查一遍。",
            area=town.area,
            starts_on=today - timedelta(days=1),
            ends_on=today + timedelta(days=13),
            areas=[town.area],
            items=[
                ItemFields("灯不亮", Category.objects.get(code="SZ-01"), 5),
                ItemFields("灯杆倾斜、锈蚀", Category.objects.get(code="SZ-01"), 15),
            ],
        ),
        actor=admin,
    )
    centre = worker.area.centre
    for n in range(LAMPS):
        point: dict[str, Any] = {}
        if centre is not None:
            point = {
                "longitude": centre.x + rng.uniform(-0.0015, 0.0015),
                "latitude": centre.y + rng.uniform(-0.0012, 0.0012),
            }
        fields = PlaceFields(f"{n + 1:02}号路灯", "村内主路", worker.area, **point)
        inspections.add_place(inspection_id=campaign.pk, fields=fields, actor=admin)


def _firms_of_the_town(
    county: Area, people: People, progress: Callable[[int], object]
) -> Inspection:
    rng, today = Random("inspection"), timezone.localdate()
    seat = Posting.objects.select_related("area", "user").get(
        user__username="town", role=Role.TOWN_ADMIN
    )
    town, inspector = seat.area, seat.user
    assert town is not None
    centre = Actor.for_user(people.at[Role.COMMAND, county.pk][0])
    offices = {row.code: row for row in Department.objects.filter(county=county)}
    kinds = {row.code: row for row in Category.objects.all()}
    campaign = inspections.make_inspection(
        fields=InspectionFields(
            name="企业安全生产大检查",
            kind="firm",
            about="对重点企业和人员密集场所逐家检查，隐患能当场整改的当场整改，不能的限期整改。",
            area=county,
            starts_on=today - timedelta(days=9),
            ends_on=today + timedelta(days=21),
            areas=[town],
            departments=[offices["YJ"], offices["SC"]],
            items=[
                ItemFields(text, kinds[code], days, offices[office])
                for text, code, office, days, _said, _done in LINES
            ],
        ),
        actor=centre,
    )
    places = _firms(rng, campaign, town, centre)
    actor = Actor.for_user(inspector)
    for place in places[:CLEAN]:
        hazards.mark_clean(place_id=place.pk, actor=actor)
    found = _find(campaign, places[CLEAN:], inspector, actor, progress)
    for pk in found[:CHECKED_AGAIN]:
        verification.verify_pass(incident_id=pk, actor=centre, note="现场复核，整改到位。")
    return campaign


def _firms(rng: Random, campaign: Inspection, town: Area, actor: Actor) -> list[InspectionPlace]:
    villages = Area.objects.open().filter(path__startswith=town.path, level=Level.VILLAGE)
    around = [village for village in villages if village.centre is not None]
    places = []
    for n, name in enumerate(NAMES[:FIRMS]):
        village = around[n % len(around)]
        centre = village.centre
        assert centre is not None
        longitude = centre.x + rng.uniform(-0.004, 0.004)
        latitude = centre.y + rng.uniform(-0.003, 0.003)
        there = place_of_point(longitude=longitude, latitude=latitude)
        inside = there is not None and there.town_id == town.pk
        address = f"{ROADS[n % len(ROADS)]}{rng.randint(2, 180)}号"
        fields = (
            PlaceFields(name, address, None, longitude, latitude)
            if inside
            else PlaceFields(name, address, village)
        )
        places.append(inspections.add_place(inspection_id=campaign.pk, fields=fields, actor=actor))
    return places


def _find(
    campaign: Inspection,
    places: list[InspectionPlace],
    inspector: User,
    actor: Actor,
    progress: Callable[[int], object],
) -> list[int]:
    """Find 42 hazards, five of them not to be put right at once; return ids of the others."""
    items = list(campaign.items.all())
    drawn: dict[tuple[int, bool], Attachment] = {}
    fixed_ones = []
    for n in range(HAZARDS):
        line = n % len(LINES)
        _text, _code, _office, _days, said, done = LINES[line]
        fixed = n % 8 != 5
        sent = FoundHazard(
            place_id=places[n % len(places)].pk,
            item_id=items[line].pk,
            text=said,
            before=[_photo(drawn, inspector, line, good=False)],
            fixed=fixed,
            result=done if fixed else "",
            after=[_photo(drawn, inspector, line, good=True)] if fixed else [],
        )
        hazard, _new = hazards.record_hazard(sent=sent, actor=actor)
        if fixed:
            fixed_ones.append(hazard.incident_id)
        progress(1)
    return fixed_ones


def _photo(
    drawn: dict[tuple[int, bool], Attachment], inspector: User, line: int, *, good: bool
) -> UUID:
    """Return a draft of the picture of this line; each picture is drawn and cleaned once."""
    first = drawn.get((line, good))
    if first is None:
        picture = _picture(line, good=good)
        drawn[line, good] = photos.store_draft(file=picture, draft_key="", user=inspector)
        return drawn[line, good].pk
    again = Attachment(
        file=first.file.name,
        sha256=first.sha256,
        width=first.width,
        height=first.height,
        uploaded_by=inspector,
    )
    again.save()
    return again.pk


def _picture(line: int, *, good: bool) -> io.BytesIO:
    """Draw a wall with something on it: wrong before, right after."""
    rng = Random(line)
    wall = (214, 220, 216) if good else (196, 190, 178)
    picture = Image.new("RGB", (640, 480), wall)
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, 380, 640, 480), fill=(150, 146, 140))
    x = 180 + rng.randint(-40, 60)
    if line == 0:
        body = (200, 40, 36) if good else (142, 74, 62)
        draw.rounded_rectangle((x, 150, x + 110, 390), 40, fill=body)
        draw.rectangle((x + 40, 110, x + 70, 160), fill=(40, 40, 40))
        draw.ellipse((x + 28, 190, x + 82, 244), fill=(250, 250, 250))
        angle = 70 if good else -60
        draw.pieslice((x + 34, 196, x + 76, 238), angle - 20, angle + 20, fill=(20, 120, 60))
    elif line in (1, 4):
        draw.rectangle((x, 90, x + 200, 380), fill=(96, 110, 120))
        for n in range(0 if good else 5):
            left = x - 40 + 62 * (n % 4)
            top = 300 - 70 * (n // 3)
            draw.rectangle(
                (left, top, left + 78, top + 78), fill=(176, 132, 84), outline=(90, 60, 30)
            )
    elif line == 3:
        draw.rounded_rectangle((x, 120, x + 220, 210), 12, fill=(60, 66, 70))
        glow = (120, 240, 150) if good else (90, 96, 98)
        draw.rectangle((x + 20, 138, x + 200, 192), fill=glow)
    elif line == 5:
        draw.rectangle((x, 60, x + 240, 380), fill=(170, 176, 182), outline=(90, 96, 100), width=6)
        draw.line([(x + 120, 60), (x + 120, 380)], fill=(90, 96, 100), width=5)
        sign = (40, 150, 60) if good else (190, 60, 44)
        draw.rectangle((x + 260, 170, x + 330, 260), fill=sign)
    else:
        for n in range(6):
            y = 120 + 30 * n
            ends = (
                [(60, y), (580, y)]
                if good
                else [
                    (60 + rng.randint(0, 80), y),
                    (rng.randint(200, 400), y + 120),
                    (580, y - 40),
                ]
            )
            draw.line(ends, fill=(30, 30, 30), width=7 if good else 5)
        box = (40, 160, 40) if good else (180, 50, 40)
        draw.rectangle((500, 200, 590, 330), fill=box, outline=(20, 20, 20), width=4)
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=80)
    out.seek(0)
    out.name = "hazard.jpg"
    return out
