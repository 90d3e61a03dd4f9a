"""A town's admin draws a grid in a real browser: told of an overlap, corrects it, saves."""

import pytest
from playwright.sync_api import Locator, Page, expect

from grids.factories import CORNER, SIDE, person, small_county
from grids.models import Area, Role
from grids.services import reshaping
from grids.tests.test_reshaping import box


def tap(page: Page, canvas: Locator, east: float, north: float) -> None:
    """Tap the map at a place counted in sides of a grid from the county's corner, till it counts.

    The drawing takes no corner within 50 ms of the last one, which only a test can be.
    """
    place = [CORNER[1] + north * SIDE, CORNER[0] + east * SIDE]
    spot = page.evaluate(
        "(at) => document.getElementById('draw-map').map.latLngToContainerPoint(at)", place
    )
    corners = canvas.locator(".leaflet-editing-icon")
    before = corners.count()
    for _again in range(50):
        canvas.click(position={"x": spot["x"], "y": spot["y"]})
        if corners.count() != before:
            return
    raise AssertionError("the drawing takes no corner here")


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("width", [1440, 390])
def test_an_admin_draws_a_grid_is_told_of_an_overlap_corrects_it_and_saves(page_zh, width):
    county = small_county()
    village, neighbour = county.villages[0], county.grids[1]
    # The eastern half of the first grid's ground is free.
    reshaping.draw(area_id=county.grids[0].pk, shape=box(0, 0, 0.5, 1), actor=None, seen=None)
    page = page_zh(width)
    page_zh.allow("status of 422")
    page_zh.sign_in(page, person(Role.TOWN_ADMIN, county.towns[0]))
    page.goto("/territory/")
    page.locator(".t-tree").get_by_role("link", name=village.name).click()
    page.get_by_role("link", name="新增网格").click()
    page.get_by_label("名称").fill("河东网格")

    expect(page.locator("#draw-map[data-ready]")).to_be_visible()
    canvas = page.locator("#draw-map .g-map")
    page.get_by_title("绘制范围").click()
    for east, north in [(0.6, 0.2), (1.2, 0.2), (1.2, 0.8), (0.6, 0.8), (0.6, 0.2)]:
        tap(page, canvas, east, north)
    page.get_by_role("button", name="保存", exact=True).click()

    expect(page.get_by_text(f"与“{neighbour.name}”（{neighbour.code}）重叠")).to_be_visible()
    expect(page.get_by_label("名称")).to_have_value("河东网格")
    assert not Area.objects.filter(name="河东网格").exists()
    assert page.evaluate("document.documentElement.scrollWidth") <= width

    page.get_by_role("button", name="裁剪到空余范围").click()
    expect(page.get_by_text("已裁剪到空余范围")).to_be_visible()
    page.get_by_role("button", name="保存", exact=True).click()
    expect(page.get_by_text("已新增。")).to_be_visible()

    grid = Area.objects.get(name="河东网格")
    assert grid.code == f"{village.code}003"
    # Taps fall on whole pixels; the border with the neighbour is exact.
    assert grid.boundary.area == pytest.approx(0.4 * 0.6 * SIDE * SIDE, rel=0.05)
    assert grid.boundary.intersection(Area.objects.get(pk=neighbour.pk).boundary).area < 1e-14
