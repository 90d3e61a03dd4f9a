"""What a report's text says besides its matter: when, where exactly, how urgent, whom to call."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from core.masking import mask_text
from incidents import reading_text

# A Wednesday morning.
TOLD = datetime(2026, 5, 6, 9, 30, tzinfo=ZoneInfo("Asia/Shanghai"))


def times(text: str, told: datetime = TOLD) -> list[tuple[str, str]]:
    found = reading_text.moments(text, at=told)
    assert all(moment.at.utcoffset() == told.utcoffset() for moment in found)
    return [(f"{moment.at:%Y-%m-%d %H:%M}", moment.precision) for moment in found]


@pytest.mark.parametrize(
    ("text", "when", "precision"),
    [
        ("昨天下午三点水管爆了", "2026-05-05 15:00", "hour"),
        ("今早七点半发现路灯不亮", "2026-05-06 07:30", "minute"),
        ("昨天晚上十点一刻还在施工", "2026-05-05 22:15", "minute"),
        ("前天上午有人来过", "2026-05-04 10:00", "part"),
        ("大前天傍晚倒的", "2026-05-03 18:00", "part"),
        ("昨晚还好好的", "2026-05-05 20:00", "part"),
        ("3月5日15:30被撞坏", "2026-03-05 15:30", "minute"),
        ("2025年12月3日起没人管", "2025-12-03 12:00", "day"),
        ("2026-05-04 21:05 拍的", "2026-05-04 21:05", "minute"),
        ("上个月28号停的水", "2026-04-28 12:00", "day"),
        ("上周五上午就报过", "2026-05-01 10:00", "part"),
        ("本周一开始漏", "2026-05-04 12:00", "day"),
        ("礼拜天就这样", "2026-05-03 12:00", "day"),
        ("三天前报过一回", "2026-05-03 09:30", "day"),
        ("两个小时前", "2026-05-06 07:30", "hour"),
        ("晚上八点多发现的", "2026-05-05 20:00", "hour"),
    ],
)
def test_time_words_are_read_against_the_moment_of_the_report(text, when, precision):
    assert times(text) == [(when, precision)]


def test_the_small_hours_of_a_night_belong_to_the_next_day():
    assert times("昨晚一点还在放炮") == [("2026-05-06 01:00", "hour")]
    assert times("前天夜里两点") == [("2026-05-05 02:00", "hour")]
    assert times("昨夜12点") == [("2026-05-06 00:00", "hour")]
    assert times("凌晨两点") == [("2026-05-06 02:00", "hour")]


def test_a_date_without_a_year_is_the_last_one():
    assert times("12月20号倒的垃圾") == [("2025-12-20 12:00", "day")]


@pytest.mark.parametrize(
    ("text", "since"), [("堆了三天没人清", "2026-05-03"), ("停水半个多月了", "2026-04-21")]
)
def test_how_long_something_has_lasted_gives_about_when_it_began(text, since):
    assert [(when[:10], how) for when, how in times(text)] == [(since, "since")]


@pytest.mark.parametrize(
    "text",
    [
        *("", "每天晚上八点跳舞", "天天半夜两点放歌", "有一点脏", "早一点来", "3号楼", "初三3班"),
        *(
            "今天",
            "今天下午三点开会",
            "13月40日",
            "25点70分",
            "9点到12点办事",
            "好几天了",
            "2026年13月1日",
        ),
        *("第二天", "一月一次", "五一路"),
    ],
)
def test_what_happens_again_is_to_come_or_is_no_time_is_left_out(text):
    assert times(text) == []


def test_several_times_come_in_the_order_they_are_said():
    found = times("前天报过，昨天下午来人看了，今早七点又漏")
    assert [when for when, _how in found] == [
        "2026-05-04 12:00",
        "2026-05-05 15:00",
        "2026-05-06 07:00",
    ]


@pytest.mark.parametrize("month", range(1, 13))
def test_last_month_exists_all_the_year_round(month):
    told = TOLD.replace(month=month, day=3)
    assert len(times("上个月5号", told)) == 1


def test_long_texts_are_read_up_to_a_limit():
    assert times("路" * reading_text.READ_AT_MOST + "昨天下午三点") == []


@pytest.mark.parametrize(
    "written",
    [
        *("19900001234", "199 0000 1234", "199-0000-1234", "+86 19900001234", "1990 000 1234"),
        *("199.0000.1234", "１９９００００１２３４", "电话:19900001234。"),
    ],
)
def test_a_phone_is_found_and_masked_however_it_is_written(written):
    text = f"请打{written}找我"
    assert reading_text.phones(text) == ["19900001234"]
    masked = mask_text(text)
    assert reading_text.phones(masked) == []
    assert "199****1234" in masked


def test_landlines_are_phones_and_other_numbers_are_not():
    assert reading_text.phones("打0105550123或010-55501234") == ["0105550123", "01055501234"]
    assert reading_text.phones("2026-11-15 12:30，编号123456789012345，3号楼1301") == []


@pytest.mark.parametrize(
    ("text", "spot"),
    [
        ("中山路与人民路交叉口红绿灯坏了", "中山路与人民路交叉口"),
        ("我家住在翠园小区3号楼2单元，下水道堵了", "翠园小区3号楼2单元"),
        ("路灯不亮", ""),
        ("", ""),
    ],
)
def test_a_crossing_or_a_house_is_a_spot(text, spot):
    assert reading_text.spot(text) == spot


def test_what_stands_beside_something_after_a_place_name_is_a_spot():
    text = "青禾镇朱湾村老戏台前面，公厕锁着"
    assert reading_text.spot(text, after=[6]) == "老戏台前面"
    assert reading_text.spot(text) == ""


def test_words_of_urgency_are_named():
    assert reading_text.urgent_words("电线垂下来了，随时会砸到人") == ["电线垂", "随时会", "砸到"]
    assert reading_text.urgent_words("希望增加路灯") == []
