"""Talks ASGI to the chat routes, in process, and reads server-sent events."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson

from aichat.asgi import application

__all__ = ["Answer", "ChatClient", "Event", "parse_events"]


@dataclass(frozen=True)
class Event:
    """One server-sent event."""

    id: str
    name: str
    data: dict[str, Any]


def parse_events(text: str) -> list[Event]:
    """All events of a text; comments are left out."""
    found = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if line and not line.startswith(":"))
        if fields:
            found.append(Event(fields["id"], fields["event"], json.loads(fields["data"])))
    return found


@dataclass
class Answer:
    """An HTTP answer, growing while it streams."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    done: bool = False
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def json(self) -> Any:
        return orjson.loads(self.body)

    @property
    def events(self) -> list[Event]:
        return parse_events(self.body.decode())

    @property
    def names(self) -> list[str]:
        return [event.name for event in self.events]

    def of(self, name: str) -> dict[str, Any]:
        return next(event.data for event in self.events if event.name == name)

    @property
    def text(self) -> str:
        return "".join(event.data["content"] for event in self.events if event.name == "delta")

    async def until(self, name: str) -> None:
        """Wait until an event of this name has come."""
        async with asyncio.timeout(10):
            while name not in self.names:
                self.changed.clear()
                await self.changed.wait()


class ChatClient:
    """Sends requests as whoever has these headers."""

    def __init__(self, **headers: str) -> None:
        self.headers = {"host": "localhost"} | {name.replace("_", "-"): value for name, value in headers.items()}

    async def request(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """The whole answer."""
        async with self.open(method, path, body, **headers) as answer, asyncio.timeout(20):
            while not answer.done:
                answer.changed.clear()
                await answer.changed.wait()
            return answer

    async def post(self, path: str, body: Any = None, **headers: str) -> Answer:
        return await self.request("POST", path, body, **headers)

    async def get(self, path: str, **headers: str) -> Answer:
        return await self.request("GET", path, **headers)

    @asynccontextmanager
    async def open(self, method: str, path: str, body: Any = None, **headers: str) -> AsyncGenerator[Answer, None]:
        """An answer that is still coming; leaving the block is the client going away."""
        raw = body if isinstance(body, bytes) else b"" if body is None else orjson.dumps(body)
        answer, gone = Answer(), asyncio.Event()
        task = asyncio.create_task(_serve(self._scope(method, path, raw, headers), raw, answer, gone))
        try:
            yield answer
        finally:
            gone.set()
            await task

    def _scope(self, method: str, path: str, raw: bytes, headers: dict[str, str]) -> dict[str, Any]:
        merged = self.headers | {name.replace("_", "-"): value for name, value in headers.items()}
        merged |= {"content-type": "application/json"} if raw and "content-type" not in merged else {}
        return {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path.partition("?")[0],
            "raw_path": path.partition("?")[0].encode(),
            "query_string": path.partition("?")[2].encode(),
            "root_path": "",
            "headers": [(name.encode(), value.encode()) for name, value in merged.items() if value],
            "client": ("127.0.0.1", 50000),
            "server": ("localhost", 8000),
        }


async def _serve(scope: dict[str, Any], raw: bytes, answer: Answer, gone: asyncio.Event) -> None:
    asked = False

    async def receive() -> dict[str, Any]:
        nonlocal asked
        if not asked:
            asked = True
            return {"type": "http.request", "body": raw, "more_body": False}
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            answer.status = message["status"]
            answer.headers = {name.decode(): value.decode() for name, value in message["headers"]}
        else:
            answer.body += message.get("body", b"")
            answer.done = not message.get("more_body", False)
        answer.changed.set()

    try:
        await application(scope, receive, send)
    finally:
        answer.done = True
        answer.changed.set()
