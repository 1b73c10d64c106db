"""A tool that finds and reads its user's earlier conversations."""

from __future__ import annotations

from typing import Any

from plugins_app.sdk import PluginError, ToolPlugin

from .transcript import transcript

_LONGEST_QUERY, _MOST_RESULTS = 400, 50
_ACTIONS: list[dict[str, Any]] = [
    {
        "name": "search",
        "title": "Search earlier conversations",
        "description": "Find what the user has talked about in earlier conversations here. Gives passages with all of "
        "the words, best first; read a whole conversation with `read`.",
        "parameters": {
            "type": "object",
            "properties": {
                "query": {"type": "string", "description": "A few words, such as: dentist appointment", "minLength": 1},
                "limit": {"type": "integer", "minimum": 1, "maximum": _MOST_RESULTS},
            },
            "required": ["query"],
            "additionalProperties": False,
        },
        "destructive": False,
    },
    {
        "name": "read",
        "title": "Read an earlier conversation",
        "description": "Read one of the user's earlier conversations. A long one comes in parts: call again with the "
        "`next_start` that was given.",
        "parameters": {
            "type": "object",
            "properties": {
                "conversation_id": {"type": "string", "description": "From a search"},
                "start": {"type": "integer", "minimum": 0, "description": "The character to begin with"},
            },
            "required": ["conversation_id"],
            "additionalProperties": False,
        },
        "destructive": False,
    },
]


class ConversationSearch(ToolPlugin):
    """The studio answers as the user who chats; nobody else's conversations can be reached."""

    def get_actions(self) -> list[dict[str, Any]]:
        """What can be asked for."""
        return _ACTIONS

    async def execute(self, action: str, parameters: dict[str, Any]) -> dict[str, Any]:
        """Search or read."""
        if action == "search":
            return await self._search(parameters or {})
        if action == "read":
            return await self._read(parameters or {})
        raise PluginError(f"unknown action {action!r}: there are search and read")

    async def _search(self, parameters: dict[str, Any]) -> dict[str, Any]:
        query = " ".join(_text(parameters, "query").split())
        if not query or len(query) > _LONGEST_QUERY:
            raise PluginError(f"'query' must be given, in at most {_LONGEST_QUERY} characters")
        limit = _whole(parameters, "limit", self.get_config("results", 10), 1, _MOST_RESULTS)
        found = await self.context.conversations.search(query, limit=limit)
        return {"query": query, "results": found}

    async def _read(self, parameters: dict[str, Any]) -> dict[str, Any]:
        start = _whole(parameters, "start", 0, 0, 10**9)
        found = await self.context.conversations.get(_text(parameters, "conversation_id").strip())
        text = transcript(found.get("messages") or [], with_tools=self.get_config("with_tools", False))
        if start and start >= len(text):
            raise PluginError(f"'start' is {start}, and the conversation has {len(text)} characters")
        end = start + self.get_config("max_characters", 20000)
        known = {name: found.get(name) for name in ("id", "title", "created_at", "updated_at")}
        part = known | {"text": text[start:end], "start": start, "characters": len(text)}
        return part | ({"next_start": end} if end < len(text) else {})


def _text(parameters: dict[str, Any], name: str) -> str:
    value = parameters.get(name)
    if not isinstance(value, str):
        raise PluginError(f"{name!r} must be given as text")
    return value


def _whole(parameters: dict[str, Any], name: str, default: int, low: int, high: int) -> int:
    value = parameters.get(name)
    value = default if value is None else value
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise PluginError(f"{name!r} must be a whole number from {low} to {high}")
    return value
