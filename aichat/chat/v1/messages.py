"""Messages, tools and formats as OpenAI's clients write them, as far as everybody agrees on them.

What one of the services behind invented (a new kind of part, tool or format) is let through as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from aichat.chat.v1.errors import invalid

__all__ = ["NamedFunction", "RequestMessage", "RequestTool", "ResponseFormat", "ToolChoice", "check_messages"]

_Name = Annotated[str, Meta(min_length=1, max_length=255)]
_NEEDS_CONTENT = frozenset({"system", "developer", "user", "tool"})


class ImageUrl(Struct):
    """Where a picture is, or the picture itself as a data: URL."""

    url: str


class RequestPart(Struct):
    """A part of a message's content: `text`, `image_url` or whatever else the model takes."""

    type: str
    text: str | None = None
    image_url: ImageUrl | None = None


class NamedFunction(Struct):
    """A function that the model may call."""

    name: _Name
    description: str | None = None
    parameters: dict[str, Any] | None = None


class CalledFunction(Struct):
    """A function that the model has called."""

    name: _Name
    arguments: str = ""


class RequestCall(Struct):
    """A tool call that an assistant made before."""

    id: str
    type: str = "function"
    function: CalledFunction | None = None


class RequestTool(Struct):
    """A tool the client has."""

    type: str = "function"
    function: NamedFunction | None = None


class ToolChoice(Struct):
    """The one tool that the model must call."""

    type: str = "function"
    function: NamedFunction | None = None


class JSONSchemaFormat(Struct):
    """What the answer shall fit."""

    name: _Name
    schema: dict[str, Any] | None = None


class ResponseFormat(Struct):
    """What the answer shall be: `text`, `json_object`, `json_schema`, or what a service has besides."""

    type: str
    json_schema: JSONSchemaFormat | None = None


class RequestMessage(Struct, omit_defaults=True):
    """One message. `content` may be text or parts (text, image_url, ...)."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[RequestPart] | None = None
    name: str | None = None
    tool_calls: list[RequestCall] | None = None
    tool_call_id: str | None = None


def check_messages(messages: Sequence[RequestMessage]) -> None:
    """Check what hangs together.

    Raises:
        ChatError: `invalid`, with the field.
    """
    for index, message in enumerate(messages):
        where = f"messages[{index}]"
        if message.content is None and message.role in _NEEDS_CONTENT:
            raise invalid(f"{where}.content", f"{where}.content: a {message.role}'s message has a content.")
        if message.role == "tool" and not message.tool_call_id:
            raise invalid(f"{where}.tool_call_id", f"{where}.tool_call_id: a tool's message names the call it answers.")
        if isinstance(message.content, list):
            _check_parts(f"{where}.content", message.content)
        for position, call in enumerate(message.tool_calls or ()):
            if call.type == "function" and call.function is None:
                path = f"{where}.tool_calls[{position}].function"
                raise invalid(path, f"{path}: a call of a function names it.")


def _check_parts(where: str, parts: Sequence[RequestPart]) -> None:
    for index, part in enumerate(parts):
        if (part.type == "text" and part.text is None) or (part.type == "image_url" and part.image_url is None):
            path = f"{where}[{index}].{part.type}"
            raise invalid(path, f"{path}: a part of the type {part.type} has it.")
