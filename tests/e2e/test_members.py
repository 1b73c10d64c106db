"""What somebody sees who is no operator."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.e2e.chatting import ask, new_chat
from tests.studio import Studio


def test_a_member_can_look_at_plugins_and_change_none(member_page: Page) -> None:
    member_page.goto("/plugins")
    expect(member_page.get_by_test_id("plugin-state-calculator")).to_have_text("active")
    expect(member_page.get_by_text("Only an operator can change them.")).to_be_visible()
    forbidden = re.compile("^(Load|Unload|Reload|Configure|Discover|Install|More|Restore|Cancel)")
    expect(member_page.get_by_role("main").get_by_role("button", name=forbidden)).to_have_count(0)
    member_page.get_by_test_id("plugin-row-calculator").get_by_role("link", name="Details").click()
    page = member_page.get_by_role("main", name="Calculator")
    expect(page).to_contain_text("AI Chat Studio")
    expect(page.get_by_role("textbox")).to_have_count(0)
    expect(page.get_by_role("button")).to_have_count(0)
    parts = page.get_by_role("navigation", name="Parts of Calculator").get_by_role("link")
    expect(parts).to_have_text(["Overview", "Dependencies", "Nodes", "Events"])
    for part in ("Dependencies", "Nodes", "Events"):
        parts.get_by_text(part).click()
        expect(page.get_by_role("alert")).to_have_count(0)


def test_pages_for_operators_are_not_offered_to_members(member_page: Page) -> None:
    member_page.goto("/")
    sidebar = member_page.get_by_role("navigation", name="Conversations and pages")
    expect(sidebar.get_by_role("link", name="Plugins")).to_be_visible()
    for name in ("Webhooks", "System"):
        expect(sidebar.get_by_role("link", name=name)).to_have_count(0)
        member_page.goto(f"/{name.lower()}")
        expect(member_page.get_by_role("heading", name="This page is for operators")).to_be_visible()


def test_a_member_chats_with_tools(member_page: Page) -> None:
    new_chat(member_page)
    expect(member_page.get_by_text("Member", exact=True)).to_be_visible()
    answer = ask(member_page, "calculate 8*8")
    expect(answer.get_by_test_id("tool-call").locator("summary")).to_contain_text("64")
    expect(member_page.get_by_test_id("token-meter")).to_be_visible()


def test_members_see_only_their_own_conversations(member_page: Page, studio: Studio) -> None:
    secret = {"model": "example-provider/echo", "message": "for the operator alone"}
    assert studio.http.post("/api/chat", secret).status == 200
    new_chat(member_page)
    ask(member_page, "for the member alone")
    sidebar = member_page.get_by_role("navigation", name="Conversations and pages")
    expect(sidebar.get_by_role("link", name="for the member alone")).to_be_visible()
    expect(sidebar.get_by_role("link", name="for the operator alone")).to_have_count(0)


def test_a_member_is_not_let_into_the_admin(member_page: Page) -> None:
    member_page.goto("/admin/plugins_app/plugin/")
    expect(member_page).to_have_url(re.compile(r"/admin/login"))
