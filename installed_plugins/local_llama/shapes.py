"""Between OpenAI's shapes and what llama.cpp takes and gives. Plain functions, testable without a model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from plugins_app.sdk import PluginError, UpstreamError

__all__ = ["clean_chunk", "collected", "error_of", "prepared", "request_for"]

#: What a request may set; everything else (tools, user, ...) means nothing to this model.
_PARAMETERS = (
    *("temperature", "top_p", "top_k", "min_p", "repeat_penalty", "presence_penalty", "frequency_penalty"),
    *("seed", "stop", "max_tokens", "logit_bias"),
)
_USAGE = ("prompt_tokens", "completion_tokens", "total_tokens")


def request_for(
    messages: list[dict[str, Any]], params: Mapping[str, Any], defaults: Mapping[str, Any]
) -> dict[str, Any]:
    """A request for llama.cpp: what was asked, else the plugin's own settings."""
    given = {name: params[name] for name in _PARAMETERS if params.get(name) is not None}
    if "max_tokens" not in given and params.get("max_completion_tokens"):
        given["max_tokens"] = params["max_completion_tokens"]
    return {
        **defaults,
        **given,
        "messages": prepared(messages),
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def prepared(messages: list[dict[str, Any]]) -> list[dict[str, str]]:
    """The conversation in the three roles this model knows: a tool's result is something the user says."""
    found = []
    for message in messages:
        role, text = message.get("role", "user"), _text(message)
        if role == "tool":
            role, text = "user", f"Result of the tool: {text}"
        elif role not in ("system", "user", "assistant"):
            role = "system"  # "developer"
        if text:
            found.append({"role": role, "content": text})
    if not found:
        raise PluginError("there is nothing to answer: no message has text")
    return found


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
        asked, window = error.get("n_prompt_tokens"), error.get("n_ctx")
        return PluginError(
            f"the conversation has {asked} tokens, but the model sees only {window}: shorten it, start a new one, "
            "or raise context_window in the plugin's settings"
        )
    return UpstreamError(f"llama.cpp: {error.get('message', error)}", error.get("code"))


def collected(chunks: list[dict[str, Any]]) -> dict[str, Any]:
    """The chunks of one answer as the chat completion they add up to."""
    text, finish, usage = "", "stop", {}
    for chunk in chunks:
        usage = chunk.get("usage") or usage
        for choice in chunk["choices"]:
            text += choice["delta"].get("content") or ""
            finish = choice["finish_reason"] or finish
    head = {key: chunks[0][key] for key in ("id", "created", "model") if chunks and key in chunks[0]}
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish}
    return head | {"object": "chat.completion", "choices": [choice], "usage": usage}
