"""What a server answers, as plain data that models read."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import mcp_types as types

__all__ = ["described", "prompt_answer", "resource_answer", "tool_answer", "tool_error"]


def tool_answer(result: types.CallToolResult) -> dict[str, Any]:
    """``{"text"?, "structured"?, "attachments"?}``: the text once, where the structure says the same."""
    text, attachments = _blocks(result.content)
    structured = result.structured_content
    answer: dict[str, Any] = {} if structured is None else {"structured": structured}
    if text and not (structured is not None and _is_same(text, structured)):
        answer["text"] = text
    return answer | ({"attachments": attachments} if attachments else {}) or {"text": ""}


def tool_error(result: types.CallToolResult) -> str:
    """The words of a tool that failed."""
    text, _ = _blocks(result.content)
    return text or "the tool failed and did not say why"


def resource_answer(result: types.ReadResourceResult) -> dict[str, Any]:
    """``{"contents": [{"uri", "media_type", "text" or "data" in base64}]}``"""
    return {"contents": [_contents(each) for each in result.contents]}


def prompt_answer(result: types.GetPromptResult) -> dict[str, Any]:
    """``{"description"?, "messages": [{"role", "text", "attachments"?}]}``"""
    messages = []
    for message in result.messages:
        text, attachments = _blocks([message.content])
        messages.append({"role": message.role, "text": text} | ({"attachments": attachments} if attachments else {}))
    return ({"description": result.description} if result.description else {}) | {"messages": messages}


def described(item: types.Resource | types.ResourceTemplate | types.Prompt) -> dict[str, Any]:
    """One entry of a list."""
    return item.model_dump(mode="json", by_alias=True, exclude_none=True, exclude={"icons", "meta"})


def _is_same(text: str, structured: Any) -> bool:
    try:
        found = json.loads(text)
    except ValueError:
        return isinstance(structured, dict) and list(structured.values()) == [text]
    return bool(found == structured or (isinstance(structured, dict) and list(structured.values()) == [found]))


def _blocks(blocks: Iterable[Any]) -> tuple[str, list[dict[str, Any]]]:
    """The text of content blocks, and what is not text."""
    texts: list[str] = []
    attachments: list[dict[str, Any]] = []
    for block in blocks:
        if isinstance(block, types.TextContent):
            texts.append(block.text)
        elif isinstance(block, types.ImageContent | types.AudioContent):
            attachments.append({"kind": block.type, "media_type": block.mime_type, "data": block.data})
        elif isinstance(block, types.EmbeddedResource):
            attachments.append({"kind": "resource", **_contents(block.resource)})
        elif isinstance(block, types.ResourceLink):
            attachments.append({"kind": "link", **block.model_dump(mode="json", exclude_none=True, include=_LINK)})
        else:
            attachments.append({"kind": "other", **block.model_dump(mode="json", exclude_none=True)})
    return "\n".join(texts), attachments


_LINK = {"uri", "name", "title", "description", "mime_type"}


def _contents(contents: types.TextResourceContents | types.BlobResourceContents) -> dict[str, Any]:
    found: dict[str, Any] = {"uri": str(contents.uri), "media_type": contents.mime_type}
    if isinstance(contents, types.TextResourceContents):
        return found | {"text": contents.text}
    return found | {"data": contents.blob}
