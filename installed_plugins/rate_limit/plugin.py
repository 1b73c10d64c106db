"""A middleware that says no to whoever asks too often or for too much."""

from __future__ import annotations

import asyncio
import math
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, NamedTuple

from plugins_app.sdk import MiddlewarePlugin, NotReady, Refused, method

from .rules import Limit, Rule, read_rules, rules_for
from .tokens import estimated, tokens_of

_REMEMBERED = 10_000


class _Counted(NamedTuple):
    """One limit, its counter, and how it stands."""

    limit: Limit
    name: str
    total: float
    resets_in: float


class RateLimit(MiddlewarePlugin):
    """Counts requests on the way in and tokens on the way out."""

    priority = 2
    on_error = "fail"

    async def initialize(self) -> bool:
        """The rules do not change while the plugin lives."""
        self._rules = read_rules(self.get_config("rules", []))
        self._purposes = frozenset(self.get_config("purposes", []))
        self._prompts: OrderedDict[str, int] = OrderedDict()
        return True

    async def before_request(self, request: dict[str, Any]) -> dict[str, Any]:
        """The request as it is, unless a limit is reached.

        Raises:
            Refused: 429, with what the limit is and when it ends.
            NotReady: nothing can be counted, and the configuration refuses everybody then.
        """
        rules = self._holding(request)
        if not rules:
            return request
        try:
            await self._admit(rules, request)
        except NotReady as error:
            if self.get_config("without_redis") == "refuse":
                raise NotReady("Nobody can ask while requests cannot be counted.", error.retry_after) from error
            self.context.logger.warning("nothing is counted: %s", error)
        if any(rule.of("tokens") for rule in rules):
            self._remember(request)
        return request

    async def after_response(self, response: dict[str, Any]) -> dict[str, Any]:
        """The response as it is; its tokens are counted."""
        asked = response.get("request") or {}
        prompt = self._prompts.pop(str(response.get("id")), 0)
        limits = [
            (limit, rule.counter("tokens", _user_id(asked), str(asked.get("model"))))
            for rule in self._holding(asked)
            for limit in rule.of("tokens")
        ]
        tokens = tokens_of(response, prompt) if limits else 0
        if tokens:
            try:
                await self._count(limits, tokens)
            except NotReady as error:
                self.context.logger.warning("%d tokens were not counted: %s", tokens, error)
        return response

    async def on_unfinished(self, response: dict[str, Any]) -> None:
        """The tokens of an answer that was cancelled or failed half way are counted as well."""
        await self.after_response(response)

    @method(idempotent=True)
    async def limits(self, model: str) -> list[dict[str, Any]]:
        """The calling user's limits for a model: ``[{"limit", "used", "left", "resets_in"}]``."""
        asked = {"user": self.context.user, "model": model, "purpose": next(iter(self._purposes), "")}
        rules = self._holding(asked)
        counted = await self._count(_all_limits(rules, ("requests", "tokens"), asked), 0)
        return [
            {
                "limit": str(one.limit),
                "used": one.total,
                "left": max(0, one.limit.most - one.total),
                "resets_in": one.resets_in,
            }
            for one in counted
        ]

    def _holding(self, asked: dict[str, Any]) -> list[Rule]:
        user = asked.get("user") or {}
        if asked.get("purpose", "chat") not in self._purposes:
            return []
        if user.get("is_operator") and self.get_config("exempt_operators"):
            return []
        return rules_for(self._rules, str(user.get("username") or ""), str(asked.get("model")))

    async def _admit(self, rules: Sequence[Rule], request: dict[str, Any]) -> None:
        """Count first and take it back when refused: two who ask at once can then not both be the last."""
        tokens = await self._count(_all_limits(rules, ("tokens",), request), 0)
        over = [one for one in tokens if one.total >= one.limit.most]
        if not over and (not request.get("round") or self.get_config("count_tool_rounds")):
            limits = _all_limits(rules, ("requests",), request)
            counted = await self._count(limits, 1)
            over = [one for one in counted if one.total > one.limit.most]
            if over:
                await self._count(limits, -1)
        if over:
            raise _refusal(over)

    async def _count(self, limits: Sequence[tuple[Limit, str]], amount: float) -> list[_Counted]:
        add = self.context.counters.add
        counts = await asyncio.gather(*(add(name, amount, limit.window_s) for limit, name in limits))
        return [
            _Counted(limit, name, count["total"], count["resets_in"])
            for (limit, name), count in zip(limits, counts, strict=True)
        ]

    def _remember(self, request: dict[str, Any]) -> None:
        """How long the prompt was, for providers that do not say how many tokens they have counted."""
        self._prompts[str(request.get("request_id"))] = estimated(request.get("messages"))
        while len(self._prompts) > _REMEMBERED:
            self._prompts.popitem(last=False)


def _all_limits(rules: Sequence[Rule], kinds: Sequence[str], asked: dict[str, Any]) -> list[tuple[Limit, str]]:
    return [
        (limit, rule.counter(kind, _user_id(asked), str(asked.get("model"))))
        for rule in rules
        for kind in kinds
        for limit in rule.of(kind)
    ]


def _user_id(asked: dict[str, Any]) -> Any:
    return (asked.get("user") or {}).get("id")


def _refusal(over: Sequence[_Counted]) -> Refused:
    """By the limit that takes longest to end."""
    worst = max(over, key=lambda one: one.resets_in)
    seconds = max(1, math.ceil(worst.resets_in))
    text = f"The limit of {worst.limit} is reached. Try again in {_duration(seconds)}."
    return Refused(text, status=429, retry_after=seconds, code="rate_limited")


def _duration(seconds: int) -> str:
    if seconds < 120:
        return f"{seconds} s"
    if seconds < 7200:
        return f"{math.ceil(seconds / 60)} minutes"
    return f"{math.ceil(seconds / 3600)} hours"
