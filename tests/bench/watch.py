"""The author's loop: from a save to the first call that the new code answers, with few and many plugins around."""

from __future__ import annotations

import time
from pathlib import Path

from tests.bench.figures import Latencies, row, section
from tests.bench.many import drop, load_many, unload_bundled
from tests.studio import Studio, running_studio, wait_for

SAVES = 50
_PAUSE = 0.002  # between two questions, so that asking does not take the processor from what is measured
_SPEC_STYLE = """
from backend.plugins.base_plugin import PluginMetadata, PluginType, ToolPlugin


class Hot(ToolPlugin):
    @property
    def metadata(self):
        return PluginMetadata(id="hot", name="Hot", version="1.0.0", author="Ada", description="d",
                              plugin_type=PluginType.TOOL)

    async def execute(self, action, parameters):
        return {value}
"""
_MANIFEST = '[plugin]\nid = "hot"\nname = "Hot"\nversion = "1.0.0"\nauthor = "Ada"\ndescription = "d"\ntype = "tool"\n'


def run() -> None:
    """Measure and print."""
    section(f"Saved to served, {SAVES} saves (`make run DEV=1`)", "plugins loaded", "metadata from", "p50 ms", "p99 ms")
    with running_studio(WEB_WORKERS="1", DEV="1") as studio:
        wait_for(lambda: "watching" in studio.log(), 30)
        unload_bundled(studio)
        for others in (0, 99):
            load_many(studio, drop(studio, others))
            for source in ("plugin.toml", "its class"):
                seen = _saves(studio, source)
                row(others + 1, source, f"{seen.p50 * 1e3:.0f}", f"{seen.p99 * 1e3:.0f}")


def _saves(studio: Studio, source: str) -> Latencies:
    folder = studio.plugins_dir / "hot"
    folder.mkdir(exist_ok=True)
    (folder / "plugin.toml").unlink(missing_ok=True)
    _save(folder, -1)
    if source == "plugin.toml":
        (folder / "plugin.toml").write_text(_MANIFEST)
    assert studio.http.post("/api/plugins/load", {"plugin_id": "hot"}).status == 200
    wait_for(lambda: _answer(studio) == -1, 30)
    times = []
    for value in range(SAVES):
        begun = time.perf_counter()
        _save(folder, value)
        while _answer(studio) != value:
            time.sleep(_PAUSE)
        times.append(time.perf_counter() - begun)
    return Latencies(times, sum(times))


def _save(folder: Path, value: int) -> None:
    """As most editors do: beside, then renamed over."""
    draft = folder / "plugin.py~"
    draft.write_text(_SPEC_STYLE.replace("{value}", str(value)))
    draft.replace(folder / "plugin.py")


def _answer(studio: Studio) -> object:
    body = {"plugin_id": "hot", "method": "execute", "kwargs": {"action": "x", "parameters": {}}}
    return studio.http.post("/api/plugins/execute", body).json().get("result")
