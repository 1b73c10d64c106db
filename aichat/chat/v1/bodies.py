"""What OpenAI's clients send. What is known is checked, what is not is passed on: they send new fields all the time."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar

import msgspec
import orjson
from msgspec import Meta, Struct

from aichat.chat.errors import ChatError
from aichat.chat.v1.errors import invalid
from aichat.chat.v1.messages import (
    NamedFunction,
    RequestMessage,
    RequestTool,
    ResponseFormat,
    ToolChoice,
    check_messages,
)

__all__ = ["ChatCompletionRequest", "CompletionOrder", "EmbeddingOrder", "EmbeddingRequest", "read_chat", "read_embed"]

_T = TypeVar("_T")
_PATH = re.compile(r" - at `\$?\.?(?P<path>[^`]*)`$")
_FIELD = re.compile(r"required field `(?P<name>[^`]+)`")
_NOT_PARAMS = frozenset(
    {"model", "messages", "stream", "stream_options", "n", "functions", "function_call", "max_completion_tokens"}
)
_Model = Annotated[str, Meta(min_length=1, max_length=255)]


class StreamOptions(Struct):
    """What a stream shall hold besides the answer."""

    include_usage: bool | None = None


class ChatCompletionRequest(Struct, omit_defaults=True):
    """OpenAI's request. Other fields are passed on to the provider as they are."""

    model: _Model
    messages: Annotated[list[RequestMessage], Meta(min_length=1)]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    n: int | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    max_tokens: Annotated[int, Meta(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Meta(ge=1)] | None = None
    stop: str | list[str] | None = None
    seed: int | None = None
    presence_penalty: Annotated[float, Meta(ge=-2, le=2)] | None = None
    frequency_penalty: Annotated[float, Meta(ge=-2, le=2)] | None = None
    logit_bias: dict[str, float] | None = None
    user: str | None = None
    tools: list[RequestTool] | None = None
    tool_choice: Literal["none", "auto", "required"] | ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    response_format: ResponseFormat | None = None
    reasoning_effort: str | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None
    metadata: dict[str, Any] | None = None
    service_tier: str | None = None
    store: bool | None = None
    functions: list[NamedFunction] | None = None
    function_call: Literal["none", "auto"] | NamedFunction | None = None


class EmbeddingRequest(Struct, omit_defaults=True):
    """OpenAI's request for vectors of texts."""

    model: _Model
    input: str | list[str]
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: Annotated[int, Meta(ge=1)] | None = None
    user: str | None = None


@dataclass(frozen=True, slots=True)
class CompletionOrder:
    """A checked request for an answer. `legacy`: the client knows functions, not tools."""

    model: str
    messages: list[dict[str, Any]]
    params: dict[str, Any]
    stream: bool
    include_usage: bool
    legacy: bool


@dataclass(frozen=True, slots=True)
class EmbeddingOrder:
    """A checked request for vectors."""

    model: str
    texts: list[str]
    params: dict[str, Any]
    base64: bool


def read_chat(raw: bytes) -> CompletionOrder:
    """Parse and check.

    Raises:
        ChatError: `json_malformed` or `invalid`, with the field.
    """
    data = _object(raw)
    body = _convert(data, ChatCompletionRequest)
    _check(body)
    params = {name: value for name, value in data.items() if value is not None and name not in _NOT_PARAMS}
    if body.max_completion_tokens is not None:
        params.setdefault("max_tokens", body.max_completion_tokens)
    legacy = body.functions is not None and body.tools is None
    if legacy:
        params |= _tools_of(data)
    options = body.stream_options
    include_usage = options is not None and bool(options.include_usage)
    messages = data["messages"]
    if any(message.get("role") in ("function", "developer") or "function_call" in message for message in messages):
        messages = _modern(messages)
    return CompletionOrder(body.model, messages, params, bool(body.stream), include_usage, legacy)


def read_embed(raw: bytes) -> EmbeddingOrder:
    """Parse and check, as `read_chat` does."""
    data = _object(raw)
    found = data.get("input")
    if isinstance(found, list) and found and not isinstance(found[0], str):
        raise invalid(
            "input", "input must be text: each model counts its own tokens, so token numbers mean nothing here."
        )
    body = _convert(data, EmbeddingRequest)
    texts = [body.input] if isinstance(body.input, str) else body.input
    if not texts or not all(texts):
        raise invalid("input", "input is empty, or one of its texts is.")
    left = {"model", "input", "encoding_format"}
    params = {name: value for name, value in data.items() if value is not None and name not in left}
    return EmbeddingOrder(body.model, texts, params, body.encoding_format == "base64")


def _check(body: ChatCompletionRequest) -> None:
    """What the types alone do not say."""
    if body.n not in (None, 1):
        raise invalid("n", "n must be 1: one answer is given for a request.")
    check_messages(body.messages)
    for index, tool in enumerate(body.tools or ()):
        if tool.type == "function" and tool.function is None:
            raise invalid(f"tools[{index}].function", f"tools[{index}].function: a tool of this type has one.")
    choice = body.tool_choice
    if isinstance(choice, ToolChoice) and choice.type == "function" and choice.function is None:
        raise invalid("tool_choice.function", "tool_choice.function: name the function.")
    wanted = body.response_format
    if wanted is not None and wanted.type == "json_schema" and wanted.json_schema is None:
        raise invalid("response_format.json_schema", "response_format.json_schema: say what the answer shall fit.")


def _object(raw: bytes) -> dict[str, Any]:
    try:
        data = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise ChatError("json_malformed", f"The body is not valid JSON: {error}") from error
    if not isinstance(data, dict):
        raise ChatError("json_malformed", "The body must be a JSON object.")
    return data


def _convert(data: dict[str, Any], kind: type[_T]) -> _T:
    try:
        return msgspec.convert(data, kind)
    except msgspec.ValidationError as error:
        text = str(error)
        found = _PATH.search(text)
        message, param = (text[: found.start()], found["path"]) if found else (text, "")
        if (missing := _FIELD.search(message)) is not None:
            param = f"{param}.{missing['name']}".lstrip(".")
        raise invalid(param, f"{param}: {message}" if param else message) from error


def _tools_of(data: dict[str, Any]) -> dict[str, Any]:
    """Functions, as they were called before they became tools."""
    tools = [{"type": "function", "function": function} for function in data["functions"]]
    wanted = data.get("function_call")
    choice = {"type": "function", "function": wanted} if isinstance(wanted, dict) else wanted
    return {"tools": tools} | ({"tool_choice": choice} if choice is not None else {})


def _modern(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Messages in the words that every provider knows: no functions, no developer."""
    asked = 0
    found = []
    for message in messages:
        changed = message
        if message["role"] == "developer":
            changed = message | {"role": "system"}
        elif message.get("function_call"):
            asked += 1
            call = {"id": f"call_{asked}", "type": "function", "function": message["function_call"]}
            changed = {name: value for name, value in message.items() if name != "function_call"}
            changed["tool_calls"] = [call]
        elif message["role"] == "function":
            changed = message | {"role": "tool", "tool_call_id": f"call_{asked}"}
        found.append(changed)
    return found
