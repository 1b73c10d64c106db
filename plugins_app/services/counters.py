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
#: How many counters of one plugin may be under way: a name for each user is fine, one for each request is a leak.
_MOST = 100_000
_AWAY = (RedisError, OSError)
#: After a failure nobody waits for Redis for so long: one that hangs would cost every request its time limit.
_SILENT_S = 1.0
# The windows go by the clock of Redis: the studio's machines need not agree on the time. The second key lists a
# plugin's counters by when they end; each new one takes a few away that have ended.
_SCRIPT = """
local now = redis.call('TIME')
local ms, window = now[1] * 1000 + math.floor(now[2] / 1000), tonumber(ARGV[2])
local key = KEYS[1] .. ':' .. math.floor(ms / window)
local left = window - ms % window
if tonumber(ARGV[1]) == 0 then return {redis.call('GET', key) or '0', left} end
if redis.call('EXISTS', key) == 0 then
  local ended = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', ms, 'LIMIT', 0, 10)
  if #ended > 0 then redis.call('ZREM', KEYS[2], unpack(ended)) end
  if redis.call('ZCARD', KEYS[2]) >= tonumber(ARGV[3]) then return {} end
  redis.call('ZADD', KEYS[2], ms + left, key)
  if redis.call('PTTL', KEYS[2]) < left + 1000 then redis.call('PEXPIRE', KEYS[2], left + 1000) end
end
local total = redis.call('INCRBYFLOAT', key, ARGV[1])
redis.call('PEXPIRE', key, left + 1000)
return {total, left}
"""


def counter_add(*, plugin_id: str, name: Any, amount: Any, window_s: Any) -> dict[str, Any]:
    """Count, blocking: ``{"total", "resets_in"}``.

    Raises:
        StudioError: `arguments_invalid`, `counter_quota` when the plugin has too many counters, or `not_ready`.
    """
    keys, arguments = _checked(plugin_id, name, amount, window_s)
    _expect_redis()
    try:
        return _count(redis_client().eval(_SCRIPT, len(keys), *keys, *arguments))
    except _AWAY as error:
        raise _away() from error


async def counter_add_async(*, plugin_id: str, name: Any, amount: Any, window_s: Any) -> dict[str, Any]:
    """The same on an event loop, without a thread."""
    keys, arguments = _checked(plugin_id, name, amount, window_s)
    _expect_redis()
    try:
        return _count(await runtime.async_redis().eval(_SCRIPT, len(keys), *keys, *arguments))
    except _AWAY as error:
        raise _away() from error


def _checked(plugin_id: str, name: Any, amount: Any, window_s: Any) -> tuple[tuple[str, str], tuple[str, int, int]]:
    """The keys in Redis, and the script's arguments."""
    if not isinstance(name, str) or not 0 < len(name) <= _NAME_LIMIT:
        raise StudioError("arguments_invalid", f"A counter's name has 1 to {_NAME_LIMIT} characters.")
    if not _is_number(amount) or abs(amount) > _LARGEST:
        raise StudioError("arguments_invalid", f"Only a number can be counted, of at most {_LARGEST}.")
    if not _is_number(window_s) or not 1 <= window_s <= _LONGEST_S:
        raise StudioError("arguments_invalid", f"A counter's window has 1 to {_LONGEST_S} seconds.")
    window = round(window_s * 1000)
    keys = f"studio:counter:{plugin_id}:{window}:{name}", f"studio:counters:{plugin_id}"
    return keys, (format(amount, ".17g"), window, _MOST)


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
    if not answer:
        detail = f"A plugin may have {_MOST:,} counters at a time, and has as many: new names wait until windows end."
        raise StudioError("counter_quota", detail, hint="Count by user or model, not by what is new each time.")
    total = float(answer[0])
    return {"total": int(total) if total.is_integer() else total, "resets_in": answer[1] / 1000}
