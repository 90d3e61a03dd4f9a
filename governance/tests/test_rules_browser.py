"""Rules drawn up and put in force, and an objection decided, in a real browser."""

import pytest
from playwright.sync_api import expect

from incidents.factories import World
from incidents.models import Incident, OwnerKind, RoutingRule, State
from incidents.services import dispatching
from incidents.workflow import AI


def dispatch(world, text):
    incident = world.report(text)
    dispatching.triage(incident_id=incident.pk, actor=AI, category=world.rubbish)
    return Incident.objects.get(pk=incident.pk)


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
def test_a_rule_is_made_tried_moved_up_and_put_in_force(page_zh):
    world = World()
    RoutingRule.objects.create(
        position=1, name="垃圾归网格", category=world.rubbish, owner_kind=OwnerKind.GRID
    )
    RoutingRule.objects.create(position=2, name="其余人工派", owner_kind=OwnerKind.PERSON)
    case = dispatch(world, "河里漂着一片垃圾")
    page = page_zh(1440)
    page_zh.sign_in(page, world.command)

    page.goto("/rules/")
    page.get_by_role("link", name="新规则").click()
    page.get_by_label("名称").fill("河里的垃圾归水利")
    page.get_by_label("文字").fill("河，渠")
    page.get_by_label("派往").select_option("department")
    page.get_by_label("部门", exact=True).select_option(label="水利局")
    page.get_by_label("上报内容").first.fill("渠里全是垃圾")
    page.get_by_label("事项", exact=True).first.select_option(label="暴露垃圾")
    page.get_by_label("应交给").first.select_option(label="水利局")
    page.get_by_role("button", name="存入草稿").click()
    expect(page.get_by_text("第 1 条规则“垃圾归网格”先命中")).to_be_visible()

    page.get_by_role("button", name="启用", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="启用").click()
    expect(page.get_by_text("未启用")).to_be_visible()
    page_zh.allow("status of 400")

    # By the keyboard alone: the arrow keeps the focus.
    page.get_by_role("button", name="上移“河里的垃圾归水利”").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".r-rule").first).to_contain_text("河里的垃圾归水利")
    page.get_by_role("link", name="过去 30 天").click()
    expect(page.get_by_text("有 1 件会派往别处")).to_be_visible()
    expect(page.get_by_role("link", name=case.tracking_code)).to_be_visible()

    page.get_by_role("button", name="启用", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="启用").click()
    expect(page.get_by_text("已启用")).to_be_visible()
    assert dispatch(world, "渠里全是垃圾").owner == world.water


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
def test_a_department_objects_and_the_command_centre_decides_for_good(page_zh):
    world = World()
    case = world.dispatched()
    there = f"/incidents/{case.tracking_code}/"
    handler = page_zh(1440)
    page_zh.sign_in(handler, world.city_handler)
    handler.goto(f"{there}do/object/")
    handler.locator("textarea[name=reason]").fill("河道内的垃圾归水利局")
    handler.locator("form").get_by_role("button", name="提出异议").click()
    expect(handler.get_by_text("异议待裁定").first).to_be_visible()

    arbiter = page_zh(1440)
    page_zh.sign_in(arbiter, world.command)
    arbiter.goto(there)
    expect(arbiter.get_by_text("河道内的垃圾归水利局").first).to_be_visible()
    arbiter.goto(f"{there}do/reject_objection/")
    arbiter.locator("textarea[name=reason]").fill("岸上清运归城管")
    arbiter.locator("form").get_by_role("button", name="异议不成立").click()
    expect(arbiter.get_by_text("岸上清运归城管").first).to_be_visible()
    case.refresh_from_db()
    assert (case.state, case.owner) == (State.DISPATCHED, world.city)

    handler.goto(there)
    expect(handler.get_by_role("link", name="提出异议")).to_have_count(0)
