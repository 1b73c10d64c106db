"""`POST /api/plugins/{id}/reload`."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.sources import tool
from tests.studio import Studio

Drop = Callable[..., Path]
CALL = {"plugin_id": "changing", "method": "execute"}


@pytest.fixture
def loaded(studio: Studio, plugin_folder: Drop) -> Drop:
    """`changing`, loaded, answering "one"."""
    plugin_folder("changing", tool("changing", execute='return "one"'))
    assert studio.http.post("/api/plugins/load", {"plugin_id": "changing"}).status == 200
    return plugin_folder


def test_an_edit_is_picked_up_by_a_reload_and_by_nothing_else(studio: Studio, loaded: Drop) -> None:
    loaded("changing", tool("changing", version="1.1.0", execute='return "two"'))
    assert studio.http.get("/api/plugins/changing").json()["version"] == "1.0.0"
    assert studio.http.post("/api/plugins/execute", CALL).json()["result"] == "one"
    answer = studio.http.post("/api/plugins/changing/reload").json()
    assert answer["version"] == "1.1.0"
    assert answer["new"]["generation"] == answer["old"]["generation"] + 1
    assert answer["old"]["digest"] != answer["new"]["digest"]
    assert studio.http.post("/api/plugins/execute", CALL).json()["result"] == "two"


def test_a_reload_without_a_change_is_a_new_generation_of_the_same_digest(studio: Studio, loaded: Drop) -> None:
    answer = studio.http.post("/api/plugins/changing/reload/").json()
    assert answer["new"]["generation"] == answer["generation"] == answer["old"]["generation"] + 1
    assert answer["old"]["digest"] == answer["new"]["digest"]


@pytest.mark.parametrize(
    ("source", "code"),
    [
        (tool("changing", initialize="raise RuntimeError('no')"), "initialize_raised"),
        (tool("changing", initialize="return False"), "initialize_returned_false"),
        (tool("changing").replace("async def", "async dfe"), "import_failed"),
        (tool("changing") + "\nimport not_there_at_all\n", "import_failed"),
        ("x = 1\n", "no_class"),
    ],
)
def test_a_version_that_cannot_serve_leaves_the_old_one_serving(
    studio: Studio, loaded: Drop, source: str, code: str
) -> None:
    loaded("changing", source)
    answer = studio.http.post("/api/plugins/changing/reload")
    assert (answer.status, answer.json()["code"]) == (502, code)
    assert "serving" in answer.json()["detail"]
    assert studio.http.post("/api/plugins/execute", CALL).json()["result"] == "one"
    assert studio.http.get("/api/plugins/changing").json()["state"] == "active"

    loaded("changing", tool("changing", execute='return "mended"'))
    assert studio.http.post("/api/plugins/changing/reload").status == 200
    assert studio.http.post("/api/plugins/execute", CALL).json()["result"] == "mended"


def test_the_stored_config_is_held_against_the_new_schema_first(studio: Studio, loaded: Drop) -> None:
    loaded("changing", tool("changing", schema={"now": {"type": "string", "required": True}}))
    answer = studio.http.post("/api/plugins/changing/reload")
    assert (answer.status, answer.json()["code"]) == (422, "config_invalid")
    assert answer.json()["errors"][0]["pointer"] == "/now"
    assert studio.http.post("/api/plugins/execute", CALL).json()["result"] == "one"


def test_what_is_not_loaded_cannot_be_reloaded(studio: Studio, plugin_folder: Drop) -> None:
    plugin_folder("resting", tool("resting"))
    answer = studio.http.post("/api/plugins/resting/reload")
    assert (answer.status, answer.json()["code"]) == (409, "not_loaded")
    assert studio.http.post("/api/plugins/nobody/reload").json()["code"] == "plugin_not_found"
