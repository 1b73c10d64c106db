"""History, comparison and rollback of a configuration over HTTP."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.integration.sources import tool
from tests.studio import Studio

Drop = Callable[..., Path]
SCHEMA = {
    "api_key": {"type": "string"},
    "level": {"type": "integer", "min": 1, "max": 9, "default": 3},
    "servers": {"type": "array", "items": {"type": "object", "properties": {"token": {"type": "string"}}}},
}
REFUSES = "if self.get_config('level') == 9: raise ValueError('nine is too much')\nreturn True"
HOME = "/api/plugins/kept/config"


@pytest.fixture
def kept(studio: Studio, plugin_folder: Drop) -> Studio:
    """A plugin with an empty history, loaded."""
    studio.http.post("/api/plugins/kept/unload")
    plugin_folder("kept", tool("kept", schema=SCHEMA, execute="return dict(self.config)", initialize=REFUSES))
    loaded = studio.http.post("/api/plugins/load", {"plugin_id": "kept", "config": {"api_key": "key-one", "level": 2}})
    assert loaded.status == 200, loaded.text
    return studio


def history(studio: Studio) -> list[dict[str, Any]]:
    answer = studio.http.get(f"{HOME}/history")
    assert answer.status == 200, answer.text
    assert "key-" not in answer.text
    return list(answer.json()["results"])


def current(studio: Studio) -> dict[str, Any]:
    """The revision that is stored now; what was undone may be newer."""
    return next(each for each in history(studio) if each["current"])


def level(studio: Studio) -> int:
    body = {"plugin_id": "kept", "method": "execute"}
    return int(studio.http.post("/api/plugins/execute", body).json()["result"]["level"])


def test_every_change_is_kept_with_who_when_and_why(kept: Studio) -> None:
    first = current(kept)
    assert (first["cause"], first["current"], first["undone"]) == ("load", True, False)
    assert first["by"] == "key:test-operator" and first["at"]
    kept.http.put(HOME, {"config": {"api_key": "key-two", "level": 4}})
    kept.http.patch(HOME, {"config": {"level": 5}})
    kept.http.patch(HOME, {"config": {"level": 5}})  # the same again is no change
    newest, before, *_ = history(kept)
    assert (newest["number"], newest["changed"], newest["cause"]) == (before["number"] + 1, ["/level"], "config")
    assert sorted(before["changed"]) == ["/api_key", "/level"]
    assert newest["generation"] == kept.http.get("/api/plugins/kept").json()["generation"]
    one = kept.http.get(f"{HOME}/history/{newest['number']}").json()
    assert one["config"] == {"api_key": "********", "level": 5}


def test_one_that_fails_is_marked_undone(kept: Studio) -> None:
    assert kept.http.patch(HOME, {"config": {"level": 9}}).status == 502
    undone, current, *_ = history(kept)
    assert (undone["undone"], undone["current"]) == (True, False)
    assert (current["undone"], current["current"]) == (False, True)
    assert kept.http.get("/api/plugins/kept").json()["config"]["level"] == 2


def test_two_revisions_are_compared_and_a_secret_only_said_to_differ(kept: Studio) -> None:
    first = current(kept)["number"]
    changed = {"api_key": "key-two", "level": 2, "servers": [{"token": "key-three"}], "more": {"a": 1}}
    kept.http.put(HOME, {"config": changed})
    answer = kept.http.get(f"{HOME}/compare?from={first}")
    assert "key-" not in answer.text
    assert answer.json()["from"] == first
    assert answer.json()["changes"] == [
        {"pointer": "/api_key", "kind": "changed", "from": "********", "to": "********"},
        {"pointer": "/servers", "kind": "added", "from": None, "to": [{"token": "********"}]},
        {"pointer": "/more", "kind": "added", "from": None, "to": {"a": 1}},
    ]
    kept.http.put(HOME, {"config": {**changed, "servers": [{"token": "********"}, {"token": "key-4"}], "level": True}})
    kept.http.put(HOME, {"config": {"api_key": "key-two", "servers": [{"token": "key-three"}, {"token": "key-4"}]}})
    second = answer.json()["to"]
    compared = kept.http.get(f"{HOME}/compare?from={second}").json()
    assert [(each["pointer"], each["kind"]) for each in compared["changes"]] == [
        ("/level", "removed"),
        ("/servers/1", "added"),
        ("/more", "removed"),
    ]


def test_an_earlier_one_comes_back_with_its_secrets_as_a_new_revision(kept: Studio) -> None:
    first = current(kept)["number"]
    kept.http.put(HOME, {"config": {"api_key": "key-two", "level": 7}})
    assert level(kept) == 7
    answer = kept.http.post(f"{HOME}/rollback", {"number": first})
    assert (answer.status, answer.json()["config"]["level"]) == (200, 2)
    assert level(kept) == 2
    newest = history(kept)[0]
    assert newest["cause"] == "rollback" and newest["current"] and newest["number"] > first
    assert kept.http.get(f"{HOME}/compare?from={first}").json()["changes"] == []


def test_what_is_stored_while_it_is_not_loaded_is_kept_too(kept: Studio) -> None:
    first = current(kept)["number"]
    kept.http.post("/api/plugins/kept/unload")
    kept.http.put(HOME, {"config": {"level": 6}})
    newest = history(kept)[0]
    assert (newest["generation"], newest["cause"], newest["current"]) == (None, "config", True)
    assert kept.http.post(f"{HOME}/rollback", {"number": first}).status == 200
    assert kept.http.get("/api/plugins/kept").json()["config"]["level"] == 2


def test_what_is_not_there_is_not_found_and_what_does_not_fit_is_refused(kept: Studio) -> None:
    for path in (f"{HOME}/history/999999", f"{HOME}/compare?from=999999"):
        assert kept.http.get(path).json()["code"] == "revision_not_found"
    assert kept.http.post(f"{HOME}/rollback", {"number": 999999}).json()["code"] == "revision_not_found"
    assert kept.http.get(f"{HOME}/compare").json()["errors"] == [
        {"pointer": "/from", "message": "This field is required."}
    ]
    assert kept.http.post(f"{HOME}/rollback", {"number": 0}).json()["code"] == "invalid"
    assert kept.http.get("/api/plugins/nobody/config/history").json()["code"] == "plugin_not_found"


@pytest.mark.parametrize("path", ["history", "history/1", "compare?from=1"])
def test_only_operators_may_look(kept: Studio, path: str) -> None:
    assert kept.as_user.get(f"{HOME}/{path}").json()["code"] == "forbidden"
    assert kept.as_user.post(f"{HOME}/rollback", {"number": 1}).json()["code"] == "forbidden"
    assert kept.anonymous.get(f"{HOME}/{path}").status == 401
