"""Repeats in a real browser: shown to the reporter, merged, taken apart by a dispatcher."""

import pytest
from playwright.sync_api import expect

from incidents.factories import World
from incidents.models import Incident, Publication, State

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def lead(db):
    world = World()
    world.rubbish.publication = Publication.PLACE
    world.rubbish.save()
    return world, world.pending(category=world.rubbish)


def test_a_resident_finds_their_matter_reported_and_says_it_is_this_one(lead, page_zh):
    world, case = lead
    longitude, latitude = world.places.point_in(world.grid)
    page = page_zh(390)
    page.goto("/report/")
    page.locator("[name=text]").fill("村口垃圾堆成山了没人清")
    page.evaluate(
        """([lat, lon]) => {
            const form = document.querySelector("[data-report]");
            form.elements.lat.value = lat;
            form.elements.lon.value = lon;
            form.dispatchEvent(new CustomEvent("geshi:placed", { bubbles: true }));
        }""",
        [latitude, longitude],
    )
    shown = page.get_by_role("radio", name="就是这件")
    expect(shown).to_have_count(1)
    assert case.text not in page.content()
    shown.check()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.get_by_role("button", name="提交").click()
    expect(page.get_by_text("合并办理")).to_be_visible()
    twin = Incident.objects.exclude(pk=case.pk).get()
    assert twin.merged_into == case
    page.goto(f"/track/?code={twin.tracking_code}")
    expect(page.get_by_text("合并后的办理进度")).to_be_visible()


def test_a_dispatcher_merges_and_takes_apart_again(lead, page_zh):
    world, case = lead
    twin = world.report("村口又有垃圾")
    desk = page_zh(1440)
    page_zh.sign_in(desk, world.command)
    desk.goto(f"/incidents/{twin.tracking_code}/do/merge/")
    desk.get_by_role("button", name=case.tracking_code).click()
    desk.get_by_role("button", name="并案").click()
    expect(desk.get_by_role("link", name=case.tracking_code).first).to_be_visible()
    assert Incident.objects.get(pk=twin.pk).merged_into == case

    phone = page_zh(390)
    page_zh.sign_in(phone, world.command)
    phone.goto(f"/incidents/{twin.tracking_code}/")
    phone.get_by_role("link", name="取消并案").click()
    phone.get_by_label("原因").fill("不是同一处")
    assert phone.evaluate("document.documentElement.scrollWidth") <= 390
    phone.get_by_role("button", name="取消并案").click()
    expect(
        phone.get_by_text("有重复件从本案移出").or_(phone.get_by_text("移出自")).first
    ).to_be_visible()
    assert Incident.objects.get(pk=twin.pk).state == State.REPORTED
