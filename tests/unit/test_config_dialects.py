"""Nested objects, lists of objects, alternatives and formats, in the short dialect and in JSON Schema."""

import re
import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from aichat.environment import ROOT
from plugins_app.sdk.config import (
    defaults,
    kinds_at,
    schema_problem,
    secret_paths,
    to_json_schema,
    validate,
    with_defaults,
)

SHORT: dict[str, Any] = {
    "mode": {"type": "string", "enum": ["fast", "exact"], "default": "fast"},
    "size": {"type": ["integer", "string"], "min": 2},
    "proxy": {
        "type": "object",
        "properties": {
            "host": {"type": "string", "required": True, "format": "hostname"},
            "port": {"type": "integer", "default": 8080, "min": 1},
            "login": {"properties": {"name": {"type": "string", "required": True}, "password": {"type": "string"}}},
        },
    },
    "limits": {"type": "object", "required": True, "properties": {"rate": {"type": "number", "default": 1.5}}},
    "servers": {
        "type": "array",
        "min": 1,
        "items": {
            "type": "object",
            "properties": {
                "url": {"type": "string", "required": True, "format": "uri"},
                "api_key": {"type": "string"},
                "weight": {"type": "integer", "default": 1, "max": 9},
            },
        },
    },
    "contact": {"anyOf": [{"type": "string", "format": "email"}, {"type": "string", "max": 3}]},
    "since": {"type": "string", "format": "date-time"},
}


def test_every_level_is_translated() -> None:
    schema = to_json_schema(SHORT)
    Draft202012Validator.check_schema(schema)
    proxy = schema["properties"]["proxy"]
    assert proxy["required"] == ["host"]
    assert proxy["properties"]["login"]["required"] == ["name"]
    assert proxy["properties"]["login"]["type"] == "object"
    assert schema["properties"]["servers"]["items"]["required"] == ["url"]
    assert schema["properties"]["servers"]["minItems"] == 1
    assert schema["properties"]["size"]["minimum"] == schema["properties"]["size"]["minLength"] == 2
    assert schema["properties"]["contact"]["anyOf"][1]["maxLength"] == 3
    assert secret_paths(SHORT) == [("proxy", "login", "password"), ("servers", "*", "api_key")]


@pytest.mark.parametrize(
    ("config", "pointers"),
    [
        ({}, ["/servers/0/url"]),
        ({"mode": "slow"}, ["/mode", "/servers/0/url"]),
        ({"proxy": {}}, ["/proxy/host", "/servers/0/url"]),
        ({"proxy": {"host": "h", "port": 0, "login": {}}}, ["/proxy/login/name", "/proxy/port", "/servers/0/url"]),
        (
            {"servers": [{"url": "https://a.example", "weight": 10}, {"url": "b a"}]},
            ["/servers/0/weight", "/servers/1/url"],
        ),
        ({"servers": []}, ["/servers"]),
        ({"contact": "no address"}, ["/contact", "/servers/0/url"]),
        ({"since": "yesterday", "size": "a"}, ["/servers/0/url", "/since", "/size"]),
    ],
)
def test_each_error_has_its_pointer(config: dict[str, Any], pointers: list[str]) -> None:
    whole = with_defaults({"servers": [{}], **config}, SHORT)
    assert [error["pointer"] for error in validate(whole, SHORT)] == pointers


def test_defaults_reach_nested_objects_and_the_items_of_lists() -> None:
    assert defaults(SHORT) == {"mode": "fast", "limits": {"rate": 1.5}}  # no proxy: nobody asked for one
    given_ = {"proxy": {"host": "h"}, "servers": [{"url": "u"}, {"url": "v", "weight": 3}], "extra": {"a": 1}}
    assert with_defaults(given_, SHORT) == {
        **{"mode": "fast", "limits": {"rate": 1.5}, "extra": {"a": 1}},
        "proxy": {"host": "h", "port": 8080},
        "servers": [{"url": "u", "weight": 1}, {"url": "v", "weight": 3}],
    }


def test_a_schema_that_contains_itself_ends() -> None:
    tree = {
        "type": "object",
        "properties": {"name": {"type": "string", "default": "leaf"}, "next": {"$ref": "#/$defs/t"}},
    }
    schema = {"type": "object", "properties": {"t": {"$ref": "#/$defs/t"}}, "$defs": {"t": tree}}
    assert with_defaults({"t": {"next": {}}}, schema) == {"t": {"name": "leaf", "next": {"name": "leaf"}}}
    assert defaults(schema) == {"t": {"name": "leaf"}}
    assert schema_problem(schema) is None


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"properties": {"a": {"$ref": "#/properties/a"}}}, "in a circle"),
        ({"properties": {"a": {"$ref": "#/$defs/no"}}}, "leads to nothing"),
        ({"properties": {"a": {"$ref": "https://example.com/s.json"}}}, "leads out of the schema"),
    ],
)
def test_references_that_lead_nowhere_are_told_and_never_break_the_validation(schema: Any, words: str) -> None:
    assert words in str(schema_problem(schema))
    assert validate({"a": 1}, schema) != []


@pytest.mark.parametrize(
    "where",
    [
        {"patternProperties": {"^key": {"type": "string", "secret": True}}},
        {"additionalProperties": {"type": "string", "secret": True}},
        {"if": {"required": ["k"]}, "then": {"properties": {"k": {"format": "password"}}}},
        {"allOf": [{"properties": {"k": {"format": "password"}}}]},
    ],
)
def test_a_secret_is_found_wherever_a_schema_may_put_it(where: dict[str, Any]) -> None:
    assert secret_paths({"type": "object", **where})


def test_the_types_of_a_field_are_known_through_references_and_alternatives() -> None:
    assert kinds_at(SHORT, ["servers", 0, "weight"]) == ["integer"]
    assert kinds_at(SHORT, ["contact"]) == ["string"]
    assert kinds_at(SHORT, ["size"]) == ["integer", "string"]
    assert kinds_at(SHORT, ["nobody", "knows"]) == []


NAMES = st.sampled_from(["a", "b", "key", "properties", "type", "items", "default", "required"])


@st.composite
def fields(draw: st.DrawFn, depth: int = 2) -> tuple[dict[str, Any], Any]:
    """A field of the short dialect, and a value that it allows."""
    kind = draw(st.sampled_from(["integer", "number", "string", "boolean", *(["array", "object"] if depth else [])]))
    entry: dict[str, Any] = {"type": kind}
    value: Any
    if kind in ("integer", "number"):
        value = draw(st.integers(-100, 100))
        entry |= draw(st.sampled_from([{}, {"min": value}, {"max": value}, {"min": value - 1, "max": value + 1}]))
    elif kind == "string":
        value = draw(st.text(max_size=6))
        entry |= draw(st.sampled_from([{}, {"min": len(value)}, {"max": len(value)}, {"enum": [value, "other"]}]))
    elif kind == "boolean":
        value = draw(st.booleans())
    elif kind == "array":
        item, inner = draw(fields(depth=depth - 1))
        value = [inner] * draw(st.integers(0, 3))
        entry |= {"items": item} | draw(st.sampled_from([{}, {"min": len(value)}, {"max": len(value)}]))
    else:
        entry["properties"], value = draw(schemas(depth=depth - 1))
    if draw(st.booleans()):
        entry["default"] = value
    if draw(st.booleans()):
        entry["required"] = draw(st.booleans())
    return entry, value


@st.composite
def schemas(draw: st.DrawFn, depth: int = 2) -> tuple[dict[str, Any], dict[str, Any]]:
    """Entries of the short dialect, and a configuration that they allow."""
    made = draw(st.dictionaries(NAMES, fields(depth=depth), max_size=3))
    return {name: entry for name, (entry, _) in made.items()}, {name: value for name, (_, value) in made.items()}


@given(schemas())
def test_a_translation_allows_what_the_short_dialect_allows(case: tuple[dict[str, Any], dict[str, Any]]) -> None:
    schema, config = case
    translated = to_json_schema(schema)
    Draft202012Validator.check_schema(translated)
    assert to_json_schema(translated) == translated
    assert validate(config, schema) == []
    assert validate(with_defaults(config, schema), schema) == []


@given(schemas())
def test_defaults_are_valid_but_for_what_only_an_operator_can_give(case: tuple[dict[str, Any], dict[str, Any]]) -> None:
    schema, _ = case
    made = defaults(schema)
    assert with_defaults(made, schema) == made
    assert all(error["message"].endswith("is required") for error in validate(made, schema))


def test_the_documentations_schema_is_one() -> None:
    text = (ROOT / "docs" / "configuration.md").read_text()
    blocks = re.findall(r"```toml\n(.*?)```", text, re.S)
    schema = tomllib.loads(blocks[0])["config"]["schema"]
    Draft202012Validator.check_schema(to_json_schema(schema))
    assert secret_paths(schema) == [("servers", "*", "api_key")]
    filled = with_defaults({"servers": [{"url": "https://a.example"}], "contact": "me"}, schema)
    assert filled == {"mode": "fast", "servers": [{"url": "https://a.example", "weight": 1}], "contact": "me"}
    assert validate(filled, schema) == []
    [functions] = re.findall(r"```python\n(.*?)```", text, re.S)
    space: dict[str, Any] = {}
    exec(functions, space)  # the page's own example
    assert space["down_2"](space["up_2"]({"host": "h"})) == {"host": "h"}
