"""A whistle in a real browser: blown, answered by each, dissented from, ruled on, signed."""

import pytest
from playwright.sync_api import Page, expect

from incidents.factories import World
from incidents.models import Incident, State, Tier

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def world(db):
    return World()


@pytest.fixture
def case(world):
    return world.pending(category=world.road, tier=Tier.WHISTLE)


@pytest.fixture
def take(case):
    """Open a step of the case, fill it in and send it."""

    def take(page: Page, action: str, **words: str) -> None:
        page.goto(f"/incidents/{case.tracking_code}/do/{action}/")
        for name, text in words.items():
            page.locator(f"form.c-form [name={name}]").first.fill(text)
        send(page)

    return take


def send(page: Page) -> None:
    with page.expect_response(lambda answer: answer.request.method == "POST") as sent:
        page.locator("form.c-form .c-send").click()
    assert sent.value.ok, sent.value.text()


def state(case) -> str:
    return Incident.objects.get(pk=case.pk).state


def test_two_departments_disagree_and_the_command_centre_rules(world, case, take, page_zh):
    town, lead, water, command = page_zh(1440), page_zh(1440), page_zh(390), page_zh(1440)
    for page, user in (
        (town, world.town_admin),
        (lead, world.city_handler),
        (water, world.water_handler),
        (command, world.command),
    ):
        page_zh.sign_in(page, user)

    town.goto(f"/incidents/{case.tracking_code}/do/blow_whistle/")
    town.locator("[name=ask]").fill("请两家到现场会商")
    town.locator(f"[name=lead][value='{world.city.pk}']").check()
    town.locator(f"[name=parties][value='{world.water.pk}']").check()
    town.locator(f"[name=ask_{world.water.pk}]").fill("查管网是否破裂")
    town.locator("[name=meet_place]").fill("东门路口")
    send(town)
    assert state(case) == State.WHISTLED

    take(lead, "party_accept")
    take(lead, "party_arrive")
    take(lead, "party_answer", opinion="路面已修复")

    water.goto(f"/incidents/{case.tracking_code}/")
    expect(water.get_by_text("查管网是否破裂").first).to_be_visible()
    expect(water.get_by_text("东门路口").first).to_be_visible()
    take(water, "party_accept")
    take(water, "party_arrive")
    take(water, "party_answer", opinion="管网有破损")
    take(water, "party_dissent", reason="管网破了没有修")
    assert water.evaluate("document.documentElement.scrollWidth") <= 390
    assert state(case) == State.RULING

    command.goto(f"/incidents/{case.tracking_code}/do/rule/")
    expect(command.get_by_text("管网破了没有修").first).to_be_visible()
    command.locator("[name=ruling]").fill("先修管网，再恢复路面")
    command.locator("label:has([name=answer_stands][value=no])").click()
    send(command)
    assert state(case) == State.WHISTLED

    lead.goto(f"/incidents/{case.tracking_code}/")
    expect(lead.get_by_text("先修管网，再恢复路面").first).to_be_visible()
    take(lead, "party_answer", opinion="管网已换，路面已恢复")
    assert state(case) == State.WHISTLED
    take(water, "party_answer", opinion="管网完好")
    take(water, "party_sign")
    assert state(case) == State.RESPONDED
    expect(water.get_by_text("待核查").first).to_be_visible()
