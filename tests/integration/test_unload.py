"""`POST /api/plugins/{id}/unload` and `DELETE /api/plugins/{id}`."""

from collections.abc import Callable
from pathlib import Path

from tests.integration.sources import tool
from tests.studio import Studio

Drop = Callable[..., Path]


def test_an_unloaded_plugin_serves_no_more_and_can_be_loaded_again(studio: Studio, plugin_folder: Drop) -> None:
    plugin_folder("coming", tool("coming"))
    studio.http.post("/api/plugins/load", {"plugin_id": "coming"})
    answer = studio.http.post("/api/plugins/coming/unload")
    assert (answer.status, answer.json()["state"]) == (200, "inactive")
    call = {"plugin_id": "coming", "method": "execute"}
    refused = studio.http.post("/api/plugins/execute", call)
    assert (refused.status, refused.json()["code"]) == (409, "not_loaded")
    assert studio.http.post("/api/plugins/coming/unload").status == 200
    assert studio.http.post("/api/plugins/load", {"plugin_id": "coming"}).json()["generation"] == 2
    assert studio.http.post("/api/plugins/execute", call).status == 200


def test_what_others_need_is_only_unloaded_with_them(studio: Studio, plugin_folder: Drop) -> None:
    plugin_folder("ground", tool("ground"))
    plugin_folder("house", tool("house", dependencies=("ground",)))
    studio.http.post("/api/plugins/load", {"plugin_id": "house"})
    refused = studio.http.post("/api/plugins/ground/unload")
    assert (refused.status, refused.json()["code"]) == (409, "dependents_loaded")
    assert refused.json()["dependents"] == ["house"]
    assert studio.http.post("/api/plugins/ground/unload", {"cascade": True}).status == 200
    assert studio.http.get("/api/plugins/house").json()["state"] == "inactive"


def test_an_unknown_plugin_is_not_found(studio: Studio) -> None:
    assert studio.http.post("/api/plugins/nobody/unload").json()["code"] == "plugin_not_found"


def test_a_loaded_plugin_is_not_removed(studio: Studio, plugin_folder: Drop) -> None:
    plugin_folder("kept", tool("kept"))
    studio.http.post("/api/plugins/load", {"plugin_id": "kept"})
    answer = studio.http.delete("/api/plugins/kept")
    assert (answer.status, answer.json()["code"]) == (409, "still_loaded")


def test_a_removed_plugin_is_gone_and_its_folder_is_in_the_trash(studio: Studio, plugin_folder: Drop) -> None:
    folder = plugin_folder("departing", tool("departing"))
    studio.http.get("/api/plugins/available")
    assert studio.http.delete("/api/plugins/departing").status == 204
    assert studio.http.get("/api/plugins/departing").json()["code"] == "plugin_not_found"
    [trashed] = (studio.data / "trash").glob("departing-*")
    trashed.rename(folder)
    assert studio.http.get("/api/plugins/departing").json()["state"] == "available"
