"""The upstream that answers at once: OpenAI's format by a raw asyncio protocol. `python -m ... PORT`.

Three models: `plain` (a short answer), `burst` (50 chunks in one write), `paced` (50 chunks, 20 ms apart). Fifty chunks
only where a stream is asked for.
"""

from __future__ import annotations

import asyncio
import json
import sys
from functools import cache
from typing import cast

import uvloop

CHUNKS, PAUSE_S = 50, 0.02
_END = b"\r\n\r\n"
_USAGE = {"prompt_tokens": 10, "completion_tokens": CHUNKS, "total_tokens": 10 + CHUNKS}


def _chunk(delta: dict[str, str], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    data = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "mock", "choices": [choice]}
    return b"data: %b\n\n" % json.dumps(data, separators=(",", ":")).encode()


def _http_chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _whole(data: bytes) -> bytes:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(data)
    return head + data


_STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
_PIECES = [_chunk({"content": f"word{number} "}) for number in range(CHUNKS)]
_LAST = (
    _chunk({}, "stop")
    + b"data: %b\n\n" % json.dumps({"id": "chatcmpl-1", "choices": [], "usage": _USAGE}).encode()
    + b"data: [DONE]\n\n"
)


@cache
def _answer(model: str, is_stream: bool) -> bytes:
    if is_stream:
        pieces = _PIECES if model == "burst" else _PIECES[:1]
        return _STREAM_HEAD + _http_chunk(b"".join(pieces) + _LAST) + b"0" + _END
    message = {"role": "assistant", "content": "word0 "}
    choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
    body = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "mock", "choices": choices}
    return _whole(json.dumps(body | {"usage": _USAGE}).encode())


_MODELS = _whole(
    json.dumps({"object": "list", "data": [{"id": name} for name in ("plain", "burst", "paced")]}).encode()
)


class _Upstream(asyncio.Protocol):
    def __init__(self) -> None:
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        received = self._received = self._received + data
        while (end := received.find(_END)) >= 0:
            head = received[:end].lower()
            size = _length(head)
            if len(received) < end + 4 + size:
                break
            self._answer(head, received[end + 4 : end + 4 + size])
            received = received[end + 4 + size :]
        self._received = received

    def _answer(self, head: bytes, body: bytes) -> None:
        if head.startswith(b"get"):
            self._transport.write(_MODELS)
            return
        is_stream = b'"stream":true' in body or b'"stream": true' in body
        if is_stream and b"paced" in body:
            self._transport.write(_STREAM_HEAD)
            self._pace(0)
        else:
            self._transport.write(_answer("burst" if b"burst" in body else "plain", is_stream))

    def _pace(self, number: int) -> None:
        if self._transport.is_closing():
            return
        if number == CHUNKS:
            self._transport.write(_http_chunk(_LAST) + b"0" + _END)
            return
        self._transport.write(_http_chunk(_PIECES[number]))
        asyncio.get_running_loop().call_later(PAUSE_S, self._pace, number + 1)


def _length(head: bytes) -> int:
    at = head.find(b"content-length:")
    return int(head[at + 15 :].split(b"\r", 1)[0]) if at >= 0 else 0


async def _serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(_Upstream, "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1])))
