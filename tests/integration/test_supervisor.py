"""The supervisor restarts with backoff, reads what its processes say, and stops them in order."""

import asyncio
import errno
import io
import os
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from aichat.printer import Printer
from aichat.supervisor import Backoff, ProcessSpec, Supervisor, describe_exit


class Watched:
    """A supervisor with everything that it prints."""

    def __init__(self) -> None:
        """Restart quickly, so that tests do not wait."""
        self.out = io.StringIO()
        printer = Printer(self.out, ("first", "second"), colour=False)
        self.supervisor = Supervisor(printer, os.environ, backoff=Backoff(first=0.01, longest=0.05))

    async def said(self, text: str, times: int = 1) -> None:
        """Wait until `text` has been printed so many times."""
        async with asyncio.timeout(20):
            while self.out.getvalue().count(text) < times:
                await asyncio.sleep(0.01)


@pytest.fixture
async def watched() -> AsyncIterator[Watched]:
    """A supervisor that is stopped after the test."""
    one = Watched()
    yield one
    await one.supervisor.stop()
    await one.supervisor.close()


def python(name: str, code: str, **options: float) -> ProcessSpec:
    """Describe a process that runs `code`."""
    return ProcessSpec(name, [sys.executable, "-u", "-c", code], **options)  # type: ignore[arg-type]


def test_the_delay_doubles_up_to_a_limit() -> None:
    backoff = Backoff(first=0.5, longest=30)
    assert [backoff.delay(n) for n in (1, 2, 3, 4, 7, 1000)] == [0.5, 1, 2, 4, 30, 30]


def test_exit_statuses_are_told_in_words() -> None:
    assert describe_exit(3) == "ended with status 3"
    assert describe_exit(-9) == "was killed by SIGKILL"


async def test_a_process_that_ends_is_started_again_each_time_later(watched: Watched) -> None:
    watched.supervisor.start([python("first", "print('up'); raise SystemExit(3)")])
    await watched.said("first  | up", times=4)
    for delay in ("0.0", "0.1"):
        await watched.said(f"starting it again in {delay} s")
    assert "first ended with status 3" in watched.out.getvalue()


async def test_a_command_that_is_not_there_is_said_and_tried_again(watched: Watched) -> None:
    watched.supervisor.start([ProcessSpec("first", ["no-such-program"])])
    await watched.said("first  | no-such-program: No such file or directory", times=2)


async def test_a_full_disk_keeps_nothing_from_being_started_again(watched: Watched, tmp_path: Path) -> None:
    def full(pids: dict[str, int]) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    watched.supervisor._on_change = full
    watched.supervisor._directory = tmp_path / "gone"
    watched.supervisor.start([python("first", "print('up')")])
    await watched.said("first cannot be started", times=2)
    watched.supervisor._directory = tmp_path
    await watched.said("first  | up", times=3)
    assert "cannot be written down: [Errno 28]" in watched.out.getvalue()


async def test_output_of_a_grandchild_does_not_hide_that_the_process_is_gone(watched: Watched) -> None:
    code = "import os, time\nif os.fork(): print('gone'); os._exit(1)\nos.setsid(); time.sleep(1)\n"
    started = time.monotonic()
    watched.supervisor.start([python("first", code)])
    await watched.said("first ended with status 1")
    assert time.monotonic() - started < 1


async def test_phases_are_stopped_one_after_the_other(watched: Watched) -> None:
    code = "import signal, sys\nsignal.signal(15, lambda *_: (print('bye'), sys.exit()))\nprint('up')\nsignal.pause()\n"
    specs = [python("second", code, stop_phase=1), python("first", code, stop_phase=0)]
    watched.supervisor.start(specs)
    await watched.said("| up", times=2)
    await watched.supervisor.stop()
    await watched.supervisor.close()
    printed = watched.out.getvalue()
    assert printed.index("first  | bye") < printed.index("second | bye")
    assert watched.supervisor.pids == {}


async def test_a_process_that_does_not_stop_in_time_is_killed(watched: Watched) -> None:
    code = "import signal\nsignal.signal(15, signal.SIG_IGN)\nprint('up')\nwhile True: signal.pause()\n"
    watched.supervisor.start([python("first", code, stop_seconds=0.1)])
    await watched.said("first  | up")
    await watched.supervisor.stop()
    assert "first did not stop in time and is killed" in watched.out.getvalue()


async def test_a_command_is_run_to_its_end(watched: Watched) -> None:
    assert await watched.supervisor.run_once("first", [sys.executable, "-c", "print('done'); exit(7)"]) == 7
    await watched.said("first  | done")
