"""Files and contact cards of the people who work in the demonstration accounts' town.

All invented; the portraits are drawn. Written through the services, as a town's admin would.
"""

import io
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from random import Random

from django.utils import timezone
from PIL import Image, ImageDraw

from grids.models import Area, NegativeItem, Posting, Role, User, WorkerKind
from grids.models.worker_file import Body, Inspection
from grids.queries.worker_file import workers_of
from grids.services import cards
from grids.services import worker_file as files

MOST = 48
PORTRAITS = 6
COURSES = (
    ("网格员岗前培训", "8", "镇政府会议室"),
    ("矛盾纠纷调解实务", "4", "综治中心"),
    ("消防与燃气安全排查", "3", "镇政府会议室"),
    ("平台操作与事件上报", "2.5", "党群服务中心"),
    ("防汛应急演练", "6", ""),
)
AWARDS = ("优秀网格员", "平安建设先进个人", "防汛救灾先进个人", "最美网格员")
FACTS = (
    ("absent", "巡查时段未到岗，电话无人接听", "当天请假手续已补齐"),
    ("false_visit", "走访记录与实地核实不一致", ""),
    ("shirking", "群众反映的路灯问题拖延三天未上报", "核实后为平台延迟，登记有误"),
    ("discipline", "未按要求参加月例会", ""),
)


def build_worker_files(*, progress: Callable[[int], object]) -> None:
    """Fill the files of up to 48 people of the demonstration town, a few of them fully."""
    seat = Posting.objects.filter(user__username="town", role=Role.TOWN_ADMIN)
    posting = seat.select_related("user", "area").get()
    assert posting.area is not None
    actor, town = posting.user, posting.area
    rng, today = Random("files"), timezone.localdate()
    people = [p for p in workers_of(town) if p.role in {Role.GRID_WORKER, Role.GRID_CHIEF}][:MOST]
    _trainings(rng, actor, town, people, today)
    for n, post in enumerate(people):
        if post.worker_kind == WorkerKind.FULL_TIME and post.area is not None:
            _selection(rng, actor, post.user, post.area, post.valid_from)
        if n % 6 == 1:
            _award(rng, actor, post.user, today)
        if n % 9 == 4:
            files.recommend_for_reserve(
                actor=actor,
                person=post.user,
                recommended_on=today - timedelta(days=rng.randint(20, 90)),
                reason="熟悉村情，办事公道，群众认可度高",
            )
        if n % 3:
            number = f"1990000{8000 + n:04}"
            cards.set_duty_phone(actor=actor, person=post.user, phone=number)
        if n < PORTRAITS:
            cards.set_photo(actor=actor, person=post.user, file=_portrait(n))
    _negatives(rng, actor, people, today)
    progress(len(people))


def _trainings(rng: Random, actor: User, town: Area, people: list[Posting], today: date) -> None:
    ids = [posting.user_id for posting in people]
    for n, (course, hours, place) in enumerate(COURSES):
        files.hold_training(
            actor=actor,
            town=town,
            course=course,
            held_on=today - timedelta(days=30 + 45 * n),
            hours=Decimal(hours),
            place=place,
            people=rng.sample(ids, max(1, len(ids) * 2 // 3)),
        )


def _selection(rng: Random, actor: User, person: User, grid: Area, since: date) -> None:
    begun = since - timedelta(days=40)
    notes = ("户代表会议推荐", "支部党员大会推荐", "村委会会议研究")
    files.record_selection(
        actor=actor,
        person=person,
        grid=grid,
        recommended={
            str(body): (begun + timedelta(days=7 * n), notes[n]) for n, body in enumerate(Body)
        },
        inspected_on=begun + timedelta(days=rng.randint(18, 30)),
        inspection=Inspection.PASSED,
    )


def _award(rng: Random, actor: User, person: User, today: date) -> None:
    files.give_award(
        actor=actor,
        person=person,
        title=rng.choice(AWARDS),
        given_by="县委政法委",
        awarded_on=today - timedelta(days=rng.randint(30, 400)),
    )


def _negatives(rng: Random, actor: User, people: list[Posting], today: date) -> None:
    """State four entries; two are withdrawn, one has the person's own statement."""
    items = {item.code: item for item in NegativeItem.objects.all()}
    chosen = rng.sample(people, min(len(FACTS), len(people)))
    for (code, facts, because), posting in zip(FACTS, chosen, strict=False):
        entry = files.state_negative(
            actor=actor,
            person=posting.user,
            item=items[code],
            happened_on=today - timedelta(days=rng.randint(10, 120)),
            facts=facts,
        )
        if because:
            files.withdraw(actor=actor, kind="negative", entry=entry, reason=because)
        elif code == "false_visit":
            files.answer_negative(
                actor=posting.user, entry=entry, statement="当日入户时家中无人，次日已补走访"
            )


def _portrait(number: int) -> io.BytesIO:
    """Return a drawn figure; no real face is in the demonstration."""
    hues = [(90, 132, 160), (140, 110, 150), (96, 142, 118), (168, 128, 96), (120, 120, 140)]
    picture = Image.new("RGB", (440, 560), (228, 236, 240))
    draw = ImageDraw.Draw(picture)
    draw.ellipse((40, 380, 400, 820), fill=hues[number % len(hues)])
    draw.rectangle((190, 300, 250, 420), fill=(232, 196, 170))
    draw.ellipse((120, 110, 320, 360), fill=(240, 206, 180))
    draw.pieslice((112, 90, 328, 320), 180, 360, fill=(52, 46, 44))
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out
