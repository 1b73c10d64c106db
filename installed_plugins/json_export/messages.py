"""The messages of an export file: each with an id, its parent before it, and no more than is wanted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

__all__ = ["Wanted", "all_messages", "branch_ids"]

_USAGE = ("usage", "cost", "duration_ms", "first_token_ms")
_KNOWN: dict[str, Any] = {
    "role": "user",
    "content": None,
    "reasoning": None,
    "tool_calls": None,
    "tool_call_id": None,
    "name": None,
    "model": None,
    "usage": None,
    "cost": None,
    "created_at": None,
}


class Wanted:
    """What the configuration leaves of a message."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self.branches = bool(config.get("include_branches", True))
        self._files = bool(config.get("include_attachments", True))
        without = () if config.get("include_reasoning", True) else ("reasoning",)
        self._without = (*without, *(() if config.get("include_usage", True) else _USAGE))

    def of(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """The message as it is written."""
        written = {"id": message["id"], "parent_id": message["parent_id"]} | _KNOWN | dict(message)
        for name in self._without:
            if name in written:
                written[name] = None
        if not self._files:
            written.pop("attachments", None)
            written["content"] = _without_files(written["content"])
        return written


def all_messages(data: Mapping[str, Any], wanted: Wanted) -> list[dict[str, Any]]:
    """Of all branches or of the current one, a parent always before its children."""
    current = _identified(_listed(data.get("messages")))
    branches = _listed(data.get("branches")) if wanted.branches else []
    known = {str(message["id"]) for message in branches if message.get("id")}
    found = [dict(message) for message in branches if message.get("id")]
    found += [message for message in current if message["id"] not in known]
    return [wanted.of(message) for message in _parents_first(found)]


def branch_ids(data: Mapping[str, Any]) -> list[str]:
    """The messages of the current branch, the first one first."""
    return [message["id"] for message in _identified(_listed(data.get("messages")))]


def _listed(messages: Any) -> list[Mapping[str, Any]]:
    return [one for one in messages if isinstance(one, Mapping)] if isinstance(messages, list) else []


def _identified(messages: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Messages of one branch, each with an id; where nothing is said about parents, each follows the one before."""
    found: list[dict[str, Any]] = []
    for number, message in enumerate(messages, 1):
        before = found[-1]["id"] if found else None
        found.append({"parent_id": before} | dict(message) | {"id": str(message.get("id") or f"m{number}")})
    return found


def _parents_first(messages: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Their order, but for what would come before its parent; a parent that is not there counts as none."""
    by_id = {str(message["id"]): message for message in messages}
    placed: set[str] = set()
    for message in by_id.values():
        line: dict[str, dict[str, Any]] = {}
        step: dict[str, Any] | None = message
        while step is not None and step["id"] not in placed and str(step["id"]) not in line:
            line[str(step["id"])] = step
            step = by_id.get(str(step.get("parent_id") or ""))
        for name, one in reversed(line.items()):
            parent = str(one.get("parent_id") or "")
            yield one | {"id": name, "parent_id": parent if parent in placed else None}
            placed.add(name)


def _without_files(content: Any) -> Any:
    if not isinstance(content, list):
        return content
    return [_left_out(part) if isinstance(part, Mapping) else part for part in content]


def _left_out(part: Mapping[str, Any]) -> Mapping[str, Any]:
    """A word about a picture or file instead of what is in it."""
    if part.get("type") not in ("image_url", "file"):
        return part
    file = part.get("file")
    name = part.get("name") or (file.get("filename") if isinstance(file, Mapping) else None)
    kind = "image" if part["type"] == "image_url" else "file"
    return {"type": "text", "text": f"[{kind} {name} left out]" if name else f"[{kind} left out]"}
