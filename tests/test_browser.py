"""The first page opens in a real browser without a complaint."""

import pytest


@pytest.mark.browser
@pytest.mark.parametrize("width", [390, 1440])
def test_first_page_is_chinese_and_as_wide_as_the_screen(page_zh, width):
    page = page_zh(width)
    page.goto("/")
    assert page.locator("html").get_attribute("lang") == "zh-hans"
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.browser
def test_a_broken_content_security_policy_is_noticed(page_zh):
    page = page_zh()
    page.goto("/")
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<p style=\"color: red\">x</p>')")
    assert any("Content Security Policy" in complaint for complaint in page_zh.complaints)
    page_zh.allow("Content Security Policy")
