"""`${ENV:NAME}`: found, replaced, escaped, converted, refused, and never shown."""

import os
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aichat.environment import ROOT, read_environment
from plugins_app.sdk.references import convert, expand, has_reference, is_reference, names_in, studio_owns
from plugins_app.services.resolving import resolved
from plugins_app.services.secrets import mask, reveal, seal, without

SCHEMA = {
    "api_key": {"type": "string", "required": True, "min": 4},
    "port": {"type": "integer", "min": 1, "max": 65535},
    "ratio": {"type": "number"},
    "on": {"type": "boolean"},
    "tags": {"type": "array", "items": {"type": "string"}},
    "server": {"type": "object", "properties": {"host": {"type": "string"}, "password": {"type": "string"}}},
    "either": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
    "url": {"type": "string"},
}
ENVIRON = {
    "KEY": "k-from-env",
    "PORT_OF_IT": " 8080 ",
    "RATIO": "0.5",
    "ON": "yes",
    "TAGS": '["a", "b"]',
    "SERVER": '{"host": "h", "password": "p-in-json"}',
    "HOST": "db.example.com",
}


def test_every_type_is_converted_as_its_field_says() -> None:
    config = {
        **{"api_key": "${ENV:KEY}", "port": "${ENV:PORT_OF_IT}", "ratio": "${ENV:RATIO}", "on": "${ENV:ON}"},
        **{"tags": "${ENV:TAGS}", "server": "${ENV:SERVER}", "either": "${ENV:PORT_OF_IT}"},
        "url": "https://${ENV:HOST}:${ENV:HOST}/$${ENV:HOST}",
        "free": ["${ENV:HOST}"],
    }
    found = resolved(config, SCHEMA, ENVIRON)
    assert found.errors == []
    assert found.config == {
        **{"api_key": "k-from-env", "port": 8080, "ratio": 0.5, "on": True, "tags": ["a", "b"], "either": 8080},
        "server": {"host": "h", "password": "p-in-json"},
        "url": "https://db.example.com:db.example.com/${ENV:HOST}",
        "free": ["db.example.com"],
    }
    assert set(found.secrets) == {"k-from-env", "p-in-json"}


def test_a_part_of_a_secret_is_a_secret_too() -> None:
    found = resolved(seal({"api_key": "Bearer ${ENV:KEY}"}, SCHEMA), SCHEMA, ENVIRON)
    assert found.config == {"api_key": "Bearer k-from-env"}
    assert set(found.secrets) == {"Bearer k-from-env", "k-from-env"}


@pytest.mark.parametrize(
    ("config", "pointer", "words"),
    [
        ({"api_key": "${ENV:NOWHERE}"}, "/api_key", "NOWHERE is not set where the plugin host runs"),
        ({"api_key": "k-1234", "port": "${ENV:KEY}"}, "/port", "the value of the variable KEY is not of type integer"),
        ({"api_key": "k-1234", "tags": ["x", "a ${ENV:NO} b"]}, "/tags/1", "NO is not set"),
        ({"api_key": "${ENV:STUDIO_SECRET_KEYS}"}, "/api_key", "the studio's own"),
        ({"api_key": "k-1234", "url": "x${ENV:DATABASE_URL}"}, "/url", "the studio's own"),
        ({"api_key": "${ENV:ON}"}, "/api_key", "the value must have at least 4 character(s)"),
        ({"api_key": "k-1234", "server": "${ENV:TAGS}"}, "/server", "is not of type object"),
    ],
)
def test_what_cannot_be_is_told_by_pointer_and_variable_and_no_value_is_shown(
    config: dict[str, Any], pointer: str, words: str
) -> None:
    [error] = resolved(config, SCHEMA, ENVIRON | {"STUDIO_SECRET_KEYS": "s3cret", "DATABASE_URL": "s3cret"}).errors
    assert error["pointer"] == pointer
    assert words in error["message"]
    assert not any(value.strip() in error["message"] for value in ENVIRON.values())


def test_elsewhere_a_variable_that_is_not_set_is_no_error_and_the_rest_is_checked() -> None:
    config = {"api_key": "${ENV:NOWHERE}", "port": 0, "either": "${ENV:NOWHERE}", "tags": ["${ENV:NOWHERE}"]}
    assert resolved(config, SCHEMA, {}, elsewhere=True).errors == [
        {"pointer": "/port", "message": "0 must be at least 1"}
    ]


def test_a_rule_about_the_whole_waits_for_its_unknown_part() -> None:
    either = {"oneOf": [{"properties": {"a": {"const": "x"}}}, {"properties": {"a": {"const": "y"}}}]}
    schema = {"type": "object", "properties": {"one": {"type": "object", **either}}}
    assert resolved({"one": {"a": "${ENV:NOWHERE}"}}, schema, {}, elsewhere=True).errors == []
    assert resolved({"one": {"a": "z"}}, schema, {}, elsewhere=True).errors != []


def test_a_reference_in_a_secret_is_shown_as_it_is_and_a_text_with_one_is_not() -> None:
    sealed = seal({"api_key": "${ENV:KEY}", "server": {"password": "a${ENV:KEY}"}}, SCHEMA)
    assert mask(sealed) == {"api_key": "${ENV:KEY}", "server": {"password": "********"}}
    assert reveal(sealed) == {"api_key": "${ENV:KEY}", "server": {"password": "a${ENV:KEY}"}}
    assert without({**sealed, "url": "x"}) == {"server": {}, "url": "x"}


def test_every_variable_that_the_settings_read_is_the_studios_own(tmp_path: Path) -> None:
    source = (ROOT / "aichat" / "environment.py").read_text()
    read = set(re.findall(r'\(given, "([A-Z_]+)"', source)) | set(re.findall(r'given\.get\("([A-Z_]+)"', source))
    read |= set(read_environment({"STUDIO_DATA": str(tmp_path), "REDIS_URL": "redis://h"}).as_environ())
    assert len(read) > 10
    assert {name for name in read if not studio_owns(name)} == set()
    assert not any(studio_owns(name) for name in ("OPENAI_API_KEY", "PATH", "PORTAL", "DEVICE"))


@given(st.text())
def test_what_is_escaped_comes_out_as_it_was(text: str) -> None:
    escaped = re.sub(r"\$\{ENV:", r"$${ENV:", text)
    assert expand(escaped, os.environ.__getitem__) == text or "$$" in text


@given(
    st.recursive(
        st.text() | st.integers() | st.none(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_what_has_no_reference_stays_as_it_is(value: Any) -> None:
    config = {"value": value}
    if not names_in(value) and not has_reference(str(value)):
        assert resolved(config, {}, {}).config == config


def test_only_a_whole_reference_is_one() -> None:
    assert is_reference("${ENV:A}")
    assert not any(
        is_reference(each) for each in ("$${ENV:A}", "${ENV:A} ", "${ENV:1}", "${env:A}", "${ENV:A}${ENV:B}", 1)
    )


@pytest.mark.parametrize(
    ("text", "kinds"), [("1e5", ["integer"]), ("NaN", ["number"]), ("2", ["boolean"]), ("{", ["object"])]
)
def test_what_is_not_of_the_type_is_refused(text: str, kinds: list[str]) -> None:
    with pytest.raises(ValueError, match="is not of type"):
        convert(text, kinds)
