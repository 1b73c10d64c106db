"""The conversations' REST face."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db import connections
from django.test import Client
from django.utils import timezone

from aichat.chat.models import Attachment, AttachmentContent, Conversation, Message
from aichat.chat.services import AnswerEnd, AnswerStart, answer_begin, answer_finish, answer_renew
from aichat.chat.services_conversations import conversations_purge

PATH = "/api/conversations"
LISTED = {
    *("id", "title", "pinned", "archived", "model", "system_prompt", "params", "message_count"),
    *("created_at", "updated_at"),
}


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


def begin(name: str, text: str, **more: Any) -> AnswerStart:
    """Something is said; nothing is answered yet."""
    user = get_user_model().objects.get(username=name)
    given = {"conversation_id": None, "messages": [{"role": "user", "content": text}], "model": "p/m"}
    return answer_begin(user_id=user.pk, **(given | more))


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
    assert set(page["results"][0]) == LISTED


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


def send(browser: Client, method: str, path: str, body: Any = None) -> Any:
    answer = browser.generic(method, f"{PATH}/{path}", json.dumps(body or {}), "application/json")
    return answer.status_code, answer.json() if answer.content else None


def test_what_a_user_may_set_can_be_changed_and_the_rest_cannot(ann: Client) -> None:
    conversation = talk("ann", "one")
    wanted = {
        "title": "New",
        "pinned": True,
        "archived": True,
        "model": "p/other",
        "system_prompt": " Be brief.\n",
        "params": {"temperature": 0.2, "stop": ["\n"], "max_tokens": 5},
    }
    status, changed = send(ann, "PATCH", str(conversation.pk), wanted | {"id": "x", "message_count": 9})
    assert (status, {name: changed[name] for name in wanted}) == (200, wanted)
    assert (changed["id"], changed["message_count"]) == (str(conversation.pk), 2)
    assert send(ann, "PATCH", str(conversation.pk), {"pinned": False})[1]["title"] == "New"
    assert send(ann, "PATCH", str(conversation.pk), changed)[0] == 200  # sent back whole
    assert send(ann, "PUT", str(conversation.pk))[1]["code"] == "method_not_allowed"


@pytest.mark.parametrize(
    ("field", "bad"),
    [
        ("title", 5),
        ("system_prompt", ["x"]),
        ("titel", "New"),
        *(("title", ""), ("title", "x" * 201), ("title", None), ("pinned", "perhaps"), ("system_prompt", None)),
        *(("params", []), ("params", {"temperature": 3}), ("params", {"tools": []}), ("params", {"stop": 1})),
    ],
)
def test_what_does_not_fit_is_named(ann: Client, field: str, bad: Any) -> None:
    conversation = talk("ann", "one")
    for method, path in (("PATCH", str(conversation.pk)), ("POST", "")):
        status, problem = send(ann, method, path, {field: bad})
        assert (status, problem["errors"][0]["pointer"].split("/")[1]) == (422, field)


def test_a_conversation_can_be_made_before_anything_is_said(ann: Client) -> None:
    status, made = send(ann, "POST", "", {"system_prompt": "Be brief.", "params": {"seed": 1}, "model": "p/m"})
    assert (status, made["messages"], made["title"], made["system_prompt"]) == (201, [], "", "Be brief.")
    start = begin("ann", "Hello there", conversation_id=made["id"])
    assert start.messages == [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello there"}]
    assert start.params == {"seed": 1}
    assert Conversation.objects.get().title == "Hello there"


def test_pinned_ones_come_first_and_archived_ones_apart(ann: Client) -> None:
    ids = {text: str(talk("ann", text).pk) for text in ("one", "two", "three")}
    send(ann, "PATCH", ids["one"], {"pinned": True})
    send(ann, "PATCH", ids["two"], {"archived": True})
    assert titles(ann) == ["one", "three"]
    assert titles(ann, "?archived=true") == ["two"]
    assert titles(ann, "?archived=all") == ["one", "three", "two"]
    assert ann.get(f"{PATH}?archived=perhaps").json()["errors"][0]["pointer"] == "/archived"


def titles(browser: Client, query: str = "") -> list[str]:
    return [each["title"] for each in browser.get(f"{PATH}{query}").json()["results"]]


def test_what_is_deleted_can_be_restored(ann: Client) -> None:
    conversation = talk("ann", "one")
    assert send(ann, "DELETE", str(conversation.pk)) == (204, None)
    for gone in (send(ann, "GET", str(conversation.pk)), send(ann, "DELETE", str(conversation.pk))):
        assert (gone[0], gone[1]["code"]) == (404, "conversation_not_found")
    assert titles(ann) == titles(ann, "?search=one") == titles(ann, "?archived=all") == []
    deleted = ann.get(f"{PATH}/deleted").json()["results"]
    assert [(each["id"], each["deleted_at"] is not None) for each in deleted] == [(str(conversation.pk), True)]
    for _ in range(2):
        status, restored = send(ann, "POST", f"{conversation.pk}/restore")
        assert (status, len(restored["messages"])) == (200, 2)
    assert titles(ann) == ["one"] and ann.get(f"{PATH}/deleted").json()["count"] == 0


def test_deleting_cancels_the_answer_under_way(ann: Client) -> None:
    start = begin("ann", "one")
    send(ann, "DELETE", start.conversation_id)
    assert not answer_renew(message_id=start.message_id)


def test_someone_elses_conversation_does_not_exist_not_even_for_an_operator(ann: Client) -> None:
    conversation = talk("ann", "one")
    bob = browser_of("bob", is_superuser=True)
    for query in ("", "?search=one", "?archived=all", "/deleted"):
        assert bob.get(f"{PATH}{query}").json()["count"] == 0
        assert Client().get(f"{PATH}{query}").status_code == 401
    for answer in (
        bob.get(f"{PATH}/{conversation.pk}"),
        bob.post(f"{PATH}/{conversation.pk}/restore"),
        bob.post(
            f"{PATH}/{conversation.pk}/branch",
            {"message_id": str(conversation.leaf_id)},
            content_type="application/json",
        ),
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
    send(ann, "PATCH", str(conversation.pk), {"title": "a secret title", "system_prompt": "a secret prompt"})
    file = AttachmentContent.objects.create(
        attachment=Attachment.objects.create(user=conversation.user, name="a secret.txt", kind="text", size=2048),
        data=b"a secret",
    )
    root = browser_of("root", is_superuser=True, is_staff=True)
    found = root.get("/admin/chat/conversation/?q=ann").content
    page = root.get(f"/admin/chat/conversation/{conversation.pk}/change/").content
    files = root.get("/admin/chat/attachment/").content + root.get(f"/admin/chat/attachment/{file.pk}/change/").content
    asked = root.get(f"/admin/chat/conversation/{conversation.pk}/delete/").content
    assert str(conversation.pk).encode() in found and b"p/m" in page and b"2.0" in files
    assert b"a secret" not in found + page + files + asked and b'name="_save"' not in page


def test_an_operator_deletes_what_he_cannot_read(ann: Client) -> None:
    conversation = talk("ann", "one")
    page = f"/admin/chat/conversation/{conversation.pk}/delete/"
    assert browser_of("staff", is_staff=True).post(page, {"post": "yes"}).status_code == 403
    operator = browser_of("operator", is_staff=True)
    operate = Permission.objects.get(codename="operate", content_type__app_label="plugins_app")
    get_user_model().objects.get(username="operator").user_permissions.add(operate)
    assert operator.post(page, {"post": "yes"}).status_code == 302
    assert not Conversation.objects.exists() and not Message.objects.exists()


def test_what_was_deleted_is_purged_after_its_time(ann: Client, settings: LazySettings) -> None:
    ids = {text: talk("ann", text).pk for text in ("kept", "deleted", "long ago", "idle", "idle, pinned")}
    month = timezone.now() - timedelta(days=31)
    Conversation.objects.filter(pk=ids["deleted"]).update(deleted_at=timezone.now())
    Conversation.objects.filter(pk=ids["long ago"]).update(deleted_at=month)
    Conversation.objects.filter(title__startswith="idle").update(updated_at=month)
    Conversation.objects.filter(pk=ids["idle, pinned"]).update(pinned=True)
    assert conversations_purge() == 1
    assert sorted(titles(ann)) == ["idle", "idle, pinned", "kept"]
    settings.STUDIO_IDLE_DAYS = 30
    assert conversations_purge() == 0
    assert sorted(titles(ann)) == ["idle, pinned", "kept"]
    assert {each["title"] for each in ann.get(f"{PATH}/deleted").json()["results"]} == {"idle", "deleted"}
