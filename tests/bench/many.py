"""Many plugins at once, as the benches need them. Run as a script in a studio's environment it is the operator."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import Any

from tests.studio import ROOT, Studio

__all__ = ["drop", "load_many", "operate", "unload_bundled"]

_MANIFEST = (
    '[plugin]\nid = "{id}"\nname = "{id}"\nversion = "1.0.0"\nauthor = "Ada"\ndescription = "d"\ntype = "tool"\n'
)
_CODE = """
import os
from plugins_app.sdk import ToolPlugin


class Small(ToolPlugin):
    async def execute(self, action, parameters):
        return os.getpid()
"""


def drop(studio: Studio, count: int) -> list[str]:
    """Make sure that there are so many folders of small plugins; returns their ids."""
    ids = [f"many-{number}" for number in range(count)]
    for plugin_id in ids:
        folder = studio.plugins_dir / plugin_id
        if not folder.exists():
            draft = studio.plugins_dir / f".{plugin_id}"
            draft.mkdir()
            (draft / "plugin.toml").write_text(_MANIFEST.format(id=plugin_id))
            (draft / "plugin.py").write_text(_CODE)
            draft.rename(folder)
    return ids


def unload_bundled(studio: Studio) -> None:
    """So that what is counted is all there is."""
    for plugin in studio.http.get("/api/plugins?page_size=200").json()["results"]:
        assert studio.http.post(f"/api/plugins/{plugin['id']}/unload", {"cascade": True}).status in (200, 202)


def load_many(studio: Studio, ids: list[str]) -> float:
    """Want all of them in one transaction; returns the seconds from there until all are seen active."""
    seconds: float = operate(studio, "load", *ids)
    return seconds


def operate(studio: Studio, *words: str) -> Any:
    """Run this module in the studio's environment: `load ID...`, `unload ID...` or `active ID...`."""
    command = [sys.executable, "-m", "tests.bench.many", *words]
    done = subprocess.run(command, cwd=ROOT, env=studio.environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout.splitlines()[-1])


def _main(what: str, ids: list[str]) -> None:
    import os

    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "aichat.settings")
    django.setup()
    from django.db import transaction

    from plugins_app.services.plugins import plugin_load, plugin_unload

    with transaction.atomic():
        for plugin_id in ids:
            if what == "load":
                plugin_load(plugin_id=plugin_id, wait=False)
            elif what == "unload":
                plugin_unload(plugin_id=plugin_id, cascade=True, wait=False)
    begun = time.perf_counter()
    pids = _until(ids, "active" if what != "unload" else "inactive")
    print(json.dumps(pids if what == "active" else time.perf_counter() - begun))


def _until(ids: list[str], state: str) -> dict[str, int]:
    """Wait for every one of them; returns their processes."""
    from plugins_app.models import PluginInstance

    deadline = time.monotonic() + 300
    while True:
        rows = PluginInstance.objects.filter(plugin_id__in=ids).select_related("plugin__desired")
        seen = {row.plugin_id: row.pid or 0 for row in rows if row.state == state and _is_wanted(row)}
        if len(seen) == len(ids):
            return seen
        assert time.monotonic() < deadline, f"{len(ids) - len(seen)} of {len(ids)} are not {state}"
        time.sleep(0.01)


def _is_wanted(row: Any) -> bool:
    desired = row.plugin.desired
    return bool(row.generation == (desired.generation if desired else None))


if __name__ == "__main__":
    _main(sys.argv[1], sys.argv[2:])
