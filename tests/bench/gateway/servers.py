"""What is measured: the studio, and other gateways, which are installed into directories of their own.

Each runs with one worker, all its processes pinned to one core.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.studio import ROOT, Studio, free_port, processes_of, running

__all__ = ["CORE", "LOAD_CORE", "Served", "litellm", "pinned", "portkey", "portkey_streams", "studio"]

#: Where the servers run, and where the load and the upstream do.
CORE, LOAD_CORE = 0, 1
#: Where the peers are installed; kept from run to run.
PEERS = Path(os.environ.get("BENCH_PEERS") or Path.home() / ".cache" / "ai-chat-studio-bench")
LITELLM, PORTKEY = "1.106", "1.15.2"

_MIDDLEWARE = """
from plugins_app.sdk import MiddlewarePlugin


class PassThrough(MiddlewarePlugin):
    async def before_request(self, request):
        return request

    async def after_response(self, response):
        return response
"""


@dataclass
class Served:
    """A gateway that runs: how it is asked, and which processes are its own."""

    name: str
    port: int
    models: str
    headers: dict[str, str]
    root: psutil.Process
    path: str = "/v1/chat/completions"
    studio: Studio | None = None
    _members: list[psutil.Process] = field(default_factory=list)

    def members(self) -> list[psutil.Process]:
        """All its processes, as they are now."""
        if self.studio is not None:
            self._members = processes_of(self.studio.data)
        else:
            self._members = [self.root, *self.root.children(recursive=True)]
        return self._members

    def cpu(self) -> float:
        """Seconds of processor time of all processes it had when `members` was last asked."""
        total = 0.0
        for process in self._members or self.members():
            try:
                times = process.cpu_times()
                total += times.user + times.system
            except psutil.NoSuchProcess:
                continue
        return total

    def memory(self) -> tuple[float, float]:
        """RSS and PSS of all processes together, in MiB."""
        rss = pss = 0
        for process in self.members():
            for line in Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines():
                rss += int(line.split()[1]) if line.startswith("Rss:") else 0
                pss += int(line.split()[1]) if line.startswith("Pss:") else 0
        return rss / 1024, pss / 1024


def pinned(core: int, *command: str) -> list[str]:
    """The command, on one core."""
    return ["taskset", "-c", str(core), *command]


@contextmanager
def studio(root: Path, upstream: int) -> Iterator[Served]:
    """The studio with two middlewares and the provider, each in a process of its own."""
    it = Studio(root, bundled=["openai_compatible"], prefix=pinned(CORE), WEB_WORKERS="1", WORKER_CONCURRENCY="1")
    for name in ("first", "second"):
        folder = it.plugins_dir / name
        folder.mkdir()
        (folder / "__init__.py").write_text("")
        (folder / "plugin.py").write_text(_MIDDLEWARE)
        lines = [f'id = "{name}"', f'name = "{name}"', 'version = "1.0.0"', 'type = "middleware"']
        (folder / "plugin.toml").write_text("[plugin]\n" + "\n".join(lines) + "\n")
    with running(it):
        it.http.post("/api/plugins/discover")
        provider = {"base_url": f"http://127.0.0.1:{upstream}/v1"}
        for plugin_id, config in (("first", {}), ("second", {}), ("openai-compatible", provider)):
            answer = it.http.post("/api/plugins/load", {"plugin_id": plugin_id, "config": config}, timeout=180)
            while answer.status == 202:
                time.sleep(0.5)
                answer = it.http.get(f"/api/plugins/{plugin_id}")
            assert answer.status == 200, answer.text
        assert it.launcher is not None
        headers = {"authorization": f"Bearer {it.operator_key}"}
        served = Served("studio", it.port, "openai-compatible/", headers, psutil.Process(it.launcher.pid), studio=it)
        yield served


@contextmanager
def litellm(root: Path, upstream: int) -> Iterator[Served]:
    """LiteLLM's proxy, by uv into an environment of its own."""
    venv = PEERS / "litellm"
    uv = str(Path(sys.executable).with_name("uv"))
    if not (venv / "bin" / "litellm").exists():
        _install([uv, "venv", "--quiet", str(venv)])
        python = str(venv / "bin" / "python")
        _install([uv, "pip", "install", "--quiet", "--python", python, f"litellm[proxy]>={LITELLM},<2"])
    root.mkdir(parents=True)
    lines = ["model_list:"]
    for name in ("plain", "burst", "paced"):
        lines += [f"  - model_name: {name}", "    litellm_params:", f"      model: openai/{name}"]
        lines += [f"      api_base: http://127.0.0.1:{upstream}/v1", "      api_key: sk-none"]
    lines += ["general_settings:", "  master_key: sk-bench", "litellm_settings:", "  telemetry: false"]
    (root / "config.yaml").write_text("\n".join(lines) + "\n")
    port = free_port()
    command = [str(venv / "bin" / "litellm"), "--config", str(root / "config.yaml"), "--port", str(port)]
    environ = os.environ | {"LITELLM_LOG": "ERROR", "LITELLM_LOCAL_MODEL_COST_MAP": "True", "NO_DOCS": "True"}
    with _started(command, environ, f"http://127.0.0.1:{port}/health/liveliness", root) as process:
        yield Served("LiteLLM", port, "", {"authorization": "Bearer sk-bench"}, process)


@contextmanager
def portkey(root: Path, upstream: int) -> Iterator[Served]:
    """Portkey's gateway, by npm, with the newest of what it depends on."""
    with _portkey(root, upstream, "portkey", {}) as served:
        yield served


@contextmanager
def portkey_streams(root: Path, upstream: int) -> Iterator[Served]:
    """The same with the oldest `@hono/node-server` it takes: with a newer one it answers every stream with 500."""
    with _portkey(root, upstream, "portkey-streams", {"@hono/node-server": "1.3.3"}) as served:
        yield served


@contextmanager
def _portkey(root: Path, upstream: int, name: str, overrides: dict[str, str]) -> Iterator[Served]:
    folder = PEERS / name
    node = shutil.which("node") or str(Path(sys.executable).with_name("node"))
    start = folder / "node_modules" / "@portkey-ai" / "gateway" / "build" / "start-server.js"
    if not start.exists():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "package.json").write_text(json.dumps({"private": True, "overrides": overrides}))
        npm = shutil.which("npm") or str(Path(sys.executable).with_name("npm"))
        _install([npm, "install", "--silent", f"@portkey-ai/gateway@{PORTKEY}"], cwd=folder)
    root.mkdir(parents=True)
    port = free_port()
    headers = {"authorization": "Bearer sk-none", "x-portkey-provider": "openai"}
    headers["x-portkey-custom-host"] = f"http://127.0.0.1:{upstream}/v1"
    environ = os.environ | {"NODE_ENV": "production"}
    command = [node, str(start), "--headless", f"--port={port}"]
    with _started(command, environ, f"http://127.0.0.1:{port}/", root) as process:
        yield Served("Portkey", port, "", headers, process)


def _install(command: list[str], cwd: Path = ROOT) -> None:
    environ = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(command, cwd=cwd, env=environ, capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(f"{command[0]} failed: {done.stderr[-2000:]}")


@contextmanager
def _started(command: list[str], environ: dict[str, str], url: str, root: Path) -> Iterator[psutil.Process]:
    with (root / "log.txt").open("w") as log:
        # As the studio in tests: it ends with the bench, however that ends.
        tether = [sys.executable, "-I", "-S", str(ROOT / "aichat" / "tethered.py"), str(os.getpid())]
        process = psutil.Popen(
            [*tether, *pinned(CORE, *command)], env=environ, stdout=log, stderr=log, start_new_session=True
        )
    try:
        deadline = time.monotonic() + 120
        while not _answers(url):
            assert process.is_running() and time.monotonic() < deadline, (root / "log.txt").read_text()[-3000:]
            time.sleep(0.2)
        yield process
    finally:
        family = [process, *process.children(recursive=True)]
        for each in family:
            each.terminate()
        for each in psutil.wait_procs(family, timeout=10)[1]:
            each.kill()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
