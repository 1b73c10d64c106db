"""Finding out, without a mind, which tools a user asks for."""

from __future__ import annotations

import json
import re
from typing import Any

__all__ = ["wanted_calls"]

_USE = re.compile(r"\buse\s+(?P<plugin>[a-z0-9]+(?:-[a-z0-9]+)*)\.(?P<action>\w+)[\s:]*", re.IGNORECASE)
_SUM = re.compile(r"\b(?:calculate|compute|what(?:'s|\s+is))\s+(?P<sums>[^?;\n]+)", re.IGNORECASE)
_CONVERT = re.compile(
    r"\bconvert\s+(?P<value>-?\d+(?:\.\d+)?)\s*(?P<unit>\S+)\s+(?:to|into|in)\s+(?P<to>[^\s?!,;]+)", re.I
)
_NAMES = re.compile(r"\b[a-z][a-z0-9]*(?=\()|\b(?:pi|e|tau|of)\b", re.IGNORECASE)
_ARITHMETIC = re.compile(r"[\d\s.,+\-−*/×÷·^%!()]*")
_OPERATION = re.compile(r"[\d)!%]\s*[+\-−*/×÷·^%!]|\(|%|!")

Call = tuple[str, dict[str, Any]]


def wanted_calls(text: str, offered: set[str]) -> tuple[list[Call], list[str]]:
    """The calls (offered name, arguments) that `text` asks for, and the tools it names that were not offered.

    Understood: ``use <plugin>.<action> {"json": "arguments"}``, "calculate 2*21", "what is 2+2 and 3*4?",
    "convert 5 km to mi"; as often as they occur.
    """
    explicit = _explicit(text)
    calls = [call for call in explicit if call[0] in offered]
    missing = [name.replace("__", ".") for name, _ in explicit if name not in offered]
    if not explicit:
        calls = [call for call in _sums(text) + _conversions(text) if call[0] in offered]
    return calls, missing


def _explicit(text: str) -> list[Call]:
    return [
        (f"{match['plugin'].lower()}__{match['action']}", _arguments(text, match.end()))
        for match in _USE.finditer(text)
    ]


def _arguments(text: str, start: int) -> dict[str, Any]:
    """The JSON object that begins at `start`; an empty one when there is none."""
    try:
        value, _ = json.JSONDecoder().raw_decode(text, start)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _sums(text: str) -> list[Call]:
    found = [part.strip(" .,!=") for match in _SUM.finditer(text) for part in re.split(r"\band\b", match["sums"])]
    return [("calculator__evaluate", {"expression": part}) for part in found if _is_sum(part)]


def _is_sum(text: str) -> bool:
    """Whether this is arithmetic rather than prose: digits, operators, function calls, constants and nothing else."""
    return bool(_OPERATION.search(text)) and bool(_ARITHMETIC.fullmatch(_NAMES.sub("", text)))


def _conversions(text: str) -> list[Call]:
    return [
        (
            "calculator__convert",
            {
                "value": float(match["value"]),
                "from_unit": match["unit"],
                "to_unit": match["to"].rstrip("."),
            },
        )
        for match in _CONVERT.finditer(text)
    ]
