"""The real studio, started through the launcher, for tests that look at it from outside."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import Any

import psutil

__all__ = ["Client", "Response", "Studio", "free_port", "processes_of", "running", "running_studio", "wait_for"]

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 120.0
STOP_SECONDS = 60.0
_POLL_SECONDS = 0.05


@dataclass(frozen=True)
class Response:
    """An HTTP answer, whatever its status."""

    status: int
    headers: Message
    body: bytes

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()

    def json(self) -> Any:
        """Return the body as the JSON that it is."""
        return json.loads(self.body)


class Client:
    """Calls the studio over HTTP with one key; errors are answers, not exceptions."""

    def __init__(self, url: str, key: str | None = None) -> None:
        """Call the studio at `url`, as whoever has `key`, or as nobody."""
        self.url = url
        self.headers = {"Authorization": f"Bearer {key}"} if key else {}

    def request(self, method: str, path: str, body: object = None, *, timeout: float = 60) -> Response:
        """Send `body` as JSON to `path` and return the answer."""
        data = None if body is None else json.dumps(body).encode()
        headers = {
            **self.headers,
            "Accept": "application/json",
            **({"Content-Type": "application/json"} if data else {}),
        }
        request = urllib.request.Request(self.url + path, data=data, headers=headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:
                return Response(answer.status, answer.headers, answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return Response(error.code, error.headers, error.read())

    def get(self, path: str, **kwargs: Any) -> Response:
        """GET `path`."""
        return self.request("GET", path, **kwargs)

    def post(self, path: str, body: object = None, **kwargs: Any) -> Response:
        """POST `body` to `path`; an empty object when there is none."""
        return self.request("POST", path, {} if body is None else body, **kwargs)

    def put(self, path: str, body: object, **kwargs: Any) -> Response:
        """PUT `body` to `path`."""
        return self.request("PUT", path, body, **kwargs)

    def patch(self, path: str, body: object, **kwargs: Any) -> Response:
        """PATCH `path` with `body`."""
        return self.request("PATCH", path, body, **kwargs)

    def delete(self, path: str, **kwargs: Any) -> Response:
        """DELETE `path`."""
        return self.request("DELETE", path, **kwargs)


class Studio:
    """A studio that runs: where it is, how to get in, and what it says."""

    def __init__(
        self, root: Path, *, bundled: Iterable[str] | None = None, prefix: Sequence[str] = (), **environ: str
    ) -> None:
        """Prepare a studio below `root`, with its own copy of the bundled plugins, all or those named.

        `prefix` is the command that runs the launcher, if something has to come before it; `environ` overrides
        variables.
        """
        self.data = root / "d"
        self.plugins_dir = root / "plugins"
        self.log_file = root / "studio.log"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.prefix = list(prefix)
        self.plugins_dir.mkdir(parents=True)
        ignored = shutil.ignore_patterns("__pycache__", "*.pyc")
        for name in os.listdir(ROOT / "installed_plugins") if bundled is None else bundled:
            shutil.copytree(ROOT / "installed_plugins" / name, self.plugins_dir / name, ignore=ignored)
        self.environ = {**_clean_environ(), **self._variables(), **environ}
        self.launcher: subprocess.Popen[bytes] | None = None
        self._keys: dict[str, str] = {}

    def _variables(self) -> dict[str, str]:
        return {
            "STUDIO_DATA": str(self.data),
            "STUDIO_PLUGINS": str(self.plugins_dir),
            "PORT": str(self.port),
            "WEB_WORKERS": "2",
            "WORKER_CONCURRENCY": "2",
            "STUDIO_WEBHOOK_ALLOW": "127.0.0.1",  # where tests receive
            "STUDIO_TITLES": "words",  # or each new conversation would ask its provider once more
        }

    @property
    def operator_key(self) -> str:
        """A key that may manage plugins."""
        return self.key("operator")

    @property
    def user_key(self) -> str:
        """A key that may only use them."""
        return self.key("user")

    @property
    def http(self) -> Client:
        """Calls as the operator."""
        return Client(self.url, self.operator_key)

    @property
    def as_user(self) -> Client:
        """Calls as somebody who is no operator."""
        return Client(self.url, self.user_key)

    @property
    def anonymous(self) -> Client:
        """Calls as nobody."""
        return Client(self.url)

    @property
    def first_login(self) -> tuple[str, str]:
        """The operator's name and first password."""
        name, password = (self.data / "first-login.txt").read_text().splitlines()[:2]
        return name.partition(": ")[2], password.partition(": ")[2]

    def key(self, role: str) -> str:
        """Return a key for a role, made at the first call."""
        if role not in self._keys:
            made = self.manage("apikeys", "create", f"test-{role}", "--role", role)
            self._keys[role] = made.split()[-1]
        return self._keys[role]

    def share_keys(self, other: "Studio") -> None:
        """Use the keys of another studio with the same database."""
        self._keys = other._keys

    def manage(self, *arguments: str) -> str:
        """Run a management command in the studio's environment and return what it printed."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.environ,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"manage.py {' '.join(arguments)}: {done.stdout}{done.stderr}"
        return done.stdout

    def start(self) -> None:
        """Start the launcher and return once the studio says that it is healthy."""
        # A test run that is killed cleans nothing up: the kernel then stops the launcher, and that everything else.
        tether = [sys.executable, "-I", "-S", str(ROOT / "aichat" / "tethered.py"), str(os.getpid())]
        with self.log_file.open("ab") as log:
            self.launcher = subprocess.Popen(
                [*tether, *self.prefix, sys.executable, "-m", "aichat.launcher"],
                cwd=ROOT,
                env=self.environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        wait_for(self._is_healthy, START_SECONDS, self._complaint)

    def stop(self, signum: int = signal.SIGTERM) -> int:
        """Stop the studio as Ctrl-C or a service manager would; return the launcher's exit status."""
        assert self.launcher is not None
        self.launcher.send_signal(signum)
        try:
            return self.launcher.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.launcher.kill()
            self.launcher.wait()
            raise AssertionError(f"the launcher did not stop within {STOP_SECONDS} s\n{self._complaint()}") from None

    def cut_off(self) -> None:
        """Kill the launcher and everything below it at once, as a power cut would."""
        assert self.launcher is not None
        self.launcher.send_signal(signal.SIGSTOP)  # it must not tidy up while we are at it
        while doomed := [each for each in processes_of(self.data) if each.pid != self.launcher.pid]:
            for process in doomed:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
            psutil.wait_procs(doomed, timeout=0.05)  # nobody collects them while the launcher is stopped
        self.launcher.kill()
        self.launcher.wait()

    def pids(self) -> dict[str, int]:
        """Return the numbers of the processes that the launcher keeps, by name."""
        noted = json.loads((self.data / "run" / "processes.json").read_text())
        return {name: pid for name, (pid, _) in noted.items()}

    def log(self) -> str:
        """Return everything the studio has said."""
        return self.log_file.read_text(errors="replace")

    def _is_healthy(self) -> bool:
        assert self.launcher is not None
        if self.launcher.poll() is not None:
            raise AssertionError(f"the launcher ended with status {self.launcher.returncode}\n{self._complaint()}")
        try:
            return Client(self.url).get("/api/plugins/health", timeout=10).status == 200
        except OSError:
            return False

    def _complaint(self) -> str:
        return f"the studio's last lines:\n{self.log()[-6000:]}"


@contextmanager
def running_studio(**environ: str) -> Iterator[Studio]:
    """Run a studio in a new directory, and make sure afterwards that nothing of it is left."""
    root = Path(tempfile.mkdtemp(prefix="st-", dir="/tmp"))
    try:
        with running(Studio(root, **environ)) as studio:
            yield studio
    finally:
        shutil.rmtree(root, ignore_errors=True)


@contextmanager
def running(studio: Studio) -> Iterator[Studio]:
    """Run a studio, and make sure afterwards that no process of it is left."""
    try:
        studio.start()
        yield studio
    finally:
        if studio.launcher is not None and studio.launcher.poll() is None:
            studio.stop()
        left = processes_of(studio.data)
        described = [f"{process.pid}: {' '.join(process.info['cmdline'] or [])}" for process in left]
        for process in left:
            process.kill()
        psutil.wait_procs(left, timeout=10)
    assert not described, f"processes that the launcher left behind: {described}"


def processes_of(data: Path) -> list[psutil.Process]:
    """Return every process that has to do with this STUDIO_DATA: by environment, command, directory or open file."""
    return [process for process in psutil.process_iter(["pid", "cmdline"]) if _belongs(process, str(data))]


def _belongs(process: psutil.Process, data: str) -> bool:
    if process.pid == os.getpid():
        return False
    try:
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        return (
            any(data in word for word in process.cmdline())
            or process.environ().get("STUDIO_DATA") == data
            or process.cwd().startswith(data)
            or any(file.path.startswith(data) for file in process.open_files())
        )
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False


def wait_for(condition: Any, seconds: float, complaint: Any = lambda: "") -> None:
    """Return once `condition()` is true; fail with `complaint()` when it is not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {complaint()}"
        time.sleep(_POLL_SECONDS)


def free_port() -> int:
    """Return a TCP port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


def _clean_environ() -> dict[str, str]:
    """Return this environment without what only concerns the test run."""
    ours = ("STUDIO_", "REDIS_URL", "DATABASE_URL", "DJANGO_SETTINGS_MODULE", "PYTEST_", "TMPDIR", "DEV")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}
