"""The OpenAI-compatible routes, in process; only the plugins are in memory.

The official clients talk to the real system in tests/acceptance/test_openai_clients.py.
"""

from __future__ import annotations

import asyncio
import base64
import gc
import json
import struct
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from django.db import OperationalError, connections

from aichat.chat.errors import ChatError
from aichat.chat.exchange import Exchange
from aichat.chat.routes import close_chat, use_studio
from aichat.chat.studio import ChatStudio
from aichat.chat.v1.connection import Client
from plugins_app.models import Plugin, PluginInstance
from tests.integration.chat_client import Answer, ChatClient
from tests.integration.test_chat_routes import Gate, add_plugin, client_of
from tests.unit.chat_fakes import FakePlugins, call_chunk, end_chunk, text_chunk

URL = "/v1/chat/completions"
HI: dict[str, Any] = {"model": "echo/one", "messages": [{"role": "user", "content": "hi"}]}
USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
MODELS = [
    {"id": "one", "name": "One", "pricing": {"prompt": 1.0, "completion": 2.0}, "capabilities": ["tools"]},
    {"id": "vectors", "kind": "embedding", "created": 1700000000},
]


@pytest.fixture(autouse=True)
def closed_connections() -> Iterator[None]:
    """As in the chat's tests."""
    yield
    connections.close_all()


def echo(messages: Any, model: str, **params: Any) -> list[dict[str, Any]]:
    return [text_chunk("You said: "), text_chunk(messages[-1]["content"]), end_chunk(usage=USAGE)]


@pytest.fixture
def plugins() -> FakePlugins:
    return FakePlugins(echo__stream_completion=echo, echo__get_available_models=lambda: MODELS)


@pytest.fixture
async def chat(plugins: FakePlugins, redis_server: str, transactional_db: None) -> AsyncIterator[ChatStudio]:
    studio = use_studio(ChatStudio(lambda registry, user: plugins))
    await studio.threads.run(add_plugin, "echo", "provider")
    yield studio
    await close_chat()


@pytest.fixture
async def ann(chat: ChatStudio) -> ChatClient:
    return await chat.threads.run(client_of, "ann")


def chunks(answer: Answer) -> list[dict[str, Any]]:
    """What a client reads from a stream, which must end as OpenAI's does."""
    lines = [line for line in answer.body.decode().split("\n\n") if line and not line.startswith(":")]
    assert lines[-1] == "data: [DONE]" and all(line.startswith("data: ") for line in lines)
    return [json.loads(line.removeprefix("data: ")) for line in lines[:-1]]


def deltas(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [chunk["choices"][0]["delta"] for chunk in found if chunk["choices"]]


async def test_models_are_listed_and_found_by_name(ann: ChatClient) -> None:
    listed = (await ann.get("/v1/models")).json()
    assert listed["object"] == "list"
    assert [(one["id"], one["object"], one["created"], one["owned_by"]) for one in listed["data"]] == [
        ("echo/one", "model", 0, "echo"),
        ("echo/vectors", "model", 1700000000, "echo"),
    ]
    assert listed["data"][0]["capabilities"] == ["tools"] and listed["data"][1]["kind"] == "embedding"
    assert (await ann.get("/v1/models/echo/one")).json() == listed["data"][0]
    missing = await ann.get("/v1/models/echo/two")
    assert (missing.status, missing.json()["error"]["code"]) == (404, "model_not_found")


async def test_an_answer_comes_whole(ann: ChatClient) -> None:
    answer = await ann.post(URL, HI)
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert answer.headers["x-request-id"].startswith("req_")
    body = answer.json()
    assert body["id"].startswith("chatcmpl-") and body["created"] > 0
    assert (body["object"], body["model"], body["usage"]) == ("chat.completion", "echo/one", USAGE)
    message = {"role": "assistant", "content": "You said: hi"}
    assert body["choices"] == [{"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}]
    assert body.keys() <= {"id", "object", "created", "model", "choices", "usage"}


async def test_an_answer_streams(ann: ChatClient) -> None:
    answer = await ann.post(URL, HI | {"stream": True})
    assert answer.headers["content-type"].startswith("text/event-stream")
    found = chunks(answer)
    assert len({chunk["id"] for chunk in found}) == 1 and found[0]["object"] == "chat.completion.chunk"
    assert deltas(found) == [{"content": "You said: ", "role": "assistant"}, {"content": "hi"}, {}]
    assert [chunk["choices"][0]["finish_reason"] for chunk in found] == [None, None, "stop"]
    assert all("usage" not in chunk for chunk in found)


async def test_usage_is_streamed_last_when_it_is_wanted(ann: ChatClient) -> None:
    found = chunks(await ann.post(URL, HI | {"stream": True, "stream_options": {"include_usage": True}}))
    assert (found[-1]["choices"], found[-1]["usage"]) == ([], USAGE)
    assert all(chunk["usage"] is None for chunk in found[:-1])


async def test_what_a_provider_leaves_out_is_filled_in(ann: ChatClient, plugins: FakePlugins) -> None:
    plugins.methods["echo__stream_completion"] = lambda messages, model: [{"choices": [{"delta": {"content": "x"}}]}]
    found = chunks(await ann.post(URL, HI | {"stream": True}))
    assert [chunk["choices"][0]["finish_reason"] for chunk in found] == [None, "stop"]
    assert deltas(found)[0] == {"content": "x", "role": "assistant"}
    plugins.methods["echo__chat_completion"] = lambda messages, model: {"choices": [{"message": {"content": "y"}}]}
    body = (await ann.post(URL, HI)).json()
    assert body["choices"][0]["message"] == {"content": "y", "role": "assistant"}
    assert body["choices"][0]["finish_reason"] == "stop" and "usage" not in body


async def test_parameters_known_and_new_reach_the_provider(ann: ChatClient, plugins: FakePlugins) -> None:
    tools = [{"type": "function", "function": {"name": "f", "parameters": {}}}]
    params = {"temperature": 0.1, "tools": tools, "response_format": {"type": "json_object"}, "brand_new": {"a": 1}}
    seen: list[dict[str, Any]] = []

    def answer(messages: Any, model: str, **given: Any) -> dict[str, Any]:
        seen.append(given)
        return {"choices": [{"message": {"content": "ok"}}]}

    plugins.methods["echo__chat_completion"] = answer
    await ann.post(URL, HI | params | {"max_completion_tokens": 9, "stop": None, "n": 1})
    assert seen == [params | {"max_tokens": 9}]


async def test_what_only_some_services_know_is_let_through(ann: ChatClient, plugins: FakePlugins) -> None:
    odd: dict[str, Any] = {
        "messages": [
            {"role": "assistant", "tool_calls": [{"id": "1", "type": "custom", "custom": {"name": "f"}}]},
            {"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "AA", "format": "wav"}}]},
        ],
        "tools": [{"type": "custom", "custom": {"name": "f"}}],
        "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto"}},
        "response_format": {"type": "grammar", "grammar": "root ::= x"},
    }
    told: dict[str, Any] = {}

    def asked(messages: Any, model: str, **params: Any) -> list[dict[str, Any]]:
        told.update(params, messages=messages)
        return [text_chunk("ok"), end_chunk()]

    plugins.methods["echo__stream_completion"] = asked
    assert (await ann.post(URL, HI | odd)).status == 200
    assert told == odd


async def test_tool_calls_go_to_the_client_streamed_and_whole(ann: ChatClient, plugins: FakePlugins) -> None:
    rounds = [call_chunk(0, "c1", "f", '{"a"'), call_chunk(0, None, "", ": 1}"), end_chunk("tool_calls")]
    plugins.methods["echo__stream_completion"] = lambda messages, model, **params: rounds
    asked = HI | {"tools": [{"type": "function", "function": {"name": "f"}}]}
    message = (await ann.post(URL, asked)).json()["choices"][0]
    assert message["finish_reason"] == "tool_calls"
    assert message["message"]["tool_calls"][0]["function"] == {"name": "f", "arguments": '{"a": 1}'}
    found = deltas(chunks(await ann.post(URL, asked | {"stream": True})))
    first = {"index": 0, "id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a"'}}
    assert found[0] == {"role": "assistant", "tool_calls": [first]}
    legacy = HI | {"functions": [{"name": "f"}], "function_call": {"name": "f"}}
    choice = (await ann.post(URL, legacy)).json()["choices"][0]
    assert choice["message"]["function_call"] == {"name": "f", "arguments": '{"a": 1}'}
    assert (choice["finish_reason"], "tool_calls" in choice["message"]) == ("function_call", False)


async def test_old_roles_are_told_in_new_words(ann: ChatClient, plugins: FakePlugins) -> None:
    messages = [
        {"role": "developer", "content": "Be brief."},
        {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}},
        {"role": "function", "name": "f", "content": "1"},
        {"role": "user", "content": "so?"},
    ]
    await ann.post(URL, {"model": "echo/one", "messages": messages, "stream": True})
    told = plugins.streams[0].messages
    assert [message["role"] for message in told] == ["system", "assistant", "tool", "user"]
    assert told[1]["tool_calls"][0]["id"] == told[2]["tool_call_id"]


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "nobody", "content": "x"}]}, "messages[0].role"),
        ({"messages": None}, "messages"),
        ({"model": 5}, "model"),
        ({"temperature": "hot"}, "temperature"),
        ({"n": 2}, "n"),
        ({"messages": [{"role": "user"}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages[0].content[0].text"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": "x"}]}]},
            "messages[0].content[0].image_url",
        ),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].tool_call_id"),
        (
            {"messages": [{"role": "assistant", "tool_calls": [{"id": "1"}]}]},
            "messages[0].tool_calls[0].function",
        ),
        ({"tools": [{"type": "function"}]}, "tools[0].function"),
        ({"tools": [{"type": "function", "function": {"name": 5}}]}, "tools[0].function.name"),
        ({"tool_choice": "weather"}, "tool_choice"),
        ({"tool_choice": {"type": "function"}}, "tool_choice.function"),
        ({"response_format": {}}, "response_format.type"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
        ({"functions": [{}]}, "functions[0].name"),
        ({"logprobs": "x"}, "logprobs"),
        ({"metadata": "x"}, "metadata"),
    ],
)
async def test_a_field_that_cannot_be_is_named(ann: ChatClient, change: dict[str, Any], param: str) -> None:
    answer = await ann.post(URL, HI | change)
    assert answer.status == 400
    error = answer.json()["error"]
    assert (error["type"], error["param"], error["code"]) == ("invalid_request_error", param, "invalid")
    assert param in error["message"]


async def test_errors_have_openais_shape(ann: ChatClient, plugins: FakePlugins) -> None:
    def error_of(answer: Answer) -> tuple[int, str, str]:
        assert answer.json()["error"].keys() == {"message", "type", "param", "code"}
        return answer.status, answer.json()["error"]["type"], answer.json()["error"]["code"]

    nobody = ChatClient(authorization="Bearer no")
    assert error_of(await nobody.post(URL, HI)) == (401, "authentication_error", "invalid_api_key")
    assert error_of(await ChatClient().get("/v1/models")) == (401, "authentication_error", "invalid_api_key")
    assert error_of(await ann.post(URL, HI | {"model": "echo/x"})) == (404, "invalid_request_error", "model_not_found")
    assert error_of(await ann.post(URL, b"{")) == (400, "invalid_request_error", "json_malformed")
    assert error_of(await ann.get(URL)) == (405, "invalid_request_error", "method_not_allowed")
    assert (await ann.get(URL)).headers["allow"] == "POST"
    for path in ("/v1/nothing", "/v1"):
        assert error_of(await ann.get(path)) == (404, "invalid_request_error", "not_found")
    assert error_of(await ann.get("/v1/")) == (404, "invalid_request_error", "not_found")

    def fails(error: ChatError) -> Any:
        def raise_it(*args: Any, **params: Any) -> Any:
            raise error

        return raise_it

    plugins.methods["echo__chat_completion"] = fails(ChatError("auth_failed", "no"))
    hopeless = await ann.post(URL, HI)
    assert error_of(hopeless) == (502, "server_error", "auth_failed")
    assert hopeless.headers["x-should-retry"] == "false"
    plugins.methods["echo__chat_completion"] = fails(ChatError("upstream_error", "too long", upstream_status=400))
    assert error_of(await ann.post(URL, HI)) == (400, "invalid_request_error", "upstream_error")
    too_long = ChatError("upstream_error", "no", upstream_status=400, upstream_reason="context_length_exceeded")
    plugins.methods["echo__chat_completion"] = fails(too_long)
    assert error_of(await ann.post(URL, HI)) == (400, "invalid_request_error", "context_length_exceeded")
    no_money = ChatError("upstream_error", "no", upstream_status=429, upstream_reason="insufficient_quota")
    plugins.methods["echo__chat_completion"] = fails(no_money)
    unpaid = await ann.post(URL, HI)
    assert error_of(unpaid) == (429, "rate_limit_error", "insufficient_quota")
    assert unpaid.headers["x-should-retry"] == "false"
    plugins.methods["echo__chat_completion"] = fails(ChatError("not_ready", "busy", retry_after=2.5))
    busy = await ann.post(URL, HI)
    assert (busy.status, busy.headers["retry-after"]) == (503, "3")


async def test_a_refusal_reaches_the_client_in_the_plugins_words(
    chat: ChatStudio, ann: ChatClient, plugins: FakePlugins
) -> None:
    def refuse(request: dict[str, Any]) -> Any:
        assert (request["purpose"], request["round"], request["user"]["username"]) == ("v1", 0, "key:ann")
        raise ChatError("rate_limited", "Slow down.", status=429, retry_after=7, plugin_id="strict", refusal=True)

    await chat.threads.run(add_plugin, "strict", "middleware", middleware={"on_error": "skip"})
    await chat.threads.run(chat.registry.read)
    plugins.methods["strict__before_request"] = refuse
    for streaming in (False, True):
        answer = await ann.post(URL, HI | {"stream": streaming})
        assert (answer.status, answer.headers["retry-after"]) == (429, "7")
        assert answer.json()["error"] == {
            "message": "Slow down.",
            "type": "rate_limit_error",
            "param": None,
            "code": "rate_limited",
        }


async def test_middlewares_see_the_answer_with_its_price_which_clients_do_not(
    chat: ChatStudio, ann: ChatClient, plugins: FakePlugins
) -> None:
    seen: list[dict[str, Any]] = []

    def after(response: dict[str, Any]) -> dict[str, Any]:
        seen.append(response)
        message = {"role": "assistant", "content": "changed"}
        return {"id": "x", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}

    await chat.threads.run(add_plugin, "meter", "middleware")
    await chat.threads.run(chat.registry.read)
    plugins.methods |= {"meter__before_request": lambda request: request, "meter__after_response": after}
    body = (await ann.post(URL, HI)).json()
    assert body["choices"][0]["message"]["content"] == "changed"
    assert not body.keys() & {"request", "cost", "duration_ms"}
    assert seen[0]["request"] == {
        "user": seen[0]["request"]["user"],
        "conversation_id": None,
        "purpose": "v1",
        "model": "echo/one",
        "round": 0,
    }
    assert seen[0]["cost"] == pytest.approx((3 * 1.0 + 2 * 2.0) / 1e6)
    assert seen[0]["duration_ms"] > 0 and seen[0]["usage"] == USAGE
    await ann.post(URL, HI | {"stream": True})
    assert seen[1]["choices"][0]["message"]["content"] == "You said: hi" and seen[1]["usage"] == USAGE


async def test_an_error_in_the_middle_of_a_stream_is_an_event(ann: ChatClient, plugins: FakePlugins) -> None:
    async def breaks(messages: Any, model: str) -> AsyncIterator[Any]:
        yield text_chunk("So")
        raise ChatError("plugin_crashed", "it died")

    plugins.methods["echo__stream_completion"] = breaks
    answer = await ann.post(URL, HI | {"stream": True})
    assert answer.status == 200 and answer.done
    last = json.loads(answer.body.decode().strip().split("\n\n")[-1].removeprefix("data: "))
    assert (last["error"]["code"], last["error"]["type"]) == ("plugin_crashed", "server_error")


@pytest.mark.parametrize("streaming", [True, False])
async def test_a_client_that_goes_away_stops_the_provider(
    ann: ChatClient, plugins: FakePlugins, streaming: bool
) -> None:
    gate, asked = Gate(), asyncio.Event()

    async def waits(messages: Any, model: str) -> Any:
        asked.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            gate.cancelled = True
            raise

    plugins.methods |= {"echo__stream_completion": gate, "echo__chat_completion": waits}
    async with asyncio.timeout(10):
        async with ann.open("POST", URL, HI | {"stream": streaming}) as answer:
            while streaming and not answer.body:
                answer.changed.clear()
                await answer.changed.wait()
            if not streaming:
                await asked.wait()
    assert gate.cancelled


@pytest.mark.parametrize("streaming", [True, False])
async def test_a_request_leaves_nothing_for_the_collector_to_find(ann: ChatClient, streaming: bool) -> None:
    gc.collect()
    gc.disable()
    try:
        for _ in range(3):
            assert (await ann.post(URL, HI | {"stream": streaming})).status == 200
        assert not [one for one in gc.get_objects() if isinstance(one, (Client, Exchange))]
    finally:
        gc.enable()


async def test_a_silent_stream_is_kept_alive(
    ann: ChatClient, plugins: FakePlugins, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aichat.chat.v1.connection._PING_EVERY_S", 0.02)
    gate = Gate()
    plugins.methods["echo__stream_completion"] = gate
    async with asyncio.timeout(10), ann.open("POST", URL, HI | {"stream": True}) as answer:
        while b": ping" not in answer.body:
            answer.changed.clear()
            await answer.changed.wait()
        gate.opened.set()
        while not answer.done:
            answer.changed.clear()
            await answer.changed.wait()
        assert [delta.get("content") for delta in deltas(chunks(answer))] == ["one ", "two", None]


async def test_embeddings_come_as_floats_and_packed(ann: ChatClient, plugins: FakePlugins) -> None:
    seen: list[Any] = []

    def embed(texts: list[str], model: str, **params: Any) -> dict[str, Any]:
        seen.append((texts, model, params))
        return {"data": [[0.5, -1.0] for _ in texts], "usage": {"prompt_tokens": 4}}

    plugins.methods["echo__embed"] = embed
    asked = {"model": "echo/vectors", "input": ["a", "b"], "dimensions": 2}
    body = (await ann.post("/v1/embeddings", asked)).json()
    assert [one["embedding"] for one in body["data"]] == [[0.5, -1.0], [0.5, -1.0]]
    assert (body["object"], body["model"], body["usage"]) == (
        "list",
        "echo/vectors",
        {"prompt_tokens": 4, "total_tokens": 4},
    )
    packed = (await ann.post("/v1/embeddings", asked | {"input": "a", "encoding_format": "base64"})).json()
    assert struct.unpack("<2f", base64.b64decode(packed["data"][0]["embedding"])) == (0.5, -1.0)
    assert seen == [(["a", "b"], "vectors", {"dimensions": 2}), (["a"], "vectors", {"dimensions": 2})]


async def test_a_provider_without_vectors_says_so(ann: ChatClient) -> None:
    answer = await ann.post("/v1/embeddings", {"model": "echo/one", "input": "a"})
    assert (answer.status, answer.json()["error"]["code"]) == (400, "embeddings_unsupported")
    for wrong in ([1, 2], [], "", 5):
        answer = await ann.post("/v1/embeddings", {"model": "echo/one", "input": wrong})
        assert (answer.status, answer.json()["error"]["param"]) == (400, "input")


async def test_a_database_that_is_away_does_not_stop_the_models(
    chat: ChatStudio, ann: ChatClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (await ann.post(URL, HI)).status == 200

    def away() -> None:
        raise OperationalError("gone")

    monkeypatch.setattr("aichat.chat.threads.patiently", lambda function: function())
    monkeypatch.setattr(chat.registry, "read", away)
    monkeypatch.setattr(chat.registry, "_kept", None)
    assert (await ann.post(URL, HI)).status == 200
    fresh = use_studio(ChatStudio())
    monkeypatch.setattr(fresh.registry, "read", away)
    answer = await ann.post(URL, HI)
    assert (answer.status, answer.json()["error"]["code"]) == (503, "unavailable")
    await fresh.close()
    use_studio(chat)


async def test_a_middleware_unloaded_a_moment_ago_is_asked_no_more(
    chat: ChatStudio, plugins: FakePlugins, ann: ChatClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    await chat.threads.run(add_plugin, "shy", "middleware")
    plugins.methods["shy__before_request"] = plugins.methods["shy__after_response"] = lambda value: value
    assert (await ann.post(URL, HI)).status == 200
    monkeypatch.setattr(chat.registry, "_max_age", 3600.0)
    del plugins.methods["shy__before_request"]
    assert (await ann.post(URL, HI)).status == 404  # it is loaded, so it is not left out
    await chat.threads.run(Plugin.objects.filter(pk="shy").update, desired=None)
    await chat.threads.run(PluginInstance.objects.filter(plugin_id="shy").delete)
    assert (await ann.post(URL, HI)).status == 200
