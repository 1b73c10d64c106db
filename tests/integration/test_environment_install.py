"""Installing plugins' Python packages with the real uv: locks, sharing, no network, failures."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from plugins_app.models import PluginEnvironment
from plugins_app.services import envfiles, environments
from plugins_app.services.environments import (
    environment_cancel,
    environment_install,
    environment_key,
    environment_path,
    environment_problem,
    environment_request,
    environment_row,
    environments_resume,
)
from plugins_app.services.uv import UvError
from tests.wheels import wheel

pytestmark = pytest.mark.django_db(transaction=True)
Status = PluginEnvironment.Status


@pytest.fixture
def wheels(tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch, transactional_db: None) -> Iterator[Path]:
    """A folder of wheels that is all the index there is, and a cache and environments of the test's own."""
    settings.STUDIO_ENVS = tmp_path / "envs"
    folder = tmp_path / "wheels"
    folder.mkdir()
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    config = tmp_path / "uv.toml"
    config.write_text(f'[pip]\nno-index = true\nfind-links = ["{folder}"]\n')
    monkeypatch.setenv("UV_CONFIG_FILE", str(config))
    yield folder
    connection.close()


def asked(*requirements: str, alone: tuple[str, ...] = ()) -> dict[str, Any]:
    return {"requirements": list(requirements), "requirements_no_deps": list(alone)}


def install(metadata: Mapping[str, Any]) -> PluginEnvironment:
    """What becomes of these requirements."""
    key = environment_key(metadata)
    assert key is not None
    environment_request(metadata=metadata)
    environment_install(key=key)
    row = environment_row(key)
    assert row is not None
    return row


def word(metadata: Mapping[str, Any], name: str) -> str:
    key = environment_key(metadata)
    assert key is not None
    return (environment_path(key) / f"{name}.py").read_text().split("'")[1]


def left_over(settings: Any) -> list[str]:
    return [path.name for path in settings.STUDIO_ENVS.glob(".*") if path.name != ".lock"]


@contextmanager
def index_of(folder: Path) -> Iterator[str]:
    """A package index as the registry has it, on this machine."""
    for path in folder.glob("*.whl"):
        page = folder / "simple" / path.name.partition("-")[0].replace("_", "-")
        page.mkdir(parents=True, exist_ok=True)
        (page / path.name).hardlink_to(path)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        (page / "index.html").write_text(f'<a href="{path.name}#sha256={digest}">{path.name}</a>')
    handler = partial(_Quiet, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/simple"
        finally:
            server.shutdown()
            thread.join()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


def test_packages_are_locked_installed_compiled_and_linked_from_the_cache(wheels: Path, settings: Any) -> None:
    wheel(wheels, "outer", requires=("inner>=1",))
    wheel(wheels, "inner", "1.5", word="in")
    row = install(asked("outer"))
    assert (row.status, row.fraction, row.message, row.error) == (Status.READY, 1.0, "ready", "")
    assert row.size_bytes and word(asked("outer"), "inner") == "in"
    assert "inner==1.5" in row.lock and row.lock.count("--hash=sha256:") == 2
    home = environment_path(row.key)
    assert home.is_symlink() and home.resolve() == envfiles.locked_path(envfiles.Lock.read(row.lock).hash).resolve()
    assert envfiles.lock_path(home.resolve().name).read_text() == row.lock
    assert (home / "inner.py").stat().st_nlink > 1, "not a hard link to uv's cache"
    assert list((home / "__pycache__").glob("inner.*.pyc"))
    assert left_over(settings) == []


def test_requirements_that_come_to_the_same_lock_share_one_environment(wheels: Path) -> None:
    wheel(wheels, "one")
    first, second = install(asked("one")), install(asked("one>=0.5,<2"))
    assert first.key != second.key and second.status == Status.READY
    assert environment_path(first.key).resolve() == environment_path(second.key).resolve()


def test_conflicting_versions_of_one_package_lie_side_by_side(wheels: Path) -> None:
    wheel(wheels, "same", "1.0", word="old")
    wheel(wheels, "same", "2.0", word="new")
    assert {install(asked(f"same=={n}.0")).status for n in (1, 2)} == {Status.READY}
    assert [word(asked(f"same=={n}.0"), "same") for n in (1, 2)] == ["old", "new"]


def test_packages_without_their_dependencies(wheels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel(wheels, "whole")
    wheel(wheels, "alone", requires=("nowhere-to-be-found",))
    (tmp_path / "uv.toml").write_text("")
    with index_of(wheels) as url:
        monkeypatch.setenv("UV_DEFAULT_INDEX", url)
        row = install(asked("whole", alone=("alone",)))
    assert row.status == Status.READY, row.error
    assert {path.stem for path in environment_path(row.key).glob("*.py")} == {"whole", "alone"}
    assert envfiles.Lock.read(row.lock).text == row.lock and "alone==1.0" in envfiles.Lock.read(row.lock).alone


def test_a_failure_says_why_in_the_words_of_uv_and_leaves_nothing(wheels: Path, settings: Any) -> None:
    row = install(asked("nothing-like-this==9"))
    assert (row.status, row.fraction) == (Status.FAILED, None)
    assert "nothing-like-this" in row.error and len(row.error) <= 1000
    problem = environment_problem("packed", row)
    assert problem is not None and problem["code"] == "environment_install_failed" and row.error in problem["detail"]
    assert not environment_path(row.key).exists() and left_over(settings) == []
    wheel(wheels, "nothing_like_this", "9")
    assert install(asked("nothing-like-this==9")).status == Status.READY


def test_what_was_chosen_once_is_chosen_again(wheels: Path) -> None:
    wheel(wheels, "grown", "1.0", word="first")
    row = install(asked("grown"))
    wheel(wheels, "grown", "2.0", word="later")
    environment_path(row.key).unlink()
    envfiles.remove_tree(envfiles.locked_path(envfiles.Lock.read(row.lock).hash))
    assert install(asked("grown")).lock == row.lock
    assert word(asked("grown"), "grown") == "first"


def test_another_node_installs_what_the_first_one_chose(wheels: Path, settings: Any, tmp_path: Path) -> None:
    wheel(wheels, "grown", "1.0")
    row = install(asked("grown"))
    wheel(wheels, "grown", "2.0")
    settings.STUDIO_NODE, settings.STUDIO_ENVS = "other", tmp_path / "other-envs"
    assert (install(asked("grown")).lock, PluginEnvironment.objects.count()) == (row.lock, 2)
    assert environment_path(row.key).is_dir()


def test_a_lock_whose_files_are_gone_is_made_anew(wheels: Path, tmp_path: Path) -> None:
    old = wheel(wheels, "grown", "1.0")
    row = install(asked("grown"))
    old.unlink()
    wheel(wheels, "grown", "2.0", word="later")
    envfiles.remove_tree(envfiles.locked_path(envfiles.Lock.read(row.lock).hash))
    envfiles.remove_tree(tmp_path / "cache")
    again = install(asked("grown"))
    assert again.status == Status.READY and "grown==2.0" in again.lock


def test_without_a_network_a_full_cache_is_enough(
    wheels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel(wheels, "fetched", word="far")
    (tmp_path / "uv.toml").write_text("")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    with index_of(wheels) as url:
        monkeypatch.setenv("UV_DEFAULT_INDEX", url)
        assert install(asked("fetched")).status == Status.READY
    # Neither what is installed nor its lock helps here: only uv's own cache does.
    PluginEnvironment.objects.all().delete()
    envfiles.remove_tree(tmp_path / "envs")
    row = install(asked("fetched>=0.1"))
    assert row.status == Status.READY, row.error
    assert word(asked("fetched>=0.1"), "fetched") == "far"
    missing = install(asked("never-fetched"))
    assert missing.status == Status.FAILED and "127.0.0.1" not in missing.error
    assert "failed to fetch" in missing.error.lower() or "connect" in missing.error.lower()


def test_progress_is_written_while_uv_works(wheels: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel(wheels, "one")
    told: list[tuple[float | None, str]] = []
    real = environments.run_uv

    def watched(*arguments: str, watch: Any) -> None:
        def look() -> None:
            row = PluginEnvironment.objects.get()
            told.append((row.fraction, row.message))

        def and_look(line: str | None) -> None:
            watch(line)
            look()

        look()  # its first line may be its last
        real(*arguments, watch=and_look)

    monkeypatch.setattr(environments, "run_uv", watched)
    assert install(asked("one")).status == Status.READY
    fractions = [fraction for fraction, _ in told if fraction is not None]
    assert fractions == sorted(fractions)
    assert {"choosing versions", "1 package chosen"} <= {message for _, message in told}


def _cancelled_while(*arguments: str, watch: Any) -> None:
    """uv, while somebody cancels."""
    key = PluginEnvironment.objects.values_list("key", flat=True).get()
    environment_cancel(key=key)
    watch(None)
    raise AssertionError("it went on")


def test_cancelled_it_stops_and_can_be_asked_for_again(
    wheels: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel(wheels, "one")
    with monkeypatch.context() as patched:
        patched.setattr(environments, "run_uv", _cancelled_while)
        row = install(asked("one"))
    assert (row.status, row.cancel_requested) == (Status.CANCELLED, False)
    problem = environment_problem("packed", row)
    assert problem is not None and problem["code"] == "install_cancelled"
    assert left_over(settings) == [] and environments_resume() == []
    assert install(asked("one")).status == Status.READY


def test_cancelled_and_wanted_again_at_once_it_is_built(wheels: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel(wheels, "one")

    def cancelled_then_wanted(*arguments: str, watch: Any) -> None:
        try:
            _cancelled_while(watch=watch)
        finally:
            environment_request(metadata=asked("one"))

    with monkeypatch.context() as patched:
        patched.setattr(environments, "run_uv", cancelled_then_wanted)
        row = install(asked("one"))
    assert row.status == Status.PENDING and environments_resume() == [row.key]


def test_cancelled_before_it_began_it_is_not_begun(wheels: Path) -> None:
    key = environment_request(metadata=asked("one"))
    assert key is not None
    environment_cancel(key=key)
    assert not environment_install(key=key)
    assert PluginEnvironment.objects.get().status == Status.CANCELLED


def test_a_full_disk_is_told_and_a_later_attempt_works(
    wheels: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel(wheels, "one")

    def full(*arguments: str, watch: Any) -> None:
        (Path(arguments[arguments.index("-o") + 1]).parent / "half").write_text("written")
        raise UvError("error: failed to write\n  cause: No space left on device (os error 28)")

    with monkeypatch.context() as patched:
        patched.setattr(environments, "run_uv", full)
        row = install(asked("one"))
    assert row.status == Status.FAILED and row.error.startswith("There is no room on the disk.")
    assert left_over(settings) == []
    assert install(asked("one")).status == Status.READY


def test_what_a_killed_worker_left_is_removed_by_the_next(wheels: Path, settings: Any) -> None:
    wheel(wheels, "one")
    key = environment_request(metadata=asked("one"))
    assert key is not None
    (envfiles.new_draft(key) / "half").write_text("an environment")
    other = envfiles.new_draft("f" * 40)
    assert install(asked("one")).status == Status.READY
    assert left_over(settings) == [other.name], "somebody else may be building that one"


def test_two_workers_at_once_build_it_once(wheels: Path) -> None:
    wheel(wheels, "one")
    key = environment_request(metadata=asked("one"))
    assert key is not None
    PluginEnvironment.objects.update(status=Status.INSTALLING)
    assert not environment_install(key=key), "another worker has it"


def test_an_environment_from_before_there_were_locks_is_used_as_it_is(wheels: Path) -> None:
    key = environment_request(metadata=asked("one"))
    assert key is not None
    environment_path(key).mkdir(parents=True)
    assert environment_install(key=key)
    assert (PluginEnvironment.objects.get().status, environment_request(metadata=asked("one"))) == (Status.READY, None)
