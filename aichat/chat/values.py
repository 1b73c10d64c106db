"""What plugins return, as JSON and as a database takes it."""

from __future__ import annotations

import base64
import math
from typing import Any

import orjson

__all__ = ["as_json", "storable"]


def as_json(value: Any) -> bytes:
    """A value as JSON.

    Raises:
        TypeError: it is nested too deep, or a dict has keys that JSON has no word for.
    """
    return orjson.dumps(value, default=_json_value, option=orjson.OPT_NON_STR_KEYS)


def _json_value(value: Any) -> Any:
    """What JSON has no word for: bytes as everywhere in the API, anything else as its text."""
    if isinstance(value, bytes | bytearray | memoryview):
        return {"base64": base64.b64encode(value).decode()}
    return str(value)


def storable(value: Any) -> Any:
    """The value without what databases refuse: a NUL in texts, and in JSON numbers that are none."""
    if isinstance(value, str):
        return value.replace("\x00", "") if "\x00" in value else value
    if isinstance(value, dict):
        return {storable(key): storable(part) for key, part in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return [storable(part) for part in value] if isinstance(value, list) else value
