"""The same on PostgreSQL: a studio from the outside, and everything in which several write to the database at once."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.test_events import *  # noqa: F403 - the very same tests, on the studio below
from tests.integration.test_load import *  # noqa: F403
from tests.postgres import Postgres
from tests.studio import ROOT, Studio, running_studio

ON_THE_TABLES = (
    "test_execution_leases.py",
    "test_settling.py",
    "test_release_failure.py",
    "test_node_folders.py",
    "test_storage_add.py",
    "test_chat_conversations_branches.py",
    "test_chat_conversations_import.py",
    "test_chat_conversations_search.py",
)


@pytest.fixture(scope="module")
def studio(postgres: Postgres, owned_processes: set[int]) -> Iterator[Studio]:
    """A studio whose database is PostgreSQL."""
    with running_studio(DATABASE_URL=postgres.database()) as running:
        assert running.launcher is not None
        owned_processes.add(running.launcher.pid)
        yield running


def test_what_is_tested_on_the_tables_holds_there_too(postgres: Postgres) -> None:
    files = [str(ROOT / "tests" / "integration" / name) for name in ON_THE_TABLES]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *files],
        cwd=ROOT,
        env={**os.environ, "TEST_DATABASE_URL": postgres.database()},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert "passed" in done.stdout


def test_machines_may_be_started_for_the_first_time_at_once(postgres: Postgres, tmp_path: Path) -> None:
    url = postgres.database()
    environs = [
        {**os.environ, "DJANGO_SETTINGS_MODULE": "aichat.settings", "DATABASE_URL": url}
        | {"STUDIO_DATA": str(tmp_path / node), "STUDIO_NODE": node}
        for node in ("a", "b", "c")
    ]
    command = [sys.executable, "manage.py", "bootstrap"]
    started = [subprocess.Popen(command, cwd=ROOT, env=environ, stdout=subprocess.PIPE) for environ in environs]
    said = [process.communicate()[0].decode() for process in started]
    assert [process.returncode for process in started] == [0, 0, 0]
    assert ["made the first operator" in words for words in said].count(True) == 1
