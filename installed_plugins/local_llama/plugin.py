"""A provider that runs real models in its own process."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any

from plugins_app.sdk import ConfigError, PluginError, ProviderPlugin, UpstreamError

from .calling import CallWatcher, Tools, made_before, rounds_made
from .context import TooLong, without_oldest
from .loading import Loaded
from .shapes import call_chunk, clean_chunk, prepared, request_for, usage_chunk
from .weights import Model, models_of

_CONCURRENCY = 8
#: Tokens for a call, whatever a request allows an answer: half a call is of no use.
_SHORTEST_CALL = 256


class LocalLlama(ProviderPlugin):
    """SmolLM2-135M-Instruct, and other models in GGUF files, by llama.cpp."""

    _models: dict[str, Model]
    _loaded: Loaded | None = None

    async def validate_config(self) -> bool:
        """An answer must fit into the context window; files must be there and may be read."""
        window, answer = self.get_config("context_window", 4096), self.get_config("max_tokens", 512)
        if answer >= window:
            errors = [{"pointer": "/max_tokens", "message": f"must be less than context_window ({window})"}]
            raise ConfigError(f"max_tokens ({answer}) must be less than context_window ({window})", errors)
        self._models = models_of(self.config)
        return True

    async def initialize(self) -> bool:
        """Load the first model now: half a second here rather than in somebody's first answer."""
        self._loaded = Loaded(self.config, concurrency=_CONCURRENCY)
        await self._loaded.engine(next(iter(self._models.values())))
        return True

    async def shutdown(self) -> None:
        """Stop generating and free the memory."""
        loaded, self._loaded = self._loaded, None
        if loaded is not None:
            await loaded.close()

    def get_available_models(self) -> list[dict[str, Any]]:
        """The built-in model and those of the configuration."""
        return [
            {
                "id": model.id,
                "name": model.name,
                "description": model.description,
                "context_window": model.context,
                "max_tokens": min(self.get_config("max_tokens", 512), model.context - 1),
                "capabilities": ["tools", "json"],
                "pricing": {"prompt": 0.0, "completion": 0.0},
                "kind": "chat",
            }
            for model in self._models.values()
        ]

    async def stream_completion(
        self, messages: list[dict[str, Any]], model: str, **kwargs: Any
    ) -> AsyncIterator[dict[str, Any]]:
        """The answer, token by token; cancelling stops the generation."""
        if model not in self._models:
            raise PluginError(f"there is no model {model!r}: this plugin has {', '.join(self._models)}")
        answer = _Answer(self._models[model], kwargs)
        if not answer.tools.forced and rounds_made(messages) >= self.get_config("tool_rounds", 1):
            answer.tools = Tools()
        chunks = self._fitting(answer, messages, kwargs)
        async with aclosing(chunks):
            async for chunk in chunks:
                yield chunk

    async def _fitting(
        self, answer: _Answer, messages: list[dict[str, Any]], params: dict[str, Any]
    ) -> AsyncGenerator[dict[str, Any], None]:
        """The answer to as much of the conversation as the model can see, as the configuration says."""
        while True:
            try:
                async with aclosing(self._answered(answer, messages, params)) as chunks:
                    async for chunk in chunks:
                        yield chunk
                return
            except TooLong as error:
                if self.get_config("overflow", "error") != "drop_oldest":
                    raise
                fewer = without_oldest(messages, error, params.get("max_tokens") or self.get_config("max_tokens", 512))
                answer.dropped += len(messages) - len(fewer)
                messages = fewer

    async def _answered(
        self, answer: _Answer, messages: list[dict[str, Any]], params: dict[str, Any]
    ) -> AsyncGenerator[dict[str, Any], None]:
        """Free text first, unless a call is demanded; what begins as a call is written again under a grammar."""
        tools = answer.tools
        request = request_for(prepared(messages, tools.instructions), params, self._defaults)
        if not tools.forced:
            async with aclosing(self._text(answer, request)) as chunks:
                async for chunk in chunks:
                    yield chunk
        if tools.forced or answer.wants_call:
            async with aclosing(self._called(answer, messages, params)) as chunks:
                async for chunk in chunks:
                    yield chunk
        yield usage_chunk(answer.common, answer.usage, answer.dropped)

    async def _called(
        self, answer: _Answer, messages: list[dict[str, Any]], params: dict[str, Any]
    ) -> AsyncGenerator[dict[str, Any], None]:
        """A tool call; or an answer in words, if the model wants what it has been told already."""
        plain = prepared(messages)
        demanded = [*plain[:-1], plain[-1] | {"content": f"{plain[-1]['content']}\n\n{answer.tools.demand}"}]
        call = await self._call(answer, request_for(demanded, params, self._defaults))
        if answer.tools.forced or not made_before(call, messages):
            yield call_chunk(answer.common, call)
            yield answer.end("tool_calls")
            return
        answer.tools = Tools()
        async with aclosing(self._text(answer, request_for(plain, params, self._defaults))) as chunks:
            async for chunk in chunks:
                yield chunk

    async def _text(self, answer: _Answer, request: dict[str, Any]) -> AsyncGenerator[dict[str, Any], None]:
        watcher = CallWatcher(active=answer.tools.offered and "json_schema" not in request)
        async with aclosing(self._raw(answer, request)) as chunks:
            async for chunk in chunks:
                for shown in watcher.shown(chunk):
                    yield shown
                if watcher.found:  # leaving stops the generation
                    answer.wants_call = True
                    return

    async def _call(self, answer: _Answer, request: dict[str, Any]) -> dict[str, Any]:
        """One tool call, written under a grammar that lets through nothing else."""
        text = ""
        limits = {"repeat_penalty": 1.0, "max_tokens": max(request["max_tokens"], _SHORTEST_CALL)}
        for schema in answer.tools.schemas():
            try:
                text = await self._written(answer, {**request, **limits, "json_schema": schema})
                break
            except UpstreamError as error:
                if error.status != 400:  # 400: a schema that llama.cpp makes no grammar of; the next one is simpler
                    raise
        return answer.tools.parsed(text)

    async def _written(self, answer: _Answer, request: dict[str, Any]) -> str:
        async with aclosing(self._raw(answer, request)) as chunks:
            return "".join(
                [choice["delta"].get("content") or "" async for chunk in chunks for choice in chunk["choices"]]
            )

    async def _raw(self, answer: _Answer, request: dict[str, Any]) -> AsyncGenerator[dict[str, Any], None]:
        """The chunks of one generation, in the answer's name; its usage is added up."""
        if self._loaded is None:
            raise PluginError("the plugin is shutting down")
        async with (
            self._loaded.using(answer.model) as engine,
            aclosing(engine.stream(request)) as chunks,
        ):
            async for chunk in chunks:
                cleaned = clean_chunk(chunk, answer.model.id)
                answer.take(cleaned)
                if cleaned["choices"]:
                    yield answer.common | {"choices": cleaned["choices"]}

    @property
    def _defaults(self) -> dict[str, Any]:
        return {
            "temperature": self.get_config("temperature", 0.7),
            "repeat_penalty": self.get_config("repeat_penalty", 1.1),
            "max_tokens": self.get_config("max_tokens", 512),
        }


class _Answer:
    """What one answer is made of while it grows."""

    def __init__(self, model: Model, params: dict[str, Any]) -> None:
        self.model, self.tools = model, Tools.of(params)
        self.common: dict[str, Any] = {"object": "chat.completion.chunk", "model": model.id}
        self.usage: dict[str, int] = {}
        self.dropped = 0
        self.wants_call = False

    def take(self, chunk: dict[str, Any]) -> None:
        """An answer of two generations has the first one's id, and the tokens of both."""
        for key in ("id", "created"):
            if key in chunk:
                self.common.setdefault(key, chunk[key])
        for name, count in (chunk.get("usage") or {}).items():
            self.usage[name] = self.usage.get(name, 0) + count

    def end(self, reason: str) -> dict[str, Any]:
        """The chunk that says why the answer ended."""
        return self.common | {"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}
