"""What a server has, and what it is called in the studio."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import mcp_types as types
from mcp import Client

from .settings import ServerSettings

__all__ = ["Action", "Catalog", "actions_of", "read_catalog"]

#: A model calls an action by `mcp-bridge__<name>`, and models' interfaces take 64 characters.
_LONGEST_NAME = 64 - len("mcp-bridge__")
_UNFIT = re.compile(r"[^a-zA-Z0-9_-]")
_MOST_PAGES = 50
_NO_PARAMETERS = {"type": "object", "properties": {}, "additionalProperties": False}
_URI = {"type": "string", "description": "The resource's URI, from the list"}
_PROMPT = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "description": "The prompt's name, from the list"},
        "arguments": {"type": "object", "additionalProperties": {"type": "string"}, "description": "The prompt's own"},
    },
    "required": ["name"],
    "additionalProperties": False,
}


@dataclass(frozen=True, slots=True)
class Catalog:
    """What a server said last."""

    tools: tuple[types.Tool, ...] = ()
    has_resources: bool = False
    has_prompts: bool = False


@dataclass(frozen=True, slots=True)
class Action:
    """One action of the plugin: what models are told of it, and what it is at its server."""

    kind: str
    target: str
    shown: dict[str, Any]


async def read_catalog(client: Client) -> Catalog:
    """Ask a server for all of its tools."""
    capabilities = client.server_capabilities
    tools: list[types.Tool] = []
    if capabilities.tools is not None:
        async for page in _pages(client.list_tools):
            tools += page.tools
    return Catalog(tuple(tools), capabilities.resources is not None, capabilities.prompts is not None)


async def _pages(ask: Callable[..., Awaitable[Any]]) -> Any:
    cursor = None
    for _ in range(_MOST_PAGES):
        page = await ask(cursor=cursor)
        yield page
        cursor = page.next_cursor
        if not cursor:
            return


def actions_of(settings: ServerSettings, catalog: Catalog) -> dict[str, Action]:
    """The actions that a server adds, by name."""
    found: dict[str, Action] = {}

    def add(kind: str, target: str, destructive: bool, **shown: Any) -> None:
        name = _name(settings.name, target, found)
        also = {"name": name, "destructive": destructive, "timeout_s": settings.timeout_s + 5}
        found[name] = Action(kind, target, shown | also)

    for tool in catalog.tools:
        if settings.offers(tool.name):
            title = tool.title or (tool.annotations.title if tool.annotations else None) or tool.name
            add(
                "tool",
                tool.name,
                _is_destructive(tool, settings.approval),
                title=f"{settings.name}: {title}",
                description=tool.description or title,
                parameters=tool.input_schema,
            )
    for kind, has, description, parameters in _EXTRAS:
        if getattr(catalog, f"has_{has}") and getattr(settings, has):
            add(kind, kind, False, description=description.format(settings.name), parameters=parameters)
    return found


_EXTRAS: tuple[tuple[str, str, str, dict[str, Any]], ...] = (
    ("list_resources", "resources", "List the resources (documents, data) that {} has.", _NO_PARAMETERS),
    (
        "read_resource",
        "resources",
        "Read one resource of {}.",
        {"type": "object", "properties": {"uri": _URI}, "required": ["uri"], "additionalProperties": False},
    ),
    ("list_prompts", "prompts", "List the prompts (ready-made instructions) that {} has.", _NO_PARAMETERS),
    ("get_prompt", "prompts", "Get one prompt of {}, filled in.", _PROMPT),
)


def _is_destructive(tool: types.Tool, approval: str) -> bool:
    """Whether a person must approve it.

    A server that says nothing of a tool is not taken to mean its worst, as the protocol's defaults would have it:
    most servers say nothing of any, and then everything would have to be approved.
    """
    hints = tool.annotations
    reads_only = hints is not None and hints.read_only_hint is True
    if approval == "none" or reads_only:
        return False
    if approval == "all-writing":
        return True
    if hints is None:
        return False
    return hints.destructive_hint is True or (hints.read_only_hint is False and hints.destructive_hint is None)


def _name(server: str, target: str, taken: dict[str, Action]) -> str:
    """`<server>__<target>`, in letters that models may use; told apart by a hash where that is needed."""
    whole = f"{server}__{target}"
    name = _UNFIT.sub("_", whole)
    if len(name) <= _LONGEST_NAME and name not in taken:
        return name
    mark = hashlib.sha256(f"{whole}{len(taken) if name in taken else ''}".encode()).hexdigest()[:8]
    return f"{name[: _LONGEST_NAME - 9]}_{mark}"
