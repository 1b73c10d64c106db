"""Patterns of strangers: right for all, and no time for those that would take for ever."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugins_app.sdk.config import schema_problem, validate
from plugins_app.sdk.patterns import SafePattern, is_nested, matches


@pytest.mark.parametrize(
    "pattern", ["(a+)+$", "(a|a)*$", "(a|ab)*c", "(a?){30}a{30}", "((a{1,50})b?)*", "(?=(a+)+b)", r"(\w+\s?)*!"]
)
def test_what_may_take_for_ever_is_seen(pattern: str) -> None:
    assert is_nested(pattern)
    assert not matches(pattern.rstrip("$") + "#", "a" * 60)


@pytest.mark.parametrize("pattern", ["^[a-z]+$", r"^\d{1,3}(\.\d{1,3}){3}$", "a*b*", "^(foo|bar)$", "(?P<x>a+)b", "["])
def test_the_usual_ones_are_not_nested_or_not_valid(pattern: str) -> None:
    assert is_nested(pattern) is (pattern == "[")


def test_long_texts_are_tried_elsewhere_and_the_answer_is_the_same() -> None:
    assert matches("a*b", "a" * 5000 + "b")
    assert not matches("^x*y*z*$", "x" * 400 + "!")
    assert matches(r"^([a-z]+\.)+[a-z]+$", "www.example.com")
    assert not matches("a*a*a*a*a*b", "a" * 2000)


@given(
    st.sampled_from(["^a+$", "a|b", "[0-9]{2,}", "^$", "x?y", r"\bword\b", "(ab){1,3}"]),
    st.text(alphabet="ab0y ", max_size=20),
)
def test_it_is_what_re_says(pattern: str, text: str) -> None:
    assert matches(pattern, text) == (re.search(pattern, text) is not None)


def test_a_configuration_is_refused_in_time() -> None:
    schema = {"name": {"type": "string", "pattern": "^(a+)+$"}}
    assert validate({"name": "aaa"}, schema) == []
    [error] = validate({"name": "a" * 60 + "!"}, schema)
    assert error["pointer"] == "/name" and "must match the pattern" in error["message"]
    assert "may take for ever" in str(schema_problem({"type": "object", "patternProperties": {"^(a+)+$": {}}}))


@pytest.mark.parametrize(
    "pattern",
    [
        r"PROJ-\d+",
        r"(?:[A-Z]{2}-){1,4}\d{3,8}",
        r"\bsecret\b|\bhush\b",
        r"ignore (all )?(previous|prior) words",
        r"(\d)\1{3}",
    ],
)
def test_patterns_whose_cost_is_known_are_looked_for_in_long_texts(pattern: str) -> None:
    assert SafePattern(pattern).found("a" * 100_000) is None


@pytest.mark.parametrize("pattern", [r"(a+)+b", r"(a|a)*b", r"(a{1,9}){1,9}b", r"\w+\w+b", "a?" * 30 + "a" * 30])
def test_patterns_that_may_take_long_are_refused_with_what_to_write(pattern: str) -> None:
    with pytest.raises(ValueError, match="say how often at most"):
        SafePattern(pattern)


@pytest.mark.parametrize(("pattern", "reason"), [("(", "no regular expression"), ("a*", "finds the empty text")])
def test_patterns_that_find_nothing_or_everything_are_refused(pattern: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        SafePattern(pattern)


@pytest.mark.parametrize("at", [0, 700, 768, 1000, 1020, 5000])
def test_what_is_found_is_found_anywhere_whole(at: int) -> None:
    text = "." * at + "ID-" + "7" * 200 + "." * 3000
    assert (at, at + 203) in SafePattern(r"id-\d{1,200}", ignore_case=True).spans(text)


@pytest.mark.parametrize("shift", range(0, 1100, 7))
def test_no_window_takes_its_own_end_for_the_texts(shift: int) -> None:
    text = "." * shift + "ID-123456 " * 150
    assert SafePattern(r"ID-\d{3}\b").found(text) is None
    assert SafePattern(r"\d{2}$").found(text) is None
    assert len(set(SafePattern(r"\bID-\d{6}\b").spans(text))) == 150
