"""Tell whether a test left something behind: processes, threads, descriptors, tasks, temporary files."""

import asyncio
import gc
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil

__all__ = ["Snapshot", "leaked_tasks", "settled"]

PATIENCE_SECONDS = 5.0
_POLL_SECONDS = 0.02

# Threads that live as long as the process by design, by the beginning of their name.
_LASTING_THREADS = {
    "asgiref": "asgiref's one thread for synchronous code, kept for the next call",
    "pool-": "psycopg's pool of connections, closed when the process ends",
    "hypothesis": "hypothesis watches for its own time limits",
}
# Descriptors that stay open by design, by the beginning of what they point to.
_LASTING_FILES = {
    "/dev/": "null and urandom, opened once by whoever needs them first",
    "/proc/": "psutil reading while we look",
    "anon_inode:[pidfd]": "closed when the process object is collected",
}


@dataclass(frozen=True)
class Snapshot:
    """What a process has at one moment."""

    children: frozenset[tuple[int, float]]
    threads: frozenset[int]
    descriptors: frozenset[tuple[int, str]]
    owned: frozenset[int] = field(default_factory=frozenset)

    @classmethod
    def take(cls, owned: Iterable[int] = ()) -> "Snapshot":
        """Look now; processes in `owned` and below them belong to a fixture that outlives the test."""
        mine = frozenset(owned)
        children = frozenset(map(_identity, _children(mine)))
        threads = frozenset(thread.ident or 0 for thread in threading.enumerate())
        return cls(children, threads, frozenset(_descriptors()), mine)

    def leaks(self, owned: Iterable[int] = ()) -> dict[str, list[str]]:
        """Return what is here now and was not then, in words, by kind."""
        mine = self.owned | frozenset(owned)
        found = {
            "process": [_describe(child) for child in _children(mine) if _identity(child) not in self.children],
            "thread": [thread.name for thread in threading.enumerate() if not self._knows(thread)],
            "descriptor": [f"{number} -> {target}" for number, target in self._new_descriptors()],
        }
        return {kind: names for kind, names in found.items() if names}

    def _knows(self, thread: threading.Thread) -> bool:
        return (
            (thread.ident or 0) in self.threads
            or thread.name.startswith(tuple(_LASTING_THREADS))
            or _is_asgiref(thread)
        )

    def _new_descriptors(self) -> Iterator[tuple[int, str]]:
        """Yield the descriptors beyond the number there was of their kind: numbers are used again, so counts decide."""
        before = [_kind(target) for _, target in self.descriptors]
        for number, target in sorted(_descriptors()):
            if _kind(target) in before:
                before.remove(_kind(target))
            else:
                yield number, target


def settled(look: Callable[[], dict[str, list[str]]], patience: float = PATIENCE_SECONDS) -> dict[str, list[str]]:
    """Return what `look` finds once it finds nothing, or what it still finds when patience is at an end."""
    deadline = time.monotonic() + patience
    while found := look():
        if time.monotonic() > deadline:
            return found
        gc.collect()  # what only a cycle holds open is not left behind: nobody can reach it
        time.sleep(_POLL_SECONDS)
    return {}


async def leaked_tasks(before: set["asyncio.Task[object]"], patience: float = 1.0) -> list[str]:
    """Return the tasks that run now, did not run before, and do not come to an end by themselves."""
    here = asyncio.current_task()
    new = {task for task in asyncio.all_tasks() - before if task is not here}
    if not new:
        return []
    _, pending = await asyncio.wait(new, timeout=patience)
    return [f"{task.get_name()}: {task.get_coro()!r}" for task in pending]


def leftovers(directory: Path) -> list[str]:
    """Return the names of what is in a directory."""
    return sorted(path.name for path in directory.iterdir())


def _children(owned: frozenset[int]) -> list[psutil.Process]:
    """Return this process's descendants, but for the `owned` ones and whatever is below them."""
    found = []
    try:
        waiting = psutil.Process().children()
    except psutil.NoSuchProcess:
        return []
    while waiting:
        process = waiting.pop()
        try:
            if process.pid not in owned and process.status() != psutil.STATUS_DEAD:
                waiting.extend(process.children())
                found.append(process)
        except psutil.NoSuchProcess:
            continue
    return found


def _identity(process: psutil.Process) -> tuple[int, float]:
    """Return what tells a process from a later one with the same number."""
    return process.pid, process.create_time()


def _describe(process: psutil.Process) -> str:
    try:
        return f"{process.pid} ({process.status()}): {' '.join(process.cmdline())[:200]}"
    except psutil.NoSuchProcess:
        return f"{process.pid}: ended while we looked"


def _descriptors() -> Iterator[tuple[int, str]]:
    for name in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{name}")
        except OSError:
            continue
        if not target.startswith(tuple(_LASTING_FILES)):
            yield int(name), target


def _kind(target: str) -> str:
    """Return `socket`, `pipe`, an anonymous inode's kind, or the file's path."""
    return target if target.startswith(("/", "anon_inode:")) else target.partition(":")[0]


def _is_asgiref(thread: threading.Thread) -> bool:
    """asgiref names its lasting thread like everyone's; it is known by its executor."""
    from asgiref.sync import SyncToAsync

    return thread in getattr(SyncToAsync.single_thread_executor, "_threads", ())
