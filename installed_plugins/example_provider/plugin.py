"""A provider plugin, complete and small: read this one first when you write your own.

A provider implements `stream_completion` or `chat_completion`; the SDK makes each from the other's answer where one
is missing. Here the stream is the real work, and `chat_completion` collects it.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
import uuid
from collections.abc import AsyncIterator
from typing import Any

from plugins_app.sdk import ConfigError, PluginError, ProviderPlugin

from .answers import MODELS, Answer, count_tokens, text_of, write
from .chunks import call_deltas, collect, pieces
from .intents import wanted_calls

_CONTEXT_WINDOW = 8192
_MAX_TOKENS = 2048


class ExampleProvider(ProviderPlugin):
    """Deterministic models: the same messages bring the same answer."""

    async def validate_config(self) -> bool:
        """Check what the schema cannot say. (That `delay_ms` is a number, it has already said.)"""
        if not self.get_config("models", list(MODELS)):
            raise ConfigError("models is empty: offer at least one of " + ", ".join(MODELS))
        return True

    async def initialize(self) -> bool:
        """Take what the plugin needs while it lives: here, nothing but its settings."""
        self._delay = self.get_config("delay_ms", 5) / 1000
        self._greeting = self.get_config("greeting", "")
        self._offered = [name for name in MODELS if name in self.get_config("models", list(MODELS))]
        self.context.logger.info("ready with %s", ", ".join(self._offered))
        return True

    def get_available_models(self) -> list[dict[str, Any]]:
        """The models people can choose. A sync method is fine: it runs in a thread."""
        return [
            {
                "id": name,
                "name": MODELS[name].name,
                "description": MODELS[name].description,
                "context_window": _CONTEXT_WINDOW,
                "max_tokens": _MAX_TOKENS,
            }
            for name in self._offered
        ]

    async def chat_completion(self, messages: list[dict[str, Any]], model: str, **kwargs: Any) -> dict[str, Any]:
        """The whole answer at once."""
        return collect([chunk async for chunk in self.stream_completion(messages, model, **kwargs)])

    async def stream_completion(
        self, messages: list[dict[str, Any]], model: str, **kwargs: Any
    ) -> AsyncIterator[dict[str, Any]]:
        """The answer in chunks. Parameters this plugin does not know (`temperature`, ...) are ignored.

        When the caller goes away, the `await` below raises CancelledError: nothing has to be cleaned up, so nothing
        catches it.
        """
        answer = self._answer(messages, model, kwargs)
        delay = max(0.0, float(kwargs.get("delay_ms", self._delay * 1000)) / 1000)
        common = _common(model)
        budget, spent = _budget(kwargs), 0
        finish = "tool_calls" if answer.calls else "stop"
        for delta in _deltas(answer):
            if spent == budget:
                finish = "length"
                break
            spent += 1
            await asyncio.sleep(delay)
            yield common | {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
        yield common | {"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]}
        yield common | {"choices": [], "usage": _usage(messages, spent)}

    def _answer(self, messages: list[dict[str, Any]], model: str, params: dict[str, Any]) -> Answer:
        """Decide what to say: call tools when the user asks for one, else what the model is for."""
        if model not in self._offered:
            raise PluginError(f"there is no model {model!r}: this plugin offers {', '.join(self._offered)}")
        if messages and messages[-1].get("role") == "user" and params.get("tool_choice") != "none":
            calls, missing = wanted_calls(text_of(messages[-1]), _offered_tools(params))
            refusal = f"I was not offered {' or '.join(missing)}, so I cannot use it." if missing else ""
            if calls or missing:
                return Answer(refusal, calls=_with_ids(calls, messages))
        answer = write(model, messages)
        return Answer(f"{self._greeting} {answer.text}".lstrip(), reasoning=answer.reasoning)


def _deltas(answer: Answer) -> list[dict[str, Any]]:
    """The answer as what changes from chunk to chunk; each counts as one token."""
    found: list[dict[str, Any]] = [{"reasoning_content": piece} for piece in pieces(answer.reasoning)]
    found += [{"content": piece} for piece in pieces(answer.text)]
    found += [delta for index, call in enumerate(answer.calls) for delta in call_deltas(index, call)]
    if found:
        found[0] = {"role": "assistant"} | found[0]
    return found


def _common(model: str) -> dict[str, Any]:
    """What all chunks of one answer share. The id is unique: middlewares tell answers apart by it."""
    identity = f"chatcmpl-{uuid.uuid4().hex}"
    return {"id": identity, "object": "chat.completion.chunk", "created": int(time.time()), "model": model}


def _with_ids(calls: list[tuple[str, dict[str, Any]]], messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {
            "id": f"call_{_fingerprint([messages, index])}",
            "type": "function",
            "function": {"name": name, "arguments": json.dumps(arguments, ensure_ascii=False)},
        }
        for index, (name, arguments) in enumerate(calls)
    ]


def _fingerprint(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()[:20]


def _offered_tools(params: dict[str, Any]) -> set[str]:
    return {tool["function"]["name"] for tool in params.get("tools") or () if "function" in tool}


def _budget(params: dict[str, Any]) -> int:
    asked = params.get("max_tokens") or params.get("max_completion_tokens") or _MAX_TOKENS
    return max(1, min(int(asked), _MAX_TOKENS))


def _usage(messages: list[dict[str, Any]], completion: int) -> dict[str, int]:
    prompt = sum(count_tokens(text_of(message)) for message in messages)
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
