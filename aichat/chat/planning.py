"""From a registry to a plan: who takes part in an answer. What plugins say of themselves is asked once a generation."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Any

from aichat.chat.errors import ChatError
from aichat.chat.listings import Problem, action_problem, model_problem, seconds, usable
from aichat.chat.plan import Middleware, Plan, Plugins, Pricing, Provider, Tool, model_not_found, split_model
from plugins_app.sdk import PluginType
from plugins_app.selectors.registry import Registry, ServingPlugin

__all__ = ["Catalog", "make_plan", "tool_name"]

_log = logging.getLogger(__name__)
_ASK_TIMEOUT_S = 10.0
_SLOW_S = 1.0  # a plugin that fails as slowly is not asked again at once: each chat would wait for it
_MODELS_MAX_AGE_S = 60.0  # a provider's list may change without a new generation: models get pulled, keys upgraded
_ACTIONS_MAX_AGE_S = 30.0  # and so may a tool's: a bridge has those of the server behind it
_PROVIDER_TIMEOUT_S, _TOOL_TIMEOUT_S, _MIDDLEWARE_TIMEOUT_S = 300.0, 60.0, 10.0
_UNFIT = re.compile(r"[^a-zA-Z0-9_-]")

_Key = tuple[str, int | None]
#: Lists of plugins, and when they were asked.
_Lists = dict[_Key, tuple[float, list[dict[str, Any]]]]


class Catalog:
    """The models and actions of plugins, remembered by generation."""

    def __init__(self) -> None:
        self._models: _Lists = {}
        self._actions: _Lists = {}

    async def models(self, providers: Sequence[ServingPlugin], calls: Plugins) -> list[dict[str, Any]]:
        """All models of these providers, as `GET /api/models` shows them."""
        lists = await asyncio.gather(*(self.models_of(provider, calls) for provider in providers))
        return [_model(provider, model) for provider, models in zip(providers, lists, strict=True) for model in models]

    async def models_of(self, provider: ServingPlugin, calls: Plugins, max_age: float = _MODELS_MAX_AGE_S) -> list[Any]:
        """The models one provider has; none when it cannot say."""
        return await _kept(self._models, provider, "get_available_models", model_problem, calls, max_age)

    async def check_model(self, model: str, registry: Registry, calls: Plugins) -> ServingPlugin:
        """The provider that serves `model` now. One that lists no models takes any name.

        Raises:
            ChatError: there is no such model, or its provider does not serve.
        """
        plugin_id, name = split_model(model)
        provider = registry.serving.get(plugin_id)
        if provider is None or provider.type != PluginType.PROVIDER:
            raise _refuse(registry, model)
        for max_age in (_MODELS_MAX_AGE_S, 1.0):
            models = await self.models_of(provider, calls, max_age)
            if not models or any(one["id"] == name for one in models):
                return provider
        raise model_not_found(model)

    async def tools(self, plugins: Iterable[ServingPlugin], calls: Plugins) -> dict[str, Tool]:
        """What these tool plugins offer, by the name a model calls it."""
        found = list(plugins)
        actions = await asyncio.gather(*(self._actions_of(plugin, calls) for plugin in found))
        tools: dict[str, Tool] = {}
        for plugin, some in zip(found, actions, strict=True):
            for action in {action["name"]: action for action in some}.values():
                tool = _tool(plugin, action, tools)
                tools[tool.name] = tool
        return tools

    async def _actions_of(self, plugin: ServingPlugin, calls: Plugins) -> list[dict[str, Any]]:
        return await _kept(self._actions, plugin, "get_actions", action_problem, calls, _ACTIONS_MAX_AGE_S)

    def pricing(self, model: str) -> Mapping[str, Any] | None:
        """The prices of a model, as its provider last listed them."""
        plugin_id, _, name = model.partition("/")
        listed = next((models for (owner, _), (_, models) in self._models.items() if owner == plugin_id), [])
        found = next((one.get("pricing") for one in listed if one["id"] == name), None)
        return found if isinstance(found, Mapping) else None


def make_plan(
    registry: Registry,
    tools: dict[str, Tool],
    without: frozenset[str] = frozenset(),
    pricing: Pricing | None = None,
) -> Plan:
    """Everyone who takes part now; `without` are middlewares left out because the call comes from them."""
    providers = {
        plugin.id: Provider(plugin.id, plugin.generation, plugin.limit("call_timeout_s", _PROVIDER_TIMEOUT_S))
        for plugin in registry.of_type(PluginType.PROVIDER)
    }
    middlewares = [
        _middleware(plugin) for plugin in registry.expected_of_type(PluginType.MIDDLEWARE) if plugin.id not in without
    ]
    return Plan(providers, middlewares, tools, lambda model: _refuse(registry, model), pricing)


def tool_name(plugin_id: str, action: str, taken: Container[str] = ()) -> str:
    """The name a model calls an action by, not one of `taken`; APIs take letters, digits, `_` and `-`, 64 of them."""
    plain = _UNFIT.sub("_", f"{plugin_id}__{action}")
    names = (plain[:64], *(f"{plain[:59]}_{number}" for number in range(2, 10_000)))
    return next(name for name in names if name not in taken)


def _refuse(registry: Registry, model: str) -> ChatError:
    plugin_id = split_model(model)[0]
    plugin = registry.serving.get(plugin_id) or registry.expected.get(plugin_id)
    if plugin_id not in registry.states or (plugin is not None and plugin.type != PluginType.PROVIDER):
        return model_not_found(model)
    reason = registry.why_not(plugin_id)
    return ChatError(reason.code, reason.detail, retry_after=reason.retry_after, plugin_id=plugin_id)


def _middleware(plugin: ServingPlugin) -> Middleware:
    declared = plugin.metadata.get("middleware") or {}
    return Middleware(
        plugin.id,
        plugin.generation,
        int(declared.get("priority", 100)),
        str(declared.get("on_error", "fail")),
        plugin.limit("call_timeout_s", _MIDDLEWARE_TIMEOUT_S),
    )


def _model(provider: ServingPlugin, model: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": f"{provider.id}/{model['id']}",
        "name": model.get("name") or model["id"],
        "description": model.get("description") or "",
        "context_window": model.get("context_window"),
        "max_tokens": model.get("max_tokens"),
        "created": int(seconds(model.get("created")) or 0),
        "kind": "embedding" if model.get("kind") == "embedding" else "chat",
        "capabilities": _words(model.get("capabilities")),
        "pricing": model["pricing"] if isinstance(model.get("pricing"), Mapping) else None,
        "plugin_id": provider.id,
    }


def _words(found: Any) -> list[str]:
    return [word for word in found if isinstance(word, str)] if isinstance(found, list | tuple) else []


def _tool(plugin: ServingPlugin, action: dict[str, Any], taken: Container[str]) -> Tool:
    return Tool(
        tool_name(plugin.id, action["name"], taken),
        plugin.id,
        action["name"],
        action.get("description") or "",
        action.get("parameters") or {},
        seconds(action.get("timeout_s")) or plugin.limit("call_timeout_s", _TOOL_TIMEOUT_S),
        str(action.get("title") or ""),
        bool(action.get("destructive")),
    )


async def _kept(
    lists: _Lists, plugin: ServingPlugin, method: str, problem_of: Problem, calls: Plugins, max_age: float
) -> list[dict[str, Any]]:
    """A plugin's list, asked for when the one that is kept is older; when it cannot say, the kept one or none."""
    key = _key(plugin, lists)
    before = lists.get(key)
    began = time.monotonic()
    if before is not None and began - before[0] < max_age:
        return before[1]
    found = await _ask(plugin, method, problem_of, calls)
    if found is None:
        found = before[1] if before else []
        if time.monotonic() - began < _SLOW_S:
            return found
    _forget(lists, plugin.id)
    lists[key] = (time.monotonic(), found)
    return found


async def _ask(plugin: ServingPlugin, method: str, problem_of: Problem, calls: Plugins) -> list[dict[str, Any]] | None:
    """A plugin's list of what it has; None, and a line in the log, when it cannot say."""
    try:
        answer = await calls.call(plugin.id, method, [], timeout=_ASK_TIMEOUT_S)
    except ChatError as error:
        _log.warning("%s of %s failed: %s: %s", method, plugin.id, error.code, error.detail)
        return None
    return usable(answer, f"{method} of {plugin.id}", problem_of)


def _key(plugin: ServingPlugin, kept: dict[_Key, Any]) -> _Key:
    """What is known of a plugin goes by its generation; while its process restarts, what was known before holds."""
    if plugin.generation is None:
        return next((key for key in kept if key[0] == plugin.id), (plugin.id, None))
    return plugin.id, plugin.generation


def _forget(kept: dict[_Key, Any], plugin_id: str) -> None:
    """Drop what older generations said."""
    for key in [key for key in kept if key[0] == plugin_id]:
        del kept[key]
