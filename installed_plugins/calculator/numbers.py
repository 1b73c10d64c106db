"""Writing a value down."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from .evaluate import Value

__all__ = ["describe", "exact_decimal", "rounded"]

_MAX_PLACES = 40
_MAX_FRACTION = 40


def describe(value: Value, digits: int) -> dict[str, Any]:
    """The value as text, as a number, and as a fraction where the decimals never end."""
    exact = exact_decimal(value) if isinstance(value, Fraction) else None
    found: dict[str, Any] = {
        "result": exact if exact is not None else rounded(value, digits),
        "value": _number(value),
        "exact": exact is not None,
    }
    if exact is None and isinstance(value, Fraction) and len(str(value)) <= _MAX_FRACTION:
        found["fraction"] = str(value)
    return found


def exact_decimal(value: Fraction) -> str | None:
    """All digits of `value`, or None when they never end or are too many to read."""
    places = _places(value.denominator)
    if places is None:
        return None
    digits = str(abs(value.numerator) * 10**places // value.denominator).rjust(places + 1, "0")
    sign = "-" if value < 0 else ""
    return sign + (f"{digits[:-places]}.{digits[-places:]}" if places else digits)


def _places(denominator: int) -> int | None:
    twos = fives = 0
    while denominator % 2 == 0 and twos <= _MAX_PLACES:
        denominator, twos = denominator // 2, twos + 1
    while denominator % 5 == 0 and fives <= _MAX_PLACES:
        denominator, fives = denominator // 5, fives + 1
    places = max(twos, fives)
    return places if denominator == 1 and places <= _MAX_PLACES else None


def rounded(value: Value, digits: int) -> str:
    """The first `digits` significant digits; with an exponent when the value is very large or very small."""
    if isinstance(value, Fraction) and not 1e-300 < abs(value) < 1e300:
        return _scientific(value, digits)
    return f"{float(value):.{digits}g}"


def _scientific(value: Fraction, digits: int) -> str:
    if value == 0:
        return "0"
    size, exponent = abs(value), len(str(abs(value.numerator))) - len(str(value.denominator))
    if size < Fraction(10) ** exponent:
        exponent -= 1
    head = round(size / Fraction(10) ** (exponent - digits + 1))
    text = str(head)
    exponent += len(text) - digits
    mantissa = f"{text[0]}.{text[1:]}".rstrip("0").rstrip(".")
    return f"{'-' if value < 0 else ''}{mantissa}e{exponent:+d}"


def _number(value: Value) -> int | float | None:
    """A number that JSON carries; None when it is too large for one."""
    if isinstance(value, Fraction) and value.denominator == 1 and abs(value.numerator) < 2**53:
        return value.numerator
    try:
        return float(value)
    except OverflowError:
        return None
