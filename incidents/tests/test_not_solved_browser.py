"""A resident reads the AI's answer on the phone, it does not help, and a person reads it all."""

from datetime import date

import pytest
from playwright.sync_api import expect

from incidents.factories import World, category
from incidents.models import Article
from incidents.services.knowledge import save_article
from incidents.services.triage import triage_new

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_an_answer_that_does_not_help_brings_a_person_the_whole_exchange(page_zh):
    world = World()
    item = category(world.city, name="医保咨询", is_question=True, tier="ai")
    save_article(
        article=Article(
            code="K1",
            title="住院费用怎么报销",
            body="出院时在医院直接结算。",
            keywords=["报销", "住院"],
            source="县医保服务窗口",
            published_on=date(2026, 3, 1),
            category=item,
        ),
        actor=None,
    )
    incident = world.report("住院费用怎么报销", category=item)
    triage_new()

    phone = page_zh(390)
    phone.goto("/track/")
    phone.locator("[name=code]").fill(incident.tracking_code)
    phone.locator("[name=code]").press("Enter")
    answer = phone.locator(".g-answer")
    for words in ("住院费用怎么报销", "出院时在医院直接结算。", "县医保服务窗口", "2026-03-01"):
        expect(answer).to_contain_text(words)
    phone.get_by_label("还缺什么").fill("问的是异地住院")
    assert phone.evaluate("document.documentElement.scrollWidth") <= 390
    phone.get_by_role("button", name="没解决").click()
    expect(phone.locator(".g-answer")).to_have_count(0)
    expect(phone.get_by_text("问的是异地住院")).to_be_visible()

    desk = page_zh(1440)
    page_zh.sign_in(desk, world.command)
    desk.goto(f"/incidents/{incident.tracking_code}/")
    exchange = desk.locator(".c-exchange")
    for words in (
        "住院费用怎么报销",
        "出院时在医院直接结算。",
        "县医保服务窗口, 2026-03-01",
        "异地住院",
    ):
        expect(exchange).to_contain_text(words)
    expect(exchange).to_contain_text("匹配")
