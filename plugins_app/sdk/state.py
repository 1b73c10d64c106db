"""What one generation of a plugin hands to the next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

__all__ = ["OldState", "state_of", "wants_state"]

#: The studio's own attributes of a plugin: each generation has its own.
_OURS = frozenset({"_config", "_context", "_metadata"})


class OldState(Mapping[str, Any]):
    """What the generation before left: ``old["counter"]``, ``old.get("counter", 0)`` or ``old.counter``.

    It is a copy of data, not the old instance, which goes on serving in its own process until the swap. `version` is
    the old plugin's version and `generation` its number.
    """

    def __init__(self, values: Mapping[str, Any], version: str = "", generation: int = 0) -> None:
        self._values, self.version, self.generation = dict(values), version, generation

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __getattr__(self, name: str) -> Any:
        if name == "_values" or name not in self._values:
            have = ", ".join(self.__dict__.get("_values", {})) or "nothing"
            raise AttributeError(f"the old generation left no {name}; it left: {have}")
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"<state of generation {self.generation}: {', '.join(self._values) or 'empty'}>"


def state_of(plugin: Any) -> dict[str, Any]:
    """The attributes of a plugin that are plain data; connections, locks and the like stay behind."""
    return {name: value for name, value in vars(plugin).items() if name not in _OURS and _is_plain(value)}


def _is_plain(value: Any) -> bool:
    try:
        msgspec.msgpack.encode(value)
    except (TypeError, ValueError, OverflowError, RecursionError):
        return False
    return True


def wants_state(plugin: Any) -> bool:
    """Whether the plugin takes over what the generation before leaves."""
    from .base import BasePlugin

    return type(plugin).migrate_state is not BasePlugin.migrate_state
