"""What a client may send to a chat, checked: a misfit is a problem with a pointer to it."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, TypeVar
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from aichat.chat.errors import ChatError
from aichat.chat.params import ChatParams, Count, Seed

__all__ = [
    "ApprovalBody",
    "ChatBody",
    "RegenerateBody",
    "parse_approval_body",
    "parse_chat_body",
    "parse_regenerate_body",
]

_PATH = re.compile(r" - at `\$?(?P<path>[^`]*)`$")
_FIELD = re.compile(r"(?:required|unknown) field `(?P<name>[^`]+)`")
_PARAMS = ("temperature", "top_p", "max_tokens", "stop", "seed", "tool_choice")
_Name = Annotated[str, Meta(min_length=1, max_length=255)]


class Function(Struct, forbid_unknown_fields=True):
    """The function of a tool call."""

    name: _Name
    arguments: str = ""


class ToolCall(Struct, forbid_unknown_fields=True, omit_defaults=False):
    """A tool call an assistant made before."""

    id: Annotated[str, Meta(min_length=1, max_length=200)]
    function: Function
    type: Literal["function"] = "function"


class NamedFunction(Struct, forbid_unknown_fields=True):
    """A function by its name."""

    name: _Name


class ToolChoice(Struct, forbid_unknown_fields=True, omit_defaults=False):
    """The one function that the model must call."""

    function: NamedFunction
    type: Literal["function"] = "function"


class ChatMessage(Struct, omit_defaults=True, forbid_unknown_fields=True):
    """One message in OpenAI's shape."""

    role: Literal["system", "user", "assistant", "tool"]
    content: str | list[dict[str, Any]] | None = None
    tool_calls: list[ToolCall] | None = None
    tool_call_id: Annotated[str, Meta(max_length=200)] | None = None
    name: Annotated[str, Meta(max_length=200)] | None = None


class ChatBody(Struct, forbid_unknown_fields=True):
    """The body of `POST /api/chat`."""

    model: _Name
    message: str | None = None
    messages: Annotated[list[ChatMessage], Meta(min_length=1)] | None = None
    conversation_id: UUID | None = None
    parent_id: UUID | UnsetType | None = UNSET
    attachments: Annotated[list[UUID], Meta(max_length=10)] = []
    system_prompt: Annotated[str, Meta(max_length=100_000)] | None = None
    params: ChatParams | None = None
    tools: Literal["auto"] | list[str] = "auto"
    tool_choice: Literal["auto", "none", "required"] | ToolChoice | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(gt=0, le=1)] | None = None
    max_tokens: Count | None = None
    stop: str | list[str] | None = None
    seed: Seed | None = None

    def said(self) -> list[dict[str, Any]]:
        """What is new, as OpenAI messages."""
        if self.message is not None:
            return [{"role": "user", "content": self.message}]
        found: list[dict[str, Any]] = [msgspec.to_builtins(message) for message in self.messages or ()]
        return [{"content": ""} | message for message in found]

    def given_params(self) -> dict[str, Any]:
        """What goes to the provider besides messages and model; what stands by itself wins over what is in `params`."""
        given = {name: msgspec.to_builtins(getattr(self, name)) for name in _PARAMS}
        kept = self.params.given() if self.params else {}
        return kept | {name: value for name, value in given.items() if value is not None}


class RegenerateBody(Struct, forbid_unknown_fields=True):
    """The body of `POST /api/conversations/{id}/regenerate`."""

    message_id: UUID | None = None
    model: _Name | None = None
    tools: Literal["auto"] | list[str] = "auto"


class ApprovalBody(Struct, forbid_unknown_fields=True):
    """The body of `POST /api/conversations/{id}/approvals/{call_id}`; `remember` it for the whole conversation."""

    approve: bool
    remember: bool = False


_T = TypeVar("_T", ApprovalBody, ChatBody, RegenerateBody)
_decoder = msgspec.json.Decoder(ChatBody)
_approval_decoder = msgspec.json.Decoder(ApprovalBody)
_regenerate_decoder = msgspec.json.Decoder(RegenerateBody)


def parse_approval_body(raw: bytes) -> ApprovalBody:
    """Parse and check.

    Raises:
        ChatError: `json_malformed` or `invalid`, the latter with a pointer.
    """
    return _decoded(_approval_decoder, raw)


def parse_chat_body(raw: bytes) -> ChatBody:
    """Parse and check.

    Raises:
        ChatError: `json_malformed` or `invalid`, the latter with a pointer.
    """
    body = _decoded(_decoder, raw)
    _check(body)
    return body


def parse_regenerate_body(raw: bytes) -> RegenerateBody:
    """Parse and check; no body at all asks for another answer beside the last.

    Raises:
        ChatError: `json_malformed` or `invalid`, the latter with a pointer.
    """
    return _decoded(_regenerate_decoder, raw or b"{}")


def _decoded(decoder: msgspec.json.Decoder[_T], raw: bytes) -> _T:
    try:
        return decoder.decode(raw)
    except msgspec.ValidationError as error:
        raise _misfit(*_located(str(error))) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ChatError("json_malformed", f"The body is not valid JSON: {error}") from error


def _check(body: ChatBody) -> None:
    if (body.message is None) == (body.messages is None):
        raise _misfit("/message", "Send either `message` or `messages`.")
    if body.message is not None and not body.message.strip() and not body.attachments:
        raise _misfit("/message", "Say something: the message is empty.")
    for index, message in enumerate(body.messages or ()):
        _check_message(f"/messages/{index}", message)
    if body.messages and body.messages[-1].role not in ("user", "tool"):
        raise _misfit(f"/messages/{len(body.messages) - 1}/role", "The last message must be the user's or a tool's.")


def _check_message(pointer: str, message: ChatMessage) -> None:
    if message.role == "tool" and not message.tool_call_id:
        raise _misfit(f"{pointer}/tool_call_id", "A tool's message names the call it answers.")
    if message.content in (None, []) and not message.tool_calls:
        raise _misfit(f"{pointer}/content", "The message is empty.")
    for index, part in enumerate(message.content if isinstance(message.content, list) else ()):
        _check_part(f"{pointer}/content/{index}", part)


def _check_part(pointer: str, part: dict[str, Any]) -> None:
    kind = part.get("type")
    if not isinstance(kind, str):
        raise _misfit(f"{pointer}/type", "Every part has a type, such as `text`.")
    if kind == "text" and not isinstance(part.get("text"), str):
        raise _misfit(f"{pointer}/text", "A part of this type has a text.")
    picture = part.get("image_url")
    if kind == "image_url" and not (isinstance(picture, dict) and isinstance(picture.get("url"), str)):
        raise _misfit(f"{pointer}/image_url", "A part of this type has an object with a `url`.")


def _misfit(pointer: str, message: str) -> ChatError:
    where = f"{pointer}: " if pointer else ""
    return ChatError("invalid", f"{where}{message}", errors=[{"pointer": pointer, "message": message}])


def _located(text: str) -> tuple[str, str]:
    """msgspec's sentence as a JSON Pointer and the sentence."""
    found = _PATH.search(text)
    message = text[: found.start()] if found else text
    path = found["path"] if found else ""
    pointer = re.sub(r"\[(\d+)\]", r"/\1", path).replace(".", "/").replace("[...]", "")
    if (field := _FIELD.search(message)) is not None:
        pointer = f"{pointer}/{field['name']}"
    return pointer, message
