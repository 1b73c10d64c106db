"""Working a tree out: fractions as long as a result is exact, floats where mathematics leaves no choice.

Everything is bounded before it is calculated, so that no expression takes noticeable time or memory.
"""

from __future__ import annotations

import difflib
import math
import statistics
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from .errors import CalculatorError
from .syntax import Apply, Constant, Node, Number, parse

__all__ = ["MAX_DIGITS", "Value", "evaluate"]

Value = Fraction | float

#: Python prints integers of up to 4,300 digits; nobody reads even that.
MAX_DIGITS = 4000
_MAX_BITS = int(MAX_DIGITS * math.log2(10))
_MAX_FACTORIAL = 1400
_MAX_COMBINATION = 10_000
CONSTANTS: dict[str, float] = {"pi": math.pi, "e": math.e, "tau": math.tau, "phi": (1 + math.sqrt(5)) / 2}


def evaluate(expression: str) -> Value:
    """The value of `expression`. Raises CalculatorError in words a person or a model can act on."""
    return _value(parse(expression), expression)


def _value(node: Node, source: str) -> Value:
    if isinstance(node, Number):
        return _literal(node)
    if isinstance(node, Constant):
        if node.name not in CONSTANTS:
            raise _unknown(node.name, node.position)
        return CONSTANTS[node.name]
    return _bounded(_apply(node, source), node)


def _literal(node: Number) -> Fraction:
    text = node.text.replace("_", "")
    if text[:2] in ("0x", "0b"):
        value = Fraction(int(text, 0))
    else:
        exponent = text.partition("e")[2]
        if exponent and (len(exponent) > 6 or abs(int(exponent)) > MAX_DIGITS):
            raise CalculatorError(f"the number {node.text} is too large or too small", node.position)
        value = Fraction(text)
    return value


def _apply(node: Apply, source: str) -> Value:
    if node.name not in FUNCTIONS:
        raise _unknown(node.name, node.position)
    function, fewest, most = FUNCTIONS[node.name]
    if not fewest <= len(node.arguments) <= most:
        raise CalculatorError(f"{node.name} takes {_count(fewest, most)}, not {len(node.arguments)}", node.position)
    arguments = [_value(argument, source) for argument in node.arguments]
    try:
        return function(*arguments)
    except ZeroDivisionError:
        raise CalculatorError(f"division by zero in {_shortened(source)}", node.position) from None
    except OverflowError:
        raise CalculatorError(f"the result of {node.name} is too large", node.position) from None
    except (ValueError, TypeError) as error:
        shown = ", ".join(_brief(argument) for argument in arguments)
        reason = str(error) if isinstance(error, _Undefined) else "is not defined there"
        raise CalculatorError(f"{node.name}({shown}) {reason}", node.position) from None


class _Undefined(ValueError):
    """A function has no value for these arguments; the message completes "f(x) ..."."""


def _bounded(value: Value, node: Apply) -> Value:
    if isinstance(value, float):
        if not math.isfinite(value):
            raise CalculatorError(f"the result of {node.name} is too large", node.position)
    elif max(value.numerator.bit_length(), value.denominator.bit_length()) > _MAX_BITS:
        raise CalculatorError(f"the result of {node.name} has more than {MAX_DIGITS} digits", node.position)
    return value


def _unknown(name: str, position: int) -> CalculatorError:
    near = difflib.get_close_matches(name, [*_PUBLIC, *CONSTANTS], n=1)
    return CalculatorError(f"unknown name {name!r}" + (f", did you mean {near[0]!r}?" if near else ""), position)


def _count(fewest: int, most: int) -> str:
    if fewest == most:
        return f"{fewest} argument{'s' * (fewest != 1)}"
    return f"{fewest} or more arguments" if most == _MANY else f"{fewest} to {most} arguments"


def _brief(value: Value) -> str:
    return f"{float(value):g}" if -1e300 < value < 1e300 else "a huge number"


def _shortened(source: str) -> str:
    return source if len(source) <= 60 else source[:59] + "…"


def _power(base: Value, exponent: Value) -> Value:
    if isinstance(base, Fraction) and isinstance(exponent, Fraction):
        if exponent.denominator == 1:
            return _exact_power(base, exponent.numerator)
        if exponent == Fraction(1, 2):
            return _root(base)
    if base < 0 and exponent != math.floor(exponent):
        raise _Undefined("is not a real number")
    return float(base) ** float(exponent)


def _exact_power(base: Fraction, exponent: int) -> Fraction:
    size = max(base.numerator.bit_length(), base.denominator.bit_length())
    if base not in (0, 1, -1) and (size - 1) * abs(exponent) > _MAX_BITS:
        raise OverflowError
    # 0, 1 and -1 stay themselves whatever the exponent: only whether it is even matters.
    if base in (0, 1, -1) and exponent > 2:
        exponent = 2 - exponent % 2
    return base**exponent


def _root(value: Value) -> Value:
    """The square root: exact where there is an exact one."""
    if value < 0:
        raise _Undefined("is not a real number")
    if isinstance(value, Fraction):
        top, bottom = math.isqrt(value.numerator), math.isqrt(value.denominator)
        if top * top == value.numerator and bottom * bottom == value.denominator:
            return Fraction(top, bottom)
    return math.sqrt(value)


def _whole(value: Value) -> int:
    if value != math.floor(value):
        raise _Undefined("needs whole numbers")
    return int(value)


def _factorial(value: Value) -> Fraction:
    n = _whole(value)
    if n < 0:
        raise _Undefined("is not defined for negative numbers")
    if n > _MAX_FACTORIAL:
        raise OverflowError
    return Fraction(math.factorial(n))


def _counting(function: Callable[[int, int], int]) -> Callable[[Value, Value], Fraction]:
    def apply(n: Value, k: Value) -> Fraction:
        if _whole(n) < 0 or _whole(k) < 0:
            raise _Undefined("is not defined for negative numbers")
        if n > _MAX_COMBINATION:
            raise OverflowError
        return Fraction(function(int(n), int(k)))

    return apply


def _of_integers(function: Callable[..., int]) -> Callable[..., Fraction]:
    return lambda *values: Fraction(function(*map(_whole, values)))


def _real(function: Callable[..., float]) -> Callable[..., Value]:
    """A function of the reals; a result like sin(pi), zero but for the last bits, is rounded to 15 places."""

    def apply(*values: Value) -> Value:
        result = function(*map(float, values))
        return round(result, 15) if abs(result) < 1 else result

    return apply


def _plain(function: Callable[..., float]) -> Callable[..., float]:
    return lambda *values: function(*map(float, values))


def _log(value: Value, base: Value | None = None) -> Value:
    if value <= 0 or (base is not None and (base <= 0 or base == 1)):
        raise _Undefined("is not defined there")
    if base is None or base == 10:
        result = _log_of(value, math.log10)
    else:
        result = _log_of(value, math.log) / _log_of(base, math.log)
    nearest = round(result)
    # log(1000) is 3 and log(8, 2) is 3, although floats say 2.9999999999999996.
    if isinstance(value, Fraction) and math.isclose(result, nearest, rel_tol=1e-14):
        exact_base = Fraction(10) if base is None else base
        if isinstance(exact_base, Fraction) and abs(nearest) < _MAX_BITS and exact_base**nearest == value:
            return Fraction(nearest)
    return result


def _log_of(value: Value, function: Callable[[Any], float]) -> float:
    if isinstance(value, Fraction):
        # math.log takes integers of any size, which a float could not hold.
        return function(value.numerator) - function(value.denominator)
    return function(value)


def _round(value: Value, places: Value = Fraction(0)) -> Value:
    digits = _whole(places)
    if abs(digits) > MAX_DIGITS:
        raise OverflowError
    scale = Fraction(10) ** digits
    scaled = Fraction(value) * scale
    # Half away from zero, as people round; Python's own round goes to the even neighbour.
    nearest = math.floor(abs(scaled) + Fraction(1, 2))
    return Fraction(nearest if scaled >= 0 else -nearest) / scale


_MANY = 1000
_OPERATORS: dict[str, tuple[Callable[..., Value], int, int]] = {
    "add": (lambda a, b: a + b, 2, 2),
    "subtract": (lambda a, b: a - b, 2, 2),
    "multiply": (lambda a, b: a * b, 2, 2),
    "divide": (lambda a, b: a / b, 2, 2),
    "floor_divide": (lambda a, b: Fraction(math.floor(a / b)), 2, 2),
    "remainder": (lambda a, b: a % b, 2, 2),
    "negate": (lambda a: -a, 1, 1),
    "percent": (lambda a: a / 100, 1, 1),
    "power": (_power, 2, 2),
}
_PUBLIC: dict[str, tuple[Callable[..., Value], int, int]] = {
    "sqrt": (_root, 1, 1),
    "cbrt": (lambda a: round(math.copysign(abs(float(a)) ** (1 / 3), a), 14), 1, 1),
    "abs": (abs, 1, 1),
    "sign": (lambda a: Fraction((a > 0) - (a < 0)), 1, 1),
    "round": (_round, 1, 2),
    "floor": (lambda a: Fraction(math.floor(a)), 1, 1),
    "ceil": (lambda a: Fraction(math.ceil(a)), 1, 1),
    "trunc": (lambda a: Fraction(math.trunc(a)), 1, 1),
    "min": (min, 1, _MANY),
    "max": (max, 1, _MANY),
    "sum": (lambda *a: sum(a, Fraction(0)), 1, _MANY),
    "mean": (lambda *a: sum(a, Fraction(0)) / len(a), 1, _MANY),
    "median": (lambda *a: statistics.median(a), 1, _MANY),
    "mod": (lambda a, b: a % b, 2, 2),
    "power": (_power, 2, 2),
    "gcd": (_of_integers(math.gcd), 1, _MANY),
    "lcm": (_of_integers(math.lcm), 1, _MANY),
    "factorial": (_factorial, 1, 1),
    "comb": (_counting(math.comb), 2, 2),
    "perm": (_counting(math.perm), 2, 2),
    "exp": (_plain(math.exp), 1, 1),
    "ln": (lambda a: _log(a, math.e), 1, 1),
    "log": (_log, 1, 2),
    "log10": (_log, 1, 1),
    "log2": (lambda a: _log(a, Fraction(2)), 1, 1),
    **{name: (_real(getattr(math, name)), 1, 1) for name in ("sin", "cos", "tan", "asin", "acos", "atan")},
    **{name: (_plain(getattr(math, name)), 1, 1) for name in ("sinh", "cosh", "tanh", "degrees", "radians")},
    "atan2": (_real(math.atan2), 2, 2),
    "hypot": (lambda *a: _root(sum((x * x for x in a), Fraction(0))), 1, _MANY),
}
FUNCTIONS = _OPERATORS | _PUBLIC
