"""`GET /api/plugins/{id}/events`: what has happened to one plugin."""

from collections.abc import Callable
from pathlib import Path

from tests.integration.sources import tool
from tests.studio import Studio


def test_what_happened_is_listed_newest_first_and_page_by_page(
    studio: Studio, plugin_folder: Callable[..., Path]
) -> None:
    plugin_folder("past", tool("past"))
    assert studio.http.post("/api/plugins/load", {"plugin_id": "past"}).status == 200
    call = {"plugin_id": "past", "method": "execute", "args": ["config", {}]}
    assert studio.http.post("/api/plugins/execute", call).status == 200
    assert studio.http.post("/api/plugins/past/unload").status == 200
    everything = studio.as_user.get("/api/plugins/past/events").json()["results"]
    names = [event["event"] for event in everything]
    assert names[0] == "plugin_unloaded" and names[-1] == "plugin_discovered" and "plugin_loaded" in names
    assert not [name for name in names if name.startswith("execution_")]
    assert [event["id"] for event in everything] == sorted((event["id"] for event in everything), reverse=True)
    assert all(event["at"] and event["plugin_id"] == "past" for event in everything)
    loaded = next(event for event in everything if event["event"] == "plugin_loaded")
    assert loaded["generation"] == 1
    page = studio.http.get("/api/plugins/past/events?page=2&page_size=1").json()
    assert page["results"] == everything[1:2] and page["count"] == len(everything)


def test_an_unknown_plugin_has_no_history(studio: Studio) -> None:
    answer = studio.http.get("/api/plugins/no-such-plugin/events")
    assert (answer.status, answer.json()["code"]) == (404, "plugin_not_found")
    assert studio.anonymous.get("/api/plugins/calculator/events").status == 401
