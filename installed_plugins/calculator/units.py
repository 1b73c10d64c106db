"""Units and how they relate. A kind of quantity has one base unit; every unit is a factor (and an offset) of it."""

from __future__ import annotations

import difflib
import math
from fractions import Fraction
from typing import NamedTuple

from .errors import CalculatorError
from .evaluate import Value
from .numbers import rounded

__all__ = ["Unit", "convert", "find"]


class Unit(NamedTuple):
    """`base = value * factor + offset`."""

    symbol: str
    kind: str
    factor: Fraction
    offset: Fraction = Fraction(0)


def _f(text: str) -> Fraction:
    return Fraction(text)


# kind -> (symbol, further names, factor to the base unit). "e" notation and fractions are exact here.
_TABLE: dict[str, list[tuple[str, str, str]]] = {
    "length": [
        ("m", "meter metre", "1"),
        ("km", "kilometer kilometre", "1000"),
        ("dm", "decimeter decimetre", "0.1"),
        ("cm", "centimeter centimetre", "0.01"),
        ("mm", "millimeter millimetre", "0.001"),
        ("µm", "um micrometer micrometre micron", "1e-6"),
        ("nm", "nanometer nanometre", "1e-9"),
        ("in", "inch inches", "0.0254"),
        ("ft", "foot feet", "0.3048"),
        ("yd", "yard", "0.9144"),
        ("mi", "mile", "1609.344"),
        ("nmi", "nautical_mile", "1852"),
        ("au", "astronomical_unit", "149597870700"),
        ("ly", "light_year lightyear", "9460730472580800"),
    ],
    "mass": [
        ("kg", "kilogram kilo", "1"),
        ("g", "gram gramme", "0.001"),
        ("mg", "milligram", "1e-6"),
        ("µg", "ug microgram", "1e-9"),
        ("t", "tonne metric_ton", "1000"),
        ("lb", "lbs pound", "0.45359237"),
        ("oz", "ounce", "0.028349523125"),
        ("st", "stone", "6.35029318"),
        ("us_ton", "short_ton", "907.18474"),
        ("long_ton", "imperial_ton", "1016.0469088"),
    ],
    "time": [
        ("s", "sec second", "1"),
        ("ms", "millisecond", "0.001"),
        ("µs", "us microsecond", "1e-6"),
        ("ns", "nanosecond", "1e-9"),
        ("min", "minute", "60"),
        ("h", "hr hour", "3600"),
        ("d", "day", "86400"),
        ("wk", "week", "604800"),
        ("month", "mo", "2629746"),
        ("yr", "year a", "31556952"),
    ],
    "data": [
        ("bit", "b", "1"),
        ("B", "byte octet", "8"),
        *[
            (f"{prefix}{unit}", f"{word}{name}", f"{size}e{3 * power}")
            for power, (prefix, word) in enumerate(
                [("k", "kilo"), ("M", "mega"), ("G", "giga"), ("T", "tera"), ("P", "peta")], 1
            )
            for unit, name, size in (("B", "byte", 8), ("bit", "bit", 1))
        ],
        *[
            (f"{prefix}iB", f"{word}byte", str(8 * 1024**power))
            for power, (prefix, word) in enumerate(
                [("K", "kibi"), ("M", "mebi"), ("G", "gibi"), ("T", "tebi"), ("P", "pebi")], 1
            )
        ],
    ],
    "area": [
        ("m2", "m² m^2 sqm square_meter square_metre", "1"),
        ("km2", "km² km^2 square_kilometer square_kilometre", "1e6"),
        ("cm2", "cm² cm^2 square_centimeter", "1e-4"),
        ("ha", "hectare", "1e4"),
        ("acre", "ac", "4046.8564224"),
        ("ft2", "ft² ft^2 sqft square_foot square_feet", "0.09290304"),
        ("mi2", "mi² mi^2 square_mile", "2589988.110336"),
    ],
    "volume": [
        ("l", "liter litre", "1"),
        ("ml", "milliliter millilitre cc cm3 cm³", "0.001"),
        ("cl", "centiliter centilitre", "0.01"),
        ("dl", "deciliter decilitre", "0.1"),
        ("m3", "m³ m^3 cubic_meter cubic_metre", "1000"),
        ("gal", "gallon us_gallon", "3.785411784"),
        ("imp_gal", "imperial_gallon", "4.54609"),
        ("qt", "quart", "0.946352946"),
        ("pt", "pint", "0.473176473"),
        ("cup", "us_cup", "0.2365882365"),
        ("fl_oz", "floz fluid_ounce", "0.0295735295625"),
        ("tbsp", "tablespoon", "0.01478676478125"),
        ("tsp", "teaspoon", "0.00492892159375"),
    ],
    "speed": [
        ("m/s", "mps meters_per_second", "1"),
        ("km/h", "kmh kph kilometers_per_hour", "5/18"),
        ("mph", "mi/h miles_per_hour", "0.44704"),
        ("kn", "knot kt", "463/900"),
        ("ft/s", "fps feet_per_second", "0.3048"),
    ],
    "energy": [
        ("J", "joule", "1"),
        ("kJ", "kilojoule", "1000"),
        ("cal", "calorie", "4.184"),
        ("kcal", "kilocalorie", "4184"),
        ("Wh", "watt_hour", "3600"),
        ("kWh", "kilowatt_hour", "3.6e6"),
        ("eV", "electronvolt", "1.602176634e-19"),
        ("BTU", "british_thermal_unit", "1055.05585262"),
    ],
    "power": [
        ("W", "watt", "1"),
        ("kW", "kilowatt", "1000"),
        ("MW", "megawatt", "1e6"),
        ("hp", "horsepower", "745.69987158227022"),
        ("PS", "metric_horsepower", "735.49875"),
    ],
    "pressure": [
        ("Pa", "pascal", "1"),
        ("hPa", "hectopascal mbar millibar", "100"),
        ("kPa", "kilopascal", "1000"),
        ("bar", "", "1e5"),
        ("atm", "atmosphere", "101325"),
        ("mmHg", "torr", "133.322387415"),
        ("psi", "pounds_per_square_inch", "6894.757293168361"),
    ],
    "angle": [
        ("turn", "revolution", "1"),
        ("deg", "° degree", "1/360"),
        ("grad", "gon", "1/400"),
        ("rad", "radian", str(Fraction(1 / math.tau))),
    ],
}
_TEMPERATURES = [
    (Unit("K", "temperature", _f("1")), "kelvin"),
    (Unit("°C", "temperature", _f("1"), _f("273.15")), "C celsius degC deg_c centigrade"),
    (Unit("°F", "temperature", _f("5/9"), _f("459.67") * _f("5/9")), "F fahrenheit degF deg_f"),
    (Unit("°R", "temperature", _f("5/9")), "R rankine"),
]


def _index() -> dict[str, Unit]:
    """Every unit by each of its names, plurals of the long ones included."""
    entries = [
        (Unit(symbol, kind, _f(factor)), names) for kind, rows in _TABLE.items() for symbol, names, factor in rows
    ]
    found: dict[str, Unit] = {}
    for unit, names in entries + _TEMPERATURES:
        for name in [unit.symbol, *names.split()]:
            found[name] = unit
            if len(name) > 2 and name.isascii() and name[-1].isalpha():
                found.setdefault(name + "s", unit)
    return found


_UNITS = _index()


def _lower_index() -> dict[str, Unit | None]:
    """Units by lower-case name; None where two differ only in case (Mbit is no mbit)."""
    found: dict[str, Unit | None] = {}
    for name, unit in _UNITS.items():
        known = found.get(name.lower(), unit)
        found[name.lower()] = unit if known == unit else None
    return found


_LOWER = _lower_index()


def find(name: str) -> Unit:
    """The unit called `name`. Raises CalculatorError that names the nearest one."""
    wanted = "_".join(name.replace("μ", "µ").split())
    unit = _UNITS.get(wanted) or _LOWER.get(wanted.lower())
    if unit is None:
        near = difflib.get_close_matches(wanted, _UNITS, n=1, cutoff=0.6)
        raise CalculatorError(f"unknown unit {name!r}" + (f", did you mean {near[0]!r}?" if near else ""))
    return unit


def convert(value: Fraction, source: Unit, target: Unit) -> Value:
    """`value` of one unit in the other. Raises CalculatorError when they measure different things."""
    if source.kind != target.kind:
        raise CalculatorError(f"cannot convert {source.symbol} ({source.kind}) to {target.symbol} ({target.kind})")
    base = value * source.factor + source.offset
    if source.kind == "temperature" and base < 0:
        raise CalculatorError(f"{rounded(value, 6)} {source.symbol} is below absolute zero")
    result = (base - target.offset) / target.factor
    # A turn is 2 pi radians: no fraction is exact there, so a float says so.
    irrational = "rad" in (source.symbol, target.symbol) and source != target
    return float(result) if irrational else result
