"""Passkeys in a real browser, with an authenticator the browser itself pretends to have."""

import re

import pytest
from playwright.sync_api import Page, expect

from grids.factories import PASSWORD, person, small_county
from grids.models import Authenticator, Role


@pytest.fixture(autouse=True)
def _required(settings):
    settings.TWO_FACTOR = "required"


def with_authenticator(page: Page) -> None:
    devtools = page.context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    devtools.send(
        "WebAuthn.addVirtualAuthenticator",
        {
            "options": {
                "protocol": "ctap2",
                "transport": "internal",
                "hasResidentKey": True,
                "hasUserVerification": True,
                "isUserVerified": True,
                "automaticPresenceSimulation": True,
            }
        },
    )


def sign_in(page: Page, username: str) -> None:
    page.goto("/login/")
    page.fill("[name=username]", username)
    page.fill("[name=password]", PASSWORD)
    page.click("#sign-in button[type=submit]")


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
def test_a_passkey_is_made_at_the_first_sign_in_and_used_at_the_next(page_zh):
    command = person(Role.COMMAND, small_county().county)
    page = page_zh()
    with_authenticator(page)
    sign_in(page, command.username)
    page.goto("/command/")
    expect(page.get_by_text("请先设置第二重验证")).to_be_visible()
    page.fill("[data-passkey-make] [name=name]", "办公室电脑")
    page.click("[data-passkey-make] button")
    expect(page.locator("[data-codes] li")).to_have_count(10)
    expect(page.get_by_role("cell", name="办公室电脑")).to_be_visible()
    page.goto("/account/")
    page.locator("details.g-menu summary").click()
    page.click("form[action='/logout/'] button")

    sign_in(page, command.username)
    expect(page).to_have_url(re.compile("/login/second/$"))
    page.click("[data-passkey-use] button")
    expect(page).to_have_url(re.compile("/command/$"))
    assert Authenticator.objects.get().used_at is not None


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
def test_a_copied_passkey_that_counts_behind_is_refused(page_zh):
    mine = person(Role.COMMAND, small_county().county)
    page = page_zh()
    with_authenticator(page)
    sign_in(page, mine.username)
    page.goto("/account/")
    page.click("[data-passkey-make] button")
    expect(page.locator("[data-codes] li")).to_have_count(10)
    stolen = Authenticator.objects.get(user=mine)
    page.locator("details.g-menu summary").click()
    page.click("form[action='/logout/'] button")
    # A copy of the key counts behind the real one.
    Authenticator.objects.filter(pk=stolen.pk).update(last_used=10**6)
    sign_in(page, mine.username)
    page_zh.allow("status of 422")
    page.click("[data-passkey-use] button")
    expect(page.get_by_role("alert").first).to_contain_text("通行密钥未通过验证")
