"""A tool that calculates exactly and converts units."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from plugins_app.sdk import ToolPlugin

from . import units
from .errors import CalculatorError
from .evaluate import evaluate
from .numbers import describe

_ACTIONS: list[dict[str, Any]] = [
    {
        "name": "evaluate",
        "description": "Work out an arithmetic expression exactly. Knows + - * / // % ^ ! ( ), percent (20% of 50), "
        "pi, e, tau, and functions such as sqrt, round, log, ln, sin, min, max, sum, mean, gcd, comb.",
        "parameters": {
            "type": "object",
            "properties": {
                "expression": {
                    "type": "string",
                    "description": "For example (0.1+0.2)*3 or sqrt(2)^2",
                    "maxLength": 1000,
                }
            },
            "required": ["expression"],
            "additionalProperties": False,
        },
        "destructive": False,
    },
    {
        "name": "convert",
        "description": "Convert a value between units of length, mass, temperature, data, time, area, volume, speed, "
        "energy, power, pressure or angle.",
        "parameters": {
            "type": "object",
            "properties": {
                "value": {"type": "number", "description": "How many of from_unit"},
                "from_unit": {"type": "string", "description": "For example km, lb, °F, GiB, hour"},
                "to_unit": {"type": "string", "description": "For example mi, kg, °C, MB, s"},
            },
            "required": ["value", "from_unit", "to_unit"],
            "additionalProperties": False,
        },
        "destructive": False,
    },
]


class Calculator(ToolPlugin):
    """Arithmetic and unit conversion. Nothing a model writes is ever run as code."""

    def get_actions(self) -> list[dict[str, Any]]:
        """What can be asked for."""
        return _ACTIONS

    def execute(self, action: str, parameters: dict[str, Any]) -> dict[str, Any]:
        """Do it; sync, so it runs in a thread."""
        actions: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "evaluate": self._evaluate,
            "convert": self._convert,
        }
        if action not in actions:
            raise CalculatorError(f"unknown action {action!r}: the calculator has {' and '.join(actions)}")
        return actions[action](parameters or {})

    @property
    def _digits(self) -> int:
        return int(self.get_config("significant_digits", 15))

    def _evaluate(self, parameters: dict[str, Any]) -> dict[str, Any]:
        expression = _text(parameters, "expression")
        return {"expression": expression} | describe(evaluate(expression), self._digits)

    def _convert(self, parameters: dict[str, Any]) -> dict[str, Any]:
        value = _number(parameters)
        source, target = units.find(_text(parameters, "from_unit")), units.find(_text(parameters, "to_unit"))
        described = describe(units.convert(value, source, target), self._digits)
        given = describe(value, self._digits)["result"]
        text = f"{given} {source.symbol} = {described['result']} {target.symbol}"
        return described | {"from_unit": source.symbol, "to_unit": target.symbol, "text": text}


def _text(parameters: dict[str, Any], name: str) -> str:
    value = parameters.get(name)
    if not isinstance(value, str):
        raise CalculatorError(f"{name!r} must be given as text")
    return value


def _number(parameters: dict[str, Any]) -> Fraction:
    """The value exactly as it was written: 0.1 is a tenth, not the float nearest to it."""
    value = parameters.get("value")
    if isinstance(value, str):
        return Fraction(evaluate(value))
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise CalculatorError("'value' must be given as a number")
    return Fraction(str(value))
