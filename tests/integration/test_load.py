"""`POST /api/plugins/load`."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.sources import tool
from tests.studio import Studio

Drop = Callable[..., Path]
NEEDS_KEY = {"api_key": {"type": "string", "required": True}, "timeout": {"type": "integer", "min": 1, "default": 30}}


def test_a_dropped_folder_is_found_configured_loaded_and_executed(studio: Studio, plugin_folder: Drop) -> None:
    plugin_folder("drop_in", tool("drop-in", schema=NEEDS_KEY), config={"enabled": True})
    found = studio.http.get("/api/plugins/drop-in").json()
    assert (found["state"], found["version"], found["tags"]) == ("available", "1.0.0", ["made"])

    loaded = studio.http.post("/api/plugins/load", {"plugin_id": "drop-in", "config": {"api_key": "s3cret"}})
    assert loaded.status == 200, loaded.text
    body = loaded.json()
    assert body["state"] == "active"
    assert body["config"] == {"enabled": True, "timeout": 30, "api_key": "********"}
    assert "s3cret" not in loaded.text

    call = {"plugin_id": "drop-in", "method": "execute", "kwargs": {"action": "hello"}}
    assert studio.http.post("/api/plugins/execute", call).json()["result"] == {"action": "hello", "parameters": None}


def test_loading_a_loaded_plugin_again_changes_nothing(studio: Studio, plugin_folder: Drop) -> None:
    plugin_folder("again", tool("again"))
    first = studio.http.post("/api/plugins/load", {"plugin_id": "again"}).json()
    second = studio.http.post("/api/plugins/load", {"plugin_id": "again"}).json()
    assert first["generation"] == second["generation"] == 1
    third = studio.http.post("/api/plugins/load", {"plugin_id": "again", "config": {"x": 1}}).json()
    assert (third["generation"], third["config"]) == (2, {"x": 1})


def test_config_errors_come_one_per_field(studio: Studio, plugin_folder: Drop) -> None:
    plugin_folder("picky", tool("picky", schema=NEEDS_KEY))
    answer = studio.http.post("/api/plugins/load", {"plugin_id": "picky", "config": {"timeout": 0}})
    assert answer.status == 422
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = answer.json()
    assert problem["code"] == "config_invalid"
    assert [error["pointer"] for error in problem["errors"]] == ["/api_key", "/timeout"]
    assert studio.http.get("/api/plugins/picky").json()["state"] == "available"


@pytest.mark.parametrize(
    ("initialize", "code", "words"),
    [
        ("raise ValueError('no such server')", "initialize_raised", "no such server"),
        ("return False", "initialize_returned_false", "False"),
        ("os._exit(3)", "process_died", ""),
    ],
)
def test_a_plugin_that_does_not_get_ready_says_why(
    studio: Studio, plugin_folder: Drop, initialize: str, code: str, words: str
) -> None:
    plugin_folder("unready", tool("unready", initialize=initialize))
    answer = studio.http.post("/api/plugins/load", {"plugin_id": "unready"})
    problem = answer.json()
    assert (answer.status, problem["code"]) == (502, code)
    assert words in problem["detail"] and "unready is not loaded" in problem["detail"]
    assert not [p for p in studio.http.get("/api/plugins").json()["results"] if p["id"] == "unready"]


def test_a_traceback_is_for_operators(studio: Studio, plugin_folder: Drop) -> None:
    plugin_folder("raises", tool("raises", initialize="raise ValueError('x')"))
    assert "ValueError" in studio.http.post("/api/plugins/load", {"plugin_id": "raises"}).json()["traceback"]


def test_what_it_needs_is_loaded_first(studio: Studio, plugin_folder: Drop) -> None:
    plugin_folder("base_one", tool("base-one"))
    plugin_folder("on_top", tool("on-top", dependencies=("base-one>=1,<2",)))
    answer = studio.http.post("/api/plugins/load", {"plugin_id": "on-top"})
    assert answer.status == 200, answer.text
    assert answer.json()["dependencies"] == [
        {"id": "base-one", "range": ">=1,<2", "optional": False, "satisfied": True, "version": "1.0.0"}
    ]
    base = studio.http.get("/api/plugins/base-one").json()
    assert (base["state"], base["dependents"]) == ("active", ["on-top"])
    assert base["required_by"] == [{"id": "on-top", "range": ">=1,<2", "version": "1.0.0"}]


def test_a_missing_dependency_blocks(studio: Studio, plugin_folder: Drop) -> None:
    plugin_folder("lonely", tool("lonely", dependencies=("nowhere>=1",)))
    answer = studio.http.post("/api/plugins/load", {"plugin_id": "lonely"})
    assert (answer.status, answer.json()["code"]) == (409, "dependency_missing")
    assert "nowhere >=1" in answer.json()["detail"]
    assert studio.http.get("/api/plugins/lonely").json()["state"] == "blocked"


def test_a_dependency_of_the_wrong_version_blocks(studio: Studio, plugin_folder: Drop) -> None:
    plugin_folder("old_base", tool("old-base"))
    plugin_folder("modern", tool("modern", dependencies=("old-base>=2",)))
    answer = studio.http.post("/api/plugins/load", {"plugin_id": "modern"})
    assert (answer.status, answer.json()["code"]) == (409, "dependency_incompatible")


def test_a_circle_of_dependencies_blocks_with_its_path(studio: Studio, plugin_folder: Drop) -> None:
    plugin_folder("egg", tool("egg", dependencies=("hen",)))
    plugin_folder("hen", tool("hen", dependencies=("egg",)))
    answer = studio.http.post("/api/plugins/load", {"plugin_id": "egg"})
    assert (answer.status, answer.json()["code"]) == (409, "dependency_cycle")
    assert answer.json()["detail"].count("->") == 2


def test_a_dependency_that_fails_takes_the_load_back(studio: Studio, plugin_folder: Drop) -> None:
    plugin_folder("bad_base", tool("bad-base", initialize="return False"))
    plugin_folder("dependent", tool("dependent", dependencies=("bad-base",)))
    answer = studio.http.post("/api/plugins/load", {"plugin_id": "dependent"})
    assert (answer.status, answer.json()["code"]) == (502, "initialize_returned_false")
    loaded = {plugin["id"] for plugin in studio.http.get("/api/plugins").json()["results"]}
    assert not loaded & {"bad-base", "dependent"}


MANIFEST = """
[plugin]
id = "asking"
name = "Asks"
version = "1.0.0"
type = "tool"
entry = "plugin:Made"
[compat]
app = "{app}"
[permissions]
host = ["storage"]
network = ["api.example.com:443"]
"""


def test_permissions_are_named_and_can_be_granted(studio: Studio, plugin_folder: Drop) -> None:
    plugin_folder("asking", tool("asking"), files={"plugin.toml": MANIFEST.format(app=">=0.1")})
    refused = studio.http.post("/api/plugins/load", {"plugin_id": "asking"})
    assert (refused.status, refused.json()["code"]) == (409, "permission_required")
    assert "host:storage" in refused.json()["detail"] and '"grant"' in refused.json()["hint"]

    grant = ["host:storage", "network:api.example.com:443"]
    loaded = studio.http.post("/api/plugins/load", {"plugin_id": "asking", "grant": grant})
    assert loaded.status == 200, loaded.text
    assert sorted(loaded.json()["permissions"]["granted"]) == sorted(grant)


def test_nothing_can_be_granted_that_was_not_asked_for(studio: Studio, plugin_folder: Drop) -> None:
    plugin_folder("modest", tool("modest"))
    answer = studio.http.post("/api/plugins/load", {"plugin_id": "modest", "grant": ["host:models"]})
    assert (answer.status, answer.json()["code"]) == (422, "invalid")


def test_a_plugin_for_another_studio_is_refused(studio: Studio, plugin_folder: Drop) -> None:
    plugin_folder("asking", tool("asking"), files={"plugin.toml": MANIFEST.format(app=">=99")})
    grant = ["host:storage", "network:api.example.com:443"]
    answer = studio.http.post("/api/plugins/load", {"plugin_id": "asking", "grant": grant})
    assert (answer.status, answer.json()["code"]) == (409, "version_incompatible")


def test_an_unknown_plugin_is_not_found(studio: Studio) -> None:
    answer = studio.http.post("/api/plugins/load", {"plugin_id": "never-heard-of"})
    assert (answer.status, answer.json()["code"]) == (404, "plugin_not_found")


@pytest.mark.parametrize("body", [{}, {"plugin_id": "x", "config": []}, {"plugin_id": "x", "confg": {}}, [1]])
def test_a_body_that_does_not_fit_is_told_field_by_field(studio: Studio, body: object) -> None:
    answer = studio.http.post("/api/plugins/load", body)
    assert (answer.status, answer.json()["code"]) == (422, "invalid")
    assert answer.json()["errors"]


def test_only_operators_may(studio: Studio) -> None:
    assert studio.anonymous.post("/api/plugins/load", {"plugin_id": "calculator"}).json()["code"] == "unauthenticated"
    answer = studio.as_user.post("/api/plugins/load", {"plugin_id": "calculator"})
    assert (answer.status, answer.json()["code"]) == (403, "forbidden")
