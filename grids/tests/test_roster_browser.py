"""The roster in a real browser: a sheet with faults, put right, confirmed."""

import pytest
from playwright.sync_api import expect

from core.services import papers, sheets
from grids.factories import person, small_county
from grids.models import Role, User
from grids.tests.test_roster_sheet import row, sheet

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def send(page, data: bytes) -> None:
    page.goto("/roster/import/")
    page.locator("input[type=file]").set_input_files(
        {"name": "花名册.xlsx", "mimeType": XLSX, "buffer": data}
    )
    expect(page.get_by_text("花名册.xlsx").first).to_be_visible()
    page.get_by_role("button", name="上传").click()
    expect(page.get_by_text("尚未保存任何内容")).to_be_visible()
    sheets.work_due()


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
def test_a_sheet_with_faults_is_put_right_and_confirmed(page_zh):
    county = small_county()
    admin = person(Role.TOWN_ADMIN, county.towns[0])
    good = row("赵大力", "19900000001", grid=county.grids[0])
    wrong = row("钱二", "1990000", grid=county.grids[-1])
    page = page_zh(1440)
    page_zh.sign_in(page, admin)

    send(page, sheet([good, wrong]))
    expect(page.get_by_text("C3 手机号")).to_be_visible()
    expect(page.get_by_text("手机号应为 11 位，现为 7 位。")).to_be_visible()
    expect(page.get_by_text("您的辖区内没有此代码。")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("link", name="下载错误文件").click()
    assert download.value.suggested_filename.startswith("人员名册待更正行")

    send(page, sheet([good, row("钱二", "19900000002", grid=county.grids[1])]))
    expect(page.get_by_role("button", name="保存 2 行")).to_be_visible()
    assert not User.objects.filter(display_name="赵大力").exists()
    page.get_by_role("button", name="保存 2 行").click()
    page.get_by_role("dialog").get_by_role("button", name="保存").click()
    expect(page.get_by_text("将一次性全部保存")).to_be_visible()
    sheets.work_due()
    expect(page.get_by_text("新增人员 2")).to_be_visible()

    page.get_by_role("link", name="为 2 人打印初始密码").click()
    page.get_by_role("button", name="生成 2 张密码条").click()
    page.get_by_role("dialog").get_by_role("button", name="生成").click()
    expect(page.get_by_text("等待生成")).to_be_visible()
    papers.work_due()
    expect(page.get_by_role("button", name="下载 PDF")).to_be_visible()

    phone = page_zh(390)
    page_zh.sign_in(phone, admin)
    phone.goto("/roster/?search=钱二")
    phone.get_by_role("link", name="钱二").click()
    expect(phone.get_by_text("至今")).to_be_visible()
    assert phone.evaluate("document.documentElement.scrollWidth") <= 390
