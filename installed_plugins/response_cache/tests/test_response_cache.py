"""What is asked again is answered again, and only that; what others further out did to an answer is never kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from plugins_app.sdk import Refused
from plugins_app.sdk.testing import PluginHarness

FOLDER = Path(__file__).parents[1]
ADA = {"id": 1, "username": "ada", "is_operator": False}
BOB = {"id": 2, "username": "bob", "is_operator": True}
CALL = {"id": "c", "type": "function", "function": {"name": "t", "arguments": "{}"}}


def asked(text: str = "hi", user: Any = ADA, model: str = "p/m", **more: Any) -> dict[str, Any]:
    params = {"temperature": 0} | more.pop("params", {})
    basis = {"model": model, "messages": [{"role": "user", "content": text}], "params": params, "user": user}
    return basis | {"purpose": "v1", "round": 0, "request_id": "r"} | more


def answered(content: Any = "hello", finish: str = "stop", **message: Any) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", "content": content, **message}, "finish_reason": finish}
    return {"id": "r", "choices": [choice], "usage": {"total_tokens": 7}, "cost": 0.5}


async def known(plugin: PluginHarness, *args: Any, **more: Any) -> dict[str, Any] | None:
    """The answer that the cache has; none: then the request went on unchanged."""
    request = asked(*args, **more)
    went_on = await plugin.call("before_request", request)
    response: dict[str, Any] | None = went_on.pop("response", None)
    went_on.pop("chunks", None)
    assert went_on == request
    return response


async def answer(plugin: PluginHarness, *args: Any, response: dict[str, Any] | None = None, **more: Any) -> None:
    """Ask, and have the model answer."""
    assert await known(plugin, *args, **more) is None
    given = response or answered()
    assert await plugin.call("after_response", given) == given


async def test_the_same_question_is_answered_again_for_nothing_and_marked() -> None:
    async with PluginHarness(FOLDER) as plugin:
        await answer(plugin)
        again = await known(plugin, request_id="other")
        assert again is not None and again["choices"] == answered()["choices"]
        assert again["cached"] is True and again["usage"]["response_cache"] == "hit"
        assert (again["usage"]["total_tokens"], again["usage"]["cost"], again["usage"]["saved_tokens"]) == (0, 0, 7)
        stats = await plugin.call("stats")
    assert (stats["hits"], stats["misses"], stats["saved_tokens"], stats["saved_usd"]) == (1, 1, 7, 0.5)
    assert (stats["entries"], stats["hit_rate"]) == (1, 0.5) and stats["bytes"] > 0


@pytest.mark.parametrize(
    "other",
    [
        *({"text": "ho"}, {"model": "p/n"}, {"params": {"max_tokens": 5}}, {"user": BOB}),
        {"messages": [{"role": "system", "content": "be kind"}, {"role": "user", "content": "hi"}]},
    ],
)
async def test_another_question_is_another_one(other: dict[str, Any]) -> None:
    async with PluginHarness(FOLDER) as plugin:
        await answer(plugin)
        assert await known(plugin, **other) is None


async def test_how_an_answer_is_delivered_changes_nothing_and_everybody_may_share() -> None:
    async with PluginHarness(FOLDER, {"scope": "everybody"}) as plugin:
        await answer(plugin)
        more = {"stream": True, "user": "bob", "temperature": 0.0}
        assert await known(plugin, user=BOB, params=more) is not None


@pytest.mark.parametrize(
    "more",
    [
        *({"params": {"temperature": 0.1}}, {"params": {"temperature": None}}, {"params": {"n": 2}}, {"round": 1}),
        *({"purpose": "title"}, {"params": {"logprobs": True}}),
        {"messages": [{"role": "user", "content": "x"}, {"role": "tool", "tool_call_id": "c", "content": "1"}]},
    ],
)
async def test_what_may_be_answered_otherwise_is_not_kept(more: dict[str, Any]) -> None:
    async with PluginHarness(FOLDER) as plugin:
        for _ in range(2):
            await answer(plugin, **more)


@pytest.mark.parametrize(
    "response", [answered(finish="length"), answered(""), answered(None, "tool_calls", tool_calls=[CALL])]
)
async def test_cut_and_empty_answers_and_calls_of_tools_are_not_kept(response: dict[str, Any]) -> None:
    async with PluginHarness(FOLDER) as plugin:
        for _ in range(2):
            await answer(plugin, response=response)


async def test_tool_rounds_are_kept_when_configured() -> None:
    async with PluginHarness(FOLDER, {"tool_rounds": True, "only_deterministic": False}) as plugin:
        more: dict[str, Any] = {"round": 1, "params": {"temperature": 1}}
        await answer(plugin, response=answered(None, "tool_calls", tool_calls=[CALL]), **more)
        again = await known(plugin, **more)
    assert again is not None and again["choices"][0]["message"]["tool_calls"] == [CALL]


async def test_what_is_kept_of_a_stream_is_what_the_provider_said() -> None:
    deltas: list[dict[str, Any]] = [
        {"role": "assistant", "content": "to <EM", "reasoning_content": "hm"},
        {"content": "AIL_1>"},
        {"tool_calls": [{"index": 0, "id": "c", "function": {"name": "t", "arguments": "{"}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": "}"}}]},
    ]
    chunks = [{"id": "r", "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    chunks.append({"id": "r", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    async with PluginHarness(FOLDER, {"tool_rounds": True}) as plugin:
        assert await known(plugin) is None
        for chunk in chunks:
            assert await plugin.call("on_chunk", chunk) == chunk
        await plugin.call("after_response", answered("to ada@example.com"))
        again = await known(plugin)
    assert again is not None
    message = again["choices"][0]["message"]
    assert (message["content"], message["reasoning_content"]) == ("to <EMAIL_1>", "hm")
    assert message["tool_calls"] == [CALL]


async def test_answers_are_forgotten_by_age_number_and_size() -> None:
    async with PluginHarness(FOLDER, {"max_entries": 2}) as plugin:
        await answer(plugin, "a")
        await answer(plugin, "b")
        assert await known(plugin, "a") is not None
        await answer(plugin, "c")
        assert await known(plugin, "a") is not None
        assert await known(plugin, "b") is None
        assert (await plugin.call("stats"))["evicted"] == 1
        left = plugin.plugin.export_state()
    for entry in left["entries"].values():
        entry["at"] -= 3601
    async with PluginHarness(FOLDER, old=left) as plugin:
        assert await known(plugin, "a") is None
    async with PluginHarness(FOLDER, {"max_answer_kb": 1}) as plugin:
        for _ in range(2):
            await answer(plugin, response=answered("x" * 1024))
    async with PluginHarness(FOLDER, {"max_memory_mb": 1, "max_answer_kb": 600}) as plugin:
        for text in ("a", "b"):
            await answer(plugin, text, response=answered("x" * 600_000))
        assert await known(plugin, "a") is None


async def test_another_generation_goes_on_with_answers_and_statistics() -> None:
    async with PluginHarness(FOLDER) as plugin:
        await answer(plugin)
        left = plugin.plugin.export_state()
    async with PluginHarness(FOLDER, old=left) as plugin:
        assert await known(plugin) is not None
        assert (await plugin.call("stats"))["misses"] == 1


async def test_in_storage_answers_outlive_the_plugin_and_make_place_for_newer_ones() -> None:
    config = {"in_storage": True}
    async with PluginHarness(FOLDER, config) as plugin:
        await answer(plugin)
        stored = plugin.storage
    async with PluginHarness(FOLDER, config, storage=stored) as plugin:
        assert await known(plugin) is not None
    old = {key: value | {"at": value["at"] - 3601} for key, value in stored.items()}
    async with PluginHarness(FOLDER, config, storage=old, storage_quota=9_000) as plugin:
        assert await known(plugin) is None and not plugin.storage
        for number in range(6):
            await answer(plugin, f"q{number}", response=answered("x" * 2500))
        assert 1 <= len(plugin.storage) <= 3
    async with PluginHarness(FOLDER, config, storage=plugin.storage) as plugin:
        assert await known(plugin, "q5") is not None


async def test_operators_empty_it() -> None:
    async with PluginHarness(FOLDER, {"in_storage": True}, user=BOB) as plugin:
        await answer(plugin)
        assert await plugin.call("clear") == 1
        assert await known(plugin) is None and not plugin.storage
    async with PluginHarness(FOLDER, user=ADA) as plugin:
        with pytest.raises(Refused):
            await plugin.call("clear")


async def test_only_what_may_be_kept_costs_a_call_for_each_chunk() -> None:
    async with PluginHarness(FOLDER) as plugin:
        assert (await plugin.call("before_request", asked(purpose="title")))["chunks"] is False
        assert "chunks" not in await plugin.call("before_request", asked())


async def test_an_answer_that_ended_early_is_not_kept() -> None:
    async with PluginHarness(FOLDER) as plugin:
        assert await known(plugin) is None
        await plugin.call("on_unfinished", answered(finish="cancelled"))
        await plugin.call("after_response", answered())  # as if it were another request's
        assert await known(plugin) is None
