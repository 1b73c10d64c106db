"""The load: as many callers as wanted, each on a connection of its own, one request after the other.

A process by itself, on the core of the upstream: it takes a round as one line of JSON and answers with one line.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from dataclasses import asdict, dataclass, field
from typing import Any, cast

import uvloop

__all__ = ["Outcome", "Round"]

_END = b"\r\n\r\n"


@dataclass(frozen=True)
class Round:
    """What to ask, how many at once, for how long."""

    port: int
    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    callers: int
    seconds: float

    def request(self) -> bytes:
        """The bytes of one request."""
        body = json.dumps(self.body).encode()
        lines = [f"POST {self.path} HTTP/1.1", "host: 127.0.0.1", "content-type: application/json"]
        lines += [f"content-length: {len(body)}", *(f"{name}: {value}" for name, value in self.headers.items())]
        return "\r\n".join(lines).encode() + _END + body


@dataclass
class Outcome:
    """What came of a round. Times in seconds; `gaps` are the pauses between two pieces of a stream."""

    samples: list[float] = field(default_factory=list)
    first: list[float] = field(default_factory=list)
    gaps: list[float] = field(default_factory=list)
    failed: int = 0
    failure: str = ""
    elapsed: float = 0.0


class _Caller(asyncio.Protocol):
    def __init__(self, request: bytes, until: float, outcome: Outcome) -> None:
        self._request, self._until, self._outcome = request, until, outcome
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._received = bytearray()
        self._body_at = self._length = -1
        self._begun = self._last = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._ask()

    def _ask(self) -> None:
        self._received.clear()
        self._body_at = self._length = -1
        self._begun = time.perf_counter()
        self._last = 0.0
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        received, now = self._received, time.perf_counter()
        received += data
        if self._body_at < 0:
            if (end := received.find(_END)) < 0:
                return
            self._body_at = end + 4
            head = bytes(received[:end]).lower()
            at = head.find(b"content-length:")
            self._length = int(head[at + 15 :].split(b"\r", 1)[0]) if at >= 0 else -1
            if b" 200 " not in head[:20]:
                self._fail(bytes(received[:600]))
                return
        if len(received) > self._body_at:
            if self._last:
                self._outcome.gaps.append(now - self._last)
            else:
                self._outcome.first.append(now - self._begun)
            self._last = now
        if self._is_whole():
            self._outcome.samples.append(now - self._begun)
            self._again(now)

    def _is_whole(self) -> bool:
        if self._length >= 0:
            return len(self._received) >= self._body_at + self._length
        return self._received.endswith(b"0" + _END)

    def _again(self, now: float) -> None:
        if b"word0" not in self._received or (self._length < 0 and b"[DONE]" not in self._received):
            self._fail(bytes(self._received[:600]))
        elif now < self._until:
            self._ask()
        else:
            self._end()

    def _fail(self, what: bytes) -> None:
        self._outcome.failed += 1
        self._outcome.failure = what.decode("utf-8", "replace")
        self._end()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():  # in the middle of an answer: what a client would call a failure
            self._outcome.failed += 1
            self._outcome.failure = f"the connection was closed: {exc}"
            self._end()

    def _end(self) -> None:
        if not self.done.done():
            self.done.set_result(None)
        self._transport.close()


async def _run(round_: Round) -> Outcome:
    loop, outcome, begun = asyncio.get_running_loop(), Outcome(), time.perf_counter()
    request, until = round_.request(), begun + round_.seconds

    async def caller() -> None:
        while (now := time.perf_counter()) < until:
            _, one = await loop.create_connection(lambda: _Caller(request, until, outcome), "127.0.0.1", round_.port)
            await one.done
            if time.perf_counter() - now < 0.01:
                await asyncio.sleep(0.01)  # refused at once: no hammering

    async with asyncio.timeout(round_.seconds + 30):
        await asyncio.gather(*(caller() for _ in range(round_.callers)))
    outcome.elapsed = time.perf_counter() - begun
    return outcome


def main() -> None:
    """Run rounds until nobody asks for one."""
    for line in sys.stdin:
        print(json.dumps(asdict(uvloop.run(_run(Round(**json.loads(line)))))), flush=True)


if __name__ == "__main__":
    main()
