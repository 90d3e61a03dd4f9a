"""A reorganisation in a real browser: drafted, looked through, decided, found by its old code."""

import re

import pytest
from playwright.sync_api import expect

from grids.factories import person
from grids.models import Area, Role
from grids.services.reorganisation import carry_out_due
from incidents.factories import World


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
def test_two_villages_are_merged_by_two_people_and_the_old_code_leads_on(page_zh):
    world = World()
    kept, gone = world.places.villages[:2]
    grid = world.places.grids[2]
    office = person(Role.VILLAGE_OFFICE, gone)
    longitude, latitude = world.places.point_in(grid)
    case = world.report(longitude=longitude, latitude=latitude)

    admin = page_zh(1440)
    page_zh.sign_in(admin, world.town_admin)
    admin.goto("/territory/reorganise/")
    admin.get_by_role("link", name="起草调整方案").first.click()
    admin.get_by_label("标题").fill("两村合并方案")
    admin.get_by_label("乡镇或村（社区）").press_sequentially("东关新村", delay=20)
    offered = admin.locator(f'datalist option[value^="{gone.code}"]')
    expect(offered).to_be_attached()
    admin.get_by_label("乡镇或村（社区）").fill(offered.get_attribute("value") or "")
    admin.get_by_label("并入或划入").fill(kept.code)
    expect(admin.get_by_label("新名称")).to_be_hidden()
    admin.get_by_role("button", name="保存并预演").click()

    expect(admin.get_by_text("预演通过，没有冲突")).to_be_visible()
    expect(admin.get_by_text(f"{kept.code}003")).to_be_visible()
    expect(admin.locator("#act-map[data-ready]")).to_be_visible()
    admin.locator("summary", has_text="未办结事件").click()
    expect(admin.get_by_role("link", name=re.compile(case.tracking_code))).to_be_visible()
    admin.get_by_role("button", name="报送审批").click()
    expect(admin.get_by_text("已报批，由另一人审批。")).to_be_visible()
    assert Area.objects.get(pk=gone.pk).closed_on is None

    centre = page_zh(390)
    page_zh.sign_in(centre, world.command)
    centre.goto("/territory/reorganise/")
    centre.get_by_role("link", name="两村合并方案").click()
    assert centre.evaluate("document.documentElement.scrollWidth") <= 390
    centre.get_by_role("button", name="批准", exact=True).click()
    centre.get_by_role("dialog").get_by_role("button").last.click()
    expect(centre.get_by_text("正在实施").first).to_be_visible()
    assert carry_out_due() == 1
    # The page asks by itself and shows the record.
    expect(centre.get_by_text("变更结果")).to_be_visible()

    admin.goto(f"/territory/?q={grid.code}")
    expect(admin.get_by_text(f"{kept.code}003").first).to_be_visible()
    at_the_office = page_zh(1440)
    page_zh.sign_in(at_the_office, office)
    at_the_office.goto(f"/incidents/{case.tracking_code}/")
    expect(at_the_office.get_by_text("区划调整，案件随之转移").first).to_be_visible()
