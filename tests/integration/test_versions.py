"""Versions, releases, and going back: POST /api/plugins/{id}/rollback."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.integration.sources import tool
from tests.studio import Studio

Drop = Callable[..., Path]
SCHEMA = {"word": {"type": "string", "default": "none"}, "key": {"type": "string", "secret": True}}


@pytest.fixture
def drop(plugin_folder: Drop) -> Callable[[str], Path]:
    """Puts a version of one plugin into its folder; it answers with its version and its configuration."""

    def put(version: str) -> Path:
        answer = f"return [{version!r}, self.config.get('word'), self.config.get('key')]"
        return plugin_folder("going_back", tool("going-back", version=version, schema=SCHEMA, execute=answer))

    return put


def call(studio: Studio) -> Any:
    answer = studio.http.post("/api/plugins/execute", {"plugin_id": "going-back", "method": "execute"})
    assert answer.status == 200, answer.text
    return answer.json()["result"]


def load(studio: Studio, **more: Any) -> Any:
    answer = studio.http.post("/api/plugins/load", {"plugin_id": "going-back", **more})
    assert answer.status == 200, answer.text
    return answer.json()


def reload(studio: Studio) -> Any:
    answer = studio.http.post("/api/plugins/going-back/reload")
    assert answer.status == 200, answer.text
    return answer.json()


def rollback(studio: Studio, **target: Any) -> Any:
    return studio.http.post("/api/plugins/going-back/rollback", target)


def versions(studio: Studio) -> Any:
    return studio.http.get("/api/plugins/going-back/versions").json()


def test_versions_and_releases_are_listed_newest_first(studio: Studio, drop: Callable[[str], Path]) -> None:
    drop("1.0.0")
    first = load(studio)
    drop("2.0.0")
    second = reload(studio)
    shown = versions(studio)
    assert [version["version"] for version in shown["versions"]][:2] == ["2.0.0", "1.0.0"]
    assert shown["versions"][0] | {"found_at": 0, "size_bytes": 0} == {
        "digest": second["digest"],
        "version": "2.0.0",
        "source": "folder",
        "size_bytes": 0,
        "found_at": 0,
        "serving": True,
        "newest": True,
        "in_store": True,
    }
    new, old = shown["releases"][:2]
    assert (new["generation"], new["cause"], new["by"]) == (second["generation"], "reload", "key:test-operator")
    assert (new["serving"], old["serving"], old["digest"]) == (True, False, first["digest"])
    assert old["committed_at"] and old["failure"] is None and old["cause"] == "load"
    assert studio.as_user.get("/api/plugins/going-back/versions").json()["code"] == "forbidden"


def test_it_goes_back_to_the_version_before_and_keeps_the_configuration(
    studio: Studio, drop: Callable[[str], Path]
) -> None:
    drop("1.0.0")
    first = load(studio, config={"word": "kept"})
    drop("2.0.0")
    second = reload(studio)
    answer = rollback(studio)
    plugin = answer.json()
    assert answer.status == 200, answer.text
    assert (plugin["old"], plugin["new"]["digest"]) == (second["new"], first["digest"])
    assert plugin["generation"] == plugin["new"]["generation"] > second["generation"]
    assert call(studio)[:2] == ["1.0.0", "kept"]
    assert versions(studio)["releases"][0]["cause"] == "rollback"
    # The next reload takes the folder again.
    assert reload(studio)["version"] == "2.0.0" and call(studio)[0] == "2.0.0"


def test_it_goes_back_to_the_configuration_before_when_that_is_what_changed(
    studio: Studio, drop: Callable[[str], Path]
) -> None:
    drop("1.0.0")
    load(studio, config={"word": "first", "key": "s1"})
    assert studio.http.put("/api/plugins/going-back/config", {"config": {"word": "second", "key": "s2"}}).status == 200
    assert call(studio) == ["1.0.0", "second", "s2"]
    assert rollback(studio).status == 200
    assert call(studio) == ["1.0.0", "first", "s1"]
    shown = studio.http.get("/api/plugins/going-back").json()["config"]
    assert shown["word"] == "first" and shown["key"] == "********"


def test_a_generation_comes_back_with_its_configuration(studio: Studio, drop: Callable[[str], Path]) -> None:
    drop("1.0.0")
    generation = load(studio, config={"word": "first"})["generation"]
    drop("2.0.0")
    reload(studio)
    studio.http.patch("/api/plugins/going-back/config", {"config": {"word": "second"}})
    assert rollback(studio, generation=generation).status == 200
    assert call(studio)[:2] == ["1.0.0", "first"]


def test_a_rollback_that_fails_changes_nothing(
    studio: Studio, drop: Callable[[str], Path], plugin_folder: Drop
) -> None:
    drop("1.0.0")
    load(studio, config={"word": "first"})
    text = tool("going-back", version="1.5.0", schema=SCHEMA, initialize="return self.config.get('word') == 'good'")
    plugin_folder("going_back", text)
    studio.http.put("/api/plugins/going-back/config", {"config": {"word": "good"}})
    middle = reload(studio)
    drop("2.0.0")
    reload(studio)
    studio.http.put("/api/plugins/going-back/config", {"config": {"word": "third"}})
    answer = rollback(studio, digest=middle["digest"])
    assert (answer.status, answer.json()["code"]) == (502, "initialize_returned_false"), answer.text
    assert call(studio)[:2] == ["2.0.0", "third"]
    assert versions(studio)["releases"][0]["failure"]["code"] == "initialize_returned_false"


def test_a_version_is_named_by_the_beginning_of_its_digest(studio: Studio, drop: Callable[[str], Path]) -> None:
    drop("1.0.0")
    digest = load(studio)["digest"]
    drop("2.0.0")
    studio.http.post("/api/plugins/going-back/unload")
    assert load(studio)["version"] == "2.0.0"
    assert rollback(studio, digest=digest[:8]).json()["digest"] == digest
    # A plugin that is not loaded is loaded in that version.
    studio.http.post("/api/plugins/going-back/unload")
    answer = rollback(studio, digest=digest)
    assert (answer.status, answer.json()["state"], answer.json()["version"]) == (200, "active", "1.0.0")


@pytest.mark.parametrize(
    ("target", "status", "code"),
    [
        ({"digest": "0" * 12}, 404, "version_not_found"),
        ({"digest": "0" * 7}, 404, "version_not_found"),
        ({"generation": 9999}, 404, "version_not_found"),
        ({"generation": 0}, 422, "invalid"),
        ({"generation": 1, "digest": "0" * 12}, 422, "invalid"),
        ({"to": "before"}, 422, "invalid"),
        ({}, 409, "nothing_to_roll_back"),
    ],
)
def test_what_cannot_be_gone_back_to_is_told(
    studio: Studio, plugin_folder: Drop, target: dict[str, Any], status: int, code: str
) -> None:
    plugin_folder("going_nowhere", tool("going-nowhere"))
    assert studio.http.post("/api/plugins/load", {"plugin_id": "going-nowhere"}).status == 200
    answer = studio.http.post("/api/plugins/going-nowhere/rollback", target)
    assert (answer.status, answer.json()["code"]) == (status, code), answer.text


def test_without_a_target_it_must_be_loaded(studio: Studio, plugin_folder: Drop) -> None:
    plugin_folder("going_nowhere", tool("going-nowhere"))
    assert studio.http.post("/api/plugins/going-nowhere/rollback").json()["code"] == "not_loaded"
    assert studio.http.post("/api/plugins/nobody/rollback").json()["code"] == "plugin_not_found"
    assert studio.as_user.post("/api/plugins/going-nowhere/rollback").json()["code"] == "forbidden"


def test_a_version_that_is_gone_from_the_store_is_fetched_back(studio: Studio, drop: Callable[[str], Path]) -> None:
    from plugins_app.services.snapshots import remove_tree
    from tests.studio import wait_for

    drop("1.0.0")
    digest = load(studio)["digest"]
    drop("2.0.0")
    reload(studio)
    wait_for((studio.data / "packages" / "going-back" / f"{digest}.tar.gz").is_file, 30)
    remove_tree(studio.data / "store" / "going-back" / digest)
    assert not next(v for v in versions(studio)["versions"] if v["digest"] == digest)["in_store"]
    wait_for(lambda: rollback(studio, digest=digest).status == 200, 30)
    assert call(studio)[0] == "1.0.0"
