"""The parameters that a conversation keeps for its model: OpenAI's names and ranges."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

__all__ = ["ChatParams", "Count", "Seed", "checked_params"]

#: What plugins can be sent, and databases store.
Count = Annotated[int, Meta(ge=1, le=2**31 - 1)]
Seed = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]


class ChatParams(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """What a model may be told besides what was said. What is not set is the model's own choice."""

    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(gt=0, le=1)] | None = None
    max_tokens: Count | None = None
    stop: str | list[str] | None = None
    seed: Seed | None = None
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
