"""A server that speaks OpenAI's wire format, and fails as told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

__all__ = ["Answer", "Server", "chunk", "event", "served", "words"]

Answer = Callable[["Server", web.Request, dict[str, Any]], Awaitable[web.StreamResponse]]


def chunk(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}


def event(data: object) -> bytes:
    return b"data: " + (data if isinstance(data, bytes) else json.dumps(data).encode()) + b"\n\n"


class Server:
    """What was asked of it, and what it answers: each of `answers` once, then `words("Hello", " world")`."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.gone = asyncio.Event()
        self.url = ""
        self.connections = 0
        self.models: web.Response | object = {"object": "list", "data": [{"id": "m"}, {"id": "text-embedding-3"}]}
        self.models_asked = 0

    async def chat(self, request: web.Request) -> web.StreamResponse:
        self._note(request, await request.json())
        answer = self.answers.pop(0) if self.answers else words("Hello", " world")
        return await answer(self, request, self.bodies[-1])

    async def list_models(self, request: web.Request) -> web.StreamResponse:
        self.models_asked += 1
        return self.models if isinstance(self.models, web.Response) else web.json_response(self.models)

    async def embed(self, request: web.Request) -> web.StreamResponse:
        self._note(request, body := await request.json())
        rows = [{"index": i, "embedding": [float(len(text))]} for i, text in enumerate(body["input"])]
        return web.json_response({"data": rows[::-1], "usage": {"prompt_tokens": 2, "total_tokens": 2}})

    def _note(self, request: web.Request, body: dict[str, Any]) -> None:
        self.bodies.append(body)
        self.headers.append(dict(request.headers))


def words(*texts: str) -> Answer:
    """A good answer, streamed in one write if a stream is asked for."""

    async def answer(server: Server, request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        usage = {"prompt_tokens": 3, "completion_tokens": len(texts), "total_tokens": 3 + len(texts)}
        if not body.get("stream"):
            message = {"role": "assistant", "content": "".join(texts)}
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            return web.json_response({"id": "c1", "object": "chat.completion", "choices": [choice], "usage": usage})
        chunks: list[object] = [chunk({"content": text}) for text in texts]
        chunks += [chunk({}, "stop"), {"id": "c1", "choices": [], "usage": usage}, b"[DONE]"]
        return await streamed(request, *map(event, chunks))

    return answer


async def streamed(request: web.Request, *pieces: bytes) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    await response.write(b"".join(pieces))
    await response.write_eof()
    return response


@asynccontextmanager
async def served(*answers: Answer) -> AsyncIterator[Server]:
    server = Server(*answers)
    app = web.Application()
    app.router.add_post("/v1/chat/completions", server.chat)
    app.router.add_post("/v1/embeddings", server.embed)
    app.router.add_get("/v1/models", server.list_models)
    async with TestServer(app) as running:
        server.url = str(running.make_url("/v1"))
        yield server
