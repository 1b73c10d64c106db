"""Names of tools that Cohere takes: letters, digits and underscores, no digit in front."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["Names"]


class Names:
    """The tools of one request by two names: the studio's and one that Cohere takes."""

    def __init__(self, tools: Iterable[Mapping[str, Any]]) -> None:
        self._theirs: dict[str, str] = {}
        self._ours: dict[str, str] = {}
        for tool in tools:
            self.theirs(tool.get("function", {}).get("name", ""))

    def theirs(self, name: str) -> str:
        """What Cohere calls it; names that would be the same get a number."""
        if name not in self._theirs:
            safe = re.sub(r"^(?=\d)|[^A-Za-z0-9_]", "_", name)
            count = sum(taken == safe or taken.startswith(f"{safe}_again") for taken in self._ours)
            self._theirs[name] = f"{safe}_again{count}" if count else safe
            self._ours[self._theirs[name]] = name
        return self._theirs[name]

    def ours(self, name: str) -> str:
        """What the studio calls it; a name that the model made up stays as it is."""
        return self._ours.get(name, name)
