"""The territory pages: what a town's admin sees, what is told of a drawn boundary, the borders."""

import json

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from grids.factories import CORNER, SIDE, SmallCounty, person
from grids.models import AllianceGrid, Area, GridTheme, Role, ThemeDuty
from grids.queries import tree
from grids.queries.scope import Scope
from grids.services import network, reshaping
from grids.services.network import AllianceFields

ACTS = ["describe", "add", "draw", "split", "merge", "move", "close", "reopen", "units"]


def as_(user) -> Client:
    client = Client()
    client.force_login(user, backend="grids.backends.PostingBackend")
    return client


def square(west: float, south: float, east: float, north: float) -> str:
    """GeoJSON of a rectangle in sides of a grid, counted from the county's corner."""
    x, y = CORNER
    ring = [(west, south), (east, south), (east, north), (west, north), (west, south)]
    points = [[x + dx * SIDE, y + dy * SIDE] for dx, dy in ring]
    return json.dumps({"type": "Polygon", "coordinates": [points]})


@pytest.fixture
def admin(county: SmallCounty) -> Client:
    return as_(person(Role.TOWN_ADMIN, county.towns[0]))


def page(client: Client, name: str, *args, **query):
    return client.get(reverse(name, args=args), query)


# ------------------------------------------------------------------ looking


def test_the_tree_opens_at_the_admin_s_own_town(county, admin):
    shown = page(admin, "territory").content.decode()
    assert county.towns[0].name in shown
    assert county.villages[1].name in shown
    assert county.towns[1].name not in shown


def test_a_chosen_grid_stands_open_in_the_tree_with_its_facts(county, admin):
    chief = person(Role.GRID_CHIEF, county.grids[0])
    shown = page(admin, "territory", area=county.grids[0].pk).content.decode()
    assert county.unit.name in shown  # children of what is chosen
    assert county.grids[0].code in shown
    assert chief.display_name in shown


def test_branches_are_fetched_when_they_are_opened(county, admin):
    shown = page(admin, "territory_children", county.villages[0].pk).content.decode()
    assert county.grids[0].code in shown
    assert county.grids[2].code not in shown


def test_areas_are_found_by_name_by_code_and_by_a_code_they_had(county, admin):
    old = county.grids[0].code
    for_move = {"area_id": county.grids[0].pk, "village_id": county.villages[1].pk}
    with pytest.raises(reshaping.Doubtful) as doubt:
        reshaping.move(**for_move, actor=None, seen=None)
    digest = doubt.value.report.digest
    after = reshaping.move(**for_move, actor=None, seen=None, accept=digest)
    for text in ("新村", after.code, old):
        assert after.code[:12] in page(admin, "territory_search", q=text).content.decode()
    nothing = page(admin, "territory_search", q="没有这个").content.decode()
    assert "没有找到" in nothing


def test_search_stays_in_the_town(county, admin):
    shown = page(admin, "territory_search", q="大王庄").content.decode()
    assert county.villages[0].code in shown
    assert county.villages[2].code not in shown


def test_the_map_has_the_area_its_siblings_and_its_children(county, admin):
    answer = page(admin, "territory_map", county.villages[0].pk).json()
    roles = sorted(feature["properties"]["role"] for feature in answer["features"])
    assert roles == ["child", "child", "parent", "self", "sibling"]


def test_the_village_office_looks_and_edits_nothing(county):
    office = as_(person(Role.VILLAGE_OFFICE, county.villages[0]))
    shown = page(office, "territory").content.decode()
    assert county.grids[0].code in shown
    assert reverse("territory_draw", args=[county.grids[0].pk]) not in shown
    assert page(office, "territory_draw", county.grids[0].pk).status_code == 403
    assert page(office, "territory_map", county.grids[2].pk).status_code == 404


def test_an_area_that_is_not_drawn_yet_is_shown_on_the_ground_above_it(county, admin):
    shown = page(admin, "territory", area=county.unit.pk)
    assert shown.context["bounds"].startswith(f"{CORNER[0]:.5f}")
    assert "绘制边界" in shown.content.decode()


def test_a_page_of_the_tree_asks_the_database_the_same_however_large_the_town(
    county, admin, django_assert_max_num_queries
):
    page(admin, "territory")
    with django_assert_max_num_queries(20):
        page(admin, "territory", area=county.grids[0].pk)
    with django_assert_max_num_queries(8):
        page(admin, "territory_children", county.villages[0].pk)


# ------------------------------------------------------------------ drawing


def draw(client: Client, grid: Area, shape: str, **more):
    return client.post(reverse("territory_draw", args=[grid.pk]), {"shape": shape, **more})


def test_an_overlap_is_told_with_its_size_and_nothing_drawn_is_lost(county, admin):
    answer = draw(admin, county.grids[0], square(0, 0, 1.1, 1))
    shown = answer.content.decode()
    assert answer.status_code == 422
    assert f"与“{county.grids[1].name}”（{county.grids[1].code}）重叠" in shown
    assert "尚未保存" in shown
    assert str(CORNER[0] + 1.1 * SIDE) in shown  # the corner as drawn


def test_it_is_saved_when_looked_at_and_confirmed(county, admin):
    shown = draw(admin, county.grids[0], square(0, 0, 1.1, 1))
    again = {"shape": shown.context["form"]["shape"].value()}
    again["accept"] = shown.context["doubt"]["digest"]
    answer = admin.post(reverse("territory_draw", args=[county.grids[0].pk]), again)
    assert answer.status_code == 302
    grid = Area.objects.get(pk=county.grids[0].pk)
    assert grid.boundary.area == pytest.approx(1.1 * SIDE * SIDE)


def test_one_press_cuts_it_back_to_the_free_ground(county, admin):
    shown = draw(admin, county.grids[0], square(-0.2, 0, 1.1, 1), fit="1")
    assert shown.status_code == 200
    fitted = shown.context["form"]["shape"].value()
    assert draw(admin, county.grids[0], fitted).status_code == 302
    grid = Area.objects.get(pk=county.grids[0].pk)
    assert grid.boundary.area == pytest.approx(SIDE * SIDE)


def test_pasted_chinese_map_coordinates_are_converted_once(county, admin):
    shown = draw(admin, county.grids[0], square(0.5, 0.3, 1.8, 0.6), system="gcj02")
    first = shown.context["form"]["shape"].value()
    assert shown.context["form"]["system"].value() == "wgs84"
    assert str(CORNER[0] + 0.5 * SIDE) not in first
    again = draw(admin, county.grids[0], first)
    assert again.context["form"]["shape"].value() == first


@pytest.mark.parametrize(
    "shape",
    [
        "",
        "not json",
        "[[[",
        '{"type": "Point", "coordinates": [115, 33]}',
        '{"type": "Polygon", "coordinates": [[[1, 2], [3, 4], [5, 6], [1, 2]]]}',
        '{"type": "Polygon", "coordinates": [[[115,33],[116,34],[116,33],[115,34],[115,33]]]}',
        '{"type": "Polygon", "coordinates": []}',
        "\x00",
        "9" * 5000,
    ],
)
def test_what_is_no_boundary_is_refused_beside_its_field(county, admin, shape):
    answer = draw(admin, county.grids[0], shape)
    assert answer.status_code == 422
    assert answer.context["form"].errors


def test_a_line_is_shown_as_parts_before_anything_is_split(county, admin):
    x, y = CORNER
    line = [[x + 0.3 * SIDE, y - SIDE], [x + 0.3 * SIDE, y + 2 * SIDE]]
    text = json.dumps({"type": "LineString", "coordinates": line})
    url = reverse("territory_split", args=[county.grids[0].pk])
    shown = admin.post(url, {"line": text})
    assert [part["number"] for part in shown.context["parts"]] == [1, 2]
    assert Area.objects.filter(level="grid").count() == 8
    done = admin.post(url, {"line": text, "name": "西网格", "do": "1"})
    assert done.status_code == 302
    assert Area.objects.get(name="西网格").code == f"{county.villages[0].code}003"


def test_two_editors_do_not_overwrite_each_other(county, admin):
    url = reverse("territory_describe", args=[county.grids[0].pk])
    typed = {"name": "新名", "grid_kind": "rural", "seen": county.grids[0].version}
    assert admin.post(url, typed).status_code == 302
    late = admin.post(url, typed | {"name": "晚到的名字"})
    assert late.status_code == 409
    assert "晚到的名字" in late.content.decode()
    assert "已被他人修改" in late.content.decode()


def test_closing_says_what_stands_in_the_way_before_it_is_pressed(county, admin):
    shown = page(admin, "territory_close", county.grids[0].pk).content.decode()
    assert "1 个下级区域" in shown


def test_a_new_grid_may_be_added_without_a_boundary(county, admin):
    url = reverse("territory_add", args=[county.villages[0].pk])
    typed = {"name": "市场网格", "grid_kind": "dedicated", "organisation": ""}
    refused = admin.post(url, typed)
    assert refused.status_code == 422
    assert "organisation" in refused.context["form"].errors
    assert admin.post(url, typed | {"organisation": "农贸市场管理所"}).status_code == 302
    grid = Area.objects.get(name="市场网格")
    assert (grid.boundary, grid.organisation) == (None, "农贸市场管理所")


# ------------------------------------------------------------------ alliances and themes


def test_an_alliance_of_villages_is_founded_shown_and_ended(county, admin):
    ids = [village.pk for village in county.villages[:2]]
    typed = {"name": "东关联村网格", "villages": ids, "lead": ids[0], "valid_from": "2026-01-01"}
    assert admin.post(reverse("alliance_new"), typed).status_code == 302
    assert "东关联村网格" in page(admin, "alliances").content.decode()
    assert "东关联村网格" in page(admin, "territory", area=ids[1]).content.decode()
    url = reverse("alliance", args=[AllianceGrid.objects.get().pk])
    assert admin.post(url, {"do": "end"}).status_code == 302
    assert AllianceGrid.objects.open().count() == 0


@pytest.mark.parametrize(
    ("change", "field"),
    [({"villages": []}, "villages"), ({"lead": ""}, "lead"), ({"name": " "}, "name")],
)
def test_an_alliance_that_is_not_whole_is_refused(county, admin, change, field):
    ids = [village.pk for village in county.villages[:2]]
    typed = {"name": "联村", "villages": ids, "lead": ids[0], "valid_from": "2026-01-01"}
    answer = admin.post(reverse("alliance_new"), typed | change)
    assert answer.status_code == 422
    assert field in answer.context["form"].errors


def test_the_lead_is_one_of_the_villages(county, admin):
    ids = [village.pk for village in county.villages[:2]]
    typed = {"name": "联村", "villages": ids[:1], "lead": ids[1], "valid_from": "2026-01-01"}
    assert admin.post(reverse("alliance_new"), typed).status_code == 422
    assert AllianceGrid.objects.count() == 0


def test_a_person_answers_for_a_theme_until_it_is_ended(county, admin):
    chief = person(Role.GRID_CHIEF, county.grids[0])
    theme = GridTheme.objects.create(code="t-fire", name="测试消防")
    url = reverse("duty_give", args=[county.grids[0].pk])
    assert admin.post(url, {"theme": theme.pk, "user": chief.pk}).status_code == 302
    shown = page(admin, "territory", area=county.grids[0].pk).content.decode()
    assert f"测试消防 · {chief}" in shown
    twice = admin.post(url, {"theme": theme.pk, "user": chief.pk})
    assert "已负责这一条线" in twice.content.decode()
    duty = ThemeDuty.objects.get()
    assert admin.post(reverse("duty_end", args=[duty.pk])).status_code == 302
    assert ThemeDuty.objects.current().count() == 0


def test_only_people_of_the_line_can_be_given_a_theme(county, admin):
    stranger = person(Role.GRID_CHIEF, county.grids[4])
    theme = GridTheme.objects.create(code="t-fire", name="测试消防")
    url = reverse("duty_give", args=[county.grids[0].pk])
    assert admin.post(url, {"theme": theme.pk, "user": stranger.pk}).status_code == 422


def test_the_county_edits_the_list_of_themes_and_a_town_does_not(county, admin):
    command = as_(person(Role.COMMAND, county.county))
    typed = {"name": "护林", "name_en": "", "code": "t-forest", "position": 5, "active": "on"}
    assert command.post(reverse("theme_new"), typed).status_code == 302
    theme = GridTheme.objects.get(code="t-forest")
    assert admin.post(reverse("theme", args=[theme.pk]), typed).status_code == 403
    command.post(reverse("theme", args=[theme.pk]), typed | {"name": "林长", "code": "other"})
    theme.refresh_from_db()
    assert (theme.code, theme.name) == ("t-forest", "林长")


# ------------------------------------------------------------------ across the border


@pytest.mark.parametrize("act", ACTS)
def test_another_town_s_areas_are_not_there(county, admin, act):
    other = county.villages[2] if act in {"add", "units"} else county.grids[4]
    url = reverse(f"territory_{act}", args=[other.pk])
    before = Area.objects.values_list("pk", "version", "path").order_by("pk")
    frozen = list(before)
    assert admin.get(url).status_code == 404
    assert admin.post(url, {"name": "x", "shape": square(0, 1, 1, 2)}).status_code == 404
    assert list(before.all()) == frozen


@pytest.mark.parametrize("name", ["area", "children", "map", "ground", "units_map"])
def test_nothing_of_another_town_is_read(county, admin, name):
    assert page(admin, f"territory_{name}", county.villages[2].pk).status_code == 404
    assert page(admin, f"territory_{name}", county.county.pk).status_code == 404


def test_a_merge_or_move_across_the_border_finds_no_such_choice(county, admin):
    merge = reverse("territory_merge", args=[county.grids[0].pk])
    assert admin.post(merge, {"others": [county.grids[4].pk]}).status_code == 422
    move = reverse("territory_move", args=[county.grids[0].pk])
    assert admin.post(move, {"village": county.villages[2].pk}).status_code == 422


def test_an_alliance_has_any_number_of_villages_of_at_most_three_towns(county, admin):
    ids = [village.pk for village in county.villages]
    fields = AllianceFields(
        name="四村", village_ids=ids, lead_id=ids[0], valid_from=timezone.localdate()
    )
    assert network.found_alliance(fields=fields, actor=None).members.count() == 4


def test_an_alliance_over_the_border_is_seen_and_not_changed(county, admin):
    ids = [county.villages[0].pk, county.villages[2].pk]
    fields = AllianceFields("跨镇联村", ids[0], ids, "2026-01-01")
    alliance = network.found_alliance(fields=fields, actor=None)
    assert "跨镇联村" in page(admin, "alliances").content.decode()
    assert page(admin, "alliance", alliance.pk).status_code == 403
    mine = {"name": "联村", "villages": ids, "lead": ids[0], "valid_from": "2026-01-01"}
    assert admin.post(reverse("alliance_new"), mine).status_code == 422


def test_an_alliance_of_other_towns_is_not_there(county, admin):
    ids = [village.pk for village in county.villages[2:]]
    alliance = network.found_alliance(
        fields=AllianceFields("柳河联村", ids[0], ids, "2026-01-01"), actor=None
    )
    assert "柳河联村" not in page(admin, "alliances").content.decode()
    assert page(admin, "alliance", alliance.pk).status_code == 404


def test_a_duty_in_another_town_is_not_there(county, admin):
    theme = GridTheme.objects.create(code="t-fire", name="测试消防")
    chief = person(Role.GRID_CHIEF, county.grids[4])
    duty = network.give_duty(grid_id=county.grids[4].pk, theme=theme, user=chief, actor=None)
    assert admin.post(reverse("duty_end", args=[duty.pk])).status_code == 404
    assert page(admin, "duty_give", county.grids[4].pk).status_code == 404
    assert ThemeDuty.objects.current().count() == 1


def test_a_post_in_one_town_and_an_office_in_another_edits_the_first_only(county):
    user = person(Role.TOWN_ADMIN, county.towns[0])
    office = person(Role.VILLAGE_OFFICE, county.villages[2])
    office.postings.update(user=user)
    client = as_(user)
    assert page(client, "territory_area", county.villages[2].pk).status_code == 200
    assert page(client, "territory_describe", county.villages[2].pk).status_code == 403
    assert [area.pk for area in tree.roots_of(Scope.for_user(user))] == [
        county.towns[0].pk,
        county.villages[2].pk,
    ]


@pytest.mark.parametrize("key", ["x", "-1", "9" * 30, "1 or 1=1", "²", ""])
def test_what_is_no_area_is_not_there(county, admin, key):
    status = page(admin, "territory", area=key).status_code
    assert status == (200 if key == "" else 404)
