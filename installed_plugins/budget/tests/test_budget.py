"""What is used is added up and limited, by user and in all, and everybody is told in time."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from installed_plugins.budget.periods import period_at
from plugins_app.sdk import ConfigError, Refused
from plugins_app.sdk.testing import PluginHarness

FOLDER = Path(__file__).parents[1]
ADA = {"id": 1, "username": "ada", "is_operator": False}
BOB = {"id": 2, "username": "bob", "is_operator": True}


def asked(user: Any = ADA, text: str = "hi") -> dict[str, Any]:
    return {
        "model": "p/m",
        "messages": [{"role": "user", "content": text}],
        "params": {},
        "user": user,
        "request_id": "r",
    }


def answered(tokens: int = 0, cost: float | None = None, user: Any = ADA, model: str = "p/m") -> dict[str, Any]:
    usage = {"prompt_tokens": tokens // 2, "completion_tokens": tokens - tokens // 2, "total_tokens": tokens}
    choice = {"index": 0, "message": {"role": "assistant", "content": "hello"}}
    return {"id": "r", "choices": [choice], "usage": usage, "cost": cost, "request": {"user": user, "model": model}}


async def refused(plugin: PluginHarness, *args: Any) -> Refused | None:
    try:
        request = asked(*args)
        assert await plugin.call("before_request", request) == request
    except Refused as error:
        return error
    return None


async def test_tokens_add_up_to_the_limit_and_the_refusal_says_all_about_it() -> None:
    async with PluginHarness(FOLDER, {"tokens_per_user": 100}) as plugin:
        for _ in range(2):
            assert await refused(plugin) is None
            assert await plugin.call("after_response", answered(60)) == answered(60)
        error = await refused(plugin)
        assert error is not None and (error.status, error.reason) == (429, "budget_exceeded")
        assert "120 tokens of 100 tokens used, 0 tokens left. It begins anew on" in str(error)
        assert error.retry_after is not None and 0 < error.retry_after <= 31 * 86_400
        assert await refused(plugin, BOB) is None


async def test_a_request_that_needs_more_than_is_left_is_refused_beforehand() -> None:
    async with PluginHarness(FOLDER, {"tokens_per_user": 100}) as plugin:
        await plugin.call("after_response", answered(60))
        assert await refused(plugin, ADA, "x" * 100) is None
        error = await refused(plugin, ADA, "x" * 400)
        assert error is not None and "40 tokens left" in str(error)


async def test_tokens_that_no_provider_counted_are_guessed_from_question_and_answer() -> None:
    async with PluginHarness(FOLDER, {"tokens_per_user": 1000}, user=ADA) as plugin:
        assert await refused(plugin, ADA, "x" * 400) is None
        await plugin.call("after_response", answered() | {"usage": None})
        assert 100 <= (await plugin.call("usage"))["tokens"]["used"] <= 110


async def test_money_adds_up_exactly_by_the_providers_cost_or_the_configured_prices() -> None:
    prices = [{"models": "p/*", "prompt": 1.0, "completion": 3.0}]
    async with PluginHarness(FOLDER, {"usd_per_user": 0.3, "prices": prices}) as plugin:
        for _ in range(2):
            await plugin.call("after_response", answered(2, cost=0.1))
        assert await refused(plugin) is None
        await plugin.call("after_response", answered(50_000))  # 25,000 at 1 and as many at 3 dollars a million
        error = await refused(plugin)
        assert error is not None and error.status == 402 and "$0.30 of $0.30 used" in str(error)
        await plugin.call("after_response", answered(50_000, model="free/m"))
    money = [value for key, value in plugin.storage.items() if key.endswith(":1:m")]
    assert money == [300_000]


async def test_everybody_together_and_exceptions_have_budgets_of_their_own() -> None:
    config = {"tokens_per_user": 10, "tokens_in_all": 200, "exceptions": [{"users": ["b*"], "tokens": 150}]}
    async with PluginHarness(FOLDER, config) as plugin:
        await plugin.call("after_response", answered(100, user=BOB))
        assert await refused(plugin, BOB) is None
        await plugin.call("after_response", answered(100, user=None))
        error = await refused(plugin, None)
        assert error is not None and "Everybody's budget" in str(error)
        assert "Everybody's budget" in str(await refused(plugin, BOB))


async def test_operators_may_go_on_when_configured_and_count_all_the_same() -> None:
    async with PluginHarness(FOLDER, {"tokens_per_user": 1, "exempt_operators": True}, user=BOB) as plugin:
        await plugin.call("after_response", answered(5, user=BOB))
        assert await refused(plugin, BOB) is None
        assert (await plugin.call("usage"))["tokens"] == {"used": 5, "limit": 1, "left": 0}


async def test_thresholds_are_published_once() -> None:
    async with PluginHarness(FOLDER, {"tokens_per_user": 100, "warn_at": 0.5}) as plugin:
        for _ in range(4):
            await plugin.call("after_response", answered(40))
    assert [(event.name, event.data["used"]) for event in plugin.events] == [("warning", 80), ("exhausted", 120)]
    assert plugin.events[0].data == {"user": "ada", "unit": "tokens", "used": 80, "limit": 100}


async def test_operators_see_what_everybody_used_and_others_only_their_own() -> None:
    config = {"usd_per_user": 1, "tokens_in_all": 1000}
    async with PluginHarness(FOLDER, config, user=BOB) as plugin:
        await plugin.call("after_response", answered(10, cost=0.25))
        await plugin.call("after_response", answered(20, cost=0.5, user=BOB))
        report = await plugin.call("report")
        stored = plugin.storage
    assert [(one["username"], one["usd"]) for one in report["users"]] == [
        ("bob", {"used": 0.5, "limit": 1, "left": 0.5}),
        ("ada", {"used": 0.25, "limit": 1, "left": 0.75}),
    ]
    assert report["in_all"]["tokens"] == {"used": 30, "limit": 1000, "left": 970}
    async with PluginHarness(FOLDER, config, user=ADA, storage=stored) as plugin:
        assert (await plugin.call("usage"))["usd"]["used"] == 0.25
        with pytest.raises(Refused, match="Only operators"):
            await plugin.call("report")


async def test_old_periods_are_forgotten_and_a_full_storage_withholds_no_answer() -> None:
    old = {"p:200101:1:t": 5, "name:1": "ada"}
    async with PluginHarness(FOLDER, {"tokens_per_user": 5}, storage=old, storage_quota=60) as plugin:
        assert await plugin.call("after_response", answered(10)) == answered(10)
    assert "p:200101:1:t" not in plugin.storage


@pytest.mark.parametrize(
    ("now", "length", "start", "end"),
    [
        ("2026-11-30T22:59:59+00:00", "month", "2026-11-01T00:00:00+01:00", "2026-12-01T00:00:00+01:00"),
        ("2026-11-30T23:00:00+00:00", "month", "2026-12-01T00:00:00+01:00", "2027-01-01T00:00:00+01:00"),
        ("2026-03-29T12:00:00+00:00", "day", "2026-03-29T00:00:00+01:00", "2026-03-30T00:00:00+02:00"),
        ("2026-11-22T12:00:00+00:00", "week", "2026-11-16T00:00:00+01:00", "2026-11-23T00:00:00+01:00"),
    ],
)
def test_periods_begin_at_the_places_own_midnight(now: str, length: str, start: str, end: str) -> None:
    found = period_at(datetime.fromisoformat(now), length, ZoneInfo("Europe/Berlin"))
    assert (found.start.isoformat(), found.end.isoformat()) == (start, end)


def test_a_day_in_which_the_clocks_change_has_23_hours() -> None:
    now = datetime(2026, 3, 28, 23, 0, tzinfo=UTC)
    assert period_at(now, "day", ZoneInfo("Europe/Berlin")).seconds_left(now) == 23 * 3600


@pytest.mark.parametrize("zone", ["Mars/Olympus", "../etc/passwd", "Europe"])
async def test_a_time_zone_must_be_one(zone: str) -> None:
    with pytest.raises(ConfigError, match="no time zone"):
        await PluginHarness(FOLDER, {"timezone": zone}).__aenter__()


async def test_what_a_cancelled_answer_took_counts_like_any_other() -> None:
    async with PluginHarness(FOLDER, {"tokens_per_user": 100}, user=ADA) as plugin:
        assert await refused(plugin) is None
        await plugin.call("on_unfinished", answered(120, cost=0.5) | {"error": None})
        used = await plugin.call("usage")
        assert (used["tokens"]["used"], used["usd"]["used"]) == (120, 0.5)
        assert await refused(plugin) is not None
