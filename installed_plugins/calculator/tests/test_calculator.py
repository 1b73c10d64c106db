"""The calculator is exact where it can be, bounded everywhere, and says what is wrong."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from installed_plugins.calculator.errors import CalculatorError
from installed_plugins.calculator.evaluate import evaluate
from plugins_app.sdk import PluginError
from plugins_app.sdk.testing import PluginHarness

FOLDER = Path(__file__).parents[1]


async def calculate(action: str, config: dict[str, Any] | None = None, **parameters: Any) -> dict[str, Any]:
    async with PluginHarness(FOLDER, config) as plugin:
        result: dict[str, Any] = await plugin.call("execute", action=action, parameters=parameters)
    return result


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("2*21", "42"),
        ("0.1 + 0.2", "0.3"),
        ("1/3*3", "1"),
        ("10/3", "3.33333333333333"),
        ("-2^2", "-4"),
        ("2^3^2", "512"),
        ("2**-2", "0.25"),
        ("(1+2)*(3-4)/5", "-0.6"),
        ("7 // 2 + 7 % 4", "6"),
        ("20% of 50", "10"),
        ("200 * 15%", "30"),
        ("5!", "120"),
        ("2 × 3 − 4 ÷ 2", "4"),
        ("1_000 + 0xff + 0b11", "1258"),
        ("1.5e3", "1500"),
        ("2^100", "1267650600228229401496703205376"),
        ("1e-7 * 3", "0.0000003"),
        ("sqrt(2)^2", "2"),
        ("sqrt(0.25) + hypot(3, 4)", "5.5"),
        ("round(2.5) + round(-2.675, 2)", "0.32"),
        ("log(1000) + log(8, 2) + ln(e)", "7"),
        ("sin(pi) + cos(0)", "1"),
        ("min(3, 1, 2) + max(1, 2) + mean(1, 2)", "4.5"),
        ("comb(52, 5)", "2598960"),
        ("gcd(12, 18) + lcm(4, 6)", "18"),
        ("1^999999999999", "1"),
        ("2^-3000", "8.12854862555774e-904"),
        ("٣ + 4", "7"),
    ],
)
async def test_it_calculates(expression: str, result: str) -> None:
    assert (await calculate("evaluate", expression=expression))["result"] == result


async def test_a_result_says_whether_it_is_exact() -> None:
    third = await calculate("evaluate", expression="1/3")
    assert third == {
        "expression": "1/3",
        "result": "0.333333333333333",
        "value": 1 / 3,
        "exact": False,
        "fraction": "1/3",
    }
    assert (await calculate("evaluate", {"significant_digits": 4}, expression="2/3"))["result"] == "0.6667"
    assert (await calculate("evaluate", expression="2*21"))["value"] == 42
    assert (await calculate("evaluate", expression="1400!"))["value"] is None


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("1/(2-2)", r"division by zero in 1/\(2-2\) \(at character 2\)"),
        ("0^-1", "division by zero"),
        ("7 % 0 ", "unexpected '0'|division by zero"),
        ("2 +", r"ends too early, expected a number \(at character 4\)"),
        ("2 2", r"unexpected '2' \(at character 3\)"),
        ("(1", r"expected '\)'"),
        ("", "the expression is empty"),
        ("sqr(4)", "unknown name 'sqr', did you mean 'sqrt'"),
        ("sqrt()", r"unexpected '\)', expected a number"),
        ("sqrt(1, 2)", "sqrt takes 1 argument, not 2"),
        ("sqrt(-1)", r"sqrt\(-1\) is not a real number"),
        ("log(0)", "not defined"),
        ("0.5!", "needs whole numbers"),
        ("acos(2)", "not defined"),
        ("9^9^9", "too large"),
        ("99^9999", "4000 digits|too large"),
        ("1e99999", "too large or too small"),
        ("1500!", "too large"),
        ("comb(99999999, 5)", "too large"),
        ("exp(1000)", "too large"),
        ("1e4000 * 1e4000", "more than 4000 digits"),
        ("__import__('os')", "unexpected"),
        ("x.y", "unexpected '.'"),
        ("(" * 300, "nested deeper"),
        ("1+" * 600, "1200 characters"),
    ],
)
async def test_what_cannot_be_calculated_is_said_in_words(expression: str, message: str) -> None:
    with pytest.raises(PluginError, match=message):
        await calculate("evaluate", expression=expression)


@settings(max_examples=300, deadline=None)
@given(st.text("0123456789.+-*/^%!(), piesqrtcombfl", max_size=60))
def test_no_text_takes_long_or_breaks_it(expression: str) -> None:
    began = time.perf_counter()
    try:
        evaluate(expression)
    except CalculatorError as error:
        assert str(error)
    assert time.perf_counter() - began < 2


@given(st.integers(-(10**9), 10**9), st.integers(-(10**9), 10**9))
def test_whole_numbers_are_exact(a: int, b: int) -> None:
    assert evaluate(f"({a}) * ({b}) + ({a}) - ({b})") == a * b + a - b


@pytest.mark.parametrize(
    ("value", "source", "target", "result"),
    [
        (5, "km", "mi", "3.10685596118667"),
        (98.6, "°F", "C", "37"),
        (0.1, "m", "cm", "10"),
        (1, "GiB", "MB", "1073.741824"),
        (1, "MB", "Mbit", "8"),
        (90, "minutes", "hours", "1.5"),
        (3, "Miles", "KM", "4.828032"),
        (1, "light year", "km", "9460730472580.8"),
        (180, "deg", "rad", "3.14159265358979"),
        (90, "deg", "turn", "0.25"),
        (72, "km/h", "m/s", "20"),
        ("1/3", "h", "min", "20"),
    ],
)
async def test_it_converts(value: Any, source: str, target: str, result: str) -> None:
    converted = await calculate("convert", value=value, from_unit=source, to_unit=target)
    assert converted["result"] == result
    assert converted["text"].endswith(f"{result} {converted['to_unit']}")


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"value": 1, "from_unit": "km", "to_unit": "kg"}, r"cannot convert km \(length\) to kg \(mass\)"),
        ({"value": 1, "from_unit": "killometer", "to_unit": "m"}, "did you mean 'kilometer'"),
        ({"value": -300, "from_unit": "C", "to_unit": "K"}, "below absolute zero"),
        ({"value": True, "from_unit": "m", "to_unit": "m"}, "'value' must be given as a number"),
        ({"value": 1, "from_unit": "m"}, "'to_unit' must be given as text"),
    ],
)
async def test_what_cannot_be_converted_is_said_in_words(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(PluginError, match=message):
        await calculate("convert", **parameters)


async def test_its_actions_are_described_and_others_are_refused() -> None:
    async with PluginHarness(FOLDER) as plugin:
        actions = await plugin.call("get_actions")
        assert [action["name"] for action in actions] == ["evaluate", "convert"]
        assert all(action["parameters"]["type"] == "object" and not action["destructive"] for action in actions)
        with pytest.raises(PluginError, match="unknown action 'explode': the calculator has evaluate and convert"):
            await plugin.call("execute", "explode", {})
