"""Conversations from elsewhere: ChatGPT's, Open WebUI's and the studio's own exports."""

from __future__ import annotations

import base64
import json
import zipfile
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from aichat.chat.exportdata import export_data
from aichat.chat.models import Attachment, Conversation, Message
from aichat.chat.services import AnswerEnd, answer_finish
from plugins_app.sdk.testing import PluginHarness
from tests.integration.test_chat_conversations import PATH, begin, browser_of, closed_connections
from tests.integration.test_chat_conversations_attachments import key_of, picture
from tests.studio import ROOT

__all__ = ["closed_connections"]


@pytest.fixture
def ann(closed_connections: None, db: None) -> Iterator[Client]:
    yield browser_of("ann")


def node(key: str, parent: str | None, *children: str, role: str = "", content: Any = None, **message: Any) -> Any:
    """One of ChatGPT's; text as it writes it, anything else as it is given."""
    if isinstance(content, str):
        content = {"content_type": "text", "parts": [content]}
    said = {"author": {"role": role}, "content": content, "create_time": 1700000000.5, "metadata": {}} | message
    return key, {"id": key, "message": said if role else None, "parent": parent, "children": list(children)}


def chatgpt(**more: Any) -> dict[str, Any]:
    """A conversation as ChatGPT exports it: an edited question, thoughts, code, a picture, and what it hides."""
    mapping = dict(
        [
            node("root", None, "hidden"),
            node(
                *("hidden", "root", "q1", "q2"),
                role="system",
                content="",
                metadata={"is_visually_hidden_from_conversation": True},
            ),
            node("q1", "hidden", "a1", role="user", content="What is 6*7?"),
            node("a1", "q1", role="assistant", content="42", metadata={"model_slug": "gpt-4o"}),
            node(
                *("q2", "hidden", "t2"),
                role="user",
                content={
                    "content_type": "multimodal_text",
                    "parts": [{"asset_pointer": "file-service://file-Abc", "width": 4}, "What is 6*8?\x00"],
                },
            ),
            node(
                *("t2", "q2", "r2"),
                role="assistant",
                content={"content_type": "thoughts", "thoughts": [{"summary": "s", "content": "Multiply."}]},
            ),
            node("r2", "t2", "c2", role="assistant", content={"content_type": "reasoning_recap", "content": "3 s"}),
            node(
                *("c2", "r2", "o2"),
                role="assistant",
                content={"content_type": "code", "language": "python", "text": "6*8"},
                recipient="python",
            ),
            node("o2", "c2", "a2", role="tool", content={"content_type": "execution_output", "text": "48"}),
            node("a2", "o2", "a3", role="assistant", content="It is 48.", metadata={"model_slug": "o3"}),
            node("a3", "a2", role="tool", content={"content_type": "tether_browsing_display", "result": "no"}),
        ]
    )
    about = {"title": "Sums", "conversation_id": "c-1", "create_time": 1700000000.0, "update_time": 1700000100.0}
    return about | {"mapping": mapping, "current_node": "a3", "is_archived": True} | more


def open_webui(**more: Any) -> dict[str, Any]:
    url = f"data:image/png;base64,{base64.b64encode(picture()).decode()}"
    thoughts = (
        '<details type="reasoning" done="true" duration="3">\n<summary>Thought for 3 seconds</summary>\n'
        "&gt; Hm &amp; hm.\n</details>\nTwo."
    )
    messages = {
        "u": {
            **{"id": "u", "parentId": None, "childrenIds": ["x", "y"], "role": "user", "content": "1+1?"},
            **{"timestamp": 1700000000, "files": [{"type": "image", "url": url}, {"type": "file", "id": "f"}]},
        },
        "x": {"id": "x", "parentId": "u", "childrenIds": [], "role": "assistant", "content": "Three", "model": "m:1"},
        "y": {
            **{"id": "y", "parentId": "u", "childrenIds": [], "role": "assistant", "content": thoughts},
            **{"model": "m:2", "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3, "eval": 7}},
        },
    }
    chat = {
        "title": "One and one",
        "params": {"temperature": 0.1, "system": "Be right.", "mirostat": 2},
        "history": {"messages": messages, "currentId": "y"},
        "timestamp": 1700000000000,
    }
    return {"id": "w-1", "user_id": "u", "title": "One and one", "chat": chat, "pinned": True, **more}


def send(browser: Client, content: Any) -> Any:
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    answer = browser.post(f"{PATH}/import", {"file": SimpleUploadedFile("conversations.json", data)})
    return answer.status_code, answer.json()


def detail(browser: Client, key: str) -> Any:
    return browser.get(f"{PATH}/{key}").json()


def packed(**files: bytes) -> bytes:
    out = BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name.replace("__", "/").replace("_json", ".json").replace("_png", ".png"), data)
    return out.getvalue()


def test_chatgpts_conversations_keep_their_branches(ann: Client) -> None:
    status, outcome = send(ann, [chatgpt()])
    assert (status, outcome["format"], outcome["imported"], outcome["problems"]) == (200, "chatgpt", 1, [])
    found = detail(ann, outcome["conversations"][0]["id"])
    assert (found["title"], found["archived"], found["model"]) == ("Sums", True, "o3")
    assert found["created_at"].startswith("2023-11-14") and found["updated_at"] > found["created_at"]
    assert [(each["role"], each["content"]) for each in found["messages"]] == [
        ("user", "[A picture that is not in the export.]\n\nWhat is 6*8?"),
        ("assistant", "```python\n6*8\n```"),
        ("assistant", "```\n48\n```"),
        ("assistant", "It is 48."),
    ]
    assert found["messages"][1]["reasoning"] == "Multiply."
    first = found["messages"][0]["siblings"][0]
    send_branch = ann.post(f"{PATH}/{found['id']}/branch", {"message_id": first}, content_type="application/json")
    assert [each["content"] for each in send_branch.json()["messages"]] == ["What is 6*7?", "42"]
    assert ann.get(f"{PATH}?search=what&archived=all").json()["count"] == 1


def test_what_was_imported_is_not_imported_again(ann: Client) -> None:
    both = [chatgpt(), chatgpt(conversation_id="c-2", title="")]
    assert send(ann, both)[1]["imported"] == 2
    again = send(ann, both)[1]
    assert (again["imported"], again["skipped"], again["conversations"]) == (0, 2, [])
    nameless = chatgpt(conversation_id=None)
    assert [send(ann, [nameless])[1]["skipped"] for _ in range(2)] == [0, 1]
    assert send(browser_of("bob"), both)[1]["imported"] == 2
    gone = Conversation.objects.filter(user__username="ann", source="chatgpt:c-1").get()
    ann.delete(f"{PATH}/{gone.pk}")
    assert send(ann, both)[1]["imported"] == 1


def test_the_whole_zip_brings_its_pictures_along(ann: Client) -> None:
    one, two = json.dumps([chatgpt()]).encode(), json.dumps([chatgpt(conversation_id="c-2")]).encode()
    export = packed(conversations_json=one, more__conversations_2_json=two, **{"file-Abc-cat_png": picture()})
    status, outcome = send(ann, export)
    assert (status, outcome["imported"], outcome["problems"]) == (200, 2, [])
    question = detail(ann, outcome["conversations"][0]["id"])["messages"][0]
    assert question["content"] == "What is 6*8?" and question["attachments"][0]["name"] == "file-Abc-cat.png"


def test_open_webuis_chats_keep_theirs(ann: Client) -> None:
    _, outcome = send(ann, [open_webui(), open_webui(id="w-2", chat={})])
    assert (outcome["format"], outcome["imported"], len(outcome["problems"])) == ("open-webui", 1, 1)
    found = detail(ann, outcome["conversations"][0]["id"])
    assert (found["pinned"], found["system_prompt"], found["params"]) == (True, "Be right.", {"temperature": 0.1})
    question, answer = found["messages"]
    assert (question["content"], question["attachments"][0]["kind"]) == ("1+1?", "image")
    assert (answer["content"], answer["reasoning"], answer["model"]) == ("Two.", "Hm & hm.", "m:2")
    assert (len(answer["siblings"]), answer["usage"]["total_tokens"]) == (2, 3)
    assert send(ann, open_webui())[1]["skipped"] == 1  # one alone, as its menu exports it


def test_a_message_that_its_parent_does_not_list_is_not_lost(ann: Client) -> None:
    export = chatgpt()
    export["mapping"]["hidden"]["children"] = ["q2", "nobody"]
    chat = open_webui()
    chat["chat"]["history"]["messages"]["u"]["childrenIds"] = None
    for one, said in ((export, ["It is 48.", "What is 6*7?", "42"]), (chat, ["1+1?", "Three", "Two."])):
        answer = send(ann, [one])[1]
        assert (answer["imported"], answer["problems"]) == (1, [])
        messages = Message.objects.filter(conversation_id=answer["conversations"][0]["id"])
        assert set(said) <= {message.content.strip() for message in messages}, [m.content for m in messages]


def test_the_studios_own_export_comes_back_as_it_was(ann: Client) -> None:
    start = begin(
        "ann",
        "look",
        attachments=[key_of(ann, "c.png", picture()), key_of(ann, "ä.txt", b"hello")],
        system_prompt="Be brief.",
        params={"seed": 1},
    )
    call = {"id": "c1", "type": "function", "function": {"name": "calculator__evaluate", "arguments": "{}"}}
    rounds = (
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "content": "42", "tool_call_id": "c1", "name": "calculator__evaluate"},
    )
    done = AnswerEnd(Message.Status.COMPLETE, "42", "Hm.", rounds, "stop", {"prompt_tokens": 1}, cost=0.5)
    answer_finish(message_id=start.message_id, end=done)
    other = begin("ann", "", messages=[], parent_id=None, conversation_id=start.conversation_id)
    answer_finish(message_id=other.message_id, end=AnswerEnd(Message.Status.CANCELLED, "stopped"))
    original = Conversation.objects.get()
    data = export_data(conversation=original)
    file = written(data)
    assert send(ann, file)[1]["skipped"] == 1  # it is there still
    bob = browser_of("bob")
    outcome = send(bob, file)[1]
    assert (outcome["imported"], outcome["problems"]) == (1, [])
    again = export_data(conversation=Conversation.objects.get(pk=outcome["conversations"][0]["id"]))
    assert without_ids(again) == without_ids(data)
    assert Attachment.objects.filter(user__username="bob").count() == 2


@async_to_sync
async def written(data: dict[str, Any]) -> bytes:
    """What the bundled plugin makes of it."""
    async with PluginHarness(ROOT / "installed_plugins" / "json_export") as plugin:
        return b"".join([piece async for piece in plugin.stream("export", data)])


def without_ids(data: dict[str, Any]) -> dict[str, Any]:
    """The data with numbers instead of ids, and without what only the studio's own answers have."""
    names: dict[Any, int] = {None: 0}
    for one in data["branches"]:
        names.setdefault(one["id"], len(names))
    kept = {name: value for name, value in data.items() if name not in ("id", "title")}
    return kept | {
        part: [
            one | {"id": names[one["id"]], "parent_id": names[one["parent_id"]], "generation": None}
            for one in data[part]
        ]
        for part in ("messages", "branches")
    }


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not json",
        b"[1, 2]",
        b"{}",
        b"[]",
        b'{"format": "ai-chat-studio", "version": 2, "conversations": []}',
        b'{"format": "other", "version": 1, "conversations": [{"id": 1}]}',
        b"[" * 200_000 + b"]" * 200_000,
        b'{"conversations": ' + b"[" * 200_000 + b"]" * 200_000 + b"}",
        b"PK\x03\x04broken",
        packed(other_json=b"[]"),
    ],
)
def test_what_is_no_export_is_refused(ann: Client, content: bytes) -> None:
    status, problem = send(ann, content)
    assert (status, problem["code"]) == (422, "import_unreadable"), problem
    assert ann.post(f"{PATH}/import", {}).json()["errors"][0]["pointer"] == "/file"
    assert Client().post(f"{PATH}/import").status_code == 401


def own(*messages: dict[str, Any], **more: Any) -> dict[str, Any]:
    conversation = {"id": "x", "title": "Mine", "messages": list(messages), "current_branch": []} | more
    return {"format": "ai-chat-studio", "version": 1, "conversations": [conversation, good()]}


def good() -> dict[str, Any]:
    return {"id": "good", "title": "Good", "messages": [{"id": "1", "parent_id": None, "role": "user", "content": "a"}]}


LARGE = {"type": "file", "file": {"filename": "a.zip", "file_data": "data:application/zip;base64,UEsDBAAA"}}


@pytest.mark.parametrize(
    "conversation",
    [
        own(),
        own({"id": "1", "role": "wizard", "content": "a"}),
        own({"role": "user", "content": "a"}),
        own({"id": "1", "role": "user", "content": "a"}, params={"temperature": 9}),
        own(
            {"id": "1", "role": "user", "content": "kept?"},
            {"id": "2", "parent_id": "1", "role": "user", "content": [LARGE]},
        ),
        [chatgpt(mapping={}), chatgpt()],
        [chatgpt(mapping={"a": 1}), chatgpt()],
        [chatgpt(mapping=dict([node("a", "b", "b", role="user", content="x")]) | {"b": None}), chatgpt()],
    ],
)
def test_a_conversation_comes_whole_or_not_at_all(ann: Client, conversation: Any) -> None:
    status, outcome = send(ann, conversation)
    assert (status, outcome["imported"], len(outcome["problems"])) == (200, 1, 1), outcome
    problem = outcome["problems"][0]
    assert problem["title"] and not problem["detail"].startswith(problem["title"])
    assert problem["detail"][0].isupper() and problem["detail"][-1] == "." != problem["detail"][-2]
    assert Conversation.objects.count() == 1 and not Message.objects.filter(content="kept?").exists()
