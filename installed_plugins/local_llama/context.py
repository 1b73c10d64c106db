"""Conversations that are longer than a model can see."""

from __future__ import annotations

from typing import Any

from plugins_app.sdk import UpstreamError

__all__ = ["TooLong", "without_oldest"]


class TooLong(UpstreamError):
    """The conversation does not fit into the context window."""

    def __init__(self, tokens: int, window: int) -> None:
        super().__init__(
            f"the conversation has {tokens} tokens, but the model sees only {window}: shorten it, start a new one, "
            "raise the model's context in the plugin's settings, or set overflow to drop_oldest there",
            400,
            reason="context_length_exceeded",
        )
        self.tokens, self.window = tokens, window


def without_oldest(messages: list[dict[str, Any]], error: TooLong, answer: int) -> list[dict[str, Any]]:
    """The conversation without its oldest turns, so that there is room for the answer; what the system says stays.

    Raises:
        TooLong: there is nothing left to leave out.
    """
    sizes = [_size(message) for message in messages]
    room = max(1, error.window - min(answer, error.window // 2)) * sum(sizes) / max(1, error.tokens)
    spoken = [place for place, message in enumerate(messages) if message.get("role") not in ("system", "developer")]
    left_out: list[int] = []
    for place in spoken[:-1]:
        # A tool's result goes with the call that it belongs to.
        if left_out and sum(sizes) <= room and messages[place].get("role") != "tool":
            break
        left_out.append(place)
        sizes[place] = 0
    if not left_out:
        raise error
    return [message for place, message in enumerate(messages) if place not in left_out]


def _size(message: dict[str, Any]) -> int:
    return len(str(message.get("content") or "")) + len(str(message.get("tool_calls") or "")) + 10
