"""An inspector's round on the phone, with and without signal, and what the ledger then shows."""

import io

import pytest
from PIL import Image
from playwright.sync_api import expect

from incidents.factories import World
from incidents.models import Hazard, InspectionPlace
from incidents.tests.test_inspections import a_place, campaign


def picture(colour: str) -> dict[str, object]:
    out = io.BytesIO()
    Image.new("RGB", (320, 240), colour).save(out, "JPEG")
    return {"name": "a.jpg", "mimeType": "image/jpeg", "buffer": out.getvalue()}


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
def test_a_hazard_is_written_down_without_signal_and_stands_in_the_ledger(page_zh):
    world = World()
    inspection = campaign(world)
    for name in ("和顺面粉厂", "兴旺超市"):
        a_place(world, inspection, name)
    page = page_zh(390)
    page_zh.sign_in(page, world.worker)

    page.goto("/inspections/round/")
    stop = page.locator(".v-stop", has_text="和顺面粉厂")
    stop.locator("[data-quick]").click()
    sheet = page.get_by_role("dialog")
    sheet.get_by_label("检查项").select_option(label="灭火器过期")
    expect(sheet.get_by_text("派给城管局")).to_be_visible()
    sheet.get_by_label("隐患描述").fill("车间两个都过期")
    sheet.get_by_label("当场整改").check()
    sheet.get_by_role("button", name="提交隐患").click()
    expect(sheet.get_by_text("请拍摄隐患照片")).to_be_visible()

    sheet.locator("[name=before_files]").set_input_files(picture("maroon"))
    sheet.locator("[name=after_files]").set_input_files(picture("green"))
    expect(sheet.locator(".g-shot")).to_have_count(2)
    page.context.set_offline(True)
    sheet.get_by_role("button", name="提交隐患").click()
    expect(page.get_by_text("检查结果未上传")).to_be_visible()
    expect(stop).to_contain_text("待发送")
    assert not Hazard.objects.exists()
    page.context.set_offline(False)
    expect(page.get_by_text("检查结果未上传")).to_be_hidden()
    assert Hazard.objects.get().on_spot

    page.locator(".v-stop", has_text="兴旺超市").locator("[data-quick]").click()
    page.get_by_role("dialog").get_by_role("button", name="无隐患").click()
    expect(page.get_by_role("dialog")).to_be_hidden()
    assert InspectionPlace.objects.get(name="兴旺超市").state == "clean"
    page_zh.allow("422")
    page_zh.allow("ERR_INTERNET_DISCONNECTED")

    desk = page_zh(1440)
    page_zh.sign_in(desk, world.town_admin)
    desk.goto(f"/inspections/{inspection.pk}/")
    desk.get_by_role("link", name="当场整改").click()
    expect(desk.locator(".i-hazard")).to_have_count(1)
    expect(desk.locator(".i-pair img")).to_have_count(2)
