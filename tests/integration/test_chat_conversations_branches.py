"""Branches of a conversation: editing, answering again, going from one to the other; and finding what was said."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.test import Client

from aichat.chat import search, selectors
from aichat.chat.errors import ChatError
from aichat.chat.models import Conversation, Message
from aichat.chat.reading import UserConversations
from aichat.chat.services import AnswerEnd, answer_finish
from tests.integration.test_chat_conversations import PATH, begin, browser_of, closed_connections, send, talk

__all__ = ["closed_connections"]

CALL = {"id": "c1", "type": "function", "function": {"name": "calculator__evaluate", "arguments": "{}"}}
ROUND = (
    {"role": "assistant", "content": "", "tool_calls": [CALL]},
    {"role": "tool", "content": "42", "tool_call_id": "c1", "name": "calculator__evaluate"},
)


@pytest.fixture
def ann(closed_connections: None, db: None) -> Client:
    return browser_of("ann")


def say(conversation: Conversation, text: str, answer: str, transcript: Any = (), **more: Any) -> Message:
    """Something is said and answered; returns the answer."""
    messages = [{"role": "user", "content": text}] if text else []
    start = begin("ann", text, conversation_id=conversation.pk, **({"messages": messages} | more))
    answer_finish(message_id=start.message_id, end=AnswerEnd(Message.Status.COMPLETE, answer, transcript=transcript))
    return Message.objects.get(pk=start.message_id)


def shown(browser: Client, conversation: Conversation) -> list[str]:
    return [each["content"] for each in detail(browser, conversation)]


def detail(browser: Client, conversation: Conversation) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = browser.get(f"{PATH}/{conversation.pk}").json()["messages"]
    return found


def test_an_edited_question_begins_a_branch_beside_the_old_one(ann: Client) -> None:
    conversation = talk("ann", "one", "two")
    old = detail(ann, conversation)
    assert [each["parent_id"] for each in old] == [None, *(each["id"] for each in old[:-1])]
    assert [each["siblings"] for each in old] == [[each["id"]] for each in old]
    say(conversation, "zwei", "So: zwei", parent_id=old[1]["id"])
    new = detail(ann, conversation)
    assert [each["content"] for each in new] == ["one", "So: one", "zwei", "So: zwei"]
    assert new[2]["siblings"] == [old[2]["id"], new[2]["id"]]
    say(conversation, "eins", "So: eins", parent_id=None)
    assert shown(ann, conversation) == ["eins", "So: eins"]
    status, chosen = send(ann, "POST", f"{conversation.pk}/branch", {"message_id": old[2]["id"]})
    assert (status, [each["content"] for each in chosen["messages"]]) == (200, ["one", "So: one", "two", "So: two"])
    send(ann, "POST", f"{conversation.pk}/branch", {"message_id": old[0]["id"]})
    assert shown(ann, conversation)[2] == "zwei"  # the newest end


def test_a_model_is_told_of_its_own_branch_only(ann: Client) -> None:
    conversation = talk("ann", "one", "two")
    first = detail(ann, conversation)[1]
    start = begin("ann", "zwei", conversation_id=conversation.pk, parent_id=first["id"])
    assert [each["content"] for each in start.messages] == ["one", "So: one", "zwei"]


def test_an_answer_with_tool_calls_stands_as_a_whole_beside_others(ann: Client) -> None:
    conversation = talk("ann", "one")
    question, plain = detail(ann, conversation)
    with_tools = say(conversation, "", "It is 42", ROUND, parent_id=question["id"])
    again = detail(ann, conversation)
    assert [each["role"] for each in again] == ["user", "assistant", "tool", "assistant"]
    assert again[-1]["id"] == str(with_tools.pk)
    assert [each["siblings"] for each in again[1:]] == [
        [again[1]["id"]],
        [again[2]["id"]],
        [plain["id"], again[3]["id"]],
    ]
    send(ann, "POST", f"{conversation.pk}/branch", {"message_id": plain["id"]})
    beside = detail(ann, conversation)[-1]["siblings"]
    assert beside == [plain["id"], again[1]["id"]]
    send(ann, "POST", f"{conversation.pk}/branch", {"message_id": beside[1]})
    assert shown(ann, conversation)[-1] == "It is 42"


@pytest.mark.parametrize("other", ["00000000-0000-4000-8000-000000000000", "no"])
def test_a_branch_needs_a_message_of_the_conversation(ann: Client, other: str) -> None:
    conversation = talk("ann", "one")
    elsewhere = detail(ann, talk("ann", "two"))[0]["id"]
    for message_id, code in (
        (other, "invalid" if other == "no" else "message_not_found"),
        (elsewhere, "message_not_found"),
    ):
        assert send(ann, "POST", f"{conversation.pk}/branch", {"message_id": message_id})[1]["code"] == code


def found(browser: Client, query: str, more: str = "") -> list[str]:
    return [each["title"] for each in browser.get(f"{PATH}?search={query}{more}").json()["results"]]


def test_titles_and_messages_are_searched_for_all_words(ann: Client) -> None:
    talk("ann", "The quick brown fox jumps", "over the lazy dog")
    talk("ann", "A lazy Müller, e-mail me@example.com", "the 日本語 and Привет мир")
    assert found(ann, "QUICK fox") == ["The quick brown fox jumps"]
    assert found(ann, "quick dog") == []  # not in the same message
    assert len(found(ann, "lazy")) == 2
    assert len(found(ann, "laz")) == 2 and found(ann, "laz dog") == []  # only the last may be cut short
    for query in ("example", "me@example.com", "e-mail", "привет", "日本語", "müll"):
        assert len(found(ann, query)) == 1, query
    for query in ("%22", "'", "*", "a* AND", "(", "-", "fox OR dog NEAR", "\\"):
        assert found(ann, query) in ([], *([each] for each in found(ann, "lazy"))), query


def test_a_match_names_the_message_and_marks_the_words(ann: Client) -> None:
    talk("ann", "First", "padding " * 40 + "some Needles in hay " + "more " * 60)
    (one,) = ann.get(f"{PATH}?search=some%20needle").json()["results"]
    assert len(one["matches"]) == 2 and one["matches"][0]["role"] in ("user", "assistant")
    pieces = one["matches"][0]["excerpt"]
    assert [piece["text"] for piece in pieces if piece["hit"]] == ["some", "Needle"]
    text = "".join(piece["text"] for piece in pieces)
    assert text.startswith("…padding") and text.endswith("more…") and len(text) < 200
    message = Message.objects.get(pk=one["matches"][0]["message_id"])
    assert text.strip("…") in message.content
    assert "matches" not in ann.get(PATH).json()["results"][0]


def test_the_index_follows_what_is_written(ann: Client) -> None:
    conversation = talk("ann", "alpha")
    Message.objects.filter(role="user").update(content="beta")
    assert [len(found(ann, word)) for word in ("beta", "alpha")] == [1, 1]  # the title and the answer have it
    send(ann, "PATCH", str(conversation.pk), {"title": "gamma"})
    Message.objects.filter(role="assistant").update(content="")
    assert [len(found(ann, word)) for word in ("alpha", "beta", "gamma")] == [0, 1, 1]
    assert found(ann, "gamma", "&archived=true") == []
    Conversation.objects.all().delete()
    assert search.search(user_id=1, query="gamma") == []
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM chat_search_row")
            assert cursor.fetchone() == (0,)


def test_plugins_read_their_callers_own_only(ann: Client) -> None:
    conversation = talk("ann", "needle")
    browser_of("bob")
    hers, his = (get_user_model().objects.get(username=name).pk for name in ("ann", "bob"))
    found = UserConversations().search(user_id=hers, query="need", limit=2)
    assert [(hit["message_id"] is None, hit["excerpt"]) for hit in found] == [
        (True, "needle"),
        (False, found[1]["excerpt"]),
    ]
    assert UserConversations().get(user_id=hers, conversation_id=str(conversation.pk))["title"] == "needle"
    assert UserConversations().search(user_id=his, query="needle", limit=2) == []
    send(ann, "DELETE", str(conversation.pk))
    for user_id in (hers, his):
        with pytest.raises(ChatError, match="no such conversation"):
            UserConversations().get(user_id=user_id, conversation_id=str(conversation.pk))


def test_titles_count_more_and_pages_go_by_rank(ann: Client) -> None:
    talk("ann", "something", "needle needle")
    talk("ann", "needle")
    page = ann.get(f"{PATH}?search=needle&page_size=1").json()
    assert (page["count"], page["results"][0]["title"]) == (2, "needle")
    assert ann.get(page["next"]).json()["results"][0]["title"] == "something"


@pytest.mark.django_db
def test_a_text_of_any_size_is_stored_and_its_beginning_found(closed_connections: None) -> None:
    ann = browser_of("ann")
    conversation = talk("ann", "short")
    words = " ".join(f"ж{number:05}" for number in range(40_000))
    say(conversation, words + " 𐍈-𐍈 " * 1000, "ok")
    assert len(found(ann, "ж00001")) == 1
    assert found(ann, "ж39999") == []


def migrate(name: str | None = None) -> Any:
    """To this migration of the chat, or to the newest."""
    executor = MigrationExecutor(connection)
    return executor.migrate([("chat", name)] if name else executor.loader.graph.leaf_nodes("chat")).apps


@pytest.mark.django_db(transaction=True)
def test_conversations_from_before_there_were_branches_are_one_branch_and_found(closed_connections: None) -> None:
    old = migrate("0001_initial")
    try:
        user = old.get_model("auth", "User").objects.create(username="ann")
        conversation = old.get_model("chat", "Conversation").objects.create(user=user, title="An old title")
        make = old.get_model("chat", "Message").objects.create
        rows = [("user", "first", ""), ("assistant", "second", "p/m"), ("user", "third", "")]
        for position, (role, content, model) in enumerate(rows):
            make(conversation=conversation, position=position, role=role, content=content, model=model)
    finally:
        migrate()
    migrated = Conversation.objects.get()
    said, siblings = selectors.current_branch(conversation=migrated)
    assert [message.content for message in said] == ["first", "second", "third"]
    assert all(len(each) == 1 for each in siblings.values()) and migrated.model == "p/m"
    for words in ("old tit", "second"):
        assert [one.conversation_id for one in search.search(user_id=user.pk, query=words)] == [migrated.pk]
