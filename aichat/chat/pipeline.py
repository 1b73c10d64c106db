"""From a request to an answer: calls of the provider, with tools between them. Pure asyncio over `plan.Plugins`.

No database, no HTTP, no Django: what happens is told to `emit` as it happens, and is left in the `Pipeline` for whoever
stores it, also when it ends badly.
"""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import replace
from typing import Any

from aichat.chat.afterwards import Afterwards
from aichat.chat.costs import add_cost
from aichat.chat.errors import ChatError
from aichat.chat.exchange import Exchange
from aichat.chat.parts import Collected, add_usage, read_delta
from aichat.chat.plan import ChatRequest, Emit, Plan, Plugins
from aichat.chat.tools import Approve, ToolRunner, tool_calls_of

__all__ = ["MAX_TOOL_ROUNDS", "Pipeline"]

MAX_TOOL_ROUNDS = 8


class Pipeline:
    """One answer. `run` it once.

    `transcript` holds the rounds of tool calls that are over: an assistant message and all of its tools' results at a
    time, so that it can be sent to a provider again however the answer ended. `usage` and `cost` are those of all
    rounds together.
    """

    def __init__(
        self,
        plan: Plan,
        plugins: Plugins,
        emit: Emit,
        *,
        answer_id: str,
        afterwards: Afterwards | None = None,
        approve: Approve | None = None,
    ) -> None:
        """`answer_id` begins every chunk's and response's id; `approve` decides about destructive tools."""
        self._plan = plan
        self._plugins = plugins
        self._emit = emit
        self._answer_id = answer_id
        self._afterwards = afterwards or Afterwards()
        self._tools = ToolRunner(plan.tools, plugins, emit, approve)
        self._round = Collected()
        self.transcript: list[dict[str, Any]] = []
        self.usage: dict[str, Any] | None = None
        self.cost: float | None = None
        self.first_token_ms: float | None = None
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
            ChatError: a middleware that refuses or must not fail, the provider, or the tool loop's limit.
        """
        for number in range(MAX_TOOL_ROUNDS + 1):
            exchange = await self._ask(self._request(request, number))
            message = _message_of(exchange)
            calls = tool_calls_of(message, self._used_ids()) if self._plan.tools else []
            if not calls:
                return self._finished(exchange)
            if number < MAX_TOOL_ROUNDS:
                await self._use_tools(exchange, message, calls)
        raise ChatError("tool_rounds_exceeded", f"The model still asked for tools after {MAX_TOOL_ROUNDS} rounds.")

    def _used_ids(self) -> set[str]:
        return {message["tool_call_id"] for message in self.transcript if message["role"] == "tool"}

    def _request(self, request: ChatRequest, number: int) -> ChatRequest:
        """The request of one round: what was really said, whatever middlewares made of the rounds before."""
        unwanted = () if number < MAX_TOOL_ROUNDS else ("tools", "tool_choice", "parallel_tool_calls")
        params = {name: value for name, value in request.params.items() if name not in unwanted}
        if number and params.get("tool_choice") not in (None, "auto", "none"):
            del params["tool_choice"]  # a call that was demanded has been made: what is wanted now is an answer
        messages = [*request.messages, *map(_for_provider, self.transcript)]
        request_id = f"{self._answer_id}:{number}" if number else self._answer_id
        return replace(request, messages=messages, params=params, request_id=request_id, round=number)

    async def _ask(self, request: ChatRequest) -> Exchange:
        exchange = Exchange(self._plan, self._plugins, request, self._afterwards)
        self._round = exchange.so_far
        try:
            async with aclosing(exchange.batches()) as batches:
                async for batch in batches:
                    for chunk in batch:
                        self._show(chunk)
        finally:
            self.generation = exchange.generation or self.generation
            self.usage = add_usage(self.usage, exchange.usage)
            self.cost = add_cost(self.cost, exchange.cost)
            if self.first_token_ms is None:
                self.first_token_ms = exchange.first_token_ms
        return exchange

    def _show(self, chunk: dict[str, Any]) -> None:
        choices = chunk.get("choices")
        delta = read_delta(choices[0]) if choices else None
        if delta and delta.reasoning:
            self._emit("reasoning", {"content": delta.reasoning})
        if delta and delta.content:
            self._emit("delta", {"content": delta.content})

    async def _use_tools(self, exchange: Exchange, message: dict[str, Any], calls: list[dict[str, Any]]) -> None:
        offered = frozenset(tool["function"]["name"] for tool in exchange.request.params.get("tools") or ())
        results = await self._tools.run(calls, offered)
        self.transcript += [message | {"tool_calls": calls}, *results]

    def _finished(self, exchange: Exchange) -> dict[str, Any]:
        assert exchange.response is not None  # its batches have been read to the end
        content = _message_of(exchange).get("content")
        self.final_content = content if isinstance(content, str) else ""
        return exchange.response | {"usage": self.usage}


def _message_of(exchange: Exchange) -> dict[str, Any]:
    assert exchange.response is not None  # as above
    message: dict[str, Any] = exchange.response["choices"][0]["message"]
    return {"role": "assistant", "content": "", **message}


def _for_provider(message: dict[str, Any]) -> dict[str, Any]:
    """A provider's own reasoning is not sent back to it: most refuse the field."""
    return {name: value for name, value in message.items() if name != "reasoning_content"}
