"""Running the tools a model asks for: in parallel, each under its own time limit, errors told to the model."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Protocol

import orjson

from aichat.chat.errors import ChatError
from aichat.chat.plan import Emit, Plugins, Tool
from aichat.chat.values import as_json

__all__ = ["Approve", "ToolRunner", "result_text", "tool_calls_of"]

#: What a model gets of one result at most; more would only crowd out the conversation.
RESULT_LIMIT = 100_000
_LONGEST_ID = 150  # what is stored has room for a few more characters


class Approve(Protocol):
    """Asks the user whether a destructive tool may be used."""

    async def __call__(self, tool: Tool, call_id: str, arguments: dict[str, Any]) -> None:
        """Return when it may. Raises ChatError when not."""


class ToolRunner:
    """The tools of one answer. Without an `approve` nothing destructive is done."""

    def __init__(self, tools: Mapping[str, Tool], plugins: Plugins, emit: Emit, approve: Approve | None = None) -> None:
        self._tools = tools
        self._plugins = plugins
        self._emit = emit
        self._approve = approve

    async def run(self, calls: Sequence[dict[str, Any]], offered: frozenset[str]) -> list[dict[str, Any]]:
        """Run all calls at once; return their results as messages, in the order of the calls."""
        return list(await asyncio.gather(*(self._run_one(call, offered) for call in calls)))

    async def _run_one(self, call: dict[str, Any], offered: frozenset[str]) -> dict[str, Any]:
        call_id, name = call["id"], call["function"]["name"]
        try:
            result = await self._execute(call, offered)
            content = result_text(result)
        except ChatError as error:
            failure = {"code": error.code, "detail": error.detail}
            self._emit("tool.result", {"id": call_id, "name": name, "error": failure})
            content = result_text({"error": failure})
        else:
            shown = result if len(content) <= RESULT_LIMIT else content
            self._emit("tool.result", {"id": call_id, "name": name, "result": shown})
        return {"role": "tool", "tool_call_id": call_id, "name": name, "content": content}

    async def _execute(self, call: dict[str, Any], offered: frozenset[str]) -> Any:
        name = call["function"]["name"]
        tool = self._tools.get(name) if name in offered else None
        arguments, problem = _arguments(call["function"]["arguments"])
        self._announce(call, tool, arguments)
        if tool is None:
            raise ChatError("tool_not_found", f"There is no tool {name!r}; offered: {', '.join(sorted(offered))}")
        if arguments is None:
            raise ChatError("arguments_invalid", problem)
        if tool.destructive:
            await self._ask(tool, call["id"], arguments)
        return await self._plugins.call(
            tool.plugin_id,
            "execute",
            [tool.action, arguments],
            timeout=tool.timeout,
            on_progress=lambda fraction, message, _: self._emit(
                "tool.progress", {"id": call["id"], "fraction": fraction, "message": message}
            ),
        )

    async def _ask(self, tool: Tool, call_id: str, arguments: dict[str, Any]) -> None:
        if self._approve is None:
            raise ChatError("approval_denied", f"{tool.name} needs somebody's approval, and nobody can be asked here.")
        await self._approve(tool, call_id, arguments)

    def _announce(self, call: dict[str, Any], tool: Tool | None, arguments: dict[str, Any] | None) -> None:
        self._emit(
            "tool.call",
            {
                "id": call["id"],
                "name": call["function"]["name"],
                "plugin_id": tool.plugin_id if tool else None,
                "action": tool.action if tool else None,
                "arguments": arguments if arguments is not None else call["function"]["arguments"],
            },
        )


def tool_calls_of(message: Mapping[str, Any], taken: Collection[str] = ()) -> list[dict[str, Any]]:
    """The calls in a message, whole: each with an id of its own that is not `taken`, and arguments as text."""
    found = message.get("tool_calls")
    calls: list[dict[str, Any]] = []
    ids = set(taken)
    for index, call in enumerate(found if isinstance(found, list) else ()):
        function = call.get("function") if isinstance(call, dict) else None
        if not isinstance(function, dict) or not isinstance(function.get("name"), str):
            raise ChatError("provider_invalid", "The answer asks for a tool without naming it.")
        call_id = own = str(call.get("id") or f"call_{index}")[:_LONGEST_ID]
        while call_id in ids:
            call_id = f"{own}_{len(ids)}"
        ids.add(call_id)
        arguments = function.get("arguments") or ""
        text = arguments if isinstance(arguments, str) else orjson.dumps(arguments).decode()
        calls.append({**call, "id": call_id, "type": "function", "function": {**function, "arguments": text}})
    return calls


def _arguments(text: str) -> tuple[dict[str, Any] | None, str]:
    """The arguments, or what is wrong with them."""
    try:
        arguments = orjson.loads(text or "{}")
    except orjson.JSONDecodeError as error:
        return None, f"The arguments are not valid JSON: {error}"
    if not isinstance(arguments, dict):
        return None, f"The arguments must be a JSON object, not {type(arguments).__name__}"
    return arguments, ""


def result_text(result: Any) -> str:
    """A tool's result as a model reads it.

    Raises:
        ChatError: it is no JSON.
    """
    try:
        text = result if isinstance(result, str) else as_json(result).decode()
    except TypeError as error:
        raise ChatError("result_not_serializable", f"The tool returned what is no JSON: {error}") from error
    if len(text) <= RESULT_LIMIT:
        return text
    return f"{text[:RESULT_LIMIT]}\n[cut: {len(text) - RESULT_LIMIT} more characters]"
