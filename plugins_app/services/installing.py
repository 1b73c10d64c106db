"""Installing an uploaded package: unpacked aside, checked like any folder, then put in place in one step."""

from __future__ import annotations

import errno
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from django.conf import settings
from django.db import transaction

from plugins_app.client.inspection import inspect_plugin
from plugins_app.models import Plugin
from plugins_app.sdk.manifest import MANIFEST_NAME, ManifestError, read_manifest
from plugins_app.sdk.metadata import PLUGIN_ID

from .archives import archive_unpack
from .changes import Result, User
from .discovery import FolderRead, folder_of, folder_read, folder_store, folders_locked, plugins_discover
from .errors import StudioError
from .events import event_record
from .folders import check_folder
from .plugins import plugin_load, plugin_permissions_grant, plugin_reload
from .snapshots import remove_tree
from .tidying import INCOMING
from .trash import exchange, move, trash_name, trash_path

__all__ = ["Installed", "package_install", "package_install_and_load"]

#: Codes that say what is wrong with the package itself; everything else is the studio's own trouble.
_NOT_ITS_FAULT = frozenset({"disk_full", "snapshot_failed", "package_too_large", "package_invalid"})


@dataclass(frozen=True, slots=True)
class Installed:
    """What was installed. `replaced` is the version that was in the folder before."""

    plugin_id: str
    digest: str
    version: str
    replaced: str | None

    def to_dict(self) -> dict[str, Any]:
        """The facts of the API and of the event."""
        return {"digest": self.digest, "version": self.version, "replaced": self.replaced}


def package_install_and_load(
    *, source: BinaryIO, name: str = "", load: bool = False, grant: Iterable[str] = (), user: User = None
) -> tuple[Installed, Result]:
    """Install a package; with `load` also load it, or swap to it.

    Raises:
        StudioError: as `package_install`; or why it was not loaded. It stays installed then, and `installed` says so.
    """
    installed = package_install(source=source, name=name)
    if not load:
        return installed, Result(installed.plugin_id, True)
    try:
        return installed, _load(installed.plugin_id, list(grant), user)
    except StudioError as error:
        error.detail += f" {installed.plugin_id} {installed.version} is installed all the same."
        error.extra = {**error.extra, "plugin_id": installed.plugin_id, "installed": installed.to_dict()}
        raise


def _load(plugin_id: str, grant: list[str], user: User) -> Result:
    plugin = Plugin.objects.get(id=plugin_id)
    if plugin.desired_id is None and plugin.waiting_id is None:
        return plugin_load(plugin_id=plugin_id, grant=grant, user=user)
    if grant:
        plugin_permissions_grant(plugin_id=plugin_id, granted={*plugin.granted, *grant}, user=user)
    return plugin_reload(plugin_id=plugin_id, user=user)


def package_install(*, source: BinaryIO, name: str = "") -> Installed:
    """Put the plugin of a zip or tar.gz into the plugins folder; what was there goes to the trash. Not loaded.

    `name` is what the file was called. A version that runs goes on running.

    Raises:
        StudioError: `package_invalid`, `package_too_large` or `disk_full`; nothing has changed then.
    """
    plugins_discover()  # what is there now is known before it is replaced
    try:
        with _incoming() as aside:
            archive_unpack(source, aside / "unpacked")
            folder = _named(_root(aside / "unpacked"), aside, name)
            return _put_in_place(folder, folder_read(folder))
    except StudioError as error:
        raise _as_package_error(error) from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            detail = "There is no room on the disk for the package; nothing was installed."
            raise StudioError("disk_full", detail, hint="Make room, and try again.") from error
        detail = f"The package cannot be put into the plugins folder: {error.strerror or error}."
        raise StudioError("snapshot_failed", detail, hint="May the studio's user write there?") from error


@contextmanager
def _incoming() -> Iterator[Path]:
    """A hidden folder beside the plugins, so that what is in it can be put in place by a rename."""
    name = f"{INCOMING}{settings.STUDIO_NODE}-{secrets.token_hex(6)}"
    folder = Path(settings.STUDIO_PLUGINS) / name
    folder.mkdir()
    try:
        yield folder
    finally:
        remove_tree(folder)


def _root(unpacked: Path) -> Path:
    """Where the plugin's files are: at the top, or in the only folder there."""
    if _is_plugin(unpacked):
        return unpacked
    found = sorted(unpacked.iterdir())
    plugins = [path for path in found if path.is_dir() and _is_plugin(path)]
    if len(found) == 1 and plugins:
        return plugins[0]
    what = "several plugins" if len(plugins) > 1 else f"neither {MANIFEST_NAME} nor plugin.py at its top"
    hint = "Pack one plugin's folder, with its files at the top or in one folder."
    raise StudioError("package_invalid", f"The package cannot be used: it holds {what}.", hint=hint)


def _is_plugin(folder: Path) -> bool:
    return (folder / MANIFEST_NAME).is_file() or (folder / "plugin.py").is_file()


def _named(root: Path, aside: Path, name: str) -> Path:
    """The folder under the name that it will have in the plugins folder."""
    check_folder(root)
    plugin_id = _id_in(root, root.name if root.parent != aside else Path(name).name.partition(".")[0])
    there = folder_of(plugin_id)
    folder = aside / "folder" / (there.name if there else plugin_id.replace("-", "_"))
    folder.parent.mkdir()
    root.rename(folder)
    return folder


def _id_in(root: Path, called: str) -> str:
    """The id that the plugin gives itself: in its manifest, or else in its code, which runs in a sandbox for this."""
    if (root / MANIFEST_NAME).is_file():
        try:
            plugin_id = read_manifest(root / MANIFEST_NAME).id
        except ManifestError as error:
            raise StudioError("manifest_invalid", f"{MANIFEST_NAME}: {error}.", hint="Correct the manifest.") from error
    else:
        folder = called.replace("-", "_") if PLUGIN_ID.fullmatch(called.replace("_", "-")) else "plugin"
        told = inspect_plugin(root, folder)
        if told.metadata is None:
            problem = told.problem or {"code": "metadata_failed", "detail": "The plugin did not say what it is."}
            raise StudioError(problem["code"], problem.get("detail", ""), hint=problem.get("hint", ""))
        plugin_id = str(told.metadata.get("id"))
    if not PLUGIN_ID.fullmatch(plugin_id) or len(plugin_id) > 64:
        hint = "Use lower-case words joined by -, at most 64 characters."
        raise StudioError("id_invalid", f"{plugin_id[:80]!r} cannot be a plugin's id.", hint=hint)
    return plugin_id


def _put_in_place(folder: Path, read: FolderRead) -> Installed:
    """Folder and rows change together: when one of them fails, the other goes back."""
    final = Path(settings.STUDIO_PLUGINS) / folder.name
    with folders_locked():
        is_there = final.is_dir()
        _swap(folder, final, is_there)
        try:
            installed = _store(read, final)
        except BaseException:  # whatever it was: files and rows must not part
            _swap(final, folder, is_there)
            raise
        if is_there:  # now the one that was there
            _to_trash(folder)
    return installed


def _swap(one: Path, other: Path, is_there: bool) -> None:
    if is_there:
        exchange(one, other)
    else:
        one.rename(other)


@transaction.atomic
def _store(read: FolderRead, final: Path) -> Installed:
    before = Plugin.objects.select_related("version").filter(id=read.seen.plugin_id, removed_at=None).first()
    replaced = before.version.digest if before and before.version and not before.missing else None
    plugin = folder_store(read, folder=final, source="package")
    version = str(plugin.metadata.get("version") or "")
    installed = Installed(plugin.id, read.digest, version, replaced)
    event_record(event="plugin_installed", plugin_id=plugin.id, data=installed.to_dict())
    return installed


def _to_trash(folder: Path) -> None:
    """What was replaced is kept for a while. It is in the store as well: no room for it is no reason to fail."""
    try:
        move(folder, trash_path(trash_name(folder)))
    except OSError:
        return


def _as_package_error(error: StudioError) -> StudioError:
    if error.code in _NOT_ITS_FAULT:
        return error
    return StudioError(
        "package_invalid",
        f"The package cannot be used: {error.detail}",
        hint=error.hint,
        traceback=error.traceback,
        extra={"cause": error.code},
    )
