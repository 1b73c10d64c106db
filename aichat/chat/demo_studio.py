"""A studio for the demo: the one that runs already, or one of its own that is stopped afterwards."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx

from aichat.chat.demo import DemoError
from aichat.environment import ROOT, Environment

__all__ = ["studio_for_demo"]

_START_SECONDS, _STOP_SECONDS, _POLL_SECONDS = 180.0, 60.0, 0.25
_LOG_LINES = 15


@contextmanager
def studio_for_demo(environment: Environment, say: Callable[..., None]) -> Iterator[str]:
    """The address of a studio that answers."""
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(environment.host, environment.host)
    url = f"http://{host}:{environment.port}"
    if _answers(url):
        say(f"  studio       already runs at {url}")
        yield url
        return
    environment.data.mkdir(parents=True, exist_ok=True)
    log = environment.data / "demo.log"
    say(f"  studio       starting at {url} (what it says is in {log})")
    with log.open("wb") as file:
        launcher = subprocess.Popen(
            [sys.executable, "-m", "aichat.launcher"],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is for the demo, which then stops it in order
        )
    try:
        say(f"  studio       ready after {_until_ready(launcher, url, log.read_text):.0f} s")
        yield url
    finally:
        _stop(launcher)


def _until_ready(launcher: subprocess.Popen[bytes], url: str, log: Callable[[], str]) -> float:
    started = time.monotonic()
    while not _answers(url):
        seconds = time.monotonic() - started
        if launcher.poll() is not None or seconds > _START_SECONDS:
            last = "\n".join(log().splitlines()[-_LOG_LINES:])
            raise DemoError(f"the studio did not start; its last words:\n{last}")
        time.sleep(_POLL_SECONDS)
    return time.monotonic() - started


def _answers(url: str) -> bool:
    try:
        health = httpx.get(f"{url}/api/plugins/health", timeout=10, trust_env=False)
    except httpx.TransportError:
        return False
    return health.status_code == 200


def _stop(launcher: subprocess.Popen[bytes]) -> None:
    if launcher.poll() is None:
        launcher.send_signal(signal.SIGTERM)
    try:
        launcher.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        launcher.kill()
        launcher.wait()
