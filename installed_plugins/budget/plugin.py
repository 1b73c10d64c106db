"""A middleware that adds up what everybody uses, and says no when a budget is used up."""

from __future__ import annotations

import math
from collections import OrderedDict
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from plugins_app.sdk import ConfigError, MiddlewarePlugin, PluginError, Refused, method

from .ledger import EVERYBODY, UNITS, Ledger
from .limits import MICRO, Limits, cost_by_prices, limits_of
from .periods import Period, period_at
from .tokens import estimated, tokens_of

_REMEMBERED = 10_000


class Budget(MiddlewarePlugin):
    """Looks at what is left on the way in, and adds what was used on the way out."""

    priority = 4
    on_error = "fail"

    async def validate_config(self) -> bool:
        """The time zone must be one."""
        try:
            ZoneInfo(self.get_config("timezone", "UTC"))
        except (ValueError, OSError, KeyError) as error:  # ZoneInfoNotFoundError is a KeyError, a folder an OSError
            raise _no_zone(self.get_config("timezone")) from error
        return True

    async def initialize(self) -> bool:
        """The configuration does not change while the plugin lives."""
        self._zone = ZoneInfo(self.get_config("timezone", "UTC"))
        self._ledger = Ledger(self.context.storage)
        self._prompts: OrderedDict[str, int] = OrderedDict()
        return True

    async def before_request(self, request: dict[str, Any]) -> dict[str, Any]:
        """The request as it is, unless a budget is used up.

        Raises:
            Refused: 429 for tokens and 402 for money, with what was used, what is left and when it begins anew.
        """
        user, asked = request.get("user") or {}, estimated(request.get("messages"))
        self._remember(str(request.get("request_id")), asked)
        if user.get("is_operator") and self.get_config("exempt_operators"):
            return request
        period = self._period()
        for whom, limits in self._budgets(user):
            await self._check(whom, limits, period, asked)
        return request

    async def after_response(self, response: dict[str, Any]) -> dict[str, Any]:
        """The response as it is; what it took is added. An answer that is there is not withheld for it."""
        asked = response.get("request") or {}
        user, used = asked.get("user") or {}, self._used(response, str(asked.get("model")))
        try:
            await self._add(user, used)
        except PluginError as error:
            self.context.logger.error("what user %s used was not added: %s: %s", user.get("id"), used, error)
        return response

    async def on_unfinished(self, response: dict[str, Any]) -> None:
        """What an answer took that was cancelled or failed half way is added as well."""
        await self.after_response(response)

    @method(idempotent=True)
    async def usage(self) -> dict[str, Any]:
        """What the calling user has used in this period, and what is left."""
        user = self.context.user
        if user is None:
            raise Refused("Only a user has a budget.", status=403)
        period = self._period()
        used = await self._ledger.used(period.key, str(user["id"]))
        return _shown(period) | _card(used, limits_of(self.config, str(user.get("username"))))

    @method(idempotent=True)
    async def report(self) -> dict[str, Any]:
        """What everybody has used in this period; only for operators."""
        if not (self.context.user or {}).get("is_operator"):
            raise Refused("Only operators see what others use.", status=403)
        period = self._period()
        found = await self._ledger.everybody(period.key)
        names = await self._ledger.names(found)
        users = [
            {"user_id": whom, "username": names[whom], **_card(used, limits_of(self.config, names[whom]))}
            for whom, used in found.items()
        ]
        users.sort(key=lambda one: (-one["usd"]["used"], -one["tokens"]["used"], one["user_id"]))
        in_all = _card(await self._ledger.used(period.key, EVERYBODY), limits_of(self.config, None))
        return _shown(period) | {"in_all": in_all, "users": users}

    def _period(self) -> Period:
        return period_at(datetime.now(UTC), self.get_config("period", "month"), self._zone)

    def _budgets(self, user: dict[str, Any]) -> list[tuple[str, Limits]]:
        """Whose budgets a request is on: the user's and everybody's. What the studio asks itself has no user."""
        own = [(str(user["id"]), limits_of(self.config, str(user.get("username"))))] if user else []
        return [*own, (EVERYBODY, limits_of(self.config, None))]

    async def _check(self, whom: str, limits: Limits, period: Period, asked: int) -> None:
        if limits == Limits(None, None):
            return
        used = await self._ledger.used(period.key, whom)
        for unit in UNITS:
            limit = limits.of(unit)
            needed = asked if unit == "tokens" else 1
            if limit is not None and limit - used[unit] < max(1, needed):
                raise _refusal(whom, unit, limit, used[unit], period, self.get_config("period", "month"))

    def _used(self, response: dict[str, Any], model: str) -> dict[str, int]:
        cost = response.get("cost")
        if cost is None:
            cost = cost_by_prices(self.config, model, response.get("usage") or {})
        prompt = self._prompts.pop(str(response.get("id")), 0)
        return {"tokens": tokens_of(response, prompt), "money": round(cost * MICRO)}

    def _remember(self, request_id: str, prompt: int) -> None:
        """How long the prompt was, for providers that do not say how many tokens they have counted."""
        self._prompts[request_id] = prompt
        while len(self._prompts) > _REMEMBERED:  # of requests that reached no provider
            self._prompts.popitem(last=False)

    async def _add(self, user: dict[str, Any], used: dict[str, int]) -> None:
        period = self._period()
        await self._ledger.tidy(period.key, self._before(period).key)
        if user:
            await self._ledger.name(str(user["id"]), str(user.get("username")))
        for whom, limits in self._budgets(user):
            for unit in UNITS:
                if used[unit]:
                    total = await self._ledger.add(period.key, whom, unit, used[unit])
                    await self._tell(user, whom, unit, limits.of(unit), total, used[unit])

    def _before(self, period: Period) -> Period:
        return period_at(period.start - timedelta(hours=12), self.get_config("period", "month"), self._zone)

    async def _tell(
        self, user: dict[str, Any], whom: str, unit: str, limit: int | None, total: float, added: float
    ) -> None:
        """Publish that a threshold was passed: by whoever's addition passed it, so only once."""
        if limit is None:
            return
        part = self.get_config("warn_at", 0.8)
        for event, threshold in (("exhausted", float(limit)), ("warning", limit * part if part else math.inf)):
            if total - added < threshold <= total:
                about = {"user": user.get("username") if whom != EVERYBODY else None, "unit": _unit(unit)}
                numbers = {"used": _amount(unit, total), "limit": _amount(unit, limit)}
                await self.context.emit(event, about | numbers)
                return


def _no_zone(name: Any) -> ConfigError:
    text = f"{name!r} is no time zone; write one such as Europe/Berlin, or UTC"
    return ConfigError(text, [{"pointer": "/timezone", "message": text}])


def _unit(unit: str) -> str:
    return "tokens" if unit == "tokens" else "usd"


def _amount(unit: str, value: float) -> float:
    return int(value) if unit == "tokens" else round(value / MICRO, 6)


def _shown(period: Period) -> dict[str, Any]:
    return {"period": {"start": period.start.isoformat(), "end": period.end.isoformat()}}


def _card(used: dict[str, float], limits: Limits) -> dict[str, Any]:
    card = {}
    for unit in UNITS:
        limit = limits.of(unit)
        left = None if limit is None else _amount(unit, max(0, limit - used[unit]))
        most = None if limit is None else _amount(unit, limit)
        card[_unit(unit)] = {"used": _amount(unit, used[unit]), "limit": most, "left": left}
    return card


def _refusal(whom: str, unit: str, limit: float, used: float, period: Period, length: str) -> Refused:
    owner = "Everybody's budget" if whom == EVERYBODY else "Your budget"
    left = max(0, limit - used)
    state = "is used up" if left <= 0 else "is nearly used up, and this request needs more than is left"
    numbers = f"{_words(unit, used)} of {_words(unit, limit)} used, {_words(unit, left)} left"
    again = f"It begins anew on {period.end:%Y-%m-%d at %H:%M} {period.end.tzname()}."
    return Refused(
        f"{owner} for this {length} {state}: {numbers}. {again}",
        status=429 if unit == "tokens" else 402,
        retry_after=period.seconds_left(datetime.now(UTC)),
        code="budget_exceeded",
    )


def _words(unit: str, value: float) -> str:
    return f"{value:,.0f} tokens" if unit == "tokens" else f"${value / MICRO:,.2f}"
