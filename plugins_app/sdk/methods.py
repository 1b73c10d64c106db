"""Which methods of a plugin can be called from outside.

Declared are the methods of the plugin's type, and those its author marks with `@method`. Everything else stays
private to the plugin, however public its name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from .metadata import PluginType

__all__ = ["LIFECYCLE_METHODS", "TYPE_METHODS", "MethodInfo", "declared_methods", "method"]

_F = TypeVar("_F", bound=Callable[..., Any])
_MARK = "__plugin_method__"


@dataclass(frozen=True, slots=True)
class MethodInfo:
    """How a method may be called: `idempotent` ones are repeated once when the process dies under them."""

    idempotent: bool = False


LIFECYCLE_METHODS = frozenset({"initialize", "shutdown", "validate_config", "migrate_state", "export_state"})

_ONCE, _REPEATABLE = MethodInfo(), MethodInfo(idempotent=True)
TYPE_METHODS: dict[PluginType, dict[str, MethodInfo]] = {
    PluginType.PROVIDER: {
        "chat_completion": _ONCE,
        "stream_completion": _ONCE,
        "get_available_models": _REPEATABLE,
        "embed": _REPEATABLE,
    },
    PluginType.TOOL: {"execute": _ONCE, "get_actions": _REPEATABLE},
    PluginType.MIDDLEWARE: {
        "before_request": _ONCE,
        "after_response": _ONCE,
        "on_chunk": _ONCE,
        "on_unfinished": _ONCE,
    },
    PluginType.EXPORT: {"export": _ONCE, "get_file_extension": _REPEATABLE, "get_media_type": _REPEATABLE},
    PluginType.UI: {},
}


def method(*, idempotent: bool = False) -> Callable[[_F], _F]:
    """Declare a method of your own as callable through the API: ``@method(idempotent=True)``."""

    def mark(function: _F) -> _F:
        setattr(function, _MARK, MethodInfo(idempotent=idempotent))
        return function

    return mark


def declared_methods(plugin_class: type, plugin_type: PluginType) -> dict[str, MethodInfo]:
    """The methods of this class that may be called from outside, by name."""
    found = {
        name: info for name, info in TYPE_METHODS[plugin_type].items() if callable(getattr(plugin_class, name, None))
    }
    for name in dir(plugin_class):
        info = getattr(getattr(plugin_class, name, None), _MARK, None)
        if isinstance(info, MethodInfo) and not name.startswith("_") and name not in LIFECYCLE_METHODS:
            found[name] = info
    return found
