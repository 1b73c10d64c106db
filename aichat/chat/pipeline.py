"""From a request to an answer: middlewares, provider, tools, middlewares. Pure asyncio over `plan.Plugins`.

No database, no HTTP, no Django: what happens is told to `emit` as it happens, and is left in the `Pipeline` for whoever
stores it, also when it ends badly.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any, Self

from aichat.chat.errors import ChatError
from aichat.chat.middlewares import MiddlewareChain, NoChunkHook
from aichat.chat.parts import Collected, add_usage
from aichat.chat.plan import ChatRequest, Emit, Plan, Plugins, Provider
from aichat.chat.tools import ToolRunner

__all__ = ["MAX_TOOL_ROUNDS", "Pipeline"]

MAX_TOOL_ROUNDS = 8


class Pipeline:
    """One answer. `run` it once.

    `transcript` holds the rounds of tool calls that are over: an assistant message and all of its tools' results at a
    time, so that it can be sent to a provider again however the answer ended.
    """

    def __init__(
        self,
        plan: Plan,
        plugins: Plugins,
        emit: Emit,
        *,
        answer_id: str,
        no_chunk_hook: NoChunkHook | None = None,
    ) -> None:
        """`answer_id` is in every chunk and in the response, so that a middleware can tell answers apart."""
        self._plan = plan
        self._plugins = plugins
        self._emit = emit
        self._answer_id = answer_id
        self._chain = MiddlewareChain(plan.middlewares, plugins, no_chunk_hook if no_chunk_hook is not None else set())
        self._tools = ToolRunner(plan.tools, plugins, emit)
        self._round = Collected()
        self.transcript: list[dict[str, Any]] = []
        self.usage: dict[str, Any] | None = None
        self.generation: int | None = None
        self.final_content: str | None = None

    @property
    def content(self) -> str:
        """The answer as it is now: what middlewares made of it in the end, or what was streamed so far."""
        return self._round.text if self.final_content is None else self.final_content

    @property
    def reasoning(self) -> str:
        """The reasoning that led to it."""
        return "".join(self._round.reasoning)

    @property
    def content_was_changed(self) -> bool:
        """Whether the answer is not what was streamed."""
        return self.final_content is not None and self.final_content != self._round.text

    async def run(self, request: ChatRequest) -> dict[str, Any]:
        """Answer `request`; return the response in OpenAI's shape.

        Raises:
            ChatError: a middleware that must not fail, the provider, or the tool loop's limit.
        """
        request = await self._chain.before(request)
        provider, model = self._plan.provider_of(request.model)
        for tool_rounds in range(MAX_TOOL_ROUNDS + 1):
            await self._ask(provider, model, request, with_tools=tool_rounds < MAX_TOOL_ROUNDS)
            if not self._round.calls or not self._plan.tools:
                return await self._finish(request)
            if tool_rounds < MAX_TOOL_ROUNDS:
                await self._use_tools(request)
        raise ChatError("tool_rounds_exceeded", f"The model still asked for tools after {MAX_TOOL_ROUNDS} rounds.")

    async def _ask(self, provider: Provider, model: str, request: ChatRequest, *, with_tools: bool) -> None:
        self._round = Collected()
        unwanted = () if with_tools else ("tools", "tool_choice")
        params = {name: value for name, value in request.params.items() if name not in unwanted}
        stream = self._plugins.stream(
            provider.plugin_id, "stream_completion", [request.messages, model], params, timeout=provider.timeout
        )
        async with stream, aclosing(self._chain.chunks(_Marked(aiter(stream), self._answer_id))) as chunks:
            async for chunk in chunks:
                self._show(chunk)
            self.generation = stream.generation
        self.usage = add_usage(self.usage, self._round.usage)

    def _show(self, chunk: dict[str, Any]) -> None:
        delta = self._round.add(chunk)
        if delta.reasoning:
            self._emit("reasoning", {"content": delta.reasoning})
        if delta.content:
            self._emit("delta", {"content": delta.content})

    async def _use_tools(self, request: ChatRequest) -> None:
        asked = self._round.message()
        offered = frozenset(tool["function"]["name"] for tool in request.params.get("tools", ()))
        results = await self._tools.run(asked["tool_calls"], offered)
        self.transcript += [asked, *results]
        request.messages = [*request.messages, _for_provider(asked), *results]

    async def _finish(self, request: ChatRequest) -> dict[str, Any]:
        response = await self._chain.after(self._response(request.model))
        message = response["choices"][0]["message"]
        self.final_content = message["content"] or ""
        return response

    def _response(self, model: str) -> dict[str, Any]:
        message = self._round.message()
        finish = self._round.finish_reason or ("tool_calls" if "tool_calls" in message else "stop")
        return {
            "id": self._answer_id,
            "object": "chat.completion",
            "created": int(time.time()),
            "model": model,
            "choices": [{"index": 0, "message": message, "finish_reason": finish}],
            "usage": self.usage,
        }


class _Marked:
    """Chunks with the answer's id in them. No generator: nothing is left to close when a reader stops early."""

    def __init__(self, chunks: AsyncIterator[Any], answer_id: str) -> None:
        self._chunks = chunks
        self._answer_id = answer_id

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> dict[str, Any]:
        chunk = await anext(self._chunks)
        if not isinstance(chunk, dict):
            raise ChatError("provider_invalid", f"The provider streamed {type(chunk).__name__} instead of a chunk.")
        return chunk | {"id": self._answer_id}


def _for_provider(message: dict[str, Any]) -> dict[str, Any]:
    """A provider's own reasoning is not sent back to it: most refuse the field."""
    return {name: value for name, value in message.items() if name != "reasoning_content"}
