"""What models are told of each action."""

from __future__ import annotations

from typing import Any

from .lengths import UNITS

__all__ = ["ACTIONS"]

_MOMENT = "ISO 8601, or as people write it: 4 March 2026 3:30 pm, tomorrow at noon, in 3 days, next friday"
_ZONE = "An IANA time zone such as Europe/Berlin, a large city, or an offset such as +02:00; the default is set"


def _text(description: str) -> dict[str, Any]:
    return {"type": "string", "description": description, "maxLength": 200}


def _action(name: str, description: str, required: list[str], **properties: Any) -> dict[str, Any]:
    parameters = {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
    return {"name": name, "description": description, "parameters": parameters, "destructive": False}


ACTIONS: list[dict[str, Any]] = [
    _action("now", "The current date and time, in a time zone.", [], zone=_text(_ZONE)),
    _action(
        "difference",
        "How long it is from one moment to another: in years to seconds, in days, in working days.",
        ["start", "end"],
        start=_text(_MOMENT),
        end=_text(_MOMENT),
        zone=_text(_ZONE),
    ),
    _action(
        "add",
        "The moment so much after another one; negative numbers go back.",
        [],
        moment=_text(f"{_MOMENT}; now, when it is left out"),
        zone=_text(_ZONE),
        **{unit: {"type": "number", "description": f"How many {unit}"} for unit in UNITS},
    ),
    _action(
        "convert",
        "What a moment is in other time zones.",
        ["to"],
        moment=_text(f"{_MOMENT}; now, when it is left out"),
        to={
            "type": "array",
            "items": {"type": "string"},
            "minItems": 1,
            "maxItems": 20,
            "description": "The zones to convert to",
        },
        zone=_text(f"The zone that the moment is in. {_ZONE}"),
    ),
    _action(
        "parse",
        "Understand a date that a person wrote, and tell its weekday, week, day of the year and Unix time.",
        ["text"],
        text=_text(_MOMENT),
        zone=_text(_ZONE),
    ),
    _action(
        "calendar",
        "The calendar of one month, with the weekday of each day.",
        [],
        year={"type": "integer", "minimum": 1, "maximum": 9999},
        month={"type": "integer", "minimum": 1, "maximum": 12},
    ),
]
