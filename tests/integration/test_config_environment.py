"""`${ENV:NAME}` in a configuration, over HTTP: whose word it is, where it is replaced, and what is told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.integration.sources import tool
from tests.studio import Studio

Drop = Callable[..., Path]
SCHEMA: dict[str, Any] = {
    "home": {"type": "string"},
    "api_key": {"type": "string"},
    "port": {"type": "integer", "default": 80},
}
CARD = "/api/plugins/aware"


@pytest.fixture
def drop(studio: Studio, plugin_folder: Drop) -> Callable[..., None]:
    """Drops the plugin with a config.json, nothing stored and nothing granted."""

    def made(config: dict[str, Any], schema: dict[str, Any] = SCHEMA, **more: Any) -> None:
        studio.http.post(f"{CARD}/unload")
        plugin_folder("aware", tool("aware", schema=schema, execute="return dict(self.config)", **more), config)
        studio.http.post("/api/plugins/discover")
        stored = studio.http.put(f"{CARD}/config", {"config": {}})
        assert stored.status == 200, stored.text

    return made


def load(studio: Studio, **more: Any) -> Any:
    return studio.http.post("/api/plugins/load", {"plugin_id": "aware", **more})


def seen(studio: Studio) -> Any:
    return studio.http.post("/api/plugins/execute", {"plugin_id": "aware", "method": "execute"}).json()["result"]


def test_an_operators_reference_is_replaced_where_the_plugin_starts(studio: Studio, drop: Callable[..., None]) -> None:
    drop({})
    config = {"home": "in ${ENV:HOME}", "api_key": "${ENV:PATH}", "port": "${ENV:PORT_THAT_NOBODY_SET}"}
    answer = load(studio, config=config)
    assert (answer.status, answer.json()["code"]) == (422, "config_invalid"), answer.text
    assert "/port" in answer.json()["detail"] and "PORT_THAT_NOBODY_SET" in answer.json()["detail"]
    assert answer.json()["errors"][0]["pointer"] == "/port"
    answer = load(studio, config=config | {"port": 8080})
    assert answer.status == 200, answer.text
    assert answer.json()["config"] == config | {"port": 8080}
    body = {"plugin_id": "aware", "method": "execute"}
    result = studio.http.post("/api/plugins/execute", body).json()["result"]
    assert result["home"] == f"in {studio.environ['HOME']}" and result["port"] == 8080
    assert set(result["api_key"]) == {"*"}  # a secret: overwritten where data carries it


def test_a_variable_that_does_not_fit_is_told_without_its_value(studio: Studio, drop: Callable[..., None]) -> None:
    drop({})
    answer = load(studio, config={"port": "${ENV:HOME}"})
    assert (answer.status, answer.json()["code"]) == (422, "config_invalid"), answer.text
    assert answer.json()["errors"] == [
        {"pointer": "/port", "message": "the value of the variable HOME is not of type integer"}
    ]


@pytest.mark.parametrize("name", ["STUDIO_DATA", "DATABASE_URL", "DJANGO_SETTINGS_MODULE", "PORT"])
def test_the_studios_own_variables_are_nobodys(studio: Studio, drop: Callable[..., None], name: str) -> None:
    drop({})
    answer = studio.http.put(f"{CARD}/config", {"config": {"home": f"${{ENV:{name}}}"}})
    assert (answer.status, answer.json()["code"]) == (422, "config_invalid")
    assert "the studio's own" in answer.json()["detail"]


def test_an_authors_reference_needs_the_permission(studio: Studio, drop: Callable[..., None]) -> None:
    default = {"type": "string", "default": "${ENV:LANG_THAT_NOBODY_SET}"}
    drop({"home": "${ENV:HOME}"}, SCHEMA | {"lang": default})
    card = studio.http.get(CARD).json()
    assert card["permissions"] == {"asked": ["env:HOME", "env:LANG_THAT_NOBODY_SET"], "granted": []}
    refused = load(studio)
    assert (refused.status, refused.json()["code"]) == (409, "permission_required"), refused.text
    assert [error["message"] for error in refused.json()["errors"]] == [
        "env:HOME is not granted",
        "env:LANG_THAT_NOBODY_SET is not granted",
    ]
    # A form that is saved as it was shown must not grant it either.
    saved = studio.http.put(f"{CARD}/config", {"config": card["config"]})
    assert saved.json()["code"] == "permission_required"
    own = {"home": "/elsewhere", "lang": "C"}
    assert load(studio, config=own).status == 200  # nothing of the author's is left
    assert seen(studio)["home"] == "/elsewhere"
    studio.http.post(f"{CARD}/unload")
    studio.http.put(f"{CARD}/config", {"config": {"lang": "C"}})
    granted = load(studio, grant=["env:HOME"])
    assert granted.status == 200, granted.text
    assert seen(studio)["home"] == studio.environ["HOME"]


def test_what_is_escaped_is_a_text(studio: Studio, drop: Callable[..., None]) -> None:
    drop({"home": "$${ENV:HOME}"})
    assert load(studio).status == 200
    assert seen(studio)["home"] == "${ENV:HOME}"


def test_the_store_has_no_secret_of_config_json_and_the_plugin_still_gets_it(
    studio: Studio, drop: Callable[..., None]
) -> None:
    reads = "import json, pathlib\npath = pathlib.Path(__file__).parent / 'config.json'\n"
    reads += "return {**self.config, 'file': json.loads(path.read_text())}"
    studio.http.post(f"{CARD}/unload")
    drop({"api_key": "short-key", "port": 81})
    (studio.plugins_dir / "aware" / "plugin.py").write_text(tool("aware", schema=SCHEMA, execute=reads))
    assert load(studio).status == 200
    assert seen(studio) == {"api_key": "short-key", "port": 81, "file": {"api_key": "********", "port": 81}}
    before = studio.http.get(CARD).json()["digest"]
    (studio.plugins_dir / "aware" / "config.json").write_text('{"api_key": "other-key", "port": 81}')
    answer = studio.http.post(f"{CARD}/reload")
    assert answer.status == 200 and answer.json()["digest"] != before
    assert seen(studio)["api_key"] == "other-key"
    stored = [path for path in (studio.data / "store").rglob("*") if path.is_file()]
    assert stored and not any(b"short-key" in path.read_bytes() or b"other-key" in path.read_bytes() for path in stored)
