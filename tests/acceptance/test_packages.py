"""Python packages of plugins on the whole system: side by side, swapped, cancelled, shared with the storage."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.archives import manifest, upload, zipped
from tests.integration.sources import tool
from tests.studio import Studio, running_studio, wait_for
from tests.wheels import sdist_that_waits, wheel

Drop = Callable[..., Path]


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of packages that is all the index the studio's uv knows."""
    folder = tmp_path_factory.mktemp("index")
    for number in ("1.0", "2.0"):
        wheel(folder, "studio_test_same", number, word=f"same {number}")
    sdist_that_waits(folder, "studio_test_slow", folder / "building")
    (folder / "uv.toml").write_text(f'[pip]\nno-index = true\nfind-links = ["{folder}"]\n')
    return folder


@pytest.fixture(scope="module")
def packed(index: Path, owned_processes: set[int]) -> Iterator[Studio]:
    """A studio of this file's own, with that index."""
    environ = {"UV_CONFIG_FILE": str(index / "uv.toml"), "UV_CACHE_DIR": str(index / "cache"), "STUDIO_NODE": "packer"}
    with running_studio(**environ) as studio:
        assert studio.launcher is not None
        owned_processes.add(studio.launcher.pid)
        yield studio


def package(plugin_id: str, requirement: str, version: str = "1.0.0") -> bytes:
    """A plugin that answers with its version and the word of the package it asks for."""
    module = requirement.partition("=")[0].replace("-", "_")
    code = tool(plugin_id, version=version, execute=f"import {module}\nreturn [{version!r}, {module}.WORD]")
    more = f'[python]\nrequirements = ["{requirement}"]\n' if requirement else ""
    return zipped({"plugin.toml": manifest(plugin_id, version, more), "plugin.py": code, "__init__.py": ""})


def plain(plugin_id: str, version: str) -> bytes:
    code = tool(plugin_id, version=version, execute=f"return {version!r}")
    return zipped({"plugin.toml": manifest(plugin_id, version), "plugin.py": code, "__init__.py": ""})


def shown(studio: Studio, plugin_id: str) -> Any:
    return studio.http.get(f"/api/plugins/{plugin_id}").json()


def call(studio: Studio, plugin_id: str) -> Any:
    answer = studio.http.post("/api/plugins/execute", {"plugin_id": plugin_id, "method": "execute"})
    assert answer.status == 200, answer.text
    return answer.json()["result"]


def test_two_plugins_run_side_by_side_with_conflicting_packages(packed: Studio) -> None:
    for plugin_id, number in (("takes-one", "1.0"), ("takes-two", "2.0")):
        answer = upload(packed.http, package(plugin_id, f"studio-test-same=={number}"), load="true")
        assert answer.status in (201, 202), answer.text
        wait_for(lambda plugin_id=plugin_id: shown(packed, plugin_id)["state"] == "active", 60)
    assert call(packed, "takes-one") == ["1.0.0", "same 1.0"] and call(packed, "takes-two") == ["1.0.0", "same 2.0"]
    environment = shown(packed, "takes-one")["environment"]
    assert (environment["status"], environment["fraction"], environment["error"]) == ("ready", 1.0, "")
    assert environment["size_bytes"] > 0 and shown(packed, "takes-one")["change"] is None


def test_packages_that_cannot_be_installed_leave_the_running_generation_alone(packed: Studio) -> None:
    upload(packed.http, plain("fails-later", "1.0.0"), load="true")
    answer = upload(packed.http, package("fails-later", "studio-test-nowhere==1", "2.0.0"), load="true")
    problem = answer.json()
    assert (answer.status, problem["code"]) == (502, "environment_install_failed"), answer.text
    assert "studio-test-nowhere" in problem["detail"] and problem["installed"]["version"] == "2.0.0"
    assert call(packed, "fails-later") == "1.0.0" and shown(packed, "fails-later")["state"] == "active"


def test_an_installation_is_cancelled_within_a_second_and_nothing_else_happens(packed: Studio, index: Path) -> None:
    upload(packed.http, plain("is-cancelled", "1.0.0"), load="true")
    serving = shown(packed, "is-cancelled")["generation"]
    assert upload(packed.http, package("is-cancelled", "studio-test-slow==1.0", "2.0.0")).status == 201
    reload = _in_background(packed, "/api/plugins/is-cancelled/reload")
    wait_for((index / "building").is_file, 60, packed.log)
    assert len(_builders(index)) >= 2
    plugin = shown(packed, "is-cancelled")
    assert (plugin["state"], plugin["generation"]) == ("loading", serving)
    assert plugin["environment"]["status"] == "installing" and 0 < plugin["environment"]["fraction"] < 1
    assert plugin["change"]["state"] == "installing" and plugin["change"]["generation"] == serving + 1
    assert plugin["environment"]["message"].startswith("building studio-test-slow")

    answer = packed.http.post("/api/plugins/is-cancelled/cancel")
    assert (answer.status, answer.json()["change"]) == (200, None), answer.text
    told = reload()
    assert (told.status, told.json()["code"]) == (409, "install_cancelled"), told.text
    assert call(packed, "is-cancelled") == "1.0.0"
    wait_for(lambda: not _builders(index), 5, packed.log)
    assert packed.http.post("/api/plugins/is-cancelled/cancel").json()["code"] == "nothing_to_cancel"
    wait_for(lambda: not list((packed.data / "envs").glob(".draft-*")), 5)
    (index / "building").unlink()


def _in_background(studio: Studio, path: str) -> Callable[[], Any]:
    answers: list[Any] = []
    thread = threading.Thread(target=lambda: answers.append(studio.http.post(path)))
    thread.start()

    def answer() -> Any:
        thread.join(30)
        return answers[0]

    return answer


def _builders(index: Path) -> list[str]:
    """The processes that build the package, as long as they do."""

    def builds(process: psutil.Process) -> bool:
        try:
            ours = str(index / "cache") in process.environ().get("UV_CACHE_DIR", "")
            return ours and (process.name() == "uv" or any(str(index) in word for word in process.cmdline()))
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            return False

    return [str(process) for process in psutil.process_iter() if builds(process)]


def test_a_released_version_is_packed_for_other_nodes(packed: Studio) -> None:
    digest = upload(packed.http, plain("goes-far", "1.0.0"), load="true").json()["digest"]
    wait_for((packed.data / "packages" / "goes-far" / f"{digest}.tar.gz").is_file, 30, packed.log)
