"""Which of the county's places a text may mean."""

import pytest

from core.kept import forget_remembered
from grids.factories import small_county
from grids.models import Area, GridKind
from grids.queries import Place, candidates
from grids.services.territory import NewArea, add_areas

pytestmark = pytest.mark.django_db


@pytest.fixture
def county():
    county = small_county()
    town = county.towns[0].code
    add_areas(
        [
            NewArea(f"{town}003", "杏林村民委员会", "village", town),
            NewArea(f"{town}004", "新杏林村民委员会", "village", town),
            NewArea(f"{town}003001", "第1网格（许庄）", "grid", f"{town}003", GridKind.RURAL),
            NewArea(f"{town}004001", "第1网格（许庄）", "grid", f"{town}004", GridKind.RURAL),
            NewArea(
                f"{town}004002",
                "翠园中心小学专属网格",
                "grid",
                f"{town}004",
                GridKind.DEDICATED,
                "翠园中心小学",
            ),
        ],
        source="test",
    )
    forget_remembered()
    return county


def read(text, county, near=None):
    return [" · ".join(one.names) for one in candidates(text, county=county.county, near=near)]


def at(area, town) -> Place:
    return Place(
        area_id=area.pk,
        county_id=Area.objects.get_parent(town).pk,
        town_id=town.pk,
        village_id=area.pk,
        found_by="polygon",
    )


def test_a_name_that_repeats_gives_every_place_of_that_name(county):
    assert read("大王庄路灯不亮", county) == [
        "东关镇 · 大王庄村民委员会",
        "柳河乡 · 大王庄村民委员会",
    ]


def test_the_town_named_decides(county):
    assert read("柳河乡大王庄路灯不亮", county) == ["柳河乡 · 大王庄村民委员会"]


def test_the_reporters_point_puts_its_own_town_first(county):
    near = at(county.villages[2], county.towns[1])
    found = candidates("大王庄路灯不亮", county=county.county, near=near)
    assert [one.names[0] for one in found] == ["柳河乡", "东关镇"]
    assert [one.near for one in found] == [True, False]


def test_a_name_inside_a_longer_one_is_not_meant(county):
    assert read("新杏林村的井盖没了", county) == ["东关镇 · 新杏林村民委员会"]
    assert read("杏林村的井盖没了", county) == ["东关镇 · 杏林村民委员会"]


def test_a_grids_own_name_counts_where_its_village_is_named(county):
    assert read("杏林村许庄西头积水", county) == ["东关镇 · 杏林村民委员会 · 第1网格（许庄）"]
    assert read("许庄西头积水", county) == []


def test_an_organisation_names_its_grid(county):
    assert read("翠园中心小学门口乱停车", county) == [
        "东关镇 · 新杏林村民委员会 · 翠园中心小学专属网格"
    ]


def test_two_characters_alone_are_part_of_many_a_word(county):
    assert read("屋里杏林满墙", county) == []
    assert read("东关镇杏林的路", county) == ["东关镇 · 杏林村民委员会"]


def test_a_town_is_named_only_where_nothing_deeper_is(county):
    assert read("东关镇政府门前积水", county) == ["东关镇"]


def test_the_words_that_name_it_are_told(county):
    one = candidates("在柳河乡大王庄村东头", county=county.county)[0]
    assert one.said == "大王庄村"
    assert one.end == 8
    assert one.ids[-1] == one.area_id == county.villages[2].pk


@pytest.mark.parametrize("text", ["", "路", "不知道在哪里", "\0", "王" * 4000])
def test_words_without_a_place_have_none(county, text):
    assert read(text, county) == []


def test_names_are_read_once(county, django_assert_num_queries):
    candidates("大王庄", county=county.county)
    with django_assert_num_queries(0):
        candidates("大王庄", county=county.county)
