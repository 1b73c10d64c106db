"""The admin's form of a plugin's configuration: what is drawn, and what is meant by what comes back."""

from typing import Any

from plugins_app.admin.jsonform import config_from_form, coordinates, form_data, form_schema
from plugins_app.sdk.config import MASK

SCHEMA = {
    "type": "object",
    "properties": {
        "api_key": {"type": "string", "secret": True, "description": "The key", "default": "never shown"},
        "level": {"type": "integer", "minimum": 1, "default": 3},
        "mode": {"enum": ["a", "b"]},
        "server": {"$ref": "#/$defs/server"},
        "peers": {"type": "array", "items": {"$ref": "#/$defs/server"}},
        "odd": {"oneOf": [{"type": "string"}, {"type": "object"}]},
    },
    "$defs": {
        "server": {
            "type": "object",
            "properties": {"host": {"type": "string"}, "pw": {"type": "string", "format": "password"}},
        }
    },
}
BEFORE: dict[str, Any] = {"api_key": MASK, "level": 5, "server": {"host": "h", "pw": MASK}, "odd": {"x": 1}, "extra": 1}


def test_a_secret_is_an_empty_password_input() -> None:
    drawn = form_schema(SCHEMA, BEFORE)
    assert drawn["properties"]["api_key"] == {
        "type": "string",
        "format": "password",
        "help_text": "The key",
        "placeholder": "set – leave empty to keep it",
    }
    assert form_data(BEFORE, drawn) == {"api_key": "", "level": 5, "server": {"host": "h", "pw": ""}}


def test_references_are_resolved_and_what_cannot_be_drawn_is_left_out() -> None:
    drawn = form_schema(SCHEMA, {})
    assert set(drawn["properties"]) == {"api_key", "level", "mode", "server", "peers"}
    assert drawn["properties"]["peers"]["items"]["properties"]["host"] == {"type": "string"}
    assert drawn["properties"]["mode"] == {"type": "string", "enum": ["a", "b"]}
    assert "$ref" not in str(drawn)


def test_an_untouched_form_changes_nothing() -> None:
    drawn = form_schema(SCHEMA, BEFORE)
    sent = {"api_key": "", "level": 5, "mode": "", "server": {"host": "h", "pw": ""}, "peers": []}
    assert config_from_form(sent, drawn, BEFORE) == BEFORE


def test_what_was_entered_is_taken_and_what_was_emptied_goes() -> None:
    drawn = form_schema(SCHEMA, BEFORE)
    sent = {
        "api_key": "new",
        "level": None,
        "mode": "b",
        "server": {"host": "", "pw": "p"},
        "peers": [{"host": "q", "pw": ""}],
    }
    assert config_from_form(sent, drawn, BEFORE) == {
        "api_key": "new",
        "mode": "b",
        "server": {"pw": "p"},
        "peers": [{"host": "q"}],
        "odd": {"x": 1},
        "extra": 1,
    }


def test_a_schema_that_contains_itself_ends() -> None:
    tree = {"type": "object", "properties": {"next": {"$ref": "#"}, "name": {"type": "string"}}}
    assert form_schema(tree)["properties"]["next"]["properties"]["name"] == {"type": "string"}


def test_a_pointer_becomes_a_coordinate() -> None:
    assert coordinates("/server/a~1b") == "server§a/b"


def test_a_reference_to_a_variable_is_shown_and_survives_saving() -> None:
    schema = {
        "port": {"type": "integer", "min": 1, "description": "Where it listens"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "api_key": {"type": "string"},
    }
    before = {"port": "${ENV:PORT_OF_IT}", "tags": "${ENV:TAGS}", "api_key": "${ENV:KEY}"}
    drawn = form_schema(schema, before)
    fields = drawn["properties"]
    assert (fields["port"]["type"], fields["tags"]["type"]) == ("string", "string")
    assert fields["port"]["help_text"].startswith("Where it listens From the environment.")
    assert fields["api_key"]["placeholder"] == "set by ${ENV:KEY} – leave empty to keep it"
    data = form_data(before, drawn)
    assert data == {"port": "${ENV:PORT_OF_IT}", "tags": "${ENV:TAGS}", "api_key": ""}
    assert config_from_form(data, drawn, before) == before
    assert config_from_form(data | {"port": ""}, drawn, before) == {"tags": "${ENV:TAGS}", "api_key": "${ENV:KEY}"}


def servers_with(headers: dict[str, Any]) -> dict[str, Any]:
    item = {"type": "object", "properties": {"name": {"type": "string"}, "headers": headers}}
    return {"type": "object", "properties": {"servers": {"type": "array", "items": item}}}


SECRET_HEADERS = {"type": "object", "additionalProperties": {"type": "string", "format": "password"}}
SERVERS = {"servers": [{"name": "a", "headers": {"Authorization": MASK}}, {"name": "b", "headers": {"X": MASK}}]}


def test_what_is_not_drawn_stays_with_the_item_of_that_name() -> None:
    drawn = form_schema(servers_with({"type": "object"}), SERVERS)
    assert "additionalProperties" not in str(drawn)
    assert config_from_form(form_data(SERVERS, drawn), drawn, SERVERS) == SERVERS
    without_a = config_from_form({"servers": [{"name": "b", "headers": {}}]}, drawn, SERVERS)
    assert without_a == {"servers": SERVERS["servers"][1:]}
    new = config_from_form({"servers": [{"name": "c", "headers": {}}, *SERVERS["servers"]]}, drawn, SERVERS)
    assert new["servers"][0] == {"name": "c"}, "what stood there before belongs to another"


def test_secrets_under_free_keys_can_be_entered_and_are_shown_empty() -> None:
    drawn = form_schema(servers_with(SECRET_HEADERS), SERVERS)
    field = drawn["properties"]["servers"]["items"]["properties"]["headers"]["additionalProperties"]
    assert (field["format"], field["placeholder"]) == ("password", "leave empty to keep what is set")
    data = form_data(SERVERS, drawn)
    assert data["servers"][0] == {"name": "a", "headers": {"Authorization": ""}}
    assert config_from_form(data, drawn, SERVERS) == SERVERS
    changed = {"servers": [{"name": "b", "headers": {"X": ""}}, {"name": "a2", "headers": {"New": "secret"}}]}
    assert config_from_form(changed, drawn, SERVERS) == {
        "servers": [{"name": "b", "headers": {"X": MASK}}, {"name": "a2", "headers": {"New": "secret"}}]
    }


def test_an_object_with_a_field_that_cannot_be_drawn_has_no_free_keys_to_lose_it_among() -> None:
    headers = SECRET_HEADERS | {"properties": {"odd": {"oneOf": [{"type": "string"}, {"type": "object"}]}}}
    assert "additionalProperties" not in str(form_schema(servers_with(headers)))
