"""The page that the studio serves opens in a real browser without an error."""

import re

from playwright.sync_api import Page, expect

from tests.studio import Studio


def test_somebody_who_is_not_signed_in_is_asked_to(page: Page, studio: Studio) -> None:
    page.goto("/")
    expect(page).to_have_url(re.compile(r"/login"))
    name, password = studio.first_login
    page.locator("input[name=username], input[autocomplete=username]").fill(name)
    page.locator("input[type=password]").fill(password)
    page.keyboard.press("Enter")
    expect(page).not_to_have_url(re.compile(r"/login"))


def test_the_operator_sees_the_plugins(operator_page: Page) -> None:
    operator_page.goto("/plugins")
    expect(operator_page.get_by_text("Calculator").first).to_be_visible()
