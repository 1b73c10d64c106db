"""The launcher starts what the Procfile says, keeps it running, and leaves nothing of it, however it ends."""

import os
import signal
import socket
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.studio import ROOT, free_port, processes_of, wait_for

WEB = """
    import http.server, sys
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200); self.end_headers()
        def log_message(self, *args): pass
    http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
# A process that does not listen to SIGTERM, with a child in a session of its own that does not either.
STUBBORN = """
    import os, signal, time
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if os.fork() == 0:
        os.setsid()
    while True:
        time.sleep(100)
"""
LAUNCH = "import sys; from pathlib import Path; from aichat import launcher; sys.exit(launcher.main(Path(sys.argv[1])))"


class Launched:
    """A launcher that runs a Procfile of the test's own."""

    def __init__(self, directory: Path, **processes: str) -> None:
        """Write the programs and the Procfile; `web` and `redis` are always among them."""
        self.data, self.log, self.port = directory / "d", directory / "log", free_port()
        (directory / "plugins").mkdir(exist_ok=True)
        lines = ["redis: python -m aichat.embedded_redis", f"web: python {directory}/web.py $PORT"]
        for name, code in {"web": WEB, **processes}.items():
            (directory / f"{name}.py").write_text(textwrap.dedent(code))
            lines += [f"{name}: python {directory}/{name}.py"] if name != "web" else []
        (directory / "Procfile").write_text("\n".join(lines))
        self.directory = directory

    def run(self, **environ: str) -> "subprocess.Popen[bytes]":
        """Start the launcher."""
        variables = {"STUDIO_DATA": str(self.data), "STUDIO_PLUGINS": str(self.directory / "plugins")}
        ours = {**os.environ, **variables, "PORT": str(self.port), **environ}
        with self.log.open("ab") as log:
            command = [sys.executable, "-c", LAUNCH, str(self.directory / "Procfile")]
            return subprocess.Popen(command, cwd=ROOT, env=ours, stdout=log, stderr=log, start_new_session=True)

    def said(self, *texts: str) -> Callable[[], bool]:
        """Return a condition: the launcher has said all of `texts`."""
        return lambda: all(text in self.log.read_text() for text in texts)

    def wait_said(self, *texts: str) -> None:
        """Wait until the launcher has said all of `texts`."""
        wait_for(self.said(*texts), 40, self.log.read_text)


@contextmanager
def launched(launch: Launched) -> Iterator["subprocess.Popen[bytes]"]:
    """Run the launcher until it serves, and kill whatever the test has not stopped."""
    process = launch.run()
    try:
        launch.wait_said("Ctrl-C stops")
        yield process
    finally:
        process.kill()
        process.wait()
        for left in processes_of(launch.data):
            left.kill()


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_every_process_even_a_stubborn_one(tmp_path: Path, signum: int) -> None:
    launch = Launched(tmp_path, worker=STUBBORN)
    with launched(launch) as process:
        assert len(processes_of(launch.data)) >= 5  # launcher, redis, web, worker and its child
        process.send_signal(signum)
        assert process.wait(30) == 0
        assert processes_of(launch.data) == []


def test_a_process_that_dies_is_started_again_while_the_others_go_on(tmp_path: Path) -> None:
    launch = Launched(tmp_path, worker="import os, time\nprint('here', flush=True)\ntime.sleep(1000)\n")
    with launched(launch):
        launch.wait_said("worker | here")
        (web,) = [p for p in processes_of(launch.data) if p.cmdline()[1].endswith("web.py")]
        (worker,) = [p for p in processes_of(launch.data) if p.info["cmdline"][1].endswith("worker.py")]
        worker.kill()
        launch.wait_said("worker was killed by SIGKILL", "starting it again in 0.5 s")
        wait_for(lambda: launch.log.read_text().count("worker | here") == 2, 20)
        assert web.is_running()


def test_a_launcher_that_is_killed_leaves_none_of_its_children(tmp_path: Path) -> None:
    launch = Launched(tmp_path, worker="import time\ntime.sleep(1000)\n")
    with launched(launch) as process:
        process.kill()
        process.wait()
        wait_for(lambda: not processes_of(launch.data), 15, lambda: str(processes_of(launch.data)))


def test_what_outlives_a_killed_launcher_is_stopped_by_the_next(tmp_path: Path) -> None:
    launch = Launched(tmp_path, worker=STUBBORN)
    with launched(launch) as process:
        process.kill()
        process.wait()
        (worker, *_) = [p for p in processes_of(launch.data) if p.info["cmdline"][1].endswith("worker.py")]
        with launched(launch):
            launch.wait_said("an earlier launcher was killed", "worker")
            assert not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE


def test_a_second_studio_on_the_same_data_is_refused(tmp_path: Path) -> None:
    launch = Launched(tmp_path)
    with launched(launch) as first:
        assert launch.run(PORT=str(free_port())).wait(20) == 2
        assert launch.said(f"STUDIO_DATA: another studio (pid {first.pid}) is running")()


def test_the_first_password_is_shown_once_and_kept_in_a_private_file(tmp_path: Path) -> None:
    launch = Launched(tmp_path)
    with launched(launch) as process:
        file = launch.data / "first-login.txt"
        name, password = (line.partition(": ")[2] for line in file.read_text().splitlines()[:2])
        launch.wait_said(f"Sign in          {name} / {password}", f"http://localhost:{launch.port}")
        assert file.stat().st_mode & 0o777 == 0o600
        assert launch.data.stat().st_mode & 0o777 == 0o700
        process.terminate()
        assert process.wait(30) == 0
    launch.log.write_text("")
    with launched(launch):
        assert launch.said(f"as {name}; the first password is in {file}")()
        assert password not in launch.log.read_text()


def test_a_port_that_is_in_use_is_refused_by_name(tmp_path: Path) -> None:
    launch = Launched(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert launch.run(PORT=str(taken.getsockname()[1])).wait(20) == 2
    assert launch.said("PORT: ", "choose another")()


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PORT", "http"),
        ("STUDIO_DATA", "/proc/nowhere"),
        ("STUDIO_PLUGINS", "/nowhere"),
        ("REDIS_URL", "redis://127.0.0.1:1"),
        ("DATABASE_URL", "postgres://127.0.0.1:1/name"),
        ("DATABASE_URL", "sqlite:////nowhere/studio.sqlite3"),
        ("STUDIO_HOST", "not an address"),
    ],
)
def test_a_bad_value_is_refused_at_the_start(tmp_path: Path, variable: str, value: str) -> None:
    launch = Launched(tmp_path)
    assert launch.run(**{variable: value}).wait(20) == 2
    assert launch.said("AI Chat Studio cannot start.", f"  {variable}: ")()


def test_what_was_half_made_when_the_machine_went_down_is_removed(tmp_path: Path) -> None:
    launch = Launched(tmp_path)
    halves = ["store/p/.draft-1-ab", "store/p/.spoilt-ab", "envs/.draft-ab"]
    for half in halves:
        (launch.data / half / "inner").mkdir(parents=True)
        (launch.data / half / "inner" / "file").touch()
        (launch.data / half / "inner").chmod(0o555)
    whole = launch.data / "store" / "p" / "abc"
    whole.mkdir()
    (launch.data / "run").mkdir()
    (launch.data / "run" / "processes.json.new").touch()
    with launched(launch):
        assert [half for half in halves if (launch.data / half).exists()] == []
        assert not (launch.data / "run" / "processes.json.new").exists()
        assert whole.is_dir()
