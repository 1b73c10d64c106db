"""What the pipeline works with: the plugins that take part in one answer, and how they are called."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Any, Literal, Protocol

from aichat.chat.errors import ChatError

__all__ = [
    "ChatRequest",
    "Emit",
    "Middleware",
    "Plan",
    "Plugins",
    "Pricing",
    "ProgressFn",
    "Provider",
    "Purpose",
    "Sticky",
    "Tool",
    "model_not_found",
    "split_model",
]

#: Takes an event's name and data; returns at once.
Emit = Callable[[str, dict[str, Any]], None]
ProgressFn = Callable[[float | None, str, Any], None]
#: The prices of a model by its full name: USD for a million tokens, `prompt` and `completion`; None when not known.
Pricing = Callable[[str], Mapping[str, Any] | None]
#: What a provider is called for: a conversation, an OpenAI client, a plugin's `context.chat`, a conversation's title.
Purpose = Literal["chat", "v1", "plugin", "title"]


class PluginStream(Protocol):
    """A plugin's answer in items; leaving the block early cancels the call in the plugin."""

    @property
    def generation(self) -> int | None: ...

    async def __aenter__(self) -> PluginStream: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None: ...

    def batches(self) -> AsyncIterator[list[Any]]:
        """All items that have arrived since the last batch; never none."""


class Plugins(Protocol):
    """Calling plugins, as one user. All raise `ChatError` and nothing else."""

    async def call(
        self,
        plugin_id: str,
        method: str,
        args: Sequence[Any],
        kwargs: Mapping[str, Any] | None = None,
        *,
        timeout: float,
        on_progress: ProgressFn | None = None,
    ) -> Any: ...

    def stream(
        self, plugin_id: str, method: str, args: Sequence[Any], kwargs: dict[str, Any], *, timeout: float
    ) -> PluginStream: ...

    def sticky(self) -> Sticky:
        """The same calls, each plugin's answered by one generation of it until they are released."""


class Sticky(Plugins, Protocol):
    """Calls that belong together."""

    def offers(self, plugin_id: str, method: str) -> bool:
        """Whether a plugin that was called has this method, so that optional ones cost no call; True if unknown."""

    def release(self) -> None:
        """They are over."""


@dataclass(frozen=True, slots=True)
class Provider:
    """A plugin that has models."""

    plugin_id: str
    generation: int | None = None
    timeout: float = 300


@dataclass(frozen=True, slots=True)
class Middleware:
    """A plugin that looks at requests and answers. `on_error` is "fail" or "skip"."""

    plugin_id: str
    generation: int | None = None
    priority: int = 100
    on_error: str = "fail"
    timeout: float = 10


@dataclass(frozen=True, slots=True)
class Tool:
    """One action of a tool plugin, under the name that models know it by."""

    name: str
    plugin_id: str
    action: str
    description: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    timeout: float = 60
    title: str = ""
    destructive: bool = False

    def to_openai(self) -> dict[str, Any]:
        """The tool as it is offered to a model."""
        parameters = {"type": "object", "properties": {}, **self.parameters}
        function = {"name": self.name, "description": self.description, "parameters": parameters}
        return {"type": "function", "function": function}


@dataclass(frozen=True, slots=True)
class Plan:
    """Who takes part in one answer.

    `refuse` says why a model's provider is not in `providers`, `pricing` what a model's tokens cost.
    """

    providers: Mapping[str, Provider]
    middlewares: Sequence[Middleware] = ()
    tools: Mapping[str, Tool] = field(default_factory=dict)
    refuse: Callable[[str], ChatError] | None = None
    pricing: Pricing | None = None

    def provider_of(self, model: str) -> tuple[Provider, str]:
        """The provider of `<plugin>/<model>`, and the model's name there.

        Raises:
            ChatError: there is no such provider, or it does not serve now.
        """
        plugin_id, name = split_model(model)
        provider = self.providers.get(plugin_id)
        if provider is None:
            raise self.refuse(model) if self.refuse else model_not_found(model)
        return provider, name


@dataclass(slots=True)
class ChatRequest:
    """What middlewares may change before a provider sees it. `params` are OpenAI's, `tools` among them.

    `round` counts the calls of a provider for one answer: tools are used between them. `request_id` is one call's.
    """

    model: str
    messages: list[dict[str, Any]]
    params: dict[str, Any]
    user: dict[str, Any] | None
    conversation_id: str | None = None
    purpose: Purpose = "chat"
    request_id: str = ""
    round: int = 0

    def to_dict(self) -> dict[str, Any]:
        """The request as a middleware gets it."""
        return {
            "model": self.model,
            "messages": self.messages,
            "params": self.params,
            "user": self.user,
            "conversation_id": self.conversation_id,
            "request_id": self.request_id,
            "purpose": self.purpose,
            "round": self.round,
        }

    def facts(self) -> dict[str, Any]:
        """What `after_response` is told of the request that led to the response."""
        return {
            "user": self.user,
            "conversation_id": self.conversation_id,
            "purpose": self.purpose,
            "model": self.model,
            "round": self.round,
        }

    def changed_to(self, data: Mapping[str, Any]) -> ChatRequest:
        """The request as a middleware returned it. Who asks, and where, is not a middleware's to change."""
        model, messages, params = data.get("model"), data.get("messages"), data.get("params", self.params)
        if not isinstance(model, str) or not isinstance(messages, list) or not isinstance(params, dict):
            raise ChatError("middleware_invalid", "it returned a request without model, messages or params")
        if not messages or not all(isinstance(one, dict) and isinstance(one.get("role"), str) for one in messages):
            raise ChatError("middleware_invalid", "it returned messages that are none: each is a dict with a role")
        return replace(self, model=model, messages=messages, params=params)


def model_not_found(model: str) -> ChatError:
    """The error for a model that nobody has."""
    return ChatError("model_not_found", f"There is no model {model!r}; GET /api/models lists them.")


def split_model(model: str) -> tuple[str, str]:
    """The plugin and the model's own name (which may have slashes of its own) of `<plugin>/<model>`."""
    plugin_id, slash, name = model.partition("/")
    if not slash or not plugin_id or not name:
        raise model_not_found(model)
    return plugin_id, name
