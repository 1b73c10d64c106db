"""`PUT` and `PATCH /api/plugins/{id}/config`."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.sources import tool
from tests.studio import Studio

Drop = Callable[..., Path]
SCHEMA = {
    "api_key": {"type": "string", "required": True},
    "level": {"type": "integer", "min": 1, "max": 9, "default": 3},
}
SHOWS = "return dict(self.config)"
REFUSES = "if self.get_config('level') == 9: raise ValueError('nine is too much')\nreturn True"
MASK = "********"


def seen_by_plugin(studio: Studio) -> dict[str, object]:
    call = {"plugin_id": "configured", "method": "execute"}
    return dict(studio.http.post("/api/plugins/execute", call).json()["result"])


@pytest.fixture(autouse=True)
def forgotten(studio: Studio) -> None:
    """Whatever an earlier test stored for `configured`."""
    studio.http.delete("/api/plugins/configured")


@pytest.fixture
def configured(studio: Studio, plugin_folder: Drop, forgotten: None) -> Studio:
    plugin_folder("configured", tool("configured", schema=SCHEMA, execute=SHOWS, initialize=REFUSES))
    loaded = studio.http.post("/api/plugins/load", {"plugin_id": "configured", "config": {"api_key": "first"}})
    assert loaded.status == 200, loaded.text
    return studio


def test_a_loaded_plugin_is_swapped_to_it(configured: Studio) -> None:
    answer = configured.http.put("/api/plugins/configured/config", {"config": {"api_key": "second", "level": 4}})
    assert answer.status == 200
    assert answer.json()["config"] == {"api_key": MASK, "level": 4}
    assert seen_by_plugin(configured) == {"api_key": "second", "level": 4}


def test_a_mask_sent_back_means_unchanged(configured: Studio) -> None:
    configured.http.put("/api/plugins/configured/config", {"config": {"api_key": MASK, "level": 5}})
    assert seen_by_plugin(configured) == {"api_key": "first", "level": 5}


def test_patch_merges_and_put_replaces(configured: Studio) -> None:
    configured.http.patch("/api/plugins/configured/config", {"config": {"level": 6}})
    assert seen_by_plugin(configured) == {"api_key": "first", "level": 6}
    configured.http.put("/api/plugins/configured/config", {"config": {"api_key": MASK}})
    assert seen_by_plugin(configured) == {"api_key": "first", "level": 3}


def test_the_same_configuration_makes_no_new_generation(configured: Studio) -> None:
    before = configured.http.get("/api/plugins/configured").json()["generation"]
    answer = configured.http.put("/api/plugins/configured/config", {"config": {"api_key": "first"}})
    assert (answer.status, answer.json()["generation"]) == (200, before)


def test_errors_come_one_per_field_and_nothing_changes(configured: Studio) -> None:
    answer = configured.http.put("/api/plugins/configured/config", {"config": {"level": 99}})
    assert (answer.status, answer.json()["code"]) == (422, "config_invalid")
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/api_key", "/level"]
    assert seen_by_plugin(configured) == {"api_key": "first", "level": 3}


def test_what_the_plugin_refuses_leaves_the_old_configuration(configured: Studio) -> None:
    answer = configured.http.patch("/api/plugins/configured/config", {"config": {"level": 9}})
    assert (answer.status, answer.json()["code"]) == (502, "initialize_raised")
    assert "nine is too much" in answer.json()["detail"] and "still serving" in answer.json()["detail"]
    assert seen_by_plugin(configured) == {"api_key": "first", "level": 3}
    assert configured.http.get("/api/plugins/configured").json()["config"]["level"] == 3


def test_a_plugin_that_is_not_loaded_is_configured_for_later(studio: Studio, plugin_folder: Drop) -> None:
    plugin_folder("configured", tool("configured", schema=SCHEMA, execute=SHOWS))
    answer = studio.http.put("/api/plugins/configured/config", {"config": {"api_key": "later", "extra": [1]}})
    assert (answer.status, answer.json()["state"]) == (200, "available")
    studio.http.post("/api/plugins/load", {"plugin_id": "configured"})
    assert seen_by_plugin(studio) == {"api_key": "later", "level": 3, "extra": [1]}


def test_a_mask_for_nothing_is_an_error(studio: Studio, plugin_folder: Drop) -> None:
    plugin_folder("configured", tool("configured", schema=SCHEMA))
    answer = studio.http.put("/api/plugins/configured/config", {"config": {"api_key": MASK}})
    assert (answer.status, answer.json()["errors"][0]["pointer"]) == (422, "/api_key")


def test_secrets_lie_encrypted_in_the_database(configured: Studio) -> None:
    configured.http.put("/api/plugins/configured/config", {"config": {"api_key": "needle-in-the-haystack"}})
    files = [path.read_bytes() for path in configured.data.glob("studio.sqlite3*")]
    assert files and not any(b"needle-in-the-haystack" in content for content in files)
    assert "needle-in-the-haystack" not in configured.log()


def test_config_and_schema_are_for_operators(configured: Studio) -> None:
    seen = configured.as_user.get("/api/plugins/configured").json()
    assert "config" not in seen and "config_schema" not in seen


@pytest.mark.parametrize("body", [{}, {"config": 3}, {"config": {}, "more": 1}])
def test_a_body_that_does_not_fit(configured: Studio, body: object) -> None:
    answer = configured.http.put("/api/plugins/configured/config", body)
    assert (answer.status, answer.json()["code"]) == (422, "invalid")


def test_an_unknown_plugin_is_not_found(studio: Studio) -> None:
    assert studio.http.put("/api/plugins/nobody/config", {"config": {}}).json()["code"] == "plugin_not_found"
