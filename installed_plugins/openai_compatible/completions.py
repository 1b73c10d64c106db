"""Chat completions: what is sent, and the chunks that come back, whatever dialect of the format a server speaks."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Mapping
from typing import Any, Protocol

import aiohttp
import orjson

from plugins_app.sdk import NotReady, UpstreamError

from .endpoints import Endpoint
from .events import EventReader
from .failures import Failure, garbage

__all__ = ["Body", "completion", "read_chunks", "refused_parameter", "request_body"]

_OURS = frozenset({"stream", "stream_options", "n", "model", "messages"})
#: What a model or a server may refuse, and what is sent to it from then on.
_INSTEAD: dict[str, str | None] = {"max_tokens": "max_completion_tokens", "stream_options": None}
_DONE = b"[DONE]"
_PATIENCE_S = 0.2
_JSON_LIMIT = 30 * 2**20


def request_body(
    endpoint: Endpoint, model: str, messages: list[dict[str, Any]], params: Mapping[str, Any], *, stream: bool
) -> dict[str, Any]:
    """The body of a request. Whatever parameters the caller gave are passed on: servers know more than OpenAI's."""
    given = {name: value for name, value in params.items() if value is not None and name not in _OURS}
    body: dict[str, Any] = {"model": model, "messages": messages, **endpoint.extra_body, **given}
    if stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    for name, instead in _INSTEAD.items():
        if name in body and (model, name) in endpoint.refuses:
            value = body.pop(name)
            if instead:
                body.setdefault(instead, value)
    return body


def refused_parameter(error: UpstreamError, body: Mapping[str, Any]) -> str | None:
    """The parameter that the server did not want, if the request can be made without it."""
    if error.status not in (400, 404, 422):
        return None
    text = str(error)
    for name, instead in _INSTEAD.items():
        if name in body and name in text and (instead is None or instead in text):
            return name
    return None


def completion(endpoint: Endpoint, answer: Any) -> dict[str, Any]:
    """A whole answer, if it is one.

    Raises:
        Failure: it is not, or the server says that it failed.
    """
    if not isinstance(answer, dict):
        raise Failure(garbage(endpoint, orjson.dumps(answer)))
    if answer.get("error"):
        raise _failed(endpoint, answer["error"])
    choices = answer.get("choices")
    if not isinstance(choices, list) or not all(isinstance(one, dict) and one.get("message") for one in choices):
        raise Failure(garbage(endpoint, orjson.dumps(answer)))
    for choice in choices:
        if isinstance(choice["message"], dict) and isinstance(choice["message"].get("content"), list):
            _flatten(choice["message"])
    return answer


class Body(Protocol):
    """The body of an answer, as it comes."""

    async def readany(self) -> bytes:
        """What has come; nothing at the end."""

    def at_eof(self) -> bool:
        """Whether all of it has been read."""


async def read_chunks(endpoint: Endpoint, body: Body) -> AsyncGenerator[list[dict[str, Any]], None]:
    """The chunks of a streamed answer, those of one read together.

    A server that does not stream and answers at once is understood, too.

    Raises:
        Failure: it broke off, it is something else, or the server says that it failed.
    """
    events, seen, finished = EventReader(), b"", False
    while data := await body.readany():
        if not seen:
            seen = data
            if data.lstrip()[:1] == b"{":
                yield _chunks_of(completion(endpoint, await _whole(endpoint, data, body)))
                return
        found = events.feed(data)
        if events.pending > _JSON_LIMIT:
            raise Failure(garbage(endpoint, seen))
        if is_done := _DONE in found:
            found = found[: found.index(_DONE)]
        if batch := _chunks(endpoint, found):
            finished = finished or any(map(_is_last, batch))
            yield batch
        if is_done:
            await _drain(body)
            return
    if batch := _chunks(endpoint, [event for event in events.end() if event != _DONE]):
        finished = finished or any(map(_is_last, batch))
        yield batch
    if not finished:
        raise _cut(endpoint, seen)


def _cut(endpoint: Endpoint, seen: bytes) -> Failure:
    if seen and b"data:" not in seen and not seen.startswith(b":"):
        return Failure(garbage(endpoint, seen))
    return Failure(UpstreamError(f"{endpoint.label} broke off in the middle of its answer"), repeatable=True)


async def _drain(body: Body) -> None:
    """Read to the end, so that the connection can be used again; a server that does not end is not waited for."""
    if body.at_eof():
        return
    with contextlib.suppress(TimeoutError, OSError, aiohttp.ClientError):
        async with asyncio.timeout(_PATIENCE_S):
            while await body.readany():
                pass


async def _whole(endpoint: Endpoint, first: bytes, body: Body) -> Any:
    data = bytearray(first)
    while piece := await body.readany():
        data += piece
        if len(data) > _JSON_LIMIT:
            break
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise Failure(garbage(endpoint, bytes(data))) from error


def _chunks(endpoint: Endpoint, events: list[bytes]) -> list[dict[str, Any]]:
    """The chunks of these events; neighbours that bring nothing but text are one: they came together."""
    if len(events) == 1:
        chunk = _read(endpoint, events[0])
        _check(endpoint, chunk)
        return [chunk]
    if not events:
        return []
    try:
        chunks = orjson.loads(b"[%b]" % b",".join(events))  # at once: a call for each costs more than the reading
    except orjson.JSONDecodeError:
        chunks = [_read(endpoint, event) for event in events]
    found: list[dict[str, Any]] = []
    texts: list[str] = []
    for chunk in chunks:
        _check(endpoint, chunk)
        text = _text_of(chunk)
        if text is not None and texts:
            texts.append(text)
            continue
        _put(found, texts)
        texts = [] if text is None else [text]
        found.append(chunk)
    _put(found, texts)
    return found


def _put(found: list[dict[str, Any]], texts: list[str]) -> None:
    if len(texts) > 1:
        found[-1]["choices"][0]["delta"]["content"] = "".join(texts)


def _text_of(chunk: Mapping[str, Any]) -> str | None:
    """The text of a chunk that brings text alone."""
    choices = chunk["choices"]
    if len(choices) != 1 or chunk.get("usage") or type(choices[0]) is not dict:
        return None
    choice, delta = choices[0], choices[0].get("delta")
    if choice.get("finish_reason") or choice.get("logprobs") or choice.get("index") or type(delta) is not dict:
        return None
    text = delta.get("content")
    is_alone = len(delta) == 1 or (len(delta) == 2 and "role" in delta)
    return text if is_alone and type(text) is str else None


def _read(endpoint: Endpoint, event: bytes) -> Any:
    try:
        return orjson.loads(event)
    except orjson.JSONDecodeError as error:
        raise Failure(garbage(endpoint, event)) from error


def _check(endpoint: Endpoint, chunk: Any) -> None:
    if type(chunk) is not dict:
        raise Failure(garbage(endpoint, orjson.dumps(chunk)))
    choices = chunk.get("choices")
    if chunk.get("error"):
        raise _failed(endpoint, chunk["error"])
    if choices is None and isinstance(
        chunk.get("message"), str
    ):  # vLLM: {"object": "error", "message": ..., "code": 400}
        raise _failed(endpoint, chunk)
    if type(choices) is not list:
        chunk["choices"] = []
    elif choices and type(choices[0]) is dict and type((choices[0].get("delta") or {}).get("content")) is list:
        _flatten(choices[0]["delta"])
    if type(groq := chunk.get("x_groq")) is dict and groq.get("usage") and not chunk.get("usage"):
        chunk["usage"] = groq["usage"]


def _flatten(message: dict[str, Any]) -> None:
    """Mistral's models that think answer in parts: `thinking`, with parts of its own, and `text`."""
    parts = [part for part in message["content"] if isinstance(part, dict)]
    thoughts = [inner for part in parts for inner in _list(part.get("thinking"))]
    message["content"] = "".join(str(part.get("text") or "") for part in parts)
    if thoughts:
        message["reasoning_content"] = "".join(str(one.get("text") or "") for one in thoughts if isinstance(one, dict))


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _is_last(chunk: Mapping[str, Any]) -> bool:
    choices = chunk["choices"]
    return bool(choices) and isinstance(choices[0], dict) and bool(choices[0].get("finish_reason"))


def _failed(endpoint: Endpoint, error: Any) -> Failure:
    """An error that came where an answer was due."""
    details = error if isinstance(error, dict) else {"message": error}
    code = details.get("code") if isinstance(details.get("code"), int) else details.get("status")
    status = code if isinstance(code, int) else 502
    text = f"{endpoint.label} failed: {details.get('message') or orjson.dumps(error).decode()}"
    if status == 429:
        return Failure(NotReady(text, 5.0), repeatable=True)
    return Failure(UpstreamError(text, status), repeatable=status >= 500)


def _chunks_of(answer: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A whole answer as a stream would have brought it."""
    common = {name: answer[name] for name in ("id", "created", "model") if name in answer}
    common["object"] = "chat.completion.chunk"
    chunks = []
    for choice in answer["choices"]:
        message = dict(choice["message"])
        if calls := message.get("tool_calls"):
            message["tool_calls"] = [{"index": index} | call for index, call in enumerate(calls)]
        finish = choice.get("finish_reason") or ("tool_calls" if calls else "stop")
        index = choice.get("index", 0)
        chunks.append(common | {"choices": [{"index": index, "delta": message, "finish_reason": None}]})
        chunks.append(common | {"choices": [{"index": index, "delta": {}, "finish_reason": finish}]})
    if answer.get("usage"):
        chunks.append(common | {"choices": [], "usage": answer["usage"]})
    return chunks
