"""The studio as the launcher starts it: every part runs, and those who may get in do."""

from collections.abc import Callable
from pathlib import Path

import psutil

from tests.studio import Studio

DICE = """
from backend.plugins.base_plugin import PluginMetadata, PluginType, ToolPlugin

class Dice(ToolPlugin):
    @property
    def metadata(self):
        return PluginMetadata(id="loaded-dice", name="Dice", version="1.0.0", author="A", description="Rolls a six.",
                              plugin_type=PluginType.TOOL)

    async def initialize(self):
        return True

    async def execute(self, action, parameters):
        return 6
"""


def test_every_process_of_the_procfile_runs_and_says_that_it_is_well(studio: Studio) -> None:
    assert set(studio.pids()) == {"redis", "web", "host", "worker", "courier", "beat"}
    assert all(psutil.pid_exists(pid) for pid in studio.pids().values())
    health = studio.anonymous.get("/api/plugins/health")
    assert (health.status, health.json()["status"]) == (200, "ok")


def test_what_the_studio_keeps_is_for_its_owner_only(studio: Studio) -> None:
    assert studio.data.stat().st_mode & 0o777 == 0o700
    assert (studio.data / "run").stat().st_mode & 0o777 == 0o700
    assert (studio.data / "run" / "valkey.sock").stat().st_mode & 0o077 == 0


def test_an_operator_gets_in_with_a_key_and_nobody_without_one(studio: Studio) -> None:
    assert studio.http.get("/api/plugins").status == 200
    assert studio.as_user.post("/api/plugins/load", {"plugin_id": "calculator"}).status == 403
    assert studio.anonymous.get("/api/plugins").status == 401


def test_a_folder_dropped_in_is_found_loaded_and_executed(studio: Studio, plugin_folder: Callable[..., Path]) -> None:
    plugin_folder("loaded_dice", DICE, config={"enabled": True})
    loaded = studio.http.post("/api/plugins/load", {"plugin_id": "loaded-dice"})
    assert (loaded.status, loaded.json()["state"]) == (200, "active"), loaded.text
    call = {"plugin_id": "loaded-dice", "method": "execute", "kwargs": {"action": "roll", "parameters": {}}}
    executed = studio.http.post("/api/plugins/execute", call)
    assert (executed.status, executed.json()["result"]) == (200, 6), executed.text
