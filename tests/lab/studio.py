"""The lab's processes: started, killed, taken away and brought back."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil

from tests.postgres import Postgres
from tests.studio import ROOT, wait_for

__all__ = ["PLUGINS", "Lab", "eventually"]

PLUGINS = ("alpha", "beta", "gamma")
_SOURCE = """
import asyncio, os
from plugins_app.sdk import BasePlugin, PluginMetadata, PluginType, ToolPlugin


class Probe(ToolPlugin):
    @property
    def metadata(self):
        return PluginMetadata(id="{id}", name="{id}", version="{version}", author="Ada", description="d",
                              plugin_type=PluginType.TOOL, dependencies={needs},
                              config_schema={{"word": {{"type": "string", "default": "first"}}}})

    async def initialize(self):
        if "{mode}" == "refuses":
            raise ValueError("this version refuses")
        if "{mode}" == "crashes":
            asyncio.get_running_loop().call_later(0.05, os._exit, 3)
        return True

    async def execute(self, action, parameters):
        return [self.get_config("word"), "{version}"]
"""
_PATIENCE = 45.0


def eventually(condition: Callable[[], Any], what: Callable[[], object]) -> None:
    """Wait until the condition holds; `what` describes how it is instead."""
    deadline, pause = time.monotonic() + _PATIENCE, 0.005
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"this never came about: {what()}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.1)


class Lab:
    """Everything below `root`. Django is set up in this process when `start` returns."""

    def __init__(self, root: Path) -> None:
        """Prepare the directories."""
        self.root, self.data, self.plugins = root, root / "d", root / "plugins"
        self.plugins.mkdir(parents=True)
        (self.data / "run").mkdir(mode=0o700, parents=True)
        (root / "pg").mkdir()
        self.postgres = Postgres(root / "pg")
        self.runs = 0
        self.faults: Counter[str] = Counter()
        self.host: int | None = None
        self._redis: subprocess.Popen[bytes] | None = None
        self._hosts: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start the database, Redis and the first host."""
        self.postgres.start()
        os.environ.update(
            STUDIO_DATA=str(self.data),
            STUDIO_PLUGINS=str(self.plugins),
            DATABASE_URL=self.postgres.database(),
            DJANGO_SETTINGS_MODULE="tests.lab.settings",
            STUDIO_SOAK="1",
        )
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", interactive=False, verbosity=0)
        self._record_steps()
        self.bring_redis()
        self._hosts = subprocess.Popen(
            [sys.executable, "-m", "tests.lab.hosts"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=(self.root / "host.log").open("ab"),
            text=True,
        )
        assert self._hosts.stdout is not None and self._hosts.stdout.readline() == "ready\n"
        self.start_host()

    def stop(self) -> None:
        """End everything, whatever state it is in."""
        if self.host is not None:
            with contextlib.suppress(psutil.NoSuchProcess):
                process = psutil.Process(self.host)
                process.terminate()
                process.wait(30)
        if self._hosts is not None:
            assert self._hosts.stdin is not None and self._hosts.stdout is not None
            self._hosts.stdin.close()
            self._hosts.wait()
            self._hosts.stdout.close()
        self.take_redis()
        from django.db import connections

        connections.close_all()
        self.postgres.stop()

    # plugins

    def write(self, plugin_id: str, *, version: str, mode: str = "serves") -> None:
        """Write the plugin's folder, as an author would save it."""
        folder = self.plugins / plugin_id
        folder.mkdir(exist_ok=True)
        needs = ["alpha"] if plugin_id == "beta" else []
        (folder / "__init__.py").touch()
        (folder / "plugin.py").write_text(_SOURCE.format(id=plugin_id, version=version, mode=mode, needs=needs))

    def processes(self) -> set[int]:
        """The pids of all plugin processes of this lab: they work in its directories."""
        return {process.pid for process in self._of(self.data / "work")}

    def _of(self, directory: Path) -> Iterator[psutil.Process]:
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                if process.status() != psutil.STATUS_ZOMBIE and Path(process.cwd()).is_relative_to(directory):
                    yield process

    # faults

    def start_host(self) -> None:
        """Start a plugin host; there must be none."""
        assert self._hosts is not None and self._hosts.stdin is not None and self._hosts.stdout is not None
        self._hosts.stdin.write("\n")
        self._hosts.stdin.flush()
        self.host = int(self._hosts.stdout.readline())

    def kill_host(self) -> None:
        """SIGKILL."""
        assert self.host is not None
        os.kill(self.host, signal.SIGKILL)
        eventually(lambda: not psutil.pid_exists(self.host or 0), lambda: "the host is still there")
        self.host = None

    def bring_redis(self) -> None:
        """Start Redis."""
        if self._redis is None:
            with (self.root / "redis.log").open("ab") as log:
                command = [sys.executable, "-m", "aichat.embedded_redis"]
                self._redis = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
            socket = self.data / "run" / "valkey.sock"
            wait_for(socket.exists, _PATIENCE, (self.root / "redis.log").read_text)

    @property
    def has_redis(self) -> bool:
        """Whether Redis runs."""
        return self._redis is not None

    def take_redis(self) -> None:
        """Stop Redis."""
        if self._redis is not None:
            self._redis.terminate()
            self._redis.wait()
            self._redis = None

    # looking

    def _record_steps(self) -> None:
        """Have the database itself note every step of every row, so that nobody has to be believed."""
        from django.db import connection

        with connection.cursor() as cursor:
            cursor.execute(
                """
                CREATE TABLE lab_steps (id bigserial, plugin text, before text, after text);
                CREATE FUNCTION lab_step() RETURNS trigger AS $$ BEGIN
                    INSERT INTO lab_steps (plugin, before, after)
                    VALUES (NEW.plugin_id, CASE WHEN TG_OP = 'UPDATE' THEN OLD.state ELSE 'available' END, NEW.state);
                    RETURN NEW; END $$ LANGUAGE plpgsql;
                CREATE TRIGGER lab_steps AFTER INSERT OR UPDATE ON plugins_app_plugininstance
                    FOR EACH ROW EXECUTE FUNCTION lab_step();
                """
            )

    def steps(self) -> list[tuple[str, str, str]]:
        """Every (plugin, state before, state after) since the last look."""
        from django.db import connection

        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM lab_steps RETURNING id, plugin, before, after")
            return [row[1:] for row in sorted(cursor.fetchall())]

    def happened(self) -> list[tuple[str, int]]:
        """How often each event was recorded, and each way to fail."""
        from plugins_app.models import LifecycleEvent, PluginRelease

        events = Counter(LifecycleEvent.objects.order_by().values_list("event", flat=True))
        failures = PluginRelease.objects.filter(failure__isnull=False).values_list("failure", flat=True)
        return sorted((events + Counter(failure["code"] for failure in failures if failure)).items())

    def leftovers(self) -> list[str]:
        """Files that nothing alive needs: sockets, records, working directories, drafts."""
        kinds = ("run/plugins/*/g*", "run/plugins/*/.*", "work/*/g*", "store/*/.draft*", "envs/.draft*")
        return sorted(str(path.relative_to(self.data)) for kind in kinds for path in self.data.glob(kind))

    def forget(self) -> None:
        """Remove the plugins' folders."""
        for plugin_id in PLUGINS:
            shutil.rmtree(self.plugins / plugin_id, ignore_errors=True)
