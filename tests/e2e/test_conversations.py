"""What people do with their chats: branches, searching, putting away, files, tools that ask first, prompts."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import FilePayload, Page, expect

from tests.e2e.chatting import ask, conversation, last_answer, more, new_chat, send
from tests.studio import Studio

_MANIFEST = """
[plugin]
id = "files"
name = "Files"
version = "1.0.0"
type = "tool"
"""
_FILES = """
from plugins_app.sdk import ToolPlugin


class Files(ToolPlugin):
    def get_actions(self):
        return [{"name": "delete", "description": "Delete a file", "parameters": {}, "destructive": True}]

    async def execute(self, action, parameters):
        return f"{parameters['path']} is gone"
"""


def test_an_edited_question_makes_a_branch_and_both_can_be_read(operator_page: Page) -> None:
    new_chat(operator_page)
    ask(operator_page, "the first wording")
    question = operator_page.get_by_test_id("message-user")
    question.hover()
    question.get_by_role("button", name="Edit message").click()
    operator_page.get_by_label("Edit the message").fill("the second wording")
    operator_page.keyboard.press("Enter")
    expect(last_answer(operator_page)).to_contain_text("You said: the second wording")
    expect(question.get_by_test_id("branch-switch")).to_have_text(re.compile(r"2 / 2"))
    question.get_by_role("button", name="Previous question").click()
    expect(last_answer(operator_page)).to_contain_text("You said: the first wording")
    operator_page.reload()
    expect(last_answer(operator_page)).to_contain_text("You said: the first wording")


def test_another_answer_stands_beside_the_first(operator_page: Page) -> None:
    new_chat(operator_page)
    ask(operator_page, "again, please")
    last_answer(operator_page).get_by_role("button", name="Ask another model").click()
    operator_page.get_by_role("menuitem", name="Story").click()
    switch = last_answer(operator_page).get_by_test_id("branch-switch")
    expect(switch).to_have_text(re.compile(r"2 / 2"))
    expect(last_answer(operator_page).get_by_test_id("answer-meta")).to_contain_text("story")
    switch.get_by_role("button", name="Previous answer").click()
    expect(last_answer(operator_page).get_by_test_id("answer-meta")).to_contain_text("echo")


def test_what_was_said_is_found_and_shown_where_it_was_said(operator_page: Page) -> None:
    new_chat(operator_page)
    ask(operator_page, "a chat about lighthouses")
    ask(operator_page, "the keeper is called Ingeborg")
    operator_page.goto("/")
    operator_page.get_by_test_id("conversation-search").fill("ingeb")
    match = operator_page.get_by_test_id("search-match").first
    expect(match.locator("mark")).to_have_text("Ingeb")
    match.click()
    expect(operator_page.get_by_test_id("message-user").last).to_contain_text("Ingeborg")


def test_a_chat_is_pinned_and_archived_and_comes_back(operator_page: Page) -> None:
    new_chat(operator_page)
    ask(operator_page, "keep this at hand")
    more(operator_page, "keep this at hand", "Pin")
    pinned = operator_page.get_by_role("region", name="Pinned")
    expect(pinned.get_by_role("link", name="keep this at hand")).to_be_visible()
    more(operator_page, "keep this at hand", "Archive")
    expect(conversation(operator_page, "keep this at hand")).to_have_count(0)
    operator_page.get_by_role("button", name="More about chats").click()
    operator_page.get_by_role("menuitem", name="Archived chats").click()
    more(operator_page, "keep this at hand", "Unarchive")
    operator_page.get_by_role("button", name="Archived chats").click()
    expect(conversation(operator_page, "keep this at hand")).to_be_visible()


def test_a_file_goes_with_the_message_and_is_shown_there(operator_page: Page) -> None:
    new_chat(operator_page)
    note: FilePayload = {"name": "note.txt", "mimeType": "text/plain", "buffer": b"the heron is grey"}
    operator_page.get_by_test_id("file-input").set_input_files(note)
    expect(operator_page.get_by_test_id("attached")).to_have_attribute("data-status", "ready")
    answer = ask(operator_page, "what does it say?")
    expect(answer).to_contain_text("the heron is grey")
    operator_page.reload()
    files = operator_page.get_by_role("list", name="Attachments")
    expect(files.get_by_role("link")).to_contain_text("note.txt")


def test_a_destructive_tool_asks_and_the_answer_goes_on(
    operator_page: Page, studio: Studio, drop: Callable[..., Path]
) -> None:
    drop("files", _FILES, files={"plugin.toml": _MANIFEST})
    assert studio.http.post("/api/plugins/load", {"plugin_id": "files"}).status == 200
    new_chat(operator_page)
    for choice, said in (("Refuse", "files.delete failed"), ("Approve", "old.txt is gone")):
        send(operator_page, f"use files.delete {json.dumps({'path': 'old.txt'})}")
        card = operator_page.get_by_test_id("tool-approval")
        expect(card).to_contain_text("old.txt")
        card.get_by_role("button", name=choice, exact=True).click()
        expect(last_answer(operator_page)).to_contain_text(said)


def test_a_saved_prompt_is_filled_in_and_sent(operator_page: Page) -> None:
    new_chat(operator_page)
    operator_page.get_by_test_id("prompt-library").click()
    operator_page.get_by_role("button", name="New prompt").click()
    operator_page.get_by_label("Title").fill("Greeting")
    operator_page.get_by_label("Text").fill("Greet {{who}} kindly")
    operator_page.get_by_role("button", name="Save").click()
    operator_page.reload()
    operator_page.get_by_test_id("prompt-library").click()
    operator_page.get_by_role("combobox", name="Search prompts").fill("greeting")
    operator_page.keyboard.press("Enter")
    operator_page.get_by_label("who").fill("Ada")
    operator_page.get_by_role("button", name="Insert").click()
    expect(operator_page.get_by_label("Message", exact=True)).to_have_value("Greet Ada kindly")
