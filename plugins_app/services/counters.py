"""What plugins count through `context.counters`: in Redis, in windows of a fixed length, alike for all processes."""

from __future__ import annotations

import math
from typing import Any

from redis.exceptions import RedisError

from plugins_app import runtime

from .errors import StudioError
from .hints import redis_client, redis_health

__all__ = ["counter_add", "counter_add_async"]

_NAME_LIMIT = 255
_LONGEST_S = 31 * 86_400
_LARGEST = 2**53
_AWAY = (RedisError, OSError)
#: After a failure nobody waits for Redis for so long: one that hangs would cost every request its time limit.
_SILENT_S = 1.0
# The windows go by the clock of Redis: the studio's machines need not agree on the time.
_SCRIPT = """
local now = redis.call('TIME')
local ms, window = now[1] * 1000 + math.floor(now[2] / 1000), tonumber(ARGV[2])
local key = KEYS[1] .. ':' .. math.floor(ms / window)
local left = window - ms % window
if tonumber(ARGV[1]) == 0 then return {redis.call('GET', key) or '0', left} end
local total = redis.call('INCRBYFLOAT', key, ARGV[1])
redis.call('PEXPIRE', key, left + 1000)
return {total, left}
"""


def counter_add(*, plugin_id: str, name: Any, amount: Any, window_s: Any) -> dict[str, Any]:
    """Count, blocking: ``{"total", "resets_in"}``. Raises StudioError: `arguments_invalid`, or `not_ready`."""
    key, arguments = _checked(plugin_id, name, amount, window_s)
    _expect_redis()
    try:
        return _count(redis_client().eval(_SCRIPT, 1, key, *arguments))
    except _AWAY as error:
        raise _away() from error


async def counter_add_async(*, plugin_id: str, name: Any, amount: Any, window_s: Any) -> dict[str, Any]:
    """The same on an event loop, without a thread."""
    key, arguments = _checked(plugin_id, name, amount, window_s)
    _expect_redis()
    try:
        return _count(await runtime.async_redis().eval(_SCRIPT, 1, key, *arguments))
    except _AWAY as error:
        raise _away() from error


def _checked(plugin_id: str, name: Any, amount: Any, window_s: Any) -> tuple[str, tuple[str, int]]:
    """The key in Redis, and the script's arguments."""
    if not isinstance(name, str) or not 0 < len(name) <= _NAME_LIMIT:
        raise StudioError("arguments_invalid", f"A counter's name has 1 to {_NAME_LIMIT} characters.")
    if not _is_number(amount) or abs(amount) > _LARGEST:
        raise StudioError("arguments_invalid", f"Only a number can be counted, of at most {_LARGEST}.")
    if not _is_number(window_s) or not 1 <= window_s <= _LONGEST_S:
        raise StudioError("arguments_invalid", f"A counter's window has 1 to {_LONGEST_S} seconds.")
    window = round(window_s * 1000)
    return f"studio:counter:{plugin_id}:{window}:{name}", (format(amount, ".17g"), window)


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


def _expect_redis() -> None:
    if redis_health().failed_within(_SILENT_S):
        raise _error()


def _away() -> StudioError:
    redis_health().failed()
    return _error()


def _error() -> StudioError:
    return StudioError("not_ready", "Redis, which keeps the counters, does not answer.", retry_after=_SILENT_S)


def _count(answer: Any) -> dict[str, Any]:
    total = float(answer[0])
    return {"total": int(total) if total.is_integer() else total, "resets_in": answer[1] / 1000}
