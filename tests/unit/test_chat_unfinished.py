"""A provider's call that ends early: whoever counts is told once of what was used, and nobody waits for that."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import pytest

from aichat.chat.afterwards import Afterwards
from aichat.chat.errors import ChatError
from aichat.chat.exchange import Exchange
from aichat.chat.plan import ChatRequest, Middleware, Plan, Provider
from tests.unit.chat_fakes import FakePlugins, end_chunk, text_chunk

PRICES = {"prompt": 1.0, "completion": 2.0}
USAGE = {"prompt_tokens": 1000, "completion_tokens": 500, "total_tokens": 1500}
METER = Middleware("meter", priority=1)


class Told:
    """A middleware's hooks, and what they were told."""

    def __init__(self) -> None:
        self.unfinished: list[dict[str, Any]] = []
        self.whole: list[dict[str, Any]] = []
        self.asked = asyncio.Event()
        self.go_on = asyncio.Event()
        self.go_on.set()

    async def after(self, response: dict[str, Any]) -> dict[str, Any]:
        self.asked.set()
        await self.go_on.wait()
        self.whole.append(response)
        return response

    def on_unfinished(self, response: dict[str, Any]) -> None:
        self.unfinished.append(response)

    def methods(self) -> dict[str, Any]:
        return {
            "meter__before_request": lambda request: request,
            "meter__after_response": self.after,
            "meter__on_unfinished": self.on_unfinished,
        }


@pytest.fixture
def told() -> Told:
    return Told()


def exchange(plugins: FakePlugins, afterwards: Afterwards, *middlewares: Middleware) -> Exchange:
    plan = Plan({"echo": Provider("echo")}, middlewares, pricing=lambda model: PRICES)
    messages = [{"role": "user", "content": "x" * 400}]
    request = ChatRequest("echo/one", messages, {}, {"id": 1}, None, "v1", "r1")
    return Exchange(plan, plugins, request, afterwards)


async def hangs(messages: Any, model: str, **params: Any) -> AsyncIterator[Any]:
    yield text_chunk("Half an an")
    await asyncio.Event().wait()


async def fails(messages: Any, model: str, **params: Any) -> AsyncIterator[Any]:
    yield text_chunk("Half an an") | {"usage": USAGE}
    raise ChatError("plugin_crashed", "it died")


async def read(work: Exchange, until: int | None = None) -> None:
    async with aclosing(work.batches()) as batches:
        async for number, _ in _counted(batches):
            if number == until:
                return


async def _counted(batches: Any) -> AsyncIterator[tuple[int, Any]]:
    number = 0
    async for batch in batches:
        yield (number := number + 1), batch


async def cancelled(work: Exchange, ready: asyncio.Event) -> None:
    """Begin to read, and cancel it when it is `ready`."""
    task = asyncio.create_task(read(work))
    await ready.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_reader_who_leaves_has_used_what_came_by_a_guess(told: Told) -> None:
    plugins, afterwards = FakePlugins(echo__stream_completion=hangs, **told.methods()), Afterwards()
    await read(exchange(plugins, afterwards, METER), until=1)
    assert (told.unfinished, plugins.released) == ([], 0)
    await afterwards.close()
    [response] = told.unfinished
    choice = response["choices"][0]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("Half an an", "cancelled")
    usage = {"prompt_tokens": 100, "completion_tokens": 3, "total_tokens": 103, "estimated": True}
    assert (response["id"], response["usage"], response["error"]) == ("r1", usage, None)
    assert response["cost"] == pytest.approx((100 * 1.0 + 3 * 2.0) / 1e6) and response["duration_ms"] > 0
    assert response["request"] == {
        "user": {"id": 1},
        "conversation_id": None,
        "purpose": "v1",
        "model": "echo/one",
        "round": 0,
    }
    assert (told.whole, plugins.released) == ([], 1)


@pytest.mark.parametrize("whole", [False, True])
async def test_a_failure_half_way_comes_with_its_reason_and_the_providers_own_count(told: Told, whole: bool) -> None:
    plugins, afterwards = FakePlugins(echo__stream_completion=fails, **told.methods()), Afterwards()
    work = exchange(plugins, afterwards, METER)
    with pytest.raises(ChatError, match="it died"):
        await (work.whole() if whole else read(work))
    await afterwards.close()
    [response] = told.unfinished
    assert response["choices"][0]["finish_reason"] == "error"
    assert response["error"]["code"] == "plugin_crashed" and response["error"]["detail"] == "it died"
    nothing = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0, "estimated": True}
    assert response["usage"] == (nothing if whole else USAGE)  # it failed before there was a word of it


async def test_who_counts_finishes_counting_though_the_reader_leaves_at_that_moment(told: Told) -> None:
    chunks = [text_chunk("All"), end_chunk(usage=USAGE)]
    plugins = FakePlugins(echo__stream_completion=lambda messages, model: chunks, **told.methods())
    afterwards = Afterwards()
    told.go_on.clear()
    await cancelled(exchange(plugins, afterwards, METER), told.asked)
    assert (told.whole, plugins.released) == ([], 0)
    told.go_on.set()
    await afterwards.close()
    assert ([one["usage"] for one in told.whole], told.unfinished, plugins.released) == ([USAGE], [], 1)


async def test_who_has_not_seen_an_answer_that_another_one_withholds_is_told(told: Told) -> None:
    def refuse(response: dict[str, Any]) -> Any:
        raise ChatError("not_for_you", "No.", status=403, plugin_id="guard", refusal=True)

    plugins = FakePlugins(
        echo__stream_completion=lambda messages, model: [text_chunk("All"), end_chunk(usage=USAGE)],
        guard__before_request=lambda request: request,
        guard__after_response=refuse,
        guard__on_unfinished=lambda response: pytest.fail("it knows"),
        **told.methods(),
    )
    afterwards = Afterwards()
    with pytest.raises(ChatError, match="No"):
        await exchange(plugins, afterwards, METER, Middleware("guard", priority=2)).whole()
    await afterwards.close()
    [response] = told.unfinished
    assert (response["error"]["code"], response["usage"], told.whole) == ("not_for_you", USAGE, [])
    assert response["choices"][0]["message"]["content"] == "All"


async def test_nothing_is_told_where_no_provider_was_asked_or_nobody_wants_to_know(told: Told) -> None:
    def refuse(request: dict[str, Any]) -> Any:
        raise ChatError("rate_limited", "No.", status=429, plugin_id="strict", refusal=True)

    plugins = FakePlugins(echo__stream_completion=fails, strict__before_request=refuse, **told.methods())
    afterwards = Afterwards()
    with pytest.raises(ChatError, match="No"):
        await read(exchange(plugins, afterwards, METER, Middleware("strict", priority=2)))
    plugins.methods.pop("meter__on_unfinished")
    with pytest.raises(ChatError, match="it died"):
        await read(exchange(plugins, afterwards, METER))
    await afterwards.close()
    assert (told.unfinished, plugins.released) == ([], 2)
    assert [method for plugin, method, _ in plugins.calls if plugin == "meter"] == ["before_request"] * 2


async def test_a_hook_that_fails_harms_nobody_else(told: Told, caplog: pytest.LogCaptureFixture) -> None:
    def broken(response: dict[str, Any]) -> Any:
        raise ChatError("plugin_raised", "no storage", plugin_id="inner")

    plugins = FakePlugins(
        echo__stream_completion=hangs,
        inner__before_request=lambda request: request,
        inner__on_unfinished=broken,
        **told.methods(),
    )
    afterwards = Afterwards()
    await read(exchange(plugins, afterwards, METER, Middleware("inner", priority=2)), until=1)
    await afterwards.close()
    assert len(told.unfinished) == 1
    assert "on_unfinished of inner failed: plugin_raised: no storage" in caplog.text
