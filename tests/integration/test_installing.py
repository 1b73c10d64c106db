"""Installing when something goes wrong half-way: folder and database change together or not at all."""

from __future__ import annotations

import errno
import io
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from plugins_app.models import LifecycleEvent, Plugin, PluginVersion
from plugins_app.services import installing, trash
from plugins_app.services.discovery import plugins_discover
from plugins_app.services.errors import StudioError
from plugins_app.services.installing import package_install
from plugins_app.services.snapshots import remove_tree
from plugins_app.services.tidying import incoming_remove
from tests.archives import manifest, zipped

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def root(tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch, transactional_db: None) -> Iterator[Path]:
    monkeypatch.setattr("plugins_app.services.hints.hint", lambda channel, payload: None)
    for name in ("plugins", "store", "run", "data"):
        (tmp_path / name).mkdir()
        setattr(settings, f"STUDIO_{name.upper()}", tmp_path / name)
    yield tmp_path
    connection.close()
    remove_tree(tmp_path / "store")


def package(version: str = "1.0.0", word: str = "") -> io.BytesIO:
    return io.BytesIO(zipped({"plugin.toml": manifest("sent", version), "plugin.py": f"# {version} {word}\n"}))


def state(root: Path) -> dict[str, Any]:
    """Everything that must not change when nothing is installed."""
    plugins_discover()
    return {
        "folders": sorted((path.name, (path / "plugin.toml").read_text()) for path in (root / "plugins").iterdir()),
        "plugins": list(Plugin.objects.values("id", "version__digest", "folder", "problem", "removed_at")),
        "versions": list(PluginVersion.objects.values_list("digest", flat=True)),
        "events": LifecycleEvent.objects.count(),
        "drafts": list((root / "store").rglob(".draft-*")),
    }


def no_room(*arguments: Any, **options: Any) -> Any:
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("before", ["nothing", "another version"])
@pytest.mark.parametrize(
    ("where", "code"),
    [
        ("plugins_app.services.archives._Unpacking._copy", "disk_full"),
        ("plugins_app.services.snapshots.shutil.copyfileobj", "disk_full"),
        ("plugins_app.services.installing._swap", "disk_full"),
        ("plugins_app.services.installing.folder_store", "disk_full"),
        ("plugins_app.services.installing.event_record", "disk_full"),
    ],
)
def test_no_room_on_the_disk_at_any_step_changes_nothing(
    root: Path, monkeypatch: pytest.MonkeyPatch, before: str, where: str, code: str
) -> None:
    if before != "nothing":
        package_install(source=package())
    was = state(root)
    swaps: list[tuple[Path, Path]] = []
    with monkeypatch.context() as patched:
        patched.setattr(where, no_room)
        if where.endswith("folder_store") or where.endswith("event_record"):
            real = installing._swap

            def swap(one: Path, other: Path, is_there: bool) -> None:
                swaps.append((one, other))
                real(one, other, is_there)

            patched.setattr(installing, "_swap", swap)
        with pytest.raises(StudioError) as refused:
            package_install(source=package("2.0.0"))
    assert (refused.value.code, refused.value.status) == (code, 507)
    assert not swaps or swaps[0] == swaps[1][::-1], "what was put in place was taken back"
    assert state(root) == was
    assert package_install(source=package("2.0.0")).version == "2.0.0"


class _FullDisk(io.FileIO):
    """A file on a disk that has room for a little."""

    written = 0

    def write(self, data: Any) -> int:
        _FullDisk.written += len(data)
        if _FullDisk.written > 1000:
            no_room()
        return super().write(data)


def test_a_disk_that_fills_up_while_it_is_unpacked(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    was, real = state(root), io.open
    large = io.BytesIO(zipped({"plugin.toml": manifest("sent"), "plugin.py": "#" * 900_000}))

    def opened(path: Any, mode: str = "r", *args: Any, **options: Any) -> Any:
        inside = ".incoming-" in str(path)
        return _FullDisk(path, mode.replace("b", "")) if inside and "x" in mode else real(path, mode, *args, **options)

    with monkeypatch.context() as patched:
        patched.setattr("pathlib.io.open", opened)
        with pytest.raises(StudioError) as refused:
            package_install(source=large)
    assert refused.value.code == "disk_full" and state(root) == was


def test_the_same_name_keeps_its_folder(root: Path) -> None:
    (root / "plugins" / "sent").mkdir()
    (root / "plugins" / "sent" / "plugin.toml").write_text(manifest("sent"))
    (root / "plugins" / "sent" / "plugin.py").touch()
    plugins_discover()
    installed = package_install(source=package("2.0.0"))
    assert installed.replaced == PluginVersion.objects.get(source="folder").digest
    assert [path.name for path in (root / "plugins").iterdir()] == ["sent"]
    assert Plugin.objects.get().folder == str(root / "plugins" / "sent")


def test_a_look_at_the_folder_afterwards_finds_nothing_new(root: Path) -> None:
    package_install(source=package())
    assert plugins_discover().changed == []


def test_folders_change_places_where_the_kernel_cannot_exchange_them(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Old:
        def __init__(self, *args: Any, **options: Any) -> None:
            pass

        def renameat2(self, *args: Any) -> int:
            return -1

    package_install(source=package())
    monkeypatch.setattr(trash.ctypes, "CDLL", Old)
    monkeypatch.setattr(trash.ctypes, "get_errno", lambda: errno.EINVAL)
    assert package_install(source=package("2.0.0")).version == "2.0.0"
    assert [path.name for path in (root / "plugins").iterdir()] == ["sent"]
    assert len(list((root / "data" / "trash").iterdir())) == 1


def test_moving_to_another_disk_is_whole_or_not_at_all(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, target = root / "source", root / "data" / "target"
    source.mkdir()
    (source / "file").write_text("x")
    real = Path.rename

    def other_disk(self: Path, to: Path) -> Path:
        if self == source:
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        return real(self, to)

    monkeypatch.setattr(Path, "rename", other_disk)
    with monkeypatch.context() as patched:
        patched.setattr(shutil, "copytree", no_room)
        with pytest.raises(OSError, match="No space"):
            trash.move(source, target)
    assert (source / "file").is_file() and list((root / "data").iterdir()) == []
    trash.move(source, target)
    assert (target / "file").read_text() == "x" and not source.exists()


def test_what_a_killed_studio_left_is_removed_at_the_next_start(root: Path) -> None:
    for name in (".incoming-local-abc", ".incoming-other-abc"):
        (root / "plugins" / name / "folder").mkdir(parents=True)
    incoming_remove()
    assert [path.name for path in (root / "plugins").iterdir()] == [".incoming-other-abc"]


def test_a_folder_that_found_no_room_is_looked_at_again(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "plugins" / "sent").mkdir()
    (root / "plugins" / "sent" / "plugin.toml").write_text(manifest("sent"))
    with monkeypatch.context() as patched:
        patched.setattr("plugins_app.services.snapshots.shutil.copyfileobj", no_room)
        plugins_discover()
    problem = Plugin.objects.get().problem
    assert problem is not None and problem["code"] == "disk_full"
    assert plugins_discover().changed == [], "not over and over"
    monkeypatch.setattr("plugins_app.services.discovery._DISK_RETRY", 0.0)
    plugins_discover()
    assert Plugin.objects.get().problem is None
