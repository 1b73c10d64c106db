"""Versions on their way from node to node through Django's storage, and what a node does before it starts one."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from plugins_app.models import Plugin, PluginEnvironment, PluginRelease, PluginVersion
from plugins_app.services import environments, packages, preparing
from plugins_app.services.discovery import plugins_discover
from plugins_app.services.errors import StudioError
from plugins_app.services.packages import package_fetch, package_name, package_share, packages_unshared
from plugins_app.services.preparing import node_prepare
from plugins_app.services.snapshots import remove_tree, snapshot_path, tree_digest

pytestmark = pytest.mark.django_db(transaction=True)
MANIFEST = """
[plugin]
id = "sent"
name = "Sent"
version = "1.0.0"
author = "Ada"
description = "d"
type = "tool"
"""


class Nodes:
    """Two machines with a directory for packages between them; `on` is whose process this is."""

    def __init__(self, root: Path, settings: Any) -> None:
        self.root, self.settings, self.shared = root, settings, root / "packages"

    def on(self, node: str) -> None:
        self.settings.STUDIO_NODE = node
        for name in ("plugins", "store", "run", "envs"):
            (self.root / node / name).mkdir(parents=True, exist_ok=True)
            setattr(self.settings, f"STUDIO_{name.upper()}", self.root / node / name)

    def version(self) -> PluginVersion:
        """The plugin, released on the first node."""
        self.on("a")
        folder = self.root / "a" / "plugins" / "sent"
        (folder / "sub").mkdir(parents=True)
        (folder / "plugin.toml").write_text(MANIFEST)
        (folder / "plugin.py").write_text("WORD = 1\n")
        (folder / "config.json").write_text('{"word": "secret"}')
        (folder / "sub" / "tool.sh").write_text("#!/bin/sh\n")
        (folder / "sub" / "tool.sh").chmod(0o755)
        plugins_discover()
        version = PluginVersion.objects.get()
        release = PluginRelease.objects.create(plugin_id="sent", generation=1, version=version, cause="load")
        Plugin.objects.update(desired=release)
        return version


@pytest.fixture
def nodes(tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch, transactional_db: None) -> Iterator[Nodes]:
    monkeypatch.setattr("plugins_app.services.hints.hint", lambda channel, payload: None)
    monkeypatch.setattr("plugins_app.services.queue.enqueue", lambda *args, **options: True)
    options = {"location": tmp_path / "packages"}
    location = {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": options}
    settings.STORAGES = {**settings.STORAGES, "plugins": location}
    yield Nodes(tmp_path, settings)
    connection.close()
    for store in tmp_path.glob("*/store"):
        remove_tree(store)


def drafts(nodes: Nodes) -> list[str]:
    return [path.name for path in (nodes.root / "b" / "store").rglob(".draft-*")]


def test_a_version_reaches_another_node_by_its_digest(nodes: Nodes) -> None:
    version = nodes.version()
    assert packages_unshared() == [version.pk]
    assert package_share(version_id=version.pk) and not package_share(version_id=version.pk)
    assert packages_unshared() == []
    nodes.on("b")
    package_fetch(plugin_id="sent", digest=version.digest)
    there = snapshot_path("sent", version.digest)
    assert tree_digest(there) == version.digest
    assert (there / "sub" / "tool.sh").stat().st_mode & 0o777 == 0o555, "read-only, and still a program"
    assert list((there / "__pycache__").glob("plugin.*.pyc"))
    packed = nodes.shared / package_name("sent", version.digest)
    assert b"secret" not in packed.read_bytes() and drafts(nodes) == []


def test_a_broken_attempt_to_share_is_replaced(nodes: Nodes) -> None:
    version = nodes.version()
    half = nodes.shared / package_name("sent", version.digest)
    half.parent.mkdir(parents=True)
    half.write_bytes(b"half")
    package_share(version_id=version.pk)
    assert [path.name for path in half.parent.iterdir()] == [half.name]
    nodes.on("b")
    package_fetch(plugin_id="sent", digest=version.digest)


def _other_content(packed: Path) -> None:
    from plugins_app.services.archives import archive_pack

    folder = packed.parent / "other"
    folder.mkdir()
    (folder / "plugin.py").write_text("import os")
    with packed.open("wb") as file:
        archive_pack(folder, file)


SPOILT: dict[str, Callable[[Path], Any]] = {
    "gone": lambda packed: packed.unlink(),
    "cut off": lambda packed: packed.write_bytes(packed.read_bytes()[:-30]),
    "nonsense": lambda packed: packed.write_bytes(b"nonsense"),
    "something else": _other_content,
}


@pytest.mark.parametrize("how", SPOILT)
def test_a_package_that_is_not_what_it_says_is_not_taken(nodes: Nodes, how: str) -> None:
    version = nodes.version()
    package_share(version_id=version.pk)
    SPOILT[how](nodes.shared / package_name("sent", version.digest))
    nodes.on("b")
    with pytest.raises(StudioError) as refused:
        package_fetch(plugin_id="sent", digest=version.digest)
    assert refused.value.code == "digest_missing" and "cannot be fetched" in refused.value.detail
    assert not snapshot_path("sent", version.digest).exists() and drafts(nodes) == []


def test_a_full_disk_leaves_nothing_and_a_later_attempt_works(nodes: Nodes, monkeypatch: pytest.MonkeyPatch) -> None:
    version = nodes.version()
    package_share(version_id=version.pk)
    nodes.on("b")

    def full(*arguments: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("plugins_app.services.archives._Unpacking._copy", full)
        with pytest.raises(StudioError) as refused:
            package_fetch(plugin_id="sent", digest=version.digest)
    assert refused.value.code == "disk_full" and drafts(nodes) == []
    package_fetch(plugin_id="sent", digest=version.digest)


def test_nothing_is_asked_when_all_is_there(nodes: Nodes, django_assert_num_queries: Any) -> None:
    version = nodes.version()
    with django_assert_num_queries(0):
        assert node_prepare("sent", version.digest, version.metadata) is None


def test_a_node_fetches_what_it_lacks(nodes: Nodes) -> None:
    version = nodes.version()
    package_share(version_id=version.pk)
    nodes.on("b")
    assert node_prepare("sent", version.digest, version.metadata) is None
    assert snapshot_path("sent", version.digest).is_dir()


def test_it_waits_until_another_node_has_packed_it(nodes: Nodes, monkeypatch: pytest.MonkeyPatch) -> None:
    version = nodes.version()
    nodes.on("b")

    def meanwhile(seconds: float) -> None:
        nodes.on("a")
        package_share(version_id=version.pk)
        nodes.on("b")

    monkeypatch.setattr(preparing.time, "sleep", meanwhile)
    assert node_prepare("sent", version.digest, version.metadata) is None


def test_what_nobody_has_is_told(nodes: Nodes, monkeypatch: pytest.MonkeyPatch) -> None:
    version = nodes.version()
    monkeypatch.setattr(preparing, "PACKING_LIMIT", 0.0)
    nodes.on("b")
    problem = node_prepare("sent", version.digest, version.metadata)
    assert problem is not None and problem["code"] == "digest_missing"


def test_it_stops_when_the_release_is_not_wanted_any_more(nodes: Nodes) -> None:
    version = nodes.version()
    Plugin.objects.update(desired=None)
    nodes.on("b")
    problem = node_prepare("sent", version.digest, version.metadata)
    assert problem is not None and problem["code"] == "superseded"


def _worker(key: str, path: Path, status: str, error: str = "") -> Callable[..., bool]:
    """A worker that does its work as soon as it is asked."""

    def work(task: str, *args: str, **options: Any) -> bool:
        if (task, args) == ("environment_install", (key,)):
            if status == "ready":
                path.mkdir(parents=True)
            PluginEnvironment.objects.update(status=status, error=error)
        return True

    return work


@pytest.mark.parametrize(
    ("status", "code"),
    [("ready", None), ("failed", "environment_install_failed"), ("cancelled", "install_cancelled")],
)
def test_a_node_has_the_packages_installed_that_it_lacks(
    nodes: Nodes, monkeypatch: pytest.MonkeyPatch, status: str, code: str | None
) -> None:
    version = nodes.version()
    metadata = {**version.metadata, "requirements": ["own-dep"]}
    key = environments.environment_key(metadata)
    assert key is not None
    worker = _worker(key, environments.environment_path(key), status, "because")
    monkeypatch.setattr("plugins_app.services.queue.enqueue", worker)
    problem = node_prepare("sent", version.digest, metadata)
    assert (problem["code"] if problem else None) == code
    assert status != "failed" or (problem is not None and "because" in problem["detail"])
    [row] = PluginEnvironment.objects.all()
    assert (row.node, row.requirements["requirements"]) == ("a", ["own-dep"])


def test_installing_takes_only_so_long(nodes: Nodes, monkeypatch: pytest.MonkeyPatch) -> None:
    version = nodes.version()
    monkeypatch.setattr(preparing, "TIME_LIMIT", 0.0)
    problem = node_prepare("sent", version.digest, {**version.metadata, "requirements": ["own-dep"]})
    assert problem is not None and problem["code"] == "environment_missing" and "worker" in problem["hint"]


def test_a_forgotten_package_is_deleted_once_that_is_certain(nodes: Nodes) -> None:
    from django.db import transaction

    version = nodes.version()
    package_share(version_id=version.pk)
    packed = nodes.shared / package_name("sent", version.digest)
    version.refresh_from_db()
    with transaction.atomic():
        packages.package_delete(version)
        assert packed.exists()
    assert not packed.exists()
    shutil.rmtree(nodes.shared)
    packages.package_delete(version)
