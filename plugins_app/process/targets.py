"""What a call means: the plugin's method of that name, if it may be called, and whether the arguments fit."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from plugins_app.sdk.base import BasePlugin
from plugins_app.sdk.methods import LIFECYCLE_METHODS, MethodInfo
from plugins_app.wire import Call

__all__ = ["CallRejected", "Target", "Targets"]

_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


class CallRejected(Exception):
    """A call that cannot be made; `code` is one of the wire's stable codes."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Target:
    """A bound method and what is known of it; looked at once, since looking takes longer than most calls."""

    kind: Literal["coroutine", "generator", "thread"]

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.kind = "thread"
        if inspect.iscoroutinefunction(function):
            self.kind = "coroutine"
        elif inspect.isasyncgenfunction(function):
            self.kind = "generator"
        self._signature = inspect.signature(function)
        parameters = self._signature.parameters.values()
        positional = [each for each in parameters if each.kind in _POSITIONAL]
        self._names = frozenset(each.name for each in positional)
        self._most = len(positional)
        self._least = sum(each.default is inspect.Parameter.empty for each in positional)
        self._takes_any = any(each.kind is inspect.Parameter.VAR_KEYWORD for each in parameters)
        self._is_simple = all(each.kind is not inspect.Parameter.KEYWORD_ONLY for each in parameters)

    def check(self, arguments: Sequence[Any], keywords: Mapping[str, Any]) -> None:
        """Raise TypeError when the arguments do not fit."""
        is_positional = self._is_simple and self._least <= len(arguments) <= self._most
        if is_positional and (not keywords or (self._takes_any and self._names.isdisjoint(keywords))):
            return  # the usual case, without the cost of binding
        self._signature.bind(*arguments, **keywords)


class Targets:
    """The methods of one plugin that can be called."""

    def __init__(self, plugin: BasePlugin, declared: Mapping[str, MethodInfo]) -> None:
        self._plugin, self._declared = plugin, declared
        self._known: dict[str, tuple[Any, Target]] = {}

    def resolve(self, call: Call) -> Target:
        """The method of a call whose arguments fit.

        Raises:
            CallRejected: the method is private, of the lifecycle, undeclared or unknown, or the arguments do not fit.
        """
        target = self._target(call.method)
        try:
            target.check(call.args, call.kwargs)
        except TypeError as error:
            raise CallRejected("arguments_invalid", f"{call.method}: {error}") from error
        return target

    def _target(self, name: str) -> Target:
        if name not in self._declared:
            raise self._rejected(name)
        function = getattr(self._plugin, name)
        known = self._known.get(name)
        if known is None or known[0] != function:  # a plugin may set another on its instance
            known = self._known[name] = (function, Target(function))
        return known[1]

    def _rejected(self, name: str) -> CallRejected:
        if name.startswith("_"):
            return CallRejected("method_private", f"{name} is private to the plugin")
        if name in LIFECYCLE_METHODS:
            text = f"{name} belongs to the plugin's lifecycle; use load, reload or unload"
            return CallRejected("method_lifecycle", text)
        if hasattr(type(self._plugin), name):
            return CallRejected("method_undeclared", f"{name} is not declared; mark it with @method() in the plugin")
        known = ", ".join(sorted(self._declared)) or "none"
        return CallRejected("method_not_found", f"the plugin has no method {name}; it has: {known}")
