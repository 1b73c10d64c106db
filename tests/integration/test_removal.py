"""Removing a plugin and putting it back: nothing that belongs to it is lost for 30 days."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from plugins_app.models import Execution, LifecycleEvent, Plugin, PluginRelease, PluginVersion, StorageItem
from plugins_app.selectors.versions import removed_plugins
from plugins_app.services import discovery, removal
from plugins_app.services.discovery import plugins_discover
from plugins_app.services.errors import StudioError
from plugins_app.services.removal import plugin_remove, plugin_restore, removals_finish, removals_forget
from plugins_app.services.snapshots import remove_tree
from tests.integration.sources import tool
from tests.studio import Studio

Drop = Callable[..., Path]
STORE = "await self.context.storage.set('k', parameters)\nreturn await self.context.storage.get('k')"
GET = "return [await self.context.storage.get('k'), self.config.get('word')]"
MANIFEST = """
[plugin]
id = "leaving"
name = "Leaving"
version = "1.0.0"
type = "tool"
author = "Ada"
description = "d"
entry = "plugin:Made"
[permissions]
host = ["storage"]
"""


def drop_storing(plugin_folder: Drop) -> Path:
    code = f"if action == 'set':\n{_indented(STORE)}\n{GET}"
    return plugin_folder("leaving", tool("leaving", execute=code), files={"plugin.toml": MANIFEST})


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())


def execute(studio: Studio, **kwargs: Any) -> Any:
    return studio.http.post("/api/plugins/execute", {"plugin_id": "leaving", "method": "execute", "kwargs": kwargs})


def test_a_removed_plugin_comes_back_with_all_that_was_its_own(studio: Studio, plugin_folder: Drop) -> None:
    folder = drop_storing(plugin_folder)
    loading = {"plugin_id": "leaving", "grant": ["host:storage"], "config": {"word": "mine"}}
    before = studio.http.post("/api/plugins/load", loading).json()
    assert execute(studio, action="set", parameters={"n": 1}).json()["result"] == {"n": 1}
    studio.http.post("/api/plugins/leaving/unload")
    answer = studio.http.delete("/api/plugins/leaving")
    assert (answer.status, answer.headers["Link"]) == (204, '</api/plugins/leaving/restore>; rel="restore"')
    assert not folder.exists() and len(list((studio.data / "trash").glob("leaving-*"))) == 1
    # Nobody sees it any more.
    for path in ("leaving", "leaving/versions", "leaving/config/history"):
        assert studio.http.get(f"/api/plugins/{path}").status == 404, path
    for call in ("load", "execute"):
        body = {"plugin_id": "leaving"} | ({"method": "execute"} if call == "execute" else {})
        assert studio.http.post(f"/api/plugins/{call}", body).json()["code"] == "plugin_not_found"
    assert "leaving" not in studio.http.get("/api/plugins/available").text
    assert studio.http.delete("/api/plugins/leaving").json()["code"] == "plugin_not_found"
    [shown] = [each for each in studio.http.get("/api/plugins/removed").json()["results"] if each["id"] == "leaving"]
    assert (shown["name"], shown["version"]) == ("Leaving", "1.0.0") and shown["removed_at"] < shown["forgotten_at"]

    restored = studio.http.post("/api/plugins/leaving/restore")
    assert (restored.status, restored.json()["state"]) == (200, "inactive"), restored.text
    assert restored.json()["permissions"]["granted"] == ["host:storage"]
    assert folder.is_dir() and restored.json()["digest"] == before["digest"]
    assert not list((studio.data / "trash").glob("leaving-*"))
    assert studio.http.get("/api/plugins/leaving/versions").json()["releases"]
    again = studio.http.post("/api/plugins/load", {"plugin_id": "leaving"}).json()
    assert again["generation"] > before["generation"]
    assert execute(studio).json()["result"] == [{"n": 1}, "mine"]


def test_a_new_folder_of_that_name_begins_anew(studio: Studio, plugin_folder: Drop) -> None:
    drop_storing(plugin_folder)
    loading = {"plugin_id": "leaving", "grant": ["host:storage"], "config": {"word": "mine"}}
    before = studio.http.post("/api/plugins/load", loading).json()
    execute(studio, action="set", parameters={"n": 1})
    studio.http.post("/api/plugins/leaving/unload")
    studio.http.delete("/api/plugins/leaving")
    drop_storing(plugin_folder)
    fresh = studio.http.get("/api/plugins/leaving").json()
    assert (fresh["permissions"]["granted"], "word" in fresh["config"]) == ([], False)
    assert studio.http.post("/api/plugins/leaving/restore").json()["code"] == "not_removed"
    again = studio.http.post("/api/plugins/load", {"plugin_id": "leaving", "grant": ["host:storage"]}).json()
    assert again["generation"] > before["generation"], "numbers are never given out twice"
    assert execute(studio).json()["result"] == [None, None]


def test_only_what_was_removed_can_be_restored_and_only_by_operators(studio: Studio, plugin_folder: Drop) -> None:
    drop_storing(plugin_folder)
    assert studio.http.post("/api/plugins/leaving/restore").status in (404, 409)
    assert studio.http.post("/api/plugins/nobody/restore").json()["code"] == "plugin_not_found"
    assert studio.as_user.post("/api/plugins/leaving/restore").json()["code"] == "forbidden"
    assert studio.as_user.get("/api/plugins/removed").json()["code"] == "forbidden"


@pytest.fixture
def root(tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch, transactional_db: None) -> Iterator[Path]:
    """One plugin and everything that can belong to one."""
    monkeypatch.setattr("plugins_app.services.hints.hint", lambda channel, payload: None)
    for name in ("plugins", "store", "run", "data"):
        (tmp_path / name).mkdir()
        setattr(settings, f"STUDIO_{name.upper()}", tmp_path / name)
    folder = tmp_path / "plugins" / "leaving"
    folder.mkdir()
    (folder / "plugin.toml").write_text(MANIFEST)
    (folder / "plugin.py").touch()
    plugins_discover()
    version = PluginVersion.objects.get()
    release = PluginRelease.objects.create(plugin_id="leaving", generation=3, version=version, cause="load")
    StorageItem.objects.create(plugin_id="leaving", key="k", value=1)
    Execution.objects.create(plugin_id="leaving", method="execute")
    Plugin.objects.update(config={"word": "mine"}, granted=["host:storage"], generation=release.generation)
    yield tmp_path
    connection.close()
    remove_tree(tmp_path / "store")


def trashed(root: Path) -> list[Path]:
    return list((root / "data").glob("trash/*"))


def counts() -> list[int]:
    plugin = Plugin.objects.get()
    rows: Any = (plugin.versions, plugin.releases, plugin.storage, plugin.executions)
    return [each.count() for each in rows]


def test_after_30_days_it_is_forgotten_for_good(root: Path) -> None:
    plugin_remove(plugin_id="leaving")
    assert removals_forget() == [] and counts() == [1, 1, 1, 1] and len(removed_plugins()) == 1
    assert removals_forget(now=timezone.now() + timedelta(days=31)) == ["leaving"]
    plugin = Plugin.objects.get()
    assert (counts(), plugin.config, plugin.granted, plugin.generation) == ([0, 0, 0, 0], {}, [], 3)
    assert removed_plugins() == [] and removals_forget(now=timezone.now() + timedelta(days=99)) == []
    with pytest.raises(StudioError) as refused:
        plugin_restore(plugin_id="leaving")
    assert refused.value.code == "not_removed"


def test_a_folder_in_its_place_is_not_replaced(root: Path) -> None:
    plugin_remove(plugin_id="leaving")
    (root / "plugins" / "leaving").mkdir()
    with pytest.raises(StudioError) as refused:
        plugin_restore(plugin_id="leaving")
    assert refused.value.code == "folder_taken" and Plugin.objects.get().is_removed and len(trashed(root)) == 1


def test_a_look_that_waited_for_the_removal_does_not_bring_it_back(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    locked = discovery.folders_locked

    @contextmanager
    def in_turn() -> Iterator[None]:
        if not Plugin.objects.get(id="leaving").is_removed:
            plugin_remove(plugin_id="leaving")
        with locked():
            yield

    monkeypatch.setattr(discovery, "folders_locked", in_turn)
    shutil.copytree(root / "plugins" / "leaving", root / "plugins" / "other")
    plugins_discover()
    plugin_restore(plugin_id="leaving")
    assert Plugin.objects.get(id="leaving").config == {"word": "mine"}


@pytest.mark.parametrize(("number", "code"), [(errno.ENOSPC, "disk_full"), (errno.EACCES, "file_unreadable")])
def test_a_folder_that_cannot_be_moved_stays_and_so_does_the_plugin(
    root: Path, monkeypatch: pytest.MonkeyPatch, number: int, code: str
) -> None:
    def refuse(*arguments: Any) -> None:
        raise OSError(number, "no")

    facts = ("missing", "removed_at", "trash", "fingerprint", "version_id")
    before = Plugin.objects.values(*facts).get()
    with monkeypatch.context() as patched:
        patched.setattr(removal, "move", refuse)
        with pytest.raises(StudioError) as refused:
            plugin_remove(plugin_id="leaving")
    assert refused.value.code == code and Plugin.objects.values(*facts).get() == before
    plugin_remove(plugin_id="leaving")
    removed = Plugin.objects.values(*facts).get()
    with monkeypatch.context() as patched:
        patched.setattr(removal, "move", refuse)
        with pytest.raises(StudioError):
            plugin_restore(plugin_id="leaving")
    assert Plugin.objects.values(*facts).get() == removed and len(trashed(root)) == 1
    plugin_restore(plugin_id="leaving")
    assert not trashed(root) and not Plugin.objects.get().is_removed


class Killed(BaseException):
    """The process ended here."""


def test_a_studio_killed_in_the_middle_finishes_later(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*arguments: Any) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(removal, "_carry_out", killed)
        with pytest.raises(Killed):
            plugin_remove(plugin_id="leaving")
    # The folder is still there, and yet it is not found again.
    assert plugins_discover().changed == [] and Plugin.objects.get().is_removed
    removals_finish()
    assert len(trashed(root)) == 1 and not (root / "plugins" / "leaving").exists()
    with monkeypatch.context() as patched:
        patched.setattr(removal, "_carry_out", killed)
        with pytest.raises(Killed):
            plugin_restore(plugin_id="leaving")
    removals_finish()
    plugins_discover()
    plugin = Plugin.objects.get()
    assert (plugin.missing, plugin.trash, plugin.config) == (False, "", {"word": "mine"}) and not trashed(root)


def test_a_folder_on_another_node_is_moved_by_that_node(root: Path, settings: Any) -> None:
    settings.STUDIO_NODE = "other"
    plugin_remove(plugin_id="leaving")
    removals_finish()
    assert (root / "plugins" / "leaving").is_dir(), "it is not this node's"
    settings.STUDIO_NODE = "local"
    assert plugins_discover().changed == []
    removals_finish()
    assert not (root / "plugins" / "leaving").exists() and len(trashed(root)) == 1
    settings.STUDIO_NODE = "other"
    plugin_restore(plugin_id="leaving")
    settings.STUDIO_NODE = "local"
    removals_finish()
    assert (root / "plugins" / "leaving").is_dir() and counts() == [1, 1, 1, 1]


def test_a_folder_put_back_by_hand_is_a_new_one(root: Path) -> None:
    plugin_remove(plugin_id="leaving")
    shutil.move(trashed(root)[0], root / "plugins" / "leaving")
    assert plugins_discover().changed == ["leaving"]
    assert (Plugin.objects.get().config, counts()) == ({}, [1, 0, 0, 0])
    assert LifecycleEvent.objects.filter(event="plugin_discovered").count() == 2
