"""Start the whole studio on one machine: `python -m aichat.launcher`, which is what `make run` ends with.

Checks first, prepares, then keeps the processes of the Procfile running until Ctrl-C or SIGTERM, and leaves none.
"""

import asyncio
import os
import shlex
import signal
import string
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from aichat import preflight
from aichat.environment import ROOT, Environment, InvalidEnvironmentError, read_environment
from aichat.printer import Printer, print_error, wants_colour
from aichat.supervisor import ProcessSpec, Supervisor, adopt_orphans, kill_descendants, reap_orphans
from aichat.waiting import redis_answers, web_answers

__all__ = ["main", "read_procfile"]

_STOP_PHASES = {"host": 1, "redis": 2}  # the others first: they call plugins, and everyone uses Redis
_STOP_SECONDS = {"host": 20.0, "redis": 10.0}
_REAP_SECONDS = 5.0
_EXIT_BAD_ENVIRONMENT = 2


def main(procfile: Path = ROOT / "Procfile") -> int:
    """Run the studio until it is told to stop, and return the exit status."""
    try:
        environment = read_environment()
        preflight.check(environment)
        with preflight.only_studio(environment):
            stragglers = preflight.stop_stragglers(environment)
            preflight.remove_drafts(environment)
            preflight.check_port(environment)
            return asyncio.run(_Launch(environment, procfile).run(stragglers))
    except InvalidEnvironmentError as error:
        print_error(f"AI Chat Studio cannot start.\n  {error}")
        return _EXIT_BAD_ENVIRONMENT


def read_procfile(path: Path, environ: Mapping[str, str]) -> list[ProcessSpec]:
    """Read `name: command` lines, with `$NAME` filled in from `environ`; no shell is involved."""
    specs = []
    for line in path.read_text().splitlines():
        name, colon, command = line.partition(":")
        if colon and not line.startswith("#"):
            words = [string.Template(word).substitute(environ) for word in shlex.split(command)]
            name = name.strip()
            specs.append(ProcessSpec(name, words, _STOP_PHASES.get(name, 0), _STOP_SECONDS.get(name, 10.0)))
    return specs


def child_environ(environment: Environment) -> dict[str, str]:
    """Return what every process of the studio finds in its environment."""
    environ = {name: value for name, value in os.environ.items() if name != "REDIS_URL"}
    programs = str(Path(sys.executable).parent)
    return {
        **environ,
        **environment.as_environ(),
        "PATH": os.pathsep.join([programs, environ.get("PATH", os.defpath)]),
        "PYTHONUNBUFFERED": "1",
        "DJANGO_SETTINGS_MODULE": "aichat.settings",
        # Celery's worker says this in seven lines to root, who is who a container runs as. Plugins drop root anyway.
        "PYTHONWARNINGS": "ignore:You're running the worker with superuser",
    }


class _Launch:
    def __init__(self, environment: Environment, procfile: Path) -> None:
        environ = child_environ(environment)
        self._environment = environment
        used = {"redis": environment.embedded_redis, "watch": environment.dev}
        self._specs = [spec for spec in read_procfile(procfile, environ) if used.get(spec.name, True)]
        names = tuple(spec.name for spec in self._specs)
        colour = wants_colour(sys.stdout, os.environ)
        self._printer = Printer(sys.stdout, names, colour=colour, readable=environment.dev)
        self._supervisor = Supervisor(
            self._printer,
            environ,
            directory=ROOT,
            on_change=lambda pids: preflight.remember_processes(environment, pids),
        )
        self._stop = asyncio.Event()
        self._hurry = asyncio.Event()

    async def run(self, stragglers: Sequence[str]) -> int:
        """Serve until told to stop; return the exit status."""
        self._listen_for_signals()
        adopt_orphans()
        if stragglers:
            self._printer.system(f"an earlier launcher was killed; stopped what it had left: {', '.join(stragglers)}")
        helpers = [asyncio.create_task(self._reap(), name="reap orphans")]
        serving = asyncio.create_task(self._serve(), name="serve")
        stopping = asyncio.create_task(self._stop.wait(), name="wait for a signal")
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        status = serving.result() if serving.done() else 0
        if not status:
            await stopping
        await self._shut_down([*helpers, serving, stopping])
        return status

    async def _serve(self) -> int:
        redis = [spec for spec in self._specs if spec.name == "redis"]
        self._supervisor.start(redis)
        if redis:
            await redis_answers(self._environment.redis_socket)
        first = not self._environment.first_login_file.exists()
        if status := await self._bootstrap():
            self._printer.system("the database could not be prepared; the lines above say why")
            return status
        self._supervisor.start(spec for spec in self._specs if spec.name != "redis")
        healthy = await web_answers(self._environment)
        self._printer.banner(greeting(self._environment, first=first, healthy=healthy))
        return 0

    async def _bootstrap(self) -> int:
        return await self._supervisor.run_once("setup", [sys.executable, "manage.py", "bootstrap"])

    async def _reap(self) -> None:
        while True:
            await asyncio.sleep(_REAP_SECONDS)
            reap_orphans(self._supervisor.pids.values())

    async def _shut_down(self, tasks: Sequence[asyncio.Task[object]]) -> None:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._printer.system("stopping")
        await self._supervisor.stop(self._hurry)
        kill_descendants()
        await self._supervisor.close()
        self._printer.system("stopped")

    def _listen_for_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(signum, self._signalled)

    def _signalled(self) -> None:
        if self._stop.is_set():
            self._hurry.set()  # asked twice: do not wait for anybody
        self._stop.set()


def greeting(environment: Environment, *, first: bool, healthy: bool) -> str:
    """Return what to say when the studio answers: where it is, how to get in, what to do next."""
    name = "localhost" if environment.host in {"127.0.0.1", "0.0.0.0", "::"} else environment.host
    lines = [f"  AI Chat Studio   http://{name}:{environment.port}"]
    if not healthy:
        lines = [
            f"  AI Chat Studio   http://{name}:{environment.port} answers, but is not healthy: see /api/plugins/health"
        ]
    file = environment.first_login_file
    if first and file.exists():
        lines.append(f"  Sign in          {' / '.join(_first_login(file))}   (kept in {file})")
    elif file.exists():
        lines.append(f"  Sign in          as {_first_login(file)[0]}; the first password is in {file}")
    lines.append(
        "  Next             open the address, sign in and say hello; /plugins shows what can be loaded. Ctrl-C stops."
    )
    return "\n".join(lines)


def _first_login(file: Path) -> list[str]:
    """Return the name and the password that `manage.py bootstrap` wrote."""
    return [line.partition(": ")[2] for line in file.read_text().splitlines()[:2]]


if __name__ == "__main__":
    sys.exit(main())
