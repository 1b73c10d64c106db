"""One call of a provider: what middlewares answer, refuse and are told; and what rounds of tools have of each other."""

from __future__ import annotations

from typing import Any

import pytest

from aichat.chat.afterwards import Afterwards
from aichat.chat.costs import add_cost, cost_of
from aichat.chat.errors import ChatError
from aichat.chat.exchange import Exchange
from aichat.chat.pipeline import Pipeline
from aichat.chat.plan import ChatRequest, Middleware, Plan, Provider, Tool
from tests.unit.chat_fakes import FakePlugins, Recorder, call_chunk, end_chunk, text_chunk

USAGE = {"prompt_tokens": 1000, "completion_tokens": 500, "total_tokens": 1500}
PRICES = {"prompt": 2.0, "completion": 4.0}


def exchange(plugins: FakePlugins, *middlewares: Middleware, **fields: Any) -> Exchange:
    plan = Plan({"echo": Provider("echo")}, middlewares, pricing=lambda model: PRICES)
    request = ChatRequest("echo/one", [{"role": "user", "content": "hi"}], {}, {"id": 1}, None, "v1", "r1", **fields)
    return Exchange(plan, plugins, request, Afterwards())


def passes(value: Any) -> Any:
    return value


def answer(text: str) -> dict[str, Any]:
    return {"choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}]}


def says(text: str) -> Any:
    return lambda messages, model, **params: [text_chunk(text), end_chunk(usage=USAGE)]


def marks(name: str) -> Any:
    def after(response: dict[str, Any]) -> dict[str, Any]:
        message = response["choices"][0]["message"]
        return answer(f"{message['content']}{name}")

    return after


def knowing() -> FakePlugins:
    """Three middlewares, of which the second knows the answer already."""
    return FakePlugins(
        a__before_request=passes,
        b__before_request=lambda request: request | {"response": answer("kept")},
        a__after_response=marks("a"),
        b__after_response=marks("b"),
        c__after_response=marks("c"),
        a__on_chunk=lambda chunk: chunk | {"seen": True},
    )


CHAIN = (Middleware("a", 1, 1), Middleware("b", 1, 2), Middleware("c", 1, 3))


async def test_an_answer_that_a_middleware_knows_goes_out_through_those_before_it() -> None:
    plugins = knowing()
    response = await exchange(plugins, *CHAIN).whole()
    assert response["choices"][0]["message"]["content"] == "kepta"
    assert [(plugin, method) for plugin, method, _ in plugins.calls] == [
        ("a", "before_request"),
        ("b", "before_request"),
        ("a", "on_chunk"),
        ("a", "after_response"),
    ]
    assert (response["id"], response["model"], plugins.released) == ("r1", "echo/one", 1)


async def test_streamed_it_is_one_chunk() -> None:
    work = exchange(knowing(), *CHAIN)
    [batch] = [batch async for batch in work.batches()]
    [chunk] = batch
    assert (chunk["choices"][0]["delta"]["content"], chunk["seen"]) == ("kept", True)
    assert work.response is not None and work.response["choices"][0]["message"]["content"] == "kepta"


@pytest.mark.parametrize("response", ["no", {}, {"choices": []}, {"choices": [{"delta": {}}]}])
async def test_an_answer_of_a_middlewares_that_is_none_is_its_failure(response: Any) -> None:
    plugins = FakePlugins(
        echo__stream_completion=says("x"),
        a__before_request=lambda request: request | {"response": response},
        a__after_response=passes,
    )
    with pytest.raises(ChatError) as caught:
        await exchange(plugins, Middleware("a")).whole()
    assert (caught.value.code, caught.value.plugin_id) == ("middleware_invalid", "a")
    skipped = await exchange(plugins, Middleware("a", on_error="skip")).whole()
    assert skipped["choices"][0]["message"]["content"] == "x"


@pytest.mark.parametrize("method", ["before_request", "after_response", "on_chunk"])
async def test_a_refusal_is_never_skipped(method: str) -> None:
    def refuse(value: Any) -> Any:
        raise ChatError("budget_exceeded", "Enough.", status=402, plugin_id="a", refusal=True)

    methods = {"a__before_request": passes, "a__after_response": passes} | {f"a__{method}": refuse}
    plugins = FakePlugins(echo__stream_completion=says("x"), **methods)
    for run in (
        exchange(plugins, Middleware("a", on_error="skip")).whole(),
        _read(exchange(plugins, Middleware("a", on_error="skip"))),
    ):
        with pytest.raises(ChatError, match=r"^Enough\.$") as caught:
            await run
        assert (caught.value.code, caught.value.status, caught.value.refusal) == ("budget_exceeded", 402, True)


async def _read(work: Exchange) -> None:
    async for _ in work.batches():
        pass


async def test_each_middleware_is_told_the_facts_whatever_the_one_before_returned() -> None:
    told: list[dict[str, Any]] = []

    def after(response: dict[str, Any]) -> dict[str, Any]:
        told.append(response)
        return answer("new")

    plugins = FakePlugins(
        echo__stream_completion=says("x"),
        a__before_request=lambda request: request | {"model": "echo/two"},
        b__before_request=passes,
        a__after_response=after,
        b__after_response=after,
    )
    work = exchange(plugins, Middleware("a", priority=1), Middleware("b", priority=2))
    await _read(work)
    for seen in told:
        assert seen["request"] == {
            "user": {"id": 1},
            "conversation_id": None,
            "purpose": "v1",
            "model": "echo/two",
            "round": 0,
        }
        assert seen["cost"] == 0.004 and seen["duration_ms"] > 0
    assert told[0]["usage"] == USAGE
    assert work.response is not None and work.response["choices"] == answer("new")["choices"]
    assert (
        (work.response["id"], work.response["usage"]) == ("r1", USAGE)
        and work.cost == 0.004
        and work.first_token_ms is not None
    )


async def test_a_whole_answer_is_one_chunk_to_those_who_look_at_chunks() -> None:
    plugins = FakePlugins(
        echo__stream_completion=says("quiet"),
        a__before_request=passes,
        a__after_response=passes,
        a__on_chunk=lambda chunk: text_chunk(chunk["choices"][0]["delta"]["content"].upper()),
    )
    response = await exchange(plugins, Middleware("a", 1)).whole()
    assert response["choices"][0]["message"]["content"] == "QUIET"
    assert response["usage"] == USAGE


async def test_a_whole_answer_that_is_dropped_as_a_chunk_is_empty() -> None:
    plugins = FakePlugins(
        echo__stream_completion=lambda messages, model: [call_chunk(0, "c1", "rm", "{}"), text_chunk("secret")],
        a__before_request=passes,
        a__after_response=passes,
        a__on_chunk=lambda chunk: None,
    )
    response = await exchange(plugins, Middleware("a", 1)).whole()
    assert response["choices"][0]["message"] == {"role": "assistant", "content": ""}


async def test_every_round_begins_with_what_was_really_said() -> None:
    seen: list[dict[str, Any]] = []

    def hide(request: dict[str, Any]) -> dict[str, Any]:
        seen.append(request)
        return request | {"messages": [message | {"content": "***"} for message in request["messages"]]}

    def restore(response: dict[str, Any]) -> dict[str, Any]:
        message = response["choices"][0]["message"]
        for call in message.get("tool_calls", ()):
            call["function"]["arguments"] = '{"name": "Ann"}'
        return response

    rounds = [[call_chunk(0, "c1", "tool__greet", '{"name": "***"}')], [text_chunk("done")]]
    plugins = FakePlugins(
        echo__stream_completion=lambda messages, model, **params: rounds.pop(0),
        a__before_request=hide,
        a__after_response=restore,
        tool__execute=lambda action, parameters: f"Hello {parameters['name']}",
    )
    tool = Tool("tool__greet", "tool", "greet")
    work = Pipeline(
        Plan({"echo": Provider("echo")}, [Middleware("a")], {tool.name: tool}), plugins, Recorder(), answer_id="m"
    )
    request = ChatRequest("echo/one", [{"role": "user", "content": "I am Ann"}], {"tools": [tool.to_openai()]}, None)
    await work.run(request)
    assert [(one["request_id"], one["round"]) for one in seen] == [("m", 0), ("m:1", 1)]
    assert [message["content"] for message in seen[1]["messages"]] == ["I am Ann", "", "Hello Ann"]
    assert [message["content"] for message in plugins.streams[1].messages] == ["***"] * 3
    assert work.transcript[0]["tool_calls"][0]["function"]["arguments"] == '{"name": "Ann"}'
    assert plugins.released == 2


def test_cost_is_tokens_at_their_price() -> None:
    assert cost_of(USAGE, PRICES) == 0.004
    assert cost_of(USAGE | {"prompt_tokens_details": {"cached_tokens": 500}}, PRICES | {"cached_prompt": 1}) == 0.0035
    assert cost_of(USAGE | {"cost": 0.5}, None) == 0.5
    assert cost_of(USAGE, None) is cost_of(None, PRICES) is cost_of(USAGE, {"prompt": 1}) is None
    assert (add_cost(None, None), add_cost(0.1, None), add_cost(0.1, 0.2)) == (None, 0.1, 0.3)
