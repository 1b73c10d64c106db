"""The machine goes down in the middle of something: the next start converges, and nothing half-done is left."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.plugins import spec_tool
from tests.archives import manifest, upload, zipped
from tests.studio import Studio, processes_of, running, wait_for

CONFIG = {"api_key": "secret", "timeout": 30}
SETTLED = {"active", "inactive", "available", "error", "blocked"}
HALF_MADE = (".draft-*", ".spoilt-*", ".incoming-*", "*.new", "*.tmp", ".current.sock.*")
POWER_CUTS = [pytest.param(2, id="short"), pytest.param(60, id="long", marks=pytest.mark.soak)]


@pytest.fixture
def studio(leak_guard: None) -> Iterator[Studio]:
    """A studio of its own, because it is killed again and again."""
    root = Path(tempfile.mkdtemp(prefix="rb-", dir="/tmp"))
    made = Studio(root, bundled=("calculator",), WEB_WORKERS="1", WORKER_CONCURRENCY="1", STUDIO_SOAK="1")
    try:
        with running(made):
            yield made
    finally:
        shutil.rmtree(root, ignore_errors=True)


@dataclass
class Life:
    """Changes a plugin in every way there is, one after another; each may be cut off."""

    studio: Studio
    version: int = 1

    def prepare(self) -> None:
        self._drop(1)
        loaded = self.studio.http.post("/api/plugins/load", {"plugin_id": "mortal", "config": CONFIG})
        assert loaded.status == 200, loaded.text

    def _drop(self, version: int) -> None:
        folder = self.studio.plugins_dir / "mortal"
        folder.mkdir(exist_ok=True)
        (folder / "__init__.py").touch()
        draft = folder / "plugin.py~"
        draft.write_text(spec_tool("mortal", version=f"{version}.0.0"))
        draft.rename(folder / "plugin.py")

    def load(self) -> None:
        self.studio.http.post("/api/plugins/load", {"plugin_id": "mortal", "config": CONFIG})

    def reload(self) -> None:
        self.version += 1
        self._drop(self.version)
        self.studio.http.post("/api/plugins/mortal/reload")

    def configure(self) -> None:
        self.version += 1
        body = {"config": {"timeout": self.version % 300 + 1}}
        self.studio.http.patch("/api/plugins/mortal/config", body)

    def install(self) -> None:
        self.version += 1
        text = spec_tool("mortal", version=f"{self.version}.0.0")
        files = {"plugin.toml": manifest("mortal", f"{self.version}.0.0"), "plugin.py": text, "__init__.py": ""}
        files["plugin.toml"] = files["plugin.toml"].replace('entry = "plugin:Made"', 'entry = "plugin:MyPlugin"')
        upload(self.studio.http, zipped(files), load="true")

    def unload(self) -> None:
        self.studio.http.post("/api/plugins/mortal/unload")

    def remove_and_restore(self) -> None:
        self.studio.http.post("/api/plugins/mortal/unload")
        self.studio.http.delete("/api/plugins/mortal")
        self.studio.http.post("/api/plugins/mortal/restore")


def cut_off_during(studio: Studio, change: Callable[[], None], after: float) -> None:
    """Begin a change, and pull the plug a moment later."""

    def attempt() -> None:
        with contextlib.suppress(OSError, HTTPException, ValueError):  # the other side is gone, in all its ways
            change()

    thread = threading.Thread(target=attempt)
    thread.start()
    time.sleep(after)  # the moment itself is what is tried here
    studio.cut_off()
    thread.join()


@pytest.mark.parametrize("cuts", POWER_CUTS)
def test_a_power_cut_in_the_middle_of_anything(studio: Studio, cuts: int) -> None:
    life, chance = Life(studio), random.Random(cuts)
    changes = [life.reload, life.install, life.configure, life.load, life.unload, life.remove_and_restore]
    life.prepare()
    for number in range(cuts):
        cut_off_during(studio, changes[number % len(changes)], chance.uniform(0, 0.8))
        assert processes_of(studio.data) == []
        studio.start()
        check_whole(studio, life)


def check_whole(studio: Studio, life: Life) -> None:
    """Everything is settled, what is loaded answers, and nothing lies about that nobody needs."""
    wait_for(lambda: set(states(studio).values()) <= SETTLED, 60, lambda: f"{states(studio)}\n{studio.log()[-4000:]}")
    assert states(studio)["calculator"] == "active"
    wait_for(lambda: serving(studio) == running_here(studio), 60, lambda: f"{serving(studio)} {running_here(studio)}")
    wait_for(lambda: half_made(studio) == [], 60, lambda: str(half_made(studio)))
    life.load()  # whatever state it is in, it can be used
    call = {"plugin_id": "mortal", "method": "execute", "kwargs": {"action": "config", "parameters": {}}}
    answer = studio.http.post("/api/plugins/execute", call)
    assert answer.status == 200, answer.text
    assert answer.json()["result"]["api_key"] == "secret"
    card = studio.http.get("/api/plugins/mortal").json()
    assert (card["state"], card["change"]) == ("active", None), card


def states(studio: Studio) -> dict[str, str]:
    return {card["id"]: card["state"] for card in cards(studio)}


def cards(studio: Studio) -> list[dict[str, Any]]:
    return list(studio.http.get("/api/plugins/available").json()["results"])


def serving(studio: Studio) -> set[int]:
    """The plugin processes that the database knows of."""
    return {node["pid"] for card in cards(studio) for node in card["nodes"] if node["pid"]}


def running_here(studio: Studio) -> set[int]:
    """The plugin processes that there are: each has a record beside its socket, and nothing else has one."""
    records = {path: json.loads(path.read_text()) for path in plugin_files(studio, "*.sock.json")}
    sockets = {path.name for path in plugin_files(studio, "g*.sock")}
    assert {record["socket"] for record in records.values()} == sockets
    work = str(studio.data / "work")
    there = {process.pid for process in processes_of(studio.data) if in_directory(process, work)}
    assert {record["pid"] for record in records.values()} == there
    return there


def in_directory(process: Any, directory: str) -> bool:
    try:
        return bool(os.readlink(f"/proc/{process.pid}/cwd").startswith(directory))
    except OSError:
        return False


def plugin_files(studio: Studio, pattern: str) -> list[Path]:
    return list((studio.data / "run" / "plugins").glob(f"*/{pattern}"))


def half_made(studio: Studio) -> list[str]:
    roots = (studio.data, studio.plugins_dir)
    return [str(path) for root in roots for pattern in HALF_MADE for path in root.rglob(pattern)]
