"""What the calculator answers when it cannot calculate."""

from __future__ import annotations

from typing import Any

from plugins_app.sdk import PluginError

__all__ = ["CalculatorError"]


class CalculatorError(PluginError):
    """The expression or the conversion cannot be worked out; the message says why and, where known, where."""

    def __init__(self, message: str, position: int | None = None) -> None:
        super().__init__(message if position is None else f"{message} (at character {position + 1})")
        self.position = position

    @property
    def details(self) -> dict[str, Any]:
        return {} if self.position is None else {"position": self.position}
