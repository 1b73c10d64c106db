"""`make run DEV=1`: a save is a swap, a broken one an error in the terminal, where plugins are read too."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from tests.studio import Studio, running_studio, wait_for

SECONDS = 20
MANIFEST = """
[plugin]
id = "{id}"
name = "Hot"
version = "{version}"
author = "Ada"
description = "Saved again and again"
type = "tool"

[dependencies]
{needs}
"""
CODE = """
import asyncio
from plugins_app.sdk import ToolPlugin


class Hot(ToolPlugin):
    async def initialize(self):
        {initialize}
        return True

    async def execute(self, action, parameters):
        print("asked to", action)
        self.context.logger.warning("about to answer")
        return {value!r}
"""


@pytest.fixture(scope="module")
def dev(owned_processes: set[int]) -> Iterator[Studio]:
    with running_studio(DEV="1", WEB_WORKERS="1") as studio:
        assert studio.launcher is not None
        owned_processes.add(studio.launcher.pid)
        wait_for(lambda: "watching" in studio.log(), SECONDS, studio.log)
        yield studio


class Author:
    """Writes plugins into the folder of a running studio."""

    def __init__(self, studio: Studio) -> None:
        self.studio, self._read = studio, len(studio.log())

    def save(
        self, name: str, value: object, *, initialize: str = "pass", version: str = "1.0.0", needs: str = ""
    ) -> None:
        folder = self.studio.plugins_dir / name
        folder.mkdir(exist_ok=True)
        (folder / "plugin.toml").write_text(MANIFEST.format(id=name, version=version, needs=needs))
        (folder / "plugin.py").write_text(CODE.format(value=value, initialize=initialize))

    def load(self, name: str) -> None:
        answer = self.studio.http.post("/api/plugins/load", {"plugin_id": name})
        assert answer.status == 200, answer.text

    def call(self, name: str) -> Any:
        body = {"plugin_id": name, "method": "execute", "kwargs": {"action": "answer", "parameters": {}}}
        return self.studio.http.post("/api/plugins/execute", body).json().get("result")

    def generation(self, name: str) -> int:
        generation: int = self.studio.http.get(f"/api/plugins/{name}").json()["generation"]
        return generation

    def answers(self, name: str, value: object) -> None:
        wait_for(lambda: self.call(name) == value, SECONDS, self.said)

    def said(self) -> str:
        """What the terminal has shown since the author came."""
        return self.studio.log()[self._read :]

    def hears(self, pattern: str) -> None:
        wait_for(lambda: re.search(pattern, self.said()), SECONDS, lambda: f"{pattern} in\n{self.said()}")


@pytest.fixture
def author(dev: Studio) -> Iterator[Author]:
    before = {folder.name for folder in dev.plugins_dir.iterdir()}
    yield Author(dev)
    for folder in dev.plugins_dir.iterdir():
        if folder.name not in before:
            dev.http.post(f"/api/plugins/{folder.name}/unload", {"cascade": True})
            shutil.rmtree(folder)
    dev.http.post("/api/plugins/discover")


def loaded(author: Author, name: str, **how: Any) -> None:
    author.save(name, 0, **how)
    author.load(name)


def test_a_save_is_served_and_told(author: Author) -> None:
    loaded(author, "hot")
    for value in (1, 2, 3):
        author.save("hot", value, version=f"1.0.{value}")
        author.answers("hot", value)
        author.hears(rf"watch +\| hot 1\.0\.{value} -> generation \d+ in \d+ ms")


def test_a_broken_save_leaves_the_old_one_and_tells_the_authors_own_error_once(author: Author) -> None:
    loaded(author, "hot")
    author.save("hot", 1, initialize='raise ValueError("no upstream")')
    author.hears(r"hot 1\.0\.0: initialize raised ValueError: no upstream\. Generation \d+ of hot is still serving")
    author.hears(r"watch +\|     plugin\.py, line 8, in initialize")
    author.save("hot", 2, initialize="retrun True")
    author.hears(r"watch +\| hot 1\.0\.0: plugin\.py line 8: invalid syntax")
    assert author.call("hot") == 0
    author.save("hot", 2, initialize="retrun True")  # saved once more as it is: the same error, and told already
    author.save("hot", 3)
    author.answers("hot", 3)
    author.hears(r"hot 1\.0\.0 -> generation")
    told = [line for line in author.said().splitlines() if re.search(r" watch +\| ", line)]
    assert len([line for line in told if "no upstream" in line]) == 1
    assert len([line for line in told if "invalid syntax" in line]) == 1


def test_a_save_that_changes_nothing_swaps_nothing(author: Author) -> None:
    loaded(author, "hot")
    before = author.generation("hot")
    author.save("hot", 0)
    folder = author.studio.plugins_dir / "hot"
    (folder / ".plugin.py.swp").write_text("vim")
    (folder / ".#plugin.py").symlink_to("ada@studio.1234")  # emacs: it points to nothing
    os.utime(folder / "plugin.py")
    author.save("hot", 1)
    author.answers("hot", 1)
    assert author.generation("hot") == before + 1


def test_a_new_folder_is_found_and_one_that_goes_is_missed(author: Author) -> None:
    author.save("hot", 0)
    author.hears(r"watch +\| hot 1\.0\.0: seen; it is not loaded")
    author.load("hot")
    shutil.rmtree(author.studio.plugins_dir / "hot")
    author.hears(r"watch +\| hot 1\.0\.0: its folder is gone; generation \d+ goes on serving")
    assert author.call("hot") == 0
    author.save("hot", 1)
    author.answers("hot", 1)


def test_plugins_saved_at_once_are_all_swapped_in_order_of_dependency(author: Author) -> None:
    loaded(author, "base")
    loaded(author, "upon", needs='base = ">=1"')
    loaded(author, "apart")
    author.save("upon", 2, version="2.0.0", needs='base = ">=2"')
    author.save("base", 2, version="2.0.0")
    author.save("apart", 2)
    for name in ("upon", "base", "apart"):
        author.answers(name, 2)
        author.hears(rf"watch +\| ({name} \S+ -> generation|.*, with .*{name} )")
    assert "depends on" not in author.said()


def test_a_save_during_a_slow_start_is_not_lost(author: Author) -> None:
    loaded(author, "hot")
    author.save("hot", 1, initialize='print("starting slowly"); await asyncio.sleep(3600)')
    author.hears("starting slowly")
    author.save("hot", 2, version="1.0.2")
    author.answers("hot", 2)
    author.hears(r"hot 1\.0\.2 -> generation")
    assert not re.search(r"hot 1\.0\.0: (?!seen)", author.said())


def test_what_a_plugin_prints_and_logs_is_readable(author: Author) -> None:
    loaded(author, "hot")
    assert author.call("hot") == 0
    author.hears(r"host +\| hot INFO    asked to answer\n")
    author.hears(r"host +\| hot WARNING about to answer\n")
    assert '{"level"' not in author.said()


def test_only_with_dev_the_folder_is_watched(studio: Studio) -> None:
    assert "watch" not in studio.pids()
