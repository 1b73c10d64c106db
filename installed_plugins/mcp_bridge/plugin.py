"""A tool whose actions are those of MCP servers."""

from __future__ import annotations

import asyncio
import contextvars
from typing import Any

from mcp import Client

from plugins_app.sdk import PluginError, ToolPlugin, method

from .answers import described, prompt_answer, resource_answer, tool_answer, tool_error
from .catalog import Action, actions_of
from .link import Link
from .settings import read_servers

_SERVERS: dict[str, Any] = {
    "name": "servers",
    "title": "MCP servers",
    "description": "Which MCP servers are connected, and why one is not.",
    "parameters": {"type": "object", "properties": {}, "additionalProperties": False},
    "destructive": False,
}
#: How much of the time that `initialize` has is given to servers to be there from the start.
_FIRST_WAIT_S = 10.0
_MOST_LISTED = 500


class McpBridge(ToolPlugin):
    """One link for each server; a server that fails is told of, and the others go on."""

    def validate_config(self) -> bool:
        """Names differ, and each server has what its transport needs."""
        read_servers(self.config)
        return True

    async def initialize(self) -> bool:
        """Begin to connect. A server that is not there yet does not keep the plugin from being loaded."""
        times = {
            "connect_s": self.get_config("connect_timeout_s", 60),
            "reconnect_s": self.get_config("reconnect_s", 1),
        }
        self._links = {each.name: Link(each, log=self.context.logger, **times) for each in read_servers(self.config)}
        self._tasks = [asyncio.create_task(link.run()) for link in self._links.values()]
        tried = [asyncio.create_task(link.tried.wait()) for link in self._links.values()]
        if tried:
            _, late = await asyncio.wait(tried, timeout=_FIRST_WAIT_S)
            for task in late:
                task.cancel()
        return True

    async def shutdown(self) -> None:
        """Close every connection and end every program, all at once."""
        await asyncio.gather(*map(Link.close, self._links.values(), self._tasks))

    async def get_actions(self) -> list[dict[str, Any]]:
        """What all servers have now; of one that is lost, what it had."""
        return [_SERVERS, *(action.shown for link in self._links.values() for action in _actions(link).values())]

    @method(idempotent=True)
    async def status(self) -> list[dict[str, Any]]:
        """Each server: connected or not, and why not."""
        return [link.status() for link in self._links.values()]

    async def execute(self, action: str, parameters: dict[str, Any]) -> Any:
        """Ask the server whose action this is."""
        if action == "servers":
            return {"servers": await self.status()}
        link, found = self._find(action)
        if found.kind == "tool":
            return await self._call_tool(link, found.target, parameters or {})
        return await getattr(self, f"_{found.kind}")(link, parameters or {})

    def _find(self, name: str) -> tuple[Link, Action]:
        for link in self._links.values():
            if name.startswith(f"{link.settings.name}__") and (action := _actions(link).get(name)):
                return link, action
        server = self._links.get(name.partition("__")[0])
        if server is not None and not server.status()["connected"]:
            reason = server.status()["reason"]
            raise PluginError(f"there is no action {name!r}: {server.settings.name} is not connected: {reason}")
        raise PluginError(f"there is no action {name!r}; the servers are {', '.join(self._links) or 'none'}")

    async def _call_tool(self, link: Link, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
        # What a server reports comes in by the connection's task, not by this call's: whose it is must be said.
        context = contextvars.copy_context()

        async def on_progress(progress: float, total: float | None, message: str | None) -> None:
            fraction = min(1.0, progress / total) if total else None
            context.run(self.context.progress, fraction, message or "")

        async def ask(client: Client) -> Any:
            return await client.call_tool(tool, arguments, progress_callback=on_progress)

        result = await link.use(ask)
        if result.is_error:
            raise PluginError(f"{link.settings.name}: {tool_error(result)}")
        return tool_answer(result)

    async def _list_resources(self, link: Link, parameters: dict[str, Any]) -> dict[str, Any]:
        async def ask(client: Client) -> dict[str, Any]:
            resources = await _all(client.list_resources, "resources")
            templates = await _all(client.list_resource_templates, "resource_templates")
            return {"resources": [*map(described, resources)], "templates": [*map(described, templates)]}

        return await link.use(ask)

    async def _read_resource(self, link: Link, parameters: dict[str, Any]) -> dict[str, Any]:
        uri = _text(parameters, "uri")
        return resource_answer(await link.use(lambda client: client.read_resource(uri)))

    async def _list_prompts(self, link: Link, parameters: dict[str, Any]) -> dict[str, Any]:
        async def ask(client: Client) -> dict[str, Any]:
            return {"prompts": [*map(described, await _all(client.list_prompts, "prompts"))]}

        return await link.use(ask)

    async def _get_prompt(self, link: Link, parameters: dict[str, Any]) -> dict[str, Any]:
        name, given = _text(parameters, "name"), parameters.get("arguments") or {}
        if not isinstance(given, dict):
            raise PluginError("'arguments' must be an object")
        arguments = {key: value if isinstance(value, str) else str(value) for key, value in given.items()}
        return prompt_answer(await link.use(lambda client: client.get_prompt(name, arguments)))


def _actions(link: Link) -> dict[str, Action]:
    return actions_of(link.settings, link.catalog)


async def _all(ask: Any, field: str) -> list[Any]:
    """Every page of a list, up to a sensible end."""
    found: list[Any] = []
    cursor = None
    while len(found) < _MOST_LISTED:
        page = await ask(cursor=cursor)
        found += getattr(page, field)
        cursor = page.next_cursor
        if not cursor:
            break
    return found[:_MOST_LISTED]


def _text(parameters: dict[str, Any], name: str) -> str:
    value = parameters.get(name)
    if not isinstance(value, str) or not value:
        raise PluginError(f"{name!r} must be given as text")
    return value
