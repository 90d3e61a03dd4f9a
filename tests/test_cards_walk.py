"""Contact cards from the desk to the door: printed, scanned, and a report with the place set."""

import re

import pypdfium2
import pytest
import zxingcpp

from core.models import AuditEntry
from grids.factories import PASSWORD, person
from grids.models import Role
from incidents.factories import World
from incidents.models import Incident

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_a_village_is_printed_a_code_scanned_and_a_matter_reported_from_the_door(page_zh):
    world = World()
    chief = person(Role.GRID_CHIEF, world.grid)
    town = person(Role.TOWN_ADMIN, world.town)
    desk = page_zh(1440)
    desk.goto("/login/")
    desk.locator("[name=username]").fill(town.username)
    desk.locator("[name=password]").fill(PASSWORD)
    desk.locator("#sign-in button[type=submit]").click()
    desk.wait_for_url(re.compile(r"^(?!.*login)"))

    desk.goto("/cards/")
    desk.locator("[name=place]").select_option(str(world.village.pk))
    desk.get_by_text(chief.display_name).first.wait_for()
    desk.locator(f"a[href^='/roster/{chief.pk}/card/']").click()
    desk.locator("[name=duty_phone]").fill("19900007777")
    desk.locator("form:has([name=duty_phone]) .btn-primary").click()
    desk.get_by_text("199****7777").wait_for()

    with desk.expect_download() as paper:
        desk.locator(f"form[action$='/{world.village.pk}.pdf'] button").click()
    sheet = pypdfium2.PdfDocument(paper.value.path().read_bytes())
    text = sheet[0].get_textpage().get_text_bounded()
    assert chief.display_name in text
    assert "199 0000 7777" in text
    assert "连心卡" in text
    links = {code.text for code in zxingcpp.read_barcodes(sheet[0].render(scale=2).to_pil())}
    link = next(link for link in links if link.endswith(world.grid.code))
    assert AuditEntry.objects.filter(action="cards.printed", actor=town).count() == 1

    phone = page_zh(390)
    phone.goto(link)
    phone.get_by_text(world.grid.name).first.wait_for()
    page_zh.allow("status of 400")
    # An error on the way does not lose the place.
    phone.locator("form[data-report] .btn-big").click()
    phone.locator(".g-error").first.wait_for()
    phone.get_by_text(world.grid.name).first.wait_for()
    phone.locator("[name=text]").fill("井盖松动，一踩就响")
    phone.locator("form[data-report] .btn-big").click()
    phone.locator("#code").wait_for()
    assert Incident.objects.get().grid == world.grid
