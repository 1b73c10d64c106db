"""A running answer: what it has said so far, for everyone who listens."""

from __future__ import annotations

import asyncio
import re
import uuid
from collections.abc import AsyncGenerator
from typing import Any

from aichat.chat.relay import RelayedEvent
from aichat.chat.values import as_json

__all__ = ["LAST_EVENTS", "PING", "LiveAnswer", "encode_event", "parse_event_id"]

#: After one of these nothing comes.
LAST_EVENTS = frozenset({"message.end", "error"})
PING = b": ping\n\n"
_PING_EVERY_S = 15.0
_NUMBER = re.compile(r"[0-9]{1,9}")


def encode_event(message_id: str, number: int, name: str, data: dict[str, Any]) -> bytes:
    """One server-sent event."""
    return b"id: %b:%d\nevent: %b\ndata: %b\n\n" % (message_id.encode(), number, name.encode(), as_json(data))


def parse_event_id(text: str) -> tuple[str | None, int]:
    """The message and the number in a `Last-Event-ID`; what is not one means: from the start."""
    message_id, _, number = text.strip().rpartition(":")
    try:
        found = str(uuid.UUID(message_id))
    except ValueError:
        return None, 0
    return (found, int(number)) if _NUMBER.fullmatch(number) else (None, 0)


class LiveAnswer:
    """Events are numbered from 1 and kept until the answer is forgotten, so that a reader can come late or again."""

    def __init__(self, message_id: str, conversation_id: str) -> None:
        self.message_id = message_id
        self.conversation_id = conversation_id
        self.ended = False
        self._events: list[RelayedEvent] = []
        self._changed = asyncio.Event()

    def emit(self, name: str, data: dict[str, Any]) -> None:
        """Say something to all who listen. After the last event nothing is said any more."""
        if self.ended:
            return
        number = len(self._events) + 1
        self.ended = name in LAST_EVENTS
        self._events.append(RelayedEvent(number, encode_event(self.message_id, number, name, data), self.ended))
        self._changed.set()
        self._changed = asyncio.Event()

    def is_over_after(self, number: int) -> bool:
        """Whether nothing comes after this event, now or later."""
        return self.ended and number >= len(self._events)

    async def batches(self, after: int = 0) -> AsyncGenerator[list[RelayedEvent], None]:
        """The events after number `after`, as many at a time as there are; empty when there was none for a while."""
        while True:
            changed = self._changed
            if after < len(self._events):
                batch = self._events[after:]
                after = len(self._events)
                yield batch
            elif self.ended:
                return
            else:
                try:
                    async with asyncio.timeout(_PING_EVERY_S):
                        await changed.wait()
                except TimeoutError:
                    yield []

    async def follow(self, after: int = 0) -> AsyncGenerator[bytes, None]:
        """The same as bytes for a browser, with pings while nothing is said."""
        async for batch in self.batches(after):
            yield b"".join(event.sse for event in batch) or PING
