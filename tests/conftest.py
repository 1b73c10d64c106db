"""What every test gets: a short temporary directory, a guard against leaks, and the real studio when it asks for it."""

import asyncio
import inspect
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.leaks import Snapshot, leaked_tasks, leftovers, settled
from tests.postgres import Postgres
from tests.studio import ROOT, Studio, running_studio, wait_for

_MARKED = ("unit", "acceptance", "e2e")
_DATABASE_FIXTURES = {
    "db",
    "transactional_db",
    "django_db_reset_sequences",
    "live_server",
    "studio",
    "redis_server",
    "postgres",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests by their directory, hold those in tests/unit to what it says, and begin with the longest."""
    for item in items:
        kind = next(
            (kind for kind in ("unit", "acceptance", "e2e") if ROOT / "tests" / kind in item.path.parents), None
        )
        if kind is not None:
            item.add_marker(kind)
        used = _DATABASE_FIXTURES & set(getattr(item, "fixturenames", ()))
        if kind == "unit" and (used or item.get_closest_marker("django_db")):
            raise pytest.UsageError(f"{item.nodeid} is in tests/unit and uses {', '.join(used) or 'the database'}")
    items.sort(key=lambda item: item.get_closest_marker("acceptance") is None)


@pytest.fixture(scope="session")
def owned_processes() -> set[int]:
    """The processes that session fixtures keep running; the leak guard does not look at them or below them."""
    return set()


@pytest.fixture(autouse=True)
def leak_guard(request: pytest.FixtureRequest, owned_processes: set[int]) -> Iterator[None]:
    """Fail a test that leaves a process, thread, descriptor, task or temporary file behind.

    It is set up first and so comes last: what the other fixtures of the test clean up is no leak.
    """
    marker = request.node.get_closest_marker("allow_leaks")
    allowed = set(marker.args) if marker else set()
    if "TEST_DATABASE_URL" in os.environ:
        allowed.add("descriptor")  # PostgreSQL's connection is opened again to empty the tables after the test
    _open_database(request)
    with _temporary_root() as root:
        before = Snapshot.take(owned_processes)
        yield
        found = settled(lambda: _but(allowed, before.leaks(owned_processes)))
        if (names := leftovers(root)) and "directory" not in allowed:
            found["directory"] = names
    if found:
        described = "\n".join(f"  {kind}: {name}" for kind, names in found.items() for name in names)
        pytest.fail(f"the test left behind:\n{described}", pytrace=False)


def _open_database(request: pytest.FixtureRequest) -> None:
    """Open the connection that the process keeps, which the test before may have closed, so that it is no leak."""
    from django.db import connection

    if {"db", "transactional_db"} & set(request.fixturenames) or request.node.get_closest_marker("django_db"):
        request.getfixturevalue("django_db_setup")
        with request.getfixturevalue("django_db_blocker").unblock():
            connection.ensure_connection()


@pytest.fixture(autouse=True)
def watch_tasks(leak_guard: None, request: pytest.FixtureRequest) -> None:
    """Have a guard for tasks run inside the event loop of an asynchronous test."""
    if inspect.iscoroutinefunction(getattr(request, "function", None)):
        request.getfixturevalue("task_guard")


@pytest.fixture
async def task_guard(request: pytest.FixtureRequest) -> AsyncIterator[None]:
    """Fail an asynchronous test that leaves a task running."""
    before = asyncio.all_tasks()
    yield
    marker = request.node.get_closest_marker("allow_leaks")
    left = await leaked_tasks(before)
    if left and not (marker and "task" in marker.args):
        pytest.fail("the test left tasks running:\n  " + "\n  ".join(left), pytrace=False)


@pytest.fixture
def tmp_path(leak_guard: None) -> Iterator[Path]:
    """A directory of the test's own with a short path: a Unix socket's name holds 107 bytes."""
    path = Path(tempfile.mkdtemp(prefix="p"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def redis_server(owned_processes: set[int]) -> Iterator[str]:
    """The embedded Redis, at the address that the test settings name."""
    from django.conf import settings

    environ = {**os.environ, "DJANGO_SETTINGS_MODULE": "aichat.settings"}
    settings.STUDIO_RUN.mkdir(mode=0o700, parents=True, exist_ok=True)
    with subprocess.Popen([sys.executable, "-m", "aichat.embedded_redis"], cwd=ROOT, env=environ) as process:
        owned_processes.add(process.pid)
        try:
            wait_for((settings.STUDIO_RUN / "valkey.sock").exists, 10)
            _open_connections()
            yield settings.REDIS_URL
        finally:
            process.terminate()


@pytest.fixture(scope="session")
def postgres(owned_processes: set[int]) -> Iterator[Postgres]:
    """A real PostgreSQL; each test makes a database of its own in it, and may restart it."""
    root = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    server = Postgres(root, on_start=owned_processes.add)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(root, ignore_errors=True)


def _open_connections() -> None:
    """What is kept for as long as the process lives is opened before any test, which would seem to leak it."""
    from aichat.celery import app
    from plugins_app.services.hints import redis_client

    redis_client().ping()
    app.send_task("tests.nothing", queue="tests", retry=False)


@pytest.fixture(scope="session")
def studio(owned_processes: set[int]) -> Iterator[Studio]:
    """The real system, started by the launcher on a free port, with two web processes and two Celery workers."""
    with running_studio() as running:
        assert running.launcher is not None
        owned_processes.add(running.launcher.pid)
        yield running


@pytest.fixture
def plugin_folder(studio: Studio) -> Iterator[Callable[..., Path]]:
    """Drops a plugin folder, as the spec describes one, among the studio's plugins, and takes it away afterwards."""
    made: list[Path] = []

    def drop(
        name: str, plugin: str | None = None, config: object = None, files: Mapping[str, str] | None = None
    ) -> Path:
        folder = studio.plugins_dir / name
        texts = {"__init__.py": "", "config.json": json.dumps(config or {}), **(files or {})}
        for path, text in {**texts, **({} if plugin is None else {"plugin.py": plugin})}.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
        if folder not in made:
            made.append(folder)
        return folder

    yield drop
    for folder in made:
        studio.http.post(f"/api/plugins/{folder.name.replace('_', '-')}/unload", {"cascade": True})
        shutil.rmtree(folder, ignore_errors=True)  # the test may have had the studio remove it
    studio.http.post("/api/plugins/discover")


@contextmanager
def _temporary_root() -> Iterator[Path]:
    """Send everything that uses `tempfile` to a new directory with a short path."""
    before = tempfile.tempdir, os.environ.get("TMPDIR")
    root = tempfile.mkdtemp(prefix="t", dir="/tmp")
    tempfile.tempdir = os.environ["TMPDIR"] = root
    try:
        yield Path(root)
    finally:
        tempfile.tempdir, variable = before
        os.environ.pop("TMPDIR")
        if variable is not None:
            os.environ["TMPDIR"] = variable
        shutil.rmtree(root, ignore_errors=True)


def _but(allowed: set[str], found: dict[str, list[str]]) -> dict[str, list[str]]:
    return {kind: names for kind, names in found.items() if kind not in allowed}
