"""Between OpenAI's shapes and what llama.cpp takes and gives. Plain functions, testable without a model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from plugins_app.sdk import PluginError, UpstreamError

from .context import TooLong

__all__ = ["call_chunk", "clean_chunk", "error_of", "prepared", "request_for", "usage_chunk"]

#: What a request may set; everything else (user, n, ...) means nothing to this model.
_PARAMETERS = (
    *("temperature", "top_p", "top_k", "min_p", "repeat_penalty", "presence_penalty", "frequency_penalty"),
    *("seed", "stop", "max_tokens", "logit_bias"),
)
_RESULT = "Result of the tool:"
_USAGE = ("prompt_tokens", "completion_tokens", "total_tokens")


def request_for(
    messages: list[dict[str, str]], params: Mapping[str, Any], defaults: Mapping[str, Any]
) -> dict[str, Any]:
    """A request for llama.cpp: what was asked, else the plugin's own settings."""
    given = {name: params[name] for name in _PARAMETERS if params.get(name) is not None}
    if "max_tokens" not in given and params.get("max_completion_tokens"):
        given["max_tokens"] = params["max_completion_tokens"]
    form = params.get("response_format") or {}
    if form.get("type") == "json_object":
        given["json_schema"] = {"type": "object"}
    elif form.get("type") == "json_schema":
        given["json_schema"] = form.get("json_schema", {}).get("schema") or {"type": "object"}
    if messages[-1]["content"].startswith(_RESULT):
        defaults = {**defaults, "repeat_penalty": 1.0}  # it is to be repeated
    return {
        **defaults,
        **given,
        "messages": messages,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def prepared(messages: list[dict[str, Any]], instructions: str = "") -> list[dict[str, str]]:
    """The conversation in the three roles that every model knows, with `instructions` for the system."""
    found: list[dict[str, str]] = []
    for message in messages:
        role, text = message.get("role", "user"), _text(message)
        if role == "tool":
            role, text = "user", f"{_RESULT} {text}"
        elif role not in ("system", "user", "assistant"):
            role = "system"  # "developer"
        if instructions:  # a model that may not call anything is not shown how
            text = "\n".join([*([text] if text else []), *map(_written, message.get("tool_calls") or ())])
        if text:
            found.append({"role": role, "content": text})
    if all(message["role"] == "system" for message in found):
        raise PluginError("there is nothing to answer: no message has text")
    if instructions:
        system = [found.pop(0)["content"]] if found[0]["role"] == "system" else []
        found.insert(0, {"role": "system", "content": "\n\n".join([*system, instructions])})
    return found


def _written(call: Mapping[str, Any]) -> str:
    """A call as the model was told to write it."""
    function = call.get("function") or {}
    try:
        arguments = json.loads(function.get("arguments") or "{}")
    except ValueError:
        arguments = {}
    body = json.dumps({"name": function.get("name", ""), "arguments": arguments}, ensure_ascii=False)
    return f"<tool_call>{body}</tool_call>"


def _text(message: Mapping[str, Any]) -> str:
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    return "\n".join(part.get("text", "") for part in content if part.get("type") == "text")


def clean_chunk(chunk: Mapping[str, Any], model: str) -> dict[str, Any]:
    """A chunk of llama.cpp as one of OpenAI's: the model's id instead of its file's path."""
    found = {key: chunk[key] for key in ("id", "object", "created", "choices") if key in chunk} | {"model": model}
    if chunk.get("usage"):
        found["usage"] = {key: chunk["usage"][key] for key in _USAGE}
    return found


def error_of(error: Mapping[str, Any]) -> PluginError:
    """llama.cpp's error in words that say what to do."""
    if error.get("type") == "exceed_context_size_error":
        return TooLong(int(error.get("n_prompt_tokens") or 0), int(error.get("n_ctx") or 0))
    return UpstreamError(f"llama.cpp: {error.get('message', error)}", error.get("code"))


def usage_chunk(common: Mapping[str, Any], usage: Mapping[str, int], dropped: int) -> dict[str, Any]:
    """The last chunk: what the answer took, and how many messages the model did not see."""
    counted: dict[str, Any] = {name: usage.get(name, 0) for name in _USAGE}
    if dropped:
        counted["prompt_tokens_details"] = {"dropped_messages": dropped}
    return dict(common) | {"choices": [], "usage": counted}


def call_chunk(common: Mapping[str, Any], call: dict[str, Any]) -> dict[str, Any]:
    """A tool call as a chunk."""
    delta = {"role": "assistant", "content": None, "tool_calls": [call]}
    return dict(common) | {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
