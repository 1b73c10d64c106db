"""What beat removes from a node's disk, and what it leaves alone."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from plugins_app.models import Plugin, PluginEnvironment, PluginInstance, PluginRelease, PluginVersion
from plugins_app.services import envfiles, tidying
from plugins_app.services.envfiles import Lock
from plugins_app.services.environments import environment_key, environment_path
from plugins_app.services.packages import package_name
from plugins_app.services.snapshots import remove_tree, snapshot_path

pytestmark = pytest.mark.django_db(transaction=True)
DAYS = 86_400.0


class Disk:
    """A node's disk, and a clock for it."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root, self._monkeypatch = root, monkeypatch

    def later(self, days: float) -> None:
        clock = SimpleNamespace(time=lambda: time.time() + days * DAYS)
        self._monkeypatch.setattr(tidying, "time", clock)
        self._monkeypatch.setattr(envfiles, "time", clock)
        past = timezone.now() - timedelta(days=days)
        PluginVersion.objects.update(created_at=past)
        PluginEnvironment.objects.update(updated_at=past)

    def version(self, digest: str, **metadata: Any) -> PluginVersion:
        snapshot_path("p", digest).mkdir(parents=True)
        packed = self.root / "packages" / package_name("p", digest)
        packed.parent.mkdir(parents=True, exist_ok=True)
        packed.touch()
        facts: dict[str, Any] = {"metadata": {"id": "p", **metadata}, "shared": True}
        return PluginVersion.objects.create(plugin_id="p", digest=digest, **facts)

    def left(self, folder: str) -> set[str]:
        return {path.name for path in (self.root / folder).iterdir()} if (self.root / folder).is_dir() else set()


@pytest.fixture
def disk(tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch, transactional_db: None) -> Iterator[Disk]:
    for name in ("plugins", "store", "run", "data", "envs"):
        (tmp_path / name).mkdir()
        setattr(settings, f"STUDIO_{name.upper()}", tmp_path / name)
    options = {"location": tmp_path / "packages"}
    location = {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": options}
    settings.STORAGES = {**settings.STORAGES, "plugins": location}
    Plugin.objects.create(id="p", folder=str(tmp_path / "plugins" / "p"))
    yield Disk(tmp_path, monkeypatch)
    connection.close()
    remove_tree(tmp_path / "store")


def release(generation: int, version: PluginVersion) -> PluginRelease:
    return PluginRelease.objects.create(plugin_id="p", generation=generation, version=version, cause="load")


def test_versions_that_nothing_refers_to_go_after_30_days(disk: Disk) -> None:
    names = ("wanted", "folder", "runs", "recent", "old", "unknown")
    rows = {name: disk.version(name) for name in names if name != "unknown"}
    snapshot_path("p", "unknown").mkdir()
    release(1, rows["old"])
    desired = release(2, rows["wanted"])
    for generation in range(3, 3 + tidying.RELEASES_KEPT):
        release(generation, rows["recent"])
    Plugin.objects.update(desired=desired, version=rows["folder"])
    PluginInstance.objects.create(plugin_id="p", node="local", digest="runs")
    tidying.disk_tidy()
    assert disk.left("store/p") == set(names)
    disk.later(31)
    tidying.disk_tidy()
    kept = {"wanted", "folder", "runs", "recent"}
    assert disk.left("store/p") == kept
    assert disk.left("packages/p") == {f"{name}.tar.gz" for name in kept}
    assert not PluginVersion.objects.get(digest="old").shared


def test_drafts_go_after_a_day(disk: Disk) -> None:
    for path in ("store/p/.draft-1", "store/p/.spoilt-2", "envs/.draft-3", "plugins/.incoming-local-4"):
        (disk.root / path / "inner").mkdir(parents=True)
    tidying.disk_tidy()
    assert len(disk.left("store/p")) == 2 and len(disk.left("plugins")) == 1
    disk.later(1.1)
    tidying.disk_tidy()
    assert (disk.left("store/p"), disk.left("plugins"), disk.left("envs")) == (set(), set(), {".lock"})


def environment(requirement: str, lock: str) -> str:
    key = environment_key({"requirements": [requirement]})
    assert key is not None
    made = Lock(lock)
    with envfiles.publishing():
        draft = envfiles.new_draft(key)
        (draft / "packages").mkdir()
        envfiles.publish(key, made, draft, draft / "packages")
        remove_tree(draft)
    PluginEnvironment.objects.create(key=key, node="local", status="ready", lock=lock)
    return key


def test_environments_that_no_version_needs_go_after_30_days(disk: Disk) -> None:
    used, unused = environment("a", "a==1"), environment("b", "b==1")
    same = environment("a>0", "a==1")
    version = disk.version("d", requirements=["a"])
    Plugin.objects.update(version=version)
    tidying.disk_tidy()
    assert disk.left("envs/locked") == {Lock("a==1").hash, Lock("b==1").hash}
    disk.later(31)
    tidying.disk_tidy()
    assert [environment_path(key).is_dir() for key in (used, unused, same)] == [True, False, False]
    assert disk.left("envs/locked") == {Lock("a==1").hash}
    assert disk.left("envs/locks") == {f"{Lock('a==1').hash}.txt"}
    assert list(PluginEnvironment.objects.values_list("key", flat=True)) == [used]


def test_an_environment_that_is_being_built_stays(disk: Disk) -> None:
    key = environment("a", "a==1")
    PluginEnvironment.objects.update(status="installing")
    disk.later(31)
    tidying.disk_tidy()
    assert environment_path(key).is_dir() and PluginEnvironment.objects.exists()


def test_trash_goes_after_30_days_but_what_can_be_restored(disk: Disk) -> None:
    for name in ("kept-1", "gone-2"):
        (disk.root / "data" / "trash" / name / "inner").mkdir(parents=True)
    Plugin.objects.update(trash="kept-1", removed_at=timezone.now())
    tidying.disk_tidy()
    assert disk.left("data/trash") == {"kept-1", "gone-2"}
    disk.later(31)
    tidying.disk_tidy()
    assert disk.left("data/trash") == {"kept-1"}
