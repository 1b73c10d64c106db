"""The events of running answers in Redis, so that every web process can resume and cancel every answer.

Redis only ever makes this better: without it an answer still streams to whoever asked, its end is stored, and a
cancellation is seen through the database a few seconds later. So its failures are logged and end nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

__all__ = ["Relay", "RelayedEvent"]

_log = logging.getLogger(__name__)
_CANCELS = "studio:chat:cancel"
_DECISIONS = "studio:chat:approval"
_KEEP_RUNNING_S = 3600
_KEEP_ENDED_S = 600
_RETRY_S = 1.0
#: How long Redis may take for what nobody waits for, and for what it may block on (`read` asks for five seconds).
_PATIENCE_S, _LONGEST_S = 2.0, 10.0
_FAILURES = (RedisError, OSError)


@dataclass(frozen=True, slots=True)
class RelayedEvent:
    """One event as it goes to browsers. `last` is set on the one after which nothing comes."""

    number: int
    sse: bytes
    last: bool


class Relay:
    """This process's connections to Redis for chats. One per event loop."""

    def __init__(self, url: str) -> None:
        again = Retry(NoBackoff(), 1)  # at once, for a server that was restarted
        self._redis: Redis = Redis.from_url(
            url, socket_timeout=_LONGEST_S, socket_connect_timeout=_PATIENCE_S, retry=again
        )
        self._listener: asyncio.Task[None] | None = None

    async def publish(self, message_id: str, events: Sequence[RelayedEvent]) -> bool:
        """Append events to an answer's stream; False when Redis could not take them."""
        key = _key(message_id)
        try:
            async with self._redis.pipeline(transaction=False) as pipeline:
                for event in events:
                    fields: dict[Any, Any] = {b"sse": event.sse} | ({b"last": b"1"} if event.last else {})
                    pipeline.xadd(key, fields, id=f"{event.number}-0")
                pipeline.expire(key, _KEEP_ENDED_S if events[-1].last else _KEEP_RUNNING_S)
                async with asyncio.timeout(_PATIENCE_S):
                    await pipeline.execute()
        except _FAILURES as error:
            _log.warning("the answer %s cannot be resumed from other processes: %s", message_id, error)
            return False
        return True

    async def read(self, message_id: str, after: int, wait_s: float) -> list[RelayedEvent]:
        """The events after number `after`, at once or as soon as there are some; none when time is up."""
        try:
            found: Any = await self._redis.xread({_key(message_id): f"{after}-0"}, block=int(wait_s * 1000))
        except _FAILURES as error:
            _log.warning("the answer %s cannot be read: %s", message_id, error)
            await asyncio.sleep(min(wait_s, _RETRY_S))
            return []
        return [_event(entry, fields) for _, entries in found for entry, fields in entries]

    async def is_over_after(self, message_id: str, number: int) -> bool:
        """Whether this answer's last event is known, and none comes after that number."""
        try:
            async with asyncio.timeout(_PATIENCE_S):
                found: Any = await self._redis.xrevrange(_key(message_id), count=1)
        except _FAILURES:
            return False
        last = _event(*found[0]) if found else None
        return last is not None and last.last and last.number <= number

    async def knows(self, message_id: str) -> bool:
        """Whether the events of this answer are there."""
        try:
            async with asyncio.timeout(_PATIENCE_S):
                return bool(await self._redis.exists(_key(message_id)))
        except _FAILURES:
            return False

    async def cancel(self, message_id: str) -> None:
        """Hint to the process that writes this answer that nobody wants it any more."""
        await self._hint(_CANCELS, message_id)

    async def decided(self, message_id: str) -> None:
        """Hint to the process that writes this answer that the user has decided about a tool."""
        await self._hint(_DECISIONS, message_id)

    async def _hint(self, channel: str, message_id: str) -> None:
        with contextlib.suppress(*_FAILURES):  # the request is in the database: the hint only makes it faster
            async with asyncio.timeout(_PATIENCE_S):
                await self._redis.publish(channel, message_id)

    def listen(self, on_cancel: Callable[[str], object], on_decision: Callable[[str], object]) -> None:
        """From now on tell of cancellations and decisions. Doing it twice changes nothing."""
        if self._listener is None or self._listener.done():
            heard = {_CANCELS.encode(): on_cancel, _DECISIONS.encode(): on_decision}
            self._listener = asyncio.create_task(self._listen(heard), name="chat cancellations")

    async def _listen(self, heard: Mapping[bytes, Callable[[str], object]]) -> None:
        while True:
            try:
                async with self._redis.pubsub(ignore_subscribe_messages=True) as channel:
                    await channel.subscribe(*heard)
                    async for message in channel.listen():
                        heard[message["channel"]](message["data"].decode())
            except _FAILURES as error:
                _log.debug("cancellations and decisions come through the database for now: %s", error)
            await asyncio.sleep(_RETRY_S)

    async def close(self) -> None:
        """Give the connections back."""
        if self._listener is not None:
            self._listener.cancel()
            await asyncio.gather(self._listener, return_exceptions=True)
        with contextlib.suppress(*_FAILURES):
            await self._redis.aclose()


def _key(message_id: str) -> str:
    return f"studio:chat:{message_id}"


def _event(entry: bytes, fields: dict[bytes, bytes]) -> RelayedEvent:
    return RelayedEvent(int(entry.split(b"-")[0]), fields[b"sse"], b"last" in fields)
