"""The disk is full while something is installed: it says so, nothing of it stays, and everything else goes on."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.plugins import ledger_manifest, ledger_plugin
from tests.acceptance.traffic import Traffic
from tests.archives import manifest, upload, zipped
from tests.integration.sources import tool
from tests.studio import Client, Studio, running, wait_for
from tests.wheels import wheel

#: Each directory on a disk of its own, of so many megabytes; `LARGE` fits nowhere.
SMALL_DISKS = {"plugins": 8, "d/store": 4, "d/envs": 4}
LARGE, MEDIUM = 12 * 2**20, 6 * 2**20
MOUNT = """
set -e
for disk in "$DISKS"/*; do
    size=$(cat "$disk/size"); where=$(cat "$disk/where")
    mount -t tmpfs -o "size=${size}m,mode=0755" tmpfs "$where"
    [ ! -d "$disk/content" ] || cp -a "$disk/content/." "$where/"
done
exec "$@"
"""


class SmallDisks:
    """A studio's directories on little disks that only the studio's own processes see mounted."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def prepare(self, content: Path) -> list[str]:
        """Note what to mount; `content` lies in the plugins folder then. Returns what a command needs before it."""
        for number, (name, size) in enumerate(SMALL_DISKS.items()):
            disk, where = self.place / "disks" / str(number), self.place / name
            for folder in (disk, where):
                folder.mkdir(parents=True, exist_ok=True)
            (disk / "size").write_text(str(size))
            (disk / "where").write_text(str(where))
            if name == "plugins":
                shutil.copytree(content, disk / "content")
        flags = ["-m"] if os.geteuid() == 0 else ["-Urm"]
        disks = f"DISKS={self.place / 'disks'}"
        return ["env", disks, "unshare", *flags, "sh", "-c", MOUNT, "sh"]

    def enlarge(self, studio: Studio) -> None:
        """Make room."""
        for name in SMALL_DISKS:
            self._inside(studio, "mount", "-o", "remount,size=96m", str(self.place / name))

    def names(self, studio: Studio) -> list[str]:
        """Everything on the little disks that is hidden, as unfinished work is; a lock is none."""
        unfinished = ("-name", ".*", "!", "-name", ".lock")
        found = self._inside(studio, "find", *(str(self.place / name) for name in SMALL_DISKS), *unfinished)
        return found.split()

    def _inside(self, studio: Studio, *command: str) -> str:
        assert studio.launcher is not None
        whose = ["-m"] if os.geteuid() == 0 else ["-U", "-m", "--preserve-credentials"]
        enter = ["nsenter", "-t", str(studio.launcher.pid), *whose]
        return subprocess.run([*enter, *command], capture_output=True, text=True, check=True).stdout


@pytest.fixture
def place(leak_guard: None) -> Iterator[Path]:
    root = Path(tempfile.mkdtemp(prefix="di-", dir="/tmp"))
    yield root
    shutil.rmtree(root, ignore_errors=True)


@pytest.fixture
def disks(place: Path) -> SmallDisks:
    return SmallDisks(place)


@pytest.fixture
def studio(place: Path, disks: SmallDisks) -> Iterator[Studio]:
    """A studio with little room, with a plugin that notes its calls and an index of packages of its own."""
    (place / "index").mkdir()
    (place / "ledger").mkdir()
    (place / "ledger" / "calls").touch()
    (place / "index" / "uv.toml").write_text(f'[pip]\nno-index = true\nfind-links = ["{place / "index"}"]\n')
    folder = place / "content" / "ledger"
    folder.mkdir(parents=True)
    (folder / "__init__.py").touch()
    (folder / "plugin.py").write_text(ledger_plugin(0, str(place / "ledger")))
    (folder / "plugin.toml").write_text(ledger_manifest(str(place / "ledger")))
    uv = {"UV_CONFIG_FILE": str(place / "index" / "uv.toml"), "UV_CACHE_DIR": str(place / "cache")}
    made = Studio(place, bundled=(), **uv)
    made.prefix = disks.prepare(place / "content")
    with running(made):
        grant = [f"files:{place / 'ledger'}:rw"]
        loaded = made.http.post("/api/plugins/load", {"plugin_id": "ledger", "grant": grant})
        assert loaded.status == 200, loaded.text
        yield made


def bulky(plugin_id: str, size: int) -> bytes:
    """A plugin with a file that cannot be compressed."""
    texts = {"plugin.toml": manifest(plugin_id), "plugin.py": tool(plugin_id), "__init__.py": ""}
    return zipped({**texts, "data.bin": os.urandom(size // 2).hex()})


def with_package(plugin_id: str, package: str) -> bytes:
    more = f'[python]\nrequirements = ["{package}==1.0"]\n'
    code = tool(plugin_id, execute=f"import {package}\nreturn {package}.WORD")
    return zipped({"plugin.toml": manifest(plugin_id, more=more), "plugin.py": code, "__init__.py": ""})


def bulky_wheel(folder: Path, name: str, size: int) -> None:
    """A wheel with a file that needs room; what a wheel does not list is not installed."""
    with zipfile.ZipFile(wheel(folder, name)) as small:
        files = {each: small.read(each) for each in small.namelist()}
    record = next(each for each in files if each.endswith("/RECORD"))
    files |= {f"{name}_data.bin": os.urandom(size), record: files[record] + f"{name}_data.bin,,\n".encode()}
    with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w") as made:
        for each, content in files.items():
            made.writestr(each, content)


def code_of(answer: Any) -> tuple[int, str]:
    return answer.status, answer.json().get("code", "")


def found(http: Client) -> set[str]:
    return {card["id"] for card in http.get("/api/plugins/available").json()["results"]}


def test_a_full_disk_stops_only_what_needs_room(studio: Studio, disks: SmallDisks, place: Path) -> None:
    http = studio.http
    bulky_wheel(place / "index", "bulky_package", LARGE)
    with Traffic(studio, place / "ledger") as traffic:
        assert code_of(upload(http, bulky("large", LARGE))) == (507, "disk_full")  # in the plugins folder
        assert code_of(upload(http, bulky("medium", MEDIUM))) == (507, "disk_full")  # in the store
        assert found(http) == {"ledger"}
        assert upload(http, with_package("packed", "bulky_package")).status == 201
        refused = http.post("/api/plugins/load", {"plugin_id": "packed"})
        assert code_of(refused)[1] in ("disk_full", "environment_install_failed"), refused.text
        assert "space" in refused.text or "room" in refused.text
        wait_for(lambda: disks.names(studio) == [], 30, lambda: str(disks.names(studio)))
        assert http.post("/api/plugins/ledger/reload").status == 200  # what needs little goes on as ever
        traffic.more(executed=20, queued=2, streamed=1)

        disks.enlarge(studio)
        for plugin_id, size in (("large", LARGE), ("medium", MEDIUM)):
            answer = upload(http, bulky(plugin_id, size), load="true")
            assert (answer.status, answer.json()["state"]) == (201, "active"), answer.text
        loaded = http.post("/api/plugins/load", {"plugin_id": "packed"})
        assert loaded.status in (200, 202), loaded.text
        wait_for(lambda: http.get("/api/plugins/packed").json()["state"] == "active", 60)
        called = http.post("/api/plugins/execute", {"plugin_id": "packed", "method": "execute"})
        assert called.json()["result"] == "own", called.text
        traffic.more(executed=20, queued=2, streamed=1)
    figures = traffic.figures()
    assert (figures.lost, figures.duplicated) == ([], [])
