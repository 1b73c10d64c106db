"""Limits on requests and tokens, for whom the rules say, and what happens when nothing can be counted."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from plugins_app.sdk import NotReady, Refused
from plugins_app.sdk.testing import PluginHarness

FOLDER = Path(__file__).parents[1]
ADA = {"id": 1, "username": "ada", "is_operator": False}
BOB = {"id": 2, "username": "bob", "is_operator": True}


def rule(**settings: Any) -> dict[str, Any]:
    return {"rules": [settings]}


def asked(user: Any = ADA, model: str = "p/m", **more: Any) -> dict[str, Any]:
    basis = {"model": model, "messages": [{"role": "user", "content": "hi"}], "params": {}, "user": user}
    return basis | {"purpose": "chat", "round": 0, "request_id": "r"} | more


def answered(tokens: int | None, user: Any = ADA, model: str = "p/m", **more: Any) -> dict[str, Any]:
    facts = {"user": user, "model": model, "purpose": "chat", "round": 0}
    message = {"role": "assistant", "content": "x" * 36}
    usage = None if tokens is None else {"total_tokens": tokens}
    return {"id": "r", "choices": [{"index": 0, "message": message}], "usage": usage, "request": facts} | more


async def refused(plugin: PluginHarness, *args: Any, **more: Any) -> Refused | None:
    try:
        request = asked(*args, **more)
        assert await plugin.call("before_request", request) == request
    except Refused as error:
        return error
    return None


async def test_requests_up_to_the_limit_pass_and_again_in_the_next_window() -> None:
    async with PluginHarness(FOLDER, rule(requests_per_minute=2)) as plugin:
        assert [await refused(plugin) for _ in range(2)] == [None, None]
        error = await refused(plugin)
        assert error is not None and (error.status, error.reason) == (429, "rate_limited")
        assert error.retry_after is not None and 1 <= error.retry_after <= 60
        assert "2 requests a minute" in str(error)
        assert await refused(plugin, BOB) is None
        plugin.advance(60)
        assert await refused(plugin) is None


async def test_of_many_at_once_exactly_so_many_pass() -> None:
    async with PluginHarness(FOLDER, rule(requests_per_hour=5)) as plugin:
        results = await asyncio.gather(*(refused(plugin) for _ in range(20)))
    assert results.count(None) == 5


async def test_who_is_refused_does_not_use_up_longer_limits() -> None:
    async with PluginHarness(FOLDER, rule(requests_per_minute=1, requests_per_day=2)) as plugin:
        assert [await refused(plugin) is None for _ in range(5)] == [True, False, False, False, False]
        plugin.advance(60)
        assert [await refused(plugin) is None for _ in range(2)] == [True, False]


async def test_tokens_are_counted_when_the_answer_is_there() -> None:
    async with PluginHarness(FOLDER, rule(tokens_per_hour=100)) as plugin:
        for tokens in (60, 60):
            assert await refused(plugin) is None
            response = answered(tokens)
            assert await plugin.call("after_response", response) == response
        error = await refused(plugin)
        assert error is not None and "100 tokens an hour" in str(error)
        assert await refused(plugin, BOB) is None


async def test_tokens_that_no_provider_counted_are_guessed_from_question_and_answer() -> None:
    async with PluginHarness(FOLDER, rule(tokens_per_day=1000)) as plugin:
        assert await refused(plugin, messages=[{"role": "user", "content": "y" * 36}]) is None
        await plugin.call("after_response", answered(None))
        [(_, count)] = plugin.counters.items()
        assert 18 <= count <= 24


@pytest.mark.parametrize(
    ("per", "others_are_apart", "models_are_apart"),
    [("user", True, False), ("user_and_model", True, True), ("model", False, True), ("everyone", False, False)],
)
async def test_what_is_counted_together(per: str, others_are_apart: bool, models_are_apart: bool) -> None:
    async with PluginHarness(FOLDER, rule(per=per, requests_per_day=1)) as plugin:
        assert await refused(plugin) is None
        assert (await refused(plugin, BOB) is None) is others_are_apart
    async with PluginHarness(FOLDER, rule(per=per, requests_per_day=1)) as plugin:
        assert await refused(plugin) is None
        assert (await refused(plugin, model="p/other") is None) is models_are_apart


async def test_all_rules_that_fit_hold_and_a_final_one_ends_them() -> None:
    rules = [
        {"users": ["b*"], "requests_per_day": 3, "final": True},
        {"models": ["*/large*"], "requests_per_day": 1},
        {"requests_per_day": 2},
    ]
    async with PluginHarness(FOLDER, {"rules": rules}) as plugin:
        assert [await refused(plugin, BOB, "p/large-2") is None for _ in range(4)] == [True, True, True, False]
        assert [await refused(plugin, ADA, "p/large-2") is None for _ in range(2)] == [True, False]
        assert [await refused(plugin, ADA, "p/m") is None for _ in range(2)] == [True, False]


async def test_tool_rounds_titles_and_operators_count_as_configured() -> None:
    async with PluginHarness(FOLDER, rule(requests_per_day=1) | {"exempt_operators": True}) as plugin:
        assert await refused(plugin) is None
        assert await refused(plugin, round=1) is None
        assert await refused(plugin, purpose="title") is None
        assert [await refused(plugin, BOB) for _ in range(2)] == [None, None]
        assert await refused(plugin, purpose="v1") is not None
    async with PluginHarness(FOLDER, rule(requests_per_day=1) | {"count_tool_rounds": True}) as plugin:
        assert [await refused(plugin, round=n) is None for n in range(2)] == [True, False]


async def test_without_redis_everybody_passes_or_nobody() -> None:
    limits = rule(requests_per_day=1, tokens_per_day=1)
    async with PluginHarness(FOLDER, limits) as plugin:
        plugin.lose_counters()
        assert [await refused(plugin) for _ in range(2)] == [None, None]
        assert await plugin.call("after_response", answered(5)) == answered(5)
    async with PluginHarness(FOLDER, limits | {"without_redis": "refuse"}) as plugin:
        plugin.lose_counters()
        with pytest.raises(NotReady, match="cannot be counted"):
            await plugin.call("before_request", asked())
        assert await plugin.call("after_response", answered(5)) == answered(5)


async def test_whoever_asks_is_told_what_is_left() -> None:
    async with PluginHarness(FOLDER, rule(requests_per_minute=5, tokens_per_day=100), user=ADA) as plugin:
        await refused(plugin)
        await plugin.call("after_response", answered(30))
        limits = await plugin.call("limits", model="p/m")
    assert [(one["limit"], one["used"], one["left"]) for one in limits] == [
        ("5 requests a minute", 1, 4),
        ("100 tokens a day", 30, 70),
    ]
    assert all(one["resets_in"] > 0 for one in limits)


async def test_the_tokens_of_a_cancelled_answer_count_like_any_others() -> None:
    async with PluginHarness(FOLDER, rule(tokens_per_minute=100)) as plugin:
        assert await refused(plugin) is None
        await plugin.call("on_unfinished", answered(100, error=None))
        assert await refused(plugin) is not None
