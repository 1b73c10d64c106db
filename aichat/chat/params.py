"""The parameters that a conversation keeps for its model: OpenAI's names and ranges."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

__all__ = ["ChatParams", "checked_params"]


class ChatParams(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """What a model may be told besides what was said. What is not set is the model's own choice."""

    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(gt=0, le=1)] | None = None
    max_tokens: Annotated[int, Meta(ge=1)] | None = None
    stop: str | list[str] | None = None
    seed: int | None = None
    presence_penalty: Annotated[float, Meta(ge=-2, le=2)] | None = None
    frequency_penalty: Annotated[float, Meta(ge=-2, le=2)] | None = None
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh"] | None = None
    response_format: dict[str, Any] | None = None

    def given(self) -> dict[str, Any]:
        """Those that are set."""
        found: dict[str, Any] = msgspec.to_builtins(self)
        return found


def checked_params(value: Any) -> dict[str, Any]:
    """The parameters that are set.

    Raises:
        msgspec.ValidationError: one is unknown or out of range.
    """
    return msgspec.convert(value, ChatParams).given()
