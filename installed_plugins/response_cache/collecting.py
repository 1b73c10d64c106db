"""An answer as its provider streams it, put together again.

What reaches `after_response` was changed by the `on_chunk` of the middlewares further out already: a cache that kept
that would give one user what was restored for another.
"""

from __future__ import annotations

from typing import Any

__all__ = ["Collected"]

_TEXTS = ("content", "reasoning_content", "refusal")


class Collected:
    """One choice of one answer."""

    def __init__(self) -> None:
        self._texts: dict[str, list[str]] = {}
        self._calls: dict[int, dict[str, Any]] = {}
        self._finish: str | None = None
        self.usage: dict[str, Any] | None = None
        self.is_empty = True

    def add(self, chunk: dict[str, Any]) -> None:
        """Take one chunk."""
        self.is_empty = False
        if chunk.get("usage"):
            self.usage = chunk["usage"]
        for choice in chunk.get("choices") or []:
            delta = choice.get("delta") or {}
            for name in _TEXTS:
                if isinstance(delta.get(name), str):
                    self._texts.setdefault(name, []).append(delta[name])
            for place, call in enumerate(delta.get("tool_calls") or []):
                self._add_call(call.get("index", place), call)
            self._finish = choice.get("finish_reason") or self._finish

    def _add_call(self, index: int, piece: dict[str, Any]) -> None:
        call = self._calls.setdefault(index, {"type": "function", "function": {"name": "", "arguments": ""}})
        if piece.get("id"):
            call["id"] = piece["id"]
        function = piece.get("function") or {}
        call["function"]["name"] += function.get("name") or ""
        call["function"]["arguments"] += function.get("arguments") or ""

    def choice(self) -> dict[str, Any]:
        """The choice as a whole answer has it."""
        message: dict[str, Any] = {"role": "assistant", "content": None}
        message |= {name: "".join(pieces) for name, pieces in self._texts.items()}
        if self._calls:
            message["tool_calls"] = [call for _, call in sorted(self._calls.items())]
        return {"index": 0, "message": message, "finish_reason": self._finish}
