"""Both schema dialects: translation, defaults, secrets and errors in words."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugins_app.sdk.config import defaults, is_short_dialect, pointer, secret_paths, to_json_schema, validate

SPEC = {  # word for word from the specification
    "api_key": {"type": "string", "required": True, "description": "API key for authentication"},
    "timeout": {
        "type": "integer",
        "required": False,
        "default": 30,
        "description": "Request timeout in seconds",
        "min": 1,
        "max": 300,
    },
    "features": {"type": "array", "items": {"type": "string"}, "description": "List of enabled features"},
}
REAL = {
    "type": "object",
    "required": ["server"],
    "additionalProperties": False,
    "properties": {
        "server": {"$ref": "#/$defs/server"},
        "peers": {"type": "array", "items": {"$ref": "#/$defs/server"}},
    },
    "$defs": {
        "server": {
            "type": "object",
            "properties": {
                "host": {"type": "string", "default": "localhost"},
                "key": {"type": "string", "format": "password", "minLength": 4},
                "next": {"$ref": "#/$defs/server"},
            },
        }
    },
}


def test_the_specs_dialect_becomes_json_schema() -> None:
    schema = to_json_schema(SPEC)
    assert schema["required"] == ["api_key"]
    assert schema["properties"]["timeout"] == {
        "type": "integer",
        "default": 30,
        "description": "Request timeout in seconds",
        "minimum": 1,
        "maximum": 300,
    }
    assert schema["properties"]["api_key"]["secret"] is True


@pytest.mark.parametrize("schema", [SPEC, REAL, {}])
def test_translating_twice_changes_nothing(schema: dict[str, Any]) -> None:
    once = to_json_schema(schema)
    assert to_json_schema(once) == once


@pytest.mark.parametrize(
    ("schema", "short"),
    [
        (SPEC, True),
        (REAL, False),
        ({"properties": {"a": {"type": "string"}}}, False),
        ({"properties": {"type": "string"}}, True),
        ({"type": {"type": "string"}}, True),
        ({"$schema": "https://json-schema.org/draft/2020-12/schema"}, False),
    ],
)
def test_the_dialect_is_recognised(schema: dict[str, Any], short: bool) -> None:
    assert is_short_dialect(schema) is short


def test_min_and_max_mean_length_for_strings_and_lists() -> None:
    schema = to_json_schema({"a": {"type": "string", "min": 2}, "b": {"type": "array", "max": 3}})
    assert schema["properties"]["a"]["minLength"] == 2
    assert schema["properties"]["b"]["maxItems"] == 3


def test_defaults_come_from_both_dialects_and_from_references() -> None:
    assert defaults(SPEC) == {"timeout": 30}
    assert defaults({**REAL, "$defs": {"server": {"type": "object", "default": {"host": "h"}}}}) == {
        "server": {"host": "h"}
    }


def test_secrets_are_found_at_any_depth_and_cycles_end() -> None:
    assert secret_paths(SPEC) == [("api_key",)]
    assert secret_paths(REAL) == [("server", "key"), ("peers", "*", "key")]


@pytest.mark.parametrize(
    "name", ["api_key", "apikey", "client_secret", "password", "db_password", "token", "credentials"]
)
def test_a_name_that_says_secret_makes_one_in_the_short_dialect(name: str) -> None:
    assert secret_paths({name: {"type": "string"}}) == [(name,)]
    assert secret_paths({name: {"type": "string", "secret": False}}) == []


@pytest.mark.parametrize("name", ["tokenizer", "max_tokens", "secretary", "keyboard"])
def test_other_names_do_not(name: str) -> None:
    assert secret_paths({name: {"type": "string"}}) == []


def test_errors_have_a_pointer_each_and_speak_in_words() -> None:
    errors = validate({"timeout": 999, "features": ["a", 3]}, SPEC)
    assert errors == [
        {"pointer": "/api_key", "message": "api_key is required"},
        {"pointer": "/features/1", "message": "3 must be of type string"},
        {"pointer": "/timeout", "message": "999 must be at most 300"},
    ]


def test_unknown_settings_are_allowed_unless_the_schema_forbids_them() -> None:
    assert validate({"api_key": "k", "enabled": True, "custom_setting": "value"}, SPEC) == []
    assert validate({"server": {}, "odd/one": 1}, REAL) == [
        {"pointer": "/odd~1one", "message": "odd/one is not a known setting"}
    ]


def test_an_error_never_shows_a_secret() -> None:
    assert validate({"server": {"key": "abc"}}, REAL) == [
        {"pointer": "/server/key", "message": "the value must have at least 4 character(s)"}
    ]
    assert "hunter2" not in str(validate({"api_key": ["hunter2"]}, SPEC))


@given(st.lists(st.text(), max_size=5))
def test_a_pointer_can_be_read_back(path: list[str]) -> None:
    parts = [part.replace("~1", "/").replace("~0", "~") for part in pointer(path).split("/")[1:]]
    assert parts == path


@pytest.mark.parametrize(
    ("kind", "value", "fits"),
    [
        ("iri", "https://bücher.example/süß?q=ü", True),
        ("iri", "no scheme ü", False),
        ("iri-reference", "/süß", True),
        ("uri", "https://example.com/a", True),
        ("uri", "https://bücher.example", False),
    ],
)
def test_addresses_are_checked_with_and_without_other_letters(kind: str, value: str, fits: bool) -> None:
    assert (validate({"url": value}, {"url": {"type": "string", "format": kind}}) == []) is fits
