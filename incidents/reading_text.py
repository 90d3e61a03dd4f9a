"""What a report's text says besides its matter: when, where exactly, how urgent, whom to call.

Pure: a text and the moment of the report come in. The names of the county's own places need its
tree (grids.queries.places_in_text). All that is found is a suggestion; what is done with it is
decided by people.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

READ_AT_MOST = 4_000

_HAN = r"\u4e00-\u9fff"
_NUMBER = r"(?:\d{1,2}|[零〇一二两三四五六七八九十]{1,3})"
_DIGITS = {c: n for n, c in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2}

# Mobile numbers however they are broken up, and landlines with their area code.
_MOBILE = re.compile(r"(?<!\d)(?:\+?86[- ]?)?(1[3-9](?:[-. ·]?\d){9})(?!\d)", re.ASCII)
_LANDLINE = re.compile(r"(?<!\d)(0\d{2,3}[- ]?\d{7,8})(?!\d)", re.ASCII)
_WIDE_DIGITS = str.maketrans("０１２３４５６７８９", "0123456789")

URGENT_WORDS = (
    *("漏电", "电线垂", "电线掉", "电线断", "裸露电线", "电线裸露", "要塌", "快塌", "塌了"),
    *("快倒", "要倒", "随时会", "随时可能", "砸到", "砸伤", "摔伤", "受伤", "掉下来", "掉进"),
    *("漏气", "燃气味", "煤气味", "出人命", "生命危险", "十分危险", "非常危险", "太危险"),
    *("很危险", "有危险", "危及", "拖不得", "紧急", "十万火急", "加急", "赶紧来", "马上来"),
    *("断水", "断电", "停水", "停电", "决口", "漫堤", "倒灌", "困在", "拉肚子", "集体"),
)


@dataclass(frozen=True)
class Moment:
    """A time a text speaks of. ``at`` has a zone.

    ``precision``: ``minute``; ``hour`` (eight o'clock); ``part`` (in the afternoon: its middle);
    ``day`` (its noon); ``since`` (something has lasted about this long).
    """

    at: datetime
    precision: str
    words: str


def number(text: str) -> int:
    """Return a number of at most two digits, Chinese or Arabic.

    >>> number("二十三"), number("十"), number("两"), number("08")
    (23, 10, 2, 8)
    """
    if text.isdecimal():
        return int(text)
    tens, ten, ones = text.rpartition("十")
    if not ten:
        return int("".join(str(_DIGITS[c]) for c in text))
    return 10 * (_DIGITS[tens] if tens else 1) + (_DIGITS[ones] if ones else 0)


def phones(text: str) -> list[str]:
    """Return the phone numbers of a text in plain digits, in order, each once.

    >>> phones("打 199 0000 1234 或者０１０-５５５５０１２３")
    ['19900001234', '01055550123']
    """
    text = text.translate(_WIDE_DIGITS)
    found = [m for pattern in (_MOBILE, _LANDLINE) for m in pattern.finditer(text)]
    found.sort(key=lambda m: m.start())
    return list(dict.fromkeys(re.sub(r"\D", "", m[1]) for m in found))


def urgent_words(text: str) -> list[str]:
    """Return the words of a text by which a person should look sooner."""
    return [word for word in URGENT_WORDS if word in text]


# ---------- times

# Part of the day: its middle (hour), and from which hour on a clock's hour is counted.
_PARTS = {
    **dict.fromkeys(("凌晨",), (3, 0)),
    **dict.fromkeys(("清晨", "清早", "一大早", "大清早", "早上", "早晨", "一早", "早"), (8, 0)),
    **dict.fromkeys(("上午",), (10, 0)),
    **dict.fromkeys(("中午", "晌午"), (12, 10)),
    **dict.fromkeys(("下午",), (15, 12)),
    **dict.fromkeys(("傍晚",), (18, 12)),
    **dict.fromkeys(("晚上", "晚间", "晚"), (20, 18)),
    **dict.fromkeys(("夜里", "夜间", "半夜", "深夜", "夜"), (23, 18)),
}
_LONG_PARTS = "|".join(sorted((p for p in _PARTS if len(p) > 1), key=len, reverse=True))
_NIGHT = 12  # from this hour of counting on, the small hours belong to the next morning

_DAYS = {
    "今天": 0,
    "今日": 0,
    "今": 0,
    "昨天": 1,
    "昨日": 1,
    "昨": 1,
    "前天": 2,
    "前": 2,
    "大前天": 3,
}
_UNITS = {
    "分钟": timedelta(minutes=1),
    "小时": timedelta(hours=1),
    "钟头": timedelta(hours=1),
    "天": timedelta(days=1),
    "周": timedelta(days=7),
    "星期": timedelta(days=7),
    "礼拜": timedelta(days=7),
    "月": timedelta(days=30),
    "年": timedelta(days=365),
}
_UNIT = "|".join(_UNITS)
_AMOUNT = rf"(?P<n>{_NUMBER}|半)\s*个?(?:多|来)?(?P<unit>{_UNIT})多?"

_DATE = re.compile(
    rf"(?:(?P<year>20\d\d)\s*年\s*)?(?P<month>{_NUMBER})\s*月\s*(?P<day>{_NUMBER})\s*[日号]"
    r"|(?<!\d)(?P<y>20\d\d)[-/.](?P<m>\d{1,2})[-/.](?P<d>\d{1,2})(?!\d)"
)
_OF_MONTH = re.compile(rf"(?P<which>上个?月|这个?月|本月)\s*(?P<day>{_NUMBER})\s*[日号]")
_DAY_WORD = re.compile(r"大前天|前天|昨天|昨日|今天|今日|(?P<short>[昨今前])(?=[早晚夜]|天?夜)")
_WEEKDAY = re.compile(
    r"(?P<which>上上个?|上个?|这个?|本)?(?:周|星期|礼拜)(?P<weekday>[一二三四五六日天末])"
)
_AGO = re.compile(rf"{_AMOUNT}[之以]?前")
_LASTED = re.compile(rf"{_AMOUNT}(?=了|没|无人|还没|都没|未|不见)")
_PART = re.compile(rf"\s?(?P<part>{_LONG_PARTS}|[早晚夜])")
_CLOCK = re.compile(
    rf"\s?(?:(?P<hour>{_NUMBER})\s*(?:点钟?|时(?![间常候刻段不]))"
    rf"\s*(?:(?P<half>半)|(?P<quarter>[一三])刻|(?P<minute>{_NUMBER})\s*分?)?"
    r"|(?P<h>\d{1,2})[:：](?P<min>\d{2}))"
)
_PART_AND_CLOCK = re.compile(rf"(?:{_LONG_PARTS})\s?(?={_NUMBER}\s*[点时]|\d{{1,2}}[:：]\d\d)")
# What happens again and again did not happen at a time.
_AGAIN = re.compile(r"(?:每天|每日|每晚|每个?|天天|经常|常常|一到|总是)\s?$")


def moments(text: str, *, at: datetime) -> list[Moment]:
    """Return the times a text speaks of as of ``at`` (aware), in the zone of ``at``, as said.

    Only the past: a report tells what happened. What is said to happen every day is left out.

    >>> from datetime import UTC
    >>> moments("昨天下午三点", at=datetime(2026, 5, 6, 9, tzinfo=UTC))[0].at.isoformat()
    '2026-05-05T15:00:00+00:00'
    """
    text = text[:READ_AT_MOST].translate(_WIDE_DIGITS)
    found: list[tuple[int, Moment]] = []
    taken: list[tuple[int, int]] = []
    for start, end, day in [*_days(text, at), *_bare_clocks(text)]:
        if any(a < end and start < b for a, b in taken) or _AGAIN.search(text[:start]):
            continue
        end, moment = _moment(text, start, end, day, at)
        taken.append((start, end))
        if moment is not None:
            found.append((start, moment))
    for pattern in (_AGO, _LASTED):
        for match in pattern.finditer(text):
            if any(a < match.end() and match.start() < b for a, b in taken):
                continue
            found.append((match.start(), _before(match, at, lasted=pattern is _LASTED)))
            taken.append(match.span())
    return [moment for _start, moment in sorted(found, key=lambda pair: pair[0])]


def _days(text: str, at: datetime) -> Iterable[tuple[int, int, datetime]]:
    """Yield (start, end, midnight of the day) of each day a text names."""
    today = at.replace(hour=0, minute=0, second=0, microsecond=0)
    for match in _DATE.finditer(text):
        if (day := _date(match, today)) is not None:
            yield *match.span(), day
    for match in _OF_MONTH.finditer(text):
        back = match["which"].startswith("上")
        first = (today.replace(day=1) - timedelta(days=1 if back else 0)).replace(day=1)
        if (day := _replace(first, day=number(match["day"]))) is not None:
            yield *match.span(), day
    for match in _DAY_WORD.finditer(text):
        yield *match.span(), today - timedelta(days=_DAYS[match[0]])
    for match in _WEEKDAY.finditer(text):
        wanted = "一二三四五六日".find(match["weekday"].replace("天", "日").replace("末", "六"))
        back = (today.weekday() - wanted) % 7
        if which := (match["which"] or "").removesuffix("个"):
            weeks = {"上": 1, "上上": 2}.get(which, 0)
            back = today.weekday() - wanted + 7 * weeks
        yield *match.span(), today - timedelta(days=back)


def _bare_clocks(text: str) -> Iterable[tuple[int, int, None]]:
    for match in _PART_AND_CLOCK.finditer(text):
        yield match.start(), match.start(), None


def _date(match: re.Match[str], today: datetime) -> datetime | None:
    year, month, day = (
        match[a] or match[b] for a, b in (("year", "y"), ("month", "m"), ("day", "d"))
    )
    found = _replace(today, year=int(year or today.year), month=number(month), day=number(day))
    if found is not None and found > today and not year:
        found = _replace(found, year=found.year - 1)
    return found


def _replace(moment: datetime, **parts: Any) -> datetime | None:
    try:
        return moment.replace(**parts)
    except ValueError:
        return None


def _moment(
    text: str, start: int, end: int, day: datetime | None, at: datetime
) -> tuple[int, Moment | None]:
    """Return where the words end and the time they mean; None for what is to come."""
    part = _PART.match(text, end)
    clock = _CLOCK.match(text, part.end() if part else end)
    end = clock.end() if clock else part.end() if part else end
    middle, counted_from = _PARTS[part["part"]] if part else (12, 0)
    base = day or at.replace(hour=0, minute=0, second=0, microsecond=0)
    precision, hour, minute = ("part" if part else "day"), middle, 0
    if clock:
        hour, minute = _hour_and_minute(clock)
        precision = "minute" if minute or clock["h"] else "hour"
        if hour > 24 or minute > 59:
            return end, None
        hour = _of_day(hour, counted_from, spoken=clock["h"] is None and part is None)
    found = base + timedelta(hours=hour, minutes=minute)
    if found > at and precision in {"day", "part"}:
        # Of today only the day is meant, and of an evening to come nothing.
        found = at if base.date() == at.date() and not part else found
    if found > at and hour >= _NIGHT and not part:
        found -= timedelta(hours=12)
    if found > at and (day is None or hour >= 24):
        found -= timedelta(days=1)
    says_only_today = precision == "day" and base.date() == at.date()
    if found > at or says_only_today:
        return end, None
    return end, Moment(found, precision, text[start:end].strip())


def _hour_and_minute(clock: re.Match[str]) -> tuple[int, int]:
    if clock["h"]:
        return int(clock["h"]), int(clock["min"])
    minute = 30 if clock["half"] else 15 * number(clock["quarter"]) if clock["quarter"] else 0
    return number(clock["hour"]), number(clock["minute"]) if clock["minute"] else minute


def _of_day(hour: int, counted_from: int, *, spoken: bool) -> int:
    """Return the hour counted from the midnight before; past 24 it is the next morning."""
    if counted_from == 0:
        # Nobody says "three o'clock" of the night without saying so.
        return hour + 12 if spoken and 1 <= hour <= 6 else hour
    if counted_from == 10:
        return hour + 12 if hour <= 3 else hour
    if hour >= 13:
        return hour
    if counted_from >= _NIGHT and (hour == 12 or (counted_from > _NIGHT and hour <= 4)):
        return 24 + hour % 12
    return hour + 12


def _before(match: re.Match[str], at: datetime, *, lasted: bool) -> Moment:
    amount = 0.5 if match["n"] == "半" else number(match["n"])
    found = at - amount * _UNITS[match["unit"]]
    exact = match["unit"] in {"分钟", "小时", "钟头"}
    precision = "since" if lasted else "hour" if exact else "day"
    return Moment(found.replace(second=0, microsecond=0), precision, match[0])


# ---------- spots

_BESIDE = (
    "门口|门前|大门|旁边|旁|边上|对面|斜对面|后面|前面|前头|后头|拐角|路口|交叉口|交汇处|十字口"
    "|附近|东侧|西侧|南侧|北侧|东头|西头|南头|北头|东边|西边|南边|北边|桥头|村口|楼下|楼顶|院内|里面"
)
_AFTER_A_NAME = re.compile(rf"(?:的|里的?)?(?P<spot>[{_HAN}A-Za-z0-9]{{1,14}}?(?:{_BESIDE}))")
_CROSSING = re.compile(
    rf"(?P<spot>[{_HAN}]{{1,5}}(?:路|街|大道|巷)(?:与|和|跟)[{_HAN}]{{1,5}}(?:路|街|大道|巷)"
    r"(?:交叉口|路口|交汇处|口)?)"
)
_HOUSE = re.compile(
    rf"(?P<spot>[{_HAN}]{{2,8}}(?:小区|花园|家园|公寓|大厦|苑|府|新村|路|街|巷)"
    r"(?:\d{1,4}|[一二三四五六七八九十]{1,3})(?:号楼|号院|号|栋|幢|弄)"
    r"(?:(?:\d{1,2}|[一二三四五六七八九十]{1,2})单元)?)"
)
_LEAD_IN = re.compile(r"^.*?(?:住在|位于|就在|地点为|我在|家在|发生在|[在住到于从是往去])")


def spot(text: str, *, after: Iterable[int] = ()) -> str:
    """Return the words that say where exactly, or "": a crossing, a house, or what stands beside.

    ``after`` are the ends of place names in the text: what follows one up to "beside", "opposite"
    and the like is a spot.

    >>> spot("青禾镇朱湾村老戏台前面，公厕锁着", after=[6])
    '老戏台前面'
    >>> spot("我家住在翠园小区3号楼2单元，下水道堵了")
    '翠园小区3号楼2单元'
    """
    for end in after:
        if match := _AFTER_A_NAME.match(text, end):
            return match["spot"]
    for pattern in (_CROSSING, _HOUSE):
        if match := pattern.search(text):
            return _LEAD_IN.sub("", match["spot"]) or match["spot"]
    return ""
