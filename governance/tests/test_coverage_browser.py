"""A town's admin looks for gaps in a real browser, brings boundaries in, and finds it mended."""

import json

import pytest
from django.contrib.gis.geos import MultiPolygon, Polygon
from playwright.sync_api import expect

from grids.factories import person, small_county
from grids.models import Area, Role
from grids.services import boundary_import, coverage

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


IN_VIEW = """() => {
    const bounds = document.getElementById("draw-map").map.getBounds();
    return [bounds.getWest(), bounds.getSouth(), bounds.getEast(), bounds.getNorth()];
}"""


def boundary(area: Area) -> MultiPolygon:
    return Area.objects.get(pk=area.pk).boundary


@pytest.mark.parametrize("width", [1440, 390])
def test_an_admin_sees_a_hole_goes_to_the_editor_and_mends_it_by_a_file(page_zh, width, tmp_path):
    county = small_county()
    grid, village = county.grids[0], county.villages[0]
    whole = boundary(grid)
    west, south, east, north = whole.extent
    half = Polygon.from_bbox((west, south, (west + east) / 2, north))
    Area.objects.filter(pk=grid.pk).update(boundary=MultiPolygon(half))
    page = page_zh(width)
    page_zh.sign_in(page, person(Role.TOWN_ADMIN, county.towns[0]))

    page.goto("/territory/coverage/")
    page.get_by_role("button", name="开始检查").click()
    expect(page.get_by_text("等待检查")).to_be_visible()
    assert coverage.work(at_most=9)
    expect(page.get_by_text("网格覆盖率")).to_be_visible()
    row = page.locator("tr", has_text=village.name)
    expect(row).to_contain_text("亩")
    row.get_by_role("button", name="在图上看").click()
    expect(page.locator(".leaflet-popup")).to_contain_text("空白")
    editor = row.get_by_role("link", name="去修改")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    editor.click()
    page.wait_for_url(f"**/territory/{grid.pk}/draw/?fault=*")
    page.locator("#draw-map[data-ready]").wait_for()
    in_view = page.evaluate(IN_VIEW)
    assert in_view[0] <= (west + east) / 2 <= in_view[2]
    assert (in_view[2] - in_view[0]) < 6 * (east - west)
    assert page.evaluate("document.documentElement.scrollWidth") <= width

    file = tmp_path / "grids.geojson"
    feature = {
        "type": "Feature",
        "properties": {"code": grid.code},
        "geometry": json.loads(whole.geojson),
    }
    file.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    page.goto("/territory/boundaries/")
    page.get_by_label("文件").set_input_files(file)
    page.get_by_role("button", name="上传并预览").click()
    expect(page.get_by_text("正在读取并比对文件")).to_be_visible()
    assert boundary_import.work()
    expect(page.get_by_text("按代码匹配").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert boundary(grid).area < whole.area * 0.6
    page.get_by_role("button", name="保存 1 个边界").click()
    page.get_by_role("button", name="保存", exact=True).click()
    expect(page.get_by_text("正在保存边界")).to_be_visible()
    assert boundary_import.work()
    expect(page.get_by_text("已保存 1 个边界")).to_be_visible()
    assert boundary(grid).equals_exact(whole, 1e-9)

    page.get_by_role("link", name="检查空白和重叠").click()
    coverage.start(area=county.towns[0], actor=None)
    coverage.work(at_most=9)
    page.goto(f"/territory/coverage/?area={county.towns[0].pk}")
    expect(page.get_by_text("无空白、无重叠")).to_be_visible()
