"""`GET /api/plugins/events`, `/api/executions/{id}/events`: live, in order, resumable."""

import json
import urllib.request
from collections.abc import Callable, Iterator
from http.client import HTTPResponse
from pathlib import Path
from typing import Any

from tests.integration.sources import tool
from tests.studio import Studio

Drop = Callable[..., Path]


def opened(studio: Studio, path: str, last_id: str | None = None) -> HTTPResponse:
    headers = {"Authorization": f"Bearer {studio.operator_key}", "Accept": "text/event-stream"}
    headers |= {"Last-Event-ID": last_id} if last_id else {}
    stream: HTTPResponse = urllib.request.urlopen(
        urllib.request.Request(studio.url + path, headers=headers), timeout=20
    )
    assert stream.headers["Content-Type"] == "text/event-stream"
    return stream


def events(stream: HTTPResponse) -> Iterator[dict[str, Any]]:
    """What comes in, one by one; comments are left out."""
    fields: dict[str, str] = {}
    for line in stream:
        key, _, value = line.decode().rstrip("\n").partition(": ")
        if key:
            fields[key] = value
        elif "data" in fields:
            yield {"id": fields["id"], "name": fields["event"], **json.loads(fields["data"])}
            fields = {}


def until(stream: HTTPResponse, name: str) -> list[dict[str, Any]]:
    seen = []
    for event in events(stream):
        seen.append(event)
        if event["name"] == name:
            return seen
    raise AssertionError(f"no {name}, only {seen}")


def test_a_life_is_told_in_order_and_can_be_resumed(studio: Studio, plugin_folder: Drop) -> None:
    plugin_folder("told", tool("told"))
    with opened(studio, "/api/plugins/events") as stream:
        assert stream.readline().startswith(b":")
        studio.http.post("/api/plugins/load", {"plugin_id": "told"})
        studio.http.post("/api/plugins/told/reload")
        studio.http.post("/api/plugins/told/unload")
        seen = [event for event in until(stream, "plugin_unloaded") if event["plugin_id"] == "told"]
    names = [event["name"] for event in seen if event["name"] != "plugin_loading"]
    assert names == ["plugin_discovered", "plugin_loaded", "plugin_reloaded", "plugin_unloaded"]
    ids = [int(event["id"]) for event in seen]
    assert ids == sorted(ids) and seen[0]["at"]

    with opened(studio, "/api/plugins/events", last_id=seen[1]["id"]) as stream:
        again = [event for event in until(stream, "plugin_unloaded") if event["plugin_id"] == "told"]
    assert [event["id"] for event in again] == [event["id"] for event in seen[2:]]


def test_an_execution_tells_its_progress_and_its_end(studio: Studio, plugin_folder: Drop) -> None:
    steps = """
        for i in range(5):
            self.context.progress(i / 5, f"step {i}")
            await asyncio.sleep(0.3)
        return "done"
    """
    plugin_folder("stepping", tool("stepping", execute=steps))
    studio.http.post("/api/plugins/load", {"plugin_id": "stepping"})
    request = {"plugin_id": "stepping", "method": "execute", "mode": "async"}
    location = studio.http.post("/api/plugins/execute", request).headers["Location"]
    with opened(studio, f"{location}/events") as stream:
        seen = until(stream, "finished")
        assert stream.read() == b""  # it ends by itself
    assert (seen[-1]["status"], seen[-1]["result"]) == ("succeeded", "done")
    fractions = [event["progress"]["fraction"] for event in seen if event["progress"]["fraction"] is not None]
    assert len(fractions) >= 3 and fractions == sorted(fractions)
