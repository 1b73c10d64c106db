"""The guard that fails a test which leaves something behind does see each kind of thing."""

import asyncio
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest

from tests.leaks import Snapshot, leaked_tasks, leftovers, settled

NOT_LONG = 0.2


def test_nothing_is_found_where_nothing_was_left() -> None:
    before = Snapshot.take()
    with tempfile.TemporaryFile():
        pass
    assert settled(before.leaks) == {}


def test_a_child_process_is_found_unless_a_fixture_owns_it() -> None:
    before = Snapshot.take()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        found = settled(before.leaks, NOT_LONG)
        assert str(child.pid) in found["process"][0]
        assert "process" not in settled(lambda: before.leaks({child.pid}), NOT_LONG)
        child.kill()


def test_a_thread_is_found_by_name_until_it_ends() -> None:
    before, end = Snapshot.take(), threading.Event()
    thread = threading.Thread(target=end.wait, name="forgotten", daemon=True)
    thread.start()
    assert settled(before.leaks, NOT_LONG) == {"thread": ["forgotten"]}
    end.set()
    assert settled(before.leaks) == {}


def test_an_open_descriptor_is_found_with_what_it_points_to(tmp_path: Path) -> None:
    before = Snapshot.take()
    descriptor = os.open(tmp_path / "open.txt", os.O_CREAT | os.O_RDWR)
    found = settled(before.leaks, NOT_LONG)
    assert found["descriptor"][0].endswith("open.txt")
    os.close(descriptor)
    assert before.leaks() == {}


def test_a_number_that_is_used_again_for_the_same_kind_is_no_leak() -> None:
    first = os.pipe()
    before = Snapshot.take()
    second = os.pipe()
    for number in first:
        os.close(number)
    assert before.leaks() == {}
    for number in second:
        os.close(number)


async def test_a_task_is_found_by_name_and_one_that_ends_is_not() -> None:
    before = asyncio.all_tasks()
    forever = asyncio.create_task(asyncio.Event().wait(), name="forgotten")
    brief = asyncio.create_task(asyncio.sleep(0), name="brief")
    left = await leaked_tasks(before, NOT_LONG)
    assert len(left) == 1
    assert left[0].startswith("forgotten: ")
    assert brief.done()
    forever.cancel()
    with pytest.raises(asyncio.CancelledError):
        await forever


def test_temporary_files_go_to_a_directory_that_is_looked_through() -> None:
    name = Path(tempfile.mkdtemp())
    assert leftovers(name.parent) == [name.name]
    name.rmdir()
