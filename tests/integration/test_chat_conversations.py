"""The conversations' REST face."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connections
from django.test import Client
from django.utils import timezone

from aichat.chat.models import Conversation, Message
from aichat.chat.services import AnswerEnd, answer_begin, answer_finish

PATH = "/api/conversations"


@pytest.fixture(autouse=True)
def closed_connections() -> Iterator[None]:
    """SQLite closes no descriptor of a file while another connection has locks on it."""
    yield
    connections.close_all()


@pytest.fixture
def ann(closed_connections: None, db: None) -> Client:
    return browser_of("ann")


def browser_of(name: str, **more: Any) -> Client:
    browser = Client(enforce_csrf_checks=False)
    browser.force_login(get_user_model().objects.create_user(name, **more))
    return browser


def talk(name: str, *said: str) -> Conversation:
    """A conversation in which everything was answered."""
    user = get_user_model().objects.get(username=name)
    conversation_id = ""
    for text in said:
        messages = [{"role": "user", "content": text}]
        start = answer_begin(user_id=user.pk, conversation_id=conversation_id or None, messages=messages, model="p/m")
        answer_finish(message_id=start.message_id, end=AnswerEnd(Message.Status.COMPLETE, f"So: {text}"))
        conversation_id = start.conversation_id
    return Conversation.objects.get(pk=conversation_id)


@pytest.mark.parametrize("slash", ["", "/"])
def test_conversations_are_listed_newest_first_in_pages(ann: Client, slash: str) -> None:
    for text in ("one", "two", "three"):
        talk("ann", text)
    page = ann.get(f"{PATH}{slash}?page_size=2").json()
    assert page["count"] == 3 and page["next"]
    assert [each["title"] for each in page["results"]] == ["three", "two"]
    assert set(page["results"][0]) == {"id", "title", "created_at", "updated_at"}
    assert [each["title"] for each in ann.get(f"{PATH}?search=TW").json()["results"]] == ["two"]


def test_a_conversation_has_its_messages_in_order(ann: Client) -> None:
    conversation = talk("ann", "one", "two")
    detail = ann.get(f"{PATH}/{conversation.pk}/").json()
    assert [(each["role"], each["content"]) for each in detail["messages"]] == [
        ("user", "one"),
        ("assistant", "So: one"),
        ("user", "two"),
        ("assistant", "So: two"),
    ]
    assert detail["messages"][1]["model"] == "p/m"
    assert "lease_until" not in detail["messages"][1]


@pytest.mark.parametrize(
    ("said", "title"), [("short", "short"), ("a  b\n c", "a b c"), ("word " * 30, "word " * 11 + "word…")]
)
def test_the_title_is_what_was_said_first_shortened_at_a_word(ann: Client, said: str, title: str) -> None:
    assert talk("ann", said, "later").title == title


def test_only_the_title_can_be_changed(ann: Client) -> None:
    conversation = talk("ann", "one")
    changed = ann.patch(f"{PATH}/{conversation.pk}", {"title": "New", "id": "x"}, content_type="application/json")
    assert (changed.status_code, changed.json()["title"]) == (200, "New")
    for bad in ("", "x" * 201, None):
        refused = ann.patch(f"{PATH}/{conversation.pk}", {"title": bad}, content_type="application/json")
        assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/title")
    assert (
        ann.put(f"{PATH}/{conversation.pk}", {}, content_type="application/json").json()["code"] == "method_not_allowed"
    )


def test_deleting_deletes_everything(ann: Client) -> None:
    conversation = talk("ann", "one")
    assert ann.delete(f"{PATH}/{conversation.pk}").status_code == 204
    assert not Message.objects.exists()


def test_someone_elses_conversation_does_not_exist_not_even_for_an_operator(ann: Client) -> None:
    conversation = talk("ann", "one")
    bob = browser_of("bob", is_superuser=True)
    assert bob.get(PATH).json()["count"] == 0
    for answer in (
        bob.get(f"{PATH}/{conversation.pk}"),
        bob.get(f"{PATH}/{conversation.pk}/export?format=x"),
        bob.patch(f"{PATH}/{conversation.pk}", {"title": "x"}, content_type="application/json"),
        bob.delete(f"{PATH}/{conversation.pk}"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (404, "conversation_not_found")
    assert Client().get(PATH).status_code == 401


def test_an_answer_whose_process_died_is_shown_as_interrupted(ann: Client) -> None:
    conversation = talk("ann", "one")
    conversation.messages.filter(role="assistant").update(status="streaming", lease_until=timezone.now())
    last = ann.get(f"{PATH}/{conversation.pk}").json()["messages"][-1]
    assert (last["status"], last["error"]["code"]) == ("error", "interrupted")


def test_the_admin_lists_conversations_without_a_word_of_what_was_said(ann: Client) -> None:
    conversation = talk("ann", "a secret")
    root = browser_of("root", is_superuser=True, is_staff=True)
    found = root.get("/admin/chat/conversation/?q=ann").content
    page = root.get(f"/admin/chat/conversation/{conversation.pk}/change/").content
    assert str(conversation.pk).encode() in found and b"p/m" in page
    assert b"a secret" not in found + page and b'name="_save"' not in page
