"""From a folder to an answer, and what happens when the plugin is broken, spins, blocks or is killed."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.plugins import spec_tool
from tests.studio import Response, Studio, wait_for

CONFIG = {"enabled": True, "api_key": "your-api-key-here", "custom_setting": "value"}
Drop = Callable[..., Path]


def execute(
    studio: Studio, action: str, plugin_id: str = "my-plugin", timeout: float = 20, **parameters: Any
) -> Response:
    body = {
        "plugin_id": plugin_id,
        "method": "execute",
        "args": [],
        "kwargs": {"action": action, "parameters": parameters},
        "timeout": timeout,
    }
    return studio.http.post("/api/plugins/execute", body)


@pytest.fixture
def folder(studio: Studio, plugin_folder: Drop) -> Iterator[Path]:
    """The specification's plugin, in a folder with `_` where its id has `-`."""
    yield plugin_folder("my_plugin", spec_tool("my-plugin"), CONFIG)


@pytest.fixture
def loaded(studio: Studio, folder: Path) -> Path:
    answer = studio.http.post("/api/plugins/load", {"plugin_id": "my-plugin"})
    assert answer.status == 200, answer.text
    return folder


def test_a_dropped_folder_is_found_configured_loaded_and_executed(studio: Studio, folder: Path) -> None:
    found = {each["id"]: each for each in studio.http.get("/api/plugins/available?page_size=200").json()["results"]}
    assert found["my-plugin"]["state"] == "available"
    assert found["my-plugin"]["type"] == "tool"
    assert "my-plugin" not in [each["id"] for each in studio.http.get("/api/plugins").json()["results"]]

    answer = studio.http.post("/api/plugins/load", {"plugin_id": "my-plugin", "config": {"api_key": "s3cret-canary"}})
    assert (answer.status, answer.json()["state"]) == (200, "active")
    assert answer.json()["config"]["api_key"] == "********"
    assert "s3cret-canary" not in answer.text

    seen = execute(studio, "config").json()["result"]
    assert seen == {"enabled": True, "api_key": "s3cret-canary", "custom_setting": "value", "timeout": 30}
    assert execute(studio, "search", query="AI").json()["result"]["parameters"] == {"query": "AI"}

    changed = studio.http.put("/api/plugins/my-plugin/config", {"config": {"api_key": "********", "timeout": 5}})
    assert changed.status == 200
    assert execute(studio, "config").json()["result"]["timeout"] == 5
    assert execute(studio, "config").json()["result"]["api_key"] == "s3cret-canary"
    assert studio.http.post("/api/plugins/my-plugin/unload").status == 200
    assert execute(studio, "pid").json()["code"] == "not_loaded"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"initialize": 'raise OSError("no upstream")'}, "initialize_raised"),
        ({"initialize": "return False"}, "initialize_returned_false"),
        ({"head": "import no_such_module_anywhere"}, "import_failed"),
        ({"head": "def broken(:"}, "import_failed"),
    ],
)
def test_a_broken_version_is_told_apart_and_the_old_one_serves_on(
    studio: Studio, loaded: Path, change: dict[str, str], code: str
) -> None:
    before = execute(studio, "x").json()
    (loaded / "plugin.py").write_text(spec_tool("my-plugin", version="2.0.0", **change))
    answer = studio.http.post("/api/plugins/my-plugin/reload")
    assert (answer.status, answer.json()["code"]) == (502, code), answer.text
    assert "serving" in answer.json()["detail"]
    after = execute(studio, "x").json()
    assert (after["result"]["version"], after["generation"]) == ("1.0.0", before["generation"])
    (loaded / "plugin.py").write_text(spec_tool("my-plugin", version="2.0.1"))
    assert studio.http.post("/api/plugins/my-plugin/reload").status == 200
    assert execute(studio, "x").json()["result"]["version"] == "2.0.1"


def test_a_version_that_hangs_is_said_to_hang(studio: Studio, plugin_folder: Drop) -> None:
    manifest = (
        '[plugin]\nid = "hanger"\nname = "H"\nversion = "1.0.0"\nauthor = "A"\ndescription = "d"\ntype = "tool"\n'
    )
    manifest += "[limits]\ninit_timeout_s = 1\n"
    folder = plugin_folder("hanger", spec_tool("hanger"), CONFIG, {"plugin.toml": manifest})
    assert studio.http.post("/api/plugins/load", {"plugin_id": "hanger"}).status == 200
    for way in ("await asyncio.sleep(3600)", "time.sleep(3600)"):
        (folder / "plugin.py").write_text(spec_tool("hanger", initialize=way))
        answer = studio.http.post("/api/plugins/hanger/reload")
        assert (answer.status, answer.json()["code"]) == (502, "initialize_timeout"), answer.text
        assert execute(studio, "x", "hanger").status == 200


def test_kill_9_gives_calls_in_flight_a_clear_502_and_the_next_call_works(studio: Studio, loaded: Path) -> None:
    pid = execute(studio, "pid").json()["result"]
    answers: list[Response] = []
    flight = threading.Thread(target=lambda: answers.append(execute(studio, "sleep", seconds=60)))
    flight.start()
    wait_for(lambda: execute(studio, "is-asleep").json()["result"], 10)
    os.kill(pid, signal.SIGKILL)
    flight.join()
    assert (answers[0].status, answers[0].json()["code"]) == (502, "plugin_crashed")
    again = execute(studio, "pid")
    assert again.status == 200
    assert again.json()["result"] != pid


@pytest.mark.parametrize("way", ["spin", "block"])
def test_a_plugin_that_spins_or_blocks_is_cut_off_and_replaced_and_nobody_else_notices(
    studio: Studio, loaded: Path, way: str
) -> None:
    pid = execute(studio, "pid").json()["result"]
    answers: list[Response] = []
    stuck = threading.Thread(target=lambda: answers.append(execute(studio, way, timeout=1, seconds=60)))
    stuck.start()
    others = []
    while stuck.is_alive():
        others.append(execute(studio, "evaluate", "calculator", expression="6*7"))
    assert (answers[0].status, answers[0].json()["code"]) == (504, "deadline_exceeded")
    assert others
    assert {answer.json()["result"]["value"] for answer in others} == {42}
    assert execute(studio, "pid").json()["result"] != pid


def test_after_load_every_web_process_and_worker_reaches_the_new_generation(studio: Studio, loaded: Path) -> None:
    for _ in range(3):
        generation = studio.http.post("/api/plugins/my-plugin/reload").json()["new"]["generation"]
        assert {execute(studio, "x").json()["generation"] for _ in range(24)} == {generation}
        body = {"plugin_id": "my-plugin", "method": "execute", "kwargs": {"action": "x", "parameters": {}}}
        queued = [studio.http.post("/api/plugins/execute", body | {"mode": "async"}) for _ in range(6)]
        assert {answer.status for answer in queued} == {202}
        done = [finished(studio, answer.headers["Location"]) for answer in queued]
        assert {(each["status"], each["generation"]) for each in done} == {("succeeded", generation)}


def finished(studio: Studio, location: str) -> dict[str, Any]:
    """The execution once it has ended."""
    wait_for(lambda: studio.http.get(location).json()["status"] in ("succeeded", "failed", "cancelled"), 30)
    body: dict[str, Any] = studio.http.get(location).json()
    return body


def test_an_async_execution_shows_progress_and_can_be_cancelled(studio: Studio, loaded: Path) -> None:
    body = {"plugin_id": "my-plugin", "method": "execute", "mode": "async"}
    run = studio.http.post("/api/plugins/execute", body | {"kwargs": {"action": "count", "parameters": {"steps": 5}}})
    assert run.status == 202
    assert finished(studio, run.headers["Location"])["result"] == 5
    slow = {"kwargs": {"action": "sleep", "parameters": {"seconds": 3600}}, "timeout": 600}
    location = studio.http.post("/api/plugins/execute", body | slow).headers["Location"]
    wait_for(lambda: studio.http.get(location).json()["status"] == "running", 30)
    assert studio.http.post(f"{location}/cancel").status in (200, 202)
    assert finished(studio, location)["status"] == "cancelled"


def test_an_exception_is_told_with_type_and_message_and_the_traceback_only_to_operators(
    studio: Studio, loaded: Path
) -> None:
    body = {"plugin_id": "my-plugin", "method": "execute", "kwargs": {"action": "raise", "parameters": {}}}
    for client, sees in ((studio.http, True), (studio.as_user, False)):
        answer = client.post("/api/plugins/execute", body)
        assert (answer.status, answer.json()["code"]) == (502, "plugin_raised")
        assert "the upstream said no" in answer.text
        assert ("Traceback" in answer.text) is sees
